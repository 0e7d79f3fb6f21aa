"""What a submission's code can and cannot do inside the sandbox. Each attack is a cell; what it prints, or how it ends, is tested."""

import os
import socket
import threading
import time
from pathlib import Path

import psutil
import pytest

from grader import sandbox, warm
from grader.execute import Job, Limits
from grader.life import Request
from grader.limits import End

ROOT = Path(__file__).resolve().parent.parent
PROBE = sandbox.probe()
LIMITS = Limits(cell=8, notebook=60, memory=300, file=5, files=20, processes=60)
pytestmark = [pytest.mark.skipif(not PROBE, reason="; ".join(PROBE.missing)), pytest.mark.xdist_group("the sandbox")]

HELPERS = """
import ctypes, os, signal, socket, subprocess, sys, threading, time
def attempt(what):
    try:
        return f"done: {what()!r}"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    result = libc.syscall(*arguments)
    return os.strerror(ctypes.get_errno()) if result < 0 else result
"""


def run(*cells: str, limits: Limits = LIMITS, files: dict | None = None, numbers: tuple = ()):
    """The outcomes of cells in one sandboxed kernel, the helpers' own left out."""
    requests = [Request(HELPERS), *(Request(cell, numbers[i] if numbers else "") for i, cell in enumerate(cells))]
    return warm.live(Job("", files or {}, {}, limits, "sandboxed"), requests, limits.notebook)[1:]


def text(outcome) -> str:
    return "".join(output.get("text", "") or "\n".join(output.get("traceback", ())) for output in outcome.cell.outputs)


def said(code: str, **options) -> str:
    """What one cell prints."""
    return text(run(code, **options)[0])


# ── what it sees ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", [ROOT / "solutions", ROOT / "grader", ROOT / "sources", ROOT / "tests", ROOT / ".git", Path.home(),
                                  "/home", "/root", "/etc/shadow", "/var", "/run", "/sys", "/opt", "/srv", "/boot", "/dev/mem"])
def test_sees_neither_solutions_nor_the_gradebook_nor_homes_nor_the_system(path):
    # A folder may be there as the way to something readable, such as a Python in a home; then that way is all that it holds.
    shown = said(f"print(attempt(lambda: os.listdir({str(path)!r}) if os.path.isdir({str(path)!r}) else open({str(path)!r}).read()))")
    if "done" in shown:
        from grader.sandbox.walls import readable

        ways = [Path(each).relative_to(path).parts[0] for each in readable() if Path(each).is_relative_to(path)]
        assert shown.strip() == f"done: {sorted(set(ways))!r}" or len(ways) > 1
    else:
        assert "No such file" in shown or "Permission denied" in shown


def test_sees_no_secret_of_the_environment(monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://:open-sesame@db/0")
    warm.zygote("sandboxed").stop()
    shown = said("""
import glob
print(dict(os.environ))
for path in glob.glob("/proc/*/environ") + glob.glob("/proc/*/cmdline"):
    print(attempt(lambda: open(path, "rb").read()))
""")
    assert "sesame" not in shown and "HOME" in shown


def test_sees_only_its_own_processes():
    shown = said("print(sorted(int(name) for name in os.listdir('/proc') if name.isdigit()), os.getpid())")
    assert shown.strip() == "[1] 1"


def test_sees_nothing_of_the_submission_before(tmp_path):
    first = run("open('/learner/home/mine', 'w').write('secret'); open('/dev/shm/mine', 'w').write('secret'); print(os.getcwd())")[0]
    assert text(first).strip() == "/learner/work"
    assert said("print(os.listdir('/learner/home'), os.listdir('/learner/work'), os.listdir('/dev/shm'))").strip() == "[] [] []"


@pytest.mark.parametrize("path", ["/usr/x", "/x", "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern",
                                  str(ROOT / "course/check.py"), str(ROOT / "stores/base.py"), os.__file__])
def test_writes_nowhere_but_in_its_own_folder(path):
    assert "done" not in said(f"print(attempt(lambda: open({path!r}, 'a').write('x')))")


def test_files_of_the_submission_cannot_leave_their_folder():
    assert said("print(os.path.exists('/learner/x'), open('data.txt').read())",
                files={"../x": b"out", "data.txt": b"in"}).strip() == "False in"


# ── the network ─────────────────────────────────────────────────────────────────────────────────────────


def test_reaches_no_other_machine():
    shown = said("""
for address in ("1.1.1.1", "10.0.0.1", "169.254.169.254"):
    print(attempt(lambda: socket.create_connection((address, 80), 2)))
print(attempt(lambda: socket.getaddrinfo("example.org", 80)))
""")
    assert "done" not in shown and shown.count("unreachable") == 3


def test_reaches_no_server_of_this_machine():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        name = f"\0grader-test-{os.getpid()}"
        abstract.bind(name)
        abstract.listen()
        shown = said(f"""
print(attempt(lambda: socket.create_connection({server.getsockname()!r}, 2)))
print(attempt(lambda: socket.socket(socket.AF_UNIX).connect({name!r})))
print(attempt(lambda: socket.socket(40, socket.SOCK_STREAM)))
print(attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)))
""")
    assert "done" not in shown and shown.count("refused") == 2


def test_has_a_loopback_of_its_own_with_all_its_addresses():
    shown = said("""
for host in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
    with socket.create_server((host, 0)) as server:
        socket.create_connection(server.getsockname(), 2).close()
        print("ok", host)
""")
    assert shown.count("ok") == 3


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("bomb", [
    "while True:\n    os.fork()",
    "while True:\n    subprocess.Popen(['sleep', '100'])",
    "while True:\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork(): os._exit(0)\n        while True: pass",
], ids=["fork", "programs", "daemons"])
def test_a_fork_bomb_ends(bomb):
    started = time.monotonic()
    outcome = run(bomb)[0]
    assert outcome.end.deadly or "Resource temporarily unavailable" in text(outcome)
    assert time.monotonic() - started < 30
    assert said("print('fine')").strip() == "fine"


def test_threads_without_end_end():
    assert run("while True:\n    threading.Thread(target=time.sleep, args=(100,)).start()")[0].end in (End.PROCESSES, End.REPLIED)


def test_memory_at_once_is_refused():
    assert "MemoryError" in said("x = bytearray(5 * 10**9)")


@pytest.mark.parametrize("bomb", [
    "kept = []\nwhile True:\n    kept.append(os.urandom(10**6))",
    "for _ in range(20):\n    if os.fork() == 0:\n        x = os.urandom(60 * 10**6)\n        time.sleep(60)\ntime.sleep(60)",
    "import mmap\nm = mmap.mmap(-1, 10**9)\nfor i in range(0, 10**9, 4096): m[i] = 1\ntime.sleep(60)",
], ids=["one process", "many processes", "shared"])
def test_memory_beyond_the_limit_ends_the_kernel(bomb):
    assert run(bomb)[0].end is End.MEMORY


def test_memory_cannot_hide_where_nobody_counts():
    shown = said("""
print(attempt(lambda: os.memfd_create("x")))
print(call(29, 0, 10**9, 0o1600))
def fill():
    with open("/dev/shm/x", "wb") as file:
        while True: file.write(bytes(10**6))
print(attempt(fill))
""")
    assert shown.count("not permitted") == 2 and ("No space" in shown or "too large" in shown)


def test_files_are_limited_one_by_one_and_together():
    shown = said("""
print(attempt(lambda: open("big", "wb").write(bytes(10**7))))
def many():
    for i in range(100): open(f"many{i}", "wb").write(bytes(10**6))
print(attempt(many))
def names():
    for i in range(10**5): open(f"name{i}", "wb").close()
print(attempt(names))
""")
    assert "File too large" in shown and shown.count("No space") == 2


@pytest.mark.parametrize("flood", [
    "while True: print('much ado ' * 1000)",
    "while True: os.write(1, b'much ado ' * 1000)",
    "subprocess.run(['yes', 'much ado'])",
    "from IPython.display import display\nwhile True: display({'text/plain': 'much ado ' * 1000}, raw=True)",
    "raise ValueError('much ado ' * 10**6)",
], ids=["print", "descriptor", "program", "display", "error"])
def test_output_without_end_is_cut(flood):
    outcome, *after = run(flood, "print('after')", limits=Limits(cell=2, file=5))
    assert len(str(outcome.cell.outputs)) < 2_000_000 and "much ado" in str(outcome.cell.outputs)
    assert [text(each).strip() for each in after] in (["after"], [])      # []: the memory was full first, and the kernel ended


def test_limits_cannot_be_raised():
    shown = said("""
import resource
for name in ("NPROC", "FSIZE", "DATA", "NOFILE", "MEMLOCK"):
    number = getattr(resource, f"RLIMIT_{name}")
    print(attempt(lambda: resource.setrlimit(number, (resource.RLIM_INFINITY,) * 2)))
print(attempt(lambda: os.nice(-5)))
""")
    assert "done" not in shown


# ── time ────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_endless_loop_is_interrupted_and_the_kernel_goes_on():
    first, second = run("print('begun')\nkept = 1\nwhile True: pass", "print(kept)", limits=Limits(cell=1))
    assert first.end is End.SLOW and "begun" in text(first) and "KeyboardInterrupt" in text(first)
    assert text(second).strip() == "1"


@pytest.mark.parametrize("deaf", [
    "signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
    "while True:\n    try:\n        while True: sum(range(1000))\n    except BaseException: pass",
    "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass",
    "time.monotonic = time.time = lambda: 0.0\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
    "import re\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nre.match(r'(a+)+$', 'a' * 60 + 'b')",
    "libc.pause() if not signal.signal(signal.SIGINT, signal.SIG_IGN) else [libc.pause() for _ in iter(int, 1)]",
], ids=["ignored", "caught", "blocked", "clock stopped", "in C", "paused"])
def test_a_loop_that_cannot_be_interrupted_is_killed(deaf):
    started = time.monotonic()
    assert run(deaf, limits=Limits(cell=1))[0].end is End.STUCK
    assert time.monotonic() - started < 15


def test_the_notebook_has_a_limit_too():
    limits = Limits(cell=10, notebook=2)
    assert len(run(*["time.sleep(0.6)"] * 10, limits=limits)) < 6


# ── processes ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("death", [
    "os._exit(0)", "ctypes.string_at(0)", "os.abort()", "libc.exit(0)", "sys.setrecursionlimit(10**9)\ndef f(): return f()\nf()",
    "os.close(3)\nprint('x')", "os.closerange(0, 100)", "os.execv('/bin/true', ['true'])",
], ids=["exit", "segfault", "abort", "C exit", "recursion", "line closed", "everything closed", "exec"])
def test_a_cell_that_ends_its_process_is_known(death):
    outcome = run(death)[0]
    assert outcome.end is End.DIED or (death.startswith("sys.setr") and outcome.end in (End.MEMORY, End.STUCK))


def test_signals_reach_nobody_outside():
    before = {process.pid for process in psutil.Process(warm.zygote("sandboxed").process.pid).children()}
    outcome = run("""
for pid in [os.getppid(), 1, -1, *range(2, 40000)]:
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
        attempt(lambda: os.kill(pid, number))
print("still here")
""")[0]
    assert text(outcome).strip() == "still here"
    assert warm.zygote("sandboxed").process.poll() is None
    assert before <= {process.pid for process in psutil.Process(warm.zygote("sandboxed").process.pid).children()} | before


def test_what_it_leaves_running_is_gone():
    mark = f"sleep 98{os.getpid() % 1000}"
    outcome = run(f"""
subprocess.Popen("setsid nohup {mark} >/dev/null 2>&1 &", shell=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", "{mark}".split())
    os._exit(0)
threading.Thread(target=time.sleep, args=(500,)).start()
time.sleep(0.3)
print(subprocess.run("cat /proc/*/cmdline | tr '\\\\0' ' '", shell=True, capture_output=True, text=True).stdout)
""")[0]
    assert mark in text(outcome)
    assert [process for process in psutil.process_iter(["cmdline"]) if mark in " ".join(process.info["cmdline"] or [])] == []


@pytest.mark.parametrize("asked", ["ptrace", "process_vm_readv", "mount", "unshare", "setns", "bpf", "io_uring_setup", "keyctl",
                                   "userfaultfd", "perf_event_open", "chroot", "open_by_handle_at", "kexec_load", "init_module"])
def test_dangerous_system_calls_are_refused(asked):
    import platform

    from grader.sandbox.seccomp import MACHINES, REFUSED
    number = REFUSED[asked][MACHINES[platform.machine()][1]]
    assert said(f"print(call({number}, 0, 0, 0, 0, 0, 0))").strip() == "Operation not permitted"


def test_no_new_namespace_can_be_made_and_no_program_gives_rights():
    shown = said("""
print(subprocess.run(["unshare", "-Ur", "true"], capture_output=True, text=True).stderr)
print([line for line in open("/proc/self/status") if line.startswith(("CapEff", "CapBnd", "NoNewPrivs", "Seccomp:"))])
""")
    assert "not permitted" in shown
    for line in (r"CapEff:\t0000000000000000", r"NoNewPrivs:\t1", r"Seccomp:\t2"):
        assert line in shown


def test_reading_standard_input_ends_at_once():
    first, second = run("print(repr(sys.stdin.read()), subprocess.run(['cat'], capture_output=True))", "input('name? ')")
    assert "stdout=b''" in text(first) and first.seconds < 3
    assert "StdinNotImplementedError" in text(second)


# ── the line on which the kernel reports ────────────────────────────────────────────────────────────────

FIND_LINE = """
import json, struct
def speak(letter, content):
    data = json.dumps(content).encode()
    for number in range(3, 30):
        try:
            socket.socket(fileno=os.dup(number)).sendall(struct.pack(">cI", letter, len(data)) + data)
        except OSError:
            pass
"""


@pytest.mark.parametrize("forgery", [
    'speak(b"r", {"id": "1", "number": "", "status": "ok", "verdict": {"number": "", "before": [], "during": [], "passed": [1]}})',
    'speak(b"r", {"id": "7", "number": "7", "status": "ok"})',
    'speak(b"x", {})',
    'os.write(3, b"\\0" * 1000)',
    'speak(b"r", [])',
    'speak(b"o", [1])',
    'speak(b"o", {"parent_header": {"msg_id": "1"}, "msg_type": "stream", "content": {"name": "stdin", "text": 5}})',
    'import sys; sys.stdout.session.frame(b"o", b"[" * 10**5)',
    'os.write(3, b"r\\x7f\\xff\\xff\\xff")',
    'threading.Thread(target=lambda: [speak(b"r", {"id": "1", "number": ""}) for _ in range(100)]).start(); time.sleep(1)',
], ids=["verdict", "another reply", "letter", "noise", "not a reply", "no message", "no output", "deep", "endless frame",
        "from a thread"])
def test_who_writes_on_the_line_is_found_out(forgery):
    outcome = run(FIND_LINE + forgery, numbers=("0123456789abcdef",))[0]
    assert outcome.end is End.FORGED


def test_a_process_that_it_forks_cannot_speak_for_it():
    outcomes = run("""
if os.fork() == 0:
    print("child")
    get_ipython().kernel.session.send(None, "stream", {"name": "stdout", "text": "x"})
    os._exit(0)
os.wait()
print("parent")
""")
    assert text(outcomes[0]).split() == ["child", "parent"]


def test_a_thread_of_an_earlier_cell_does_not_write_into_a_later_one_and_does_not_hold_up_the_end():
    started = time.monotonic()
    run("def work():\n    while True: time.sleep(0.01)\nthreading.Thread(target=work).start()", "print(1)")
    assert time.monotonic() - started < 5


def test_many_at_once_do_not_meet():
    found = []

    def one(number):
        found.append(said(f"open('me', 'w').write('{number}')\ntime.sleep(0.2)\nprint(os.listdir('.'), open('me').read())"))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [f"['me'] {number}\n" for number in range(6)]
