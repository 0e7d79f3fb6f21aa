"""Each picture draws the numbers it is given: the artists are measured, not only made."""

import io
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from itertools import combinations

import matplotlib
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.transforms import Bbox

from course import plots, shopstream
from course.simulate.index_scan import Collection
from course.simulate.lsm import Leveled, LSMTree

CROWD = [(f"reader-{n}", "GET page:p7") for n in range(1, 21)] + [
    ("reader-1", "SET lock:page:p7 token"), ("reader-1", "load"), ("reader-1", "return what it loaded"),
    ("reader-1", 'SET page:p7 {"name"'), ("reader-1", "DEL lock:page:p7"),
]  # fmt: skip
RATIOS = {"LRU": [0.2, 0.5, 0.8], "optimal": [0.4, 0.7, 0.9]}


def tree(*steps: str, keys: int = 0, **options) -> LSMTree:
    """A tree after steps such as "u1=Ada", "u1 x" (delete), "flush", "compact", and after `keys` puts."""
    made = LSMTree(memtable_limit=10, grace=0, clock=lambda: 0.0, **options)
    for step in steps:
        key, sign, value = step.partition("=") if "=" in step else step.partition(" ")
        made.put(key, value) if sign == "=" else made.delete(key) if sign else getattr(made, step)()
    for n in range(keys):
        made.put(f"user{n * 7 % 40}", n)
    return made


def scan(size: int, writes: dict):
    """A scan of orders by their total, to its end; writes = {step: (id, new total)}."""
    orders = Collection(
        [{"_id": chr(96 + n), "total": 10 * n} for n in range(1, size + 1)],
        ["total"],
        lambda orders, step: orders.update(writes[step][0], total=writes[step][1]) if step in writes else None,
    )
    made = orders.find(index="total")
    list(made)
    return made


STEPS = ("u1=Ada", "u2=Bo", "u5=Eve", "flush", "u1=Ada L", "u3=Cy", "flush", "u2 x", "flush", "u7=Gwendolyn")


# Writes of three hours: with the day as the key one node takes all, with a bucket they take turns.
HOURS = [datetime(2026, 6, 19, hour, 30, tzinfo=UTC) for hour in (11, 12, 12, 12, 13)]
DAY_KEY = [("node 2", hour) for hour in HOURS]
BUCKET_KEY = [(f"node {n % 2 + 1}", hour) for n, hour in enumerate(HOURS)]

# One of each, small and large, to look at what is true of all pictures.
EXAMPLES = {
    "month": lambda: plots.month(shopstream.load()),
    "bucket_occupancy": lambda: plots.bucket_occupancy([0, 1, 3, 1]),
    "bucket_occupancy large": lambda: plots.bucket_occupancy([0, 1, 2, 3] * 256),
    "log_size": lambda: plots.log_size([10, 20, 30, 12, 22], [10, 10, 10, 12, 12]),
    "log_size plain": lambda: plots.log_size([100_000 * n for n in range(1, 400)]),
    "keys_in_memory": lambda: plots.keys_in_memory({"lazy only": [1, 2, 3], "lazy and active": [1, 1, 1]}),
    "keys_in_memory large": lambda: plots.keys_in_memory({"lazy only": range(0, 90_000, 30)}, step=100),
    "command_order": lambda: plots.command_order([("one", "GET a"), ("other", "GET a"), ("one", "SET a 1")]),
    "command_order large": lambda: plots.command_order([(f"reader-{n % 8}", f"GET k{n}") for n in range(16)]),
    "hit_ratio": lambda: plots.hit_ratio([10, 100, 1000], {f"skew {n}": RATIOS for n in (0.6, 1.0, 1.4)}),
    "hit_ratio single": lambda: plots.hit_ratio([10, 100, 1000], {"skew 1.0": RATIOS}),
    "herd": lambda: plots.herd({"same TTL": [0, 12_000, 0, 0], "TTL ± 10 %": [3, 2, 4, 3]}),
    "herd of four": lambda: plots.herd({f"way {n}, with and without a lock": [0, n, 0] for n in range(4)}),
    "round_trips": lambda: plots.round_trips([1, 10, 100], {"a GET each": [0.001, 0.01, 0.1], "one MGET": [0.001, 0.001, 0.002]}),
    "schedule": lambda: plots.schedule(CROWD, "20 readers, 1 load"),
    "document_growth": lambda: plots.document_growth({"in one array": range(8_000, 1_400_000, 8_000), "in buckets": [400_000] * 170}),
    "pipeline": lambda: plots.pipeline({"the collection": 12_000, "1 $match": 1504, "2 $group": 303, "3 $limit": 5}),
    "examined": lambda: plots.examined({name: {"totalKeysExamined": 189, "totalDocsExamined": read, "nReturned": 10}
                                        for name, read in (("no index", 12_000), ("type, time", 287), ("type, amount, time", 10))}),
    "paging": lambda: plots.paging({"skip": {n: 60 * n for n in range(20, 201, 20)}, "keyset": {20: 61, 200: 61}}, 60),
    "retries": lambda: plots.retries({"no pause": [0, 0], "doubling": [0.1, 0.2, 0.4, 0.8, 1.6, 3.2]}, outage=2),
    "sorted_runs": lambda: plots.sorted_runs({"before": tree(*STEPS), "after": tree(*STEPS, "compact")}),
    "sorted_runs large": lambda: plots.sorted_runs(tree(keys=300, compaction=Leveled(run_limit=5, fanout=3))),
    "sorted_runs empty": lambda: plots.sorted_runs(tree()),
    "index_scan": lambda: plots.index_scan(scan(5, {3: ("d", 5)})),
    "index_scan large": lambda: plots.index_scan(scan(12, {3: ("l", 5), 5: ("a", 95), 8: ("b", 500)})),
    "index_scan empty": lambda: plots.index_scan(scan(0, {})),
    "read_amplification": lambda: plots.read_amplification([1, 4, 9], {"a present key": [1, 2, 5.1], "an absent key": [0, 0.1, 0.2]}),
    "amplification": lambda: plots.amplification({"size-tiered": (4.0, 3.2, 2.0), "leveled": (1.5, 9.7, 1.1), "none": (40, 1, 9)}),
    "partition_heat": lambda: plots.partition_heat({"a day": DAY_KEY, "a bucket": BUCKET_KEY}),
    "partition_heat single": lambda: plots.partition_heat({"a day": DAY_KEY}, nodes=["node 1", "node 2", "node 3"]),
    "partition_sizes": lambda: plots.partition_sizes({"user": [1, 13, 1649], "day": [295, 1482], "day and bucket": [23] * 40}),
    "partition_sizes single": lambda: plots.partition_sizes({"user": [1]}, unit="bytes"),
    "replicas": lambda: plots.replicas([("at first", {"node 1": 9, "node 2": 9}), ("sold", {"node 1": 8, "node 2": 9})]),
    "replicas away": lambda: plots.replicas([(f"step {n}\nof ten", {"node 1": n, "node 2": None}) for n in range(10)]),
    "bars": lambda: plots.bars({"no cache": 100, "a name that takes quite some room": 12_345.6}, "A title", "queries"),
}


@pytest.fixture(params=EXAMPLES)
def picture(request) -> plots.Picture:
    return EXAMPLES[request.param]()


def heights(axes) -> list[float]:
    return [bar.get_height() for bar in axes.patches]


def texts(figure) -> str:
    figure.draw_without_rendering()
    return "\n".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


# -- true of every picture --------------------------------------------------------------------


def test_every_axis_is_named_and_every_picture_has_a_title(picture):
    titles = [axes.get_title(loc="left") for axes in picture.axes] + [picture.get_suptitle()]
    assert any(titles)
    for axes in picture.axes:
        x_names = [sibling.get_xlabel() for sibling in axes.get_shared_x_axes().get_siblings(axes)]
        y_names = [sibling.get_ylabel() for sibling in axes.get_shared_y_axes().get_siblings(axes)]
        assert picture.get_supxlabel() or any(x_names)
        assert picture.get_supylabel() or any(y_names) or any(label.get_text() for label in axes.get_yticklabels())


def test_no_text_runs_off_the_page_or_into_another(picture):
    renderer = FigureCanvasAgg(picture).get_renderer()
    picture.draw(renderer)
    page = picture.bbox.padded(1)
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in drawn_texts(picture)]
    assert len(boxes) > 5
    for words, box in boxes:
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, f"{words!r} runs off"
    for (words, box), (other_words, other_box) in combinations(boxes, 2):
        shared = Bbox.intersection(box, other_box)
        assert shared is None or min(shared.width, shared.height) < 1.5, f"{words!r} lies over {other_words!r}"


def drawn_texts(picture) -> list:
    """All texts but the labels of ticks outside of an axis' limits, which matplotlib keeps and does not draw."""
    idle = set()
    for axes in picture.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low <= tick.get_loc() <= high:
                    idle |= {tick.label1, tick.label2}
    texts = picture.findobj(matplotlib.text.Text)
    return [text for text in texts if text.get_text().strip() and text.get_visible() and text not in idle]


def test_a_picture_is_a_white_png_at_twice_the_size_it_is_shown(picture):
    with matplotlib.rc_context({"savefig.facecolor": "black", "figure.facecolor": "black", "text.color": "white"}):
        png, shown = picture._repr_png_()
    pixels = matplotlib.image.imread(io.BytesIO(png))
    height, width, _ = pixels.shape
    assert (width, height) == (2 * shown["width"], 2 * shown["height"])
    assert (pixels[0, 0] == 1).all() and pixels.min() < 0.2  # a white corner, and ink somewhere


def test_pictures_look_the_same_in_a_dark_notebook():
    light = plots.bars({"a": 1}, "Title", "things")._repr_png_()
    with matplotlib.style.context("dark_background"):
        assert plots.bars({"a": 1}, "Title", "things")._repr_png_() == light


def test_nobody_elses_settings_change():
    before = dict(matplotlib.rcParams)
    plots.herd({"same TTL": [0, 12_000, 0, 0]})._repr_png_()
    assert dict(matplotlib.rcParams) == before


def test_pictures_need_no_pyplot():
    code = "import sys; from course import plots; plots.bars({'a': 1}, '', '')._repr_png_()"
    code += "; print('matplotlib.pyplot' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_the_palette_can_be_told_apart_in_grey():
    """Neighbours in the cycle differ in lightness too, for readers who see no colour at all."""

    def lightness(colour: str) -> float:
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), matplotlib.colors.to_rgb(colour), strict=True))

    for one, other in zip(plots.COLOURS, plots.COLOURS[1:], strict=False):
        assert abs(lightness(one) - lightness(other)) > 0.05


# -- the shop ---------------------------------------------------------------------------------


def test_month_draws_every_hour_and_every_user():
    shop = shopstream.load()
    hours, users = plots.month(shop).axes
    per_hour = Counter(event.timestamp.replace(minute=0, second=0, microsecond=0) for event in shop.events)
    (area,) = hours.collections
    assert area.get_datalim(hours.transData).y1 == max(per_hour.values())
    assert f"{max(per_hour.values()):,} events" in hours.get_title(loc="left")
    assert "flash sale\n19 June, 12:00" in [text.get_text() for text in hours.texts]
    dots = next(line for line in users.lines if line.get_label() == "a user")
    assert list(dots.get_ydata()) == sorted(Counter(e.user_id for e in shop.events).values(), reverse=True)
    star = users.lines[-1]
    assert (list(star.get_xdata()), list(star.get_ydata())) == ([1], [len(shop.events_of("u23"))])


# -- key-value stores -------------------------------------------------------------------------


def test_bucket_occupancy_draws_a_bar_for_each_bucket_and_marks_collisions():
    figure = plots.bucket_occupancy([0, 1, 3, 1])
    (axes,) = figure.axes
    assert heights(axes) == [0, 1, 3, 1]
    assert [to_hex(bar.get_facecolor()).upper() == plots.RED for bar in axes.patches][1:] == [False, True, False]
    assert axes.get_title(loc="left") == "5 keys in 4 buckets (load factor 1.25):\n3 share a bucket, 1 bucket is empty"


def test_log_size_marks_each_compaction():
    sizes, live = [10, 20, 30, 12, 22, 9], [10, 10, 10, 12, 12, 9]
    (axes,) = plots.log_size(sizes, live).axes
    log, latest, *marks = axes.lines
    assert list(log.get_ydata()) == sizes and list(latest.get_ydata()) == live
    assert list(log.get_xdata()) == [1, 2, 3, 4, 5, 6]
    assert [mark.get_xdata()[0] for mark in marks] == [4, 6]
    assert axes.get_title(loc="left") == "30 bytes at most, 9 after 2 compactions"


def test_log_size_without_compaction_says_so():
    (axes,) = plots.log_size([10, 20, 2000]).axes
    assert len(axes.lines) == 1
    assert axes.get_title(loc="left") == "Without compaction, 3 writes fill 2,000 bytes"


def test_keys_in_memory_draws_a_line_for_each_way():
    (axes,) = plots.keys_in_memory({"lazy only": [5, 9], "lazy and active": [5, 6]}, step=100).axes
    assert [list(line.get_ydata()) for line in axes.lines] == [[5, 9], [5, 6]]
    assert list(axes.lines[0].get_xdata()) == [100, 200]
    assert axes.get_title(loc="left") == "lazy only: 9 keys at most; lazy and active: 6 keys at most"


def test_command_order_puts_each_command_in_the_row_of_its_client():
    figure = plots.command_order([("one", "GET a"), ("other", "GET a"), ("one", "SET a 1")])
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "other"]
    assert [(text.get_text(), text.xy) for text in axes.texts] == [("GET a", (1, 0)), ("GET a", (2, 1)), ("SET a 1", (3, 0))]


@pytest.mark.parametrize(
    ("steps", "title", "colours"),
    [
        (STEPS, "7 entries of 5 keys in 3 runs, 1 tombstone",
         [("Gwend…", plots.SKY), ("✕", plots.RED), ("Ada L", plots.BLUE), ("Cy", plots.BLUE),
          ("Ada", plots.PALE), ("Bo", plots.PALE), ("Eve", plots.BLUE)]),
        ((*STEPS, "compact"), "4 entries of 4 keys in 1 run",
         [("Gwend…", plots.SKY), ("Ada L", plots.BLUE), ("Cy", plots.BLUE), ("Eve", plots.BLUE)]),
    ],
)  # fmt: skip
def test_sorted_runs_draws_each_version_in_the_column_of_its_key(steps, title, colours):
    (axes,) = plots.sorted_runs(tree(*steps)).axes
    drawn = [(text.get_text(), to_hex(cell.get_facecolor()).upper()) for text, cell in zip(axes.texts, axes.patches, strict=True)]
    assert drawn == colours
    assert axes.get_title(loc="left") == title
    columns = [label.get_text() for label in axes.get_xticklabels()]
    for text in axes.texts:
        assert columns[round(text.get_position()[0])] in ("u1", "u2", "u3", "u5", "u7")
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows == ["memtable", *(["run 4"] if "compact" in steps else ["run 3", "run 2", "run 1"])]


def test_read_amplification_says_what_its_last_numbers_are():
    (axes,) = plots.read_amplification([1, 4, 9], {"present": [1, 2, 5.1], "absent": [0, 0.1, 0.2]}).axes
    assert [list(line.get_ydata()) for line in axes.lines] == [[1, 2, 5.1], [0, 0.1, 0.2]]
    assert axes.get_title(loc="left") == "Of 9 runs, present reads 5.1,\nabsent 0.2"


def test_amplification_has_a_panel_for_each_cost():
    figure = plots.amplification({"size-tiered": (4.0, 3.2, 2.0), "leveled": (1.5, 9.7, 1.1)})
    assert [[bar.get_width() for bar in axes.patches] for axes in figure.axes] == [[4.0, 1.5], [3.2, 9.7], [2.0, 1.1]]
    assert figure.get_suptitle() == "leveled reads least, size-tiered rewrites least"


@pytest.mark.parametrize(
    ("size", "writes", "title", "rows"),
    [
        (3, {}, "3 of 3 documents returned, each once", ["abc", "abc", "abc", "abc", "abc"]),
        (3, {2: ("c", 5)}, "2 documents returned: c is missed", ["abc", "abc", "cab", "cab"]),
        (3, {2: ("a", 25)}, "4 documents returned: a twice", ["abc", "abc", "bac", "bac", "bac", "bac"]),
    ],
)  # fmt: skip
def test_index_scan_draws_the_index_at_each_step(size, writes, title, rows):
    made = scan(size, writes)
    (axes,) = plots.index_scan(made).axes
    assert axes.get_title(loc="left") == title
    drawn = ["" for _ in made.frames]
    for text in sorted(axes.texts, key=lambda text: text.get_position()[0]):
        drawn[round(text.get_position()[1])] += text.get_text()[0]
    assert drawn == rows
    now = [text.get_text()[0] for text, cell in zip(axes.texts, axes.patches, strict=True)
           if to_hex(cell.get_facecolor()).upper() == plots.BLUE]  # fmt: skip
    assert now == list(dict.fromkeys(made.returned))  # the second time it is red


# -- caches -----------------------------------------------------------------------------------


def test_hit_ratio_draws_a_panel_for_each_traffic_and_a_line_for_each_policy():
    figure = plots.hit_ratio([10, 100, 1000], {"skew 0.6": RATIOS, "skew 1.4": {"LRU": [0.5, 0.6, 0.9], "LFU": [0.4, 0.7, 0.8]}})
    left, right = figure.axes
    assert [list(line.get_ydata()) for line in left.lines] == list(RATIOS.values())
    assert [list(line.get_xdata()) for line in left.lines] == [[10, 100, 1000]] * 2
    assert left.lines[0].get_color() == right.lines[0].get_color() != right.lines[1].get_color()
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["skew 0.6", "skew 1.4"]
    assert figure.get_suptitle() == "Room for 100 keys: LRU hits 50% (skew 0.6), LFU hits 70% (skew 1.4)"
    assert {text.get_text() for text in figure.legends[0].texts} == {"LRU", "LFU", "optimal"}


def test_herd_draws_every_second_of_every_way_on_one_scale():
    figure = plots.herd({"same TTL": [0, 1000, 0], "jitter": [30, 40, 20]})
    top, bottom = figure.axes
    assert heights(top) == [0, 1000, 0] and heights(bottom) == [30, 40, 20]
    assert top.get_ylim() == bottom.get_ylim() and top.get_ylim()[1] > 1000
    assert [bar.get_x() for bar in top.patches] == [0, 1, 2]
    assert figure.get_suptitle() == "Worst second: 1,000 database queries, 40 with jitter"
    assert "jitter: at most 40 in a second" in texts(figure)


def test_herd_of_nobody():
    assert plots.herd({"quiet": [0, 0, 0]}).get_suptitle() == "Worst second: 0 database queries"


def test_bars_draws_each_value_with_its_number():
    figure = plots.bars({"no cache": 100, "cache": 0.5, "many": 12_345.6}, "A title", "queries")
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [100, 0.5, 12_345.6]
    assert [text.get_text() for text in axes.texts] == ["100", "0.5", "12,346"]
    assert (axes.get_title(loc="left"), axes.get_xlabel()) == ("A title", "queries")
    figure.draw_without_rendering()
    assert axes.yaxis_inverted() and [label.get_text() for label in axes.get_yticklabels()] == ["no cache", "cache", "many"]


def test_round_trips_are_drawn_in_milliseconds():
    figure = plots.round_trips([1, 10], {"a GET each": [0.001, 0.01], "one MGET": [0.001, 0.0015]})
    assert [list(line.get_ydata()) for line in figure.axes[0].lines] == [[1, 10], [1, 1.5]]
    assert "10 keys take 10 or 1.5 ms" in texts(figure)


def test_a_schedule_marks_each_step_but_returns():
    (axes,) = plots.schedule(CROWD, "a title").axes
    marks = {marks.get_label(): len(marks.get_offsets()) for marks in axes.collections}
    assert marks == {"load": 1, "GET page:p7": 20, "SET page:p7": 1, "DEL lock:page:p7": 1, "SET lock:page:p7": 1}
    (load,) = [marks for marks in axes.collections if marks.get_label() == "load"]
    assert load.get_offsets().tolist() == [[22, 0]]
