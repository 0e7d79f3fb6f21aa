"""MongoDB's language: the tables of cases through the real driver, the page made of them, and laws that hold for any value."""

import copy
import datetime
import json
import sys
from pathlib import Path

import pytest
from bson import Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from hypothesis import assume, given
from hypothesis import strategies as st
from pymongo import MongoClient

import stores
from stores.mongodb import accumulators, expressions, stages
from stores.mongodb.commands.registry import COMMANDS
from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import MISSING, Sort, compare, date_of, equal, sort_key
from stores.mongodb.paths import put, remove
from stores.mongodb.query import Query, conditions, parser
from stores.mongodb.stages import Context, functions
from stores.mongodb.update import Update, operators

FOLDER = Path(__file__).parent / "mongodb"
sys.path.insert(0, str(FOLDER))
import document  # noqa: E402
import table  # noqa: E402

TABLES = table.tables()
CASES = [(kind, case) for kind, table in TABLES.items() for case in table["cases"]]


@pytest.fixture(scope="module")
def server(chosen):
    with chosen("mongodb"):
        yield stores.start("mongodb")
        stores.stop_all()


@pytest.fixture(scope="module")
def database(server):
    with MongoClient(server.url) as client:
        yield client[table.DATABASE]


@pytest.mark.parametrize(("kind", "case"), CASES, ids=[f"{kind}: {table.title(case)}" for kind, case in CASES])
def test_case(server, database, kind, case):
    if server.kind == "real" and case.get("embedded"):
        pytest.skip("this is about what the embedded server refuses")
    found, expected = table.outcome(database, case), table.wanted(case)
    assert table.same(found, expected, case), f"expected {expected}, got {found}"


# Another implementation --------------------------------------------------------------------------------------

AGREED = json.loads((FOLDER.parent / "data" / "mongodb_agreed.json").read_text("utf-8"))["cases"]


def decoded(value):
    """Return what the recorded cases mean: dates from milliseconds."""
    if isinstance(value, dict):
        return date_of(value["$$date"]) if "$$date" in value else {name: decoded(inner) for name, inner in value.items()}
    return [decoded(inner) for inner in value] if isinstance(value, list) else value


def rounded(value):
    """Return an answer with numbers as JavaScript knows them, in nine digits; a missing value is null."""
    if isinstance(value, dict):
        return {name: rounded(inner) for name, inner in value.items() if inner != {"$$undef": 1}}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(f"{float(value):.9g}")
    return value


@pytest.mark.parametrize("case", AGREED, ids=[f"{case['tag']} {number}" for number, case in enumerate(AGREED)])
def test_it_agrees_with_another_implementation(case):
    documents = decoded(case["docs"])
    if "filter" in case:
        found = list(map(Query(decoded(case["filter"])), documents))
    elif "update" in case:
        found = [Update(decoded(case["update"])).apply(documents[0])]
    else:
        found = list(stages.run(documents, decoded(case["pipeline"]), Context()))
    expected = decoded(case["answer"])
    if any(name in json.dumps(case.get("pipeline")) for name in ("$group", "$sortByCount")):  # groups come in any order
        found, expected = (sorted(each, key=lambda document: json.dumps(document, default=str)) for each in (found, expected))
    assert rounded(found) == rounded(expected)


# The page ----------------------------------------------------------------------------------------------------


def test_the_page_is_made_of_the_tables():
    text = document.PAGE.read_text("utf-8")
    assert text.split(document.MARK)[1].strip() == document.page().strip(), "run python tests/mongodb/document.py"


def names(*kinds):
    """Return the operators that tables have cases of, or tell where they are tested."""
    told = set()
    for kind in kinds:
        told |= {case["operator"] for case in TABLES[kind]["cases"]} | set(TABLES[kind].get("elsewhere", {}))
    return told


EXPRESSIONS = ("expressions", "expressions_dates", "expressions_types")


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (set(expressions.OPERATORS) - {"$const"}, names(*EXPRESSIONS)),
        (set(stages.STAGES), names("stages", "windows", "queries_places")),
        (set(accumulators.READERS), names("accumulators")),
        (set(functions.READERS), names("windows")),
        (set(operators.OPERATORS), names("updates")),
        (set(conditions.READERS) | (parser.GEO - {"$within", "$maxDistance", "$minDistance"}), names("queries", "queries_places")),
    ],
    ids=["expressions", "stages", "accumulators", "window functions", "update operators", "query operators"],
)
def test_every_operator_has_a_case(known, told):
    internal = {"$_internalSetWindowFields", "$currentOp", "$listSessions", "$listLocalSessions", "$options"}
    assert known - told - internal == set()


def test_every_command_has_a_case_or_is_refused():
    refused = set(document.refused()["Commands"])
    assert {spec.name for spec in COMMANDS.values()} - refused - names("commands") == set()


def test_what_is_tested_elsewhere_is_named_there():
    for name, file in TABLES["commands"]["elsewhere"].items():
        assert (FOLDER.parent / file).exists(), f"{name} is said to be tested in {file}"


# Laws of the order -------------------------------------------------------------------------------------------

DATES = st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9999, 12, 30)).map(
    lambda d: d.replace(microsecond=d.microsecond // 1000 * 1000)
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**63), 2**63 - 1).map(Int64),
    st.floats(),
    st.decimals(allow_nan=False, places=2, min_value=-(10**9), max_value=10**9).map(lambda d: Decimal128(str(d))),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4),
    DATES,
    st.binary(max_size=3),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.builds(Timestamp, st.integers(0, 100), st.integers(0, 9)),
    st.sampled_from([MinKey(), MaxKey(), Regex("a"), Regex("a", "i")]),
)
NAMES = st.sampled_from(["a", "b", "c", "0", "1"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)


@given(VALUES, VALUES)
def test_order_is_antisymmetric(a, b):
    assert compare(a, b) == -compare(b, a)
    assert (compare(a, b) == 0) == equal(a, b)


@given(VALUES, VALUES, VALUES)
def test_order_is_transitive(a, b, c):
    low, middle, high = sorted([a, b, c], key=sort_key)
    assert compare(low, middle) <= 0
    assert compare(middle, high) <= 0
    assert compare(low, high) <= 0


@given(VALUES, VALUES)
def test_equal_values_group_together(a, b):
    if equal(a, b):
        assert hash(sort_key(a)) == hash(sort_key(b))


@given(st.lists(DOCUMENTS, max_size=6), NAMES, st.sampled_from([1, -1]))
def test_sort_agrees_with_min_and_max_of_the_order(documents, name, way):
    order = Sort({name: way})
    arranged = sorted(documents, key=order.key)
    scalars = [document.get(name, MISSING) for document in arranged]
    assume(not any(isinstance(value, list) for value in scalars))
    keys = [sort_key(value) for value in scalars]
    assert keys == sorted(keys, reverse=way < 0)


@given(DOCUMENTS, NAMES)
def test_a_value_matches_itself(document, name):
    assume(name in document and not isinstance(document[name], (Regex, dict)))
    assert Query({name: {"$eq": document[name]}})(document)
    assert not Query({name: {"$ne": document[name]}})(document)


@given(DOCUMENTS, NAMES, SCALARS)
def test_a_condition_and_its_negation_divide_all_documents(document, name, value):
    assume(not isinstance(value, Regex))
    for condition in ({"$gt": value}, {"$lte": value}, {"$in": [value]}, {"$exists": True}, {"$type": "array"}, {"$size": 1}):
        assert Query({name: condition})(document) != Query({name: {"$not": condition}})(document)


# Nothing that is given is changed --------------------------------------------------------------------------------

EXPRESSIONS_OF_A = [
    {"$sortArray": {"input": {"$cond": [{"$isArray": "$a"}, "$a", []]}, "sortBy": -1}},
    {"$mergeObjects": [{"$cond": [{"$eq": [{"$type": "$a"}, "object"]}, "$a", {}]}, {"z": 1}]},
    {"$reverseArray": {"$cond": [{"$isArray": "$a"}, "$a", []]}},
    {"$setUnion": [[{"x": "$a"}], ["$b"]]},
    {"$map": {"input": ["$a", "$b"], "in": {"v": "$$this"}}},
    {"$setField": {"field": "n", "input": "$$ROOT", "value": "$a"}},
]


@given(DOCUMENTS, st.sampled_from(EXPRESSIONS_OF_A))
def test_expressions_leave_documents_alone(document, expression):
    before = copy.deepcopy(document)
    expressions.evaluate(expression, document)
    assert same(document, before)


PIPELINES = [
    [{"$set": {"a.x": 1, "n": "$b"}}, {"$unset": "b"}],
    [{"$unwind": {"path": "$a", "preserveNullAndEmptyArrays": True, "includeArrayIndex": "i"}}],
    [{"$project": {"a.b": 0}}],
    [{"$group": {"_id": "$a", "all": {"$push": "$$ROOT"}}}, {"$set": {"all.z": 1}}],
    [{"$replaceWith": {"$mergeObjects": ["$$ROOT", {"n": 1}]}}, {"$set": {"a": {"$ifNull": ["$b", 0]}}}],
]


@given(st.lists(DOCUMENTS, max_size=3), st.sampled_from(PIPELINES))
def test_pipelines_leave_documents_alone(documents, pipeline):
    before = copy.deepcopy(documents)
    list(stages.run(documents, pipeline, Context()))
    assert same(documents, before)


UPDATES = st.one_of(
    st.builds(lambda path, value: {"$set": {path: value}}, st.sampled_from(["a", "a.b", "b.0", "c.1.a"]), VALUES),
    st.builds(lambda path: {"$unset": {path: ""}}, st.sampled_from(["a", "a.b", "b.0"])),
    st.builds(lambda path, value: {"$push": {path: value}}, st.sampled_from(["a", "b.c"]), SCALARS),
    st.builds(lambda path, value: {"$max": {path: value}}, st.sampled_from(["a", "b.c"]), SCALARS),
    st.builds(lambda name: {"$rename": {"a": name}}, st.sampled_from(["b", "c.x"])),
)


@given(DOCUMENTS, UPDATES)
def test_updates_leave_documents_alone(document, update):
    before = copy.deepcopy(document)
    try:
        made = Update(update).apply(document)
    except MongoError:
        made = None
    assert same(document, before)
    if made is not None and "$set" in update:
        ((path, value),) = update["$set"].items()
        assert same(_at(made, path.split(".")), value)


def _at(value, parts):
    for part in parts:
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def same(a, b):
    """Return whether two values are the same in type too; NaN is itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (a != a and b != b)


@given(DOCUMENTS, st.lists(NAMES, min_size=1, max_size=3), SCALARS)
def test_what_is_put_at_a_path_can_be_taken_away(document, parts, value):
    made = put(document, parts, value)
    assert remove(made, parts) == remove(remove(made, parts), parts)


# Conflicts of paths ----------------------------------------------------------------------------------------------

PATHS = st.lists(NAMES, min_size=1, max_size=3).map(".".join)


@given(PATHS, PATHS)
def test_paths_conflict_exactly_when_one_begins_the_other(one, two):
    inside = one == two or one.startswith(two + ".") or two.startswith(one + ".")
    if one == two:
        update = {"$set": {one: 1}, "$inc": {two: 1}}
    else:
        update = {"$set": {one: 1, two: 1}}
    if inside:
        with pytest.raises(MongoError) as caught:
            Update(update)
        assert caught.value.code == 40
    else:
        Update(update)


# Windows -------------------------------------------------------------------------------------------------------

NUMBERS = st.one_of(st.integers(-100, 100), st.integers(-100, 100).map(Int64), st.floats(-1e6, 1e6), st.none(), st.just("text"))
BOUNDS = st.sampled_from(["unbounded", "current", *range(-3, 4)])


@given(st.lists(NUMBERS, max_size=12), BOUNDS, BOUNDS, st.sampled_from(["$sum", "$avg", "$min", "$max"]))
def test_a_moving_window_gives_what_adding_it_anew_gives(numbers, low, high, name):
    window = {"documents": [low, high]}
    documents = [{"_id": place, "v": value} for place, value in enumerate(numbers)]
    output = {"r": {name: "$v", "window": window}, "all": {"$push": "$v", "window": window}}
    pipeline = [{"$setWindowFields": {"sortBy": {"_id": 1}, "output": output}}]
    try:
        found = list(stages.run(documents, pipeline, Context()))
    except MongoError as error:
        assert error.code == 5339900
        return
    for each in found:
        assert same(each["r"], expressions.evaluate({name: "$all"}, each))


# Any operand at all ----------------------------------------------------------------------------------------------

WORDS = (
    "input in cond as date unit amount startDate endDate timezone format field value n p method sortBy output by range step "
    "bounds from localField foreignField pipeline let _id groupBy boundaries buckets path newRoot size coll window documents "
    "$each $sum $gt $add"
)
ARGUMENTS = st.sampled_from(WORDS.split())
PATHS_OF_A = st.sampled_from(["$a", "$a.b", "$$ROOT", "$$NOW", "$", "day", "approximate", "full"])
OPERANDS = st.recursive(
    SCALARS | PATHS_OF_A, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ARGUMENTS, inner, max_size=4), max_leaves=10
)


class Alone(Context):
    """A context with one small collection."""

    def read(self, database, collection, filter=None):
        yield {"_id": 1, "a": 5}

    def replace(self, *_):
        pass

    insert = put = replace

    def coll_stats(self):
        return {"count": 1}

    def index_stats(self):
        return ()

    current_op = list_sessions = index_stats


def refuses_at_most(function):
    """Run a function that may raise what MongoDB says, and nothing else."""
    try:
        function()
    except MongoError as error:
        assert error.code > 1


@given(st.sampled_from(sorted(expressions.OPERATORS)), OPERANDS, DOCUMENTS)
def test_an_expression_has_a_value_or_mongodbs_error(name, operand, document):
    refuses_at_most(lambda: expressions.evaluate({name: operand}, document, {"NOW": datetime.datetime(2026, 11, 20)}))


@given(st.sampled_from(sorted(stages.STAGES)), OPERANDS, DOCUMENTS)
def test_a_stage_gives_documents_or_mongodbs_error(name, operand, document):
    refuses_at_most(lambda: list(stages.run([document, {}], [{name: operand}], Alone("shop", "items"))))


@given(st.sampled_from(sorted({*conditions.READERS, *parser.GEO})), OPERANDS, DOCUMENTS)
def test_a_condition_holds_or_not_or_is_mongodbs_error(name, operand, document):
    refuses_at_most(lambda: Query({"a": {name: operand}})(document))


@given(st.sampled_from(sorted(operators.OPERATORS)), PATHS | st.sampled_from(["a.$[]", "a.$", "", "a..b", "$a"]), OPERANDS, DOCUMENTS)
def test_an_update_changes_or_is_mongodbs_error(name, path, operand, document):
    refuses_at_most(lambda: Update({name: {path: operand}}).apply(document))
