"""The embedded CouchDB behind requests: against another implementation, CouchDB's own rules, and models."""

import json
import socket
import threading
import time
from itertools import permutations
from pathlib import Path

import pytest
import requests
from couchdb_conversations import CONVERSATIONS, SELECTORS, answers, branch, rev
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

import stores
from stores.couchdb import collate, indexes, mango
from stores.couchdb.database import Database
from stores.couchdb.digest import revision
from stores.couchdb.errors import CouchError
from stores.couchdb.http import Requests
from stores.couchdb.replication import copy
from stores.couchdb.revisions import Revision, Tree
from stores.wire import ProtocolError

RECORDED = json.loads((Path(__file__).parent / "data" / "pouchdb-server_4.2.0.json").read_text("utf-8"))["answers"]

# Where pouchdb-server is not like CouchDB, whose documentation and sources decide then.
DIFFERENCES = {
    "databases": {2: "it deletes a database that is not there"},
    "documents": {9: "it deletes by an old revision", 11: "as a consequence", 13: "as a consequence"},
    "refusals": {6: "it ignores an operator that it does not know", 7: "it ignores a limit that is no number"},
    "conflicts": {14: "it does not say of an open revision that it is deleted"},
    "replication": {14: "it replicates from a database that is not there"},
    "finding": {
        4: "it makes an index in two directions", 9: "it uses an index with a field that the selector leaves out",
        11: "it sorts in two directions", 13: "the index of answer 4", 14: "it wants another path",
    },
    "selectors": {
        **dict.fromkeys((9, 10), "null in a list is not found"), **dict.fromkeys((12, 37, 38, 44, 47), "it refuses nested conditions"),
        **dict.fromkeys((13, 14, 15), "a member of null exists"), **dict.fromkeys((22, 24), "elements are not collated"),
        39: "strings sort by code points", **dict.fromkeys((45, 48), "a negation holds for fields that are missing"),
    },
}  # fmt: skip


@pytest.fixture
def server():
    server = stores.start("couchdb")
    server.reset()
    return server


@pytest.fixture
def shop(server):
    """The address of an empty database."""
    requests.put(f"{server.url}/shop")
    return f"{server.url}/shop"


# -- against another implementation -----------------------------------------------------------


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.__name__)
def test_answers_what_pouchdb_server_answered(server, conversation):
    name = conversation.__name__
    said = json.loads(json.dumps(answers(server.url, [conversation])))[name]
    assert len(said) == len(RECORDED[name]) > 3
    for place, (ours, theirs) in enumerate(zip(said, RECORDED[name], strict=True)):
        if place in DIFFERENCES.get(name, {}):
            assert ours != theirs, f"answer {place} of {name} is no difference any more"
        elif isinstance(theirs, list) and isinstance(theirs[0], int) and theirs[0] >= 400:
            assert ours[0] >= 400  # the words of errors differ; those of CouchDB are tested below
        else:
            assert ours == theirs, f"answer {place} of {name}"


# -- CouchDB's own names and words ------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((None, {}), "1-967a00dff5e02add41819138abb3284d"),
        (("1-967a00dff5e02add41819138abb3284d", {}), "2-7051cbe5c8faecd085a3fa619e6e6337"),
        (("1-967a00dff5e02add41819138abb3284d", {}, True), "2-eec205a9d413992850a6e32678485900"),
        ((None, {"foo": "bar"}), "1-4c6114c65e295552ab1019e2b046b10e"),
    ],
)
def test_revisions_have_the_names_that_couchdb_gives(arguments, name):
    """These four stand in CouchDB's documentation and in many a log: that of {} is the best known."""
    assert revision(*arguments) == name


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error", "reason"),
    [
        ("PUT", "shop", None, 412, "file_exists", "The database could not be created, the file already exists."),
        ("PUT", "Shop", None, 400, "illegal_database_name", "Name: 'Shop'. Only lowercase"),
        ("GET", "none", None, 404, "not_found", "Database does not exist."),
        ("GET", "shop/none", None, 404, "not_found", "missing"),
        ("PUT", "shop/a", {}, 409, "conflict", "Document update conflict."),
        ("PUT", "shop/a", {"_rev": "x"}, 400, "bad_request", "Invalid rev format"),
        ("PUT", "shop/b", {"_x": 1}, 400, "doc_validation", "Bad special document member: _x"),
        ("PUT", "shop/_b", {}, 400, "illegal_docid", "Only reserved document ids may start with underscore."),
        ("PUT", "shop/b", [], 400, "bad_request", "Document must be a JSON object"),
        ("DELETE", "shop/a", None, 409, "conflict", "Document update conflict."),
        ("POST", "shop/_bulk_docs", {}, 400, "bad_request", "POST body must include `docs` parameter."),
        ("POST", "shop/_find", {}, 400, "missing_required_key", "Missing required key: selector"),
        ("POST", "shop/_find", {"selector": {"a": {"$x": 1}}}, 400, "invalid_operator", "Invalid operator: $x"),
        ("POST", "shop/_find", {"selector": {"a": 1}, "sort": ["a"]}, 400, "no_usable_index", "No index exists for this sort"),
        ("POST", "shop/_find", {"selector": {}, "bookmark": "%"}, 400, "invalid_bookmark", 'Invalid bookmark value: "%"'),
        ("PATCH", "shop", None, 405, "method_not_allowed", "Only DELETE,GET,HEAD,POST,PUT allowed"),
        ("GET", "shop/_changes?since=x", None, 400, "bad_request", "Malformed sequence supplied in 'since' parameter."),
        ("GET", "shop/_changes?feed=continuous", None, 501, "not_implemented", "has the feeds normal and longpoll, not continuous"),
        ("POST", "shop/_purge", {"a": ["1-x"]}, 501, "not_implemented", "/shop/_purge is not part of the embedded CouchDB"),
        ("GET", "shop/_revs_limit", None, 501, "not_implemented", "/shop/_revs_limit is not part of the embedded CouchDB"),
        ("POST", "shop/_compact/d", {}, 501, "not_implemented", "/shop/_compact/d is not part of the embedded CouchDB"),
        ("PUT", "parts?partitioned=true", None, 501, "not_implemented", "partitioned databases are not part"),
        ("GET", "parts", None, 404, "not_found", "Database does not exist."),
        ("GET", "_users", None, 501, "not_implemented", "/_users is not part of the embedded CouchDB"),
        ("POST", "_replicate", {"source": "shop", "target": "b"}, 400, "local_endpoints_not_supported", "write `source` as a URL"),
        ("POST", "_replicate", {"source": "http://x.org/a", "target": "http://x.org/b"}, 403, "forbidden", "its own databases only"),
        ("PUT", "shop/_design/d", {"validate_doc_update": "function() {}"}, 501, "not_implemented", "runs no JavaScript"),
    ],
)  # fmt: skip
def test_refusals_are_in_couchdbs_words(server, shop, method, path, body, status, error, reason):
    requests.put(f"{shop}/a", json={})
    options = {} if body is None else {"json": body}
    answer = requests.request(method, f"{server.url}/{path}", **options)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert reason in answer.json()["reason"]


def test_bodies_must_be_json_and_say_so(shop):
    assert requests.put(f"{shop}/a", data="{").json()["reason"] == "invalid UTF-8 JSON"
    assert requests.put(f"{shop}/a", data='{"a": NaN}').status_code == 400
    assert requests.put(f"{shop}/a", data="[" * 100_000).status_code == 400
    assert requests.post(shop, data="{}").json()["reason"] == "Content-Type must be application/json"
    page = requests.get(shop, headers={"Host": "evil.example"})
    assert (page.status_code, page.json()["error"]) == (403, "forbidden")


def test_a_javascript_view_is_kept_and_refused_in_clear_words(shop):
    assert requests.put(f"{shop}/_design/d", json={"views": {"v": {"map": "function (doc) { emit(doc.a) }"}}}).status_code == 201
    answer = requests.get(f"{shop}/_design/d/_view/v")
    assert answer.status_code == 501
    assert "runs no JavaScript" in answer.json()["reason"] and "_find" in answer.json()["reason"]


def test_an_etag_spares_the_body(shop):
    made = requests.put(f"{shop}/a", json={"n": 1}).json()
    answer = requests.get(f"{shop}/a", headers={"If-None-Match": f'"{made["rev"]}"'})
    assert (answer.status_code, answer.content) == (304, b"")
    assert requests.head(f"{shop}/a").headers["ETag"] == f'"{made["rev"]}"'
    assert requests.put(f"{shop}/a", json={"n": 2}, headers={"If-Match": made["rev"]}).status_code == 201
    assert requests.put(f"{shop}/b?batch=ok", json={}).status_code == 202


# -- conflicts --------------------------------------------------------------------------------


def test_every_order_of_arrival_has_the_same_winner():
    """Not deleted before deleted, then the longer history, then the greater digest."""
    branches = [
        ([rev(2, "c"), rev(1, "a")], {}), ([rev(3, "1"), rev(2, "b"), rev(1, "a")], {}), ([rev(3, "2"), rev(2, "a"), rev(1, "a")], {}),
        ([rev(4, "f"), rev(3, "f"), rev(2, "f"), rev(1, "a")], {"_deleted": True}),
    ]  # fmt: skip
    for order in permutations(branches):
        database = Database("a")
        for names, body in order:
            database.write_replicated("x", branch("x", names, **body))
        assert database.docs["x"].winner.name == rev(3, "2")
        assert database.docs["x"].conflicts() == [rev(3, "1"), rev(2, "c")]
        assert database.docs["x"].conflicts(deleted=True) == [rev(4, "f")]


def test_a_generation_counts_as_a_number():
    tree = Tree()
    for name in ("9-ff", "10-00"):
        tree.add(Revision(name, {}))
    assert tree.winner.name == "10-00"


class Replicas(RuleBasedStateMachine):
    """Three replicas that are written to, and replicate now and then in any direction."""

    def __init__(self):
        super().__init__()
        self.replicas = [Database(name) for name in "abc"]

    @rule(place=st.integers(0, 2), doc_id=st.sampled_from("xy"), n=st.integers(0, 2), deleted=st.booleans(), loser=st.booleans())
    def write(self, place, doc_id, n, deleted, loser):
        database = self.replicas[place]
        tree = database.docs.get(doc_id)
        leaf = None if tree is None else tree.leaves()[-1 if loser else 0].name
        database.write(doc_id, {"n": n, "_deleted": deleted}, leaf)

    @rule(ends=st.permutations(range(3)))
    def replicate(self, ends):
        copy(self.replicas[ends[0]], self.replicas[ends[1]], {})

    @rule(place=st.integers(0, 2))
    def compact(self, place):
        self.replicas[place].compact()

    def teardown(self):
        for source, target in [*permutations(self.replicas, 2)] * 2:
            copy(source, target, {})
        shown = [
            {doc_id: [(leaf.name, leaf.body, leaf.deleted) for leaf in tree.leaves()] for doc_id, tree in database.docs.items()}
            for database in self.replicas
        ]
        assert shown[0] == shown[1] == shown[2]
        for source, target in permutations(self.replicas, 2):
            assert copy(source, target, {}).get("history", [{"docs_written": 0}])[0]["docs_written"] == 0


TestReplicas = Replicas.TestCase
TestReplicas.settings = settings(max_examples=80, stateful_step_count=25)


def test_a_conflict_is_resolved_by_deleting_the_losers(server, shop):
    requests.put(f"{server.url}/copy")
    made = requests.put(f"{shop}/cart", json={"items": []}).json()
    both = ({"source": shop, "target": f"{server.url}/copy"}, {"source": f"{server.url}/copy", "target": shop})
    requests.post(f"{server.url}/_replicate", json=both[0])
    for place, item in ((shop, "tea"), (f"{server.url}/copy", "cup")):
        requests.put(f"{place}/cart", json={"_rev": made["rev"], "items": [item]})
    for job in both:
        requests.post(f"{server.url}/_replicate", json=job)
    cart = requests.get(f"{shop}/cart", params={"conflicts": "true"}).json()
    (loser,) = cart.pop("_conflicts")
    other = requests.get(f"{shop}/cart", params={"rev": loser}).json()
    requests.put(f"{shop}/cart", json={**cart, "items": sorted(cart["items"] + other["items"])})
    requests.delete(f"{shop}/cart", params={"rev": loser})
    for job in both:
        requests.post(f"{server.url}/_replicate", json=job)
    for place in (shop, f"{server.url}/copy"):
        found = requests.get(f"{place}/cart", params={"conflicts": "true"}).json()
        assert found["items"] == ["cup", "tea"] and "_conflicts" not in found


# -- documents, changes, attachments ----------------------------------------------------------


def test_compaction_forgets_what_old_revisions_held(shop):
    first = requests.put(f"{shop}/a", json={"n": 1}).json()["rev"]
    requests.put(f"{shop}/a", json={"n": 2, "_rev": first})
    assert requests.get(f"{shop}/a", params={"rev": first}).json()["n"] == 1
    assert requests.post(f"{shop}/_compact", headers={"Content-Type": "application/json"}).status_code == 202
    assert requests.post(f"{shop}/_compact").status_code == 415
    assert requests.get(f"{shop}/a", params={"rev": first}).status_code == 404
    states = requests.get(f"{shop}/a?revs_info=true").json()["_revs_info"]
    assert [state["status"] for state in states] == ["available", "missing"]


def test_a_document_that_is_no_document_refuses_the_whole_batch(shop):
    assert requests.post(f"{shop}/_bulk_docs", json={"docs": [{"_id": "a"}, {"_id": "_b"}]}).status_code == 400
    assert requests.get(f"{shop}/_all_docs").json()["total_rows"] == 0


def test_a_longpoll_waits_for_a_change_and_no_longer(server, shop):
    since = requests.get(f"{shop}/_changes").json()["last_seq"]
    told = []

    def wait(since):
        told.append(requests.get(f"{shop}/_changes?feed=longpoll&since={since}", timeout=20).json())

    thread = threading.Thread(target=wait, args=[since])
    thread.start()
    time.sleep(0.05)
    assert not told
    requests.put(f"{shop}/a", json={})
    thread.join(10)
    assert [change["id"] for change in told[0]["results"]] == ["a"]
    answer = requests.get(f"{shop}/_changes?feed=longpoll&timeout=20&since=now", timeout=20).json()
    assert answer["results"] == [] and answer["last_seq"] == told[0]["last_seq"]
    waiting = threading.Thread(target=wait, args=["now"])
    waiting.start()
    time.sleep(0.05)
    server.reset()  # the database is gone: nothing will change any more
    waiting.join(10)
    assert told[1]["results"] == []


def test_a_sequence_number_of_another_database_starts_anew(server, shop):
    requests.put(f"{shop}/a", json={})
    seq = requests.get(f"{shop}/_changes").json()["last_seq"]
    requests.delete(shop), requests.put(shop), requests.put(f"{shop}/b", json={})
    assert [change["id"] for change in requests.get(f"{shop}/_changes?since={seq}").json()["results"]] == ["b"]


def test_an_attachment_is_a_file_of_its_own(shop):
    made = requests.put(f"{shop}/a/photo%20of/me.jpg", data=b"\xff\xd8", headers={"Content-Type": "image/jpeg"})
    assert made.status_code == 201
    file = requests.get(f"{shop}/a/photo of/me.jpg")
    assert (file.content, file.headers["Content-Type"]) == (b"\xff\xd8", "image/jpeg")
    assert requests.put(f"{shop}/a/b.txt", data=b"x").status_code == 409
    assert requests.put(f"{shop}/a/b.txt?rev={made.json()['rev']}", data=b"x").status_code == 201
    assert sorted(requests.get(f"{shop}/a").json()["_attachments"]) == ["b.txt", "photo of/me.jpg"]


# -- Mango ------------------------------------------------------------------------------------


def test_an_index_spares_documents_and_says_so(server, shop):
    docs = [{"_id": f"{n:03}", "kind": "buy" if n % 20 == 0 else "view", "n": n} for n in range(200)]
    requests.post(f"{shop}/_bulk_docs", json={"docs": docs})
    query = {"selector": {"kind": "buy", "n": {"$gte": 100}}, "execution_stats": True}
    with server.record() as log:
        told = requests.post(f"{shop}/_find", json=query).json()
    assert [doc["n"] for doc in told["docs"]] == [100, 120, 140, 160, 180]
    assert told["execution_stats"]["total_docs_examined"] == log.examined == 200 and log.returned == 5
    assert told["warning"].split("\n") == [indexes.NO_INDEX, indexes.MANY_EXAMINED]
    requests.post(f"{shop}/_index", json={"index": {"fields": ["kind", "n"]}})
    with server.record() as log:
        told = requests.post(f"{shop}/_find", json=query).json()
    assert len(told["docs"]) == log.examined == 5 and "warning" not in told
    assert requests.post(f"{shop}/_explain", json=query).json()["index"]["type"] == "json"
    told = requests.post(f"{shop}/_find", json={**query, "use_index": "none"}).json()
    assert told["warning"] == "_design/none was not used because it does not contain a valid index for this query."


def test_bookmarks_lead_through_all_results_once(shop):
    requests.post(f"{shop}/_bulk_docs", json={"docs": [{"_id": str(n), "n": n % 3} for n in range(20)]})
    requests.post(f"{shop}/_index", json={"index": {"fields": ["n"]}})
    for sort in ([], ["n"], [{"n": "desc"}]):
        query, seen = {"selector": {"n": {"$gte": 0}}, "limit": 6, "sort": sort}, []
        while docs := (told := requests.post(f"{shop}/_find", json=query).json())["docs"]:
            seen += [(doc["n"], doc["_id"]) for doc in docs]
            query["bookmark"] = told["bookmark"]
        assert len(seen) == len(set(seen)) == 20
        assert [n for n, _ in seen] == sorted((n for n, _ in seen), reverse=sort == [{"n": "desc"}])


def test_a_partial_index_is_used_when_it_is_named(shop):
    requests.post(f"{shop}/_bulk_docs", json={"docs": [{"_id": str(n), "n": n, "open": n < 2} for n in range(5)]})
    told = {"index": {"fields": ["n"], "partial_filter_selector": {"open": True}}, "ddoc": "open", "name": "n"}
    requests.post(f"{shop}/_index", json=told)
    query = {"selector": {"n": {"$gte": 0}}}
    assert len(requests.post(f"{shop}/_find", json=query).json()["docs"]) == 5
    assert [doc["n"] for doc in requests.post(f"{shop}/_find", json={**query, "use_index": ["open", "n"]}).json()["docs"]] == [0, 1]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 2.0, "", "a", "A", "b", "é", "e", "10", "9", "_"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)
docs = st.lists(st.dictionaries(st.sampled_from("abc"), values, max_size=3), max_size=6)
conditions = st.one_of(
    st.tuples(st.sampled_from(["$eq", "$ne", "$lt", "$lte", "$gt", "$gte"]), values),
    st.tuples(st.sampled_from(["$in", "$nin", "$all"]), st.lists(values, max_size=3)),
    st.tuples(st.just("$exists"), st.booleans()),
    st.tuples(st.just("$type"), st.sampled_from(sorted(mango.TYPES))),
).map(lambda pair: {pair[0]: pair[1]})
selectors = st.recursive(
    st.dictionaries(st.sampled_from(["a", "b", "c", "a.b", "_id"]), conditions | values, max_size=2),
    lambda inner: (
        st.tuples(st.sampled_from(["$and", "$or", "$nor"]), st.lists(inner, min_size=1, max_size=3)).map(lambda p: {p[0]: p[1]})
        | inner.map(lambda s: {"$not": s})
    ),
    max_leaves=4,
)


@given(docs, selectors, st.lists(st.sampled_from(["a", "b", "c", "a.b", "_id"]), min_size=1, max_size=3, unique=True))
@settings(max_examples=300)
def test_an_index_changes_the_cost_of_a_query_and_not_its_answer(docs, selector, fields):
    database = Database("a")
    for place, doc in enumerate(docs):
        database.write(str(place), doc)
    plain = [doc for doc in database.live() if mango.matches(mango.normal(selector), {"_id": doc, **database.docs[doc].winner.body})]
    indexes.create(database, {"index": {"fields": fields}})
    plan = indexes.plan(database, {"selector": selector})
    entries = [entry for entry in indexes.entries(database, plan.index) if indexes.in_range(plan, entry)]
    bodies = [(entry[2], {"_id": entry[2], **database.docs[entry[2]].winner.body}) for entry in entries if entry[2][0] != "_"]
    assert sorted(doc_id for doc_id, doc in bodies if mango.matches(plan.selector, doc)) == plain


@given(values, values, values)
def test_collation_is_an_order(a, b, c):
    x, y, z = sorted((a, b, c), key=collate.key)
    assert collate.key(x) <= collate.key(y) <= collate.key(z)
    assert (collate.key(a) == collate.key(b)) == (json.dumps(a) == json.dumps(b) or _same(a, b))


def _same(a, b):
    """Equal but for 2 and 2.0."""
    if isinstance(a, bool) or isinstance(b, bool) or type(a) in (str, type(None)):
        return type(a) is type(b) and a == b
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(_same(a[name], b[name]) for name in a)
    return isinstance(b, (int, float)) and a == b


def test_collation_is_couchdbs():
    """The example of CouchDB's documentation on view collation."""
    in_order = [None, False, True, 1, 2, 3.0, 4, "a", "A", "aa", "b", "B", "ba", "bb", ["a"], ["b"], ["b", "c"], ["b", "c", "a"],
                ["b", "d"], ["b", "d", "e"], {"a": 1}, {"a": 2}, {"b": 1}, {"b": 2}, {"b": 2, "a": 1}, {"b": 2, "c": 2}]  # fmt: skip
    assert sorted(reversed(in_order), key=collate.key) == in_order


@given(st.dictionaries(st.sampled_from(["a", "$or", "$not", "$in", "$elemMatch", "$x", ""]), values | selectors, max_size=3))
def test_no_selector_breaks(selector):
    try:
        mango.matches(mango.normal(selector), {"a": [1, {"b": 2}]})
    except CouchError as error:
        assert error.status == 400


def test_selectors_are_well_formed():
    assert all(mango.normal(selector) is not None for selector in SELECTORS)


# -- record, faults, HTTP ---------------------------------------------------------------------


def test_a_recording_tells_requests_and_conflicts(server, shop):
    with server.record() as log:
        for _ in range(2):
            requests.put(f"{shop}/a", json={"n": 1}, headers={"User-Agent": "ada"})
        requests.get(f"{shop}/a")
    assert (log.commands[0].name, log.commands[0].args[0], log.commands[0].client) == ("PUT", "/shop/a", "ada")
    assert (log.count("PUT"), log.conflicts, log.returned, len(log.operations)) == (2, 1, 1, 3)
    assert [operation.status for operation in log.operations] == [201, 409, 200]


def test_faults_reach_the_client(server, shop):
    with server.faults.transient("PUT"):
        assert requests.put(f"{shop}/a", json={}).status_code == 503
    assert requests.get(f"{shop}/a").status_code == 404
    with server.faults.drop_reply("PUT"), pytest.raises(requests.ConnectionError):
        requests.put(f"{shop}/a", json={})
    assert requests.get(f"{shop}/a").status_code == 200  # it was written
    server.reset()
    assert requests.get(f"{server.url}/_all_dbs").json() == []


@pytest.mark.parametrize("data", [b"\x00\x01\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"x" * 70_000])
def test_what_is_not_http_closes_that_connection_only(server, data):
    with socket.create_connection((server.host, server.port), timeout=5) as sock:
        sock.sendall(data)
        assert sock.recv(1000).startswith(b"HTTP/1.1 400 ")
    assert requests.get(server.url).json()["couchdb"] == "Welcome"


def test_requests_that_come_together_are_answered_in_order(server, shop):
    with socket.create_connection((server.host, server.port), timeout=5) as sock:
        body = b'{"n": 1}'
        put = b"PUT /shop/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        sock.sendall(
            put
            + b"HEAD /shop/a HTTP/1.1\r\nHost: localhost\r\n\r\nGET /shop/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        told = b""
        while more := sock.recv(10_000):
            told += more
    assert [line.split(b" ")[1] for line in told.split(b"\n") if line.startswith(b"HTTP/1.1")] == [b"201", b"200", b"200"]
    assert told.endswith(b'"n":1}\n')


@given(st.lists(st.integers(1, 40), max_size=30), st.lists(st.binary(max_size=60), min_size=1, max_size=3), st.booleans())
def test_requests_are_found_however_they_are_cut(cuts, bodies, chunked):
    stream = b""
    for body in bodies:
        length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(body)
        sent = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n" if chunked else body
        stream += b"POST /a%20b?x=%22y%22 HTTP/1.1\r\nHost: localhost\r\n" + length + b"\r\n\r\n" + sent
    parser, got = Requests(), []
    for size in [*cuts, len(stream)]:
        if stream[:size]:
            got += parser.feed(stream[:size])
        stream = stream[size:]
    assert [request.body for request in got] == bodies
    assert all((request.path, request.query) == (["a b"], {"x": '"y"'}) for request in got)


@given(st.binary(min_size=1, max_size=200))
def test_no_bytes_break_the_parser(data):
    for start in (b"", b"GET / HTTP/1.1\r\n", b"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"):
        found = Requests().feed(start + data)
        assert not any(isinstance(each, ProtocolError) for each in found[:-1])


# -- in front of another server ---------------------------------------------------------------


@pytest.fixture
def shared(monkeypatch):
    """A server that others use too (here an embedded one, which speaks the same protocol), and its address in COUCHDB_URL."""
    from stores.couchdb.embedded import EmbeddedCouchDB

    shared = EmbeddedCouchDB()
    monkeypatch.setenv("COUCHDB_URL", shared.url.replace("//", "//ada:secret@"))
    yield shared
    shared.stop()


def test_on_a_real_server_the_course_has_databases_of_its_own(shared):
    requests.put(f"{shared.url}/theirs"), requests.put(f"{shared.url}/theirs/a", json={"n": 1})
    with shared.record() as sent:
        server = stores.start("couchdb")
        assert server.kind == "real" and "secret" not in repr(server)
        assert requests.get(f"{server.url}/_all_dbs").json() == []
        requests.put(f"{server.url}/mine")
    assert not any("secret" in str(command) for command in sent)
    with server.record() as log:
        made = requests.put(f"{server.url}/mine/a", json={"n": 2}).json()
        assert requests.get(f"{server.url}/mine/a").json() == {"_id": "a", "_rev": made["rev"], "n": 2}
    assert (log.count("PUT"), log.examined) == (1, None)
    assert requests.get(f"{server.url}/mine").json()["db_name"] == "mine"
    job = {"source": f"{server.url}/mine", "target": f"{server.url}/copy", "create_target": True}
    assert requests.post(f"{server.url}/_replicate", json=job).json()["ok"]
    assert requests.get(f"{server.url}/_all_dbs").json() == ["copy", "mine"]
    for method, path in (
        ("GET", "theirs/a"),
        ("DELETE", "theirs"),
        ("PUT", "theirs/a"),
        ("GET", "%74heirs/a"),
        ("GET", "..%2Ftheirs/a"),
    ):
        assert requests.request(method, f"{server.url}/{path}", json={}).status_code in (400, 404)
    for path in ("_users", "_node/_local/_config", "_replicator", "_active_tasks"):
        assert requests.get(f"{server.url}/{path}").status_code == 403
    theirs = {"source": f"{shared.url}/theirs", "target": f"{server.url}/mine"}
    assert requests.post(f"{server.url}/_replicate", json=theirs).status_code == 400
    server.reset()
    assert requests.get(f"{shared.url}/_all_dbs").json() == ["theirs"]
    requests.put(f"{server.url}/left")
    server.stop()
    assert requests.get(f"{shared.url}/_all_dbs").json() == ["theirs"]


def test_only_what_bears_the_mark_of_a_kernel_that_is_gone_is_deleted(shared):
    first = stores.start("couchdb")
    machine = first.prefix.split("-")[2]
    first.stop()
    gone, alive = (f"nosql-course-{machine}-{pid}-t" for pid in (2**30, 1))
    elsewhere, unmarked = f"nosql-course-00000000-{2**30}-t", f"nosql-course-{machine}-{2**30}-u"
    for name in (gone, alive, elsewhere, unmarked):
        requests.put(f"{shared.url}/{name}")
        if name != unmarked:
            requests.put(f"{shared.url}/{name}/_local/nosql-course", json={})
    stores.start("couchdb").stop()
    assert requests.get(f"{shared.url}/_all_dbs").json() == sorted([alive, elsewhere, unmarked])


def test_the_password_is_given_and_not_shown(shared):
    server = stores.start("couchdb")
    assert server.peer.headers["Authorization"] == "Basic YWRhOnNlY3JldA=="
    shown = repr(server) + server.url + server._repr_html_()
    assert "secret" not in shown and "YWRhOnNlY3JldA" not in shown
    server.stop()


@pytest.mark.parametrize("address", ["http://ada:secret@127.0.0.1:1", "couchdb://127.0.0.1", "http://no-such-host.invalid"])
def test_an_address_that_cannot_be_used_is_an_error_that_says_the_way_back(monkeypatch, address):
    monkeypatch.setenv("COUCHDB_URL", address)
    began = time.monotonic()
    with pytest.raises(stores.Unreachable, match="unset COUCHDB_URL") as caught:
        stores.start("couchdb")
    assert "secret" not in str(caught.value) and time.monotonic() - began < 3
