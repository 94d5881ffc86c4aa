"""Figures about one user or item and about a segment of users, each compared with all users or items."""

import math
import textwrap
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from recsys_core.text import _, later, percent
from recsys_core.viz.explore import rating_axis
from recsys_core.viz.theme import (
    BLUE,
    ORANGE,
    PALETTE,
    REST,
    VERMILION,
    date_ticks,
    dressed,
    log_axis,
    plain,
    plain_all,
    shortened,
)

if TYPE_CHECKING:
    from recsys_core.profiles.segments import Trait

BAR_HEIGHT = 26
PANELS_IN_A_ROW = 2
PANEL_HEIGHT = 175
TITLE_WIDTH = 30
BARS_OF_A_PANEL = 24
OUTERMOST = 0.01
TAIL_HEIGHT = 320
POINTS = 300


@dataclass(frozen=True)
class Axis:
    """Transformation of values to the axis of a panel, and its inverse."""

    there: Callable[[Any], Any]
    back: Callable[[Any], Any]


STRAIGHT = Axis(np.asarray, np.asarray)


LOGARITHMIC = Axis(np.log1p, np.expm1)


TICKS = (0, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)


TICK_NAMES = ("0", "1", "3", "10", "30", "100", "300", "1k", "3k", "10k", "30k", "100k")


def tag_bars(tags: pd.DataFrame) -> go.Figure:
    """Return the preference tags of a user as bars, the largest weight at the top.

    Args:
        tags: Columns `name` (untrusted text, escaped here), `weight`, `kind` (category, term, number) and `liked`
            (number of relevant items with the tag), in drawing order.
    """
    figure = go.Figure()
    names = [f"{place}. {shortened(str(tag))}" for place, tag in enumerate(tags["name"], start=1)]
    places = list(range(len(tags)))
    for color, (kind, rows) in zip(PALETTE, tags.reset_index(drop=True).groupby("kind", sort=False), strict=False):
        figure.add_bar(
            x=rows["weight"],
            y=rows.index,
            orientation="h",
            width=0.75,
            name=plain(kind),
            marker_color=color,
            hovertext=plain_all(rows["name"]),
            customdata=rows["liked"],
            hovertemplate=_("%{hovertext}: %{x:.3f}<br>in %{customdata:,} relevant items<extra></extra>"),
        )
    dressed(figure, x=_("Weight of the tag"), y="", height=90 + BAR_HEIGHT * len(tags), barmode="overlay")
    figure.update_layout(showlegend=tags["kind"].nunique() > 1)
    figure.update_yaxes(tickvals=places, ticktext=names, autorange="reversed")
    return figure


def telling(habits: pd.DataFrame, everybody: pd.DataFrame) -> pd.DataFrame:
    """Return the behavior features that are known of a user and differ between users; columns as in `habit_panels`."""
    differs = habits["habit"].map(lambda habit: everybody[habit].nunique() > 1).astype(bool)
    return habits[habits["value"].notna() & differs].reset_index(drop=True)


def habit_panels(habits: pd.DataFrame, everybody: pd.DataFrame) -> go.Figure:
    """Return one small histogram per behavior feature over all users, with the value of one user marked.

    Args:
        habits: One row per feature, in drawing order: `habit`, `label`, `unit`, `value` (of the user), `below` (share
            of users with a smaller value, 0..1) and `log` (whether it is drawn as log(1 + x)).
        everybody: One row per user, one column for each `habit`; NaN where unknown.
    """
    rows = max(1, math.ceil(len(habits) / PANELS_IN_A_ROW))
    figure = make_subplots(
        rows=rows,
        cols=PANELS_IN_A_ROW,
        vertical_spacing=min(0.5, 75 / (rows * PANEL_HEIGHT)),
        horizontal_spacing=0.12,
    )
    dressed(figure, x="", y="", height=height_of_panels(len(habits)), showlegend=False, bargap=0)
    for place, mark in enumerate(habits.to_dict("records")):
        at = {"row": place // PANELS_IN_A_ROW + 1, "col": place % PANELS_IN_A_ROW + 1}
        axis = LOGARITHMIC if mark["log"] else STRAIGHT
        _add_panel(figure, mark, _spread(everybody[mark["habit"]], axis), axis, at)
        figure.update_xaxes(title_text=_wrapped(mark), nticks=5, **at)
        if mark["log"]:
            figure.update_xaxes(tickvals=axis.there(TICKS), ticktext=TICK_NAMES, **at)
    figure.update_yaxes(tickformat=".0%", nticks=4, rangemode="tozero")
    return figure


def _add_panel(
    figure: go.Figure, mark: dict[Hashable, Any], bars: pd.DataFrame, axis: Axis, at: dict[str, int]
) -> None:
    """Add the histogram of one feature and the line of the user."""
    low, high = axis.there(bars["low"].to_numpy()), axis.there(bars["high"].to_numpy())
    figure.add_bar(
        x=(low + high) / 2,
        y=bars["share"],
        width=high - low,
        marker={"color": REST, "line": {"width": 0}},
        customdata=bars[["low", "high"]].assign(share=[plain(percent(share, 1)) for share in bars["share"]]),
        hovertemplate=_("%{customdata[2]} of users: %{customdata[0]:.3~g} to %{customdata[1]:.3~g}<extra></extra>"),
        **at,
    )
    figure.add_scatter(
        x=[float(axis.there(mark["value"]))] * 2,
        y=[0, bars["share"].max()],
        mode="lines+markers",
        line={"color": VERMILION, "width": 3},
        marker={"size": [0, 9], "symbol": "diamond"},
        customdata=[[mark["value"], plain(percent(mark["below"], 1))]] * 2,
        hovertemplate=_("this user: %{customdata[0]:,.4~g}<br>higher than %{customdata[1]} of users<extra></extra>"),
        **at,
    )


def _wrapped(mark: dict[Hashable, Any]) -> str:
    """Return the title of a panel with its unit, wrapped to the width of a panel."""
    label, unit = _(str(mark["label"])), _(str(mark["unit"]))
    title = label if unit.lower() in label.lower() else f"{label}, {unit}"
    return "<b>" + "<br>".join(plain(line) for line in textwrap.wrap(title, TITLE_WIDTH)) + "</b>"


def _spread(values: pd.Series, axis: Axis) -> pd.DataFrame:
    """Return a histogram: `low`, `high`, `share` (0..1). Values outside the 1% and 99% quantiles are clipped into the
    outer bins, so that outliers do not compress the axis.
    """
    known = values.dropna().to_numpy(np.float64)
    if not len(known):
        return pd.DataFrame({"low": [], "high": [], "share": []}, dtype=np.float64)
    low, high = np.quantile(known, [OUTERMOST, 1 - OUTERMOST])
    shares, edges = np.histogram(axis.there(known.clip(low, high)), bins=BARS_OF_A_PANEL)
    back = axis.back(edges)
    return pd.DataFrame({"low": back[:-1], "high": back[1:], "share": shares / len(known)})


def difference_bars(traits: pd.DataFrame) -> go.Figure:
    """Return the differences between a segment and all users.

    Args:
        traits: Columns `name` (untrusted text, escaped here) and `effect` (mean of the segment minus mean of all users,
            in standard deviations), in drawing order.
    """
    names = [f"{place}. {shortened(str(trait), 34)}" for place, trait in enumerate(traits["name"], start=1)]
    figure = go.Figure().add_bar(
        x=traits["effect"],
        y=list(range(len(traits))),
        orientation="h",
        marker_color=[BLUE if value > 0 else ORANGE for value in traits["effect"]],
        customdata=plain_all(traits["name"]),
        hovertemplate=_("%{customdata}: %{x:+.2f} standard deviations<extra></extra>"),
    )
    dressed(
        figure,
        x=_("Difference from all users, in standard deviations"),
        y="",
        height=90 + BAR_HEIGHT * len(traits),
        bargap=0.25,
    )
    figure.update_yaxes(tickvals=list(range(len(traits))), ticktext=names, autorange="reversed")
    return figure


def height_of_panels(habits: int) -> int:
    """Return the height in pixels of `habit_panels` for a number of features."""
    return 60 + max(1, math.ceil(habits / PANELS_IN_A_ROW)) * PANEL_HEIGHT


def trait_table(traits: "Iterable[Trait]") -> pd.DataFrame:
    """Return the traits of a segment as a table: `part`, `name`, `here`, `everybody`, `effect`."""
    columns = ["part", "name", "here", "everybody", "effect"]
    return pd.DataFrame([[getattr(one, column) for column in columns] for one in traits], columns=columns)


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
            ratings), both 0..1; `attrs["width"]` as in `rating_axis`.
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
        customdata=plain_all(percent(share, 1) for share in ratings[own]),
        hovertemplate=_("rating %{{x}}: %{{customdata}} ({name})<extra></extra>").format(name=_(name)),
    )
    figure.add_bar(
        x=labels,
        y=ratings["everybody"],
        name=_("all ratings"),
        marker_color=REST,
        customdata=plain_all(percent(share, 1) for share in ratings["everybody"]),
        hovertemplate=_("rating %{x}: %{customdata} of all<extra></extra>"),
    )
    axis = rating_axis(float(ratings.attrs.get("width", 0.0)))
    dressed(figure, x=axis, y=_("Share of ratings"), height=300, barmode="group", bargap=0.2)
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
    date_ticks(figure, periods["start"].tolist())
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
