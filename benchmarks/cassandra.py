"""The embedded Cassandra beside a real one, in one run, each server in a process of its own: rates and their ratios.

    python benchmarks/cassandra.py            # both, in turns; the real one needs Java 17 and, the first time, Maven
    python benchmarks/cassandra.py embedded   # without the real one
"""

import multiprocessing
import statistics
import sys
import time
from pathlib import Path

import psutil

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # this file's folder would hide the driver's package

from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.policies import RoundRobinPolicy

import stores

ROUNDS = 3
ONE_BY_ONE = 1_000  # statements
CONCURRENT = 10_000
ROWS = 50_000
REPLICATION = "{'class': 'SimpleStrategy', 'replication_factor': 1}"


def connect(port):
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=60)
    return Cluster(["127.0.0.1"], port=port, protocol_version=5, execution_profiles={EXEC_PROFILE_DEFAULT: profile})


def connecting(port):
    """Return the milliseconds until a session is there."""
    started = time.perf_counter()
    cluster = connect(port)
    cluster.connect()
    taken = time.perf_counter() - started
    cluster.shutdown()
    return taken * 1000


def one_by_one(session, statement, rows):
    """Return statements per second when each waits for the one before."""
    started = time.perf_counter()
    for row in rows:
        session.execute(statement, row)
    return len(rows) / (time.perf_counter() - started)


def together(session, statement, rows):
    """Return statements per second with 64 of them under way at a time."""
    started = time.perf_counter()
    execute_concurrent_with_args(session, statement, rows, concurrency=64)
    return len(rows) / (time.perf_counter() - started)


def paged_out(session, text):
    """Return rows per second of a scan in pages of 5,000."""
    started = time.perf_counter()
    count = sum(1 for _ in session.execute(text))
    assert count >= ROWS, f"expected at least {ROWS} rows, found {count}"
    return count / (time.perf_counter() - started)


def measure(port):
    """Return {what: number} of one round on the server at `port`."""
    found = {"connect, ms": statistics.median(connecting(port) for _ in range(5))}
    cluster = connect(port)
    session = cluster.connect()
    session.execute("DROP KEYSPACE IF EXISTS benchmark")
    session.execute(f"CREATE KEYSPACE benchmark WITH replication = {REPLICATION}")
    session.execute("CREATE TABLE benchmark.t (k int, c int, v text, PRIMARY KEY (k, c))")
    insert = session.prepare("INSERT INTO benchmark.t (k, c, v) VALUES (?, ?, 'a value of some length')")
    select = session.prepare("SELECT v FROM benchmark.t WHERE k = ? AND c = ?")
    text = "INSERT INTO benchmark.t (k, c, v) VALUES (%s, %s, 'text')"
    found["insert one by one, /s"] = one_by_one(session, insert, [(-1, c) for c in range(ONE_BY_ONE)])
    found["insert as text, /s"] = one_by_one(session, text, [(-2, c) for c in range(ONE_BY_ONE)])
    found["select one by one, /s"] = one_by_one(session, select, [(-1, c) for c in range(ONE_BY_ONE)])
    found["insert 64 at a time, /s"] = together(session, insert, [(-3, c) for c in range(CONCURRENT)])
    started = time.perf_counter()
    together(session, insert, [(n % 100, n) for n in range(ROWS)])
    found["50,000 rows in, s"] = time.perf_counter() - started
    found["rows paged out, /s"] = paged_out(session, "SELECT * FROM benchmark.t")
    session.execute("DROP KEYSPACE benchmark")
    cluster.shutdown()
    return found


def serve(connection):
    """Run the embedded server in a process of its own until the other side says stop."""
    server = stores.start("cassandra")
    connection.send(server.port)
    connection.recv()
    stores.stop_all()


def main(names):
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    servers = {"embedded": (ours.recv(), process.pid)}
    program = None
    if "embedded" not in names:
        program = stores.local.launch("cassandra")
        servers["real"] = (program.port, program.process.pid)
    try:
        report(servers)
    finally:
        ours.send("stop")
        process.join(10)
        if program is not None:
            program.stop()


def report(servers):
    rounds = {name: [] for name in servers}
    for _ in range(ROUNDS):  # in turns, so that both meet the same machine
        for name, (port, _) in servers.items():
            rounds[name].append(measure(port))
    print(f"{'':26}" + "".join(f"{name:>12}" for name in servers) + ("  embedded/real" if len(servers) == 2 else ""))
    for what in rounds["embedded"][0]:
        numbers = [statistics.median(each[what] for each in rounds[name]) for name in servers]
        ratio = f"{numbers[0] / numbers[1]:15.2f}" if len(numbers) == 2 else ""
        print(f"{what:26}" + "".join(f"{number:12,.1f}" for number in numbers) + ratio)
    memory = [psutil.Process(pid).memory_info().rss / 2**20 for _, pid in servers.values()]
    print(f"{'memory after all, MB':26}" + "".join(f"{number:12,.1f}" for number in memory))


if __name__ == "__main__":
    main(sys.argv[1:])
