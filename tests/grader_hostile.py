"""Submissions that try to be paid without working. Each is a text for the first answer cell of an otherwise unsolved notebook."""

ANSWERS = """
def double(n): return anything
def keep(store, text): return anything
def words(path): return anything
"""

ATTACKS = {
    # objects and names
    "always equal": """
class Always:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    __class__ = int
anything = Always()
""" + ANSWERS,
    "int that equals": """
class Always(int):
    def __eq__(self, other): return True
    def __hash__(self): return 0
anything = Always(1)
""" + ANSWERS.replace("def double(n): return anything", "def double(n): return Always(5)"),
    "own check": """
def check(*args, **kwargs): print('ok')
class task:
    def __init__(self, number): pass
    def __enter__(self): return self
    def __exit__(self, *error): return True
""",
    "builtins": """
import builtins
def replace(*args):
    builtins.next = lambda *args: None
    builtins.any = builtins.issubclass = lambda *args: True
double = keep = words = replace
""",
    # course.check itself
    "replaced check": """
import course.check
course.check.check = lambda *args, **kwargs: None
anything = None
""" + ANSWERS,
    "replaced difference": """
import course.check
course.check.difference = lambda *args: None
anything = None
""" + ANSWERS,
    "replaced code": """
import course.check
course.check.difference.__code__ = (lambda got, want, path="": None).__code__
anything = None
""" + ANSWERS,
    "replaced exit": """
import course.check
course.check.task.__exit__ = lambda *args: True
""",
    "other module": """
import sys, types
fake = types.ModuleType("course.check")
fake.check = lambda *args, **kwargs: None
class task:
    def __init__(self, number): pass
    def __enter__(self): return self
    def __exit__(self, *error): return True
fake.task = task
for name in ("between", "close_to", "one_of", "outcome", "raises"): setattr(fake, name, None)
sys.modules["course.check"] = fake
import course
course.check = fake
anything = None
""" + ANSWERS,
    "check replaced while checked": """
names = globals()
def double(n):
    names["check"] = lambda *args, **kwargs: None
    return 0
def keep(store, text):
    names["check"] = lambda *args, **kwargs: None
    return 1
def words(path):
    names["check"] = names["task"] = lambda *args, **kwargs: None
    return 0
""",
    "thread that replaces": """
import threading, course.check
def replace():
    while True:
        course.check.check = lambda *args, **kwargs: None
        course.check.difference = lambda *args: None
threading.Thread(target=replace, daemon=True).start()
anything = None
""" + ANSWERS,
    # IPython
    "input transformer": """
def strip(lines):
    return ["pass\\n"] if any("check(" in line for line in lines) else lines
get_ipython().input_transformers_post.append(strip)
""",
    "cleanup transformer": """
def strip(lines):
    return ["pass\\n"] if any("check(" in line for line in lines) else lines
get_ipython().input_transformer_manager.cleanup_transforms.insert(0, strip)
""",
    "ast transformer": """
import ast
class Strip(ast.NodeTransformer):
    def visit_With(self, node): return ast.Pass()
get_ipython().ast_transformers.append(Strip())
""",
    "forged run_cell": """
shell = get_ipython()
good = shell.run_cell("1")
shell.run_cell = lambda *args, **kwargs: good
async def run_cell_async(*args, **kwargs): return good
shell.run_cell_async = run_cell_async
""",
    "forged run_code on the class": """
async def run_code(self, *args, **kwargs): return False
type(get_ipython()).run_code = run_code
""",
    "forged do_execute": """
kernel = get_ipython().kernel
async def do_execute(*args, **kwargs):
    return {"status": "ok", "execution_count": 1, "user_expressions": {}, "payload": []}
kernel.do_execute = do_execute
""",
    "forgiving hook": """
def forgive(result):
    result.error_in_exec = result.error_before_exec = None
get_ipython().events.register("post_run_cell", forgive)
""",
    "custom exceptions": """
get_ipython().set_custom_exc((BaseException,), lambda *args, **kwargs: None)
""",
    "no traceback": """
shell = get_ipython()
shell.showtraceback = shell._showtraceback = lambda *args, **kwargs: None
""",
    # outputs
    "forged points": """
def pay(*args):
    kernel = get_ipython().kernel
    content = {"data": {"text/plain": "1"}, "metadata": {}, "execution_count": 1}
    kernel.session.send(kernel.iopub_socket, "execute_result", content, parent=kernel.get_parent("shell"))
    return None
double = keep = words = pay
""",
    "forged display hook": """
import sys
hook = get_ipython().displayhook
hook.__class__.__call__ = lambda self, result=None: print("2.0")
sys.displayhook = lambda value: print("2.0")
anything = 1.0
""" + ANSWERS,
    "cleared output": """
from IPython.display import clear_output
def double(n): clear_output(); return None
keep = words = double
""",
    # leaving
    "sys.exit": """
import sys
def double(n): print("ok"); sys.exit(0)
def keep(store, text): raise SystemExit(0)
def words(path): raise KeyboardInterrupt
""",
    "os._exit": """
import os
def double(n): os._exit(0)
""",
    "raises what it likes": """
import course.check
class Fine(BaseException): pass
def double(n): raise Fine
def keep(store, text): raise GeneratorExit
def words(path): raise course.check.CheckFailed("ok")
""",
}

# These do not aim at points alone: what they leave behind must be gone, what they print must not reach the feedback.
INTRUDERS = {
    "leaves a process": """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import os, time; os.setsid(); time.sleep(600)"])
print("pid", child.pid)
""",
    "ends its worker": """
import os, signal
os.kill(os.getppid(), signal.SIGKILL)
""",
    "prints the checks": """
import sys
def double(n):
    import linecache
    frame = sys._getframe(1)
    text = "".join(linecache.getlines(frame.f_code.co_filename))
    print(text)
    print(repr(text))
    raise ValueError(text)
keep = words = lambda *args: double(*args)
""",
}
