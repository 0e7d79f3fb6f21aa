"""What every picture of the course shares: the palette, the style, and a figure that a notebook can show."""

import io
from collections.abc import Callable
from functools import wraps

import matplotlib.style
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

# The palette of Okabe and Ito, which people with any kind of colour vision can tell apart.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PINK, YELLOW = "#56B4E9", "#CC79A7", "#F0E442"
INK, GREY, PALE = "#222222", "#767676", "#D9D9D9"
COLOURS = (BLUE, ORANGE, GREEN, PINK, RED, SKY)  # neighbours differ in lightness too

# One policy, one line, in every picture: (colour, line style, marker).
POLICIES = {
    "LRU": (BLUE, "-", "o"),
    "LFU": (GREEN, "-", "s"),
    "FIFO": (ORANGE, "-", "^"),
    "Random": (PINK, ":", "D"),  # dotted, because it hides FIFO
    "TTL": (SKY, "-", "v"),
    "optimal": (INK, "--", ""),
}

STYLE = {
    "figure.dpi": 100,
    "figure.facecolor": "white",  # also in a dark notebook, where a see-through figure could not be read
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.prop_cycle": matplotlib.cycler(color=COLOURS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "axes.titlepad": 10,
    "axes.labelsize": 10,
    "font.size": 10,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


class Picture(Figure):
    """A figure that a notebook can show, sharp on any screen, without pyplot (which would show it twice)."""

    def _repr_png_(self) -> tuple[bytes, dict]:
        buffer = io.BytesIO()
        with matplotlib.style.context(["default", STYLE]):
            self.savefig(buffer, format="png", dpi=2 * self.dpi)
        width, height = (round(inches * self.dpi) for inches in self.get_size_inches())
        return buffer.getvalue(), {"width": width, "height": height}


def styled(draw: Callable[..., Picture]) -> Callable[..., Picture]:
    """Draw in the course's style, and leave everybody else's as it was."""

    @wraps(draw)
    def draw_in_style(*args, **kwargs):
        with matplotlib.style.context(["default", STYLE]):
            return draw(*args, **kwargs)

    return draw_in_style


def new_picture(width: float = 8, height: float = 3.5) -> Picture:
    """An empty figure of so many inches."""
    return Picture(figsize=(width, height), layout="constrained")


def whole(number: float) -> str:
    """1234.0 → '1,234'"""
    return f"{number:,.0f}"


def count_on(axis) -> None:
    """Ticks at whole numbers, written 1,000."""
    axis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axis.set_major_formatter(FuncFormatter(lambda value, _: whole(value)))
