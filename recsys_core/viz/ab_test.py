"""A/B tests as pictures: users against detectable difference, A/A p-values, and effects with intervals."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from recsys_core.evaluation.ab_test.planner import Plan, detectable
from recsys_core.evaluation.ab_test.reading import Reading
from recsys_core.evaluation.ab_test.replay import CONFIDENCE, Replay
from recsys_core.evaluation.sentences import about
from recsys_core.text import Sentence, Template, _, percent, whole
from recsys_core.viz.bars import interval_bars, with_names
from recsys_core.viz.theme import BLUE, GREEN, GREY, VERMILION, dressed, log_axis

BINS = 20
NEEDED = Template(
    "{needed} users are needed to detect a difference of {difference} with {power} power ({level} level, two-sided), "
    "if their values vary like those of the {users} stored users."
)
DETECTABLE = Template("As many users as are stored ({users}) detect a difference of {detectable}.")
CUPED = Template(
    "With CUPED, {needed} users are needed ({saved} fewer), since the covariate explains {saved} of the variance."
)
SOUND = Template(
    "{share} of {replays} A/A replays are false wins ({low} to {high}; {confidence}), which agrees with the {level} "
    "level."
)
TOO_MANY = Template(
    "{share} of {replays} A/A replays are false wins ({low} to {high}; {confidence}), more than the {level} level: do "
    "not use this test on these values."
)
TOO_FEW = Template(
    "{share} of {replays} A/A replays are false wins ({low} to {high}; {confidence}), fewer than the {level} level: on "
    "these values the test is conservative, and it may need more users than planned."
)


def plan_sentences(made: Plan) -> list[Sentence]:
    """Return the plan in sentences."""
    design = made.design
    told = [
        NEEDED.fill(
            needed=about(made.needed),
            difference=f"{abs(made.difference):.3g}",
            power=f"{100 * design.power:.4g}%",
            level=f"{design.level:.3g}",
            users=whole(made.users),
        ),
        DETECTABLE.fill(users=whole(made.users), detectable=f"{made.detectable:.3g}"),
    ]
    if not np.isnan(made.correlation):
        told.append(CUPED.fill(needed=about(made.needed_cuped), saved=percent(made.saved)))
    return told


def replay_sentence(again: Replay) -> Sentence:
    """Return whether the share of false wins agrees with the level."""
    template = SOUND if again.sound else TOO_MANY if again.wins > again.level else TOO_FEW
    return template.fill(
        share=percent(again.wins, 1),
        replays=whole(len(again.p)),
        low=percent(again.low, 1),
        high=percent(again.high, 1),
        confidence=f"{100 * CONFIDENCE:.4g}%",
        level=f"{100 * again.level:.4g}%",
    )


def needed_table(made: Plan) -> pd.DataFrame:
    """Return the smallest detectable difference by number of users, with and without CUPED."""
    least, most = max(10, made.needed_cuped // 20), max(made.needed, made.users) * 4
    users = np.unique(np.geomspace(least, most, 60).astype(int))
    rest = made.deviation * np.sqrt(1 - made.saved)
    table = pd.DataFrame(
        {
            "users": users,
            "difference": [detectable(made.deviation, int(one), made.design) for one in users],
        }
    )
    if made.saved > 0:
        table["with_cuped"] = [detectable(float(rest), int(one), made.design) for one in users]
    return table


def needed_figure(made: Plan) -> go.Figure:
    """Return the smallest detectable difference against the number of users, on logarithmic axes."""
    table = needed_table(made)
    figure = go.Figure().add_scatter(
        x=table["users"],
        y=table["difference"],
        mode="lines",
        name=_("without covariate"),
        line={"color": BLUE},
        hovertemplate="%{x:,}: %{y:.3g}<extra></extra>",
    )
    if "with_cuped" in table:
        figure.add_scatter(
            x=table["users"],
            y=table["with_cuped"],
            mode="lines",
            name=_("CUPED"),
            line={"color": GREEN},
            hovertemplate="%{x:,}: %{y:.3g}<extra></extra>",
        )
    figure.add_scatter(
        x=[made.needed],
        y=[abs(made.difference)],
        mode="markers",
        name=_("planned difference"),
        marker={"size": 11, "color": VERMILION, "symbol": "diamond"},
        hovertemplate="%{x:,}: %{y:.3g}<extra></extra>",
    )
    dressed(figure, x=_("users, both groups together"), y=_("smallest detectable difference"))
    figure.update_xaxes(**log_axis(float(table["users"].min()), float(table["users"].max())))
    return figure.update_yaxes(type="log", tickformat=".2g", nticks=6)


def replay_figure(again: Replay) -> go.Figure:
    """Return the histogram of A/A p-values, which is flat for a sound test."""
    counts, edges = np.histogram(again.p, bins=BINS, range=(0, 1))
    figure = go.Figure().add_bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=counts,
        marker_color=[VERMILION if edge < again.level - 1e-9 else BLUE for edge in edges[:-1]],
        hovertemplate="%{x:.2f}: %{y}<extra></extra>",
        showlegend=False,
    )
    figure.add_hline(y=len(again.p) / BINS, line={"color": GREY, "dash": "dot"})
    return dressed(figure, x=_("p-value"), y=_("replays"), height=300)


def effects_table(reading: Reading) -> pd.DataFrame:
    """Return the effects: one row per treatment."""
    return pd.DataFrame([vars(one) for one in reading.effects])


def effects_figure(reading: Reading) -> go.Figure:
    """Return the differences to the control with their intervals."""
    table = effects_table(reading)
    figure = go.Figure().add_scatter(
        x=table["difference"],
        y=list(range(len(table))),
        mode="markers",
        marker={"size": 10, "color": [BLUE if one else GREY for one in table["significant"]]},
        error_x=interval_bars(table["difference"], table["low"], table["high"], color=GREY),
        hovertemplate="%{x:.4g}<extra></extra>",
        showlegend=False,
    )
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    title = _("difference to {control}").format(control=reading.arms[0].name)
    return with_names(figure, list(table["name"]), x=title, row=40)
