"""Figures and sentences about attention faithfulness over many users, and the ablation of each head."""

import pandas as pd
import plotly.graph_objects as go

from recsys_core.evaluation.sentences import Sentence, Template, rounded
from recsys_core.experiments.attention_study import HEAD, LAYER, NDCG, Beyond, Faithfulness, HeadEffects, Tracks
from recsys_core.experiments.training_part import Reading
from recsys_core.explain.attention_effects import ATTENTION, RECENCY
from recsys_core.text import _, later
from recsys_core.viz.bars import ROW, interval_bars, with_labels
from recsys_core.viz.theme import BLUE, GREY, ORANGE, REST, dressed

NAMES = {ATTENTION: later("attention"), RECENCY: later("recency"), "shuffled": later("shuffled attention")}
COLORS = {ATTENTION: BLUE, RECENCY: ORANGE, "shuffled": REST}

VERDICTS = {
    Tracks.DOES: Template(
        "In this model, attention tracks influence: the mean rank correlation with influence is {value} "
        "({low} to {high}) over {count} users."
    ),
    Tracks.WEAKLY: Template(
        "In this model, attention tracks influence weakly: the mean rank correlation with influence is {value} "
        "({low} to {high}) over {count} users."
    ),
    Tracks.DOES_NOT: Template(
        "In this model, attention does not track influence: the mean rank correlation with influence is {value} "
        "({low} to {high}) over {count} users."
    ),
}
TOO_FEW = Template(
    "Only {count} user has a usable history; this is too few to test whether attention tracks influence.",
    "Only {count} users have a usable history; this is too few to test whether attention tracks influence.",
)
UNKNOWN = Template("The comparison with recency needs more users, too.")
BESIDE_TIME = {
    Beyond.MORE: Template(
        "The correlation is higher than that of recency alone ({time}): a difference of {gain} ({low} to {high})."
    ),
    Beyond.SAME: Template(
        "There is no significant difference from recency alone ({time}): a difference of {gain} ({low} to {high})."
    ),
    Beyond.LESS: Template(
        "The correlation is lower than that of recency alone ({time}): a difference of {gain} ({low} to {high})."
    ),
}
LEFT_OUT = Template(
    "{count} more user was excluded: too few items for a rank correlation, or equal values only.",
    "{count} more users were excluded: too few items for a rank correlation, or equal values only.",
)
READS_LATEST = Template(
    "Of the {held} items in this history, the model uses only the latest one.",
    "Of the {held} items in this history, the model uses only the latest {count}.",
)
READS_LIKED = Template(
    "Of the {held} items in this history, the model uses the one that is relevant (rated {liked} or higher), as in "
    "training.",
    "Of the {held} items in this history, the model uses the {count} that are relevant (rated {liked} or higher), as "
    "in training.",
)
READS_LATEST_LIKED = Template(
    "Of the {held} items in this history, {counted} are relevant (rated {liked} or higher); of these the model uses "
    "the latest one.",
    "Of the {held} items in this history, {counted} are relevant (rated {liked} or higher); of these the model uses "
    "the latest {count}.",
)
NEEDED = Template(
    "Removing {needed} of {count} heads changes NDCG@10 significantly; the largest change is for head {head} of layer "
    "{layer}: {difference} ({low} to {high}) from {whole}, over {users} users."
)
ONE_NEEDED = Template(
    "Removing the only head changes NDCG@10 significantly: by {difference} ({low} to {high}) from {whole}, over "
    "{users} users."
)
NONE_NEEDED = Template(
    "Removing the only head causes no significant change in NDCG@10 ({whole}), over {users} users.",
    "Removing any single one of the {count} heads causes no significant change in NDCG@10 ({whole}), over {users} "
    "users.",
)


def reads(reading: Reading) -> Sentence | None:
    """State how much of a history the model uses; None if it uses all of it."""
    if reading.read >= reading.held:
        return None
    held, counted = f"{reading.held:,}", f"{reading.counted:,}"
    if reading.liked_from is None or reading.counted == reading.held:
        return READS_LATEST.fill(reading.read, held=held)
    if reading.read >= reading.counted:
        return READS_LIKED.fill(reading.read, held=held, liked=f"{reading.liked_from:g}")
    return READS_LATEST_LIKED.fill(reading.read, held=held, counted=counted, liked=f"{reading.liked_from:g}")


def left_out(faithfulness: Faithfulness) -> Sentence | None:
    """State how many users were excluded, and why; None if none were."""
    return LEFT_OUT.fill(faithfulness.left_out) if faithfulness.left_out else None


def verdict(faithfulness: Faithfulness) -> Sentence:
    """State whether attention tracks influence, with the numbers."""
    users = len(faithfulness.per_user)
    if faithfulness.verdict is Tracks.TOO_FEW:
        return TOO_FEW.fill(users)
    row = _row(faithfulness.table, ATTENTION)
    low, high = row["low"], row["high"]
    value, least, most = (rounded(one, low, high) for one in (row["mean"], low, high))
    return VERDICTS[faithfulness.verdict].fill(users, value=value, low=least, high=most)


def beyond(faithfulness: Faithfulness) -> Sentence:
    """State whether attention correlates with influence more than recency does."""
    if faithfulness.verdict is Tracks.TOO_FEW:
        return UNKNOWN.fill()
    row = _row(faithfulness.table, RECENCY)
    low, high = row["gain_low"], row["gain_high"]
    time, gain, least, most = (rounded(one, low, high) for one in (row["mean"], row["gain"], low, high))
    return BESIDE_TIME[faithfulness.beyond].fill(time=time, gain=gain, low=least, high=most)


def heads_matter(effects: HeadEffects) -> Sentence:
    """State how many heads matter significantly, and which one matters most."""
    table, users = effects.table, f"{effects.users:,}"
    whole, count = rounded(effects.ndcg, effects.low, effects.high), len(table)
    needed = table[table["different"]]
    if needed.empty:
        return NONE_NEEDED.fill(count, whole=whole, users=users)
    most = needed.iloc[int(needed["difference"].abs().argmax())]
    low, high = float(most["low"]), float(most["high"])
    numbers = {name: rounded(float(most[name]), low, high) for name in ("difference", "low", "high")}
    if count == 1:
        return ONE_NEEDED.fill(whole=whole, users=users, **numbers)
    names = {"head": f"{most[HEAD]:.0f}", "layer": f"{most[LAYER]:.0f}"}
    return NEEDED.fill(count, needed=f"{len(needed)}", whole=whole, users=users, **names, **numbers)


def orders_picture(faithfulness: Faithfulness) -> go.Figure:
    """Return the mean rank correlation of each ordering with influence, with intervals over users."""
    table = faithfulness.table
    colors = [COLORS[one] for one in table["order"]]
    return _bars([_(NAMES[one]) for one in table["order"]], table, "mean", colors, _("Rank correlation with influence"))


def heads_picture(effects: HeadEffects) -> go.Figure:
    """Return the change in NDCG@10 without each head, with intervals over users."""
    table = effects.table
    names = [
        _("layer {layer}, head {head}").format(layer=layer, head=head)
        for layer, head in zip(table[LAYER], table[HEAD], strict=True)
    ]
    colors = [BLUE if one else REST for one in table["different"]]
    return _bars(
        names, table, "difference", colors, _("Change in {metric} without the head").format(metric=NDCG.upper())
    )


def _bars(names: list[str], table: pd.DataFrame, column: str, colors: list[str], x: str) -> go.Figure:
    values = table[column]
    figure = go.Figure().add_bar(
        x=values,
        y=list(range(len(names))),
        orientation="h",
        marker_color=colors,
        error_x=interval_bars(values, table["low"], table["high"], color=GREY),
        customdata=names,
        hovertemplate="%{customdata}: %{x:.3g}<extra></extra>",
    )
    dressed(figure, x=x, y="", height=120 + ROW * len(names))
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    return with_labels(figure, names)


def _row(table: pd.DataFrame, order: str) -> dict[str, float]:
    [row] = table[table["order"] == order].drop(columns="order").to_dict("records")
    return {str(name): float(value) for name, value in row.items()}
