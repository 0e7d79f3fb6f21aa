"""The pictures of the document chapters draw the numbers they are given."""

import matplotlib.text
from matplotlib.colors import to_hex

from course import plots
from course.plots.documents import DOCUMENT_LIMIT


def texts(figure) -> str:
    figure.draw_without_rendering()
    return "\n".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def dots(figure) -> list[tuple[float, int, str]]:
    """(moment, row, colour) of every attempt drawn."""
    return [(line.get_xdata()[0], line.get_ydata()[0], to_hex(line.get_color()).upper())
            for line in figure.axes[0].lines if line.get_marker() == "o"]


def test_growth_says_when_the_fastest_reaches_the_limit():
    figure = plots.document_growth({"array": [n * DOCUMENT_LIMIT // 1000 for n in range(1, 101)], "bucket": [10_000] * 100})
    assert "array: at this rate the limit of 16 MiB is reached after 1,000 events" in texts(figure)


def test_growth_draws_each_way_in_mebibytes():
    figure = plots.document_growth({"array": [1024 * 1024, 2 * 1024 * 1024], "bucket": [1024 * 1024] * 2})
    array, bucket = figure.axes[0].lines
    assert list(array.get_ydata()) == [1, 2] and list(bucket.get_ydata()) == [1, 1]
    assert "array: 2.0 MiB" in texts(figure) and "bucket: 1.0 MiB" in texts(figure)


def test_retries_end_with_the_first_attempt_that_is_served():
    figure = plots.retries({"patient": [1, 1, 1, 1]}, outage=1.5)
    assert dots(figure) == [(0, 0, plots.RED), (1, 0, plots.RED), (2, 0, plots.GREEN)]
    assert "served after 2.0 s" in texts(figure) and "1 of 1 clients get through" in texts(figure)


def test_a_client_without_pauses_gives_up():
    figure = plots.retries({"hasty": [0, 0, 0], "patient": [3]}, outage=2)
    assert "gave up after 0.0 s" in texts(figure) and "1 of 2 clients get through" in texts(figure)
    assert {colour for _, row, colour in dots(figure) if row == 0} == {plots.RED}


def test_an_attempt_at_the_moment_the_server_is_back_is_served():
    assert "served after 2.0 s" in texts(plots.retries({"exact": [2]}, outage=2.0))
