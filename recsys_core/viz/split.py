"""The parts of a split on the time line."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from recsys_core.data.split_preview import TEST, TRAIN, UNUSED, VALIDATION, Timeline
from recsys_core.text import _
from recsys_core.viz.theme import BLUE, GREEN, ORANGE, REST, SKY, VERMILION, dressed

TEST_COLORS = (ORANGE, VERMILION)
"""Colors of the test parts, alternating between neighboring windows."""
COLORS = {TRAIN: BLUE, VALIDATION: SKY, UNUSED: REST}
HEIGHT = 190


def split_timeline(timeline: Timeline, names: dict[str, str]) -> go.Figure:
    """Return the interactions per period as stacked bars, one color per part.

    Args:
        timeline: The counts.
        names: Shown name of each part.
    """
    middles = pd.to_datetime((timeline.edges[:-1] + timeline.edges[1:]) // 2, unit="ms")
    width = float(np.diff(timeline.edges).mean())
    figure = go.Figure()
    for part, counts in timeline.counts.items():
        figure.add_bar(
            x=middles,
            y=counts,
            width=width,
            name=names[part],
            marker={"color": _color(part), "line": {"width": 0}},
            hovertemplate="%{x|%Y-%m-%d}<br>%{y:,}<extra>" + names[part] + "</extra>",
        )
    dressed(figure, x="", y=_("interactions"), height=HEIGHT)
    return figure.update_layout(barmode="stack", bargap=0, showlegend=True, legend_traceorder="normal")


def _color(part: str) -> str:
    if part.startswith(TEST):
        number = part.removeprefix(TEST).strip() or "1"
        return TEST_COLORS[(int(number) - 1) % len(TEST_COLORS)]
    return COLORS.get(part, GREEN)
