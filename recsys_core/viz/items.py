"""Figures about one item: its place in the long tail, how it was rated, and when."""

from typing import TYPE_CHECKING

import pandas as pd

from recsys_core.viz.theme import BLUE, ORANGE, REST, VERMILION, dressed

if TYPE_CHECKING:
    import plotly.graph_objects as go


def tail_place(curve: pd.DataFrame, *, rank: int, interactions: int, head: int) -> "go.Figure":
    """Return how popularity falls from the first item to the last, and where one item stands; both axes logarithmic.

    Args:
        curve: Columns `rank` (1: the most popular) and `interactions` (at least 1), not increasing.
        rank: Rank of the item.
        interactions: Of the item; 0 is drawn at the foot of the axis.
        head: Rank of the last item of the head.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for name, color, part in (
        ("head", ORANGE, curve[curve["rank"] <= head]),
        ("tail", BLUE, curve[curve["rank"] >= head]),
    ):
        figure.add_scatter(
            x=part["rank"],
            y=part["interactions"],
            mode="lines",
            name=name,
            line={"color": color, "width": 3},
            hovertemplate="item %{x:,} of the ranking: %{y:,} interactions<extra></extra>",
        )
    figure.add_trace(
        go.Scatter(
            x=[rank],
            y=[max(interactions, 0.5)],
            mode="markers",
            name="this item",
            marker={"color": VERMILION, "size": 14, "symbol": "diamond"},
            hovertemplate=f"this item: place {rank:,}, {interactions:,} interactions<extra></extra>",
        )
    )
    dressed(figure, x="Place in popularity (logarithmic)", y="Interactions (logarithmic)", height=320)
    figure.update_xaxes(type="log", dtick=1)
    figure.update_yaxes(type="log", dtick=1)
    return figure


def rating_spread(ratings: pd.DataFrame) -> "go.Figure":
    """Return how often each rating was given to an item, beside how often it is given to all.

    Args:
        ratings: Columns `rating`, `item` (share of the item's ratings) and `everybody` (of all ratings), both 0..1.
    """
    import plotly.graph_objects as go

    labels = [f"{rating:g}" for rating in ratings["rating"]]
    figure = go.Figure()
    figure.add_bar(
        x=labels,
        y=ratings["item"],
        name="this item",
        marker_color=BLUE,
        hovertemplate="rating %{x}: %{y:.1%} of this item's<extra></extra>",
    )
    figure.add_bar(
        x=labels,
        y=ratings["everybody"],
        name="all items",
        marker_color=REST,
        hovertemplate="rating %{x}: %{y:.1%} of all<extra></extra>",
    )
    dressed(figure, x="Rating", y="Share of ratings", height=300, barmode="group", bargap=0.2)
    figure.update_xaxes(type="category")
    figure.update_yaxes(tickformat=".0%")
    return figure


def item_timeline(periods: pd.DataFrame, *, unit: str, mean: float | None) -> "go.Figure":
    """Return how many interactions an item had in each period, and its mean rating there, one above the other.

    Args:
        periods: Columns `start` (time), `interactions`, and `mean` (rating of the period; NaN where nobody rated) if
            people rated.
        unit: What a period is: day, week, month, year.
        mean: Mean rating of the item, None without ratings.
    """
    from plotly.subplots import make_subplots

    rated = mean is not None and "mean" in periods
    figure = make_subplots(rows=2 if rated else 1, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    last = {"row": 2 if rated else 1, "col": 1}
    figure.add_bar(
        x=periods["start"],
        y=periods["interactions"],
        marker_color=BLUE,
        hovertemplate="%{x|%d %b %Y}: %{y:,} interactions<extra></extra>",
        **last,
    )
    height = 420 if rated else 260
    dressed(figure, x="", y="", height=height, showlegend=False)
    figure.update_xaxes(title_text="Time", **last)
    figure.update_yaxes(title_text=f"Interactions a {unit}", **last)
    if rated:
        known = periods[periods["mean"].notna()]
        figure.add_scatter(
            x=known["start"],
            y=known["mean"],
            mode="lines+markers",
            line={"color": ORANGE, "width": 2},
            marker={"size": 6},
            hovertemplate="%{x|%d %b %Y}: mean rating %{y:.2f}<extra></extra>",
            row=1,
            col=1,
        )
        figure.add_hline(y=mean, line={"color": REST, "dash": "dash"}, row=1, col=1)
        figure.update_yaxes(title_text="Mean rating", row=1, col=1)
    return figure
