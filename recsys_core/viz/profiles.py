"""Figures about one user, and about a segment of users, each against everybody."""

import math
from typing import TYPE_CHECKING

import pandas as pd

from recsys_core.viz.explore import shortened
from recsys_core.viz.theme import BLUE, ORANGE, PALETTE, REST, VERMILION, dressed, plain, plain_all

if TYPE_CHECKING:
    import plotly.graph_objects as go

BAR_HEIGHT = 26
PANELS_IN_A_ROW = 2
PANEL_HEIGHT = 165


def tag_bars(tags: pd.DataFrame) -> "go.Figure":
    """Return what somebody likes and dislikes, as bars, the strongest at the top.

    Args:
        tags: Columns `tag` (from outside: escaped here), `weight` (above 0: liked more than by others) and `part`
            (where the tag comes from: categories, terms, ...), in the order to be drawn.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    names = [f"{place}. {shortened(str(tag))}" for place, tag in enumerate(tags["tag"], start=1)]
    places = list(range(len(tags)))
    for color, (part, rows) in zip(PALETTE, tags.reset_index(drop=True).groupby("part", sort=False), strict=False):
        figure.add_bar(
            x=rows["weight"],
            y=rows.index,
            orientation="h",
            name=plain(part),
            marker_color=color,
            customdata=plain_all(rows["tag"]),
            hovertemplate="%{customdata}: %{x:.3f}<extra></extra>",
        )
    dressed(figure, x="Weight of the tag", y="", height=90 + BAR_HEIGHT * len(tags), barmode="overlay", bargap=0.25)
    figure.update_layout(showlegend=tags["part"].nunique() > 1)
    figure.update_yaxes(tickvals=places, ticktext=names, autorange="reversed")
    return figure


def habit_panels(spread: pd.DataFrame, person: pd.DataFrame) -> "go.Figure":
    """Return how somebody's habits stand against everybody's: a small histogram each, with the person's mark.

    Args:
        spread: Columns `habit`, `low`, `high` (edges of a bar) and `share` (of all people, 0..1).
        person: A row a habit, in the order to be drawn: `habit`, `value`, `below` (share of people with a smaller
            value, 0..1), `unit`.
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    known = person[person["habit"].isin(spread["habit"])].reset_index(drop=True)
    rows = max(1, math.ceil(len(known) / PANELS_IN_A_ROW))
    figure = make_subplots(
        rows=rows,
        cols=PANELS_IN_A_ROW,
        vertical_spacing=min(0.5, 70 / (rows * PANEL_HEIGHT)),
        horizontal_spacing=0.1,
        subplot_titles=[f"<b>{plain(habit)}</b>" for habit in known["habit"]],
    )
    for place, mark in enumerate(known.to_dict("records")):
        row, column = divmod(place, PANELS_IN_A_ROW)
        bars = spread[spread["habit"] == mark["habit"]]
        at = {"row": row + 1, "col": column + 1}
        figure.add_trace(
            go.Bar(
                x=(bars["low"] + bars["high"]) / 2,
                y=bars["share"],
                width=bars["high"] - bars["low"],
                marker={"color": REST, "line": {"width": 0}},
                customdata=bars[["low", "high"]],
                hovertemplate="%{y:.1%} of people: %{customdata[0]:.3g} to %{customdata[1]:.3g}<extra></extra>",
            ),
            **at,
        )
        figure.add_trace(
            go.Scatter(
                x=[mark["value"]] * 2,
                y=[0, bars["share"].max()],
                mode="lines+markers",
                line={"color": VERMILION, "width": 3},
                marker={"size": [0, 9], "symbol": "diamond"},
                customdata=[mark["below"]] * 2,
                hovertemplate="this person: %{x:.3g}<br>more than %{customdata:.0%} of people<extra></extra>",
            ),
            **at,
        )
    dressed(figure, x="", y="", height=60 + rows * PANEL_HEIGHT, showlegend=False, bargap=0)
    for place, unit in enumerate(known["unit"]):
        row, column = divmod(place, PANELS_IN_A_ROW)
        figure.update_xaxes(title_text=plain(unit), nticks=5, row=row + 1, col=column + 1)
    figure.update_yaxes(tickformat=".0%", nticks=4)
    figure.update_annotations(font_size=13)
    return figure


def difference_bars(traits: pd.DataFrame) -> "go.Figure":
    """Return what sets a segment apart from everybody.

    Args:
        traits: Columns `trait` (from outside: escaped here) and `difference` (mean of the segment minus mean of all, in
            standard deviations of all), in the order to be drawn.
    """
    import plotly.graph_objects as go

    names = [f"{place}. {shortened(str(trait), 34)}" for place, trait in enumerate(traits["trait"], start=1)]
    figure = go.Figure(
        go.Bar(
            x=traits["difference"],
            y=list(range(len(traits))),
            orientation="h",
            marker_color=[BLUE if value > 0 else ORANGE for value in traits["difference"]],
            customdata=plain_all(traits["trait"]),
            hovertemplate="%{customdata}: %{x:+.2f} standard deviations<extra></extra>",
        )
    )
    title = "Above (blue) or below (orange) the mean of all, in standard deviations"
    dressed(figure, x=title, y="", height=90 + BAR_HEIGHT * len(traits), bargap=0.25)
    figure.update_yaxes(tickvals=list(range(len(traits))), ticktext=names, autorange="reversed")
    return figure
