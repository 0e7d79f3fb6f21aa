"""Where nbgrader finds the course: its four steps mapped onto our folders.

    nbgrader's step   folder                who fills it
    source            solutions/            python -m course build
    release           exercises/            python -m course build
    submitted         grader/submitted/     the instructor (<student>/<assignment>/<notebook>.ipynb)
    autograded        grader/autograded/    python -m course grade, or nbgrader autograde
    feedback          grader/feedback/      python -m course grade, or nbgrader generate_feedback

nbgrader, Formgrader and the Validate button read this file when they are started in this folder.
"""

import os
import sys
from pathlib import Path

root = Path(__file__).resolve().parent
if str(root) not in sys.path:
    sys.path.append(str(root))               # nbgrader's own program does not look here for the package grader

from grader.autograde import AUTOGRADE_STEPS  # noqa: E402
from grader.feedback import FEEDBACK_STEPS  # noqa: E402
from grader.page import TEMPLATES  # noqa: E402
from grader.release import RELEASE_STEPS  # noqa: E402

# nbgrader calls the program `alembic` when it makes or upgrades a gradebook; it lives beside this Python.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
# Kernels that nbgrader starts for a submission run in the submission's folder and import `course` and `stores`.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))

c = get_config()  # noqa: F821 (nbgrader defines it)
c.CourseDirectory.course_id = "nosql"
c.CourseDirectory.root = str(root)
c.CourseDirectory.db_url = f"sqlite:///{(root / 'grader' / 'gradebook.db').as_posix()}"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.submitted_directory = "grader/submitted"
c.CourseDirectory.autograded_directory = "grader/autograded"
c.CourseDirectory.feedback_directory = "grader/feedback"
# Two steps that the course does not use; their defaults would collide with the folders above.
c.CourseDirectory.solution_directory = "grader/solution"
c.CourseDirectory.source_with_tests_directory = "grader/source_with_tests"

c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
c.GenerateAssignment.preprocessors = RELEASE_STEPS   # the same bytes as `python -m course build`
c.Execute.timeout = 60
# `nbgrader autograde` and Formgrader with the engine of `python -m course grade`: fast, each submission in a sandbox.
if os.environ.get("COURSE_AUTOGRADE", "") == "sandboxed":      # or take this line away, to have it so always
    c.Autograde.autograde_preprocessors = AUTOGRADE_STEPS
c.GenerateFeedback.preprocessors = FEEDBACK_STEPS    # the same page as `python -m course grade`
c.GenerateFeedback.HTMLExporter.template_name = "course_feedback"
c.GenerateFeedback.HTMLExporter.extra_template_basedirs = [str(TEMPLATES)]
c.AsPage.root = str(root)
