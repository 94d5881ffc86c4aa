"""What people do, in numbers: how much, when, how they rate, and whether they like what everybody likes."""

from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from recsys_core.columns import INTERACTIONS, ITEM, RATING, TIMESTAMP, USER
from recsys_core.contracts import FloatArray, IntArray, RunContext
from recsys_core.data.dataset import NO_TIMESTAMP, Dataset
from recsys_core.data.summaries import head_size
from recsys_core.profiles.streams import asked, counted, ranges

SESSION_GAP_MINUTES = 30
"""After so long without an interaction the next one begins another session."""
DAY = 86_400_000


@dataclass(frozen=True)
class Habit:
    """A number about a person.

    Args:
        key: Column of the table of habits.
        label: What it is called.
        unit: Of the number, empty without one.
        meaning: How it is computed.
        more: Words for people with more of it.
        less: Words for people with less of it.
        log: Whether it is compared by its logarithm, log(1 + x).
    """

    key: str
    label: str
    unit: str
    meaning: str
    more: str
    less: str
    log: bool = False


HABITS = (
    Habit("interactions", "Interactions", "", "How much they did.", "very active", "less active", log=True),
    Habit("span_days", "Days from first to last", "days", "Time from their first to their last interaction.",
          "here for long", "here briefly", log=True),
    Habit("active_days", "Active days", "days", "Days (UTC) with an interaction.", "come back on many days",
          "come on few days", log=True),
    Habit("sessions", "Sessions", "", "A session ends when nothing happens for 30 minutes.", "many sessions",
          "few sessions", log=True),
    Habit("per_session", "Interactions in a session", "", "On average.", "long sessions", "short sessions", log=True),
    Habit("repeats", "Repeats", "", "Share of interactions with an item that they had met before.",
          "return to the same items", "rarely return to an item"),
    Habit("mean", "Mean rating", "", "On the scale of the data.", "rate high", "rate low"),
    Habit("deviation", "Spread of ratings", "", "Standard deviation of their ratings.", "use the whole scale",
          "use little of the scale"),
    Habit("against_others", "Milder than others", "", "Mean of their rating minus the mean rating of the item.",
          "milder than others", "stricter than others"),
    Habit("disagreement", "Disagreement", "", "Root mean square of their rating minus the mean rating of the item.",
          "often disagree with the rest", "agree with the rest"),
    Habit("popularity", "Popularity of items", "",
          "Mean place of their items among all, from 0 for the rarest to 1 for the most popular.",
          "like what is popular", "look for what is rare"),
    Habit("tail", "Share in the long tail", "",
          "Share of interactions outside the most popular items that hold 80 % of all.", "often in the long tail",
          "seldom in the long tail"),
    Habit("novelty", "Surprise of items", "bits", "Mean of -log2 of the share of people who know the item.",
          "seek what few know", "stay with what many know"),
    Habit("variety", "Variety of categories", "",
          "Entropy of the categories of what they liked: 0 all in one, 1 all alike.",
          "like many kinds of things", "keep to a few kinds of things"),
    Habit("age_days", "Age of items", "days", "Time since the item was first seen in the data, when they took it.",
          "come late to an item", "among the first", log=True),
)  # fmt: skip
"""All habits, in the order in which they are shown; each data set gives those that it has the columns for."""
HABIT = {habit.key: habit for habit in HABITS}


def habits_of_users(dataset: Dataset, ctx: RunContext) -> pd.DataFrame:
    """Return the habits of all users, one row each: counts are 0 and other numbers NaN for users without interactions.

    Columns: `interactions`, `items`; with times `first`, `last` (Unix ms), `span_days`, `active_days`, `sessions`,
    `per_session`, `age_days`; with ratings `mean`, `deviation` (of a sample; NaN for one rating), `against_others`,
    `disagreement` (mean and root of the mean square of rating - mean of the item); `popularity` (mean over interactions
    of the item's place among active items ordered by interactions, equal ones share the lower place), `tail` (share
    outside the head, which is the smallest set of popular items that holds 80 % of all), `novelty` (mean of
    -log2(interactions of the item / users)), `repeats` (1 - items / interactions).

    Users are grouped range by range, so that memory does not grow with the data.

    Raises:
        Cancelled: The person stopped the work.
    """
    with asked(dataset) as connection:
        counts = counted(connection, USER, dataset.n_users)
        connection.register("item_facts", _item_facts(dataset, connection, int((counts > 0).sum())))
        query = _query(dataset)
        parts = []
        for first, end in ctx.track(ranges(counts), stage="look at what people do"):
            parts.append(connection.execute(query, {"first": first, "end": end}).df())
    empty = pd.DataFrame({USER: []})
    frame = pd.concat(parts or [empty], ignore_index=True).set_index(USER).reindex(pd.RangeIndex(dataset.n_users))
    whole = [name for name in ("interactions", "items", "active_days", "sessions") if name in frame]
    return frame.astype(dict.fromkeys(frame.columns, np.float64)).fillna(dict.fromkeys(whole, 0.0))


def _item_facts(dataset: Dataset, connection: duckdb.DuckDBPyConnection, users: int) -> pd.DataFrame:
    """Return what an interaction borrows from its item: `item`, `popular`, `in_tail`, `bits`, and `usual`, `born`."""
    columns = ["count(*) AS n"]
    if dataset.has_ratings:
        columns.append(f"avg({RATING}) FILTER (NOT isnan({RATING})) AS usual")
    if dataset.has_timestamps:
        columns.append(f"min({TIMESTAMP}) FILTER ({TIMESTAMP} <> {NO_TIMESTAMP}) AS born")
    facts = connection.execute(f"SELECT {ITEM}, {', '.join(columns)} FROM {INTERACTIONS} GROUP BY {ITEM}").df()
    n = facts["n"].to_numpy()
    order = np.lexsort((facts[ITEM].to_numpy(), -n))
    in_tail = np.ones(len(n))
    in_tail[order[: head_size(n[order])]] = 0
    return facts.assign(popular=popularity_places(n), in_tail=in_tail, bits=-np.log2(np.minimum(1, n / max(1, users))))


def popularity_places(counts: IntArray) -> FloatArray:
    """Return (N,) place of each count among all, 0 for the smallest and 1 for the largest; equal counts share the lower
    place; 0 if there is only one.
    """
    below = np.searchsorted(np.sort(counts), counts, side="left")
    places: FloatArray = below / max(1, len(counts) - 1)
    return places


def _query(dataset: Dataset) -> str:
    shown = [f"x.{USER}", "count(*) AS interactions", f"count(DISTINCT x.{ITEM}) AS items"]
    inner = ["x.*", "popular", "in_tail", "bits"]
    if dataset.has_timestamps:
        inner += [f"nullif({TIMESTAMP}, {NO_TIMESTAMP}) AS t", "born"]
        inner.append(f"t - lag(t) OVER (PARTITION BY {USER} ORDER BY t NULLS FIRST) AS gap")
        shown += [
            "min(t) AS first",
            "max(t) AS last",
            f"(max(t) - min(t)) / {DAY}.0 AS span_days",
            f"count(DISTINCT floor(t / {DAY}.0)) AS active_days",
            f"count(t) FILTER (gap IS NULL OR gap > {SESSION_GAP_MINUTES * 60_000}) AS sessions",
            "count(t) / nullif(sessions, 0) AS per_session",
            f"avg(t - born) / {DAY}.0 AS age_days",
        ]
    if dataset.has_ratings:
        inner += [f"CASE WHEN isnan({RATING}) THEN NULL ELSE {RATING}::DOUBLE END AS r", "usual"]
        shown += [
            "avg(r) AS mean",
            "stddev_samp(r) AS deviation",
            "avg(r - usual) AS against_others",
            "sqrt(avg((r - usual) * (r - usual))) AS disagreement",
        ]
    shown += [
        "avg(popular) AS popularity",
        "avg(in_tail) AS tail",
        "avg(bits) AS novelty",
        "1 - items / interactions AS repeats",
    ]
    part = f"SELECT * FROM {INTERACTIONS} WHERE {USER} >= $first AND {USER} < $end"
    source = f"SELECT {', '.join(inner)} FROM ({part}) x JOIN item_facts USING ({ITEM})"
    return f"SELECT {', '.join(shown)} FROM ({source}) x GROUP BY x.{USER} ORDER BY x.{USER}"
