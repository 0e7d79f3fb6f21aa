"""Runs the cases of the MongoDB suite on any server, through the real driver.

    python tests/mongodb/table.py                                              # on the embedded server
    MONGODB_URI=mongodb://127.0.0.1:27017 python tests/mongodb/table.py        # on a real one

A table (tests/mongodb/*.yaml) has a `kind`, a `source` that says where its expected answers come from, `documents` that every
case starts with (or `document`), further `collections`, and `cases`. A case names the `operator` that it is about, and is one of
    expression   → value (`missing: true` for none)         filter (sort, projection …) → found, the documents or their _ids
    pipeline     → result; `unordered: true` for sets       update (filter, arrayFilters, upsert) → after, the documents afterwards
    command      → reply, of which the fields that are told must be so
each with its own `documents` if need be, or with `error`, the code that MongoDB answers with. `indexes` are made before. A case
with `embedded: true` is one that the embedded server refuses and a real one may not: it is not run on a real one.
A table may also say `partly`, {operator: what of it is there}, and `elsewhere`, {operator: the test file that shows it}.
Types count: 1 is an int, 1.0 a double, !long 1 a long, !decimal "1" a decimal, 2026-11-20T08:00:00Z a date.
"""

import datetime
import re
import sys
from pathlib import Path

import bson
import yaml
from bson import Binary, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from pymongo.errors import OperationFailure

FOLDER = Path(__file__).parent
DATABASE, COLLECTION = "language", "cases"


class Loader(yaml.SafeLoader):
    """YAML with tags for BSON's types."""


TAGS = {
    "!long": Int64,
    "!decimal": Decimal128,
    "!oid": ObjectId,
    "!binary": bytes.fromhex,
    "!uuid": lambda text: Binary(bytes.fromhex(text.replace("-", "")), 4),
    "!timestamp": lambda text: Timestamp(*map(int, text.split(","))),
    "!regex": lambda text: Regex(*re.fullmatch(r"/(.*)/(\w*)", text).groups()),
    "!minkey": lambda text: MinKey(),
    "!maxkey": lambda text: MaxKey(),
}
for _tag, _make in TAGS.items():
    Loader.add_constructor(_tag, lambda loader, node, make=_make: make(loader.construct_scalar(node)))


# As YAML 1.2 has it: only true and false are booleans, `on` and `yes` are words.
Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))


def _date(loader, node):
    made = loader.construct_yaml_timestamp(node)
    if isinstance(made, datetime.datetime) and made.tzinfo:
        return made.astimezone(datetime.UTC).replace(tzinfo=None)
    return made if isinstance(made, datetime.datetime) else datetime.datetime.combine(made, datetime.time())


Loader.add_constructor("tag:yaml.org,2002:timestamp", _date)


def load(path):
    """Return a table: its cases have the table's documents where they have none of their own."""
    table = yaml.load(Path(path).read_text("utf-8"), Loader)
    shared = table.get("documents", [table["document"]] if "document" in table else [{}])
    for case in table["cases"]:
        case.setdefault("documents", [case.pop("document")] if "document" in case else shared)
        case["collections"] = {**table.get("collections", {}), **case.get("collections", {})}
        case.setdefault("indexes", table.get("indexes", []))
    return table


def tables():
    """Return {name of the kind: table}, in the order of the files' names."""
    return {path.stem: load(path) for path in sorted(FOLDER.glob("*.yaml"))}


def outcome(database, case):
    """Return what a server answers to a case: {"value": …}, {"result": …}, … or {"error": code}."""
    prepare(database, case)
    try:
        return _answer(database, database[COLLECTION], case)
    except OperationFailure as error:
        details = error.details or {}
        errors = details.get("writeErrors") or [{"code": error.code}]
        return {"error": errors[0]["code"]}


def prepare(database, case):
    """Make the collections of a case anew."""
    for name in database.list_collection_names():
        database.drop_collection(name)
    for name, documents in {COLLECTION: case["documents"], **case["collections"]}.items():
        if documents:
            database[name].insert_many([{"_id": number, **document} for number, document in enumerate(documents, 1)])
    for index in case["indexes"]:
        database[COLLECTION].create_index(list(index["key"].items()), **{k: v for k, v in index.items() if k != "key"})


def _answer(database, collection, case):
    if "expression" in case:
        (made,) = collection.aggregate([{"$limit": 1}, {"$replaceWith": {"value": case["expression"]}}])
        return {"value": made["value"]} if "value" in made else {"missing": True}
    if "pipeline" in case:
        source = database if case.get("database") else collection
        options = {name: case[name] for name in ("let", "collation") if name in case}
        found = list(source.aggregate(case["pipeline"], **options))
        if "into" in case:
            found = list(database[case["into"]].find(sort=[("_id", 1)]))
        return {"result": found}
    if "filter" in case and "update" not in case:
        options = {name: case[name] for name in ("projection", "collation", "skip", "limit", "let") if name in case}
        cursor = collection.find(case["filter"], **options)
        if "sort" in case:
            cursor = cursor.sort(list(case["sort"].items()))
        found = list(cursor)
        whole = "projection" in case or any(isinstance(each, dict) for each in case.get("found", []))
        return {"found": found if whole else [each["_id"] for each in found]}
    if "update" in case:
        entry = {
            "q": case.get("filter", {}),
            "u": case["update"],
            "multi": case.get("multi", False),
            "upsert": case.get("upsert", False),
        }
        entry.update({name: case[name] for name in ("arrayFilters", "collation", "c") if name in case})
        reply = database.command("update", COLLECTION, updates=[entry])
        if reply.get("writeErrors"):
            return {"error": reply["writeErrors"][0]["code"]}
        return {"after": list(collection.find(sort=[("_id", 1)]))}
    target = database.client.admin if case.get("admin") else database
    reply = target.command(case["command"], check=False)
    return {"reply": reply} if reply["ok"] else {"error": reply["code"]}


def wanted(case):
    """Return what a case expects, in the words of outcome()."""
    for name in ("error", "missing", "value", "result", "found", "after", "reply"):
        if name in case:
            expected = case[name]
            if name in ("after",):
                expected = [{"_id": number, **document} for number, document in enumerate(expected, 1)]
            return {name: expected}
    raise AssertionError(f"a case without an expected answer: {case}")


def same(found, expected, case):
    """Return whether an answer is what the case expects, to the byte."""
    if "reply" in expected and "reply" in found:
        return _contains(found["reply"], expected["reply"])
    if case.get("unordered"):
        found, expected = (
            {name: sorted(map(bson.encode, value)) for name, value in each.items() if name == "result"} for each in (found, expected)
        )
        return found == expected
    return bson.encode(found) == bson.encode(expected)


def _contains(found, expected):
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(name in found and _contains(found[name], value) for name, value in expected.items())
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(_contains, found, expected))
    return bson.encode({"v": found}) == bson.encode({"v": expected})


def title(case):
    """Return a case's name in reports."""
    asked = next(case[name] for name in ("expression", "pipeline", "update", "filter", "command") if name in case)
    return f"{case['operator']} {asked}"[:110]


def main():
    """Run every table, or those named; print what differs."""
    from pymongo import MongoClient

    import stores

    server = stores.start("mongodb")
    client = MongoClient(server.host, server.port)
    names, failed, count = sys.argv[1:], 0, 0
    for kind, table in tables().items():
        if names and kind not in names:
            continue
        for case in table["cases"]:
            if server.kind == "real" and case.get("embedded"):
                continue
            count += 1
            found, expected = outcome(client[DATABASE], case), wanted(case)
            if not same(found, expected, case):
                failed += 1
                print(f"{kind}: {title(case)}\n    expected {expected}\n    got      {found}")
    print(f"{count - failed} of {count} cases")
    stores.stop_all()


if __name__ == "__main__":
    main()
