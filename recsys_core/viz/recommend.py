"""Figures about one recommendation: the parts of its score, and a comparison with another item."""

import pandas as pd
import plotly.graph_objects as go

from recsys_core.text import _
from recsys_core.viz.bars import named_bars, signed_colors, with_names
from recsys_core.viz.theme import BLUE, GREY, ORANGE, VERMILION, dressed, plain, plain_all, shortened

ROOM = 0.13
"""Margin on both sides of the bars, as a share of the width."""


def contributions(parts: pd.DataFrame, *, score: float) -> go.Figure:
    """Return the parts of a score as a waterfall chart that ends at the score.

    Args:
        parts: Columns `title` and `weight`, in drawing order; the weights sum to `score`.
        score: Total, in the unit of the model.
    """
    names = [*parts["title"], _("Score")]
    numbered = [plain(name) if len(str(name)) <= 42 else plain(str(name)[:40]) + "…" for name in names]
    figure = go.Figure().add_waterfall(
        orientation="h",
        x=[*parts["weight"], score],
        y=list(range(len(names))),
        measure=["relative"] * len(parts) + ["total"],
        text=[f"{value:+.3g}" for value in parts["weight"]] + [f"{score:.4g}"],
        textposition="auto",
        increasing={"marker": {"color": BLUE}},
        decreasing={"marker": {"color": VERMILION}},
        totals={"marker": {"color": GREY}},
        connector={"line": {"color": GREY, "width": 1}},
        customdata=[plain(name) for name in names],
        hovertemplate="%{customdata}<br>%{text}<extra></extra>",
    )
    dressed(figure, x=_("Contribution to the score"), y="", height=100 + 30 * len(names))
    ends = [0.0, score, *parts["weight"].cumsum()]
    room = ROOM * ((max(ends) - min(ends)) or 1.0)  # for the numbers beside the bars
    figure.update_xaxes(range=[min(ends) - room, max(ends) + room])
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=numbered, autorange="reversed")
    return figure


def effect_bars(parts: pd.DataFrame) -> go.Figure:
    """Return the influence of each history item on a score.

    Args:
        parts: Columns `title` and `weight` (score minus the score without the item); largest first, NaN where no score
            is left.
    """
    return named_bars(
        parts["title"].tolist(),
        parts["weight"].tolist(),
        colors=signed_colors(parts["weight"].fillna(0.0)),
        x=_("Influence (score drop when the item is left out)"),
        zero_line=True,
    )


def side_by_side(parts: pd.DataFrame, *, title: str, last: str) -> go.Figure:
    """Return the parts of the scores of two items as grouped bars.

    Args:
        parts: Columns `title`, `asked`, `last`; the largest difference first.
        title: Title of the selected item; untrusted text, escaped here.
        last: Title of the last item of the list.
    """
    places = list(range(len(parts)))
    figure = go.Figure()
    for name, column, color in ((title, "asked", ORANGE), (last, "last", BLUE)):
        figure.add_bar(
            orientation="h",
            x=parts[column],
            y=places,
            name=shortened(name),
            marker_color=color,
            customdata=plain_all(parts["title"]),
            hovertemplate="%{customdata}<br>%{x:+.4g}<extra></extra>",
        )
    figure.update_layout(barmode="group", bargap=0.25)
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    return with_names(figure, parts["title"].tolist(), x=_("Contribution to the score"), row=36)
