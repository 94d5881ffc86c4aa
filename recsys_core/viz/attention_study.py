"""Figures and sentences that compare attention with influence, for one user and over many, and the effect of heads."""

import math

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from recsys_core.evaluation.sentences import ends, rounded
from recsys_core.experiments.attention_study import HEAD, LAYER, NDCG, Beyond, Faithfulness, HeadEffects, Tracks
from recsys_core.experiments.training_part import Reading
from recsys_core.explain.attention_effects import ATTENTION, RECENCY, STRONG, WEAK, Beside
from recsys_core.text import Sentence, Template, _, later, percent
from recsys_core.viz.bars import ROW, interval_bars, with_labels
from recsys_core.viz.theme import BLUE, GREY, ORANGE, REST, dressed, plain, plain_all, shortened

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
SHOWN = 24

SEEN = Template(
    "The top recommendation is '{item}'. At the step that gives its score, the largest attention weight is on '{seen}' "
    "({weight}); {change}."
)
FALLS = Template("the score ({score}) falls most without '{first}': by {effect}")
FALLS_AND_RISES = Template(
    "the score ({score}) falls most without '{first}': by {effect}, and rises most without '{second}': by {rise}"
)
ONLY_RISES = Template(
    "the score ({score}) stays the same or rises when any single item is left out, most without '{second}': by {rise}"
)
SAME = Template("the score ({score}) stays the same when any single item is left out")
STRONG_POSITIVE = Template(
    "Over {count} items, attention and influence are strongly correlated (rank correlation {value})."
)
WEAK_POSITIVE = Template(
    "Over {count} items, attention and influence are weakly correlated (rank correlation {value})."
)
UNCORRELATED = Template("Over {count} items, attention and influence are hardly correlated (rank correlation {value}).")
NEGATIVE = Template("Over {count} items, attention and influence are negatively correlated (rank correlation {value}).")
NO_CORRELATION = Template("The history has too few items, or equal values, so no rank correlation is calculated.")


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
    least, most = ends(low, high)
    return VERDICTS[faithfulness.verdict].fill(users, value=rounded(row["mean"], low, high), low=least, high=most)


def beyond(faithfulness: Faithfulness) -> Sentence:
    """State whether attention correlates with influence more than recency does."""
    if faithfulness.verdict is Tracks.TOO_FEW:
        return UNKNOWN.fill()
    row = _row(faithfulness.table, RECENCY)
    low, high = row["gain_low"], row["gain_high"]
    time, gain = rounded(row["mean"], low, high), rounded(row["gain"], low, high)
    least, most = ends(low, high)
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
    numbers = {"difference": rounded(float(most["difference"]), low, high)}
    numbers["low"], numbers["high"] = ends(low, high)
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


def most(beside: Beside) -> Sentence:
    """State the item with the largest attention weight, and the items whose removal lowers and raises the score most.

    A rise is left out if a fall is at least as large.
    """
    table, effects = beside.table, beside.table["effect"].to_numpy()
    fall, rise = max(0.0, float(effects.max())), max(0.0, -float(effects.min()))
    template = (FALLS_AND_RISES if rise > fall else FALLS) if fall else ONLY_RISES if rise else SAME
    change = template.fill(
        score=f"{beside.score:.3g}",
        first=table["title"].iloc[int(effects.argmax())],
        effect=f"{fall:.3g}",
        second=table["title"].iloc[int(effects.argmin())],
        rise=f"{rise:.3g}",
    )
    seen, weight = table["title"].iloc[0], percent(table["attention"].iloc[0])
    return SEEN.fill(item=beside.item, seen=seen, weight=weight, change=change)


def correlation(beside: Beside) -> Sentence:
    """State how attention and influence correlate for this user."""
    value = beside.correlation
    if math.isnan(value):
        return NO_CORRELATION.fill()
    if value >= STRONG:
        template = STRONG_POSITIVE
    elif value >= WEAK:
        template = WEAK_POSITIVE
    else:
        template = UNCORRELATED if value > -WEAK else NEGATIVE
    return template.fill(len(beside.table), value=f"{value:.2f}")


def beside_bars(beside: Beside) -> go.Figure:
    """Return two bars per item: its attention weight, and its influence on the score.

    The rows are the items with the largest attention weights, and those whose removal lowers and raises the score most.
    """
    effects = beside.table["effect"].to_numpy()
    rows = list(range(len(effects)))
    if len(rows) > SHOWN:
        ends = {int(effects.argmax()), int(effects.argmin())}
        rows = sorted({*[row for row in rows if row not in ends][: SHOWN - len(ends)], *ends})
    shown = beside.table.iloc[rows]
    places = list(range(len(shown)))
    names = [plain(title) for title in shown["title"]]
    figure: go.Figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.04)
    columns = (
        (1, shown["attention"], BLUE, _("%{customdata}<br>attention %{hovertext}<extra></extra>")),
        (2, shown["effect"], ORANGE, _("%{customdata}<br>influence %{x:.3g}<extra></extra>")),
    )
    for column, values, color, hover in columns:
        figure.add_bar(
            x=values, y=places, orientation="h", marker_color=color, customdata=names, hovertemplate=hover,
            hovertext=plain_all(percent(value, 1) for value in values), showlegend=False, row=1, col=column,
        )  # fmt: skip
    dressed(figure, x="", y="", height=130 + ROW * len(shown))
    figure.update_xaxes(title_text=_("Attention"), tickformat=".0%", row=1, col=1)
    figure.update_xaxes(title_text=_("Influence:<br>score drop<br>without the item"), row=1, col=2)
    figure.add_vline(x=0, line={"color": GREY, "width": 1}, row=1, col=2)
    return with_labels(figure, [shortened(title, 20) for title in shown["title"]])
