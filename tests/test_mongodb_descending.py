"""A descending index finds what an ascending one finds, for values of every type."""

from datetime import datetime, timedelta

import pytest
from bson import Binary, ObjectId, Timestamp
from pymongo import MongoClient

import stores

START = datetime(2026, 6, 1)
VALUES = {
    "number": list(range(20)),
    "text": [chr(97 + n) for n in range(20)],
    "date": [START + timedelta(days=n) for n in range(20)],
    "id": [ObjectId(f"{n:024x}") for n in range(20)],
    "document": [{"a": n} for n in range(20)],
    "binary": [Binary(bytes([n])) for n in range(20)],
    "timestamp": [Timestamp(n + 1, 1) for n in range(20)],
}


@pytest.fixture(scope="module")
def collection():
    server = stores.start("mongodb")
    server.reset()
    mixed = MongoClient(server.host, server.port).descending.mixed
    mixed.insert_many([{"_id": f"{kind} {n:02}", "value": value} for kind, values in VALUES.items() for n, value in enumerate(values)])
    mixed.create_index([("value", -1)], name="down")
    mixed.create_index([("value", 1)], name="up")
    return mixed


@pytest.mark.parametrize("operator", ["$lt", "$lte", "$gt", "$gte"])
@pytest.mark.parametrize("kind", VALUES)
def test_a_range_is_the_same_up_and_down(collection, kind, operator):
    wanted = {"value": {operator: VALUES[kind][7]}}
    found = {name: sorted(document["_id"] for document in collection.find(wanted).hint(hint)) for name, hint in
             (("scan", [("$natural", 1)]), ("up", "up"), ("down", "down"))}
    assert found["scan"] == found["up"] == found["down"]
    assert len(found["scan"]) == {"$lt": 7, "$lte": 8, "$gt": 12, "$gte": 13}[operator]
