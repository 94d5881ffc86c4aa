"""Questions about a data set, each answered by a figure and by sentences with the numbers of the data set."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from recsys_core.data import summaries
from recsys_core.data.dataset import Dataset
from recsys_core.data.summaries import DataSummary
from recsys_core.errors import DataError
from recsys_core.evaluation.order import Matters, OrderTest, order_test
from recsys_core.evaluation.sentences import decimals_for, ends
from recsys_core.text import Sentence, Template, _, later, percent
from recsys_core.viz import explore

TOP_ITEMS = 20
FEW_TOGETHER = 5
"""Minimum number of users with both items of the pair that is named as the strongest."""
MILLISECONDS = 1000.0
PERIODS = {"day": later("day"), "week": later("week"), "month": later("month"), "year": later("year")}
SMALLEST = 1e-12
"""Lower bound of the density, to avoid a division by zero."""


TOP_SHARE = 0.05
"""Share of items in the first sentence on the tail, as closely as whole items allow."""
TOP = Template(
    "The most popular item ({share} of {active}) has {holds} of all interactions.",
    "The {count} most popular items ({share} of {active}) have {holds} of all interactions.",
)
HEAD = Template(
    "The head of {count} item ({head_share}) has {head_holds}{rest}.",
    "The head of {count} items ({head_share}) has {head_holds}{rest}.",
)
TAIL = Template("; the tail of {count} item has the rest", "; the tail of {count} items has the rest")
NO_TAIL = Template("; there is no tail").fill()
GINI = Template(
    "The Gini coefficient is {gini} (0: all items equally popular, 1: one item has all interactions).",
)
SILENT = Template("{count} item has no interactions.", "{count} items have no interactions.")
ACTIVITY = Template("The median number of interactions per user is {median}, the maximum is {most}.")
SINGLE = Template(
    "{count} of {users} ({share}) is a single-interaction user.",
    "{count} of {users} ({share}) are single-interaction users.",
)
USERS = Template("{count} user", "{count} users")
ITEMS = Template("{count} item", "{count} items")
NO_RATINGS = Template("The data set has no ratings, only events such as views or purchases.").fill()
RATINGS = Template(
    "The mean rating is {mean}; the most frequent rating is {most}, with {share} of {total}.",
    "The mean rating is {mean}; the {count} most frequent ratings are {most}, each with {share} of {total}.",
)
RATINGS_BINNED = Template(
    "The mean rating is {mean}; of intervals of {width}, the one around {most} has the most ratings, {share} of "
    "{total}.",
    "The mean rating is {mean}; of intervals of {width}, those around {most} have the most ratings, each {share} of "
    "{total}.",
)
TOTAL_RATINGS = Template("{count} rating", "{count} ratings")
ONE_KIND = Template("The data set has only one event type.").fill()
EVENTS = Template(
    "There is {count} event type: '{first}', with {share} of all {total} interactions.",
    "There are {count} event types; the most frequent, '{first}', accounts for {share} of all {total} interactions.",
)
NO_TIME = Template(
    "The data set has no timestamps, so changes over time are unknown and time-based splits are not available."
).fill()
TIME = Template(
    "The interactions range from {first} to {last}. The {unit} with the most interactions starts on {peak}, with "
    "{most} ({share} of all)."
)
ONE_DAY = Template("All interactions are of {first} (UTC).").fill
UNDATED = Template(
    "{count} interaction has no timestamp and is not shown here.",
    "{count} interactions have no timestamp and are not shown here.",
)
TIED = Template("{share} of interactions have duplicate timestamps (same user and time), so their order is unknown.")
ORDER_SAYS = {
    Matters.YES: Template("Yes, order matters in this data set.").fill(),
    Matters.A_LITTLE: Template("Order matters in this data set, but the effect is small.").fill(),
    Matters.FILE_ONLY: Template(
        "Only the file order matters, not time: the effect disappears when interactions with duplicate timestamps are "
        "shuffled."
    ).fill(),
    Matters.NO: Template("No significant effect of order in this data set.").fill(),
    Matters.TOO_FEW: Template("There are too few users to test whether order matters.").fill(),
}
ORDER_OF_FILE_MATTERS = Template(
    "The order of the file matters, but it may be that of items or of ratings: the data set has no timestamps, so "
    "whether time matters is unknown."
).fill()
ORDER_NUMBERS = Template(
    "A model of item transitions (five steps back) has an NDCG@10 of {ordered} on ordered histories and {shuffled} on "
    "shuffled ones: a difference of {gain} ({low} to {high}), over {users} users."
)
ORDER_OF_FILE = Template("The data set has no timestamps, so the order is that of the file.").fill()
ORDER_TIED = Template("{share} of interactions have duplicate timestamps or none; their order is that of the file.")
READINGS = {"ordered": later("ordered"), "untied": later("ordered, ties shuffled"), "shuffled": later("shuffled")}
NOT_TOGETHER = Template(
    "There is a single item, so no items co-occur.",
    "No two of the {count} most popular items share at least {few} users.",
)
CO_OCCURRENCE = Template(
    "Among the {count} most popular items, of the pairs that share at least {few} users, '{first}' and '{second}' have "
    "the highest lift: {users} users have both, {lift} times as many as expected by chance."
)
AS_HIGH = Template("{count} other pair has the same lift.", "{count} other pairs have the same lift.")
EMPTINESS = Template(
    "The matrix has {users} × {items} and a density of {density}: about one in {one_in} cells has an interaction. The "
    "other cells are what a model predicts."
)
DENSE = Template(
    "The matrix has {users} × {items} and a density of {density}, the share of cells with an interaction. The other "
    "cells are what a model predicts."
)
FULL = Template("The matrix has {users} × {items}, and each cell has an interaction: no cell is left to predict.")
DENSE_FROM = 0.2
"""Density from which 'one in n cells' would be too coarse."""
ALIKE = Template(
    "There is a single user, so no user can be an outlier.",
    "There are no outliers among {count} users, in activity or in {value_name}.",
)
UNLIKE = Template(
    "{count} of {users} users is an outlier: '{name}' has {interactions} interactions and a {value_name} of {value}.",
    "{count} of {users} users are outliers. The most active of them, '{name}', has {interactions} interactions and a "
    "{value_name} of {value}.",
)
UNLIKE_UNRATED = Template(
    "{count} of {users} users is an outlier: '{name}' has {interactions} interactions and no rating.",
    "{count} of {users} users are outliers. The most active of them, '{name}', has {interactions} interactions and no "
    "rating.",
)


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer to a question about a data set.

    Args:
        sentences: The finding with its numbers, or the reason why there is none.
        figure: The figure, None without an answer.
        table: The numbers behind the figure.
    """

    sentences: tuple[Sentence, ...]
    figure: go.Figure | None = None
    table: pd.DataFrame | None = None

    @property
    def sentence(self) -> str:
        """The finding as one English text."""
        return " ".join(map(str, self.sentences))


@dataclass(frozen=True)
class Question:
    """One question of the page.

    Args:
        title: The question.
        reading: How to read the figure.
        answer: Computes the answer from the data and its summary.
    """

    title: str
    reading: str
    answer: Callable[[Dataset, DataSummary], Answer]


def long_tail(data: Dataset, card: DataSummary) -> Answer:
    """State how concentrated interactions are on popular items."""
    curve = summaries.popularity_curve(data)
    top = curve.iloc[1 + int((curve["items"].iloc[1:] - TOP_SHARE).abs().argmin())]
    tail = card.active_items - card.head_items
    sentences = [
        TOP.fill(
            round(top["items"] * card.active_items),
            share=percent(top["items"]),
            active=ITEMS.fill(card.active_items),
            holds=percent(top["interactions"]),
        ),
        HEAD.fill(
            card.head_items,
            head_share=percent(card.head_share),
            head_holds=percent(card.head_holds),
            rest=TAIL.fill(tail) if tail else NO_TAIL,
        ),
        GINI.fill(gini=f"{card.gini:.2f}"),
    ]
    silent = card.items - card.active_items
    if silent:
        sentences.append(SILENT.fill(silent))
    figure = explore.lorenz_curve(curve, head_share=card.head_share, head_holds=card.head_holds)
    return Answer(tuple(sentences), figure, curve)


def activity(data: Dataset, card: DataSummary) -> Answer:
    """State the activity of users."""
    bins = summaries.activity(data)
    sentences = (
        ACTIVITY.fill(median=f"{card.median_per_user:g}", most=f"{card.most_per_user:,}"),
        SINGLE.fill(
            card.single_users,
            users=USERS.fill(card.active_users),
            share=percent(card.single_users / max(1, card.active_users)),
        ),
    )
    return Answer(sentences, explore.activity_histogram(bins, median=card.median_per_user), bins)


def ratings(data: Dataset, card: DataSummary) -> Answer:
    """State the distribution of ratings."""
    if card.rating_mean is None:
        return Answer((NO_RATINGS,))
    bars = summaries.rating_histogram(data)
    total = bars["interactions"].sum()
    width, most = float(bars.attrs["width"]), bars[bars["interactions"] == bars["interactions"].max()]
    template = RATINGS_BINNED if width else RATINGS
    sentence = template.fill(
        len(most),
        mean=f"{card.rating_mean:.2f}",
        most=", ".join(f"{rating:g}" for rating in most["rating"]),
        width=f"{width:g}",
        share=percent(bars["interactions"].max() / total),
        total=TOTAL_RATINGS.fill(int(total)),
    )
    return Answer((sentence,), explore.rating_bars(bars, width=width), bars)


def events(_data: Dataset, card: DataSummary) -> Answer:
    """State the event types."""
    if not card.events:
        return Answer((ONE_KIND,))
    frame = pd.DataFrame({"event": list(card.events), "interactions": list(card.events.values())})
    first = frame.iloc[0]
    share = percent(first["interactions"] / max(1, card.interactions))
    sentence = EVENTS.fill(len(frame), first=str(first["event"]), share=share, total=f"{card.interactions:,}")
    return Answer((sentence,), explore.event_bars(frame), frame)


def time(data: Dataset, card: DataSummary) -> Answer:
    """State the time span and the peak period."""
    if card.first is None or card.last is None:
        return Answer((NO_TIME,))
    periods = summaries.over_time(data)
    unit = str(periods.attrs["unit"])
    peak = periods.iloc[periods["interactions"].argmax()]
    dated = int(periods["interactions"].sum())
    first, last = _day(card.first), _day(card.last)
    sentences = [
        ONE_DAY(first=first)
        if first == last
        else TIME.fill(
            first=first,
            last=last,
            unit=_(PERIODS[unit]),
            peak=f"{peak['start']:%d %B %Y}",
            most=f"{peak['interactions']:,}",
            share=percent(peak["interactions"] / dated),
        )
    ]
    if dated < card.interactions:
        sentences.append(UNDATED.fill(card.interactions - dated))
    if card.tied:
        sentences.append(TIED.fill(share=percent(card.tied / card.interactions)))
    return Answer(tuple(sentences), explore.timeline(periods, unit=unit), periods)


def order(data: Dataset, _card: DataSummary) -> Answer:
    """State whether the order of a history predicts the next item."""
    try:
        found = order_test(data)
    except DataError as error:
        return Answer((Template("{reason}").fill(reason=str(error)),))
    table = pd.DataFrame(
        [(_(READINGS[name]), one.ndcg, one.low, one.high) for name, one in found.readings.items()],
        columns=["histories", "ndcg@10", "low", "high"],
    )
    return Answer(order_sentences(found), explore.order_bars(table), table)


def order_sentences(test: OrderTest) -> tuple[Sentence, ...]:
    """Return the result of the shuffle test with its numbers, and how reliable the order itself is."""
    one, digits = test.ordered, decimals_for(test.ordered.gain_low, test.ordered.gain_high)
    numbers = {"ordered": one.ndcg, "shuffled": test.shuffled.ndcg, "gain": one.gain}
    values = {name: f"{number:z.{digits}f}" for name, number in numbers.items()}
    values["low"], values["high"] = ends(one.gain_low, one.gain_high)
    numbers_say = ORDER_NUMBERS.fill(**values, users=f"{test.users:,}")
    if not test.has_times and test.verdict in (Matters.YES, Matters.A_LITTLE):
        return ORDER_OF_FILE_MATTERS, numbers_say
    sentences = (ORDER_SAYS[test.verdict], numbers_say)
    if not test.has_times:
        return (*sentences, ORDER_OF_FILE)
    return (*sentences, ORDER_TIED.fill(share=percent(test.tied))) if test.tied else sentences


def co_occurrence(data: Dataset, _card: DataSummary) -> Answer:
    """State which of the most popular items co-occur most."""
    pairs = summaries.co_occurrence(data, TOP_ITEMS)
    titles = [str(title) for title in summaries.top_items(data, TOP_ITEMS)["title"]]
    once = pairs[pairs["first"] < pairs["second"]]
    strong = once[once["together"] >= FEW_TOGETHER]
    if strong.empty:
        return Answer((NOT_TOGETHER.fill(len(titles), few=f"{FEW_TOGETHER}"),))
    best = strong.iloc[strong["lift"].argmax()]
    as_high = int(np.isclose(strong["lift"], best["lift"], rtol=1e-9).sum()) - 1
    sentence = CO_OCCURRENCE.fill(
        len(titles),
        few=f"{FEW_TOGETHER}",
        first=titles[int(best["first"])],
        second=titles[int(best["second"])],
        users=f"{int(best['together']):,}",
        lift=f"{best['lift']:.1f}",
    )
    named = once.assign(first=once["first"].map(titles.__getitem__), second=once["second"].map(titles.__getitem__))
    sentences = (sentence, AS_HIGH.fill(as_high)) if as_high else (sentence,)
    return Answer(sentences, explore.lift_map(pairs, titles), named)


def emptiness(data: Dataset, card: DataSummary) -> Answer:
    """State the density of the user-item matrix."""
    cells = summaries.density_sample(data)
    template = FULL if card.density == 1 else DENSE if card.density >= DENSE_FROM else EMPTINESS
    sentence = template.fill(
        users=USERS.fill(card.users),
        items=ITEMS.fill(card.items),
        density=percent(card.density, 2),
        one_in=f"{1 / max(card.density, SMALLEST):,.0f}",
    )
    users, items = int(cells.attrs["users"]), int(cells.attrs["items"])
    return Answer((sentence,), explore.matrix_sample(cells, users=users, items=items), cells)


def unlike(data: Dataset, card: DataSummary) -> Answer:
    """State which users are outliers."""
    users = summaries.user_habits(data)
    outside = users[users["unlike"]].sort_values("interactions", ascending=False)
    value_name = _(str(users["value_name"].iloc[0])).lower() if len(users) else ""
    if outside.empty:
        return Answer((ALIKE.fill(card.active_users, value_name=value_name),), explore.unlike_users(users), users)
    busiest = outside.iloc[0]
    template = UNLIKE if busiest["value"] == busiest["value"] else UNLIKE_UNRATED
    sentence = template.fill(
        len(outside),
        users=f"{card.active_users:,}",
        name=str(busiest["user_id"]),
        interactions=f"{busiest['interactions']:,}",
        value_name=value_name,
        value=f"{busiest['value']:.2f}",
    )
    return Answer((sentence,), explore.unlike_users(users), users)


QUESTIONS = {
    "tail": Question(
        "How long is the tail?",
        "The further the curve is from the dashed line, the more interactions are concentrated on few items. Popular "
        "items are easy to recommend; the tail shows whether a model is useful beyond popularity.",
        long_tail,
    ),
    "activity": Question(
        "How active are users?",
        "Each bin is twice as wide as the previous one. Models can learn little about the users on the left.",
        activity,
    ),
    "ratings": Question(
        "How are ratings distributed?",
        "If nearly all ratings are high, the rating value carries less information than the fact that an item was "
        "rated.",
        ratings,
    ),
    "events": Question(
        "Which event types are there?",
        "Stronger signals, such as purchases, should have a larger weight than views.",
        events,
    ),
    "time": Question(
        "How are interactions distributed over time?",
        "Jumps and gaps matter for a global time split: the test period should be representative of future use.",
        time,
    ),
    "order": Question(
        "Does order matter?",
        "The same model on ordered and on shuffled histories; error bars are 95% intervals over users. Sequential "
        "models pay off if the first bar is clearly higher than the last.",
        order,
    ),
    "together": Question(
        "Which items co-occur?",
        "A lift of 1 is expected for independent items. Nearest-neighbor models exploit pairs with a high lift.",
        co_occurrence,
    ),
    "emptiness": Question(
        "How sparse is the matrix?",
        "A sample of the user-item matrix: random users, and evenly spaced items from the most popular (left) to the "
        "least.",
        emptiness,
    ),
    "unlike": Question(
        "Which users are outliers?",
        "Outliers deviate by more than 3.5 robust standard deviations in activity or in value. They may be bots, test "
        "accounts or very active users; check them before relying on a mean.",
        unlike,
    ),
}
"""All questions, in the order of the page."""


def _day(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / MILLISECONDS, UTC):%d %B %Y}"
