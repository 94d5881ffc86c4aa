"""Figures about one recommendation: what its score is made of."""

from typing import TYPE_CHECKING

import pandas as pd

from recsys_core.viz.theme import BLUE, GREY, VERMILION, dressed, plain

if TYPE_CHECKING:
    import plotly.graph_objects as go


def contributions(parts: pd.DataFrame, *, score: float, unit: str = "score") -> "go.Figure":
    """Return the parts of a score as bars that start where the one before ended: the last one ends at the score.

    Args:
        parts: Columns `title` and `weight`, in the order to be drawn; the weights sum to `score`.
        score: Total, in the unit of the model.
        unit: What the horizontal axis counts.
    """
    import plotly.graph_objects as go

    names = [*parts["title"], "Score"]
    numbered = [plain(name) if len(str(name)) <= 42 else plain(str(name)[:40]) + "…" for name in names]
    figure = go.Figure(
        go.Waterfall(
            orientation="h",
            x=[*parts["weight"], score],
            y=list(range(len(names))),
            measure=["relative"] * len(parts) + ["total"],
            text=[f"{value:+.3g}" for value in parts["weight"]] + [f"{score:.4g}"],
            textposition="auto",
            cliponaxis=False,
            increasing={"marker": {"color": BLUE}},
            decreasing={"marker": {"color": VERMILION}},
            totals={"marker": {"color": GREY}},
            connector={"line": {"color": GREY, "width": 1}},
            customdata=[plain(name) for name in names],
            hovertemplate="%{customdata}<br>%{text}<extra></extra>",
        )
    )
    dressed(figure, x=f"Parts of the {unit}, in its units", y="", height=100 + 30 * len(names))
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=numbered, autorange="reversed")
    return figure
