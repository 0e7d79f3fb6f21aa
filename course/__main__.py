"""`python -m course VERB`: make the environment if there is none, then run the verb inside it.

This file must parse on any Python, also on 2.7, so that an old one gets a sentence and not a SyntaxError.
"""
import os
import subprocess
import sys

OLDEST = (3, 11)


def newer_python():
    """The command of a Python on the PATH that is new enough, or None."""
    for command in (["python3.12"], ["python3.13"], ["python3.14"], ["python3.11"], ["py", "-3.12"]):
        try:
            with open(os.devnull, "w") as nowhere:
                if subprocess.call(command + ["-c", ""], stdout=nowhere, stderr=nowhere) == 0:
                    return " ".join(command)
        except OSError:
            continue
    return None


def too_old(verbs):
    """What to tell somebody whose Python is older than 3.11."""
    here = "%d.%d.%d" % sys.version_info[:3]
    wanted = "-m course " + (" ".join(verbs) or "lab")
    lines = ["Python 3.11 or newer is needed. This is Python %s (%s)." % (here, sys.executable)]
    found = newer_python()
    if found:
        lines.append("A newer one is installed. Run:  %s %s" % (found, wanted))
    else:
        lines.append("Get one from https://www.python.org/downloads/ and run:  python3.12 %s" % wanted)
        lines.append("Or with uv (https://docs.astral.sh/uv/):")
        lines.append("  uv run --no-project --python 3.12 python %s" % wanted)
    return "\n".join(lines)


if __name__ == "__main__":
    if sys.version_info < OLDEST:
        sys.exit(too_old(sys.argv[1:]))
    from course.environment import main

    sys.exit(main(sys.argv[1:]))
