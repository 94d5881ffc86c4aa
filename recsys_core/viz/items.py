"""Figures about one item: its position in the long tail, its ratings, and its interactions over time."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from recsys_core.text import _, later
from recsys_core.viz.theme import BLUE, ORANGE, REST, VERMILION, dressed, log_axis

TAIL_HEIGHT = 320
POINTS = 300


def popularity_curve(table: pd.DataFrame) -> pd.DataFrame:
    """Return `rank` and `interactions` at up to 300 ranks, spaced logarithmically.

    Args:
        table: One row per item: `place` (1: the most popular) and `interactions`; items without any are left out.
    """
    import numpy as np

    ranked = table.loc[table["interactions"] > 0, ["place", "interactions"]].sort_values("place")
    if ranked.empty:
        return pd.DataFrame({"rank": [], "interactions": []})
    rows = np.unique(np.geomspace(1, len(ranked), POINTS).round().astype(int)) - 1
    kept = ranked.iloc[rows]
    return pd.DataFrame({"rank": kept["place"].to_numpy(), "interactions": kept["interactions"].to_numpy()})


def tail_place(curve: pd.DataFrame, *, rank: int, interactions: int, head: int) -> go.Figure:
    """Return popularity over rank with one item marked; both axes are logarithmic.

    Args:
        curve: Columns `rank` (1: the most popular) and `interactions` (at least 1), not increasing.
        rank: Rank of the item.
        interactions: Of the item; 0 is drawn at the lower end of the axis.
        head: Rank of the last item of the head.
    """
    figure = go.Figure()
    border = int((curve["rank"] <= head).sum())
    for name, color, part in ((_("head"), ORANGE, curve[:border]), (_("tail"), BLUE, curve[max(0, border - 1) :])):
        figure.add_scatter(
            x=part["rank"],
            y=part["interactions"],
            mode="lines",
            name=name,
            line={"color": color, "width": 3},
            hovertemplate=_("popularity rank %{x:,}: %{y:,} interactions<extra></extra>"),
        )
    figure.add_scatter(
        x=[rank],
        y=[max(interactions, 0.5)],
        mode="markers",
        name=_("this item"),
        marker={"color": VERMILION, "size": 14, "symbol": "diamond"},
        hovertemplate=_("this item: popularity rank {rank:,}, {interactions:,} interactions<extra></extra>").format(
            rank=rank, interactions=interactions
        ),
    )
    dressed(figure, x=_("Popularity rank (logarithmic)"), y=_("Interactions (logarithmic)"), height=TAIL_HEIGHT)
    figure.update_xaxes(log_axis(1, max([rank, *curve["rank"]])))
    figure.update_yaxes(log_axis(1, max([1, *curve["interactions"]])))
    return figure


def rating_spread(ratings: pd.DataFrame, *, own: str = "item", name: str = later("this item")) -> go.Figure:
    """Return the rating distribution of one item or user beside the distribution of all ratings.

    Args:
        ratings: Columns `rating`, one named by `own` (share of the item's or user's ratings), and `everybody` (of all
            ratings), both 0..1.
        own: Column of the item's or user's shares.
        name: Label in the legend.
    """
    labels = [f"{rating:g}" for rating in ratings["rating"]]
    figure = go.Figure()
    figure.add_bar(
        x=labels,
        y=ratings[own],
        name=_(name),
        marker_color=BLUE,
        hovertemplate=_("rating %{{x}}: %{{y:.1%}} ({name})<extra></extra>").format(name=_(name)),
    )
    figure.add_bar(
        x=labels,
        y=ratings["everybody"],
        name=_("all ratings"),
        marker_color=REST,
        hovertemplate=_("rating %{x}: %{y:.1%} of all<extra></extra>"),
    )
    dressed(figure, x=_("Rating"), y=_("Share of ratings"), height=300, barmode="group", bargap=0.2)
    figure.update_xaxes(type="category")
    figure.update_yaxes(tickformat=".0%")
    return figure


def item_timeline(periods: pd.DataFrame, *, unit: str) -> go.Figure:
    """Return the interactions and the mean rating of an item over time, one above the other.

    Args:
        periods: Columns `start` (time), `interactions`, and, with ratings, `mean` (rating of the period; NaN without
            ratings).
        unit: Length of a period: day, week, month or year.
    """
    rated = "mean" in periods and bool(periods["mean"].notna().any())
    figure = make_subplots(rows=2 if rated else 1, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    last = {"row": 2 if rated else 1, "col": 1}
    figure.add_bar(
        x=periods["start"],
        y=periods["interactions"],
        marker_color=BLUE,
        hovertemplate=_("%{x|%d %b %Y}: %{y:,} interactions<extra></extra>"),
        **last,
    )
    height = 420 if rated else 260
    dressed(figure, x="", y="", height=height, showlegend=False)
    figure.update_xaxes(title_text=_("Time"), **last)
    figure.update_yaxes(title_text=_("Interactions per {unit}").format(unit=_(unit)), **last)
    if rated:
        known = periods[periods["mean"].notna()]
        figure.add_scatter(
            x=known["start"],
            y=known["mean"],
            mode="lines+markers",
            line={"color": ORANGE, "width": 2},
            marker={"size": 6},
            hovertemplate=_("%{x|%d %b %Y}: mean rating %{y:.2f}<extra></extra>"),
            row=1,
            col=1,
        )
        figure.update_yaxes(title_text=_("Mean rating"), row=1, col=1)
    return figure
