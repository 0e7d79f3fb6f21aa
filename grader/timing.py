"""How long a student worked, as far as the notebook knows: JupyterLab can note when each cell was run last (`recordTiming`)."""

import json
from datetime import datetime
from itertools import pairwise

from grader.assignment import CHECK_ID, Assignment

PAUSE = 20 * 60            # seconds; a longer gap between two runs is counted as this: somebody went away
CLAIMS = ("iopub.execute_input", "shell.execute_reply")


def seconds_spent(notebooks: dict[str, bytes], assignment: Assignment) -> dict[str, float]:
    """Task's number → seconds. The time before a run of a cell counts for the task of that cell; {} if nothing was noted."""
    spent: dict[str, float] = {}
    for name, content in notebooks.items():
        numbers = {task.name: task.number for task in assignment.masters[name].tasks.values()}
        runs = sorted(_runs(content))
        for (before, _), (after, task) in pairwise(runs):
            if task in numbers:
                spent[numbers[task]] = spent.get(numbers[task], 0) + min((after - before).total_seconds(), PAUSE)
    return spent


def _runs(content: bytes) -> list[tuple[datetime, str]]:
    """(when, name of the task or "") of each cell that says when it was run. The metadata are the student's and may be anything."""
    try:
        cells = json.loads(content.decode("utf-8-sig"), strict=False)["cells"]
        return [(when, _task(cell)) for cell in cells for when in _times(cell)]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []


def _times(cell: dict) -> list[datetime]:
    noted = cell["metadata"].get("execution") or {}
    times = [datetime.fromisoformat(noted[claim]) for claim in CLAIMS if claim in noted]
    return [time for time in times if time.tzinfo is not None]


def _task(cell: dict) -> str:
    grade_id = str((cell["metadata"].get("nbgrader") or {}).get("grade_id", ""))
    match = CHECK_ID.fullmatch(grade_id)
    return match["task"] if match else grade_id
