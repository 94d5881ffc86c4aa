"""Figures of reported training progress, per step and, in cross-validation, per fold."""

import re
from base64 import b64encode
from html import escape

import pandas as pd
import plotly.graph_objects as go

from recsys_core.columns import FOLD
from recsys_core.evaluation.metric_info import METRICS, MetricName
from recsys_core.text import Sentence, Template, _, later
from recsys_core.viz.theme import PALETTE, REST, dressed, plain

IN_FOLD = re.compile(r"(?P<stage>.*) \((?:fold|training) (?P<fold>\d+) of (?P<folds>\d+)\)")
"""Name of a stage in one of several trainings (folds, time windows, seeds), as a job reports it."""
ON_VALIDATION = "validation "
"""Start of the name of a quantity that is measured on the validation users."""
QUANTITIES = (later("loss"), later("log-rank"))
"""Reported quantities that are not metrics, marked for translation."""
FEW_STEPS = 10
"""Up to this number, every step has a tick; plotly's default would place ticks at fractions of a step."""
MOST_FOLDS = 5
"""Maximum number of folds drawn, the latest ones."""
ONCE = Template("{name} is {last}.")
WENT = Template("{name} changed from {first} to {last}.")
WENT_IN_FOLD = Template("Training {fold} of {folds}: {name} changed from {first} to {last}.")
WENT_AFTER_FOLDS = Template(
    "Training {fold} of {folds}: {name} changed from {first} to {last}. The previous one ended at {low}.",
    "Training {fold} of {folds}: {name} changed from {first} to {last}. The {count} previous ones ended between {low} "
    "and {high}.",
)


def stage_text(stage: str) -> str:
    """Return the name of a stage in the current language, with its fold if it is in one."""
    fold = IN_FOLD.fullmatch(stage)
    if fold is None:
        return _(stage)
    return _("{stage} (training {fold} of {folds})").format(
        stage=_(fold["stage"]), fold=fold["fold"], folds=fold["folds"]
    )


def quantity_text(name: str) -> str:
    """Return the name of a reported quantity in the current language; a metric has its title."""
    measured = name.removeprefix(ON_VALIDATION)
    is_metric = measured.partition("@")[0] in METRICS
    title = MetricName.parse(measured).title if is_metric else _(measured)
    return title if measured == name else _("validation {metric}").format(metric=title)


def curve_of(progress: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the curve of one reported quantity, fold by fold.

    If several stages of a fold report it, the stage with the most reports is used.

    Args:
        progress: Columns `stage`, `step` and `name`, one row per report.
        name: Column of the quantity.

    Returns:
        Columns `fold` and `folds` (1 of 1 where there is but one), `stage` (without the fold), `step` and `value`.
    """
    rows = progress[["stage", "step", name]].dropna().rename(columns={name: "value"})
    found = [IN_FOLD.fullmatch(stage) for stage in rows["stage"]]
    rows[FOLD] = [int(one["fold"]) if one else 1 for one in found]
    rows["folds"] = [int(one["folds"]) if one else 1 for one in found]
    rows["stage"] = [one["stage"] if one else stage for one, stage in zip(found, rows["stage"], strict=True)]
    reports = rows.groupby([FOLD, "stage"])["step"].transform("size")
    longest = rows[reports == reports.groupby(rows[FOLD]).transform("max")]
    first = longest.groupby(FOLD)["stage"].transform("first")
    curve = longest[longest["stage"] == first].sort_values([FOLD, "step"], kind="stable")
    return curve[[FOLD, "folds", "stage", "step", "value"]].reset_index(drop=True)


def latest_fold(curve: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the current or last fold; see `curve_of`."""
    rows: pd.DataFrame = curve[curve[FOLD] == curve[FOLD].max()]
    return rows


def course(curve: pd.DataFrame, *, name: str) -> Sentence:
    """State how a quantity changed in the latest fold, and its final values in previous folds.

    Args:
        curve: Result of `curve_of`, at least one row.
        name: Display name of the quantity.
    """
    last = latest_fold(curve)
    before = curve[curve[FOLD] < last[FOLD].iloc[0]].groupby(FOLD)["value"].last()
    values = {"name": name, "first": f"{last['value'].iloc[0]:.4g}", "last": f"{last['value'].iloc[-1]:.4g}"}
    if last["folds"].iloc[0] == 1:
        return (ONCE if len(last) == 1 else WENT).fill(**values)
    values |= {"fold": str(last[FOLD].iloc[0]), "folds": str(last["folds"].iloc[0])}
    if before.empty:
        return WENT_IN_FOLD.fill(**values)
    return WENT_AFTER_FOLDS.fill(len(before), low=f"{before.min():.4g}", high=f"{before.max():.4g}", **values)


def training_curve(curve: pd.DataFrame, *, name: str, step: str = later("Step"), color: str = PALETTE[0]) -> go.Figure:
    """Return one reported quantity over training steps: one line per fold, the latest in color, previous ones in gray.

    Args:
        curve: Columns `step` and `value`, one row per report; with several folds also `fold`, see `curve_of`.
        name: Display name of the quantity, with its unit if it has one.
        step: Name of a step: epoch, block, ...
        color: Color of the latest line.
    """
    folds = sorted(set(curve[FOLD].tolist()))[-MOST_FOLDS:] if FOLD in curve else [1]
    figure = go.Figure()
    for place, fold in enumerate(folds):
        line = curve[curve[FOLD] == fold] if FOLD in curve else curve
        is_latest, which = fold == folds[-1], _("Training {fold}").format(fold=fold) if len(folds) > 1 else ""
        figure.add_scatter(
            x=line["step"],
            y=line["value"],
            mode="lines+markers" if len(line) <= 60 else "lines",
            line={"color": color if is_latest else REST, "width": 2 if is_latest else 1},
            marker={"size": 6 if is_latest else 4},
            name=which if is_latest else _("Previous trainings"),
            legendgroup="latest" if is_latest else "before",
            hovertemplate=f"{which}<br>{plain(step)} %{{x}}<br>{plain(name)} %{{y:.5g}}<extra></extra>",
            showlegend=len(folds) > 1 and (is_latest or place == 0),
        )
    dressed(figure, x=step, y=plain(name), height=260)
    if curve["step"].max() <= FEW_STEPS:
        figure.update_xaxes(dtick=1, range=[curve["step"].min() - 0.5, curve["step"].max() + 0.5])
    return figure


def sparkline(values: list[float], *, label: str, width: int = 96, height: int = 24) -> str:
    """Return a sparkline as an HTML `img` element with an embedded SVG.

    Args:
        values: In the order of the steps.
        label: Alternative text.
        width: Width in pixels.
        height: Height in pixels.
    """
    low, high = min(values), max(values)
    reach, last = (high - low) or 1.0, max(1, len(values) - 1)
    points = " ".join(
        f"{2 + place * (width - 4) / last:.1f},{height - 3 - (value - low) / reach * (height - 6):.1f}"
        for place, value in enumerate(values)
    )
    end = points.rsplit(" ", 1)[-1].split(",")
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<polyline points="{points}" fill="none" stroke="{PALETTE[0]}" stroke-width="2"/>'
        f'<circle cx="{end[0]}" cy="{end[1]}" r="2.5" fill="{PALETTE[0]}"/></svg>'
    )
    encoded = b64encode(svg.encode()).decode()
    return f'<img alt="{escape(label)}" width="{width}" height="{height}" src="data:image/svg+xml;base64,{encoded}">'
