"""What went wrong in the set-up, in words that say what to do (standard library only)."""

import os
import re
import sys
from pathlib import Path


class SetupError(Exception):
    """The environment could not be made. The message says what happened and what to do; it is all a learner sees."""


# (what an installer or the system prints, what it means and what to do). The first match counts.
CAUSES = [
    (r"No space left on device|Errno 28|os error 28|os error 112|not enough space on the disk|Disk quota exceeded",
     "The disk is full. Make room, or set COURSE_VENV to a folder on another disk."),
    (r"DO NOT MATCH THE HASHES|Hash mismatch",
     "A package arrived that is not the one the course was tested with: a damaged download, or a proxy that changes files.\n"
     "Nothing of it was used. Try again, or from another network."),
    (r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate|UnknownIssuer|SSLError",
     "The package index answered with a certificate that this machine does not trust. On a company's network, ask for its\n"
     "certificate and set SSL_CERT_FILE to it (for pip: PIP_CERT)."),
    (r"Failed to establish a new connection|Temporary failure in name resolution|getaddrinfo failed|NewConnectionError"
     r"|ConnectTimeout|Network is unreachable|Connection refused|dns error|tcp connect error|[Cc]ould not connect"
     r"|error sending request|Failed to fetch|Cannot connect to proxy|ProxyError|timed out|Connection reset",
     "There is no connection to the package index. Packages are downloaded once; afterwards the course runs offline.\n"
     "Connect to the internet (or set HTTPS_PROXY if your network has a proxy; COURSE_INSTALLER=pip uses pip's settings)."),
    (r"has no usable wheels|No matching distribution found|is not a supported wheel|no wheels with a matching",
     "A package is not published for this kind of machine or Python. What works: Python 3.11 to 3.14 on 64-bit Windows,\n"
     "macOS and Linux (glibc). On another machine use Binder: see README.md."),
    (r"Permission denied|Access is denied|WinError 5\b|WinError 32\b|os error 5\b|Errno 13|Read-only file system|Errno 30",
     "A file or folder cannot be written. Close JupyterLab and running notebooks; if the project's folder is read-only,\n"
     "copy it to your home folder, or set COURSE_VENV to a folder that you may write."),
    (r"ensurepip", "This Python cannot make environments: its module ensurepip does not work."),
]


def explain(said, folder, log=None):
    """A SetupError for what an installer or the system `said` (its last lines) before it failed; `log` holds all of it."""
    text = "\n".join(said)
    meaning = next((meaning for pattern, meaning in CAUSES if re.search(pattern, text)), "An unexpected error stopped it.")
    lines = ["The environment could not be made.", meaning, "Then run the same command again: it starts afresh."]
    lines += ["", "The last words before it stopped:", *(f"    {line[:160]}" for line in said[-6:])]
    if log:
        lines.append(f"    (all of them are in {log})")
    if os.name == "nt" and len(str(folder)) > 80:
        lines.append(f"The path {folder} is long. Windows may refuse paths over 260 characters: try a shorter folder.")
    return SetupError("\n".join(lines))


def no_installer(python):
    """A SetupError for a Python with neither ensurepip nor pip, as on Debian and Ubuntu without python3-venv."""
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    lines = [f"This Python ({python}) cannot make environments: it has neither ensurepip nor pip."]
    if Path("/etc/debian_version").exists():
        lines.append(f"Debian and Ubuntu keep them in a package of their own. Install it:  sudo apt install {package}")
    else:
        lines.append("Install Python from https://www.python.org/downloads/.")
    lines += ["Or install uv (https://docs.astral.sh/uv/), which needs neither.", "Then run the same command again."]
    return SetupError("\n".join(lines))
