"""Questions about a data set, each answered by a picture and by sentences that hold the numbers of these data."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd

from recsys_core.data import summaries
from recsys_core.data.dataset import Dataset
from recsys_core.data.summaries import DataSummary
from recsys_core.errors import DataError
from recsys_core.evaluation.order import Matters, OrderTest, order_test
from recsys_core.evaluation.sentences import decimals_for
from recsys_core.viz import explore

if TYPE_CHECKING:
    import plotly.graph_objects as go

TOP_ITEMS = 20
FEW_TOGETHER = 5
"""Pairs known by fewer people are not called the strongest."""
MILLISECONDS = 1000.0
SMALLEST = 1e-12
"""Below every density that data can have."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What the data say to a question.

    Args:
        sentence: The finding, with its numbers; where there is no answer, why.
        figure: The picture, None where the data hold no answer.
        table: The numbers behind the picture.
    """

    sentence: str
    figure: "go.Figure | None" = None
    table: pd.DataFrame | None = None


@dataclass(frozen=True)
class Question:
    """One question of the page.

    Args:
        title: The question, as people ask it.
        reading: How to read the picture.
        answer: Computes the answer from the data and the numbers of the data card.
    """

    title: str
    reading: str
    answer: Callable[[Dataset, DataSummary], Answer]


def long_tail(data: Dataset, card: DataSummary) -> Answer:
    """Say how few items hold how many interactions."""
    curve = summaries.popularity_curve(data)
    twentieth = _at(curve, 0.05)
    tail = card.active_items - card.head_items
    sentence = (
        f"The 5% most popular items hold {twentieth:.0%} of all interactions. "
        f"The head, {card.head_items:,} items ({card.head_share:.0%}), holds {card.head_holds:.0%}; "
        f"the tail of {tail:,} items shares the rest. Gini coefficient {card.gini:.2f} (0: all alike, 1: one has all)."
    )
    silent = card.items - card.active_items
    if silent:
        sentence += f" {silent:,} {_plural(silent, 'item has', 'items have')} no interaction at all."
    figure = explore.lorenz_curve(curve, head_share=card.head_share, head_holds=card.head_holds)
    return Answer(sentence, figure, curve)


def activity(data: Dataset, card: DataSummary) -> Answer:
    """Say how much people do."""
    bins = summaries.activity(data)
    share = card.single_users / max(1, card.active_users)
    sentence = (
        f"The user in the middle has {card.median_per_user:g} interactions, the busiest {card.most_per_user:,}. "
        f"{card.single_users:,} of {card.active_users:,} users ({share:.1%}) have only one."
    )
    return Answer(sentence, explore.activity_histogram(bins, median=card.median_per_user), bins)


def ratings(data: Dataset, card: DataSummary) -> Answer:
    """Say how generous people are."""
    if card.rating_mean is None:
        return Answer("Nobody rated in these data: there are only events, such as views or purchases.")
    bars = summaries.rating_histogram(data)
    total = bars["interactions"].sum()
    most = bars.iloc[bars["interactions"].argmax()]
    sentence = (
        f"The mean rating is {card.rating_mean:.2f}; the most frequent one is {most['rating']:g}, "
        f"given in {most['interactions'] / total:.0%} of {total:,} ratings."
    )
    return Answer(sentence, explore.rating_bars(bars), bars)


def events(_data: Dataset, card: DataSummary) -> Answer:
    """Say what kinds of events there are."""
    if not card.events:
        return Answer("These data know one kind of interaction only.")
    frame = pd.DataFrame({"event": list(card.events), "interactions": list(card.events.values())})
    first = frame.iloc[0]
    sentence = (
        f"There are {len(frame)} kinds of events; the most frequent, '{first['event']}', "
        f"makes up {first['interactions'] / max(1, card.interactions):.0%} of all {card.interactions:,}."
    )
    return Answer(sentence, explore.event_bars(frame), frame)


def time(data: Dataset, card: DataSummary) -> Answer:
    """Say when people acted."""
    if card.first is None or card.last is None:
        return Answer(
            "The time of interactions is not known, so nothing can be said about change, and no split by time."
        )
    periods = summaries.over_time(data)
    unit = str(periods.attrs["unit"])
    peak = periods.iloc[periods["interactions"].argmax()]
    sentence = (
        f"The interactions run from {_day(card.first)} to {_day(card.last)}. "
        f"The busiest {unit} begins on {peak['start']:%d %B %Y}, with {peak['interactions']:,} "
        f"({peak['interactions'] / card.interactions:.0%} of all)."
    )
    if card.tied:
        share = card.tied / card.interactions
        sentence += f" {share:.0%} share user and time with another one, so their order is not known."
    return Answer(sentence, explore.timeline(periods, unit=unit), periods)


ORDER_SAYS = {
    Matters.YES: "Yes, order matters in these data.",
    Matters.A_LITTLE: "Order matters in these data, but only a little.",
    Matters.FILE_ONLY: "Only the order of the file matters, not that of time: it is gone once ties are shuffled.",
    Matters.NO: "No, order does not seem to matter in these data: no more than chance was found.",
    Matters.TOO_FEW: "There are too few people to tell whether order matters.",
}
READINGS = {"ordered": "in their order", "untied": "order within ties shuffled", "shuffled": "shuffled"}


def order(data: Dataset, _card: DataSummary) -> Answer:
    """Say whether the order in which people did things tells what they do next."""
    try:
        found = order_test(data)
    except DataError as error:
        return Answer(str(error))
    table = pd.DataFrame(
        [(READINGS[name], one.ndcg, one.low, one.high) for name, one in found.readings.items()],
        columns=["histories", "ndcg@10", "low", "high"],
    )
    return Answer(order_sentence(found), explore.order_bars(table), table)


def order_sentence(found: OrderTest) -> str:
    """Return what the shuffle test says, with its numbers, and how far the order itself is known."""
    one, digits = found.ordered, decimals_for(found.ordered.gain_low, found.ordered.gain_high)
    said = (
        f"{ORDER_SAYS[found.verdict]} A simple model of what follows what reaches NDCG@10 {one.ndcg:.{digits}f} on "
        f"histories in their order and {found.shuffled.ndcg:.{digits}f} on shuffled ones: a difference of "
        f"{one.gain:.{digits}f} ({one.gain_low:.{digits}f} to {one.gain_high:.{digits}f}), over {found.users:,} users."
    )
    if not found.has_times:
        return f"{said} These data know no times, so the order is that of the file."
    if found.tied:
        said += f" {found.tied:.0%} of interactions share user and time with another one; their order is the file's."
    return said


def together(data: Dataset, _card: DataSummary) -> Answer:
    """Say which of the most popular items the same people know."""
    pairs = summaries.co_occurrence(data, TOP_ITEMS)
    titles = [str(title) for title in summaries.top_items(data, TOP_ITEMS)["title"]]
    once = pairs[pairs["first"] < pairs["second"]]
    strong = once[once["together"] >= FEW_TOGETHER]
    if strong.empty:
        return Answer(f"No two of the {len(titles)} most popular items are known by as many as {FEW_TOGETHER} people.")
    best = strong.iloc[strong["lift"].argmax()]
    first, second = titles[int(best["first"])], titles[int(best["second"])]
    sentence = (
        f"Of the {len(titles)} most popular items, '{first}' and '{second}' go together most: "
        f"{int(best['together']):,} people know both, {best['lift']:.1f} times as many as chance would give."
    )
    named = once.assign(first=once["first"].map(titles.__getitem__), second=once["second"].map(titles.__getitem__))
    return Answer(sentence, explore.lift_map(pairs, titles), named)


def emptiness(data: Dataset, card: DataSummary) -> Answer:
    """Say how little of the matrix of users and items is known."""
    cells = summaries.density_sample(data)
    sentence = (
        f"Of {card.users:,} × {card.items:,} pairs of a user and an item, {card.density:.2%} are known: "
        f"one in {1 / max(card.density, SMALLEST):,.0f}. Everything else is what a model has to guess."
    )
    users, items = int(cells.attrs["users"]), int(cells.attrs["items"])
    return Answer(sentence, explore.matrix_sample(cells, users=users, items=items), cells)


def unlike(data: Dataset, card: DataSummary) -> Answer:
    """Say who stands out."""
    users = summaries.user_habits(data)
    outside = users[users["unlike"]].sort_values("interactions", ascending=False)
    if outside.empty:
        sentence = f"Nobody among {card.active_users:,} users lies far from the rest, in activity or in how they rate."
        return Answer(sentence, explore.unlike_users(users), users)
    busiest = outside.iloc[0]
    name = str(busiest["value_name"]).lower()
    sentence = (
        f"{len(outside):,} of {card.active_users:,} users {_plural(len(outside), 'lies', 'lie')} far from the rest. "
        f"The busiest of them, '{busiest['user_id']}', has {busiest['interactions']:,} interactions "
        f"and a {name} of {busiest['value']:.2f}."
    )
    return Answer(sentence, explore.unlike_users(users), users)


QUESTIONS = {
    "tail": Question(
        "How long is the tail?",
        "The further the curve bends away from the dashed line, the more a few items hold. What is popular is easily "
        "recommended; whether a model is worth something shows in the tail.",
        long_tail,
    ),
    "activity": Question(
        "How active are people?",
        "Each bar spans twice as many interactions as the one before. Little can be learned about people on the left.",
        activity,
    ),
    "ratings": Question(
        "How do they rate?",
        "Where nearly everything is rated high, a rating says less than the fact that somebody rated.",
        ratings,
    ),
    "events": Question(
        "What did they do?", "Kinds that mean more, such as a purchase, should weigh more than a view.", events
    ),
    "time": Question(
        "When?",
        "Jumps and gaps matter for a split by time: the test part should look like the days on which it will be used.",
        time,
    ),
    "order": Question(
        "Does order matter?",
        "The same model, once on true and once on shuffled histories; the marks span what chance among users allows. "
        "Models that read histories in order pay off where the first bar clearly stands above the last.",
        order,
    ),
    "together": Question(
        "Which items go together?",
        "Lift 1 is what chance would give. Bright pairs are what models of neighbours live on.",
        together,
    ),
    "emptiness": Question(
        "How empty is the matrix?",
        "A sample: people drawn at random, and items at even steps from the most popular (left) to the least.",
        emptiness,
    ),
    "unlike": Question(
        "Who is unlike the rest?",
        "Far off in activity or in value, by more than 3.5 robust standard deviations. They may be robots, "
        "test accounts or just devoted; look at them before you trust a mean.",
        unlike,
    ),
}
"""All questions, in the order of the page."""


def _at(curve: pd.DataFrame, share: float) -> float:
    """Return the share of interactions that such a share of the most popular items holds; linear between points."""
    place = int(curve["items"].searchsorted(share))
    right, left = curve.iloc[min(place, len(curve) - 1)], curve.iloc[max(0, min(place, len(curve) - 1) - 1)]
    width = right["items"] - left["items"]
    part = (share - left["items"]) / width if width else 1.0
    return float(left["interactions"] + part * (right["interactions"] - left["interactions"]))


def _day(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / MILLISECONDS, UTC):%d %B %Y}"


def _plural(number: int, one: str, many: str) -> str:
    return one if number == 1 else many
