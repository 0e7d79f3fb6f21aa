"""Every picture of the course. A chapter measures, and one call draws what it measured.

    plots.herd({"same TTL": loads, "TTL with jitter": other_loads})

Each function returns a figure, which a notebook shows if the call is the last line of its cell. A title
states what the numbers say, so it is worked out from the numbers. Nothing here changes matplotlib's settings
for anybody else.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from statistics import median

from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter
from matplotlib.ticker import FuncFormatter, PercentFormatter

from .columns import partition_heat, partition_sizes, replicas, token_ring
from .documents import document_growth, retries
from .index_scan import index_scan
from .lsm import amplification, read_amplification, sorted_runs
from .network import by_depth, graph
from .queries import examined, paging, pipeline
from .style import (
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PINK,
    POLICIES,
    RED,
    SKY,
    STYLE,
    YELLOW,
    Picture,
    count_on,
    new_picture,
    styled,
    whole,
)

__all__ = [
    "BLUE", "COLOURS", "GREEN", "GREY", "INK", "ORANGE", "PALE", "PINK", "POLICIES", "RED", "SKY", "STYLE", "YELLOW", "Picture",
    "amplification", "bars", "bucket_occupancy", "by_depth", "command_order", "count_on", "document_growth", "examined", "graph",
    "herd", "hit_ratio", "index_scan", "keys_in_memory", "log_size", "month", "new_picture", "paging", "partition_heat",
    "partition_sizes", "pipeline", "read_amplification", "replicas", "retries", "round_trips", "schedule", "sorted_runs",
    "styled", "token_ring", "whole",
]  # fmt: skip

# -- the shop ---------------------------------------------------------------------------------


@styled
def month(shop) -> Picture:
    """The shop's 30 days: how many events each hour brings, and who makes them."""
    figure = new_picture(10.5, 3.8)
    left, right = figure.subplots(1, 2, width_ratios=(11, 9))
    _events_per_hour(left, shop.events)
    _events_per_user(right, shop.events, shop.traps["celebrity"].where[0])
    return figure


def _events_per_hour(axes: Axes, events: Sequence) -> None:
    per_hour = Counter(event.timestamp.replace(minute=0, second=0, microsecond=0) for event in events)
    first, last = min(per_hour).replace(hour=0), max(per_hour).replace(hour=23)
    hours = [first + timedelta(hours=n) for n in range((last - first) // timedelta(hours=1) + 1)]
    counts = [per_hour[hour] for hour in hours]
    busiest = max(per_hour, key=per_hour.get)
    axes.fill_between(hours, counts, step="post", color=BLUE, linewidth=0)
    axes.annotate(
        f"flash sale\n{busiest:%d %B, %H:00}",
        (busiest, per_hour[busiest]),
        xytext=(-12, -4),
        textcoords="offset points",
        ha="right",
        va="top",
        color=RED,
    )
    axes.set_title(f"{whole(per_hour[busiest])} events in one hour, {whole(median(counts))} in a usual one")
    axes.set_xlabel("day (UTC)")
    axes.set_ylabel("events per hour")
    axes.set_xticks(hours[:: 7 * 24])
    axes.xaxis.set_major_formatter(DateFormatter("%d %b"))
    axes.set_xlim(first, last + timedelta(hours=1))
    axes.set_ylim(bottom=0)
    count_on(axes.yaxis)


def _events_per_user(axes: Axes, events: Sequence, celebrity: str) -> None:
    ranked = Counter(event.user_id for event in events).most_common()
    ranks = range(1, len(ranked) + 1)
    counts = [count for _, count in ranked]
    axes.loglog(ranks, [counts[0] / rank for rank in ranks], color=GREY, linestyle="--", label="1 / rank")
    axes.loglog(ranks, counts, ".", color=BLUE, label="a user")
    rank, count = next((n, c) for n, (user_id, c) in enumerate(ranked, start=1) if user_id == celebrity)
    axes.loglog([rank], [count], "o", color=RED, markersize=8)
    axes.annotate(
        f"{celebrity}, the celebrity",
        (rank, count),
        xytext=(10, 0),
        textcoords="offset points",
        va="center",
        color=RED,
    )
    tenth = sum(counts[: len(counts) // 10]) / sum(counts)
    axes.set_title(f"10% of the users make {tenth:.0%} of the events")
    axes.set_xlabel("rank of the user")
    axes.set_ylabel("events in the month")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: whole(value)))
    axes.set_ylim(bottom=0.8)
    axes.legend(loc="lower left")


# -- key-value stores -------------------------------------------------------------------------


@styled
def bucket_occupancy(keys_in_bucket: Sequence[int]) -> Picture:
    """How the keys of a hash table lie in its buckets; `keys_in_bucket[i]` counts those of bucket i."""
    sizes = list(keys_in_bucket)
    keys, shared, empty = sum(sizes), sum(size for size in sizes if size > 1), sizes.count(0)
    figure = new_picture(8, 3)
    axes = figure.subplots()
    colours = [BLUE if size == 1 else RED for size in sizes]
    gap = 0.15 if len(sizes) <= 100 else 0  # thousands of bars with gaps would look grey
    axes.bar(range(len(sizes)), sizes, width=1 - gap, color=colours)
    axes.set_title(
        f"{whole(keys)} keys in {whole(len(sizes))} buckets (load factor {keys / len(sizes):.2f}):\n"
        f"{whole(shared)} share a bucket, {whole(empty)} {'bucket is' if empty == 1 else 'buckets are'} empty"
    )
    axes.set_xlabel("bucket")
    axes.set_ylabel("keys in the bucket")
    axes.set_xlim(-0.6, len(sizes) - 0.4)
    count_on(axes.xaxis)
    count_on(axes.yaxis)
    return figure


@styled
def log_size(log_bytes: Sequence[int], live_bytes: Sequence[int] = ()) -> Picture:
    """The size of an append-only log after each write, with a mark wherever compaction made it shrink.

    live_bytes    what the latest values alone would take, after each write
    """
    writes = range(1, len(log_bytes) + 1)
    shrinks = [n for n in range(1, len(log_bytes)) if log_bytes[n] < log_bytes[n - 1]]
    figure = new_picture(8, 3.2)
    axes = figure.subplots()
    axes.plot(writes, log_bytes, color=BLUE, label="the log")
    if live_bytes:
        axes.plot(writes, live_bytes, color=GREEN, linestyle="--", label="the latest values")
    for n, place in enumerate(shrinks):
        label = "compaction" if n == 0 else None
        axes.axvline(writes[place], color=ORANGE, linestyle=":", label=label, zorder=0)
    if shrinks:
        title = f"{whole(max(log_bytes))} bytes at most, {whole(log_bytes[-1])} after {_times(len(shrinks))}"
    else:
        title = f"Without compaction, {whole(len(log_bytes))} writes fill {whole(log_bytes[-1])} bytes"
    axes.set_title(title)
    axes.set_xlabel("writes")
    axes.set_ylabel("size (bytes)")
    axes.set_xlim(0, len(log_bytes))
    axes.set_ylim(bottom=0)
    count_on(axes.xaxis)
    count_on(axes.yaxis)
    if live_bytes or shrinks:
        figure.legend(loc="outside right upper")
    return figure


def _times(compactions: int) -> str:
    return "one compaction" if compactions == 1 else f"{compactions} compactions"


@styled
def keys_in_memory(stored: Mapping[str, Sequence[int]], step: int = 1) -> Picture:
    """How many keys a store holds as time goes on, a line for each way of expiring them.

    stored        {"lazy": [1, 2, ...], "lazy and active": [...]}, one number for every `step` writes
    """
    figure = new_picture(8, 3.2)
    axes = figure.subplots()
    for name, counts in stored.items():
        axes.plot([number * step for number in range(1, len(counts) + 1)], counts, label=name)
    axes.set_title("; ".join(f"{name}: {whole(max(counts))} keys at most" for name, counts in stored.items()))
    axes.set_xlabel("writes")
    axes.set_ylabel("keys in memory")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    count_on(axes.xaxis)
    count_on(axes.yaxis)
    axes.legend(loc="upper left")
    return figure


@styled
def command_order(seen: Sequence[tuple[str, str]]) -> Picture:
    """Commands in the order in which a server executed them, a row for each client.

    seen          [("one", "GET views:p3"), ("other", "GET views:p3"), ...]
    """
    clients = list(dict.fromkeys(client for client, _ in seen))
    figure = new_picture(8, 1 + 0.6 * len(clients))
    axes = figure.subplots()
    for row, client in enumerate(clients):
        axes.axhline(row, color=PALE, zorder=0)
        places = [place for place, (name, _) in enumerate(seen, start=1) if name == client]
        axes.plot(places, [row] * len(places), "o", color=COLOURS[row % len(COLOURS)], markersize=9)
    for place, (client, command) in enumerate(seen, start=1):
        axes.annotate(command, (place, clients.index(client)), (0, 9), textcoords="offset points", ha="center")
    axes.set_title(f"{len(seen)} commands of {len(clients)} clients, in the order of the server")
    axes.set_xlabel("place in the order")
    axes.set_yticks(range(len(clients)), clients)
    axes.set_xlim(0.4, len(seen) + 0.6)
    axes.set_ylim(len(clients) - 0.7, -0.7)
    count_on(axes.xaxis)
    return figure


# -- caches -----------------------------------------------------------------------------------


@styled
def hit_ratio(capacities: Sequence[int], panels: Mapping[str, Mapping[str, Sequence[float]]]) -> Picture:
    """Hit ratio against cache size, a line for each policy and a panel for each kind of traffic.

    capacities    cache sizes in keys
    panels        {"skew 0.8": {"LRU": [0.21, ...], "optimal": [...]}, ...}, a ratio for each of `capacities`
    """
    figure = new_picture(max(8, 3 * len(panels) + 1.6), 3.5)
    row = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (traffic, policies) in zip(row, panels.items(), strict=True):
        for policy, ratios in policies.items():
            colour, line, marker = POLICIES.get(policy, (RED, "-.", "x"))
            axes.plot(capacities, ratios, line, color=colour, marker=marker, markersize=4, label=policy)
        axes.set_title(traffic)
        axes.set_xscale("log")
        axes.set_xticks(capacities, [whole(capacity) for capacity in capacities])
        axes.minorticks_off()
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
        axes.grid(axis="y", color=PALE)
        axes.set_axisbelow(True)
    row[0].set_ylabel("hits per request")
    figure.supxlabel("cache size (keys)", fontsize=10)
    lines = {line.get_label(): line for axes in row for line in axes.lines}  # each policy once
    figure.legend(handles=lines.values(), loc="outside right center")
    figure.suptitle(_what_the_ratios_say(capacities, panels), x=0.01, ha="left", fontsize=11, weight="bold")
    return figure


def _what_the_ratios_say(capacities: Sequence[int], panels: Mapping) -> str:
    """Compare the traffics by their best policy at the middle size, which is where policies matter."""
    middle = len(capacities) // 2
    winners = []
    for traffic, policies in panels.items():
        real = {name: ratios[middle] for name, ratios in policies.items() if name != "optimal"}
        winner = max(real, key=real.get)
        winners.append(f"{winner} hits {real[winner]:.0%} ({traffic})")
    return f"Room for {whole(capacities[middle])} keys: {', '.join(winners)}"


@styled
def herd(loads: Mapping[str, Sequence[int]]) -> Picture:
    """Database queries in each second, a panel for each way of caching.

    loads         {"same TTL": [0, 0, 1000, ...], "TTL with jitter": [0, 31, 40, ...]}
    """
    peaks = {name: max(counts, default=0) for name, counts in loads.items()}
    worst, (gentlest, best) = max(peaks.values()), min(peaks.items(), key=lambda item: item[1])
    figure = new_picture(8, 1.2 + 1.3 * len(loads))
    column = figure.subplots(len(loads), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, (name, counts) in zip(column, loads.items(), strict=True):
        colour = RED if peaks[name] == worst else BLUE
        axes.bar(range(len(counts)), counts, width=1, align="edge", color=colour)
        axes.set_title(f"{name}: at most {whole(peaks[name])} in a second", weight="normal", size=10, pad=4)
        axes.set_xlim(0, max(map(len, loads.values())))
        count_on(axes.yaxis)
    column[0].set_ylim(0, worst * 1.05 or 1)
    count_on(column[-1].xaxis)
    column[-1].set_xlabel("time (seconds)")
    figure.supylabel("database queries per second", fontsize=10)
    title = f"Worst second: {whole(worst)} database queries"
    if best < worst:
        title += f", {whole(best)} with {gentlest}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, weight="bold")
    return figure


@styled
def round_trips(sizes: Sequence[int], seconds: Mapping[str, Sequence[float]]) -> Picture:
    """How long a job of `sizes[i]` keys takes, in seconds, a line for each way to do it: {"one MGET": [0.001, ...], ...}."""
    last = [_short(1000 * times[-1]) for times in seconds.values()]
    figure = new_picture(8, 3.2)
    axes = figure.subplots()
    for name, times in seconds.items():
        axes.plot(sizes, [1000 * time for time in times], "o-", markersize=4, label=name)
    axes.set_title(f"{whole(sizes[-1])} keys take {' or '.join(last)} ms")
    axes.set_xlabel("keys")
    axes.set_ylabel("time (ms)")
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside right upper")
    return figure


@styled
def schedule(steps: Sequence[tuple[str, str]], title: str) -> Picture:
    """What many actors did, in order, as `Crowd.schedule` has it: a row for each actor, a mark for each step."""
    steps = [(actor, " ".join(what.split()[:2])) for actor, what in steps if not what.startswith("return")]
    rows = {actor: row for row, actor in enumerate(dict.fromkeys(actor for actor, _ in steps))}
    figure = new_picture(8, 1.2 + 0.13 * len(rows))
    axes = figure.subplots()
    kinds = sorted({what for _, what in steps}, key=lambda what: (what != "load", "lock" in what, what))
    for kind, colour in zip(kinds, (RED, SKY, GREEN, ORANGE, PINK, GREY), strict=False):
        places = [(place, rows[actor]) for place, (actor, what) in enumerate(steps, start=1) if what == kind]
        axes.scatter(*zip(*places, strict=True), s=14, color=colour, marker="s", label=kind)
    axes.set_title(title)
    axes.set_xlabel("step")
    axes.set_yticks(range(0, len(rows), 5), list(rows)[::5])
    axes.invert_yaxis()
    count_on(axes.xaxis)
    figure.legend(loc="outside right upper")
    return figure


# -- for everything else ----------------------------------------------------------------------


@styled
def bars(values: Mapping[str, float], title: str, unit: str) -> Picture:
    """A bar for each name, with its value at the end: `bars({"no cache": 100, "cache": 1}, ..., "queries")`."""
    figure = new_picture(8, 0.9 + 0.4 * len(values))
    axes = figure.subplots()
    drawn = axes.barh(list(values), list(values.values()), height=0.6, color=BLUE)
    axes.bar_label(drawn, labels=[_short(value) for value in values.values()], padding=4)
    axes.invert_yaxis()  # the first on top
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axes.set_title(title)
    axes.set_xlabel(unit)
    return figure


def _short(value: float) -> str:
    """1234.5 → '1,234', 0.04321 → '0.0432'"""
    return whole(value) if abs(value) >= 1000 else f"{value:.3g}"
