"""A real Cassandra 5 from its published jars, small enough for a laptop: `python -m stores cassandra`.

It needs Java 11 or 17 and, the first time, Maven, which fetches 66 MB. It takes about 900 MB of memory and 10 s to start.
"""

import shutil
from pathlib import Path

from stores import java, local

GROUP, ARTIFACT, VERSION = "org.apache.cassandra", "cassandra-all", "5.0.6"
VERSIONS_OF_JAVA = (17, 11)
HEAP = "512m"

CONFIGURATION = """\
cluster_name: course
num_tokens: 16
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "{host}:{storage_port}"
listen_address: {host}
rpc_address: {host}
storage_port: {storage_port}
ssl_storage_port: {ssl_storage_port}
native_transport_port: {port}
commitlog_sync: periodic
commitlog_sync_period: 10000ms
auto_snapshot: false
materialized_views_enabled: true
"""
LOGBACK = """\
<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level %logger{0} %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="OUT"/></root>
</configuration>
"""
# What Cassandra's own start script opens of Java's inside.
EXPORTS = """
java.base/java.lang.ref java.base/java.lang.reflect java.base/jdk.internal.misc java.management.rmi/com.sun.jmx.remote.internal.rmi
java.rmi/sun.rmi.registry java.rmi/sun.rmi.server java.sql/java.sql jdk.unsupported/sun.misc
""".split()
OPENS = """
java.base/java.io java.base/java.lang java.base/java.lang.module java.base/java.lang.reflect java.base/java.nio java.base/java.util
java.base/java.util.concurrent java.base/java.util.concurrent.atomic java.base/jdk.internal.loader java.base/jdk.internal.math
java.base/jdk.internal.module java.base/jdk.internal.ref java.base/jdk.internal.reflect java.base/jdk.internal.util.jar
java.base/sun.nio.ch java.rmi/sun.rmi.transport.tcp jdk.compiler/com.sun.tools.javac.file jdk.management/com.sun.management.internal
""".split()


def find():
    """Return the java that can run it, or None when that or a way to the jars is missing."""
    has_jars = java.cache(ARTIFACT, VERSION).is_dir() or shutil.which("mvn")
    return java.find(VERSIONS_OF_JAVA) if has_jars else None


def missing():
    return "needs Java 17 or 11 (JAVA_HOME or the PATH) and, to fetch it, Maven (mvn)"


def command(port, folder):
    """Write the configuration into `folder` and return the command that starts Cassandra there."""
    folder = Path(folder)
    storage_port, ssl_storage_port = local.free_port(), local.free_port()
    settings = {"host": local.HOST, "port": port, "storage_port": storage_port, "ssl_storage_port": ssl_storage_port}
    (folder / "cassandra.yaml").write_text(CONFIGURATION.format(**settings))
    (folder / "logback.xml").write_text(LOGBACK)
    jars = java.jars(GROUP, ARTIFACT, VERSION)
    [agent] = jars.glob("jamm-*.jar")
    properties = {
        "cassandra.config": (folder / "cassandra.yaml").as_uri(),
        "cassandra.storagedir": folder / "data",
        "cassandra-foreground": "yes",
        "logback.configurationFile": (folder / "logback.xml").as_uri(),
        "jdk.attach.allowAttachSelf": "true",
        # One node has nobody to wait for.
        "cassandra.ring_delay_ms": 0,
        "cassandra.skip_wait_for_gossip_to_settle": 0,
        "cassandra.superuser_setup_delay_ms": 0,
    }
    return [
        java.find(VERSIONS_OF_JAVA),
        *(f"-Xms{HEAP}", f"-Xmx{HEAP}", "-Xss256k", "-XX:MaxDirectMemorySize=128m"),
        *("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError"),
        *(f"--add-exports={package}=ALL-UNNAMED" for package in EXPORTS),
        *(f"--add-opens={package}=ALL-UNNAMED" for package in OPENS),
        f"-javaagent:{agent}",
        *(f"-D{name}={value}" for name, value in properties.items()),
        *("-cp", str(jars / "*"), "org.apache.cassandra.service.CassandraDaemon"),
    ]


PROGRAM = {
    "find": find,
    "missing": missing,
    "command": command,
    "query": b"\x04\x00\x00\x01\x05\x00\x00\x00\x00",  # OPTIONS
    "answer": b"\x84\x00\x00\x01\x06",  # SUPPORTED
    "scheme": "cassandra",
    "variable": "CASSANDRA_CONTACT_POINTS",
    "bare": True,  # the variable holds host:port, no URL
    "ready": 120,
    "stop": 20,
}
