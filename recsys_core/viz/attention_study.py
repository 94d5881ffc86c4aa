"""Attention beside influence over many people, and what each head is good for, as bars and in words."""

from typing import TYPE_CHECKING

import pandas as pd

from recsys_core.evaluation.sentences import Sentence, Template, rounded
from recsys_core.explain.attention_effects import ATTENTION, RECENCY
from recsys_core.serving.attention_study import HEAD, LAYER, NDCG, Beyond, Faithfulness, HeadEffects, Reading, Tracks
from recsys_core.viz.bars import ROW
from recsys_core.viz.theme import BLUE, GREY, ORANGE, REST, dressed

if TYPE_CHECKING:
    import plotly.graph_objects as go

NAMES = {ATTENTION: "attention", RECENCY: "place in the history", "shuffled": "attention, shuffled"}
COLORS = {ATTENTION: BLUE, RECENCY: ORANGE, "shuffled": REST}

NUMBERS = "over {count} people, the rank correlation with the effects is {value} ({low} to {high}) on average."
VERDICTS = {
    Tracks.DOES: Template(f"In this model, attention tracks influence: {NUMBERS}"),
    Tracks.WEAKLY: Template(f"In this model, attention tracks influence, but weakly: {NUMBERS}"),
    Tracks.DOES_NOT: Template(f"In this model, attention does not track influence: {NUMBERS}"),
}
TOO_FEW = Template(
    "Only {count} person has a history that can be used; too few to say whether attention tracks influence.",
    "Only {count} people have histories that can be used; too few to say whether attention tracks influence.",
)
UNKNOWN = Template("So nothing can be said about the place in the history, either.")
BESIDE_TIME = {
    Beyond.MORE: Template(
        "It says more than the place in the history alone, which reaches {time}: {gain} more ({low} to {high})."
    ),
    Beyond.SAME: Template(
        "It says no more than the place in the history alone, which reaches {time}: a difference of {gain} "
        "({low} to {high}) cannot be told from chance."
    ),
    Beyond.LESS: Template(
        "It says less than the place in the history alone, which reaches {time}: a difference of {gain} "
        "({low} to {high})."
    ),
}
LEFT_OUT = Template(
    "{count} more person was asked about and left out: with too few items for an order, or with all of them alike.",
    "{count} more people were asked about and left out: with too few items for an order, or with all of them alike.",
)
READS_LATEST = Template(
    "Of the {held} items of this history the model reads the latest one: no older one has a say.",
    "Of the {held} items of this history the model reads the latest {count}: no older one has a say.",
)
READS_LIKED = Template(
    "Of the {held} items of this history the model reads the one that was liked (rated {liked} or more): others it was "
    "not trained with.",
    "Of the {held} items of this history the model reads the {count} that were liked (rated {liked} or more): others "
    "it was not trained with.",
)
READS_LATEST_LIKED = Template(
    "Of the {held} items of this history {counted} were liked (rated {liked} or more), and of these the model reads "
    "the latest one.",
    "Of the {held} items of this history {counted} were liked (rated {liked} or more), and of these the model reads "
    "the latest {count}.",
)
NEEDED = Template(
    "{needed} of its {count} heads count beyond chance: without head {head} of layer {layer}, NDCG@10 changes most, "
    "by {difference} ({low} to {high}) from {whole}, over {people} people."
)
ONE_NEEDED = Template(
    "The only head is needed: without it NDCG@10 changes by {difference} ({low} to {high}) from {whole}, over {people} "
    "people."
)
NONE_NEEDED = Template(
    "Its only head can be taken out, and NDCG@10 ({whole}) does not change by more than chance, over {people} people.",
    "Each of its {count} heads alone can be taken out, and NDCG@10 ({whole}) does not change by more than chance, over "
    "{people} people.",
)


def reads(found: Reading) -> Sentence | None:
    """Return how much of a history a model reads; None if it reads all."""
    if found.read >= found.held:
        return None
    held, counted = f"{found.held:,}", f"{found.counted:,}"
    if found.liked_from is None or found.counted == found.held:
        return READS_LATEST.fill(found.read, held=held)
    if found.read >= found.counted:
        return READS_LIKED.fill(found.read, held=held, liked=f"{found.liked_from:g}")
    return READS_LATEST_LIKED.fill(found.read, held=held, counted=counted, liked=f"{found.liked_from:g}")


def left_out(found: Faithfulness) -> Sentence | None:
    """Return how many people are not in the numbers, and why; None if all are."""
    return LEFT_OUT.fill(found.left_out) if found.left_out else None


def verdict(found: Faithfulness) -> Sentence:
    """Return whether attention tracks influence, with the numbers."""
    people = len(found.per_user)
    if found.verdict is Tracks.TOO_FEW:
        return TOO_FEW.fill(people)
    row = _row(found.table, ATTENTION)
    low, high = row["low"], row["high"]
    value, least, most = (rounded(one, low, high) for one in (row["mean"], low, high))
    return VERDICTS[found.verdict].fill(people, value=value, low=least, high=most)


def beyond(found: Faithfulness) -> Sentence:
    """Return whether attention says more than the place in the history."""
    if found.verdict is Tracks.TOO_FEW:
        return UNKNOWN.fill()
    row = _row(found.table, RECENCY)
    low, high = row["gain_low"], row["gain_high"]
    time, gain, least, most = (rounded(one, low, high) for one in (row["mean"], row["gain"], low, high))
    return BESIDE_TIME[found.beyond].fill(time=time, gain=gain, low=least, high=most)


def heads_matter(found: HeadEffects) -> Sentence:
    """Return which head changes the lists most, and how many do so measurably."""
    table, people = found.table, f"{found.people:,}"
    whole, count = rounded(found.ndcg, found.low, found.high), len(table)
    needed = table[table["different"]]
    if needed.empty:
        return NONE_NEEDED.fill(count, whole=whole, people=people)
    most = needed.iloc[int(needed["difference"].abs().argmax())]
    low, high = float(most["low"]), float(most["high"])
    numbers = {name: rounded(float(most[name]), low, high) for name in ("difference", "low", "high")}
    if count == 1:
        return ONE_NEEDED.fill(whole=whole, people=people, **numbers)
    names = {"head": f"{most[HEAD]:.0f}", "layer": f"{most[LAYER]:.0f}"}
    return NEEDED.fill(count, needed=f"{len(needed)}", whole=whole, people=people, **names, **numbers)


def orders_picture(found: Faithfulness) -> "go.Figure":
    """Return the mean rank correlation of each order with the effects, with intervals over people."""
    table = found.table
    colors = [COLORS[one] for one in table["order"]]
    return _bars([NAMES[one] for one in table["order"]], table, "mean", colors, "Rank correlation with the effects")


def heads_picture(found: HeadEffects) -> "go.Figure":
    """Return the change in NDCG@10 without each head, with intervals over people."""
    table = found.table
    names = [f"layer {layer}, head {head}" for layer, head in zip(table[LAYER], table[HEAD], strict=True)]
    colors = [BLUE if one else REST for one in table["different"]]
    return _bars(names, table, "difference", colors, f"Change in {NDCG.upper()} without it")


def _bars(names: list[str], table: pd.DataFrame, column: str, colors: list[str], x: str) -> "go.Figure":
    import plotly.graph_objects as go

    values = table[column]
    error = {"type": "data", "array": table["high"] - values, "arrayminus": values - table["low"], "color": GREY}
    figure = go.Figure(
        go.Bar(
            x=values,
            y=list(range(len(names))),
            orientation="h",
            marker_color=colors,
            error_x=error,
            customdata=names,
            hovertemplate="%{customdata}: %{x:.3g}<extra></extra>",
        )
    )
    dressed(figure, x=x, y="", height=120 + ROW * len(names))
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    figure.update_yaxes(
        tickvals=list(range(len(names))), ticktext=names, range=[len(names) - 0.4, -0.6], showgrid=False, zeroline=False
    )
    return figure


def _row(table: pd.DataFrame, order: str) -> dict[str, float]:
    [row] = table[table["order"] == order].drop(columns="order").to_dict("records")
    return {str(name): float(value) for name, value in row.items()}
