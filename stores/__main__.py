"""python -m stores cassandra: run a real program for the course until Ctrl-C, and say how the course uses it."""

import contextlib
import signal
import sys

from stores import local


def main(names):
    if len(names) != 1:
        sys.exit(f"expected one name of {', '.join([*local.PROGRAMS, *local.DESCRIBED])}, found {len(names)}")
    try:
        program = local.launch(names[0])
    except (ValueError, RuntimeError, FileNotFoundError) as error:
        sys.exit(str(error))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the program ends in good order
    with program:
        exports = " ".join(f"{name}={value}" for name, value in program.environment().items())
        print(f"{program}\nFor the course: export {exports}\nCtrl-C ends it.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            program.process.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
