"""Horizontal bars and other rows with labels, first row at the top."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from recsys_core.viz.theme import BLUE, GREY, VERMILION, dressed, plain_all, shortened

ROW = 24
"""Height of a bar in pixels."""


def named_bars(
    names: Sequence[str],
    values: Sequence[float],
    *,
    colors: str | list[str] = BLUE,
    hover: Sequence[str] | None = None,
    x: str,
    zero_line: bool = False,
) -> go.Figure:
    """Return labeled horizontal bars, the first at the top.

    Args:
        names: Untrusted text, escaped and shortened here.
        values: Length of each bar.
        colors: Color of each bar, or of all.
        hover: Additional hover text of each bar, empty for none.
        x: Title of the horizontal axis.
        zero_line: Whether a line marks zero.
    """
    details = plain_all(names)
    if hover is not None:
        details = [f"{name}<br>{detail}" if detail else name for name, detail in zip(details, hover, strict=True)]
    figure = go.Figure().add_bar(
        orientation="h",
        x=values,
        y=list(range(len(names))),
        marker_color=colors,
        customdata=details,
        hovertemplate="%{customdata}<br>%{x:.4g}<extra></extra>",
    )
    if zero_line:
        figure.add_vline(x=0, line={"color": GREY, "width": 1})
    return with_names(figure, names, x=x)


def interval_bars(values: pd.Series, low: pd.Series, high: pd.Series, **style: Any) -> dict[str, Any]:
    """Return error bars from `low` to `high` around `values`, with further attributes of plotly's error bars."""
    return {"type": "data", "array": high - values, "arrayminus": values - low, **style}


def signed_colors(values: Iterable[float]) -> list[str]:
    """Return the colors of contributions: blue from zero on, orange-red below."""
    return [BLUE if value >= 0 else VERMILION for value in values]


def with_names(figure: go.Figure, names: Sequence[str], *, x: str, row: int = ROW) -> go.Figure:
    """Return the figure with labels for its rows, which are at 0, 1, ... from the top; labels need not be unique.

    Args:
        figure: Changed in place.
        names: Untrusted text, escaped and shortened here.
        x: Title of the horizontal axis.
        row: Height of a row in pixels.
    """
    dressed(figure, x=x, y="", height=110 + row * len(names))
    return with_labels(figure, [shortened(str(name)) for name in names])


def with_labels(figure: go.Figure, labels: Sequence[str], **axis: Any) -> go.Figure:
    """Return the figure with these labels, safe for plotly, at its rows 0, 1, ... from the top; changed in place.

    Args:
        figure: The figure.
        labels: One for each row.
        axis: Further arguments of `update_yaxes`, such as the subplot.
    """
    return figure.update_yaxes(
        tickvals=list(range(len(labels))),
        ticktext=labels,
        range=[len(labels) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
        **axis,
    )
