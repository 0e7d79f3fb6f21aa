"""The embedded MongoDB, over the wire, beside mongomock in the caller's own process and beside a real server: rates and ratios.

python benchmarks/mongodb.py                                # embedded and mongomock
MONGODB_URI=mongodb://127.0.0.1:27017 python benchmarks/mongodb.py
"""

import multiprocessing
import os
import secrets
import statistics
import sys
import time
from pathlib import Path

import psutil

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # this file stands in a folder below the project

import mongomock
from pymongo import MongoClient

import stores

ROUNDS = 3
ONE_BY_ONE = 300  # commands
DOCUMENTS = 5_000
KINDS = 50


def per_second(count, work):
    """Return how often a second `work(number)` is done, done `count` times."""
    started = time.perf_counter()
    for number in range(count):
        work(number)
    return count / (time.perf_counter() - started)


def connecting(address):
    """Return the milliseconds until a new client has its first answer."""
    started = time.perf_counter()
    with MongoClient(address) as client:
        client.admin.command("ping")
        return (time.perf_counter() - started) * 1000


def measure(client, database):
    """Return {what: number} of one round."""
    events = client[database].events
    many = [{"_id": number, "kind": number % KINDS, "n": number, "text": "some text of some length"} for number in range(DOCUMENTS)]
    found = {"insert_one, /s": per_second(ONE_BY_ONE, lambda number: events.insert_one({"_id": -1 - number, "kind": -1}))}
    started = time.perf_counter()
    events.insert_many(many)
    found["insert_many, documents/s"] = DOCUMENTS / (time.perf_counter() - started)
    found["find_one by _id, /s"] = per_second(ONE_BY_ONE, lambda number: events.find_one({"_id": number}))
    found["update_one by _id, /s"] = per_second(ONE_BY_ONE, lambda number: events.update_one({"_id": number}, {"$inc": {"n": 1}}))
    found["find without an index, /s"] = per_second(5, lambda number: list(events.find({"kind": number})))
    events.create_index("kind")
    found["find with an index, /s"] = per_second(20, lambda number: list(events.find({"kind": number})))
    started = time.perf_counter()
    assert len(list(events.find())) == DOCUMENTS + ONE_BY_ONE
    found["all documents read, /s"] = DOCUMENTS / (time.perf_counter() - started)
    total = [{"$group": {"_id": "$kind", "total": {"$sum": "$n"}}}]
    found["grouped, documents/s"] = DOCUMENTS * per_second(2, lambda _: list(events.aggregate(total)))
    client.drop_database(database)
    return found


def serve(connection):
    """Run the embedded server in a process of its own until the other side says stop."""
    os.environ.pop("MONGODB_URI", None)
    server = stores.start("mongodb")
    connection.send(server.url)
    connection.recv()
    stores.stop_all()


def main():
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    addresses = {"embedded": ours.recv()}
    if os.environ.get("MONGODB_URI"):
        addresses["real"] = os.environ["MONGODB_URI"]
    clients = {name: MongoClient(address) for name, address in addresses.items()} | {"mongomock": mongomock.MongoClient()}
    try:
        report(clients)
        for name, address in addresses.items():
            print(f"connect to {name}, ms: {statistics.median(connecting(address) for _ in range(5)):.1f}")
        print(f"memory of the embedded server after all, MB: {psutil.Process(process.pid).memory_info().rss / 2**20:.0f}")
    finally:
        ours.send("stop")
        process.join(10)


def report(clients):
    database = f"benchmark_{secrets.token_hex(4)}"
    rounds = {name: [] for name in clients}
    for _ in range(ROUNDS):  # in turns, so that all meet the same machine
        for name, client in clients.items():
            rounds[name].append(measure(client, database))
    others = [name for name in clients if name != "embedded"]
    print(f"{'':26}" + "".join(f"{name:>12}" for name in clients) + "".join(f"{'embedded/' + name:>20}" for name in others))
    for what in rounds["embedded"][0]:
        numbers = {name: statistics.median(each[what] for each in rounds[name]) for name in clients}
        ratios = "".join(f"{numbers['embedded'] / numbers[name]:20.2f}" for name in others)
        print(f"{what:26}" + "".join(f"{numbers[name]:12,.0f}" for name in clients) + ratios)


if __name__ == "__main__":
    main()
