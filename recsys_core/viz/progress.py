"""Figures of a training: what it reported, step by step and, where it learns from several folds, fold by fold."""

import re
from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from recsys_core.columns import FOLD
from recsys_core.evaluation.sentences import Sentence, Template
from recsys_core.viz.theme import PALETTE, REST, dressed, plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

IN_FOLD = re.compile(r"(?P<stage>.*) \(fold (?P<fold>\d+) of (?P<folds>\d+)\)")
"""How a job names a stage of one of several folds."""
FEW_STEPS = 10
"""Of so many each is named on the axis, which else would name halves, and end at -0.5 and 1 for a single step."""
MOST_FOLDS = 5
"""So many lines can be told apart; of more folds the latest are drawn."""
ONCE = Template("{name} is {last}.")
WENT = Template("{name} went from {first} to {last}.")
WENT_IN_FOLD = Template("Fold {fold} of {folds}: {name} went from {first} to {last}.")
WENT_AFTER_FOLDS = Template(
    "Fold {fold} of {folds}: {name} went from {first} to {last}. The fold before it ended at {low}.",
    "Fold {fold} of {folds}: {name} went from {first} to {last}. The {count} folds before it ended between {low} and "
    "{high}.",
)


def curve_of(progress: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the course of one reported number, fold by fold.

    Of several stages of a fold that reported it the one with most reports counts: others have no course.

    Args:
        progress: Columns `stage`, `step` and `name`, a row a report.
        name: What was reported.

    Returns:
        Columns `fold` and `folds` (1 of 1 where there is but one), `stage` (without the fold), `step` and `value`.
    """
    told = progress[["stage", "step", name]].dropna().rename(columns={name: "value"})
    found = [IN_FOLD.fullmatch(stage) for stage in told["stage"]]
    told[FOLD] = [int(one["fold"]) if one else 1 for one in found]
    told["folds"] = [int(one["folds"]) if one else 1 for one in found]
    told["stage"] = [one["stage"] if one else stage for one, stage in zip(found, told["stage"], strict=True)]
    reports = told.groupby([FOLD, "stage"])["step"].transform("size")
    longest = told[reports == reports.groupby(told[FOLD]).transform("max")]
    first = longest.groupby(FOLD)["stage"].transform("first")
    curve = longest[longest["stage"] == first].sort_values([FOLD, "step"], kind="stable")
    return curve[[FOLD, "folds", "stage", "step", "value"]].reset_index(drop=True)


def latest_fold(curve: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the fold that is learned from now, or was last; see `curve_of`."""
    rows: pd.DataFrame = curve[curve[FOLD] == curve[FOLD].max()]
    return rows


def course(curve: pd.DataFrame, *, name: str) -> Sentence:
    """Say how a number went in the latest fold, and where it ended in those before.

    Args:
        curve: What `curve_of` gave, at least a row.
        name: What the number is.
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


def training_curve(curve: pd.DataFrame, *, name: str, step: str = "Step", color: str = PALETTE[0]) -> "go.Figure":
    """Return one reported number over the steps of a training: a line a fold, the latest one in colour over grey.

    Args:
        curve: Columns `step` and `value`, a row a report; with several folds also `fold`, see `curve_of`.
        name: What the number is, with its unit if it has one.
        step: What a step is: epoch, block, ...
        color: Colour of the latest line.
    """
    import plotly.graph_objects as go

    folds = sorted(set(curve[FOLD].tolist()))[-MOST_FOLDS:] if FOLD in curve else [1]
    figure = go.Figure()
    for place, fold in enumerate(folds):
        line = curve[curve[FOLD] == fold] if FOLD in curve else curve
        is_latest, which = fold == folds[-1], f"Fold {fold}" if len(folds) > 1 else ""
        figure.add_scatter(
            x=line["step"],
            y=line["value"],
            mode="lines+markers" if len(line) <= 60 else "lines",
            line={"color": color if is_latest else REST, "width": 2 if is_latest else 1},
            marker={"size": 6 if is_latest else 4},
            name=which if is_latest else "Folds before",
            legendgroup="latest" if is_latest else "before",
            hovertemplate=f"{which}<br>{plain(step)} %{{x}}<br>{plain(name)} %{{y:.5g}}<extra></extra>",
            showlegend=len(folds) > 1 and (is_latest or place == 0),
        )
    dressed(figure, x=step, y=plain(name), height=260)
    if curve["step"].max() <= FEW_STEPS:
        figure.update_xaxes(dtick=1, range=[curve["step"].min() - 0.5, curve["step"].max() + 0.5])
    return figure


def sparkline(values: list[float], *, label: str, width: int = 96, height: int = 24) -> str:
    """Return the course of a number as a small picture without axes: an `img` element of HTML that needs no file.

    Args:
        values: In the order of the steps.
        label: What a screen reader says.
        width: Pixels.
        height: Pixels.
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
