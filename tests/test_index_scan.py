"""Scans of a live index lose and repeat documents, and those that the chapter calls safe do neither."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course.simulate.index_scan import Collection, matches

FIVE = [{"_id": _id, "total": 10 * n, "state": "open"} for n, _id in enumerate("abcde", start=1)]


def ids(scan) -> list:
    return [document["_id"] for document in scan]


def test_an_entry_that_moves_behind_the_scan_is_missed():
    orders = Collection(FIVE, ["total"])
    scan = orders.find({"total": {"$gte": 0}}, index="total")
    assert [scan.step()["_id"] for _ in range(2)] == ["a", "b"]
    orders.update("d", total=5)
    assert ids(scan) == ["c", "e"]
    assert (scan.missed, scan.twice, scan.examined) == (["d"], [], 4)


def test_an_entry_that_moves_ahead_of_the_scan_is_returned_twice():
    orders = Collection(FIVE, ["total"])
    scan = orders.find(index="total")
    assert scan.step()["_id"] == "a"
    orders.update("a", total=35)
    assert ids(scan) == ["b", "c", "a", "d", "e"]
    assert (scan.returned, scan.twice, scan.missed) == (list("abcade"), ["a"], [])


def test_a_document_that_stops_matching_for_a_moment_is_not_missed():
    orders = Collection(FIVE, ["total"])
    scan = orders.find({"total": {"$lt": 100}}, index="total")
    scan.step(), scan.step()
    orders.update("e", total=200)
    orders.update("e", total=1)
    orders.delete("d")
    assert ids(scan) == ["c"] and scan.missed == []


def test_a_scan_goes_on_where_its_last_entry_stood():
    orders = Collection(FIVE, ["total"])
    scan = orders.find(index="total")
    scan.step(), scan.step()
    orders.delete("b"), orders.insert({"_id": "bb", "total": 25, "state": "open"})
    assert ids(scan) == ["bb", "c", "d", "e"]
    assert scan.step() is None and scan.done


def test_the_range_is_all_that_is_examined():
    orders = Collection(
        [{"_id": n, "state": "open" if n % 2 else "paid", "total": n} for n in range(20)], [["state", "total"], "total"]
    )
    query = {"state": "open", "total": {"$gte": 5, "$lt": 11}}
    for index, examined in (("state, total", 3), ("total", 6), ("_id", 20)):
        scan = orders.find(query, index=index)
        assert sorted(ids(scan)) == [5, 7, 9] and scan.examined == examined


def test_frames_show_the_index_and_what_moved():
    orders = Collection(FIVE[:3], ["total"])
    scan = orders.find(index="total")
    scan.step()
    orders.update("a", total=25)
    scan.step(), scan.step()
    first, second, third, _ = scan.frames
    assert ([entry.id for entry in first.entries], first.last, first.moved) == (["a", "b", "c"], None, {})
    assert (second.returned, second.moved) == ("a", {})
    assert ([entry.id for entry in third.entries], third.returned) == (["b", "a", "c"], "b")
    assert {_id: entry.key for _id, entry in third.moved.items()} == {"a": (10,)}


def test_mistakes_are_told():
    orders = Collection(FIVE, ["total"])
    with pytest.raises(ValueError, match="no index is called 'state'; there are '_id', 'total'"):
        orders.find(index="state")
    with pytest.raises(ValueError, match=r"\$near is not known here"):
        ids(orders.find({"total": {"$near": 1}}))
    with pytest.raises(ValueError, match="never changes"):
        orders.update("a", _id="b")
    with pytest.raises(ValueError, match="already"):
        orders.insert({"_id": "a"})
    with pytest.raises(KeyError):
        orders.delete("z")
    with pytest.raises(TypeError, match="write to the collection"):
        orders.snapshot().update("a", total=1)


# -- what is affected and what is not ---------------------------------------------------------

writes = st.lists(st.tuples(st.integers(0, 7), st.sampled_from(["total", "state"]), st.integers(0, 4)), max_size=30)
starts = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=8, max_size=8)
queries = st.sampled_from([{}, {"total": {"$gte": 1}}, {"total": {"$gt": 0, "$lte": 3}}, {"state": 1}, {"state": 1, "total": 2}])


def collection(start, changes) -> Collection:
    """Eight orders; before each step one of the changes is written."""

    def write(orders, step):
        if step <= len(changes):
            _id, field, value = changes[step - 1]
            orders.update(_id, **{field: value % 3 if field == "state" else value})

    documents = [{"_id": _id, "total": total, "state": state, "day": _id % 3} for _id, (total, state) in enumerate(start)]
    return Collection(documents, ["total", ["state", "total"], "day"], write)


def sound(scan) -> bool:
    returned = ids(scan)
    return not scan.missed and not scan.twice and len(returned) == len(set(returned))


@given(starts, writes, queries)
def test_a_scan_by_id_returns_each_steady_document_once(start, changes, query):
    assert sound(collection(start, changes).find(query))


@given(starts, writes, queries)
def test_an_index_on_a_field_that_never_changes_is_safe(start, changes, query):
    assert sound(collection(start, changes).find(query, index="day"))


@given(starts, writes, st.integers(0, 4), st.integers(0, 2))
def test_equality_on_all_fields_of_the_index_is_safe(start, changes, total, state):
    assert sound(collection(start, changes).find({"total": total}, index="total"))
    assert sound(collection(start, changes).find({"state": state, "total": total}, index="state, total"))


@given(starts, writes, queries, st.sampled_from(["_id", "total", "state, total"]))
def test_a_snapshot_shows_one_moment(start, changes, query, index):
    orders = collection(start, changes)
    wanted = {_id: dict(document) for _id, document in orders.documents.items() if matches(query, document)}
    snapshot = orders.snapshot()
    scan = snapshot.find(query, index=index)
    assert {document["_id"]: document for document in scan} == wanted
    assert sound(scan) and len(scan.returned) == len(wanted)
    changed = [_id for _id, document in orders.documents.items() if document is not snapshot.documents[_id]]
    assert snapshot.kept == len(changed) <= min(orders.steps, len(changes))


@given(starts, writes, queries)
def test_without_writes_every_index_gives_the_same(start, changes, query):
    orders = collection(start, changes)
    while orders.steps < len(changes):
        orders.tick()
    wanted = sorted(_id for _id, document in orders.documents.items() if matches(query, document))
    for index in orders.indexes:
        assert sorted(ids(orders.find(query, index=index))) == wanted


def test_a_live_scan_is_not_safe():
    """Otherwise the tests above would show nothing."""
    start = [(n // 2 + 1, 0) for n in range(8)]
    assert sound(collection(start, []).find({}, index="total"))
    scan = collection(start, [(0, "total", 1), (0, "total", 1), (7, "total", 0)]).find({}, index="total")
    assert not sound(scan) and scan.missed == [7]
    scan = collection(start, [(5, "total", 2), (0, "total", 4)]).find({}, index="total")
    assert not sound(scan) and scan.twice == [0]
