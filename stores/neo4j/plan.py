"""The engine's profile, a text, as the tree of operators that a Neo4j driver gives in `summary.profile`.

    + MATCH NODE (p:Person) [index: Person[i]] (6μs, 1 rows)
    + EXPAND PATH (p)-[:KNOWS*1..3]->(x) (9μs, 30 rows)
    + FINAL PROJECTION [c] (0μs, 1 rows)

becomes ProduceResults ← VarLengthExpand(All) ← NodeIndexSeek. Database hits are not in it: the engine counts none.
"""

import re

LINE = re.compile(r"^(?:\+ )?(?P<step>.+?)(?: \([\d.,]+(?:μs|ms|s)(?:, (?P<rows>[\d,]+) rows)?.*\))?$")
ESTIMATE = re.compile(r"\brows=(\d+)")
# What a step begins with, and Neo4j's name for it. The first that fits counts.
OPERATORS = [
    (r"MATCH NODE .*\[index", "NodeIndexSeek"),
    (r"MATCH NODE \(\w*\)", "AllNodesScan"),
    (r"MATCH NODE", "NodeByLabelScan"),
    (r"MATCH RELATIONSHIP", "Expand(All)"),
    (r"EXPAND PATH", "VarLengthExpand(All)"),
    (r"(ALL )?SHORTEST PATH", "ShortestPath"),
    (r"OPTIONAL MATCH", "Optional"),
    (r"FILTER", "Filter"),
    (r"(GROUP BY )?AGGREGATION", "EagerAggregation"),
    (r"FINAL PROJECTION", "ProduceResults"),
    (r"PROJECT|WITH", "Projection"),
    (r"ORDER|OrderBy", "Sort"),
    (r"LIMIT", "Limit"),
    (r"SKIP", "Skip"),
    (r"DISTINCT", "Distinct"),
    (r"UNWIND", "Unwind"),
    (r"COUNT", "CountFromStore"),
    (r"CREATE", "Create"),
    (r"MERGE", "Merge"),
    (r"SET", "SetProperties"),
    (r"DETACH DELETE", "DetachDelete"),
    (r"DELETE", "Delete"),
    (r"EAGER", "Eager"),
]
OPERATORS = [(re.compile(pattern), name) for pattern, name in OPERATORS]
NOT_STEPS = tuple("+ DUMMY|Estimated|Total Estimated|Steps After|Execution|Using|Physical|Rows Returned|No execution".split("|"))


def tree(plan):
    """Return the engine's plan (a dict whose args hold its text) as nested operators, the last step as the root."""
    text = plan.get("args", {}).get("string-representation", "")
    steps = [step for step in map(_step, _lines(text)) if step]
    root = None
    for step in steps:
        root = {**step, "children": [root] if root else []}
    if root is None:
        root = {"operatorType": "ProduceResults", "args": {}, "identifiers": [], "children": []}
    root["identifiers"] = plan.get("identifiers", [])
    root["args"]["string-representation"] = text
    return root


def total(plan, key):
    """Return the sum of `key` ("rows", "dbHits") over a profiled plan's operators, or None when none tells it."""
    if not plan:
        return None
    told = [plan.get(key), *(total(child, key) for child in plan.get("children", ()))]
    told = [number for number in told if number is not None]
    return sum(told) if told else None


def _lines(text):
    for line in text.split("\n")[2:]:  # a title and its underline stand first
        if line.strip() and not line.startswith((*NOT_STEPS, " ", "-", "=")):
            yield line


def _step(line):
    match = LINE.match(line)
    step = match["step"]
    operator = next((name for pattern, name in OPERATORS if pattern.match(step)), re.split(r"[ (\[]", step)[0])
    found = {"operatorType": operator, "args": {"Details": step}, "identifiers": []}
    if match["rows"]:
        found["rows"] = found["args"]["Rows"] = int(match["rows"].replace(",", ""))
    elif estimate := ESTIMATE.search(step):
        found["args"]["EstimatedRows"] = float(estimate[1])
    return found
