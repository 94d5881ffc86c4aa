"""Two-dimensional maps of users or items: one dot each, colored by group, selectable by click."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from recsys_core.text import _, later
from recsys_core.viz.theme import BLUE, GREY, PALETTE, REST, SYMBOLS, dressed, plain, plain_all

MANY = 3000
"""Minimum number of dots for WebGL rendering."""
FIRST_AXIS, SECOND_AXIS = later("First dimension"), later("Second dimension")
COLORS = tuple(color for color in PALETTE if color != GREY)
"""Colors of groups; gray is reserved for dots without a group."""
DRAWN = 8000
"""Maximum number of dots drawn: more would overlap and slow the browser down."""


def thinned(points: pd.DataFrame, chosen: int | None, *, most: int = DRAWN) -> pd.DataFrame:
    """Return a deterministic random sample of at most `most` points, including the one at position `chosen`."""
    if len(points) <= most:
        return points
    kept = points.sample(most, random_state=0)
    return pd.concat([kept[kept["position"] != chosen], points[points["position"] == chosen]])


def user_map(table: pd.DataFrame, titles: Mapping[int, str], *, chosen: int) -> go.Figure:
    """Return the map of users, colored by segment.

    Args:
        table: Columns `user`, `user_id`, `segment` (number; 0: none), `x`, `y`.
        titles: Segment titles by number.
        chosen: The selected user, marked with a ring.
    """
    names = {number: f"{number}: {title}" for number, title in titles.items()}
    points = table[["x", "y"]].assign(
        position=table["user"], label=table["user_id"], group=table["segment"].map(names).fillna("")
    )
    order = {names[number]: str(number) for number in sorted(names)}
    figure = dot_map(thinned(points, chosen), order, chosen=chosen, what=_("user"), x=FIRST_AXIS, y=SECOND_AXIS)
    return figure.update_layout(legend_title_text=_("segment"))


def item_map(table: pd.DataFrame, *, chosen: int, by_people: bool = False) -> go.Figure:
    """Return the map of items, colored by their first category; rare categories are gray.

    Args:
        table: Columns `item`, `title`, `category` (empty: none), `x`, `y`, and `x_people`, `y_people`.
        chosen: The selected item, marked with a ring.
        by_people: Use coordinates from interactions (collaborative) instead of content.
    """
    across, up = ("x_people", "y_people") if by_people else ("x", "y")
    given = table["category"][table["category"] != ""]
    order = {str(name): str(name) for name in given.value_counts().index[: len(COLORS)]}
    points = pd.DataFrame({"position": table["item"], "label": table["title"], "x": table[across], "y": table[up]})
    points["group"] = table["category"].where(table["category"].isin(order), "")
    return dot_map(thinned(points, chosen), order, chosen=chosen, what=_("item"), x=FIRST_AXIS, y=SECOND_AXIS)


def dot_map(
    points: pd.DataFrame,
    groups: Mapping[str, str],
    *,
    chosen: int | None = None,
    what: str,
    x: str,
    y: str,
) -> go.Figure:
    """Return a map on which a click selects a dot.

    Args:
        points: Columns `position` (of the user or item; a click returns it in `customdata`), `label` (untrusted text,
            escaped here), `x`, `y`, and `group` (text; empty for gray dots without a group).
        groups: All groups in order, with their legend names; color and symbol of a group do not depend on the points.
        chosen: Position marked with a ring, if it is among the points.
        what: Kind of a dot: user or item.
        x: Title of the horizontal axis; untrusted text, escaped here.
        y: Title of the vertical axis, likewise.
    """
    figure = go.Figure()
    add = figure.add_scattergl if len(points) >= MANY else figure.add_scatter
    looks = {name: (COLORS[n % len(COLORS)], SYMBOLS[n % len(SYMBOLS)]) for n, name in enumerate(groups)}
    opacity = 0.55 if len(points) >= MANY else 0.8
    for name in ("", *groups):
        part = points[points["group"] == name]
        if part.empty:
            continue
        color, symbol = looks.get(name, (REST if groups else BLUE, "circle"))
        add(
            x=part["x"],
            y=part["y"],
            mode="markers",
            name=plain(groups.get(name, _("others"))),
            marker={"color": color, "size": 5 if len(points) >= MANY else 8, "symbol": symbol, "opacity": opacity},
            customdata=part["position"],
            hovertext=plain_all(part["label"]),
            hovertemplate=f"{what} %{{hovertext}}<extra>{plain(name)}</extra>",
            selected={"marker": {"opacity": opacity}},
            unselected={"marker": {"opacity": opacity}},
        )
    ring = points[points["position"] == chosen]
    if len(ring):
        add(
            x=ring["x"],
            y=ring["y"],
            mode="markers",
            name=_("selected"),
            marker={"color": "rgba(0,0,0,0)", "size": 20, "line": {"color": "#D4006A", "width": 3}},
            customdata=ring["position"],
            hovertext=plain_all(ring["label"]),
            hovertemplate=_("{what} %{{hovertext}}<extra>selected</extra>").format(what=what),
        )
    dressed(figure, x=plain(_(x)), y=plain(_(y)), height=460, dragmode="pan", clickmode="event+select")
    figure.update_layout(legend={"itemsizing": "constant"}, showlegend=bool(groups))
    figure.update_xaxes(showticklabels=False, zeroline=False)
    figure.update_yaxes(showticklabels=False, zeroline=False)
    return figure
