"""The pictures of the chapter about queries draw the numbers they are given."""

import matplotlib.text
import pytest
from matplotlib.colors import to_hex

from course import plots
from course.plots.style import BLUE, GREEN, GREY, PALE
from course.simulate.index_scan import Collection


def texts(figure) -> str:
    figure.draw_without_rendering()
    return "\n".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def bars(figure) -> list[tuple[float, str]]:
    """(width, colour) of every bar, from top to bottom."""
    placed = sorted(figure.axes[0].patches, key=lambda bar: bar.get_y())
    return [(bar.get_width(), to_hex(bar.get_facecolor()).upper()) for bar in placed]


COSTS = {
    "no index": {"totalKeysExamined": 0, "totalDocsExamined": 12_000, "nReturned": 10},
    "a, b": {"totalKeysExamined": 189, "totalDocsExamined": 12, "nReturned": 10},
}


def test_a_pipeline_has_a_bar_for_each_stage_and_another_colour_for_the_collection():
    figure = plots.pipeline({"the collection": 12_000, "1 $match": 1504, "2 $limit": 5})
    assert bars(figure) == [(12_000, PALE), (1504, BLUE), (5, BLUE)]
    assert "12,000 documents go in, 5 come out" in texts(figure) and "1,504" in texts(figure)


def test_a_pipeline_that_lets_nothing_through_says_so():
    assert "7 documents go in, 0 come out" in texts(plots.pipeline({"the collection": 7, "1 $match": 0}))


def test_examined_draws_keys_documents_and_results_of_each_index():
    figure = plots.examined(COSTS)
    assert bars(figure) == [(0, GREY), (12_000, BLUE), (10, GREEN), (189, GREY), (12, BLUE), (10, GREEN)]
    assert figure.axes[0].get_xscale() == "log"


def test_examined_names_the_index_that_reads_the_fewest_documents():
    assert "10 results: 'a, b' reads 12 documents" in texts(plots.examined(COSTS))


def test_paging_draws_the_pages_that_were_measured():
    figure = plots.paging({"skip": {20: 1200, 40: 2400}, "keyset": {20: 61, 40: 62}}, 60)
    skip, keyset = figure.axes[0].lines
    assert (list(skip.get_xdata()), list(skip.get_ydata())) == ([20, 40], [1200, 2400])
    assert (list(keyset.get_xdata()), list(keyset.get_ydata())) == ([20, 40], [61, 62])


def test_paging_compares_the_last_page():
    told = texts(plots.paging({"skip": {2: 120, 200: 12_000}, "keyset": {2: 61, 200: 61}}, 60))
    assert "Page 200 of 60 documents: 12,000 keys by skip, 61 keys by keyset" in told
    assert "skip: 12,000" in told and "keyset: 61" in told


@pytest.mark.parametrize(("step", "colour"), [(3, plots.ORANGE), (4, plots.RED), (5, plots.RED)])
def test_an_entry_that_moved_behind_the_scan_is_lost_from_the_next_step_on(step, colour):
    def write(orders, n):
        if n == 3:
            orders.update("e", total=5)

    orders = Collection([{"_id": _id, "total": 10 * n} for n, _id in enumerate("abcde", 1)], ["total"], write)
    scan = orders.find(index="total")
    assert len(list(scan)) == 4 and scan.missed == ["e"]
    figure = plots.index_scan(scan)
    (label,) = [text for text in figure.axes[0].texts if text.get_text().startswith("e\n") and text.get_position()[1] == step]
    middles = {patch: (patch.get_x() + 0.42, patch.get_y() + 0.33) for patch in figure.axes[0].patches}
    (box,) = [patch for patch, middle in middles.items() if middle == pytest.approx(label.get_position())]
    assert to_hex(box.get_facecolor()).upper() == colour
