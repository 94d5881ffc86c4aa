"""Colors, symbols and layout shared by all figures: legible in light and dark mode, and with color blindness.

The colors are those of Okabe and Ito; yellow is darkened for contrast on white, and black is replaced by a medium gray
that is visible on both backgrounds. Color encodes the family of an algorithm, the symbol the algorithm.
"""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

import plotly.graph_objects as go
from plotly.basedatatypes import BasePlotlyType

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW, GREY = "#CC79A7", "#56B4E9", "#B8A300", "#7F7F7F"
PALETTE = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW, GREY)
REST = "#A9A9A9"
"""Color of everything that is shown only for comparison."""
HEAT = "Cividis"
"""Color scale of amounts."""
DIVERGING = [[0.0, "#EE9A70"], [0.5, "#F4F4F4"], [1.0, "#6FB3E3"]]
"""Color scale of differences: worse, equal, better; pale enough for dark text."""
MANY_DECADES = 2.5
LABEL_LENGTH = 24
TITLE_LENGTH = 45
"""Maximum length in characters of a line of the title of a horizontal axis."""
HEAT_LABEL = 16
"""Maximum length in characters of a row label of a heat map, which leaves room for the cells on a narrow screen."""

FAMILY_COLORS = {
    "baselines": GREY,
    "content-based": VERMILION,
    "association rules": VERMILION,
    "matrix factorization": ORANGE,
    "nearest neighbors": BLUE,
    "social": PURPLE,
    "neural": SKY,
    "sequential": SKY,
    "attention": YELLOW,
    "linear": GREEN,
    "ensembles": PURPLE,
}
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "triangle-down", "hexagon", "x", "pentagon")


def family_color(family: str) -> str:
    """Return the color of a family of algorithms."""
    return FAMILY_COLORS.get(family, GREY)


def family_symbols(families: Sequence[str]) -> list[str]:
    """Return a plotly symbol for each algorithm; symbols within a color differ (up to ten)."""
    seen: dict[str, int] = {}
    symbols = []
    for family in families:
        color = family_color(family)
        number = seen.get(color, 0)
        seen[color] = number + 1
        symbols.append(SYMBOLS[number % len(SYMBOLS)])
    return symbols


def plain(text: object) -> str:
    """Return text escaped for plotly: no tag in a title or identifier becomes markup."""
    return escape(str(text), quote=False)


def plain_all(texts: Iterable[object]) -> list[str]:
    """Return each text escaped; see `plain`."""
    return [plain(text) for text in texts]


def shortened(title: str, length: int = LABEL_LENGTH) -> str:
    """Return an untrusted title, escaped and truncated to fit as an axis label."""
    text = title if len(title) <= length else title[: length - 1].rstrip() + "…"
    return plain(text)


def log_axis(low: float, high: float) -> dict[str, Any]:
    """Return a logarithmic axis with ticks at 1, 2, 5, 10, ..., or at powers of ten only for a wide range.

    Args:
        low: Smallest value drawn, above 0.
        high: Largest value drawn.
    """
    steps = (1,) if math.log10(high / low) > MANY_DECADES else (1, 2, 5)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [float(f"{step}e{power}") for power in powers for step in steps]
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:,g}" for tick in ticks]}


def heat_bar(title: str) -> dict[str, Any]:
    """Return the color bar of a heat map: above it, since beside it there is no room on a narrow screen."""
    return {
        "title": {"text": title, "side": "top"},
        "thickness": 10,
        "orientation": "h",
        "y": 1.01,
        "yanchor": "bottom",
    }


def dressed(figure: go.Figure, *, x: str, y: str, height: int = 380, **layout: Any) -> go.Figure:
    """Return the figure with axis titles, small margins and a transparent background.

    Args:
        figure: Changed in place.
        x: Title of the horizontal axis, with its unit.
        y: Title of the vertical axis, with its unit.
        height: Pixels.
        layout: Further properties of the layout, as in `update_layout`.
    """
    _set(
        figure.layout,
        {
            "height": height,
            "margin": {"l": 8, "r": 40, "t": 24, "b": 8},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": GREY, "activecolor": BLUE, "orientation": "v"},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
            "hoverlabel": {"align": "left"},
            **layout,
        },
    )
    for axes, title in ((figure.select_xaxes(), _in_lines(x)), (figure.select_yaxes(), y)):
        for axis in axes:
            _set(axis, {"title": {"text": title}, "automargin": True})
    return figure


def _in_lines(title: str) -> str:
    """Return the title of a horizontal axis in lines that fit a screen of 400 pixels; plotly would cut it off."""
    return title if "<" in title else "<br>".join(textwrap.wrap(title, TITLE_LENGTH, break_long_words=False))


def _set(part: BasePlotlyType, values: Mapping[str, Any]) -> None:
    """Set properties of a part of a figure, like `update` in a quarter of its time."""
    for name, value in values.items():
        present = part[name].to_plotly_json() if isinstance(value, dict) else {}
        part[name] = _merged(present, value) if present else value


def _merged(present: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values in place of those present, or within them."""
    both = [name for name, value in values.items() if isinstance(value, dict) and name in present]
    return {**present, **values, **{name: _merged(present[name], values[name]) for name in both}}


def date_ticks(figure: go.Figure, starts: Sequence[datetime]) -> None:
    """Write the date below a single period, whose bar plotly would divide into fractions of a second."""
    if len(starts) == 1:
        figure.update_xaxes(tickvals=starts, tickformat="%d %b %Y")
