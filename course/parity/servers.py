"""The real servers of a run: those that the environment names, and for the rest programs started for the run."""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import stores
from stores import local

ROOT = Path(__file__).resolve().parents[2]
START = 60  # seconds for a process that starts a store's server
ENGINE = "import sys, stores; print(stores.start(sys.argv[1]).engine)"


@dataclass
class Servers:
    """addresses: the variables that name the real servers. engines: store → (embedded, real), with versions, of those that
    answered. missing: store → why there is none here."""
    addresses: dict[str, str] = field(default_factory=dict)
    engines: dict[str, tuple[str, str]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


@contextmanager
def real_servers(names: Iterable[str]) -> Iterator[Servers]:
    """Real servers of these stores until the block ends, as far as they can be had; what cannot is said in `missing`."""
    servers = Servers()
    with ExitStack() as running:
        for name in names:
            try:
                address = address_of(name, running)
                engines = engine(name, {}), engine(name, address)
            except (local.NotFound, FileNotFoundError, RuntimeError) as problem:
                servers.missing[name] = str(problem).strip().splitlines()[0]
            else:
                servers.addresses.update(address)
                servers.engines[name] = engines
        yield servers


def address_of(name: str, running: ExitStack) -> dict[str, str]:
    """The variables that name the real server of a store: the environment's own, or those of a program that ends with `running`.

    Raises stores.local.NotFound or RuntimeError where there is none.
    """
    variable = stores.variable(name)
    if address := os.environ.get(variable, "").strip():
        return {variable: address}
    if name not in local.OF_STORE:
        raise local.NotFound(f"no program is known that serves it; name a server in {variable}")
    return running.enter_context(local.launch(local.OF_STORE[name])).environment()


def engine(name: str, addresses: Mapping[str, str]) -> str:
    """What answers as the store `name`, "Redis 7.0.15". Raises RuntimeError with the store's own words if nothing does."""
    done = subprocess.run([sys.executable, "-c", ENGINE, name], env=environment(addresses), cwd=ROOT, capture_output=True, text=True,
                          timeout=START, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return done.stdout.strip().splitlines()[-1].partition(" at ")[0]


def environment(addresses: Mapping[str, str]) -> dict[str, str]:
    """The environment of this process in which no real server is named but those of `addresses`."""
    named = {stores.variable(name) for name in stores.NAMES}
    return {name: value for name, value in os.environ.items() if name not in named} | dict(addresses)
