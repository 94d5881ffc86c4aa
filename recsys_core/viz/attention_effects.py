"""Attention beside influence, as bars side by side and in words."""

import math
from typing import TYPE_CHECKING

import pandas as pd

from recsys_core.evaluation.sentences import Sentence, Template, percent
from recsys_core.explain.attention_effects import STRONG, WEAK, Beside
from recsys_core.viz.bars import ROW
from recsys_core.viz.explore import shortened
from recsys_core.viz.theme import BLUE, GREY, ORANGE, dressed, plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

SHOWN = 24

MOST = Template(
    "The model puts '{item}' first. It looks most at '{seen}' ({weight}); without '{first}' the score of '{item}' "
    "would fall most, by {effect} from {score}."
)
NONE_FALLS = Template(
    "The model puts '{item}' first. It looks most at '{seen}' ({weight}); but without any single item the score of "
    "'{item}' would not fall: it would rise most without '{first}', by {effect} from {score}."
)
NONE_COUNTS = Template(
    "The model puts '{item}' first. It looks most at '{seen}' ({weight}); but without any single item the score of "
    "'{item}' stays what it is, {score}."
)
TOGETHER = Template("Over {count} items the two go together (rank correlation {value}, where 1 is the same order).")
SOMEWHAT = Template(
    "Over {count} items the two go together a little (rank correlation {value}, where 1 is the same order)."
)
UNRELATED = Template("Over {count} items the two have little to do with each other (rank correlation {value}).")
AGAINST = Template("Over {count} items the two go against each other (rank correlation {value}).")
TOO_FEW = Template("The history is too short, or too even, to say whether the two go together.")


def _strongest(table: pd.DataFrame) -> int:
    """Return the row without which the score falls most; where nothing makes it fall, that it changes most."""
    falls = (table["effect"] > 0).any()
    return int(table["effect"].argmax() if falls else table["effect"].abs().argmax())


def most(found: Beside) -> Sentence:
    """Return which item is looked at most and which one matters most."""
    table, strongest = found.table, _strongest(found.table)
    falls = bool((table["effect"] > 0).any())
    effect = float(table["effect"].iloc[strongest])
    return (MOST if falls else NONE_FALLS if effect else NONE_COUNTS).fill(
        item=found.item,
        seen=table["title"].iloc[0],
        weight=percent(table["attention"].iloc[0]),
        first=table["title"].iloc[strongest],
        effect=f"{abs(effect):.3g}",
        score=f"{found.score:.3g}",
    )


def together(found: Beside) -> Sentence:
    """Return whether attention and influence go together, for this person."""
    value = found.correlation
    if math.isnan(value):
        return TOO_FEW.fill()
    template = TOGETHER if value >= STRONG else SOMEWHAT if value >= WEAK else UNRELATED if value > -WEAK else AGAINST
    return template.fill(len(found.table), value=f"{value:.2f}")


def beside_bars(found: Beside) -> "go.Figure":
    """Return two bars a row: how much the model looks at an item, and what its score loses without it.

    The rows are those looked at most, and the one that counts most, wherever it stands.
    """
    from plotly.subplots import make_subplots

    first = min(SHOWN, len(found.table))
    rows = [*range(first - 1), max(first - 1, _strongest(found.table))]
    shown = found.table.iloc[rows]
    places = list(range(len(shown)))
    names = [plain(title) for title in shown["title"]]
    figure: go.Figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.04)
    columns = (
        (1, shown["attention"], BLUE, "%{customdata}<br>attention %{x:.1%}<extra></extra>"),
        (2, shown["effect"], ORANGE, "%{customdata}<br>the score loses %{x:.3g} without it<extra></extra>"),
    )
    for column, values, color, hover in columns:
        figure.add_bar(
            x=values, y=places, orientation="h", marker_color=color, customdata=names, hovertemplate=hover,
            showlegend=False, row=1, col=column,
        )  # fmt: skip
    dressed(figure, x="", y="", height=130 + ROW * len(shown))
    figure.update_xaxes(title_text="Attention", tickformat=".0%", row=1, col=1)
    figure.update_xaxes(title_text="Score lost", row=1, col=2)
    figure.add_vline(x=0, line={"color": GREY, "width": 1}, row=1, col=2)
    figure.update_yaxes(
        tickvals=places,
        ticktext=[shortened(title, 20) for title in shown["title"]],
        range=[len(shown) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
    )
    return figure
