"""The kernel that runs submissions: an ordinary Python kernel that seals each check cell, and its client.

    python -P -m grader.kernel -f CONNECTION_FILE      (GRADER_GUARDS names the modules to import and guard first)
"""

import importlib
import os
import sys

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from traitlets import Dict, Type

from grader.seal import Seal, free_names

GUARDS = "GRADER_GUARDS"


class GradingKernel(IPythonKernel):
    """Runs cells as IPython does. A request whose metadata hold `graded` is sealed, and its reply holds the verdict."""

    async def do_execute(self, code, silent, *args, cell_meta=None, **kwargs):
        if not hasattr(self, "_seal"):
            packages = {name.partition(".")[0] for name in os.environ.get(GUARDS, "").split(",")}
            self._seal = Seal(self.shell, packages | {"course", "stores"})
        graded = (cell_meta or {}).pop("graded", None)          # not for the eyes of the cell
        if graded is None:
            return await super().do_execute(code, silent, *args, cell_meta=cell_meta, **kwargs)
        self._seal.close(free_names(code), graded["imports"])
        try:
            reply = await super().do_execute(code, silent, *args, cell_meta=None, **kwargs)
        except Exception as error:           # the answer broke something that IPython itself stands on
            reply = {"status": "error", "ename": type(error).__name__, "evalue": str(error), "traceback": [],
                     "execution_count": self.execution_count, "user_expressions": {}, "payload": []}
        finally:
            verdict = self._seal.open()
        return reply | {"verdict": verdict | {"number": graded["number"]}}


class GradingClient(AsyncKernelClient):
    """Sends `metadata` along with the next cell."""
    metadata = Dict()

    def execute(self, code, silent=False, store_history=True, user_expressions=None, allow_stdin=None, stop_on_error=True) -> str:
        content = {"code": code, "silent": silent, "store_history": store_history, "user_expressions": user_expressions or {},
                   "allow_stdin": False, "stop_on_error": stop_on_error}
        message = self.session.msg("execute_request", content, metadata=self.metadata)
        self.shell_channel.send(message)
        return message["header"]["msg_id"]


class GradingKernelManager(AsyncKernelManager):
    """Starts GradingKernels, in a process group of their own."""
    client_factory = Type(GradingClient)

    @property
    def kernel_spec(self) -> KernelSpec:
        # -P: a file json.py in the submission's folder must not be imported in place of the library.
        return KernelSpec(argv=[sys.executable, "-P", "-m", "grader.kernel", "-f", "{connection_file}"], language="python")


def main() -> None:
    """Import what will be guarded before the submission's folder is on the path; then serve."""
    for name in ["course.check", *filter(None, os.environ.get(GUARDS, "").split(","))]:
        try:
            importlib.import_module(name)
        except Exception as error:       # the cells that need it will say so
            print(f"{name} cannot be imported: {error}", file=sys.stderr)
    IPKernelApp.launch_instance(kernel_class=GradingKernel, argv=[*sys.argv[1:], "--log-level=ERROR"])


if __name__ == "__main__":
    importlib.import_module("grader.kernel").main()       # under its own name: the seal guards it as a module
