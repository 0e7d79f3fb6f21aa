"""Transactions: snapshots, own writes, the first writer wins, all or nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stores.base import Clock
from stores.mongodb.engine import Engine
from stores.mongodb.errors import MongoError
from stores.mongodb.operation import Blocked, Operation


@pytest.fixture
def engine():
    return Engine(Clock())


@pytest.fixture
def accounts(engine):
    made = engine.collection("bank", "accounts")
    made.create_indexes([{"key": {"owner": 1}, "name": "owner_1", "unique": True}, {"key": {"n": 1}, "name": "n_1"}])
    made.insert_many([{"_id": n, "owner": f"o{n}", "n": 100} for n in range(3)])
    return made


def inside(transaction):
    return Operation(transaction=transaction)


def amounts(accounts, operation=None):
    return {each["_id"]: each["n"] for each in accounts.find({}, operation=operation)}


def test_own_writes_are_seen_and_others_see_them_at_the_commit(engine, accounts):
    t = engine.begin()
    accounts.update({"_id": 0}, {"$inc": {"n": -30}}, operation=inside(t))
    accounts.update({"_id": 1}, {"$inc": {"n": 30}}, operation=inside(t))
    accounts.insert({"_id": 9, "owner": "new", "n": 1}, inside(t))
    accounts.delete({"_id": 2}, operation=inside(t))
    assert amounts(accounts, inside(t)) == {0: 70, 1: 130, 9: 1}
    assert accounts.count({"n": {"$gt": 0}}, operation=inside(t)) == 3
    assert accounts.distinct("owner", operation=inside(t)) == ["new", "o0", "o1"]
    assert amounts(accounts) == {0: 100, 1: 100, 2: 100}
    engine.commit(t)
    assert amounts(accounts) == {0: 70, 1: 130, 9: 1}
    assert accounts.validate()["valid"] and t.state == "committed"


def test_reads_are_of_one_moment(engine, accounts):
    t = engine.begin()
    assert amounts(accounts, inside(t))[0] == 100
    accounts.update({"_id": 0}, {"$set": {"n": 5}})
    accounts.insert({"_id": 7, "owner": "x", "n": 0})
    accounts.delete({"_id": 1})
    engine.collection("bank", "later").insert({"_id": 1})
    operation = inside(t)
    assert amounts(accounts, operation) == {0: 100, 1: 100, 2: 100}
    assert [each["_id"] for each in accounts.find({"n": 100}, sort={"n": 1}, operation=operation)] == [0, 1, 2]
    assert list(engine.collection("bank", "later").find({}, operation=inside(t))) == []
    engine.abort(t)
    assert amounts(accounts) == {0: 5, 2: 100, 7: 0}


def test_an_abort_leaves_nothing(engine, accounts):
    t = engine.begin()
    accounts.update({}, {"$set": {"n": 0}}, multi=True, operation=inside(t))
    accounts.insert({"_id": 9, "owner": "new"}, inside(t))
    engine.collection("bank", "other").insert({"_id": 1}, inside(t))
    engine.abort(t)
    assert amounts(accounts) == {0: 100, 1: 100, 2: 100}
    assert not engine.exists("bank", "other")
    accounts.insert({"_id": 9, "owner": "new", "n": 1})
    accounts.update({"_id": 0}, {"$set": {"n": 1}})


def test_of_two_transactions_the_first_writer_wins(engine, accounts):
    first, second = engine.begin(), engine.begin()
    accounts.update({"_id": 0}, {"$inc": {"n": 1}}, operation=inside(first))
    with pytest.raises(MongoError) as conflict:
        accounts.update({"_id": 0}, {"$inc": {"n": 1}}, operation=inside(second))
    assert conflict.value.code == 112 and conflict.value.labels == ("TransientTransactionError",)
    assert second.state == "aborted"
    engine.commit(first)
    with pytest.raises(MongoError) as over:
        accounts.find({}, operation=inside(second))
    assert over.value.code == 251
    assert amounts(accounts)[0] == 101


@pytest.mark.parametrize("first_deletes", [True, False])
def test_a_delete_is_a_write(engine, accounts, first_deletes):
    first, second = engine.begin(), engine.begin()
    writes = [
        lambda t: accounts.delete({"_id": 0}, operation=inside(t)),
        lambda t: accounts.update({"_id": 0}, {"$inc": {"n": 1}}, operation=inside(t)),
    ]
    writes[not first_deletes](first)
    with pytest.raises(MongoError) as conflict:
        writes[first_deletes](second)
    assert conflict.value.code == 112
    engine.commit(first)
    assert accounts.count({"_id": 0}) == int(not first_deletes)


def test_what_changed_since_the_snapshot_conflicts(engine, accounts):
    t = engine.begin()
    amounts(accounts, inside(t))
    accounts.update({"_id": 0}, {"$inc": {"n": 1}})
    with pytest.raises(MongoError) as conflict:
        accounts.delete({"_id": 0}, operation=inside(t))
    assert conflict.value.code == 112


def test_a_write_outside_is_blocked_and_changes_nothing(engine, accounts):
    t = engine.begin()
    accounts.update({"_id": 1}, {"$set": {"n": 0}}, operation=inside(t))
    accounts.insert({"_id": 9, "owner": "new", "n": 0}, inside(t))
    for write in (
        lambda: accounts.update({}, {"$inc": {"n": 1}}, multi=True),
        lambda: accounts.delete({"_id": 1}),
        lambda: accounts.insert({"_id": 9}),
        lambda: accounts.insert({"_id": 10, "owner": "new"}),
        lambda: accounts.insert_many([{"_id": 20, "owner": "y"}, {"_id": 9}]),
        lambda: accounts.find_and_modify({"_id": 1}, update={"$set": {"n": 7}}),
    ):
        with pytest.raises(Blocked):
            write()
        assert amounts(accounts) == {0: 100, 1: 100, 2: 100}
    accounts.update({"_id": 0}, {"$inc": {"n": 1}})  # another document is free
    engine.commit(t)
    accounts.update({"_id": 1}, {"$inc": {"n": 1}})
    assert (amounts(accounts)[0], amounts(accounts)[1]) == (101, 1)


def test_a_duplicate_inside_aborts_the_whole(engine, accounts):
    t = engine.begin()
    accounts.insert({"_id": 5, "owner": "fine"}, inside(t))
    with pytest.raises(MongoError) as duplicate:
        accounts.insert({"_id": 6, "owner": "o1"}, inside(t))
    assert duplicate.value.code == 11000 and t.state == "aborted"
    assert accounts.count({}) == 3


def test_two_transactions_cannot_take_the_same_unique_key(engine, accounts):
    first, second = engine.begin(), engine.begin()
    accounts.insert({"_id": 5, "owner": "same"}, inside(first))
    with pytest.raises(MongoError) as conflict:
        accounts.insert({"_id": 6, "owner": "same"}, inside(second))
    assert conflict.value.code == 112
    third = engine.begin()
    engine.commit(first)
    with pytest.raises(MongoError) as conflict:
        accounts.insert({"_id": 7, "owner": "same"}, inside(third))
    assert conflict.value.code == 112


def test_a_key_freed_inside_can_be_taken_inside(engine, accounts):
    t = engine.begin()
    accounts.delete({"_id": 0}, operation=inside(t))
    accounts.insert({"_id": 0, "owner": "o0", "n": 1}, inside(t))
    accounts.update({"_id": 1}, {"$set": {"owner": "z"}}, operation=inside(t))
    accounts.update({"_id": 2}, {"$set": {"owner": "o1"}}, operation=inside(t))
    engine.commit(t)
    assert {each["_id"]: each["owner"] for each in accounts.find({})} == {0: "o0", 1: "z", 2: "o1"}
    assert accounts.validate()["valid"]


def test_collections_and_indexes_are_created_inside(engine):
    t = engine.begin()
    engine.create_collection("bank", "made", {"validator": {"n": {"$gt": 0}}}, inside(t))
    made = engine.collection("bank", "made")
    made.create_indexes([{"key": {"n": 1}, "name": "n_1", "unique": True}], inside(t))
    made.insert({"_id": 1, "n": 1}, inside(t))
    assert not engine.exists("bank", "made")
    engine.commit(t)
    assert [each["name"] for each in made.list_indexes()] == ["_id_", "n_1"]
    with pytest.raises(MongoError) as refused:
        made.insert({"_id": 2, "n": 1})
    assert refused.value.code == 11000
    with pytest.raises(MongoError) as refused:
        made.insert({"_id": 2, "n": 0})
    assert refused.value.code == 121


def test_the_time_of_a_transaction_is_limited_by_the_clock(engine, accounts):
    with engine.clock.frozen():
        t = engine.begin()
        accounts.update({"_id": 0}, {"$set": {"n": 1}}, operation=inside(t))
        engine.clock.advance(60)
        engine.sweep()
        assert t.state == "in progress"
        engine.clock.advance(0.001)
        engine.sweep()
        assert t.state == "aborted"
        with pytest.raises(MongoError) as over:
            engine.commit(t)
    assert over.value.code == 251
    accounts.update({"_id": 0}, {"$inc": {"n": 1}})


def test_reset_aborts(engine, accounts):
    t = engine.begin()
    accounts.update({"_id": 0}, {"$set": {"n": 1}}, operation=inside(t))
    engine.reset()
    assert t.state == "aborted" and engine.database_names() == []


def test_the_oplog_has_a_transaction_as_one(engine, accounts):
    before = engine.oplog.end
    t = engine.begin()
    accounts.update({"_id": 0}, {"$inc": {"n": -1}}, operation=inside(t))
    accounts.insert({"_id": 8, "owner": "p"}, inside(t))
    assert engine.oplog.end == before
    engine.commit(t)
    changes = [engine.oplog[position] for position in range(before, engine.oplog.end)]
    assert [(each.operation, each.key["_id"], each.order) for each in changes] == [("update", 0, 0), ("insert", 8, 1)]
    assert len({each.time for each in changes}) == 1


steps = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["begin", "add", "move", "commit", "abort", "outside", "insert"]),
        st.integers(0, 2),
        st.integers(0, 2),
    ),
    max_size=30,
)


@given(steps)
@settings(max_examples=150, deadline=None)
def test_transactions_serialise(plan):
    """Money is moved by three sessions in any interleaving: what committed, and only that, is in the sum and in each account."""
    engine = Engine(Clock())
    accounts = engine.collection("bank", "accounts")
    accounts.create_indexes([{"key": {"n": 1}, "name": "n_1"}])
    accounts.insert_many([{"_id": n, "n": 100} for n in range(3)])
    expected, open_ones, pending = {0: 100, 1: 100, 2: 100}, {}, {}
    for session, step, one, other in plan:
        t = open_ones.get(session)
        if step == "begin" and t is None:
            open_ones[session], pending[session] = engine.begin(), []
            continue
        if t is None and step != "outside":
            continue
        try:
            if step == "add":
                accounts.update({"_id": one}, {"$inc": {"n": 1}}, operation=inside(t))
                pending[session].append((one, 1))
            elif step == "move":
                accounts.update({"_id": one}, {"$inc": {"n": -5}}, operation=inside(t))
                pending[session].append((one, -5))
                accounts.update({"_id": other}, {"$inc": {"n": 5}}, operation=inside(t))
                pending[session].append((other, 5))
            elif step == "outside":
                accounts.update({"_id": one}, {"$inc": {"n": 7}})
                expected[one] += 7
            elif step == "insert":
                accounts.insert({"_id": 100 + other, "n": 0}, inside(t))
                pending[session].append((100 + other, 0))
            elif step == "commit":
                engine.commit(t)
                for account, amount in pending[session]:
                    expected[account] = expected.get(account, 0) + amount
                del open_ones[session]
            elif step == "abort":
                engine.abort(t)
                del open_ones[session]
        except MongoError as error:
            assert error.code in (112, 11000)
            if step != "outside":
                assert t.state == "aborted"
                del open_ones[session]
        assert amounts(accounts) == expected
    assert accounts.validate()["valid"]
    for t in open_ones.values():
        engine.abort(t)
    store = engine.data["bank"]["accounts"]
    assert store.writers == {} and store.reserved == {}
