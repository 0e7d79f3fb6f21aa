"""A scan of an index that others write to: the index at each step, and what the scan made of it.

    plots.index_scan(scan)

The scan is one of course.simulate.index_scan, usually come to its end.
"""

from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from .style import BLUE, GREEN, INK, ORANGE, PALE, RED, Picture, new_picture, styled

BEFORE, NOW, MOVED, WRONG, AHEAD = GREEN, BLUE, ORANGE, RED, PALE
KINDS = (
    ("returned now", NOW),
    ("returned before", BEFORE),
    ("not read yet", AHEAD),
    ("has just moved", MOVED),
    ("twice, or missed", WRONG),
)


@styled
def index_scan(scan) -> Picture:
    """The entries of the index in their order, a row for each step from top to bottom; lines follow those that moved."""
    frames = scan.frames
    widest = max((len(frame.entries) for frame in frames), default=1)
    figure = new_picture(max(6.5, min(11, 1.8 + 0.75 * widest)), 1.5 + 0.52 * len(frames))
    axes = figure.subplots()
    for row, frame in enumerate(frames):
        _draw_row(axes, row, frame, _colours(scan, row))
        _draw_moves(axes, row, frames[row - 1] if row else frame, frame)
    axes.set_title(_what_came_of_it(scan))
    axes.set_xlim(-0.6, max(widest, 4) - 0.4)
    axes.set_ylim(len(frames) - 0.45, -0.55)
    names = ["begin", *(f"step {row}" for row in range(1, len(frames)))]
    axes.set_yticks(range(len(frames)), [*names[:-1], "end"] if scan.done else names)
    axes.set_xticks([])
    axes.set_xlabel(f"entries of the index on {', '.join(scan.index.fields)}, in their order")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.legend(handles=[Patch(facecolor=colour, label=kind) for kind, colour in KINDS], loc="outside lower center", ncols=3)
    return figure


def _colours(scan, row: int) -> dict:
    """{id: its colour} in one row."""
    frame = scan.frames[row]
    before = [each.returned for each in scan.frames[:row]]
    at_end = scan.done and row == len(scan.frames) - 1
    colours = {}
    for entry in frame.entries:
        if frame.returned == entry.id:
            colours[entry.id] = WRONG if entry.id in before else NOW
        elif at_end and entry.id in scan.missed:
            colours[entry.id] = WRONG
        elif entry.id in frame.moved:
            colours[entry.id] = MOVED
        elif entry.id in scan.missed and frame.last is not None and entry <= frame.last:
            colours[entry.id] = WRONG  # the scan will not come back
        else:
            colours[entry.id] = BEFORE if entry.id in before else AHEAD
    return colours


def _draw_row(axes: Axes, row: int, frame, colours: dict) -> None:
    for place, entry in enumerate(frame.entries):
        colour = colours[entry.id]
        axes.add_patch(Rectangle((place - 0.42, row - 0.33), 0.84, 0.66, facecolor=colour, linewidth=0, zorder=2))
        dark = colour in (AHEAD, MOVED)
        label = str(entry.id) if entry.key == (entry.id,) else f"{entry.id}\n{', '.join(map(str, entry.key))}"
        axes.text(place, row, label, color=INK if dark else "white", ha="center", va="center", fontsize=8, linespacing=1.0, zorder=3)
    if frame.last is not None:  # the scan stands behind the entry that it read last
        place = sum(entry <= frame.last for entry in frame.entries) - 0.5
        axes.plot([place, place], [row - 0.42, row + 0.42], color=INK, linewidth=2, solid_capstyle="butt", zorder=4)


def _draw_moves(axes: Axes, row: int, previous, frame) -> None:
    was = {entry.id: place for place, entry in enumerate(previous.entries)}
    for place, entry in enumerate(frame.entries):
        if entry.id in frame.moved and entry.id in was:
            axes.plot([was[entry.id], place], [row - 0.67, row - 0.33], color=ORANGE, linewidth=1.5, zorder=1)


def _what_came_of_it(scan) -> str:
    returned = len(scan.returned)
    told = [f"{', '.join(map(str, scan.twice))} twice"] if scan.twice else []
    if scan.missed:
        told.append(f"{', '.join(map(str, scan.missed))} {'is' if len(scan.missed) == 1 else 'are'} missed")
    if told:
        return f"{returned} documents returned: {'; '.join(told)}"
    return f"{returned} of {len(scan.collection.documents)} documents returned, each once"
