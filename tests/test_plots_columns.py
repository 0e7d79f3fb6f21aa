"""Pictures of column families: what the cells, arcs and bars say is what was measured."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_hex
from matplotlib.patches import Wedge

from course import plots

NOON = datetime(2026, 6, 19, 12, tzinfo=UTC)
LAST = 2**63 - 1


def mesh(axes) -> np.ndarray:
    (drawn,) = [artist for artist in axes.get_children() if isinstance(artist, QuadMesh)]
    return drawn.get_array()


def titles(figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]


# -- heat -------------------------------------------------------------------------------------


def test_a_cell_for_each_node_and_hour_counts_its_writes():
    writes = [("node 2", NOON), ("node 2", NOON + timedelta(minutes=59)), ("node 1", NOON + timedelta(hours=2))]
    figure = plots.partition_heat({"a day": writes}, nodes=["node 1", "node 2", "node 3"])
    assert mesh(figure.axes[0]).tolist() == [[0, 0, 1], [2, 0, 0], [0, 0, 0]]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["node 1", "node 2", "node 3"]


def test_the_title_tells_the_share_of_the_busiest_node_in_its_hour():
    writes = [("node 1", NOON)] * 3 + [("node 2", NOON)] * 2 + [("node 2", NOON + timedelta(hours=1))] * 2
    assert titles(plots.partition_heat({"by day": writes}))[0] == "by day: in the busiest hour, node 1 takes 3 of 5 writes"


def test_panels_share_nodes_hours_and_colours():
    figure = plots.partition_heat({"one": [("node 1", NOON)] * 9, "other": [("node 2", NOON + timedelta(hours=3))]})
    one, other = figure.axes[:2]
    assert mesh(one).shape == mesh(other).shape == (2, 4)
    (first,), (second,) = ([artist for artist in axes.get_children() if isinstance(artist, QuadMesh)] for axes in (one, other))
    assert first.norm.vmax == second.norm.vmax == 9


# -- sizes ------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=50))
def test_every_partition_is_in_the_histogram(sizes):
    figure = plots.partition_sizes({"user": sizes})
    (axes,) = figure.axes
    assert sum(bar.get_height() for bar in axes.patches) == len(sizes)
    assert f"the largest {max(sizes):,}" in axes.get_title(loc="left")


def test_the_largest_is_marked_in_red():
    (axes,) = plots.partition_sizes({"user": [1, 5, 900]}).axes
    (red,) = [line for line in axes.lines if to_hex(line.get_color()).upper() == plots.RED]
    assert list(red.get_xdata()) == [900, 900]


# -- the ring ---------------------------------------------------------------------------------


def test_an_arc_for_each_node_and_a_share_of_the_partitions():
    owners = {"node 1": -(2**63), "node 2": 0, "node 3": 2**62}
    partitions = {"a": -1, "b": 0, "c": 1, "d": LAST, "e": -(2**63)}  # a node owns its own token, the first what is behind the last
    figure = plots.token_ring(owners, partitions)
    (axes,) = figure.axes
    arcs = [arc for arc in axes.patches if isinstance(arc, Wedge)]
    assert [arc.theta2 - arc.theta1 for arc in arcs] == pytest.approx([90, 180, 90])
    assert axes.get_title(loc="left") == "5 partitions on 3 nodes: 2, 2, 1"


def test_one_node_owns_the_whole_ring():
    figure = plots.token_ring({"node 1": 0}, {"a": 5, "b": -5})
    assert figure.axes[0].get_title(loc="left") == "2 partitions on 1 node: 2"
    (arc,) = [arc for arc in figure.axes[0].patches if isinstance(arc, Wedge)]
    assert arc.theta2 - arc.theta1 == pytest.approx(360)


@pytest.mark.parametrize("seed", range(12))
def test_names_on_the_ring_do_not_lie_over_each_other(seed):
    tokens = np.random.default_rng(seed).integers(-(2**63), LAST, 12)
    names = {f"u{n}": int(token) for n, token in enumerate(tokens)}
    figure = plots.token_ring({f"node {n + 1}": -(2**63) + n * 2**64 // 6 for n in range(6)}, names)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    written = [text for text in figure.axes[0].texts if not text.get_text().startswith("node")]
    assert sorted(", ".join(text.get_text() for text in written).split(", ")) == sorted(names)
    boxes = [text.get_window_extent(renderer).padded(-1) for text in written]
    assert not any(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[:n])
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)


# -- replicas ---------------------------------------------------------------------------------


def test_stale_answers_are_red_and_counted():
    answers = [{"a": 9, "b": 9}, {"a": 8, "b": 9}, {"a": 8, "b": None}, {"a": 8, "b": 8}]
    figure = plots.replicas(list(zip(["at first", "sold", "stopped", "repaired"], answers, strict=True)))
    (axes,) = figure.axes
    colours = [to_hex(bar.get_facecolor()).upper() for bar in axes.patches]
    assert colours.count(plots.RED) == 1 and colours.count(plots.PALE) == 1
    assert axes.get_title(loc="left") == "1 stale answer in 4 steps"
    assert [text.get_text() for text in axes.texts] == ["9", "9", "8", "9", "8", "away", "8", "8"]
