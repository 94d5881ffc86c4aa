"""Maps of many users or items: a dot each, coloured by group, that a click can choose."""

from typing import TYPE_CHECKING

import pandas as pd

from recsys_core.viz.theme import GREY, PALETTE, REST, SYMBOLS, dressed, plain, plain_all

if TYPE_CHECKING:
    import plotly.graph_objects as go

MANY = 3000
"""From so many dots on, WebGL draws them."""
COLORS = tuple(color for color in PALETTE if color != GREY)
"""Of groups; grey stays for those without one."""
DRAWN = 8000
"""Of more dots, so many are drawn: more would hide each other, and keep the browser busy."""


def thinned(points: pd.DataFrame, chosen: int | None, *, most: int = DRAWN) -> pd.DataFrame:
    """Return at most so many points, drawn at random but always the same, and the one with the position `chosen`."""
    if len(points) <= most:
        return points
    kept = points.sample(most, random_state=0)
    return pd.concat([kept[kept["position"] != chosen], points[points["position"] == chosen]])


def dot_map(
    points: pd.DataFrame,
    *,
    chosen: int | None = None,
    what: str,
    x: str,
    y: str,
    height: int = 460,
) -> "go.Figure":
    """Return a map on which a click chooses a dot.

    Args:
        points: Columns `position` (of the user or item; the click gives it back in `customdata`), `label` (text from
            outside: escaped here), `x`, `y`, and `group` (text; empty: none), in which case the dot is grey.
        chosen: Position that a ring marks, if it is among the points.
        what: What a dot is: user, item.
        x: Title of the horizontal axis.
        y: Title of the vertical axis.
        height: Pixels.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    kind = go.Scattergl if len(points) >= MANY else go.Scatter
    opacity = 0.55 if len(points) >= MANY else 0.8
    for number, (name, part) in enumerate(_groups(points)):
        color = COLORS[number % len(COLORS)] if name else REST
        figure.add_trace(
            kind(
                x=part["x"],
                y=part["y"],
                mode="markers",
                name=plain(name or "none"),
                marker={
                    "color": color,
                    "size": 5 if len(points) >= MANY else 8,
                    "symbol": SYMBOLS[number % len(SYMBOLS)] if name else "circle",
                    "opacity": opacity,
                },
                customdata=part["position"],
                hovertext=plain_all(part["label"]),
                hovertemplate=f"{what} %{{hovertext}}<extra>{plain(name)}</extra>",
                selected={"marker": {"opacity": opacity}},
                unselected={"marker": {"opacity": opacity}},
            )
        )
    _add_ring(figure, points[points["position"] == chosen], what)
    dressed(figure, x=x, y=y, height=height, dragmode="pan", clickmode="event+select")
    figure.update_layout(legend={"itemsizing": "constant"})
    figure.update_xaxes(showticklabels=False, zeroline=False)
    figure.update_yaxes(showticklabels=False, zeroline=False)
    return figure


def _groups(points: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the groups with their points, those without a group first, so that the others are drawn above them."""
    parts = {str(name): part for name, part in points.groupby("group", sort=True)}
    return [(name, parts[name]) for name in sorted(parts)]


def _add_ring(figure: "go.Figure", point: pd.DataFrame, what: str) -> None:
    """Mark the chosen dot."""
    import plotly.graph_objects as go

    if point.empty:
        return
    kind = type(figure.data[0]) if figure.data else go.Scatter
    figure.add_trace(
        kind(
            x=point["x"],
            y=point["y"],
            mode="markers",
            name="chosen",
            marker={"color": "rgba(0,0,0,0)", "size": 20, "line": {"color": "#D4006A", "width": 3}},
            customdata=point["position"],
            hovertext=plain_all(point["label"]),
            hovertemplate=f"{what} %{{hovertext}}<extra>chosen</extra>",
        )
    )
