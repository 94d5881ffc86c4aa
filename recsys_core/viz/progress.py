"""Figures of a training: what it reported, step by step."""

from typing import TYPE_CHECKING

import pandas as pd

from recsys_core.viz.theme import PALETTE, dressed, plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

SYMBOLS = ("circle", "square", "diamond", "cross")


def training_curve(curve: pd.DataFrame, *, name: str, step: str = "Step", color: str = PALETTE[0]) -> "go.Figure":
    """Return one reported number over the steps of a training.

    Args:
        curve: Columns `step` and `value`, a row a report.
        name: What the number is, with its unit if it has one.
        step: What a step is: epoch, block, ...
        color: Colour of the line.
    """
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Scatter(
            x=curve["step"],
            y=curve["value"],
            mode="lines+markers" if len(curve) <= 60 else "lines",
            line={"color": color, "width": 2},
            hovertemplate=f"{plain(step)} %{{x}}<br>{plain(name)} %{{y:.5g}}<extra></extra>",
            showlegend=False,
        )
    )
    return dressed(figure, x=step, y=plain(name), height=260)
