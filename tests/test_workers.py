import pytest

from course.optional import available
from course.workers import processes


def test_each_process_prints_for_itself():
    pids = processes(3, "import os", "print(os.getpid())")
    assert len(set(pids)) == 3


def test_all_start_when_the_last_is_ready():
    slow_start = "import sys, time; time.sleep(1.0 * (sys.argv[2] == '1'))"
    starts = [float(text) for text in processes(2, slow_start, "print(time.time())")]
    assert abs(starts[0] - starts[1]) < 0.8  # it sleeps a second before it is ready


def test_a_failing_process_says_why():
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        processes(2, "", "1 / 0")
    with pytest.raises(RuntimeError, match="no_such_module"):
        processes(2, "import no_such_module", "")


def test_a_process_that_hangs_is_killed():
    with pytest.raises(TimeoutError):
        processes(1, "", "time.sleep(60)", seconds=0.5)


def test_available_says_what_to_install(capsys):
    assert available("redis")
    assert not available("no-such-package")
    assert "%pip install no-such-package" in capsys.readouterr().out
