"""Off-policy evaluation as pictures: estimates with intervals, truth mode, and regret of exploration."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from recsys_core.evaluation.off_policy.estimators import ESTIMATORS, TITLES
from recsys_core.evaluation.off_policy.exploration import Exploration
from recsys_core.evaluation.off_policy.report import PolicyReport
from recsys_core.evaluation.off_policy.truth import POLICY, TRUE
from recsys_core.evaluation.sentences import interval_text
from recsys_core.text import Sentence, Template, _, later
from recsys_core.viz.bars import interval_bars, with_names
from recsys_core.viz.theme import BLUE, GREY, PALETTE, VERMILION, dressed, plain

REWARD_NAMES = {
    "click": later("Clicks"), "purchase": later("Purchases"), "revenue": later("Revenue"), "profit": later("Profit"),
}  # fmt: skip
POLICY_NAMES = {
    "deterministic": later("unchanged, the same list each time"),
    "epsilon": later("epsilon: a share of them in random order"),
    "softmax": later("softmax: drawn each time (Plackett-Luce)"),
}
EXPLORATION_NAMES = {
    "epsilon": later("epsilon-greedy"), "softmax": later("softmax"), "thompson": later("Thompson sampling"),
    "random": later("random items"),
}  # fmt: skip
REFERENCE_NAMES = {
    "logging policy": later("logging policy"),
    "random lists": later("random lists"),
    "best possible lists": later("best possible lists"),
}

REGRET = Template(
    "After {steps} users, {best} has the lowest mean regret: {value} ({interval}; 95%, {seeds} seeds).",
)


def estimates_table(told: PolicyReport) -> pd.DataFrame:
    """Return one row per estimator: name, value, standard error, interval."""
    rows = [
        {
            _("Estimator"): _(TITLES[name]), _("Value"): one.value, _("Standard error"): one.error,
            _("Low"): one.low, _("High"): one.high,
        }
        for name in ESTIMATORS
        if (one := told.estimates.get(name)) is not None
    ]  # fmt: skip
    return pd.DataFrame(rows)


def estimates_figure(told: PolicyReport) -> go.Figure:
    """Return the estimates with their intervals as dots, and the mean of the logging policy as a line."""
    names = [name for name in ESTIMATORS if name in told.estimates]
    values = pd.DataFrame([vars(told.estimates[name]) for name in names])
    figure = go.Figure().add_scatter(
        x=values["value"],
        y=list(range(len(names))),
        mode="markers",
        marker={"size": 10, "color": BLUE},
        error_x=interval_bars(values["value"], values["low"], values["high"], color=BLUE),
        hovertemplate="%{x:.4g}<extra></extra>",
        showlegend=False,
    )
    figure.add_vline(
        x=told.logged.value,
        line={"color": GREY, "dash": "dot"},
        annotation={"text": _("logging policy"), "yanchor": "bottom"},
    )
    unit = _("reward per impression (95%)") if told.listed else _("reward per item shown (95%)")
    return with_names(figure, [_(TITLES[name]) for name in names], x=unit, row=34)


def named_policies(table: pd.DataFrame) -> pd.DataFrame:
    """Return a truth table with the references named in the current language."""
    return table.assign(
        **{POLICY: [_(REFERENCE_NAMES[one]) if one in REFERENCE_NAMES else one for one in table[POLICY]]}
    )


def truth_figure(table: pd.DataFrame, estimator: str) -> go.Figure:
    """Return estimate with interval and true value of each policy, highest true value first.

    Args:
        table: As in `TruthTable`.
        estimator: Which estimate is drawn.
    """
    rows = named_policies(table.sort_values(TRUE, ascending=False).reset_index(drop=True))
    place = np.arange(len(rows))
    known = rows[estimator].notna().to_numpy()
    drawn = rows[known]
    figure = go.Figure().add_scatter(
        x=drawn[estimator],
        y=place[known],
        mode="markers",
        name=_("estimate: {estimator} (95%)").format(estimator=_(TITLES[estimator])),
        marker={"size": 10, "color": BLUE},
        error_x=interval_bars(drawn[estimator], drawn[f"{estimator}_low"], drawn[f"{estimator}_high"], color=BLUE),
        hovertemplate="%{x:.4g}<extra></extra>",
    )
    figure.add_scatter(
        x=rows[TRUE],
        y=place,
        mode="markers",
        name=_("true value"),
        marker={"size": 11, "symbol": "diamond-open", "color": VERMILION, "line": {"width": 2}},
        hovertemplate="%{x:.4g}<extra></extra>",
    )
    return with_names(figure, list(rows[POLICY]), x=_("reward per impression"), row=34)


def offline_figure(table: pd.DataFrame, metric: str) -> go.Figure:
    """Return the offline metric against the true value: a falling line of dots would be misleading offline numbers.

    Args:
        table: As in `RunTruth`; rows without an offline metric are left out.
        metric: Its name.
    """
    rows = table[table["offline"].notna()]
    figure = go.Figure().add_scatter(
        x=rows["offline"],
        y=rows[TRUE],
        mode="markers+text",
        text=[plain(name) for name in rows[POLICY]],
        textposition="top center",
        marker={"size": 10, "color": BLUE},
        error_x=interval_bars(rows["offline"], rows["offline_low"], rows["offline_high"], color=GREY),
        hovertemplate="%{text}<br>%{x:.4g}<br>%{y:.4g}<extra></extra>",
        showlegend=False,
    )
    return dressed(figure, x=_("{metric} (95%)").format(metric=metric), y=_("true reward per impression"))


def regret_figure(curves: Mapping[str, Exploration], *, reward: bool = False) -> go.Figure:
    """Return mean cumulative regret (or observed reward) of policies over users, with 95% bands over seeds."""
    figure = go.Figure()
    for number, (name, curve) in enumerate(curves.items()):
        color = PALETTE[number % len(PALETTE)]
        mean, low, high = curve.interval(curve.reward if reward else curve.regret)
        title = _(EXPLORATION_NAMES[name])
        band = {"line": {"width": 0}, "hoverinfo": "skip", "showlegend": False, "mode": "lines"}
        if np.isfinite(low).all():
            figure.add_scatter(x=curve.steps, y=high, **band)
            figure.add_scatter(x=curve.steps, y=low, fill="tonexty", fillcolor=_faint(color), **band)
        figure.add_scatter(
            x=curve.steps,
            y=mean,
            mode="lines",
            name=title,
            line={"color": color, "width": 2},
            hovertemplate="%{x:,}: %{y:,.1f}<extra>" + plain(title) + "</extra>",
        )
    y = _("cumulative reward (95%)") if reward else _("cumulative regret (95%)")
    return dressed(figure, x=_("users"), y=y)


def regret_sentence(curves: Mapping[str, Exploration]) -> Sentence:
    """Return which policy has the lowest mean regret at the end."""
    ends = {name: curve.interval(curve.regret) for name, curve in curves.items()}
    best = min(ends, key=lambda name: float(ends[name][0][-1]))
    mean, low, high = (float(one[-1]) for one in ends[best])
    return REGRET.fill(
        steps=f"{int(curves[best].steps[-1]):,}",
        best=_(EXPLORATION_NAMES[best]),
        value=f"{mean:.0f}",
        interval=interval_text(low, high, 0),
        seeds=str(len(curves[best].regret)),
    )


def _faint(color: str) -> str:
    red, green, blue = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"
