"""Pictures of graphs: what a Cypher query returned, as nodes and relationships.

    found = driver.execute_query("MATCH p = (:User {user_id: 'u17'})-[:FOLLOWS]->() RETURN p", result_transformer_=neo4j.Result.graph)
    plots.graph(found)

Where the front end runs scripts the picture can be dragged and read by pointing at it, without a network. Elsewhere it is the same
picture, standing still.
"""

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import cycle
from pathlib import Path

from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch
from matplotlib.patheffects import withStroke

from .layout import layout
from .style import BLUE, GREEN, GREY, INK, ORANGE, PINK, RED, SKY, YELLOW, Picture, count_on, new_picture, styled, whole

WIDTH = 800  # of the drawing, in points that are pixels in the interactive picture
MOST = 300  # nodes: more show nothing
LABEL = 12  # height of a label, in the same points
# The shop's own labels and types look the same in every picture; others take a colour that is left.
OF_LABELS = {"User": BLUE, "Product": ORANGE, "Order": GREEN}
OF_TYPES = {"FOLLOWS": GREY, "BOUGHT": GREEN, "BOUGHT_WITH": PINK}
SPARE = (PINK, SKY, GREEN, YELLOW, GREY)
HALO = [withStroke(linewidth=2.5, foreground="white")]  # keeps a name readable where a line runs under it
SCRIPT = Path(__file__).with_name("network.js")


@dataclass
class Dot:
    """A node as it is drawn."""

    name: str  # what stands under it
    label: str
    about: str  # all it holds, for a reader who points at it
    colour: str
    x: float = 0.0
    y: float = 0.0
    radius: float = 9.0
    marked: bool = False
    named: bool = True  # there is room for its name
    above: bool = False  # the name stands above, not below


@dataclass
class Arrow:
    """A relationship as it is drawn, from one dot to another (by number)."""

    start: int
    end: int
    type: str
    about: str
    colour: str
    bend: float = 0.0  # how far its middle stands aside, as a part of its length
    marked: bool = False
    named: bool = False


@dataclass
class Drawing:
    """Everything in a picture of a graph, before it is drawn."""

    dots: list[Dot]
    arrows: list[Arrow]
    height: float = 0.0
    labels: dict[str, str] = field(default_factory=dict)  # label → colour
    types: dict[str, str] = field(default_factory=dict)  # relationship type → colour


class GraphPicture(Picture):
    """A picture of a graph that also knows how to move: `text/html` for front ends that run scripts, PNG for all others."""

    drawing: Drawing

    @cached_property
    def _png(self):
        return super()._repr_png_()

    def _repr_png_(self):
        return self._png

    def _repr_html_(self) -> str:
        image, size = self._png
        still = f'<img alt="{self.get_suptitle()}" width="{size["width"]}" src="data:image/png;base64,{b64encode(image).decode()}">'
        drawing = self.drawing
        facts = {
            "title": self.get_suptitle(),
            "width": WIDTH,
            "height": drawing.height,
            "dots": [vars(dot) for dot in drawing.dots],
            "arrows": [vars(arrow) for arrow in drawing.arrows],
            "legend": [*drawing.labels.items(), *drawing.types.items()],
            "labels": len(drawing.labels),
            "red": RED,
        }
        # "<" is written as an escape, so that no property of a node can end the script.
        data = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
        name = sha256(data.encode()).hexdigest()[:12]
        script = SCRIPT.read_text(encoding="utf-8").replace("NAME", json.dumps(name)).replace("DATA", data)
        return f'<div class="course-graph" data-name="{name}">{still}</div><script>{script}</script>'


@styled
def graph(found, caption: str | Callable = "name", mark: Iterable = ()) -> GraphPicture:
    """A graph, as nodes in the colour of their label and relationships as arrows.

    found      anything with `nodes` and `relationships`: what `neo4j.Result.graph` makes, or a Path
    caption    the property that stands under a node (where it has it), or a function from a node to text
    mark       nodes, relationships or paths to draw in red

    Raises ValueError for a graph that has no node, or more than a picture can show.
    """
    drawing = draw(found, caption, mark)
    figure = GraphPicture(figsize=(WIDTH / 100, (drawing.height + 60) / 100))
    figure.drawing = drawing
    nodes, arrows = len(drawing.dots), len(drawing.arrows)
    figure.suptitle(f"{_count(nodes, 'node')}, {_count(arrows, 'relationship')}", x=0.012, ha="left", fontsize=11, weight="bold")
    axes = figure.add_axes((0, 0, 1, drawing.height / (drawing.height + 60)))
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(drawing.height, 0)
    for arrow in drawing.arrows:
        _draw_arrow(axes, drawing, arrow)
    for dot in drawing.dots:
        _draw_dot(axes, dot)
    _draw_legend(figure, drawing)
    return figure


def draw(found, caption: str | Callable = "name", mark: Iterable = ()) -> Drawing:
    """Decide what stands where; see `graph`."""
    nodes = sorted(found.nodes, key=lambda node: _in_numbers(node.element_id))
    if not nodes:
        raise ValueError("there is no node to draw: did the query return nodes, relationships or paths?")
    if len(nodes) > MOST:
        raise ValueError(f"{len(nodes)} nodes would be a grey cloud: return at most {MOST}, for example with LIMIT")
    marked = set(_marked(mark))
    number = {node.element_id: i for i, node in enumerate(nodes)}
    labels = _colours((_label(node) for node in nodes), OF_LABELS)
    types = _colours((r.type for r in found.relationships), OF_TYPES)
    dots = [
        Dot(_caption(n, caption), _label(n), _about(_label(n), n), labels[_label(n)], marked=n.element_id in marked) for n in nodes
    ]
    relationships = sorted(found.relationships, key=lambda r: (number[r.start_node.element_id], number[r.end_node.element_id], r.type))
    arrows = [
        Arrow(number[r.start_node.element_id], number[r.end_node.element_id], r.type, _about(r.type, r), types[r.type],
              marked=r.element_id in marked)
        for r in relationships
    ]  # fmt: skip
    drawing = Drawing(dots, arrows, labels=labels, types=types)
    _place(drawing)
    _bend(arrows)
    _name(drawing)
    return drawing


def _place(drawing: Drawing) -> None:
    """Fit the layout into the page, and make the dots as large as their neighbours are many."""
    degrees = Counter(end for arrow in drawing.arrows for end in {arrow.start, arrow.end})
    places = layout(len(drawing.dots), [(arrow.start, arrow.end) for arrow in drawing.arrows])
    width, height = places.max(axis=0) - places.min(axis=0)
    # At most 130 points for an edge: two nodes should not stand at the two ends of the page.
    scale = min((WIDTH - 140) / width if width else 130, 430 / height if height else 130, 130)
    margin = (WIDTH - width * scale) / 2
    places = (places - places.min(axis=0)) * scale + (margin, 40)
    drawing.height = round(height * scale + 90)
    crowd = len(drawing.dots) > 60
    for i, dot in enumerate(drawing.dots):
        dot.x, dot.y = (round(float(value), 1) for value in places[i])
        dot.radius = round(min((5 if crowd else 9) + 1.6 * degrees[i] ** 0.5, 22), 1)


def _bend(arrows: list[Arrow]) -> None:
    """Arrows between the same two nodes take different ways."""
    together = Counter()
    number = Counter(frozenset((arrow.start, arrow.end)) for arrow in arrows)
    for arrow in arrows:
        pair = frozenset((arrow.start, arrow.end))
        if number[pair] > 1:
            # Every arrow bends to the left as it sees it, so that there and back are apart; a third one bends more.
            same_way = (arrow.start, arrow.end)
            arrow.bend = 0.12 + 0.12 * together[same_way]
            together[same_way] += 1


def _name(drawing: Drawing) -> None:
    """Name as many dots as there is room for, the best connected first; and the arrows, if they are few."""
    taken = [(dot.x - dot.radius, dot.y - dot.radius, dot.x + dot.radius, dot.y + dot.radius) for dot in drawing.dots]
    for dot in sorted(drawing.dots, key=lambda dot: (not dot.marked, -dot.radius)):
        half, height = 0.29 * LABEL * len(dot.name) + 3, LABEL + 3
        for above, top in ((False, dot.y + dot.radius + 2), (True, dot.y - dot.radius - 2 - height)):
            box = (dot.x - half, top, dot.x + half, top + height)
            dot.named = box[0] > 0 and box[2] < WIDTH and not any(_overlap(box, other) for other in taken)
            if dot.named:
                dot.above = above
                taken.append(box)
                break
    for arrow in drawing.arrows:
        x, y = _middle(drawing, arrow)
        half = 0.27 * LABEL * len(arrow.type) + 2
        box = (x - half, y - LABEL / 2, x + half, y + LABEL / 2)
        # A type that all arrows share stands in the legend, and that is enough.
        arrow.named = len(drawing.types) > 1 and len(drawing.arrows) <= 16 and not any(_overlap(box, other) for other in taken)
        if arrow.named:
            taken.append(box)


def _overlap(one, other) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _middle(drawing: Drawing, arrow: Arrow) -> tuple[float, float]:
    """The middle of an arrow, which stands aside if it bends."""
    a, b = drawing.dots[arrow.start], drawing.dots[arrow.end]
    return (a.x + b.x) / 2 + (b.y - a.y) * arrow.bend / 2, (a.y + b.y) / 2 - (b.x - a.x) * arrow.bend / 2


def _draw_arrow(axes, drawing: Drawing, arrow: Arrow) -> None:
    start, end = drawing.dots[arrow.start], drawing.dots[arrow.end]
    colour = RED if arrow.marked else arrow.colour
    faint = len(drawing.arrows) > 150 and not arrow.marked
    points = 0.72  # a pixel of the drawing, in matplotlib's points
    axes.add_patch(
        FancyArrowPatch(
            (start.x, start.y), (end.x, end.y), connectionstyle=f"arc3,rad={-arrow.bend}", arrowstyle="-|>",
            mutation_scale=7 if faint else 10, shrinkA=start.radius * points + 1, shrinkB=end.radius * points + 2, color=colour,
            linewidth=2.2 if arrow.marked else 0.6 if faint else 1.1, alpha=0.45 if faint else 1, zorder=2 if arrow.marked else 1,
        )
    )  # fmt: skip
    if arrow.named:
        x, y = _middle(drawing, arrow)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
        axes.text(x, y, arrow.type, ha="center", va="center", fontsize=7, color=GREY if not arrow.marked else RED, bbox=box, zorder=3)


def _draw_dot(axes, dot: Dot) -> None:
    size = (2 * dot.radius * 0.72) ** 2
    edge = RED if dot.marked else "white"
    axes.scatter([dot.x], [dot.y], s=size, color=dot.colour, edgecolor=edge, linewidth=2.2 if dot.marked else 1.2, zorder=4)
    if dot.named:
        aside = -dot.radius - 3 if dot.above else dot.radius + 3
        upright = "bottom" if dot.above else "top"
        axes.text(dot.x, dot.y + aside, dot.name, ha="center", va=upright, fontsize=8.5, color=INK, zorder=5, path_effects=HALO)


def _draw_legend(figure, drawing: Drawing) -> None:
    labels = [Line2D([], [], linestyle="", marker="o", markersize=8, color=c, label=name) for name, c in drawing.labels.items()]
    types = [Line2D([], [], color=c, label=name) for name, c in drawing.types.items()]
    entries = labels + types
    figure.legend(handles=entries, loc="upper right", ncols=len(entries), fontsize=9, handlelength=1.4, columnspacing=1.4)


def _marked(mark) -> Iterable[str]:
    """The ids of nodes, relationships and whatever lies on paths."""
    for thing in [mark] if hasattr(mark, "nodes") else mark:
        if hasattr(thing, "start_node") and hasattr(thing, "relationships"):  # a path
            yield from (part.element_id for part in (*thing.nodes, *thing.relationships))
        else:
            yield thing.element_id


def _colours(names: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """A colour for each name, the most frequent first."""
    frequent = [name for name, _ in sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))]
    spare = cycle(colour for colour in SPARE if colour not in map(known.get, frequent))
    return {name: known.get(name) or next(spare) for name in frequent}


def _label(node) -> str:
    return sorted(node.labels)[0] if node.labels else "no label"


def _caption(node, caption) -> str:
    if callable(caption):
        return str(caption(node))
    ids = (value for key, value in sorted(node.items()) if key.endswith("_id"))
    value = node.get(caption) or node.get("name") or next(ids, None) or next(iter(node.values()), "")
    return str(value)


def _about(kind: str, thing: Mapping) -> str:
    return "  ·  ".join([kind, *(f"{key}: {value}" for key, value in sorted(thing.items()))])


def _in_numbers(element_id: str) -> tuple:
    """Element ids in the order in which people count: 2 before 10."""
    return tuple((part.isdigit(), int(part) if part.isdigit() else part) for part in element_id.replace("#", "").split(":"))


def _count(number: int, thing: str) -> str:
    return f"{whole(number)} {thing}" if number == 1 else f"{whole(number)} {thing}s"


@styled
def by_depth(counts: Mapping[str, Sequence[int]], unit: str) -> Picture:
    """How something grows with the number of hops, a line for each way of counting; the scale is logarithmic.

    counts        {"paths": [7, 35, 149], "people": [7, 26, 61]}, a number for each depth from 1 on
    """
    figure = new_picture(8, 3.4)
    axes = figure.subplots()
    markers = dict(zip(counts, "osD^vP", strict=False))
    for name, numbers in counts.items():
        depths = range(1, len(numbers) + 1)
        axes.plot(depths, numbers, marker=markers[name], markersize=5, label=name)
    deepest = max(map(len, counts.values()))
    ends = [f"{name}: {whole(numbers[-1])}" for name, numbers in counts.items() if len(numbers) == deepest]
    axes.set_title(f"After {_count(deepest, 'hop')}, {'; '.join(ends)}")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: whole(value))
    axes.minorticks_off()
    axes.grid(axis="y", color="#E8E8E8")
    axes.set_axisbelow(True)
    axes.set_xlabel("hops at most")
    axes.set_ylabel(unit)
    count_on(axes.xaxis)
    figure.legend(loc="outside right center")
    return figure
