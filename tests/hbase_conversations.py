"""What happybase says to HBase, each conversation in a table of its own, with timestamps given where they are told.

    python tests/hbase_conversations.py 127.0.0.1 9090 > tests/data/hbase_2.5.8.json

records what a real HBase answers; tests/test_stores_hbase.py compares the embedded one with that.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, too

import happybase

ROWS = [f"user{n}#2026-06-{day:02}" for n in range(3) for day in range(1, 5)]
LATE = 2**41


def outcome(do):
    """The answer, or the error: its class and the words before a table's own names."""
    try:
        value = do()
    except Exception as error:
        words = getattr(error, "message", b"") or b""
        line = (words.decode() if isinstance(words, bytes) else words).split("\n")[0]
        return {"raised": type(error).__name__, "java": line.split(":")[0]}
    return value


def fill(table):
    for place, row in enumerate(ROWS):
        table.put(row, {"d:kind": "view" if place % 3 else "buy", "d:n": str(place), "m:src": "web"}, timestamp=1000 + place)


def versions(c, t):
    for moment in (30, 10, 20, 40, 20):
        t.put("r", {"d:x": f"at {moment}"}, timestamp=moment)
    yield t.cells("r", "d:x", include_timestamp=True)
    yield t.cells("r", "d:x", versions=2)
    yield t.cells("r", "d:x", timestamp=40, include_timestamp=True)
    yield t.cells("r", "d", include_timestamp=True)
    yield t.row("r", timestamp=30, include_timestamp=True)
    yield t.row("r", timestamp=10)
    yield t.rows(["r", "none", "r"], timestamp=31)
    yield t.rows(["r", "none", "r"], columns=["d:x"], include_timestamp=True)
    t.put("r", {"m:x": "one", "m:y": "two"}, timestamp=1)
    t.put("r", {"m:x": "newer"}, timestamp=2)
    yield t.cells("r", "m:x")
    yield t.cells("r", "m", include_timestamp=True)
    yield t.row("r", columns=["m"], include_timestamp=True)
    yield t.row("r", columns=["m:y", "d:none"])
    yield t.row("r", columns=["m:"])
    yield t.row("r", columns=[])
    yield t.row("none")


def empty_qualifier(c, t):
    t.put("r", {"d:": "nothing after the colon", "d:a": "1", "d:b:c": "2"}, timestamp=5)
    yield t.row("r", include_timestamp=True)
    yield t.row("r", columns=["d:"])
    yield t.row("r", columns=["d"])
    t.delete("r", columns=["d:"], timestamp=9)
    yield t.row("r")


def deletes(c, t):
    for moment in (10, 20, 30):
        t.put("r", {"d:x": str(moment), "d:y": "y", "m:z": "z"}, timestamp=moment)
    t.delete("r", columns=["d:x"], timestamp=20)
    yield t.cells("r", "d:x", include_timestamp=True)
    t.put("r", {"d:x": "hidden"}, timestamp=15)
    yield t.cells("r", "d:x", include_timestamp=True)
    t.put("r", {"d:x": "seen"}, timestamp=21)
    yield t.cells("r", "d:x", include_timestamp=True)
    t.delete("r", columns=["d"], timestamp=30)
    yield t.row("r", include_timestamp=True)
    t.delete("r", timestamp=LATE)
    yield t.row("r")
    t.put("r", {"d:x": "later than any delete"}, timestamp=LATE + 1)
    yield t.row("r", include_timestamp=True)
    t.delete("never there")
    yield list(t.scan())
    t.delete("r", columns=["d:none"])
    yield t.row("r")


def deletes_by_hand(c, t):
    client = t.connection.client
    for moment in (10, 20, 30):
        t.put("r", {"d:x": str(moment), "m:z": "z"}, timestamp=moment)
    client.deleteAllTs(t.name, "r", "d:x", 10, {})
    yield t.cells("r", "d:x", include_timestamp=True)
    client.deleteAllRowTs(t.name, "r", 20, {})
    yield t.row("r", include_timestamp=True)
    client.deleteAll(t.name, "r", "m", {})
    yield t.row("r", include_timestamp=True)
    client.deleteAllRow(t.name, "r", {})
    yield t.row("r")


def batches(c, t):
    with t.batch(timestamp=7) as batch:
        batch.put("a", {"d:x": "1"})
        batch.put("b", {"d:x": "2"})
        batch.delete("a", columns=["d:x"])
    yield list(t.scan(include_timestamp=True))
    with t.batch(timestamp=8) as batch:
        batch.delete("b", columns=["d:x"])
        batch.put("b", {"d:x": "3"})
    yield list(t.scan())
    try:
        with t.batch(transaction=True) as batch:
            batch.put("c", {"d:x": "1"})
            raise ValueError
    except ValueError:
        yield t.row("c")
    batch = t.batch()
    batch.put("good", {"d:x": "1"})
    batch.put("worse", {"nope:x": "1"})
    yield outcome(batch.send)
    yield t.row("good")
    yield outcome(lambda: t.put("half", {"d:x": "1", "nope:x": "1"}))
    yield t.row("half")
    t.connection.client.mutateRowTs(t.name, "m", [mutation("d:x", "1"), mutation("d:y", "2")], 5, {})
    t.connection.client.mutateRowTs(t.name, "m", [mutation("d:x", "new"), mutation("d", None), mutation("d:z", "3")], 9, {})
    yield t.row("m", include_timestamp=True)
    yield outcome(lambda: t.connection.client.mutateRowTs(t.name, "n", [mutation("d", "no qualifier")], 9, {}))
    yield t.row("n")


def mutation(column, value):
    from Hbase_thrift import Mutation

    return Mutation(isDelete=value is None, column=column, value=value)


def scans(c, t):
    fill(t)
    for options in (
        {}, {"row_prefix": b"user1#"}, {"row_start": "user1", "row_stop": "user1#2026-06-03"},
        {"row_start": "user1#2026-06-02", "limit": 3},
        {"row_stop": "user0#2026-06-03"}, {"row_prefix": b"none"}, {"limit": 2}, {"batch_size": 1, "limit": 3}, {"batch_size": 5},
        {"columns": ["d:n"]}, {"columns": ["m", "d:n"], "limit": 1}, {"columns": ["m:none"]}, {"timestamp": 1003},
        {"reverse": True, "limit": 2}, {"reverse": True, "row_prefix": b"user1#"}, {"reverse": True, "row_start": "user1#2026-06-03"},
        {"reverse": True, "row_start": "user1#2026-06-03", "row_stop": "user0#2026-06-04"},
        {"reverse": True, "row_start": "zzz", "limit": 1},
        {"row_start": "b", "row_stop": "a"}, {"include_timestamp": True, "limit": 1}, {"sorted_columns": True, "limit": 2},
        {"scan_batching": 2, "limit": 4}, {"scan_batching": 2, "batch_size": 3},
    ):  # fmt: skip
        yield outcome(lambda options=options: list(t.scan(**options)))


FILTERS = """
PrefixFilter('user1#')
PrefixFilter ( 'user1#' ) AND PageFilter(2)
PageFilter(3)
PageFilter(1) OR PrefixFilter('user2#2026-06-04')
InclusiveStopFilter('user0#2026-06-02')
KeyOnlyFilter() AND PageFilter(1)
FirstKeyOnlyFilter() AND PageFilter(2)
FirstKeyOnlyFilter() AND KeyOnlyFilter() AND PrefixFilter('user2')
ColumnPrefixFilter('k') AND PageFilter(2)
MultipleColumnPrefixFilter('k', 's') AND PageFilter(2)
ColumnCountGetFilter(2)
ColumnPaginationFilter(1, 1) AND PageFilter(2)
ColumnRangeFilter('k', true, 'n', false) AND PageFilter(2)
ColumnRangeFilter('k', false, 'src', true) AND PageFilter(2)
TimestampsFilter(1003, 1005)
RowFilter(=, 'substring:06-03')
RowFilter(>=, 'binary:user2#2026-06-03')
RowFilter(<, 'binaryprefix:user1')
RowFilter(=, 'regexstring:user[02].*-04$')
RowFilter(!=, 'regexstring:0[1-3]$')
FamilyFilter(=, 'binary:m') AND PageFilter(2)
QualifierFilter(=, 'binary:n') AND PageFilter(2)
QualifierFilter(>, 'binary:k') AND PageFilter(1)
ValueFilter(=, 'binary:buy')
ValueFilter(=, 'substring:UY')
ValueFilter(!=, 'binary:web') AND PageFilter(2)
ValueFilter(>, 'binary:5') AND QualifierFilter(=, 'binary:n')
SingleColumnValueFilter('d', 'kind', =, 'binary:buy')
SingleColumnValueFilter('d', 'none', =, 'binary:buy') AND PageFilter(2)
SingleColumnValueFilter('d', 'none', =, 'binary:buy', true, true)
SingleColumnValueExcludeFilter('d', 'kind', =, 'binary:buy')
PrefixFilter('user1#') AND ValueFilter(=, 'binary:view')
(PrefixFilter('user1#') OR PrefixFilter('user0#')) AND ValueFilter(=, 'binary:buy')
PrefixFilter('user0#') OR PrefixFilter('user1#') AND ValueFilter(=, 'binary:buy')
ValueFilter(=, 'binary:buy') OR QualifierFilter(=, 'binary:n')
PrefixFilter('it''s')
NoSuchFilter('x')
PrefixFilter('a'
PrefixFilter(a)
PrefixFilter('a', 'b')
PrefixFilter()
PageFilter('three')
RowFilter(=, 'user1')
RowFilter(<, 'substring:user')
'user1'
""".strip().split("\n")


def filters(c, t):
    fill(t)
    for words in FILTERS:
        yield outcome(lambda words=words: list(t.scan(filter=words)))
    for words in ("PrefixFilter('user1#')", "InclusiveStopFilter('user2#2026-06-02')", "PageFilter(2)"):
        yield outcome(lambda words=words: list(t.scan(filter=words, reverse=True)))
    yield outcome(lambda: list(t.scan(filter="PageFilter(2)", scan_batching=1)))
    yield outcome(lambda: list(t.scan(filter="ValueFilter(=, 'binary:view')", columns=["d:kind"], row_prefix=b"user2")))


def scanners(c, t):
    fill(t)
    client = t.connection.client
    for open_ in (
        lambda: client.scannerOpen(t.name, "user2", ["d:n"], {}),
        lambda: client.scannerOpenWithStop(t.name, "user0", "user0#2026-06-03", ["d:n"], {}),
        lambda: client.scannerOpenWithPrefix(t.name, "user1", ["d:n"], {}),
        lambda: client.scannerOpenTs(t.name, "", ["d:n"], 1002, {}),
        lambda: client.scannerOpenWithStopTs(t.name, "", "user1", None, 1001, {}),
    ):
        number = open_()
        yield [row.row for row in client.scannerGet(number)]
        yield [row.row for row in client.scannerGetList(number, 2)]
        yield [(row.row, sorted(row.columns)) for row in client.scannerGetList(number, 100)]
        yield [row.row for row in client.scannerGetList(number, 1)]
        client.scannerClose(number)
        yield outcome(lambda number=number: client.scannerGet(number))
        yield outcome(lambda number=number: client.scannerClose(number))


def counters(c, t):
    yield [t.counter_inc("r", "d:n", 5), t.counter_inc("r", "d:n"), t.counter_dec("r", "d:n", 10), t.counter_get("r", "d:n")]
    yield t.row("r")
    t.counter_set("r", "d:n", 2**63 - 1)
    yield t.counter_inc("r", "d:n")
    yield t.counter_get("r", "d:other")
    yield t.row("r", columns=["d:other"])
    t.put("r", {"d:text": "not a number"})
    yield outcome(lambda: t.counter_inc("r", "d:text"))
    yield outcome(lambda: t.counter_inc("r", "nope:n"))
    yield t.counter_inc("r", "d", 3)
    yield t.row("r", columns=["d:"])


def appends(c, t):
    from Hbase_thrift import TAppend, TIncrement

    client = t.connection.client
    yield [cell.value for cell in client.append(TAppend(t.name, b"r", [b"d:x", b"d:y"], [b"ab", b"1"]))]
    yield [cell.value for cell in client.append(TAppend(t.name, b"r", [b"d:x"], [b"cd"]))]
    yield t.row("r")
    client.increment(TIncrement(t.name, b"r", b"d:n", 4))
    client.incrementRows([TIncrement(t.name, b"r", b"d:n", 1), TIncrement(t.name, b"s", b"d:n", 2)])
    yield [t.counter_get("r", "d:n"), t.counter_get("s", "d:n")]


def checks(c, t):
    client = t.connection.client
    yield client.checkAndPut(t.name, "r", "d:x", None, mutation("d:x", "first"), {})
    yield client.checkAndPut(t.name, "r", "d:x", None, mutation("d:x", "second"), {})
    yield client.checkAndPut(t.name, "r", "d:x", "first", mutation("d:y", "third"), {})
    yield client.checkAndPut(t.name, "r", "d:x", "other", mutation("d:y", "fourth"), {})
    yield t.row("r")


def tables(c, t):
    name = t.name.decode()
    yield outcome(lambda: c.create_table(name, {"d": {}}))
    yield c.is_table_enabled(name)
    yield outcome(lambda: c.delete_table(name))
    yield outcome(lambda: c.enable_table(name))
    c.disable_table(name)
    yield c.is_table_enabled(name)
    yield outcome(lambda: c.disable_table(name))
    yield outcome(lambda: t.put("r", {"d:x": "1"}))
    yield outcome(lambda: t.row("r"))
    yield outcome(lambda: list(t.scan()))
    yield outcome(lambda: t.counter_inc("r", "d:n"))
    c.enable_table(name)
    t.put("r", {"d:x": "1"})
    yield t.row("r")
    gone = c.table("c_gone")
    yield outcome(lambda: gone.row("r"))
    yield outcome(lambda: gone.put("r", {"d:x": "1"}))
    yield outcome(lambda: list(gone.scan()))
    yield outcome(gone.families)
    yield outcome(gone.regions)
    for do in (c.is_table_enabled, c.enable_table, c.disable_table, c.delete_table):
        yield outcome(lambda do=do: do("c_gone"))
    for family in ({"max_versions": 0}, {"compression": "zip"}, {"bloom_filter_type": "x"}, {"time_to_live": 0}, {"max_versions": -1}):
        yield outcome(lambda family=family: c.create_table("c_bad", {"d": family}))
        if b"c_bad" in c.tables():
            yield c.table("c_bad").families()
            c.delete_table("c_bad", disable=True)
    for bad in ("a b", "-a", ".a", "ns:a", "a/b", "ü", "a:b:c", ""):
        yield outcome(lambda bad=bad: c.create_table(bad, {"d": {}}))
        if bad.encode() in c.tables():  # some of them are good
            c.delete_table(bad, disable=True)
    for bad in ("", "a b", "a/b", "a#b", ".a"):
        yield outcome(lambda bad=bad: c.create_table("c_bad", {bad: {}}))
        if b"c_bad" in c.tables():
            c.delete_table("c_bad", disable=True)
    yield c.table(f"default:{name}").row("r")
    yield {family: {**told} for family, told in t.families().items()}


def bad_arguments(c, t):
    yield outcome(lambda: t.put("", {"d:x": "1"}))
    yield outcome(lambda: t.put("r" * 40_000, {"d:x": "1"}))
    yield outcome(lambda: t.row(""))
    yield outcome(lambda: t.delete("", columns=["d:x"]))
    yield outcome(lambda: t.row("r", columns=["nope"]))
    yield outcome(lambda: t.row("r", columns=["nope:x"]))
    yield outcome(lambda: t.cells("r", "nope:x"))
    yield outcome(lambda: list(t.scan(columns=["nope:x"])))
    yield outcome(lambda: t.delete("r", columns=["nope:x"]))
    yield outcome(lambda: t.put("r", {"d:x": ""}))
    yield t.row("r")
    yield outcome(lambda: t.row("r", timestamp=0))
    yield outcome(lambda: t.row("r", timestamp=-1))
    yield outcome(lambda: t.put("r", {"d:x": "1"}, timestamp=-5))
    yield outcome(lambda: t.rows(["", "r"]))
    yield outcome(lambda: t.connection.client.getVer(t.name, "r", "d:x", 0, {}))


CONVERSATIONS = (
    versions, empty_qualifier, deletes, deletes_by_hand, batches, scans, filters, scanners, counters, appends, checks, tables,
    bad_arguments,
)  # fmt: skip


def answers(host, port, which=CONVERSATIONS):
    """{name: [answer, …]}, each ready for JSON: bytes as text, by the table c_<name>, which is made and deleted."""
    said = {}
    for conversation in which:
        name = conversation.__name__
        connection = happybase.Connection(host, port, timeout=60_000)
        if f"c_{name}".encode() in connection.tables():
            connection.delete_table(f"c_{name}", disable=True)
        connection.create_table(f"c_{name}", {"d": {"max_versions": 3}, "m": {"max_versions": 1}})
        said[name] = [plain(answer) for answer in conversation(connection, connection.table(f"c_{name}"))]
        connection.delete_table(f"c_{name}", disable=True)
        connection.close()
    return said


def plain(value):
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, dict):
        return {plain(key): plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, (list, tuple)) else value


if __name__ == "__main__":
    told = "Apache HBase 2.5.8 and its Thrift server, standalone, from the jars of Maven Central; recorded with happybase 1.3.0"
    print(json.dumps({"source": told, "answers": answers(sys.argv[1], int(sys.argv[2]))}, indent=1, ensure_ascii=False))
