"""A real Neo4j 5 from its published jars: `python -m stores neo4j`.

It needs a JDK of 17 or 21 and, the first time, Maven, which fetches 128 MB. It takes about 450 MB of memory and 5 to 10 s to start.
"""

import secrets
import shutil
from pathlib import Path

from stores import java

GROUP, ARTIFACT, VERSION = "org.neo4j", "neo4j", "5.26.0"
VERSIONS_OF_JAVA = (17, 21)
HEAP = "512m"
OPENS = "java.base/java.nio java.base/java.io java.base/sun.nio.ch java.base/java.util.concurrent".split()
FIRST = "neo4j"  # the name, and the password until it is changed


def find():
    """Return the java that can run it, or None when that or a way to the jars is missing."""
    has_jars = java.cache(ARTIFACT, VERSION).is_dir() or shutil.which("mvn")
    return java.find(VERSIONS_OF_JAVA) if has_jars else None


def missing():
    return "it needs a JDK 17 or 21 (JAVA_HOME or the PATH) and, to fetch it, Maven (mvn)"


def command(port, folder):
    """Return the command that starts Neo4j with its data in `folder`."""
    jars = java.jars(GROUP, ARTIFACT, VERSION)
    return [
        java.find(VERSIONS_OF_JAVA),
        *(f"-Xmx{HEAP}", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError"),
        *(f"--add-opens={package}=ALL-UNNAMED" for package in OPENS),
        *("-cp", str(jars / "*"), str(Path(__file__).with_name("Serve.java")), folder, str(port)),
    ]


def environment(program):
    """Give the server a password that nobody can guess; return what the course needs to use it."""
    import neo4j

    password = secrets.token_urlsafe(16)
    with neo4j.GraphDatabase.driver(program.url, auth=(FIRST, FIRST)) as driver:
        change = "ALTER CURRENT USER SET PASSWORD FROM $old TO $new"
        driver.execute_query(change, old=FIRST, new=password, database_="system")
    return {"NEO4J_URI": program.url, "NEO4J_PASSWORD": password}


PROGRAM = {
    "find": find,
    "missing": missing,
    "command": command,
    "query": b"\x60\x60\xb0\x17" + b"\x00\x00\x04\x05" + bytes(12),  # Bolt's greeting, and the one version we want
    "answer": b"\x00\x00\x04\x05",
    "scheme": "bolt",
    "environment": environment,
    "ready": 120,
    "stop": 20,
}
