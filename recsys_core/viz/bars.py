"""Horizontal bars and other rows with labels, first row at the top."""

from typing import TYPE_CHECKING

from recsys_core.viz.explore import shortened
from recsys_core.viz.theme import dressed, plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

ROW = 24
"""Height of a bar in pixels."""


def named_bars(names: list[str], values: list[float], *, colors: list[str], hover: list[str], x: str) -> "go.Figure":
    """Return labeled horizontal bars, the first at the top.

    Args:
        names: Untrusted text, escaped and shortened here.
        values: Length of each bar.
        colors: Color of each bar.
        hover: Additional hover text of each bar, empty for none.
        x: Title of the horizontal axis.
    """
    import plotly.graph_objects as go

    details = [
        f"{plain(name)}<br>{detail}" if detail else plain(name) for name, detail in zip(names, hover, strict=True)
    ]
    figure = go.Figure(
        go.Bar(
            orientation="h",
            x=values,
            y=list(range(len(names))),
            marker_color=colors,
            customdata=details,
            hovertemplate="%{customdata}<br>%{x:.4g}<extra></extra>",
        )
    )
    return with_names(figure, names, x=x)


def with_names(figure: "go.Figure", names: list[str], *, x: str, row: int = ROW) -> "go.Figure":
    """Return the figure with labels for its rows, which are at 0, 1, ... from the top; labels need not be unique.

    Args:
        figure: Changed in place.
        names: Untrusted text, escaped and shortened here.
        x: Title of the horizontal axis.
        row: Height of a row in pixels.
    """
    dressed(figure, x=x, y="", height=110 + row * len(names))
    labels = [shortened(str(name)) for name in names]
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=labels,
        range=[len(names) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
    )
    return figure
