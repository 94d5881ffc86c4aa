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
from recsys_core.evaluation.sentences import Sentence, Template, decimals_for
from recsys_core.viz import explore

if TYPE_CHECKING:
    import plotly.graph_objects as go

TOP_ITEMS = 20
FEW_TOGETHER = 5
"""Pairs known by fewer people are not called the strongest."""
MILLISECONDS = 1000.0
SMALLEST = 1e-12
"""Below every density that data can have."""


TAIL = Template(
    "The 5% most popular items hold {twentieth} of all interactions. The head, {head} items ({head_share}), holds "
    "{head_holds}; the tail of {tail} items shares the rest. Gini coefficient {gini} (0: all alike, 1: one has all)."
)
SILENT = Template("{count} item has no interaction at all.", "{count} items have no interaction at all.")
ACTIVITY = Template(
    "The user in the middle has {median} interactions, the busiest {most}. {single} of {users} users ({share}) have "
    "only one."
)
NO_RATINGS = Template("Nobody rated in these data: there are only events, such as views or purchases.").fill()
RATINGS = Template("The mean rating is {mean}; the most frequent one is {most}, given in {share} of {total} ratings.")
ONE_KIND = Template("These data know one kind of interaction only.").fill()
EVENTS = Template("There are {count} kinds of events; the most frequent, '{first}', makes up {share} of all {total}.")
NO_TIME = Template(
    "The time of interactions is not known, so nothing can be said about change, and no split by time."
).fill()
TIME = Template(
    "The interactions run from {first} to {last}. The busiest {unit} begins on {peak}, with {most} ({share} of all)."
)
UNDATED = Template(
    "{count} interaction has no time and is not shown here.",
    "{count} interactions have no time and are not shown here.",
)
TIED = Template("{share} share user and time with another one, so their order is not known.")
ORDER_SAYS = {
    Matters.YES: Template("Yes, order matters in these data.").fill(),
    Matters.A_LITTLE: Template("Order matters in these data, but only a little.").fill(),
    Matters.FILE_ONLY: Template(
        "Only the order of the file matters, not that of time: it is gone once ties are shuffled."
    ).fill(),
    Matters.NO: Template("No, order does not seem to matter in these data: no more than chance was found.").fill(),
    Matters.TOO_FEW: Template("There are too few people to tell whether order matters.").fill(),
}
ORDER_NUMBERS = Template(
    "A simple model of what follows what reaches NDCG@10 {ordered} on histories in their order and {shuffled} on "
    "shuffled ones: a difference of {gain} ({low} to {high}), over {users} users."
)
ORDER_OF_FILE = Template("These data know no times, so the order is that of the file.").fill()
ORDER_TIED = Template(
    "{share} of interactions share user and time with another one, or have no time; their order is the file's."
)
READINGS = {"ordered": "in their order", "untied": "order within ties shuffled", "shuffled": "shuffled"}
NOT_TOGETHER = Template("No two of the {count} most popular items are known by as many as {few} people.")
TOGETHER = Template(
    "Of the {count} most popular items, '{first}' and '{second}' go together most: {people} people know both, {lift} "
    "times as many as chance would give."
)
EMPTINESS = Template(
    "Of {users} × {items} pairs of a user and an item, {density} are known: one in {one_in}. Everything else is what "
    "a model has to guess."
)
ALIKE = Template("Nobody among {count} users lies far from the rest, in activity or in how they rate.")
UNLIKE = Template(
    "{count} of {users} users lies far from the rest. The busiest of them, '{name}', has {interactions} interactions "
    "and a {value_name} of {value}.",
    "{count} of {users} users lie far from the rest. The busiest of them, '{name}', has {interactions} interactions "
    "and a {value_name} of {value}.",
)


@dataclass(frozen=True, eq=False)
class Answer:
    """What the data say to a question.

    Args:
        sentences: The finding, with its numbers; where there is no answer, why.
        figure: The picture, None where the data hold no answer.
        table: The numbers behind the picture.
    """

    sentences: tuple[Sentence, ...]
    figure: "go.Figure | None" = None
    table: pd.DataFrame | None = None

    @property
    def sentence(self) -> str:
        """The finding in English, in one text."""
        return " ".join(map(str, self.sentences))


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
    said = [
        TAIL.fill(
            twentieth=f"{_at(curve, 0.05):.0%}",
            head=f"{card.head_items:,}",
            head_share=f"{card.head_share:.0%}",
            head_holds=f"{card.head_holds:.0%}",
            tail=f"{card.active_items - card.head_items:,}",
            gini=f"{card.gini:.2f}",
        )
    ]
    silent = card.items - card.active_items
    if silent:
        said.append(SILENT.fill(silent))
    figure = explore.lorenz_curve(curve, head_share=card.head_share, head_holds=card.head_holds)
    return Answer(tuple(said), figure, curve)


def activity(data: Dataset, card: DataSummary) -> Answer:
    """Say how much people do."""
    bins = summaries.activity(data)
    sentence = ACTIVITY.fill(
        median=f"{card.median_per_user:g}",
        most=f"{card.most_per_user:,}",
        single=f"{card.single_users:,}",
        users=f"{card.active_users:,}",
        share=f"{card.single_users / max(1, card.active_users):.1%}",
    )
    return Answer((sentence,), explore.activity_histogram(bins, median=card.median_per_user), bins)


def ratings(data: Dataset, card: DataSummary) -> Answer:
    """Say how generous people are."""
    if card.rating_mean is None:
        return Answer((NO_RATINGS,))
    bars = summaries.rating_histogram(data)
    total = bars["interactions"].sum()
    most = bars.iloc[bars["interactions"].argmax()]
    sentence = RATINGS.fill(
        mean=f"{card.rating_mean:.2f}",
        most=f"{most['rating']:g}",
        share=f"{most['interactions'] / total:.0%}",
        total=f"{total:,}",
    )
    return Answer((sentence,), explore.rating_bars(bars), bars)


def events(_data: Dataset, card: DataSummary) -> Answer:
    """Say what kinds of events there are."""
    if not card.events:
        return Answer((ONE_KIND,))
    frame = pd.DataFrame({"event": list(card.events), "interactions": list(card.events.values())})
    first = frame.iloc[0]
    share = f"{first['interactions'] / max(1, card.interactions):.0%}"
    sentence = EVENTS.fill(len(frame), first=str(first["event"]), share=share, total=f"{card.interactions:,}")
    return Answer((sentence,), explore.event_bars(frame), frame)


def time(data: Dataset, card: DataSummary) -> Answer:
    """Say when people acted."""
    if card.first is None or card.last is None:
        return Answer((NO_TIME,))
    periods = summaries.over_time(data)
    unit = str(periods.attrs["unit"])
    peak = periods.iloc[periods["interactions"].argmax()]
    dated = int(periods["interactions"].sum())
    said = [
        TIME.fill(
            first=_day(card.first),
            last=_day(card.last),
            unit=unit,
            peak=f"{peak['start']:%d %B %Y}",
            most=f"{peak['interactions']:,}",
            share=f"{peak['interactions'] / dated:.0%}",
        )
    ]
    if dated < card.interactions:
        said.append(UNDATED.fill(card.interactions - dated))
    if card.tied:
        said.append(TIED.fill(share=f"{card.tied / card.interactions:.0%}"))
    return Answer(tuple(said), explore.timeline(periods, unit=unit), periods)


def order(data: Dataset, _card: DataSummary) -> Answer:
    """Say whether the order in which people did things tells what they do next."""
    try:
        found = order_test(data)
    except DataError as error:
        return Answer((Template("{reason}").fill(reason=str(error)),))
    table = pd.DataFrame(
        [(READINGS[name], one.ndcg, one.low, one.high) for name, one in found.readings.items()],
        columns=["histories", "ndcg@10", "low", "high"],
    )
    return Answer(order_sentences(found), explore.order_bars(table), table)


def order_sentences(found: OrderTest) -> tuple[Sentence, ...]:
    """Return what the shuffle test says, with its numbers, and how far the order itself is known."""
    one, digits = found.ordered, decimals_for(found.ordered.gain_low, found.ordered.gain_high)
    numbers = {
        "ordered": one.ndcg, "shuffled": found.shuffled.ndcg, "gain": one.gain, "low": one.gain_low,
        "high": one.gain_high,
    }  # fmt: skip
    values = {name: f"{number:.{digits}f}" for name, number in numbers.items()}
    said = (ORDER_SAYS[found.verdict], ORDER_NUMBERS.fill(**values, users=f"{found.users:,}"))
    if not found.has_times:
        return (*said, ORDER_OF_FILE)
    return (*said, ORDER_TIED.fill(share=f"{found.tied:.0%}")) if found.tied else said


def together(data: Dataset, _card: DataSummary) -> Answer:
    """Say which of the most popular items the same people know."""
    pairs = summaries.co_occurrence(data, TOP_ITEMS)
    titles = [str(title) for title in summaries.top_items(data, TOP_ITEMS)["title"]]
    once = pairs[pairs["first"] < pairs["second"]]
    strong = once[once["together"] >= FEW_TOGETHER]
    if strong.empty:
        return Answer((NOT_TOGETHER.fill(len(titles), few=f"{FEW_TOGETHER}"),))
    best = strong.iloc[strong["lift"].argmax()]
    sentence = TOGETHER.fill(
        len(titles),
        first=titles[int(best["first"])],
        second=titles[int(best["second"])],
        people=f"{int(best['together']):,}",
        lift=f"{best['lift']:.1f}",
    )
    named = once.assign(first=once["first"].map(titles.__getitem__), second=once["second"].map(titles.__getitem__))
    return Answer((sentence,), explore.lift_map(pairs, titles), named)


def emptiness(data: Dataset, card: DataSummary) -> Answer:
    """Say how little of the matrix of users and items is known."""
    cells = summaries.density_sample(data)
    sentence = EMPTINESS.fill(
        users=f"{card.users:,}",
        items=f"{card.items:,}",
        density=f"{card.density:.2%}",
        one_in=f"{1 / max(card.density, SMALLEST):,.0f}",
    )
    users, items = int(cells.attrs["users"]), int(cells.attrs["items"])
    return Answer((sentence,), explore.matrix_sample(cells, users=users, items=items), cells)


def unlike(data: Dataset, card: DataSummary) -> Answer:
    """Say who stands out."""
    users = summaries.user_habits(data)
    outside = users[users["unlike"]].sort_values("interactions", ascending=False)
    if outside.empty:
        return Answer((ALIKE.fill(card.active_users),), explore.unlike_users(users), users)
    busiest = outside.iloc[0]
    sentence = UNLIKE.fill(
        len(outside),
        users=f"{card.active_users:,}",
        name=str(busiest["user_id"]),
        interactions=f"{busiest['interactions']:,}",
        value_name=str(busiest["value_name"]).lower(),
        value=f"{busiest['value']:.2f}",
    )
    return Answer((sentence,), explore.unlike_users(users), users)


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
