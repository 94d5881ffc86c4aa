"""The replay of a model's updates as a figure over the steps, and as sentences."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from recsys_core.evaluation.metric_info import MetricName
from recsys_core.evaluation.sentences import ends, interval_text, rounded
from recsys_core.experiments.update_replay import CONTRASTS, REFIT, STALE, UPDATED, VERSIONS, Replay
from recsys_core.text import Sentence, Template, _, later, percent
from recsys_core.viz.theme import BLUE, GREY, ORANGE, dressed, log_axis

NAMES = {STALE: later("Stale"), UPDATED: later("Incremental update"), REFIT: later("Full refit")}
STYLES = {STALE: (GREY, "square", "dot"), UPDATED: (BLUE, "circle", "solid"), REFIT: (ORANGE, "diamond", "dash")}
"""Color, symbol and line of each version."""
MANY_TIMES = 20.0
"""From this ratio of the longest to the shortest training on, the axis of seconds is logarithmic."""
SHORTEST = 0.001
HIGHER = Template("{metric} of {version} is higher than that of {baseline} by {by} ({low} to {high}; {count} users).")
LOWER = Template("{metric} of {version} is lower than that of {baseline} by {by} ({low} to {high}; {count} users).")
NO_DIFFERENCE = Template(
    "{metric} shows no significant difference between {version} and {baseline} ({by}; {low} to {high}; {count} users)."
)
IDENTICAL = Template("{metric} of {version} and {baseline} is the same for each of the {count} users.")
NOBODY = Template("No user of this step has a relevant test item, so the versions are not compared.")
IN_SENTENCE = {
    STALE: later("the stale model"),
    UPDATED: later("the incrementally updated model"),
    REFIT: later("the refit model"),
}
OVER_TIME = Template(
    "In the only step, {metric} of {version} is {verdict} that of {baseline} (95%, sign-flip test, Holm).",
    "Over {count} steps, {metric} of {version} is significantly higher than that of {baseline} in {higher}, "
    "significantly lower in {lower}, and not significantly different in {same} (95%, sign-flip test, Holm over the "
    "pairs, corrected for the steps).",
)
NEVER = Template(
    "In the only step, {metric} does not differ significantly between {version} and {baseline} (95%, sign-flip test, "
    "Holm).",
    "In none of the {count} steps does {metric} differ significantly between {version} and {baseline} (95%, sign-flip "
    "test, Holm over the pairs, corrected for the steps).",
)
NEVER_ANY = Template(
    "In the only step, {metric} does not differ significantly between any two versions (95%, sign-flip test, Holm).",
    "In none of the {count} steps does {metric} differ significantly between any two versions (95%, sign-flip test, "
    "Holm over the pairs, corrected for the steps).",
)
VERDICTS = (
    later("significantly higher than"),
    later("significantly lower than"),
)
COSTS = Template("The full refit took {refit} in total.", "The {count} full refits took {refit} in total.")
COSTS_BOTH = Template(
    "The full refit took {refit} and the incremental update {update}.",
    "The {count} full refits took {refit} in total, the {count} incremental updates {update}.",
)
CHURN = Template(
    "List churn since the previous step, for {count} user: {changes}.",
    "List churn since the previous step, mean over {count} users: {changes}.",
)
CHANGE = later("{version} {churn} ({low} to {high})")
COLD = Template(
    "{count} of {tests} test interactions of this step has a user or an item without earlier interactions (cold users: "
    "{users}, cold items: {items}).",
    "{count} of {tests} test interactions of this step have a user or an item without earlier interactions (cold "
    "users: {users}, cold items: {items}).",
)
LATE = Template("Unknown to the stale model only, as they came after its training: users {users}, items {items}.")


def day(milliseconds: float) -> str:
    """Return the date of a time in Unix milliseconds, in UTC."""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d}"


def versions_of(replay: Replay) -> list[str]:
    """Return the versions that a replay has, in drawing order."""
    return [name for name in VERSIONS if name != UPDATED or replay.updates]


def replay_figure(replay: Replay, cursor: int | None = None) -> go.Figure:
    """Return quality, training time and list churn over the steps, one below the other.

    Args:
        replay: The replay.
        cursor: Step that a vertical line marks; None for no line.
    """
    metric = MetricName.parse(replay.metric).title
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.07, row_heights=[0.46, 0.27, 0.27])
    days = [day(border) for border in replay.steps["border"]]
    for name in versions_of(replay):
        own = replay.points[replay.points["version"] == name]
        _line(figure, 1, name, own["step"], own[["mean", "low", "high"]], days, legend=True)
        later_steps = own[own["step"] > 0]
        _line(figure, 3, name, later_steps["step"], later_steps[["churn", "churn_low", "churn_high"]], days)
        if name != STALE:
            _line(figure, 2, name, later_steps["step"], later_steps[["seconds"]].clip(lower=SHORTEST), days)
    if cursor is not None:
        figure.add_vline(x=cursor, line={"color": GREY, "width": 1, "dash": "dot"})
    dressed(figure, x="", y="", height=700)
    for row, title in ((1, _("{metric}, mean").format(metric=metric)), (2, _("Seconds")), (3, _("List churn"))):
        figure.update_yaxes(title_text=title, row=row, col=1)
    figure.update_yaxes(range=[0, 1], tickformat=".0%", row=3, col=1)
    figure.update_yaxes(_seconds_axis(replay), row=2, col=1)
    steps = replay.steps["step"]
    figure.update_xaxes(tickvals=list(steps), range=[-0.3, float(steps.max()) + 0.3])
    figure.update_xaxes(title_text=_("Step; at 0 all versions are the same model"), row=3, col=1)
    return figure


def _line(
    figure: go.Figure,
    row: int,
    name: str,
    steps: pd.Series,
    values: pd.DataFrame,
    days: list[str],
    *,
    legend: bool = False,
) -> None:
    """Add the line of a version to a subplot; with three columns, the last two are a band."""
    color, symbol, dash = STYLES[name]
    numbers = values.to_numpy(np.float64)
    if numbers.shape[1] == 3:
        ends = np.concatenate([numbers[:, 2], numbers[::-1, 1]])
        known = ~np.isnan(ends)
        figure.add_scatter(
            x=np.concatenate([steps, steps[::-1]])[known],
            y=ends[known],
            fill="toself",
            fillcolor=_pale(color),
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            showlegend=False,
            legendgroup=name,
            row=row,
            col=1,
        )
    intervals = (
        [f" ({low:.3f}–{high:.3f})" for _mean, low, high in numbers] if numbers.shape[1] == 3 else [""] * len(numbers)
    )
    figure.add_scatter(
        x=steps,
        y=numbers[:, 0],
        mode="lines+markers",
        name=_(NAMES[name]),
        line={"color": color, "width": 2, "dash": dash},
        marker={"color": color, "symbol": symbol, "size": 8},
        showlegend=legend,
        legendgroup=name,
        customdata=np.stack([[_(NAMES[name])] * len(steps), [days[step] for step in steps], intervals], axis=-1),
        hovertemplate=_("%{customdata[0]}, from %{customdata[1]}<br>%{y:.3f}%{customdata[2]}<extra></extra>"),
        row=row,
        col=1,
    )


def _pale(color: str) -> str:
    """Return a color of an interval, in which several overlap."""
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.16)"


def _seconds_axis(replay: Replay) -> dict[str, object]:
    """Return a linear axis from 0, or a logarithmic one if updates and refits differ by orders of magnitude."""
    shown = replay.points[(replay.points["step"] > 0) & (replay.points["version"] != STALE)]["seconds"]
    low, high = max(float(shown.min()), SHORTEST), max(float(shown.max()), SHORTEST)
    return log_axis(low, high) if high / low > MANY_TIMES else {"rangemode": "tozero"}


def over_time(replay: Replay) -> list[Sentence]:
    """State in how many steps the versions differ significantly, and what updates and refits cost."""
    metric, table = MetricName.parse(replay.metric).title, replay.differences
    found = [_counted(replay, version, baseline) for version, baseline in CONTRASTS]
    if replay.updates and len(table) and not table["different"].any():
        found = [NEVER_ANY.fill(table["step"].nunique(), metric=metric)]
    later_steps = replay.points[replay.points["step"] > 0]
    total = later_steps.groupby("version")["seconds"].sum()
    steps = replay.settings.steps
    costs = {"refit": _duration(total[REFIT])}
    if replay.updates:
        said = COSTS_BOTH.fill(steps, **costs, update=_duration(total[UPDATED]))
    else:
        said = COSTS.fill(steps, **costs)
    return [sentence for sentence in found if sentence is not None] + [said]


def _counted(replay: Replay, version: str, baseline: str) -> Sentence | None:
    table = replay.differences
    own = table[(table["version"] == version) & (table["baseline"] == baseline)]
    if own.empty:
        return None
    ahead = int((own["different"] & (own["difference"] > 0)).sum())
    behind = int((own["different"] & (own["difference"] < 0)).sum())
    words = OVER_TIME if ahead or behind else NEVER
    return words.fill(
        len(own),
        metric=MetricName.parse(replay.metric).title,
        version=_(IN_SENTENCE[version]),
        baseline=_(IN_SENTENCE[baseline]),
        higher=str(ahead),
        lower=str(behind),
        same=str(len(own) - ahead - behind),
        verdict=_(VERDICTS[0] if ahead else VERDICTS[1]),
    )


def at_step(replay: Replay, step: int) -> list[Sentence]:
    """State how the versions differ at a step from 1 on, how the lists changed, and who and what is cold."""
    row = replay.at(step)
    said = [_difference(replay, pair, int(row["users"])) for pair in _rows(replay.differences, step)]
    if not said and step:
        said.append(NOBODY.fill())
    changes = [
        _(CHANGE).format(
            version=_(NAMES[one["version"]]),
            churn=percent(one["churn"]),
            low=percent(one["churn_low"]),
            high=percent(one["churn_high"]),
        )
        for one in _rows(replay.points, step)
        if np.isfinite(one["churn"])
    ]
    if changes:
        said.append(CHURN.fill(int(row["panel"]), changes=", ".join(changes)))
    return said + _cold(row)


def _rows(table: pd.DataFrame, step: int) -> list[dict[str, Any]]:
    """Return the rows of a step, by column."""
    return [
        {str(name): value for name, value in row.items()} for row in table[table["step"] == step].to_dict("records")
    ]


def _cold(row: Mapping[str, Any]) -> list[Sentence]:
    said = []
    if row["cold_tests"]:
        counts = {"tests": f"{row['test']:,}", "users": f"{row['cold_users']:,}", "items": f"{row['cold_items']:,}"}
        said.append(COLD.fill(int(row["cold_tests"]), **counts))
    if row["late_users"] or row["late_items"]:
        said.append(LATE.fill(users=f"{row['late_users']:,}", items=f"{row['late_items']:,}"))
    return said


def _difference(replay: Replay, pair: Mapping[str, Any], users: int) -> Sentence:
    difference, low, high = (float(pair[name]) for name in ("difference", "low", "high"))
    words = HIGHER if pair["different"] else NO_DIFFERENCE
    if pair["identical"]:
        words = IDENTICAL
    elif pair["different"] and difference < 0:
        words, difference, low, high = LOWER, -difference, -high, -low
    least, most = ends(low, high)
    return words.fill(
        users,
        metric=MetricName.parse(replay.metric).title,
        version=_(IN_SENTENCE[pair["version"]]),
        baseline=_(IN_SENTENCE[pair["baseline"]]),
        by=rounded(difference, low, high),
        low=least,
        high=most,
    )


def _duration(seconds: float) -> str:
    """Return seconds with the digits that a measured time supports."""
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:,.0f} s"


def step_table(replay: Replay, step: int) -> pd.DataFrame:
    """Return the versions at a step: `version`, `mean`, `interval`, `difference` (to the stale model), `seconds`,
    `churn`.
    """
    points = {row["version"]: row for row in _rows(replay.points, step)}
    pairs = {row["version"]: row for row in _rows(replay.differences, step) if row["baseline"] == STALE}
    rows = []
    for name in versions_of(replay):
        point = points[name]
        interval = point["low"], point["high"]
        known = bool(np.isfinite(point["mean"]))
        rows.append(
            {
                "version": _(NAMES[name]),
                "mean": rounded(point["mean"], *interval) if known else "-",
                "interval": interval_text(*interval) if known else "-",
                "difference": _with_interval(pairs[name]) if name in pairs else "-",
                "seconds": f"{point['seconds']:.2f}" if np.isfinite(point["seconds"]) else "-",
                "churn": percent(point["churn"]) if np.isfinite(point["churn"]) else "-",
            }
        )
    return pd.DataFrame(rows)


def _with_interval(pair: Mapping[str, Any]) -> str:
    """Return a difference with its interval, rounded to what that supports."""
    low, high = pair["low"] + 0.0, pair["high"] + 0.0  # avoids -0
    difference = rounded(pair["difference"] + 0.0, low, high)
    return f"{difference} ({interval_text(low, high)})"
