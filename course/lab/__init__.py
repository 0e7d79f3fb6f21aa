"""How the course starts JupyterLab: on its start page, quiet, and with everything found in this environment."""

import os
from pathlib import Path

SETTINGS = Path(__file__).resolve().parent / "settings"


def start(root, options):
    """Run JupyterLab on the project folder `root` until it is stopped. Returns its exit code.

    `options` come last on JupyterLab's command line, so they win over the course's own.
    """
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, [str(SETTINGS), os.environ.get("JUPYTER_CONFIG_PATH")]))
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # this environment's kernel, not one of the same name in the home folder
    from jupyterlab.labapp import main

    os.chdir(root)
    return main(arguments(Path(root), options))


def arguments(root, options):
    """JupyterLab's command line for the project folder `root`."""
    page = "notebooks/start.md" if (root / "notebooks" / "start.md").exists() else "README.md"
    fixed = [f"--ServerApp.root_dir={root}", f"--LabApp.default_url=/lab/tree/{page}", "--ServerApp.answer_yes=True"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        fixed.append("--allow-root")  # a container's only user; the server still listens on this machine alone
    return [*fixed, *options]
