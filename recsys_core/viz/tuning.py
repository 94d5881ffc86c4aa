"""Figures of a tuning: the best validation value so far against the budget, and the importance of settings."""

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from recsys_core.experiments.tuning.results import Standing
from recsys_core.text import Sentence, Template, _, percent
from recsys_core.viz.theme import BLUE, dressed, family_color, family_symbols, plain, plain_all, shortened

NOTHING_YET = Template("No trial has a validation value yet.")
SO_FAR = Template(
    "Highest validation {metric} so far: {model}, {best} in trial {trial}; its defaults have {first}.",
)
LOWEST_SO_FAR = Template(
    "Lowest validation {metric} so far: {model}, {best} in trial {trial}; its defaults have {first}.",
)
MATTERS_MOST = Template(
    "'{setting}' accounts for {share} of the variance of the validation metric over the trials of {model}."
)
TOO_FEW = Template("Too few trials of {model} have different values to compute the importance of settings.")
ROW_PIXELS = 28


def best_so_far(
    curves: pd.DataFrame, *, titles: Mapping[str, str], families: Mapping[str, str], metric: str, in_seconds: bool
) -> go.Figure:
    """Return the best validation value so far of each model against its used budget, as steps.

    Args:
        curves: Columns `model`, `trial`, `seconds`, `value`, `best`; see `tuning.results.curves`.
        titles: Title of each model.
        families: Family of each model.
        metric: Display name of the metric.
        in_seconds: Whether the budget is in seconds; else in trials.
    """
    figure = go.Figure()
    keys = [key for key in titles if key in set(curves["model"])]
    for key, symbol in zip(keys, family_symbols([families[key] for key in keys]), strict=True):
        rows = curves[curves["model"] == key].dropna(subset=["best"])
        color = family_color(families[key])
        figure.add_scatter(
            x=rows["seconds" if in_seconds else "trial"],
            y=rows["best"],
            mode="lines+markers",
            line={"shape": "hv", "color": color, "width": 2},
            marker={"symbol": symbol, "size": 7, "color": color},
            name=shortened(titles[key]),
            customdata=rows[["trial", "seconds", "value"]].to_numpy(),
            hovertemplate=plain(titles[key])
            + _(
                "<br>trial %{customdata[0]:.0f}, %{customdata[1]:.1f} s<br>best so far %{y:.4f}"
                "<br>this trial %{customdata[2]:.4f}<extra></extra>"
            ),
            showlegend=True,
        )
    x = _("Used budget, seconds") if in_seconds else _("Used budget, trials")
    dressed(figure, x=x, y=_("best validation {metric} so far").format(metric=plain(metric)), height=340)
    figure.update_yaxes(rangemode="nonnegative")  # a constant curve would get an axis below 0
    if not in_seconds:
        figure.update_xaxes(rangemode="tozero", tickformat="d")
    return figure


def so_far_sentence(standings: Sequence[Standing], *, titles: Mapping[str, str], metric: str, lower: bool) -> Sentence:
    """State the highest validation value of all models, with that of the model's defaults.

    Args:
        standings: How far each model is.
        titles: Title of each model.
        metric: Display name of the metric.
        lower: Whether lower values are better.
    """
    sign = 1.0 if lower else -1.0
    found = [(sign * one.best.value, one, one.best) for one in standings if one.best and one.best.value is not None]
    if not found:
        return NOTHING_YET.fill()
    _value, standing, best = min(found, key=lambda entry: entry[0])
    return (LOWEST_SO_FAR if lower else SO_FAR).fill(
        metric=metric,
        model=titles[standing.key],
        best=f"{best.value:.4f}",
        trial=str(best.number),
        first="-" if standing.first is None else f"{standing.first:.4f}",
    )


def importance_bars(shares: Mapping[str, float], *, labels: Mapping[str, str]) -> go.Figure:
    """Return the importance of settings as bars, the largest at the top.

    Args:
        shares: Setting -> share of the variance, at least one.
        labels: Label of each setting.
    """
    names = list(shares)[::-1]
    figure = go.Figure(
        go.Bar(
            x=[shares[name] for name in names],
            y=[shortened(labels[name]) for name in names],
            orientation="h",
            marker={"color": BLUE},
            customdata=plain_all(percent(shares[name], 1) for name in names),
            hovertemplate="%{y}<br>%{customdata}<extra></extra>",
        )
    )
    dressed(figure, x=_("Share of the variance"), y="", height=90 + ROW_PIXELS * len(names))
    figure.update_xaxes(tickformat=".0%", rangemode="tozero")
    return figure


def importance_sentence(shares: Mapping[str, float], *, labels: Mapping[str, str], model: str) -> Sentence:
    """State which setting matters most, or that there are too few trials.

    Args:
        shares: Setting -> share of the variance, largest first; empty with too few trials.
        labels: Label of each setting.
        model: Title of the model.
    """
    if not shares:
        return TOO_FEW.fill(model=model)
    name, share = next(iter(shares.items()))
    return MATTERS_MOST.fill(setting=labels[name], share=percent(share), model=model)
