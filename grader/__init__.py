"""Grading a class: sanitise → execute → record.

    intake     what Canvas, Moodle or anybody packed → submitted/, by the roster
    collect    which file is whose notebook
    sanitise   a readable copy of it whose check cells are the instructor's
    execute    that copy with outputs: notebook in, notebook out, no gradebook in reach
    record     scores and comments into nbgrader's gradebook, by nbgrader's own steps
    journal    who is done, and what for
    results    what came of each task: feedback (a page for the student), report, overview and exports (for the instructor) show it

`grade.py` joins them; `python -m course grade` is in `cli.py`. nbgrader stays the format: its own commands and Formgrader work
on the same folders (see nbgrader_config.py).
"""

import sys

# jsonschema, which nbformat and nbgrader import, would build a grammar of international addresses: longer than all other imports
# together, and no notebook's schema asks for it.
sys.modules.setdefault("rfc3987_syntax", None)
