"""Writes what docs/mongodb.md tells of commands, stages and operators, from the tables of cases.

    python tests/mongodb/document.py

What stands above the mark in the page is written by hand, what stands below it is made here.
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent.parent)]
from table import tables  # noqa: E402

from stores.mongodb import accumulators, expressions, stages  # noqa: E402
from stores.mongodb.commands.refused import refuse, refuse_search  # noqa: E402
from stores.mongodb.commands.registry import COMMANDS  # noqa: E402

PAGE = FOLDER.parent.parent / "docs" / "mongodb.md"
MARK = "<!-- What follows is made by tests/mongodb/document.py from the tables in tests/mongodb. -->"
ORDER = (
    *("commands", "stages", "accumulators", "windows", "expressions", "expressions_dates", "expressions_types"),
    *("queries", "queries_places", "projections", "updates"),
)


def page():
    """Return the generated part of the page."""
    found = tables()
    rows = [_chapter(found[name]) for name in (*ORDER, *sorted(set(found) - set(ORDER)))]
    count = sum(len(table["cases"]) for table in found.values())
    head = f"""## What is supported

{count} cases in `tests/mongodb/*.yaml`, run through the real PyMongo, stand behind this table. Each file says where its expected
answers come from. What is not named is refused: an unknown stage with 40324, an unknown expression with 168, an unknown command
with 59, an unknown operator of a query with 2, of an update with 9.
"""
    return "\n".join([head, *rows, _refused()])


def _chapter(table):
    partly, elsewhere, counts = table.get("partly", {}), table.get("elsewhere", {}), {}
    for case in table["cases"]:
        if not case.get("embedded"):
            counts.setdefault(case["operator"], []).append(case)
    lines = [f"### {table['kind']}\n", f"Source: {table['source']}\n", "| | support | cases |", "|---|---|---|"]
    names = sorted({*counts, *elsewhere, *(name for name in partly)}, key=lambda name: (not name.startswith("$"), name.lower()))
    for name in names:
        support = f"partly: {partly[name]}" if name in partly else "yes"
        shown = str(len(counts[name])) if name in counts else f"`tests/{elsewhere[name]}`" if name in elsewhere else "1"
        lines.append(
            f"| `{name}` | {support} | {shown} |"
            if name.startswith("$") or table["kind"] == "Commands"
            else f"| {name} | {support} | {shown} |"
        )
    return "\n".join(lines) + "\n"


def refused():
    """Return {kind: {name: why}} of what MongoDB has and the embedded engine refuses."""
    commands = {spec.name: "the embedded engine has none of it" for spec in COMMANDS.values() if spec.handler is refuse}
    commands.update({spec.name: "search indexes are Atlas'" for spec in COMMANDS.values() if spec.handler is refuse_search})
    return {
        "Stages": stages.base.REFUSED,
        "Expressions": expressions.REFUSED,
        "Accumulators": accumulators.REFUSED,
        "Query operators": {"$where": "it runs JavaScript on the server"},
        "Commands": commands,
    }


def _refused():
    lines = [
        "### Refused\n",
        'Each with MongoDB\'s own code and a message that says "not in the embedded engine".\n',
        "| | |",
        "|---|---|",
    ]
    for kind, names in refused().items():
        by_reason = {}
        for name, why in names.items():
            by_reason.setdefault(why, []).append(f"`{name}`")
        lines += [f"| {kind}: {', '.join(sorted(found))} | {why} |" for why, found in by_reason.items()]
    return "\n".join(lines) + "\n"


def main():
    """Write the page anew."""
    above = PAGE.read_text("utf-8").split(MARK)[0] if PAGE.exists() else ""
    PAGE.write_text(f"{above}{MARK}\n\n{page()}", "utf-8")


if __name__ == "__main__":
    main()
