"""Pictures of graphs: where things stand, what is drawn, and that no node's name can break out of the page."""

import shutil
import subprocess
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.patches import FancyArrowPatch

from course import plots
from course.plots.layout import layout
from course.plots.network import draw


class Properties(dict):
    """As the driver's entities: a mapping of properties, with more beside them."""


def node(number, label="User", **properties):
    found = Properties(properties or {"name": f"user {number}"})
    found.element_id, found.labels = f"4:ab-c:{number}", frozenset([label])
    return found


def relationship(number, start, end, kind="FOLLOWS", **properties):
    found = Properties(properties)
    found.element_id, found.type, found.start_node, found.end_node = f"5:ab-c:{number}", kind, start, end
    return found


@dataclass
class Found:
    nodes: list
    relationships: list = field(default_factory=list)


def ring(size):
    nodes = [node(i) for i in range(size)]
    return Found(nodes, [relationship(i, nodes[i], nodes[(i + 1) % size]) for i in range(size)])


# -- layout -----------------------------------------------------------------------------------


@given(st.integers(1, 25).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))))))
def test_every_graph_gets_a_place_for_each_node_and_the_same_one_each_time(graph):
    size, edges = graph
    places = layout(size, edges)
    assert places.shape == (size, 2) and np.isfinite(places).all()
    assert np.array_equal(places, layout(size, edges))
    apart = [np.linalg.norm(a - b) for a, b in combinations(places, 2)]
    assert min(apart, default=1) > 0.15


def test_distance_on_the_page_is_distance_in_the_graph():
    places = layout(6, [(i, i + 1) for i in range(5)])
    for i, j in combinations(range(6), 2):
        assert np.linalg.norm(places[i] - places[j]) == pytest.approx(j - i, rel=0.02)


def test_parts_stand_side_by_side():
    places = layout(9, [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 6), (6, 3)])   # a triangle, a square and two single nodes
    boxes = [(places[part].min(axis=0), places[part].max(axis=0)) for part in ([0, 1, 2], [3, 4, 5, 6], [7], [8])]
    for (low, high), (other_low, other_high) in combinations(boxes, 2):
        assert (high < other_low).any() or (other_high < low).any()


# -- what is drawn ----------------------------------------------------------------------------


def test_a_dot_for_each_node_and_an_arrow_for_each_relationship():
    figure = plots.graph(ring(5))
    (axes,) = figure.axes
    assert len([artist for artist in axes.get_children() if isinstance(artist, PathCollection)]) == 5
    assert len([artist for artist in axes.get_children() if isinstance(artist, FancyArrowPatch)]) == 5
    assert figure.get_suptitle() == "5 nodes, 5 relationships"


def test_labels_and_types_have_their_own_colours_and_the_shops_are_always_the_same():
    user, product, other = node(1), node(2, "Product"), node(3, "Topic")
    found = Found([user, product, other], [relationship(1, user, product, "BOUGHT"), relationship(2, user, other, "LIKES")])
    drawing = draw(found)
    assert drawing.labels["User"] == plots.BLUE and drawing.labels["Product"] == plots.ORANGE
    assert len({*drawing.labels.values()}) == 3 and len({*drawing.types.values()}) == 2


def test_what_is_marked_is_red():
    graph = ring(4)
    drawing = draw(graph, mark=[graph.nodes[0], graph.relationships[2]])
    assert [dot.marked for dot in drawing.dots] == [True, False, False, False]
    assert [arrow.marked for arrow in drawing.arrows].count(True) == 1
    figure = plots.graph(graph, mark=graph.relationships[2:3])
    arrows = [artist for artist in figure.axes[0].get_children() if isinstance(artist, FancyArrowPatch)]
    assert [to_hex(arrow.get_edgecolor()).upper() for arrow in arrows].count(plots.RED) == 1


def test_arrows_there_and_back_take_different_ways():
    one, other = node(1), node(2)
    drawing = draw(Found([one, other], [relationship(1, one, other), relationship(2, other, one)]))
    assert all(arrow.bend > 0 for arrow in drawing.arrows)
    assert [arrow.bend for arrow in draw(ring(3)).arrows] == [0, 0, 0]


def test_the_caption_may_be_a_property_or_a_function():
    found = Found([node(1, user_id="u1", name="Ann"), node(2, user_id="u2"), node(3, city="Oslo")])
    assert [dot.name for dot in draw(found).dots] == ["Ann", "u2", "Oslo"]
    assert [dot.name for dot in draw(found, caption="user_id").dots] == ["u1", "u2", "Oslo"]
    assert [dot.name for dot in draw(found, caption=len).dots] == ["2", "1", "1"]


def test_no_name_lies_over_another():
    centre = node(0)
    leaves = [node(i, name="a rather long name") for i in range(1, 40)]
    figure = plots.graph(Found([centre, *leaves], [relationship(i, centre, leaf) for i, leaf in enumerate(leaves)]))
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    boxes = [text.get_window_extent(renderer) for text in figure.axes[0].texts]
    assert len(boxes) > 8
    assert not [1 for a, b in combinations(boxes, 2) if a.padded(-1).overlaps(b.padded(-1))]


def test_too_little_and_too_much_say_what_to_do():
    with pytest.raises(ValueError, match="did the query return"):
        plots.graph(Found([]))
    with pytest.raises(ValueError, match="LIMIT"):
        plots.graph(Found([node(i) for i in range(301)]))


# -- the page ---------------------------------------------------------------------------------


def test_a_name_cannot_end_the_script():
    html = plots.graph(Found([node(1, name="</script><script>alert(1)</script><!--")]))._repr_html_()
    assert html.count("<script>") == html.count("</script>") == 1
    assert "<!--" not in html and "alert(1)" in html


def test_the_page_holds_the_still_picture_and_asks_nobody_else():
    figure = plots.graph(ring(5))
    html = figure._repr_html_()
    assert 'src="data:image/png;base64,' in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    image, size = figure._repr_png_()
    assert image.startswith(b"\x89PNG") and size["width"] == 800


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_the_script_is_javascript(tmp_path):
    html = plots.graph(ring(5))._repr_html_()
    script = tmp_path / "network.js"
    script.write_text(html.split("<script>")[1].split("</script>")[0], encoding="utf-8")
    subprocess.run(["node", "--check", script], check=True)


# -- growth by depth --------------------------------------------------------------------------


def test_by_depth_draws_a_line_for_each_count():
    figure = plots.by_depth({"paths": [7, 35, 149], "people": [7, 26, 61]}, "rows")
    (axes,) = figure.axes
    assert [list(line.get_ydata()) for line in axes.lines] == [[7, 35, 149], [7, 26, 61]]
    assert list(axes.lines[0].get_xdata()) == [1, 2, 3] and axes.get_yscale() == "log"
    assert axes.get_title(loc="left") == "After 3 hops, paths: 149; people: 61"
