"""Where a submission runs: its folder, and what it may see of the environment."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "COMSPEC", "PATHEXT", "NUMBER_OF_PROCESSORS")
BACKEND = "module://matplotlib_inline.backend_inline"


def lay_out(scratch: Path, files: dict[str, bytes]) -> Path:
    """Make the folders work, home and tmp, and put the submission's files into the first, which is returned."""
    folder = scratch / "work"
    for name in ("work", "home", "tmp"):
        (scratch / name).mkdir(exist_ok=True)
    for name, content in files.items():
        path = folder / name
        if path.resolve().is_relative_to(folder.resolve()):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return folder


def environment(scratch: Path) -> dict[str, str]:
    """What a submission may see of the environment: no passwords, no addresses of real servers."""
    home, tmp = str(scratch / "home"), str(scratch / "tmp")
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return kept | {
        "HOME": home, "USERPROFILE": home, "IPYTHONDIR": home, "JUPYTER_CONFIG_DIR": home, "TMPDIR": tmp, "TEMP": tmp, "TMP": tmp,
        "MPLBACKEND": BACKEND, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "NBGRADER_EXECUTION": "autograde"}


def guards(imports: dict[str, tuple[str, str]]) -> set[str]:
    """The modules besides Python's own that the instructor's cells import: the seal guards them."""
    return {module for module, _ in imports.values() if module.partition(".")[0] not in sys.stdlib_module_names}
