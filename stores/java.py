"""Java programs from their published archives: a Java that fits, and the jars from Maven Central, fetched once."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

FETCH = 600  # seconds
POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>course</groupId><artifactId>course</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>
  </dependency></dependencies>
</project>
"""


def find(versions):
    """Return the path of a java whose main version is one of `versions`, or None.

    Looked at: JAVA_HOME, the PATH, and where Debian keeps them.
    """
    homes = [Path(home) for home in (os.environ.get("JAVA_HOME"),) if home]
    homes += sorted(Path("/usr/lib/jvm").glob("*"))
    candidates = [home / "bin" / "java" for home in homes]
    on_path = shutil.which("java")
    if on_path:
        candidates.insert(len(candidates[:1]) if os.environ.get("JAVA_HOME") else 0, Path(on_path))
    for java in candidates:
        if java.is_file() and version(str(java)) in versions:
            return str(java)
    return None


def version(java):
    """Return the main version of a java: 17, or None when it does not say."""
    try:
        told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=20, check=False).stderr
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', told)
    return int(found.group(1)) if found else None


def cache(artifact, version):
    """Return the folder where the jars of an artifact are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "nosql-course" / f"{artifact}-{version}"


def jars(group, artifact, version):
    """Return the folder that holds an artifact's jar and all that it needs; the first call fetches them with Maven.

    Raises FileNotFoundError without Maven, RuntimeError with Maven's words when it fails.
    """
    folder = cache(artifact, version)
    if folder.is_dir():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise FileNotFoundError("Maven (mvn) is not on the PATH: it fetches the jars (Debian: apt install maven)")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        (Path(temporary) / "pom.xml").write_text(POM.format(group=group, artifact=artifact, version=version))
        done = subprocess.run(
            [maven, "--quiet", "--batch-mode", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=jars"],
            cwd=temporary,
            capture_output=True,
            text=True,
            timeout=FETCH,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"Maven could not fetch {group}:{artifact}:{version}:\n{done.stdout}{done.stderr}")
        if not folder.exists():  # another process may have been faster
            (Path(temporary) / "jars").rename(folder)
    return folder
