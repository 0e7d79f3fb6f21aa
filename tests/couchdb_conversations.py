"""What a client says to CouchDB, each conversation in databases of its own.

    python tests/couchdb_conversations.py http://127.0.0.1:5984 > tests/data/pouchdb-server_4.2.0.json

records what another server answers; tests/test_stores_couchdb.py compares the embedded one with that.
"""

import json
import re
import sys

import requests

REV = re.compile(r"^(\d+)-[0-9a-f]{32}$")
LEFT_OUT = {"seq", "last_seq", "update_seq", "purge_seq", "bookmark", "session_id", "start_time", "end_time", "source_last_seq",
            "start_last_seq", "end_last_seq", "recorded_seq", "instance_start_time", "uuid", "offset", "pending", "_revs_info",
            "execution_time_ms", "replication_id_version", "reason", "warning", "digest", "ids",
            "_deleted_conflicts", "possible_ancestors", "partitioned"}  # fmt: skip
FIXED = "0" * 31  # the start of digests that a conversation chooses: they stay as they are


class Talk:
    """Sends requests and keeps what is comparable of the answers: names of revisions and the like are not."""

    def __init__(self, url, name):
        self.url, self.name = url, name
        self.session = requests.Session()
        for each in ("a", "b", "c"):
            self.session.delete(f"{url}/{name}-{each}")

    def ask(self, method, path, body=None, **options):
        """`path` begins with the letter of a database; body is JSON to be."""
        response = self.session.request(method, self.at(path), json=body, timeout=20, **options)
        try:
            self.told = response.json()
        except ValueError:
            self.told = response.text
        return [response.status_code, plain(self.told)]

    def at(self, path):
        return f"{self.url}/{self.name}-{path}"


def plain(value):
    if isinstance(value, dict):
        told = {name: plain(each) for name, each in value.items() if name not in LEFT_OUT and (name, each) != ("doc", None)}
        return {**told, "_conflicts": sorted(told["_conflicts"])} if "_conflicts" in told else told
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, str) and (match := REV.match(value)) and FIXED not in value:
        return f"{match[1]}-…"
    return value


def rev(number, digit):
    return f"{number}-{FIXED}{digit}"


def branch(doc_id, names, **body):
    """A revision with its history, the latest first: what replication sends."""
    ids = [name.split("-")[1] for name in names]
    return {"_id": doc_id, "_rev": names[0], "_revisions": {"start": int(names[0].split("-")[0]), "ids": ids}, **body}


def databases(t):
    yield t.ask("PUT", "a")
    yield t.ask("PUT", "a")
    yield t.ask("DELETE", "b")
    yield t.ask("GET", "b")
    yield t.ask("DELETE", "a")
    yield t.ask("GET", "a/x")
    yield t.ask("PUT", "a/x", {})


def documents(t):
    t.ask("PUT", "a")
    yield t.ask("PUT", "a/x", {"n": 1})
    first = t.told["rev"]
    yield t.ask("PUT", "a/x", {"n": 2})
    yield t.ask("PUT", "a/x", {"n": 2, "_rev": first})
    second = t.told["rev"]
    yield t.ask("PUT", "a/x", {"n": 3, "_rev": first})
    yield t.ask("PUT", "a/x?rev=" + second, {"n": 3})
    third = t.told["rev"]
    yield t.ask("GET", "a/x")
    yield t.ask("GET", "a/x?rev=" + first)
    yield t.ask("GET", "a/x?revs=true")
    yield t.ask("GET", "a/x?rev=9-00000000000000000000000000000000")
    yield t.ask("DELETE", "a/x")
    yield t.ask("DELETE", "a/x?rev=" + second)
    yield t.ask("DELETE", "a/x?rev=" + third)
    yield t.ask("GET", "a/x")
    yield t.ask("DELETE", "a/x?rev=" + third)
    yield t.ask("PUT", "a/x", {"n": "again"})
    yield t.ask("GET", "a/x?revs=true")
    yield t.ask("GET", "a/none")
    yield t.ask("PUT", "a/y", {"_rev": first})
    yield t.ask("POST", "a", {"_id": "z", "n": 1})
    yield t.ask("PUT", "a/with%2Fslash", {"n": 1})
    yield t.ask("GET", "a/with%2Fslash")
    yield t.ask("PUT", "a/ü%20x", {"n": 1})
    yield t.ask("GET", "a")[1]["doc_count"]


def refusals(t):
    t.ask("PUT", "a")
    yield t.ask("PUT", "a/_x", {})
    yield t.ask("PUT", "a/x", {"_x": 1})
    yield t.ask("PUT", "a/x", [1])
    yield t.ask("PUT", "a/x", {"_rev": "nonsense"})
    yield t.ask("POST", "a/_bulk_docs", {})
    yield t.ask("POST", "a/_find", {})
    yield t.ask("POST", "a/_find", {"selector": {"a": {"$nope": 1}}})
    yield t.ask("GET", "a/_all_docs?limit=x")


def bulk(t):
    t.ask("PUT", "a")
    yield t.ask("POST", "a/_bulk_docs", {"docs": [{"_id": name, "n": n} for n, name in enumerate("bca")]})
    yield t.ask("POST", "a/_bulk_docs", {"docs": [{"_id": "a"}, {"_id": "new"}, {"_id": "new"}]})
    yield t.ask("GET", "a/new")
    yield t.ask("POST", "a/_bulk_docs", {"docs": [{"_id": "new", "_rev": t.told["_rev"], "_deleted": True}]})
    yield t.ask("GET", "a/new")
    yield t.ask("POST", "a/_bulk_docs", {"docs": [branch("r", [rev(2, "b"), rev(1, "a")], n=1)], "new_edits": False})
    yield t.ask("POST", "a/_bulk_docs", {"docs": [branch("r", [rev(2, "b"), rev(1, "a")], n=1)], "new_edits": False})
    yield t.ask("GET", "a/r?revs=true")
    yield t.ask("POST", "a/_bulk_get", {"docs": [{"id": "a"}, {"id": "r", "rev": rev(2, "b")}]})


def all_docs(t):
    t.ask("PUT", "a")
    t.ask(
        "POST", "a/_bulk_docs", {"docs": [{"_id": name, "n": n} for n, name in enumerate(["b", "a", "B", "c", "ü", "d", "10", "9"])]}
    )
    t.ask("GET", "a/d")
    t.ask("DELETE", "a/d?rev=" + t.told["_rev"])
    for query in (
        "", "include_docs=true", "limit=2", "skip=2&limit=2", "descending=true", 'startkey="b"', 'endkey="b"',
        'startkey="a"&endkey="b"',
        'startkey="a"&endkey="b"&inclusive_end=false', 'startkey="b"&endkey="a"&descending=true', 'key="c"', 'key="none"',
        'keys=["c","none","a","d"]', 'start_key="c"', "limit=0", 'descending=true&limit=2&skip=1',
    ):  # fmt: skip
        yield t.ask("GET", "a/_all_docs?" + query)
    yield t.ask("POST", "a/_all_docs", {"keys": ["c", "none", "a", "d"]})
    yield t.ask("POST", "a/_all_docs?include_docs=true", {"keys": ["d", "c"]})


def conflicts(t):
    t.ask("PUT", "a")
    for names, body in (
        ([rev(2, "b"), rev(1, "a")], {"n": "b"}), ([rev(2, "c"), rev(1, "a")], {"n": "c"}), ([rev(2, "a"), rev(1, "a")], {"n": "a"}),
        ([rev(3, "1"), rev(2, "a"), rev(1, "a")], {"n": "longest"}), 
        ([rev(4, "f"), rev(3, "f"), rev(2, "f"), rev(1, "a")], {"_deleted": True}),
        ([rev(3, "2"), rev(2, "b"), rev(1, "a")], {"n": "as long"}), ([rev(10, "0"), rev(9, "0")], {"n": "another root"}),
    ):  # fmt: skip
        yield t.ask("POST", "a/_bulk_docs", {"docs": [branch("x", names, **body)], "new_edits": False})
        yield t.ask("GET", "a/x?conflicts=true&deleted_conflicts=true")
    t.ask("GET", "a/x?open_revs=all")
    yield sorted((each["ok"]["_rev"], each["ok"].get("_deleted", False)) for each in t.told)
    yield t.ask("GET", f'a/x?open_revs=["{rev(2, "c")}","{rev(7, "7")}"]', headers={"Accept": "application/json"})
    yield t.ask("PUT", "a/x", {"_rev": rev(2, "c"), "n": "a loser goes on"})
    yield t.ask("PUT", "a/x", {"_rev": rev(2, "b"), "n": "not a leaf"})
    yield t.ask("DELETE", f"a/x?rev={rev(10, '0')}")
    yield t.ask("GET", "a/x")
    yield t.ask("GET", "a/x?rev=" + rev(2, "a"))
    yield t.ask("POST", "a/_revs_diff", {"x": [rev(2, "b"), rev(9, "9")], "none": [rev(1, "1")]})


def changes(t):
    t.ask("PUT", "a")
    for name in "xyz":
        t.ask("PUT", f"a/{name}", {"n": name})
    t.ask("GET", "a/x")
    t.ask("PUT", "a/x", {"_rev": t.told["_rev"], "n": "again"})
    t.ask("GET", "a/y")
    t.ask("DELETE", "a/y?rev=" + t.told["_rev"])
    yield t.ask("GET", "a/_changes")
    since = t.told["results"][0]["seq"]
    yield t.ask("GET", f"a/_changes?since={since}")
    yield t.ask("GET", f"a/_changes?since={since}&limit=1")
    yield t.ask("GET", "a/_changes?include_docs=true&descending=true&limit=2")
    yield t.ask("GET", "a/_changes?since=now")
    yield t.ask("POST", "a/_changes?filter=_doc_ids", {"doc_ids": ["x", "none"]})
    t.ask("POST", "a/_bulk_docs", {"docs": [branch("x", [rev(1, "f")], n=1)], "new_edits": False})
    yield t.ask("GET", "a/_changes?style=all_docs")


def local(t):
    t.ask("PUT", "a")
    yield t.ask("PUT", "a/_local/x", {"n": 1})
    yield t.ask("GET", "a/_local/x")
    yield t.ask("PUT", "a/_local/x", {"n": 2, "_rev": t.told["_rev"]})
    yield t.ask("GET", "a/_all_docs")
    yield t.ask("GET", "a/_changes")
    yield t.ask("GET", "a/_local/none")


def replication(t):
    for name in "abc":
        t.ask("PUT", name)
    t.ask("PUT", "a/x", {"n": 1})
    first = t.told["rev"]

    def replicate(source, target):
        code, told = t.ask("POST", "a/../_replicate", {"source": t.at(source), "target": t.at(target)})
        return [code, told.get("ok"), t.told.get("docs_written", sum(each["docs_written"] for each in t.told.get("history", ())))]

    t.session.get_adapter("http://").max_retries = 0
    t.at = lambda path: f"{t.url}/_replicate" if path.startswith("a/../") else f"{t.url}/{t.name}-{path}"
    yield replicate("a", "b")
    yield t.ask("GET", "b/x?revs=true")
    for name in "ab":
        t.ask("PUT", f"{name}/x", {"n": f"from {name}", "_rev": first})
        yield t.ask("PUT", f"{name}/only-{name}", {"n": name})
    yield replicate("a", "b")
    yield replicate("b", "a")
    winners = [t.ask("GET", f"{name}/x?conflicts=true")[1] for name in "ab"]
    yield [winners[0] == winners[1], len(winners[0]["_conflicts"]), winners[0]["_rev"]]
    yield [replicate("a", "c"), replicate("b", "c"), replicate("a", "c")]
    yield t.ask("GET", "c/_all_docs")
    t.ask("GET", "a/x?conflicts=true")
    yield t.ask("DELETE", f"a/x?rev={t.told['_conflicts'][0]}")
    yield replicate("a", "b")
    yield t.ask("GET", "b/x?conflicts=true&deleted_conflicts=true")[1].get("_conflicts")
    t.ask("GET", "a/only-a")
    t.ask("DELETE", f"a/only-a?rev={t.told['_rev']}")
    yield replicate("a", "c")
    yield t.ask("GET", "c/only-a")
    yield t.ask("POST", "a/../_replicate", {"source": t.at("none"), "target": t.at("b")})[0] >= 400


PEOPLE = [
    {"_id": "1", "name": "Ada", "age": 36, "tags": ["math", "poet"], "at": {"city": "London"}},
    {"_id": "2", "name": "Bob", "age": 20, "tags": [], "at": {"city": "Paris", "zip": None}},
    {"_id": "3", "name": "cy", "age": 20.5, "tags": ["poet"], "at": None},
    {"_id": "4", "name": "Dee", "age": None, "scores": [3, 7, 9]},
    {"_id": "5", "name": "eve", "age": "20", "scores": [{"n": 1}, {"n": 5}]},
    {"_id": "6", "name": "Fay", "age": True, "ok": False},
]
SELECTORS = [
    {}, {"age": 20}, {"age": {"$gt": 20}}, {"age": {"$gte": 20, "$lt": 30}}, {"age": {"$gt": None}}, {"age": None},
    {"age": {"$ne": 20}},
    {"age": {"$lt": True}}, {"age": {"$lte": None}}, {"age": {"$in": [20, "20", None]}}, {"age": {"$nin": [20, "20"]}},
    {"at.city": "Paris"}, {"at": {"city": "Paris"}}, {"at.city": {"$exists": True}}, {"at.city": {"$exists": False}},
    {"at.zip": {"$exists": True}}, {"tags": {"$all": ["poet"]}}, {"tags": {"$all": ["poet", "math"]}}, {"tags": {"$size": 0}},
    {"tags": {"$in": ["math"]}}, {"tags": ["poet"]}, {"tags": {"$elemMatch": {"$eq": "math"}}}, {"scores": {"$elemMatch": {"$gt": 8}}},
    {"scores": {"$elemMatch": {"n": {"$gt": 3}}}}, {"scores": {"$allMatch": {"$gt": 2}}}, {"age": {"$type": "number"}},
    {"age": {"$type": "boolean"}}, {"age": {"$type": "null"}}, {"tags": {"$type": "array"}}, {"at": {"$type": "object"}},
    {"age": {"$mod": [10, 0]}}, {"name": {"$regex": "^[A-C]"}}, {"name": {"$regex": "e$"}}, {"$or": [{"age": 20}, {"name": "Fay"}]},
    {"$and": [{"age": {"$gt": 10}}, {"age": {"$lt": 30}}]}, {"$nor": [{"age": 20}, {"name": "Ada"}]}, {"$not": {"age": 20}},
    {"age": {"$not": {"$gt": 20}}}, {"age": {"$not": {"$eq": 20}}}, {"name": {"$gt": "b"}}, {"name": {"$lt": "C"}},
    {"$or": [{"age": {"$gt": 30}}, {"$and": [{"ok": False}, {"name": "Fay"}]}]}, {"_id": {"$gt": "3"}}, {"_id": "2"},
    {"age": {"$or": [20, 36]}}, {"none": {"$ne": 1}}, {"none": {"$nin": [1]}}, {"none": {"$not": {"$eq": 1}}},
    {"$nor": [{"none": 1}]}, {"scores.0": 3}, {"age": {"$eq": 20, "$exists": True}},
]  # fmt: skip


def selectors(t):
    t.ask("PUT", "a")
    t.ask("POST", "a/_bulk_docs", {"docs": PEOPLE})
    for selector in SELECTORS:
        code, told = t.ask("POST", "a/_find", {"selector": selector, "fields": ["_id"]})
        yield [code, sorted(doc["_id"] for doc in told["docs"]) if code == 200 else told.get("error")]


def finding(t):
    t.ask("PUT", "a")
    docs = [{"_id": f"{n:02}", "kind": "buy" if n % 3 == 0 else "view", "n": n * 7 % 20, "deep": {"n": n}} for n in range(20)]
    t.ask("POST", "a/_bulk_docs", {"docs": docs})
    yield t.ask("POST", "a/_find", {"selector": {"kind": "buy"}, "sort": ["n"]})
    yield t.ask("POST", "a/_index", {"index": {"fields": ["kind", "n"]}, "name": "by-kind", "ddoc": "d"})
    yield t.ask("POST", "a/_index", {"index": {"fields": ["kind", "n"]}, "name": "by-kind", "ddoc": "d"})
    yield t.ask("POST", "a/_index", {"index": {"fields": [{"n": "asc"}, {"kind": "desc"}]}})[0]
    yield t.ask("POST", "a/_index", {"index": {"fields": []}})[0]
    yield t.ask("POST", "a/_index", {})[0]
    for query in (
        {"selector": {"kind": "buy", "n": {"$gt": 5}}, "sort": ["kind", "n"]},
        {"selector": {"kind": "buy", "n": {"$gt": 5}}, "sort": [{"kind": "desc"}, {"n": "desc"}], "limit": 3},
        {"selector": {"kind": "buy", "n": {"$gt": 5}}, "sort": ["kind", "n"], "skip": 2, "limit": 2, "fields": ["_id", "deep.n"]},
        {"selector": {"kind": {"$gt": "buy"}}, "sort": ["kind"], "limit": 2, "fields": ["kind"]},
        {"selector": {"kind": "none"}},
        {"selector": {"kind": "buy"}, "sort": [{"kind": "asc"}, {"n": "desc"}]},
        {"selector": {"kind": "buy"}, "limit": 0},
    ):
        code, told = t.ask("POST", "a/_find", query)
        yield [code, told.get("docs", told.get("error"))]
    yield t.ask("GET", "a/_index")
    yield t.ask("DELETE", "a/_index/_design/d/json/by-kind")
    yield t.ask("DELETE", "a/_index/_design/d/json/by-kind")[0]


def attachments(t):
    t.ask("PUT", "a")
    yield t.ask("PUT", "a/x", {"n": 1, "_attachments": {"hi.txt": {"content_type": "text/plain", "data": "aGVsbG8="}}})
    yield t.ask("GET", "a/x")
    yield t.ask("GET", "a/x?attachments=true")
    yield t.ask("GET", "a/x/hi.txt")
    stub = t.session.get(t.at("a/x")).json()
    yield t.ask("PUT", "a/x", {**stub, "n": 2})
    yield t.ask("GET", "a/x")
    latest = t.told["_rev"]
    yield t.ask("GET", "a/x/none.txt")
    yield t.ask("DELETE", f"a/x/hi.txt?rev={latest}")
    yield t.ask("GET", "a/x")
    yield t.ask("GET", "a/x/hi.txt")
    yield t.ask("PUT", "a/x", {"_rev": t.session.get(t.at("a/x")).json()["_rev"], "_attachments": {"gone.txt": {"stub": True}}})


CONVERSATIONS = (
    databases, documents, refusals, bulk, all_docs, conflicts, changes, local, replication, selectors, finding, attachments,
)  # fmt: skip


def answers(url, which=CONVERSATIONS):
    """{name: [answer, …]}, by databases called talk-<name>-a and so on, which are deleted afterwards."""
    said = {}
    for conversation in which:
        talk = Talk(url, f"talk-{conversation.__name__.replace('_', '-')}")
        said[conversation.__name__] = list(conversation(talk))
        for each in ("a", "b", "c"):
            talk.session.delete(f"{url}/{talk.name}-{each}")
        talk.session.close()
    return said


if __name__ == "__main__":
    told = "pouchdb-server 4.2.0 --in-memory, from npm, on Node.js 20"
    print(json.dumps({"source": told, "answers": answers(sys.argv[1])}, indent=1, ensure_ascii=False, sort_keys=True))
