"""Figures of a data set before any model is trained, one per question; the sentences are in `questions`."""

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from recsys_core.text import _, percent
from recsys_core.viz.bars import interval_bars
from recsys_core.viz.theme import (
    BLUE,
    HEAT,
    HEAT_LABEL,
    ORANGE,
    REST,
    VERMILION,
    date_ticks,
    dressed,
    heat_bar,
    log_axis,
    plain,
    plain_all,
    shortened,
)


def lorenz_curve(curve: pd.DataFrame, *, head_share: float, head_holds: float) -> go.Figure:
    """Return the Lorenz curve of interactions over items, the most popular first.

    Args:
        curve: Columns `items` and `interactions`: cumulative shares (0..1), not decreasing, from (0, 0) to (1, 1).
        head_share: Share of items in the head.
        head_holds: Share of interactions with head items.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=curve["items"],
        y=curve["interactions"],
        mode="lines",
        line={"color": BLUE, "width": 3},
        fill="tozeroy",
        fillcolor="rgba(0,114,178,0.15)",
        name=_("this data set"),
        customdata=curve[["items", "interactions"]].map(lambda share: plain(percent(share, 1))),
        hovertemplate=_(
            "the %{customdata[0]} most popular items<br>have %{customdata[1]} of all interactions<extra></extra>"
        ),
    )
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": REST, "dash": "dash"},
        name=_("all items equally popular"),
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=[head_share, head_share],
        y=[0, head_holds],
        mode="lines+markers",
        line={"color": ORANGE, "width": 2},
        marker={"size": [0, 10]},
        name=_("head/tail boundary"),
        hovertemplate=_("head: {head_share} of items, {head_holds} of interactions<extra></extra>").format(
            head_share=plain(percent(head_share, 1)), head_holds=plain(percent(head_holds, 1))
        ),
    )
    dressed(figure, x=_("Share of items, most popular first"), y=_("Share of interactions"))
    figure.update_xaxes(tickformat=".0%", range=[0, 1])
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    return figure


def activity_histogram(bins: pd.DataFrame, *, median: float) -> go.Figure:
    """Return a histogram of interactions per user, with logarithmic bins.

    Args:
        bins: Columns `low`, `high` (interactions per user, both inclusive) and `users`.
        median: Median number of interactions per user.
    """
    ends = zip(bins["low"], bins["high"], strict=True)
    labels = [f"{low:,}" if low == high else f"{low:,} to {high:,}" for low, high in ends]
    figure = _bars(labels, bins["users"], _("%{x} interactions: %{y:,} users"))
    place = int(((bins["low"] <= median) & (bins["high"] >= median - 0.5)).to_numpy().argmax())
    figure.update_traces(marker_color=[ORANGE if number == place else BLUE for number in range(len(bins))])
    figure.update_xaxes(type="category")
    return dressed(figure, x=_("Interactions per user (orange: median)"), y=_("Users"))


def rating_bars(ratings: pd.DataFrame, *, width: float = 0.0) -> go.Figure:
    """Return the distribution of ratings.

    Args:
        ratings: Columns `rating` (text or number) and `interactions`.
        width: Width of the intervals whose centers the ratings are; 0 if they are the ratings themselves.
    """
    shares = ratings["interactions"] / max(1, ratings["interactions"].sum())
    labels = [plain(f"{value:g}" if isinstance(value, float | int) else value) for value in ratings["rating"]]
    figure = _bars(labels, shares, _("rating %{x}: %{customdata}"))
    figure.update_traces(customdata=plain_all(percent(share, 1) for share in shares))
    figure.update_yaxes(tickformat=".0%")
    figure.update_xaxes(type="category")
    return dressed(figure, x=rating_axis(width), y=_("Share of ratings"))


def rating_axis(width: float) -> str:
    """Return the title of an axis of ratings; `width` as in `rating_bars`."""
    return _("Rating (center of an interval of {width:g})").format(width=width) if width else _("Rating")


def event_bars(events: pd.DataFrame) -> go.Figure:
    """Return the number of interactions of each event type.

    Args:
        events: Columns `event` (untrusted text, escaped here) and `interactions`.
    """
    figure = _bars(plain_all(events["event"]), events["interactions"], "%{x}: %{y:,}")
    return dressed(figure, x=_("Event type"), y=_("Interactions"), height=300)


def timeline(periods: pd.DataFrame, *, unit: str) -> go.Figure:
    """Return the number of interactions over time.

    Args:
        periods: Columns `start` (time) and `interactions`.
        unit: Length of a period: day, week, month or year.
    """
    figure = _bars(periods["start"], periods["interactions"], _("%{x|%d %b %Y}: %{y:,} interactions"))
    date_ticks(figure, periods["start"].tolist())
    return dressed(figure, x=_("Time"), y=_("Interactions per {unit}").format(unit=_(unit)))


def order_bars(table: pd.DataFrame) -> go.Figure:
    """Return the accuracy of a model on ordered and on shuffled histories, with intervals.

    Args:
        table: Columns `histories`, `ndcg@10`, `low`, `high`.
    """
    figure = _bars(table["histories"], table["ndcg@10"], _("histories %{x}: %{y:.3f}"))
    figure.update_traces(error_y=interval_bars(table["ndcg@10"], table["low"], table["high"], color=ORANGE))
    return dressed(figure, x=_("Histories"), y=_("NDCG@10, mean over users"), height=300)


def lift_map(pairs: pd.DataFrame, titles: list[str]) -> go.Figure:
    """Return the co-occurrence lift of the most popular items as a heat map.

    Args:
        pairs: Columns `first`, `second` (indices into titles), `lift` (users with both items relative to the number
            expected under independence) and `together` (users with both items); each pair in both orders, no diagonal.
        titles: Titles by index; untrusted text, escaped here.
    """
    size = len(titles)
    lift: list[list[float | None]] = [[None] * size for _ in range(size)]
    together = [[0] * size for _ in range(size)]
    columns = (pairs[name].tolist() for name in ("first", "second", "lift", "together"))
    for first, second, times, users in zip(*columns, strict=True):
        lift[first][second], together[first][second] = times, users
    labels = [f"{place}. {shortened(title, HEAT_LABEL)}" for place, title in enumerate(titles, start=1)]
    names = [[f"{plain(a)}<br>{plain(b)}" for b in titles] for a in titles]
    figure = go.Figure().add_heatmap(
        z=lift,
        customdata=together,
        text=names,
        colorscale=HEAT,
        colorbar=heat_bar(_("lift")),
        hovertemplate=_("%{text}<br>%{customdata:,} users with both, lift %{z:.2f}<extra></extra>"),
        xgap=1,
        ygap=1,
    )
    numbers = list(range(size))
    dressed(figure, x=_("Same items, by popularity rank"), y=_("Items, by popularity rank"), height=560)
    fifths = numbers[4::5]  # all of them would touch on a narrow screen
    figure.update_xaxes(tickvals=fifths, ticktext=[str(number + 1) for number in fifths], showgrid=False)
    figure.update_yaxes(tickvals=numbers, ticktext=labels, autorange="reversed", showgrid=False)
    return figure


def matrix_sample(cells: pd.DataFrame, *, users: int, items: int) -> go.Figure:
    """Return a sample of the user-item matrix with a mark for each interaction.

    Args:
        cells: Columns `row` and `column` (positions in the sample) of the non-empty cells.
        users: Number of rows of the sample.
        items: Number of columns of the sample, from the most to the least popular item.
    """
    import numpy as np

    known = np.zeros((users, items), dtype=np.uint8)
    known[cells["row"], cells["column"]] = 1
    figure = go.Figure().add_heatmap(
        z=known,
        zmin=0,
        zmax=1,
        colorscale=[[0, "rgba(0,0,0,0)"], [1, BLUE]],
        showscale=False,
        hovertemplate=_("user %{y}, item %{x} of the sample<extra></extra>"),
    )
    dressed(figure, x=_("Sampled items, most popular first"), y=_("Sampled users"), height=420)
    figure.update_xaxes(range=[-1, items], showgrid=False, zeroline=False)
    figure.update_yaxes(range=[users, -1], showgrid=False, zeroline=False)
    return figure


def unlike_users(users: pd.DataFrame) -> go.Figure:
    """Return users by activity and by mean rating or item popularity, outliers in red.

    Args:
        users: Columns `user_id`, `interactions`, `value`, `value_name` (constant), `unlike` (whether it is an outlier).
    """
    figure = go.Figure()
    for unlike, color, name, size in ((False, REST, _("other users"), 5), (True, VERMILION, _("outliers"), 9)):
        part = users[users["unlike"] == unlike]
        add = figure.add_scattergl if len(part) > 3000 else figure.add_scatter
        add(
            x=part["interactions"],
            y=part["value"],
            mode="markers",
            name=name,
            marker={"color": color, "size": size, "symbol": "diamond" if unlike else "circle", "opacity": 0.8},
            customdata=plain_all(part["user_id"]),
            hovertemplate=_("user %{customdata}<br>%{x:,} interactions, %{y:.2f}<extra></extra>"),
        )
    dressed(
        figure, x=_("Interactions per user (logarithmic)"), y=_(str(users["value_name"].iloc[0])) if len(users) else ""
    )
    figure.update_xaxes(log_axis(1, max([1, *users["interactions"]])))
    return figure


def _bars(x: Any, y: Any, hover: str) -> go.Figure:
    return go.Figure().add_bar(x=x, y=y, marker_color=BLUE, hovertemplate=f"{hover}<extra></extra>")
