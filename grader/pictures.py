"""The pictures of the class report, in the style of the course's own."""

import base64
from statistics import median

from markupsafe import Markup

from course.plots.style import BLUE, GREEN, GREY, INK, ORANGE, PALE, RED, Picture, count_on, new_picture, styled
from grader.figures import TaskFigures


@styled
def distribution(scores: list[float], points: float) -> Picture:
    """How many students have how many points; ten bars, the last one closed."""
    figure = new_picture(8, 2.8)
    axes = figure.subplots()
    axes.hist(scores, bins=[points * i / 10 for i in range(11)], color=BLUE, edgecolor="white")
    middle = median(scores)
    axes.axvline(middle, color=INK, linewidth=1.2, linestyle="--")
    axes.set_title(f"Half of the class has {middle:g} of {points:g} points or more")
    axes.set_xlabel("points")
    axes.set_ylabel("students")
    axes.set_xlim(0, points)
    count_on(axes.yaxis)
    return figure


@styled
def success(tasks: list[TaskFigures]) -> Picture:
    """Of each task, the shares of the class with full marks, some, none, and without an attempt."""
    figure = new_picture(8, 0.9 + 0.42 * len(tasks))
    axes = figure.subplots()
    parts = [("full marks", GREEN, "full"), ("some points", ORANGE, "partly"), ("none", RED, "none"),
             ("not attempted", PALE, "untouched")]
    names = [f"{task.number} {shortened(task.title)}" for task in tasks]
    left = [0.0] * len(tasks)
    for label, colour, attribute in parts:
        shares = [100 * getattr(task, attribute) / max(1, task.full + task.partly + task.none + task.untouched) for task in tasks]
        axes.barh(names, shares, left=left, color=colour, label=label, height=0.7)
        for i, share in enumerate(shares):
            if share >= 8:
                ink = INK if colour in (PALE, ORANGE) else "white"
                axes.text(left[i] + share / 2, i, f"{share:.0f}", ha="center", va="center", color=ink)
        left = [start + share for start, share in zip(left, shares, strict=True)]
    hardest = min(tasks, key=lambda task: task.mean / (task.points or 1))
    axes.set_title(f"Hardest: {hardest.number} {shortened(hardest.title)}, {hardest.mean:.1f} of {hardest.points:g} points on average",
                   pad=26)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of those who handed in")
    axes.legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1.0), fontsize=9, handlelength=1)
    return figure


@styled
def minutes(tasks: list[TaskFigures], spent: dict[str, list[float]]) -> Picture:
    """Minutes that students spent on each task, as far as their notebooks know: each a dot, the median a line."""
    tasks = [task for task in tasks if spent.get(task.number)]
    figure = new_picture(8, 0.9 + 0.42 * len(tasks))
    axes = figure.subplots()
    for i, task in enumerate(tasks):
        axes.plot(spent[task.number], [i] * len(spent[task.number]), "o", color=GREY, alpha=0.35, markersize=5, markeredgewidth=0)
        axes.plot([task.minutes] * 2, [i - 0.3, i + 0.3], color=BLUE, linewidth=3)
    longest = max(tasks, key=lambda task: task.minutes)
    axes.set_title(f"Longest: {longest.number} {shortened(longest.title)}, about {longest.minutes:.0f} minutes")
    axes.set_yticks(range(len(tasks)), [f"{task.number} {shortened(task.title)}" for task in tasks])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("minutes between the runs of its cells")
    return figure


def shortened(title: str, length: int = 34) -> str:
    return title if len(title) <= length else f"{title[:length - 1]}…"


def inline(figure: Picture, what: str) -> Markup:
    """An <img> that holds the picture itself."""
    png, size = figure._repr_png_()
    image = Markup('<img src="data:image/png;base64,{}" width="{}" height="{}" alt="{}">')
    return image.format(base64.b64encode(png).decode(), size["width"], size["height"], what)
