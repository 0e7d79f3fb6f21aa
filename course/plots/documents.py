"""Pictures of the chapters about documents: how a document grows, and when a client tries again."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

from .style import COLOURS, GREEN, GREY, INK, PALE, RED, Picture, count_on, new_picture, styled, whole

MEBIBYTE = 1024 * 1024  # bytes
DOCUMENT_LIMIT = 16 * MEBIBYTE  # MongoDB's manual, "Limits and Thresholds"


@styled
def document_growth(sizes: Mapping[str, Sequence[int]]) -> Picture:
    """How large the largest document is after each event that was stored, for each way of storing them.

    sizes  name of the way → bytes after the first, second, … event
    """
    figure = new_picture(8, 3.4)
    axes = figure.subplots()
    for width, colour, (name, values) in zip((4, 2, 1.5, 1), COLOURS, sizes.items(), strict=False):  # lines that coincide stay visible
        axes.plot(range(1, len(values) + 1), [size / MEBIBYTE for size in values], color=colour, linewidth=width)
        axes.annotate(
            f"{name}: {values[-1] / MEBIBYTE:.1f} MiB",
            (len(values), values[-1] / MEBIBYTE),
            xytext=(-4, 6),
            textcoords="offset points",
            ha="right",
            color=colour,
        )
    name, steepest = max(sizes.items(), key=lambda item: item[1][-1])
    events = DOCUMENT_LIMIT / (steepest[-1] / len(steepest))
    axes.set_title(f"{name}: at this rate the limit of 16 MiB is reached after {whole(events)} events")
    axes.set_xlabel("events stored")
    axes.set_ylabel("largest document (MiB)")
    axes.set_xlim(0, max(len(values) for values in sizes.values()) * 1.02)
    axes.set_ylim(0, steepest[-1] / MEBIBYTE * 1.15)
    count_on(axes.xaxis)
    return figure


@styled
def retries(pauses: Mapping[str, Sequence[float]], outage: float) -> Picture:
    """When each client tries, while the server is away for the first `outage` seconds.

    pauses  name of the client → seconds that it waits before its second, third, … attempt
    """
    attempts = {name: [0.0, *accumulate(waits)] for name, waits in pauses.items()}
    figure = new_picture(8, 0.9 + 0.6 * len(attempts))
    axes = figure.subplots()
    axes.axvspan(0, outage, color=PALE, linewidth=0)
    axes.text(outage / 2, -0.62, "the server is away", ha="center", va="center", color=INK)
    last = outage
    for row, moments in enumerate(attempts.values()):
        served = next((moment for moment in moments if moment >= outage), None)
        made = [moment for moment in moments if served is None or moment <= served]
        last = max(last, made[-1])
        axes.plot([0, made[-1]], [row, row], color=GREY, linewidth=1, zorder=1)
        for moment in made:
            axes.plot([moment], [row], "o", color=RED if moment < outage else GREEN, zorder=2)
        said = f"served after {served:.1f} s" if served is not None else f"gave up after {made[-1]:.1f} s"
        axes.annotate(said, (made[-1], row), xytext=(9, 0), textcoords="offset points", va="center", color=INK)
    got_through = sum(any(moment >= outage for moment in moments) for moments in attempts.values())
    axes.set_title(f"An outage of {outage:g} s: {got_through} of {len(attempts)} clients get through")
    axes.set_yticks(range(len(attempts)), list(attempts))
    axes.set_ylim(len(attempts) - 0.5, -0.9)
    axes.set_xlim(left=-0.05 * outage, right=last * 1.3)
    axes.set_xlabel("seconds since the first attempt")
    return figure

