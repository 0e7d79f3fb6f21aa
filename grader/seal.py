"""Keeps check cells honest inside a kernel that also ran the learner's code.

Before the first cell a `Seal` notes what the functions and classes that grading relies on look like. Around each check cell it
puts back whatever was replaced since, and listens to `course.check` itself: which `check` lines passed, and how many `task`
blocks ran to their end. The verdict goes back to the executor beside the cell's reply, under a number that only the executor
knows; outputs, which the learner's code can forge, decide nothing.

This makes cheating conspicuous, not impossible: code in the same process that knows this file can reach this object, or read the
wanted value from the frame of the check that calls it. What it does not see either: changes made and undone by a thread while the
check runs, and C-level memory tricks. Reading files, the network and other processes are a sandbox's concern, not this file's.
"""

import ast
import builtins
import signal
import sys
import threading
from collections.abc import Collection
from functools import lru_cache
from types import FunctionType

from grader.guarded import NOT_GUARDED, Guarded

MACHINERY = ("IPython.core.interactiveshell", "IPython.core.displayhook", "IPython.core.compilerop",
             "IPython.core.inputtransformer2", "ipykernel.zmqshell", "ipykernel.displayhook", "ipykernel.ipkernel",
             "ipykernel.kernelbase", "ipykernel.iostream", "grader.kernel", "grader.child", "grader.line", "grader.seal",
             "grader.guarded", "builtins", "ast", "json", "time", "threading", "socket", "functools", "contextvars", "linecache")
SHELL_PARTS = ("displayhook", "display_pub", "display_trap", "events", "compile", "input_transformer_manager", "user_module")


class Seal:
    """What was there before the learner's first cell.

    packages  names of the packages to guard besides IPython's own: their modules that are imported by now
    among     names of modules: of the packages only these
    """

    def __init__(self, shell, packages: set[str], among: Collection[str] | None = None):
        self.shell = shell
        among = sys.modules if among is None else among
        self.modules = {name: module for name, module in sys.modules.items()
                        if name in MACHINERY or (name.partition(".")[0] in packages and name in among)}
        self.guarded = Guarded(self.modules)
        self.shell_parts = {name: getattr(shell, name) for name in SHELL_PARTS}
        self.shell_lists = [(owner, name, list(getattr(owner, name))) for owner, name in _hook_lists(shell)]
        self.callbacks = {event: list(functions) for event, functions in shell.events.callbacks.items()}
        self.streams = sys.stdout, sys.stderr
        self.check = sys.modules.get("course.check")

    def close(self, names: list[str], imports: dict[str, tuple[str, str]], again: bool = False) -> None:
        """Before a check cell: put everything back, bind what the cell takes from imports, and listen.

        names  what the cell reads and does not set itself: `free_names(source)`
        again  nothing of the learner's has run since the last `open`, which put everything back. What a thread has replaced
               since then is found by the next.
        """
        self.patched = [] if again else self.restore()
        self.patched += self._bind_imports(names, imports)
        self.passed: list[int] = []
        self.finished = 0
        if self.check is not None:
            self.genuine = {name: getattr(self.check, name) for name in ("check", "task")}
            self.listening = {"check": self._listen_to_check(), "task": self._listen_to_task()}
            vars(self.check).update(self.listening)

    def open(self) -> dict:
        """After a check cell: stop listening, and say what happened."""
        during = []
        if self.check is not None:
            for name, listener in self.listening.items():
                if vars(self.check).get(name) is not listener:
                    during.append(f"course.check.{name}")
                if name in self.shell.user_ns and self.shell.user_ns[name] is not listener:
                    during.append(name)
                vars(self.check)[name] = self.genuine[name]
        for name, value in self.shadows.items():
            self.shell.user_ns.setdefault(name, value)
        return {"before": self.patched, "during": during + self.restore(), "passed": self.passed, "finished": self.finished}

    def restore(self) -> list[str]:
        """Put back what was replaced; returns the names of it."""
        sys.settrace(None)
        sys.setprofile(None)
        threading.settrace(None)
        if hasattr(signal, "alarm"):
            signal.alarm(0)
        found = self.guarded.restore()
        for name, module in self.modules.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module
                found.append(f"sys.modules[{name!r}]")
        sys.stdout, sys.stderr = self.streams
        return found + self._restore_shell()

    def _restore_shell(self) -> list[str]:
        shell, found = self.shell, []
        for name, part in self.shell_parts.items():
            if getattr(shell, name, None) is not part:
                setattr(shell, name, part)
                found.append(f"shell.{name}")
        for part in (shell, shell.kernel, *self.shell_parts.values()):     # methods that an instance hides
            for name in [name for name in vars(part) if isinstance(vars(part)[name], FunctionType)
                         and callable(getattr(type(part), name, None))]:
                del vars(part)[name]
                found.append(f"{type(part).__name__}.{name}")
        for owner, name, items in self.shell_lists:
            if list(getattr(owner, name)) != items:
                setattr(owner, name, list(items))
                found.append(f"shell.{name}")
        for event, functions in self.callbacks.items():
            present = shell.events.callbacks.get(event, [])
            # matplotlib's inline backend adds its own: it draws the figures of a cell when the cell ends.
            foreign = [f for f in present if f not in functions and "matplotlib" not in str(getattr(f, "__module__", ""))]
            if foreign:
                shell.events.callbacks[event] = [f for f in present if f not in foreign]
                found.append(f"shell.events.{event}")
        if shell.custom_exceptions:
            shell.custom_exceptions = ()
            found.append("shell.custom_exceptions")
        return found

    def _bind_imports(self, free: list[str], imports: dict[str, tuple[str, str]]) -> list[str]:
        """Of the names that a check cell reads and does not set itself, imports are bound anew, built-ins are freed of shadows."""
        names, found = self.shell.user_ns, []
        self.shadows = {}
        for name in free:
            if name in imports:
                module, attribute = imports[name]
                genuine = sys.modules.get(module)
                if attribute and genuine is not None:
                    genuine = getattr(genuine, attribute, sys.modules.get(f"{module}.{attribute}"))
                if genuine is not None and names.get(name) is not genuine:
                    if name in names:
                        found.append(name)
                    names[name] = genuine
            elif hasattr(builtins, name) and name in names and name not in NOT_GUARDED:
                self.shadows[name] = names.pop(name)     # a learner may call a variable `list`; the check means the built-in
        return found

    def _listen_to_check(self):
        genuine, passed = self.genuine["check"], self.passed

        def check(*args, **kwargs):
            line = sys._getframe(1).f_lineno
            genuine(*args, **kwargs)
            passed.append(line)
        return check

    def _listen_to_task(self):
        seal = self

        class task(self.genuine["task"]):
            def __exit__(self, kind, error, traceback):
                said = super().__exit__(kind, error, traceback)
                if kind is None:
                    seal.finished += 1
                return said
        return task


def _hook_lists(shell):
    manager = shell.input_transformer_manager
    return [(shell, "ast_transformers"), (shell, "input_transformers_post"), (manager, "cleanup_transforms"),
            (manager, "line_transforms"), (manager, "token_transformers"), (sys, "meta_path"), (sys, "path_hooks")]


@lru_cache(maxsize=1000)
def free_names(source: str) -> tuple[str, ...]:
    """Names that a cell reads and does not set itself."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ()
    read, written = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else written).add(node.id)
        elif isinstance(node, ast.alias):
            written.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            written.add(node.name)
        elif isinstance(node, ast.arg):
            written.add(node.arg)
    return tuple(sorted(read - written))
