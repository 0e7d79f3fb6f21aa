"""Pictures of a log-structured merge tree: where each version of each key lies, and what a read costs.

    tree = LSMTree(memtable_limit=4)
    plots.sorted_runs(tree)
    plots.sorted_runs({"before": before, "after": tree.layout()})      # before = tree.layout(), some steps ago

The tree is one of course.simulate.lsm.
"""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from .style import BLUE, GREY, INK, ORANGE, PALE, RED, SKY, Picture, count_on, new_picture, styled, whole

VALUE, HIDDEN, TOMBSTONE, MEMTABLE = BLUE, PALE, RED, SKY
FITS = 26  # columns of keys that can still be named


@styled
def sorted_runs(trees) -> Picture:
    """The memtable and the sorted runs as rows, newest on top, a cell for each entry in the column of its key.

    trees         a tree, a `layout()` of one, or {"before": layout, "after": tree} for panels one above the other
    """
    panels = dict(trees) if isinstance(trees, Mapping) else {"": trees}
    rows = {name: _rows(tree) for name, tree in panels.items()}
    keys = sorted({entry.key for panel in rows.values() for _, entries in panel for entry in entries})
    widths = [max(len(str(key)), 3) for key in keys]
    figure = new_picture(min(11, max(6, 3 + 0.13 * sum(widths))), 1.0 + sum(0.42 * len(panel) + 0.75 for panel in rows.values()))
    heights = [len(panel) + 0.5 for panel in rows.values()]
    column = figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (name, panel) in zip(column, rows.items(), strict=True):
        _draw_rows(axes, panel, keys)
        axes.set_title(_what_lies_where(name, panels[name]))
    column[-1].set_xlabel("key")
    kinds = (("value", VALUE), ("in the memtable", MEMTABLE), ("older version", HIDDEN), ("tombstone", TOMBSTONE))
    handles = [Patch(facecolor=colour, label=kind) for kind, colour in kinds]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def _layout(tree):
    return tree.layout() if hasattr(tree, "layout") else tree


def _rows(tree) -> list[tuple[str, Sequence]]:
    """[("memtable", entries), ("run 3", entries), ...], newest first; the runs of a level lie apart and share a row."""
    memtable, runs = _layout(tree)
    rows = [("memtable", memtable)] + [(f"run {run.number}", run.entries) for run in runs if not run.level]
    for level in sorted({run.level for run in runs} - {0}):
        here = [run for run in runs if run.level == level]
        rows.append((f"level {level}: {_count(len(here), 'run')}", [entry for run in here for entry in run.entries]))
    return rows


def _draw_rows(axes: Axes, rows, keys) -> None:
    newest = {}  # key: the rank of the version that a reader sees
    for _, entries in rows:
        for entry in entries:
            if entry.beats(newest.get(entry.key)):
                newest[entry.key] = entry
    place = {key: column for column, key in enumerate(keys)}
    for row, (name, entries) in enumerate(rows):
        axes.axhline(row, color=PALE, linewidth=0.8, zorder=0)
        for entry in entries:
            seen = newest[entry.key] is entry
            colour = TOMBSTONE if entry.is_tombstone else HIDDEN if not seen else MEMTABLE if name == "memtable" else VALUE
            corner = place[entry.key] - 0.44, row - 0.36
            axes.add_patch(Rectangle(corner, 0.88, 0.72, facecolor=colour, alpha=1 if seen else 0.5, linewidth=0))
            if len(keys) <= FITS:
                _write(axes, entry, place[entry.key], row, INK if not seen or colour == SKY else "white")
    axes.set_xlim(-0.6, max(len(keys), 1) - 0.4)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set_xticks(range(len(keys)), keys) if len(keys) <= FITS else axes.set_xticks([])
    axes.tick_params(length=0, labelbottom=True)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _write(axes: Axes, entry, x: float, y: float, colour: str) -> None:
    words = "✕" if entry.is_tombstone else str(entry.value)
    axes.text(x, y, words if len(words) <= 6 else words[:5] + "…", color=colour, ha="center", va="center", fontsize=8)


def _what_lies_where(name: str, tree) -> str:
    memtable, runs = _layout(tree)
    entries = [*memtable, *(entry for run in runs for entry in run.entries)]
    tombstones = sum(entry.is_tombstone for entry in entries)
    said = f"{whole(len(entries))} {'entry' if len(entries) == 1 else 'entries'} of {_count(len({e.key for e in entries}), 'key')}"
    said += f" in {_count(len(runs), 'run')}" + (f", {_count(tombstones, 'tombstone')}" if tombstones else "")
    return f"{name}: {said}" if name else said


def _count(number: int, noun: str) -> str:
    return f"{whole(number)} {noun}{'' if number == 1 else 's'}"


@styled
def read_amplification(runs: Sequence[int], read: Mapping[str, Sequence[float]]) -> Picture:
    """Runs that one lookup reads, against the number of runs there are, a line for each kind of lookup.

    runs          how many runs there were, at each measurement
    read          {"a key that exists": [1.0, 1.5, ...], "absent, bloom filter": [0.0, 0.01, ...]}, averages
    """
    worst, best = (pick(read.items(), key=lambda item: item[1][-1]) for pick in (max, min))
    figure = new_picture(8, 3.2)
    axes = figure.subplots()
    for (name, counts), marker in zip(read.items(), "os^Dv<>" * len(read), strict=False):
        axes.plot(runs, counts, "-", marker=marker, markersize=4, label=name)
    title = f"Of {_count(runs[-1], 'run')}, {worst[0]} reads {worst[1][-1]:.3g}"
    axes.set_title(title + (f",\n{best[0]} {best[1][-1]:.2g}" if best[1][-1] < worst[1][-1] else ""))
    axes.set_xlabel("runs in the tree")
    axes.set_ylabel("runs read per lookup")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color=PALE)
    count_on(axes.xaxis)
    count_on(axes.yaxis)
    figure.legend(loc="outside right upper")
    return figure


@styled
def amplification(costs: Mapping[str, tuple[float, float, float]]) -> Picture:
    """What each way to compact costs: {"size-tiered": (runs read, entries rewritten, entries stored), ...}, all as ratios."""
    names = list(costs)
    figure = new_picture(9, 1.2 + 0.45 * len(names))
    panels = figure.subplots(1, 3, sharey=True)
    kinds = ("runs read\nper lookup", BLUE), ("entries rewritten\nper entry written", ORANGE), ("entries stored\nper live key", GREY)
    for axes, (kind, colour), values in zip(panels, kinds, zip(*costs.values(), strict=True), strict=True):
        drawn = axes.barh(names, values, height=0.6, color=colour)
        axes.bar_label(drawn, labels=[f"{value:.1f}" for value in values], padding=3)
        axes.set_xlabel(kind)
        axes.margins(x=0.18)
        count_on(axes.xaxis)
    panels[0].invert_yaxis()  # the first on top
    figure.supylabel("compaction", fontsize=10)
    reads, writes = (min(names, key=lambda name: costs[name][place]) for place in (0, 1))
    figure.suptitle(f"{reads} reads least, {writes} rewrites least", x=0.01, ha="left", fontsize=11, weight="bold")
    return figure
