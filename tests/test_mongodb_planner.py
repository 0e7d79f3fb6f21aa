"""Whatever the index, the documents found are the same and in the same order. What plans examine: test_mongodb_plans.py."""

import datetime

from bson import Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from stores.base import Clock
from stores.mongodb.engine import Engine
from stores.mongodb.errors import MongoError
from stores.mongodb.indexes.keystring import encode, invert
from stores.mongodb.operation import Operation
from stores.mongodb.ordering import Sort, sort_key

IDS = [ObjectId(bytes([n] * 12)) for n in range(3)]
DATES = [datetime.datetime(2024, 1, day) for day in (1, 2, 3)]
scalars = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.5, -1.5, 2.0, float("nan"), float("inf"), Decimal128("2"), Decimal128("0.1"), Int64(2**53 + 1), 2.0**53]),
    st.sampled_from(["", "a", "ab", "abc", "b", "B", "ä"]),
    st.none(),
    st.booleans(),
    st.sampled_from(IDS + DATES),
    st.sampled_from([b"x", b"xy", MinKey(), MaxKey()]),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2), max_leaves=4
)
small = st.integers(0, 3)
documents = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "a": values,
            "b": small | values,
            "c": small,
            "d": st.lists(st.fixed_dictionaries({}, optional={"x": small, "y": small | values}), max_size=3) | small,
        },
    ),
    max_size=12,
)
PATHS = ("a", "b", "c", "d.x", "d.y", "a.x", "d.0.x")


@st.composite
def conditions(draw):
    kind = draw(st.sampled_from(["eq", "range", "in", "ne", "nin", "exists", "not", "regex", "two", "all", "element", "type", "mod"]))
    value = draw(small | values)
    match kind:
        case "eq":
            return value
        case "range":
            return {draw(st.sampled_from(["$gt", "$gte", "$lt", "$lte"])): value}
        case "in" | "nin":
            return {"$" + kind: draw(st.lists(small | values, max_size=3))}
        case "ne":
            return {"$ne": value}
        case "exists":
            return {"$exists": draw(st.booleans())}
        case "not":
            return (
                {"$not": {draw(st.sampled_from(["$gt", "$lte", "$eq", "$in"])): value}} if not isinstance(value, list) else {"$ne": 1}
            )
        case "regex":
            return {
                "$regex": draw(st.sampled_from(["^a", "^ab", "b$", "^a.*", "^", "a|b", "^A"])),
                "$options": draw(st.sampled_from(["", "i"])),
            }
        case "two":
            return {"$gte": draw(small), "$lt": draw(small)}
        case "all":
            return {"$all": draw(st.lists(small, min_size=1, max_size=2))}
        case "element":
            return draw(
                st.sampled_from(
                    [
                        {"$elemMatch": {"$gt": 0, "$lt": 3}},
                        {"$elemMatch": {"x": {"$gte": 1}, "y": {"$lt": 3}}},
                        {"$elemMatch": {"x": 1}},
                    ]
                )
            )
        case "type":
            return {"$type": draw(st.sampled_from(["number", "string", "null", "object", "array", "bool", "double"]))}
    return {"$mod": [2, draw(st.integers(0, 1))]}


def ok(condition):
    inner = condition.get("$not", {}) if isinstance(condition, dict) else {}
    return not (isinstance(inner, dict) and "$in" in inner and not isinstance(inner["$in"], list))


leaves = st.dictionaries(st.sampled_from(PATHS), conditions().filter(ok), min_size=1, max_size=3)
filters = st.one_of(
    leaves,
    st.builds(lambda a, b: {"$or": [a, b]}, leaves, leaves),
    st.builds(lambda a, b, c: {**a, "$or": [b, c]}, leaves, leaves, leaves),
    st.builds(lambda a, b: {"$and": [a, b]}, leaves, leaves),
)
directions = st.sampled_from([1, -1])
patterns = st.lists(st.sampled_from(PATHS), min_size=1, max_size=3, unique=True).flatmap(
    lambda paths: st.tuples(*[st.tuples(st.just(path), directions) for path in paths]).map(dict)
)
indexes = st.lists(
    st.tuples(patterns, st.sampled_from([{}, {}, {}, {"sparse": True}, {"partialFilterExpression": {"c": {"$gt": 0}}}])), max_size=4
)


def collection(docs, specs):
    made = Engine(Clock()).collection("t", "c")
    made.create_indexes([{"key": {"_id": 1}, "name": "_id_"}])
    for pattern, options in specs:
        name = "_".join(f"{path}_{way}" for path, way in pattern.items()) + "_".join(options)
        try:
            made.create_indexes([{"key": pattern, "name": name, **options}])
        except MongoError as error:  # the same index twice
            assert error.code in (85, 86)
    for number, document in enumerate(docs):
        try:
            made.insert({"_id": number, **document})
        except MongoError as error:  # a compound index over two arrays; a number that is ambiguous
            assert error.code in (171, 16746)
    return made


def found(made, filter, **options):
    return list(made.find(filter, **options))


@given(documents, indexes, filters)
@settings(max_examples=400, deadline=None)
def test_an_index_never_changes_what_is_found(docs, specs, filter):
    made = collection(docs, specs)
    scan = found(made, filter, operation=Operation(hint={"$natural": 1}))
    planned = Operation()
    assert sorted(each["_id"] for each in found(made, filter, operation=planned)) == sorted(each["_id"] for each in scan)
    if "$or" not in filter:  # whose branches may each look at the same document, as in MongoDB
        assert planned.stats.documents_examined <= made.count({})
    for name in [index["name"] for index in made.list_indexes() if "sparse" not in index and "partialFilterExpression" not in index]:
        hinted = found(made, filter, operation=Operation(hint=name))
        assert [each["_id"] for each in scan] == sorted(each["_id"] for each in hinted), name


@given(
    documents,
    indexes,
    filters,
    st.lists(st.tuples(st.sampled_from(PATHS[:-1]), directions), min_size=1, max_size=2),
    st.integers(0, 3),
    st.integers(0, 5),
)
@settings(max_examples=300, deadline=None)
def test_an_index_never_changes_the_order(docs, specs, filter, sort, skip, limit):
    made = collection(docs, specs)
    order = {**dict(sort), "_id": 1}
    scan = found(made, filter, sort=order, operation=Operation(hint={"$natural": 1}))
    for name in [None] + [
        index["name"] for index in made.list_indexes() if "sparse" not in index and "partialFilterExpression" not in index
    ]:
        planned = found(made, filter, sort=order, skip=skip, limit=limit, operation=Operation(hint=name))
        assert planned == (scan[skip : skip + limit] if limit else scan[skip:])


@given(documents, indexes, leaves)
@settings(max_examples=150, deadline=None)
def test_counting_and_distinct_agree_with_finding(docs, specs, filter):
    made = collection(docs, specs)
    scan = found(made, filter, operation=Operation(hint={"$natural": 1}))
    assert made.count(filter) == len(scan)
    for path in ("c", "b", "d.x"):
        plain = made.distinct(path, filter, Operation(hint={"$natural": 1}))
        assert [encode(each) for each in made.distinct(path, filter)] == [encode(each) for each in plain]


@given(values, values)
@settings(max_examples=600, deadline=None)
def test_keys_sort_as_values_do(a, b):
    one, other = encode(a), encode(b)
    assert (one < other) == (sort_key(a) < sort_key(b)) and (one == other) == (sort_key(a) == sort_key(b))
    assert (invert(one) > invert(other)) == (one < other)


numbers = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(Int64),
    st.floats(allow_nan=False),
    st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**20), max_value=10**20).map(
        lambda d: Decimal128(str(d))
    ),
)


@given(numbers, numbers)
@settings(max_examples=600, deadline=None)
def test_numbers_sort_across_their_types(a, b):
    assert (encode(a) < encode(b)) == (sort_key(a) < sort_key(b)) and (encode(a) == encode(b)) == (sort_key(a) == sort_key(b))


# --- ranges within one type, in both directions of an index

kinds = st.sampled_from(
    [
        st.integers(-5, 5),
        st.floats(-2, 2).map(lambda each: round(each, 1)),
        st.text("abZ", max_size=2),
        st.sampled_from(IDS),
        st.sampled_from(DATES),
        st.booleans(),
        st.binary(max_size=2),
        st.dictionaries(st.sampled_from("xy"), small, max_size=2),
        st.integers(0, 5).map(lambda each: Timestamp(each, 1)),
    ]
)


@given(kinds.flatmap(lambda kind: st.tuples(st.lists(kind, max_size=8), kind)), st.lists(scalars, max_size=3), directions, directions)
@settings(max_examples=400, deadline=None)
def test_ranges_are_the_same_up_and_down(typed, others, way, sort_way):
    several, end = typed
    made = collection([{"a": each} for each in [*several, *others]], [({"a": way}, {}), ({"b": 1, "a": way}, {})])
    for operator in ("$lt", "$lte", "$gt", "$gte"):
        for filter in ({"a": {operator: end}}, {"b": None, "a": {operator: end}}, {"a": {"$not": {operator: end}}}):
            scan = found(made, filter, sort={"a": sort_way, "_id": 1}, operation=Operation(hint={"$natural": 1}))
            for name in (f"a_{way}", f"b_1_a_{way}"):
                assert sorted(each["_id"] for each in found(made, filter, operation=Operation(hint=name))) == sorted(
                    each["_id"] for each in scan
                )
            keys = [Sort({"a": sort_way}).key(each) for each in found(made, filter, sort={"a": sort_way})]
            assert keys == [Sort({"a": sort_way}).key(each) for each in scan]


# --- the same with few values, so that arrays and bounds often meet

digit = st.integers(0, 2)
few = st.one_of(digit, st.lists(digit, min_size=2, max_size=3), st.lists(digit, max_size=1))
dense_documents = st.lists(st.fixed_dictionaries({"a": few, "b": few}), min_size=2, max_size=7)
dense_conditions = st.one_of(
    st.builds(lambda low, high: {"$gt": low, "$lte": high}, digit, digit),
    st.builds(lambda low, high: {"$gte": low, "$lt": high}, digit, digit),
    st.builds(lambda low: {"$gte": low}, digit),
    digit,
    st.builds(lambda each: {"$in": each}, st.lists(digit, min_size=1, max_size=2)),
    st.builds(lambda low, high: {"$elemMatch": {"$gte": low, "$lt": high}}, digit, digit),
    st.builds(lambda each: {"$ne": each}, digit),
)
dense_leaves = st.dictionaries(st.sampled_from("ab"), dense_conditions, min_size=1, max_size=2)
dense_filters = st.one_of(
    dense_leaves,
    dense_leaves,
    st.builds(lambda one, other: {"$or": [one, other]}, dense_leaves, dense_leaves),
    st.builds(lambda both, one, other: {**both, "$or": [one, other]}, dense_leaves, dense_leaves, dense_leaves),
)
DENSE_INDEXES = [({"a": 1}, {}), ({"b": -1}, {}), ({"a": 1, "c": 1, "b": 1}, {}), ({"c": 1, "a": 1}, {})]


@given(dense_documents, dense_filters, st.sampled_from("ab"), directions, st.integers(0, 3))
@settings(max_examples=500, deadline=None)
def test_arrays_and_bounds_never_change_what_is_found_or_its_order(docs, filter, path, way, limit):
    made = collection(docs, DENSE_INDEXES)
    order = {path: way, "_id": 1}
    natural = Operation(hint={"$natural": 1})
    everything, in_order = found(made, filter, operation=natural), found(made, filter, sort=order, operation=natural)
    for name in [None] + [each["name"] for each in made.list_indexes()]:
        assert sorted(each["_id"] for each in found(made, filter, operation=Operation(hint=name))) == [
            each["_id"] for each in everything
        ]
        planned = found(made, filter, sort=order, limit=limit, operation=Operation(hint=name))
        assert planned == (in_order[:limit] if limit else in_order)
        alone = found(made, filter, sort={path: way}, operation=Operation(hint=name))
        keys = [Sort({path: way}).key(each) for each in alone]
        assert keys == sorted(keys)


elements = st.lists(st.fixed_dictionaries({}, optional={"x": digit, "y": digit}), max_size=3)
element_conditions = st.one_of(
    digit, st.builds(lambda low: {"$gte": low}, digit), st.builds(lambda low: {"$lt": low}, digit), st.none()
)
element_filters = st.one_of(
    st.builds(lambda x, y: {"l.x": x, "l.y": y}, element_conditions, element_conditions),
    st.builds(lambda x, y: {"l": {"$elemMatch": {"x": x, "y": y}}}, element_conditions, element_conditions),
    st.builds(
        lambda x, y, z: {"l": {"$elemMatch": {"x": x, "y": y}}, "l.x": z}, element_conditions, element_conditions, element_conditions
    ),
    st.builds(lambda x, y: {"$and": [{"l": {"$elemMatch": {"x": x}}}, {"l": {"$elemMatch": {"y": y}}}]}, digit, digit),
)


@given(st.lists(elements, min_size=1, max_size=6), element_filters, directions)
@settings(max_examples=500, deadline=None)
def test_elements_of_one_array_are_kept_apart(lists, filter, way):
    made = collection([{"l": each} for each in lists], [({"l.x": 1, "l.y": way}, {}), ({"l.y": 1}, {})])
    scan = [each["_id"] for each in found(made, filter, operation=Operation(hint={"$natural": 1}))]
    for name in [None] + [each["name"] for each in made.list_indexes()]:
        assert sorted(each["_id"] for each in found(made, filter, operation=Operation(hint=name))) == scan, name


@given(dense_documents, dense_leaves, st.sampled_from([{"a": 1}, {"a": 1, "b": 1}, {"b": 0}, {"a": 1, "c": 1}]), st.booleans())
@settings(max_examples=200, deadline=None)
def test_covered_answers_are_those_of_documents(docs, filter, projection, with_id):
    shape = projection | {"_id": int(with_id)} if 0 not in projection.values() or not with_id else projection
    made = collection(docs, [({"a": 1, "b": 1}, {}), ({"b": 1, "a": -1, "c": 1}, {})])
    scan = found(made, filter, projection=shape, sort={"_id": 1}, operation=Operation(hint={"$natural": 1}))
    for name in [each["name"] for each in made.list_indexes()]:
        assert sorted(map(repr, found(made, filter, projection=shape, operation=Operation(hint=name)))) == sorted(map(repr, scan))
