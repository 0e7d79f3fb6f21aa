"""Pictures of the chapter about queries: what stages let through, and what an answer costs."""

from collections.abc import Mapping

from matplotlib.ticker import FuncFormatter

from .style import BLUE, COLOURS, GREEN, GREY, INK, PALE, RED, Picture, count_on, new_picture, styled, whole


@styled
def pipeline(sizes: Mapping[str, int]) -> Picture:
    """How many documents come out of each stage of an aggregation, from the first (the collection) to the last.

    sizes  name of the stage → documents
    """
    names, counts = list(sizes), list(sizes.values())
    figure = new_picture(8, 0.9 + 0.42 * len(names))
    axes = figure.subplots()
    colours = [PALE, *[BLUE] * (len(names) - 1)]
    axes.barh(range(len(names)), counts, color=colours, height=0.7)
    for row, count in enumerate(counts):
        axes.annotate(whole(count), (count, row), xytext=(5, 0), textcoords="offset points", va="center", color=INK)
    axes.set_title(f"{whole(counts[0])} documents go in, {whole(counts[-1])} come out")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("documents")
    axes.set_xlim(0, max(counts) * 1.12)
    count_on(axes.xaxis)
    return figure


@styled
def examined(costs: Mapping[str, Mapping[str, int]]) -> Picture:
    """What the same question costs with different indexes, on a scale where each line is ten times the one before.

    costs  name of the index → {"totalKeysExamined", "totalDocsExamined", "nReturned"}, as `explain` says
    """
    figure = new_picture(8, 1.2 + 0.7 * len(costs))
    axes = figure.subplots()
    kinds = (("totalKeysExamined", "keys", GREY), ("totalDocsExamined", "documents", BLUE), ("nReturned", "returned", GREEN))
    for row, stats in enumerate(costs.values()):
        for offset, (name, label, colour) in zip((-0.25, 0, 0.25), kinds, strict=True):
            axes.barh(row + offset, stats[name], height=0.22, color=colour, label=label if row == 0 else None)
            axes.annotate(whole(stats[name]), (max(stats[name], 1), row + offset), xytext=(4, 0),
                          textcoords="offset points", va="center", color=colour, fontsize=9)  # fmt: skip
    best = min(costs, key=lambda name: costs[name]["totalDocsExamined"])
    returned = costs[best]["nReturned"]
    axes.set_title(f"{whole(returned)} results: {best!r} reads {whole(costs[best]['totalDocsExamined'])} documents")
    axes.set_yticks(range(len(costs)), list(costs))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(1, max(max(stats.values()) for stats in costs.values()) * 8)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: whole(value)))
    axes.set_xlabel("examined or returned")
    axes.legend(loc="lower right", frameon=True, edgecolor="white")
    return figure


@styled
def paging(costs: Mapping[str, Mapping[int, int]], page: int) -> Picture:
    """How many keys the server walks over to give a page.

    costs  name of the way → {number of the page, from 1: keys examined for it}, in order; the same pages for each way
    page   documents on a page
    """
    figure = new_picture(8, 3.2)
    axes = figure.subplots()
    colours = dict(zip(costs, (RED, BLUE, *COLOURS), strict=False))
    for name, keys in costs.items():
        axes.plot(list(keys), list(keys.values()), color=colours[name], marker="o", markersize=4)
        last = max(keys)
        axes.annotate(f"{name}: {whole(keys[last])}", (last, keys[last]), xytext=(-4, 8), textcoords="offset points",
                      ha="right", color=colours[name])  # fmt: skip
    told = ", ".join(f"{whole(keys[last])} keys by {name}" for name, keys in costs.items())
    axes.set_title(f"Page {last} of {page} documents: {told}")
    axes.set_xlabel("page")
    axes.set_ylabel("keys examined for that page")
    axes.set_ylim(bottom=0, top=max(max(keys.values()) for keys in costs.values()) * 1.12)
    count_on(axes.xaxis)
    count_on(axes.yaxis)
    return figure
