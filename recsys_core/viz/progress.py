"""Figures of a training: what it reported, step by step."""

from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from recsys_core.viz.theme import PALETTE, dressed, plain

if TYPE_CHECKING:
    import plotly.graph_objects as go


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
