"""Figures about recommendations: the parts of a score, another item, edits of the history, and cold start."""

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from recsys_core.text import _
from recsys_core.viz.bars import named_bars, signed_colors, with_names
from recsys_core.viz.theme import (
    BLUE,
    GREY,
    ORANGE,
    VERMILION,
    dressed,
    family_color,
    family_symbols,
    plain,
    plain_all,
    shortened,
)

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
        cliponaxis=False,  # on a narrow screen the numbers need part of the margin
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


def change_bars(parts: pd.DataFrame) -> go.Figure:
    """Return the change of each contribution to a score by the edits of a history.

    Args:
        parts: Columns `title` and `misses` (contribution after minus before), largest changes first.
    """
    return named_bars(
        parts["title"].tolist(),
        parts["misses"].tolist(),
        colors=signed_colors(parts["misses"]),
        x=_("Change of the contribution to the score"),
        zero_line=True,
    )


def ladder_lines(ladders: Mapping[str, tuple[Sequence[int], Sequence[float]]], families: Sequence[str]) -> go.Figure:
    """Return how similar the list of each model is to its final list, by the number of items known.

    Args:
        ladders: Title of the model -> numbers of items and Jaccard similarities.
        families: Family of each model, in the same order.
    """
    figure = go.Figure()
    for (title, (steps, similar)), family, symbol in zip(
        ladders.items(), families, family_symbols(families), strict=True
    ):
        figure.add_scatter(
            x=[str(step) for step in steps],
            y=list(similar),
            name=plain(title),
            mode="lines+markers",
            line={"color": family_color(family)},
            marker={"symbol": symbol, "size": 9},
            hovertemplate="%{x}: %{y:.2f}<extra>%{fullData.name}</extra>",
        )
    dressed(
        figure, x=_("Items of the history known to the model"), y=_("Jaccard similarity to the final list"), height=380
    )
    figure.update_xaxes(type="category")
    figure.update_yaxes(range=[-0.04, 1.06])
    return figure
