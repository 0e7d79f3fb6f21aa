"""Pictures of column families: where partitions lie on the ring, who works at which hour, how large partitions grow.

plots.partition_heat(writes)                       # writes = [("node 1", moment), ...]
plots.partition_sizes({"a day": [295, 377, ...], "a day and a bucket": [23, 19, ...]})
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from math import cos, log10, pi, sin
from statistics import median

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.dates import DateFormatter, date2num
from matplotlib.patches import Wedge

from .style import BLUE, COLOURS, GREY, INK, ORANGE, PALE, RED, YELLOW, Picture, count_on, new_picture, styled, whole

HEAT = LinearSegmentedColormap.from_list("heat", ["white", YELLOW, ORANGE, RED, "#4A1500"])
RING = 2**64  # tokens of Cassandra's Murmur3 partitioner run from -2**63 to 2**63 - 1


@styled
def token_ring(owners: Mapping[str, int], partitions: Mapping[str, int]) -> Picture:
    """The ring of tokens: an arc for what each node owns, a dot for each partition at its token.

    owners        {"node 1": token, ...}: a node owns the tokens up to its own, from that of the node before
    partitions    {"u17": token, ...}
    """
    figure = new_picture(6.2, 4.6)
    axes = figure.subplots()
    ends = sorted(owners.items(), key=lambda item: item[1])
    held = Counter()
    for place, (name, token) in enumerate(ends):
        before = ends[place - 1][1]
        first, last = _degrees(token), _degrees(before)  # clockwise, so the angle shrinks as the token grows
        axes.add_patch(Wedge((0, 0), 1, first, last if last > first else last + 360, width=0.16, color=COLOURS[place % len(COLOURS)]))
        middle = (first + (last if last > first else last + 360)) / 2
        _write(axes, middle, 0.66, name, weight="bold", color=INK)
        held[name] = sum(_owns(before, each, token) for each in partitions.values())
    for names, angle in _close_together({name: _degrees(token) for name, token in partitions.items()}):
        axes.text(*_at(angle, 1.06), names, ha="left" if cos(angle * pi / 180) > 0 else "right", va="center", color=INK)
    for token in partitions.values():
        axes.plot(*_at(_degrees(token), 0.92), "o", color="white", markeredgecolor=INK, markersize=6)
    axes.set(xlim=(-1.7, 1.7), ylim=(-1.25, 1.25), aspect="equal")
    axes.axis("off")
    nodes = f"{len(owners)} node{'s' * (len(owners) > 1)}"
    axes.set_title(f"{whole(len(partitions))} partitions on {nodes}: {', '.join(str(held[name]) for name, _ in ends)}")
    return figure


def _close_together(angles: Mapping[str, float], apart: float = 0.13) -> list[tuple[str, float]]:
    """Names and where to write them, in degrees: those that would lie over each other beside the ring share a place."""
    groups: list[list[tuple[str, float]]] = []
    for right in (True, False):
        side = [(name, angle) for name, angle in angles.items() if (cos(angle * pi / 180) > 0) == right]
        for name, angle in sorted(side, key=lambda item: sin(item[1] * pi / 180)):
            if groups and _same_line(groups[-1][0][1], angle, apart):
                groups[-1].append((name, angle))
            else:
                groups.append([(name, angle)])
    return [(", ".join(name for name, _ in group), group[0][1]) for group in groups]


def _same_line(one: float, other: float, apart: float) -> bool:
    one, other = _at(one, 1.06), _at(other, 1.06)
    return (one[0] > 0) == (other[0] > 0) and abs(one[1] - other[1]) < apart


def _owns(before: int, token: int, end: int) -> bool:
    return before < token <= end if before < end else token > before or token <= end


def _degrees(token: int) -> float:
    return 90 - 360 * (token + RING // 2) / RING


def _at(degrees: float, radius: float) -> tuple[float, float]:
    return radius * cos(degrees * pi / 180), radius * sin(degrees * pi / 180)


def _write(axes: Axes, degrees: float, radius: float, words: str, **style) -> None:
    axes.text(*_at(degrees, radius), words, ha="center", va="center", **style)


@styled
def partition_heat(panels: Mapping[str, Iterable[tuple[str, datetime]]], nodes: Iterable[str] = ()) -> Picture:
    """How many writes each node takes in each hour: a map, node by hour, for each way to choose the partition key.

    panels        {"a partition for each day": [(node, moment), ...], ...}; all moments in one time zone
    nodes         all nodes there are; without it, those that take a write
    The colours are those of the square root, so that a usual day can still be seen beside a rush.
    """
    counts = {name: Counter((node, _hour(moment)) for node, moment in writes) for name, writes in panels.items()}
    nodes = sorted({*nodes} | {node for panel in counts.values() for node, _ in panel})
    hours = sorted({hour for panel in counts.values() for _, hour in panel})
    every = [hours[0] + timedelta(hours=n) for n in range((hours[-1] - hours[0]) // timedelta(hours=1) + 1)]
    most = max(count for panel in counts.values() for count in panel.values())
    figure = new_picture(9.5, 0.7 + (0.75 + 0.2 * len(nodes)) * len(counts))
    column = figure.subplots(len(counts), 1, sharex=True, squeeze=False)[:, 0]
    edges = [date2num(hour) for hour in (*every, every[-1] + timedelta(hours=1))]
    for axes, (name, panel) in zip(column, counts.items(), strict=True):
        grid = [[panel[node, hour] for hour in every] for node in nodes]
        drawn = axes.pcolormesh(edges, range(len(nodes) + 1), grid, cmap=HEAT, norm=PowerNorm(0.5, 0, most))
        axes.set_yticks([place + 0.5 for place in range(len(nodes))], nodes)
        axes.invert_yaxis()
        axes.tick_params(length=0)
        axes.set_title(f"{name}: {_busiest(panel, nodes)}")
    column[-1].xaxis_date(tz=every[0].tzinfo)
    column[-1].xaxis.set_major_formatter(DateFormatter("%d %b", tz=every[0].tzinfo))
    figure.supxlabel("hour (UTC)", fontsize=10)
    figure.colorbar(drawn, ax=column.tolist(), label="writes per hour", aspect=12 * len(counts))
    return figure


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _busiest(panel: Counter, nodes: Sequence[str]) -> str:
    (node, hour), writes = max(panel.items(), key=lambda item: item[1])
    total = sum(panel[each, hour] for each in nodes)
    return f"in the busiest hour, {node} takes {whole(writes)} of {whole(total)} writes"


@styled
def partition_sizes(sizes: Mapping[str, Sequence[int]], unit: str = "rows") -> Picture:
    """How large the partitions of each layout are: a histogram each, on one logarithmic scale, the largest marked.

    sizes         {"a day": [295, 377, ...], ...}: the size of each partition, 1 or more, in `unit`
    """
    top = max(max(each) for each in sizes.values())
    bins = [10 ** (step / 5) for step in range(int(5 * log10(top)) + 2)]
    figure = new_picture(8, 0.7 + 1.25 * len(sizes))
    column = figure.subplots(len(sizes), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, each) in zip(column, sizes.items(), strict=True):
        axes.hist(each, bins=bins, color=BLUE)
        axes.axvline(max(each), color=RED)
        axes.axvline(median(each), color=GREY, linestyle="--")
        partitions = f"{whole(len(each))} partition{'s' * (len(each) > 1)}"
        title = f"{name}: {partitions}, half of them up to {whole(median(each))} {unit}, the largest {whole(max(each))}"
        axes.set_title(title, size=10)
        axes.set_xscale("log")
        count_on(axes.yaxis)
        axes.grid(axis="x", color=PALE)
        axes.set_axisbelow(True)
    count_on(column[-1].xaxis)
    ticks = [10**power for power in range(int(log10(top)) + 1)]
    column[-1].set_xticks(ticks, [whole(tick) for tick in ticks])
    column[-1].minorticks_off()
    column[-1].set_xlabel(f"{unit} in a partition")
    figure.supylabel("partitions", fontsize=10)
    return figure


@styled
def replicas(steps: Sequence[tuple[str, Mapping[str, object]]]) -> Picture:
    """What each replica answers after each step, a row for each replica; stale answers are red.

    steps         [("write 10", {"node 1": 10, "node 2": 10, "node 3": 11}), ...]; None is a node that is away. The value that
                  turned up last is the newest; any other is stale.
    """
    nodes = list(dict.fromkeys(node for _, answers in steps for node in answers))
    figure = new_picture(max(6, 1.5 + 1.45 * len(steps)), 1.3 + 0.45 * len(nodes))
    axes = figure.subplots()
    seen, newest, stale = set(), None, 0
    for place, (_, answers) in enumerate(steps):
        for value in answers.values():
            if value is not None and value not in seen:
                seen.add(value)
                newest = value
        for row, node in enumerate(nodes):
            value = answers.get(node)
            old = value is not None and value != newest
            stale += old
            colour = PALE if value is None else RED if old else BLUE
            axes.barh(row, 0.92, left=place - 0.46, height=0.78, color=colour)
            words, ink = ("away", INK) if value is None else (str(value), "white")
            axes.text(place, row, words, ha="center", va="center", color=ink)
    axes.set_title(f"{stale} stale answer{'s' * (stale != 1)} in {len(steps)} steps")
    axes.set_xticks(range(len(steps)), [words for words, _ in steps])
    axes.set_xlabel("step")
    axes.set_yticks(range(len(nodes)), nodes)
    axes.tick_params(length=0)
    axes.set_xlim(-0.55, len(steps) - 0.45)
    axes.set_ylim(len(nodes) - 0.5, -0.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure
