"""The embedded Cassandra's storage: mutations in any order make the same partition; tombstones, TTL, counters."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stores.base import Clock
from stores.cassandra import murmur3
from stores.cassandra.cells import EXPIRING, LIVE, NEVER, TOMBSTONE, Cell, Complex, Deletion, Row, cell
from stores.cassandra.storage import END, EVERYTHING, START, Mutation, Partition, Ranges, after, before
from stores.cassandra.store import INCREMENT, ReadCommand, SingleNode, Store, number, wrapped

KEY = (b"k",)
numbers = st.integers(0, 4)
deletions = st.builds(Deletion, numbers, numbers)


@st.composite
def cells(draw):
    timestamp, kind = draw(numbers), draw(st.sampled_from([LIVE, EXPIRING, TOMBSTONE]))
    if kind == LIVE:
        return Cell(timestamp, LIVE, 0, draw(st.sampled_from([b"", b"a", b"b"])))
    if kind == TOMBSTONE:
        return Cell(timestamp, TOMBSTONE, draw(numbers), None)
    ttl = draw(st.integers(1, 3))
    return Cell(timestamp, EXPIRING, draw(numbers) + ttl, draw(st.sampled_from([b"a", b"b"])), ttl)


@st.composite
def complexes(draw):
    inner = draw(st.dictionaries(st.sampled_from([b"x", b"y"]), cells(), max_size=2))
    deleted = draw(st.one_of(st.just(NEVER), deletions))
    column = Complex(inner, deleted).pruned(NEVER)
    return column if column is not None else Complex({b"x": draw(cells())})


@st.composite
def rows(draw):
    columns = {}
    if draw(st.booleans()):
        columns["simple"] = draw(cells())
    if draw(st.booleans()):
        columns["many"] = draw(complexes())
    deleted = draw(st.one_of(st.just(NEVER), deletions))
    live = draw(st.one_of(st.none(), st.builds(Cell, numbers, st.just(LIVE), st.just(0), st.just(b""))))
    return Row((), columns, live, deleted)


positions = st.tuples(st.integers(0, 2), st.integers(0, 2))
prefixes = st.one_of(st.just(()), st.tuples(st.integers(0, 2)), positions)
bounds = st.one_of(prefixes.map(before), prefixes.map(after))


@st.composite
def deltas(draw):
    delta = Partition(KEY, 0)
    for kind in draw(st.lists(st.sampled_from(["row", "static", "range", "all"]), min_size=1, max_size=3)):
        if kind == "row":
            delta.put(draw(positions), draw(rows()))
        elif kind == "static":
            delta.put_static(draw(rows()))
        elif kind == "range":
            delta.delete_range(draw(bounds), draw(bounds), draw(deletions))
        else:
            delta.delete(draw(deletions))
    return delta


def merged(*parts):
    whole = Partition(KEY, 0)
    for part in parts:
        whole.merge(part)
    return whole


@settings(max_examples=400, deadline=None)
@given(st.lists(deltas(), min_size=1, max_size=5).flatmap(lambda d: st.tuples(st.just(d), st.permutations(d))))
def test_mutations_in_any_order_make_the_same_partition(both):
    one, other = both
    assert merged(*one) == merged(*other)


@settings(max_examples=200, deadline=None)
@given(deltas(), deltas(), deltas())
def test_merging_is_commutative_associative_and_idempotent(a, b, c):
    assert merged(a, b) == merged(b, a)
    assert merged(merged(a, b), c) == merged(a, merged(b, c))
    assert merged(a, a) == merged(a)
    assert merged(a, b, a) == merged(a, b)


@settings(max_examples=200, deadline=None)
@given(deltas(), deltas())
def test_rows_stay_sorted_and_nothing_hidden_is_kept(a, b):
    whole = merged(a, b)
    assert whole.positions == sorted(set(whole.positions))
    for position, row in whole.items():
        assert row.pruned(whole.deletion_at(position)) == row


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(bounds, bounds, deletions), max_size=6))
def test_ranges_answer_like_a_list_of_all_deletions(pieces):
    ranges = Ranges()
    for start, end, deletion in pieces:
        if start < end:
            ranges.add(start, end, deletion)
    for position in [(x, y) for x in range(3) for y in range(3)]:
        covering = [time for start, end, time in pieces if start <= position < end]
        assert ranges.at(position) == max(covering, default=NEVER)
    assert all(start < end for start, end, _ in ranges)
    assert all(one <= two for one, two in zip(ranges.ends, ranges.starts[1:], strict=False))


@settings(max_examples=100, deadline=None)
@given(deltas(), bounds, bounds)
def test_a_part_holds_what_lies_in_the_slice(delta, start, end):
    part = delta.part(((start, end),)) if start < end else delta.part(())
    inside = [(p, row) for p, row in delta.items() if start <= p < end]
    assert list(part.items()) == inside
    for position, _ in inside:
        assert part.deletion_at(position) == delta.deletion_at(position)


def test_items_by_slice_in_both_directions():
    partition = Partition(KEY, 0)
    for x in (2, 0, 1):
        for y in (1, 0):
            partition.put((x, y), Row((), {"v": cell(1, b"v", 0)}))
    slices = ((before((0,)), after((0,))), (after((1, 0)), END))
    found = [position for position, _ in partition.items(slices)]
    assert found == [(0, 0), (0, 1), (1, 1), (2, 0), (2, 1)]
    assert [position for position, _ in partition.items(slices, backwards=True)] == found[::-1]
    assert [position for position, _ in partition.items(((START, before((1, 1))),))] == [(0, 0), (0, 1), (1, 0)]


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        (Cell(2, LIVE, 0, b"a"), Cell(1, LIVE, 0, b"b")),
        (Cell(1, LIVE, 0, b"b"), Cell(1, LIVE, 0, b"a")),
        (Cell(1, TOMBSTONE, 5, None), Cell(1, LIVE, 0, b"z")),
        (Cell(1, TOMBSTONE, 5, None), Cell(1, EXPIRING, 9, b"z", 4)),
        (Cell(1, EXPIRING, 9, b"a", 4), Cell(1, LIVE, 0, b"z")),
        (Cell(1, EXPIRING, 9, b"a", 4), Cell(1, EXPIRING, 8, b"z", 4)),
    ],
)
def test_the_cell_that_wins(winner, loser):
    for first, second in [(winner, loser), (loser, winner)]:
        whole = Row((), {"v": first}).merged(Row((), {"v": second}))
        assert whole.cells["v"] == winner


def test_a_cell_expires_by_the_clock():
    short = cell(1, b"v", now=100, ttl=10)
    assert short.alive(109)
    assert not short.alive(110)
    assert cell(1, b"v", now=100).alive(10**9)
    assert not cell(1, None, now=100).alive(100)


def table(gc_grace=10):
    return SimpleNamespace(id="t", gc_grace=gc_grace)


def test_tombstones_go_after_the_grace_period():
    clock, where = Clock(), table(gc_grace=10)
    with clock.frozen():
        store, now = Store(clock), int(clock.now())
        delta = Partition(KEY, 0)
        delta.put((1,), Row((), {"v": cell(5, None, now)}))
        delta.put((2,), Row((), {"v": cell(5, b"v", now, ttl=30)}))
        delta.delete_range(before((7,)), after((8,)), Deletion(5, now))
        store.apply(Mutation(where, delta))
        clock.advance(10)
        [partition] = store.read(where, ReadCommand())
        assert len(partition.rows) == 2 and partition.ranges
        clock.advance(1)
        [partition] = store.read(where, ReadCommand())
        assert partition.positions == [(2,)] and not partition.ranges
        clock.advance(20)
        assert list(store.read(where, ReadCommand())) == []
        store.compact(where)
        assert store.partition(where, KEY) is None


def test_a_value_that_returns_after_the_grace_period_is_a_zombie():
    """Why repairs must run more often than gc_grace_seconds."""
    clock, where = Clock(), table(gc_grace=10)
    with clock.frozen():
        store = Store(clock)
        old = Partition(KEY, 0)
        old.put((1,), Row((), {"v": cell(5, b"old", 0)}))
        gone = Partition(KEY, 0)
        gone.put((1,), Row((), deleted=Deletion(6, int(clock.now()))))
        store.apply(Mutation(where, gone))
        store.apply(Mutation(where, old))
        assert store.partition(where, KEY).row_at((1,)).cells == {}
        clock.advance(11)
        assert list(store.read(where, ReadCommand())) == []
        store.apply(Mutation(where, old))
        assert store.partition(where, KEY).row_at((1,)).cells["v"].value == b"old"


def increment(by, timestamp):
    delta = Partition(KEY, 0)
    delta.put((1,), Row((), {"n": Complex({INCREMENT: Cell(timestamp, LIVE, 0, wrapped(by))})}))
    return Mutation(table(), delta)


def total(partition):
    return sum(number(each.value) for each in partition.row_at((1,)).cells["n"].cells.values())


def test_a_counter_is_the_sum_of_what_each_node_counted():
    clock = Clock()
    one, two = Store(clock, b"1"), Store(clock, b"2")
    sent = []
    for node, by, timestamp in [(one, 5, 1), (two, 7, 1), (one, -2, 2), (one, 1, 2)]:
        sent.append(node.count(increment(by, timestamp)))
        node.apply(sent[-1])
    for node in (one, two):
        for mutation in reversed(sent):  # late and twice
            node.apply(mutation)
            node.apply(mutation)
        assert total(node.partition(table(), KEY)) == 11
    assert one.partition(table(), KEY) == two.partition(table(), KEY)


def test_a_range_of_the_ring_and_single_keys():
    cluster, where = SingleNode(Clock()), table()
    for i in range(9):
        delta = Partition((bytes([i]),), i % 5)
        delta.put((1,), Row((), {"v": cell(1, b"v", 0)}))
        cluster.write([Mutation(where, delta)], 1)

    def read(**options):
        return [(p.token, p.key[0][0]) for p in cluster.read(where, ReadCommand(**options), 1)]

    assert read() == sorted((i % 5, i) for i in range(9))
    assert read(start=(1,), end=(3,)) == [(1, 1), (1, 6), (2, 2), (2, 7)]
    assert read(start=(1, (b"\1",), 0), end=(2,)) == [(1, 6)]
    assert read(keys=((3, (b"\3",)), (9, (b"?",)), (0, (b"\0",)))) == [(3, 3), (0, 0)]


def test_compare_and_set_reads_then_writes():
    cluster, where = SingleNode(Clock()), table()
    delta = Partition(KEY, 0)
    delta.put((1,), Row((), {"v": cell(1, b"v", 0)}))
    seen = []

    def decide(partition):
        seen.append(partition)
        return [Mutation(where, delta)] if partition is None else []

    for _ in range(2):
        cluster.compare_and_set(where, (0, KEY), decide, 8, 1)
    assert seen == [None, delta]


def test_slices_of_everything_are_everything():
    partition = Partition(KEY, 0)
    partition.put((1,), Row((), {"v": cell(1, b"v", 0)}))
    assert partition.part(EVERYTHING) == partition


@pytest.mark.parametrize(
    ("key", "token"),
    [  # from Cassandra's nodetool and the drivers' own tests
        (b"123", -7468325962851647638),
        (b"\x00\xff\x10\xfa\x99" * 10, 5837342703291459765),
        (b"\xfe" * 8, -8927430733708461935),
        (b"\x10" * 8, 1446172840243228796),
        (b"9223372036854775807", 7162290910810015547),
    ],
)
def test_tokens_are_cassandras(key, token):
    assert murmur3.token(key) == token


def test_a_composite_key_is_hashed_with_lengths_and_ends():
    assert murmur3.routing_key((b"ab", b"c")) == b"\0\2ab\0\0\1c\0"
    assert murmur3.routing_key((b"ab",)) == b"ab"
