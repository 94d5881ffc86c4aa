"""Figure and sentences that compare attention with influence for one user."""

import math

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from recsys_core.evaluation.sentences import Sentence, Template, percent
from recsys_core.explain.attention_effects import STRONG, WEAK, Beside
from recsys_core.text import _
from recsys_core.viz.bars import ROW, with_labels
from recsys_core.viz.theme import BLUE, GREY, ORANGE, dressed, plain, shortened

SHOWN = 24

MOST = Template(
    "The top recommendation is '{item}'. The largest attention weight is on '{seen}' ({weight}); the largest "
    "influence is that of '{first}': without it the score of '{item}' falls by {effect} from {score}."
)
NONE_FALLS = Template(
    "The top recommendation is '{item}'. The largest attention weight is on '{seen}' ({weight}); the score of "
    "'{item}' does not fall when any single item is left out. The largest influence is that of '{first}': without it "
    "the score rises by {effect} from {score}."
)
NONE_COUNTS = Template(
    "The top recommendation is '{item}'. The largest attention weight is on '{seen}' ({weight}); the score of "
    "'{item}' ({score}) does not change when any single item is left out."
)
STRONG_POSITIVE = Template(
    "Over {count} items, attention and influence are strongly correlated (rank correlation {value})."
)
WEAK_POSITIVE = Template(
    "Over {count} items, attention and influence are weakly correlated (rank correlation {value})."
)
UNCORRELATED = Template("Over {count} items, attention and influence are hardly correlated (rank correlation {value}).")
NEGATIVE = Template("Over {count} items, attention and influence are negatively correlated (rank correlation {value}).")
TOO_FEW = Template("The history has too few items, or equal values, so no rank correlation is calculated.")


def _largest(table: pd.DataFrame) -> int:
    """Return the row whose removal lowers the score most; if none lowers it, the row with the largest absolute
    change.
    """
    falls = (table["effect"] > 0).any()
    return int(table["effect"].argmax() if falls else table["effect"].abs().argmax())


def most(beside: Beside) -> Sentence:
    """State the item with the largest attention weight and the item with the largest influence."""
    table, largest = beside.table, _largest(beside.table)
    falls = bool((table["effect"] > 0).any())
    effect = float(table["effect"].iloc[largest])
    return (MOST if falls else NONE_FALLS if effect else NONE_COUNTS).fill(
        item=beside.item,
        seen=table["title"].iloc[0],
        weight=percent(table["attention"].iloc[0]),
        first=table["title"].iloc[largest],
        effect=f"{abs(effect):.3g}",
        score=f"{beside.score:.3g}",
    )


def correlation(beside: Beside) -> Sentence:
    """State how attention and influence correlate for this user."""
    value = beside.correlation
    if math.isnan(value):
        return TOO_FEW.fill()
    if value >= STRONG:
        template = STRONG_POSITIVE
    elif value >= WEAK:
        template = WEAK_POSITIVE
    else:
        template = UNCORRELATED if value > -WEAK else NEGATIVE
    return template.fill(len(beside.table), value=f"{value:.2f}")


def beside_bars(beside: Beside) -> go.Figure:
    """Return two bars per item: its attention weight, and its influence on the score.

    The rows are the items with the largest attention weights, and the item with the largest influence.
    """
    first = min(SHOWN, len(beside.table))
    rows = [*range(first - 1), max(first - 1, _largest(beside.table))]
    shown = beside.table.iloc[rows]
    places = list(range(len(shown)))
    names = [plain(title) for title in shown["title"]]
    figure: go.Figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.04)
    columns = (
        (1, shown["attention"], BLUE, _("%{customdata}<br>attention %{x:.1%}<extra></extra>")),
        (2, shown["effect"], ORANGE, _("%{customdata}<br>influence %{x:.3g}<extra></extra>")),
    )
    for column, values, color, hover in columns:
        figure.add_bar(
            x=values, y=places, orientation="h", marker_color=color, customdata=names, hovertemplate=hover,
            showlegend=False, row=1, col=column,
        )  # fmt: skip
    dressed(figure, x="", y="", height=130 + ROW * len(shown))
    figure.update_xaxes(title_text=_("Attention"), tickformat=".0%", row=1, col=1)
    figure.update_xaxes(title_text=_("Influence (score drop without the item)"), row=1, col=2)
    figure.add_vline(x=0, line={"color": GREY, "width": 1}, row=1, col=2)
    return with_labels(figure, [shortened(title, 20) for title in shown["title"]])
