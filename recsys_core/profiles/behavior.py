"""Behavior features of users: activity, timing, ratings, popularity and novelty of their items."""

from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from recsys_core.columns import INTERACTIONS, ITEM, RATING, TIMESTAMP, USER
from recsys_core.contracts import FloatArray, IntArray, RunContext
from recsys_core.data.dataset import NO_TIMESTAMP, Dataset
from recsys_core.data.summaries import head_size
from recsys_core.profiles.streams import connected, counted, ranges

SESSION_GAP_MINUTES = 30
"""Minimum gap between two sessions."""
DAY = 86_400_000


@dataclass(frozen=True)
class Habit:
    """A behavior feature of a user.

    Args:
        key: Column in the table of features.
        label: Display name.
        unit: Unit, empty for none.
        meaning: Definition.
        more: Phrase for users with a high value.
        less: Phrase for users with a low value.
        log: Whether values are compared on a logarithmic scale, log(1 + x).
    """

    key: str
    label: str
    unit: str
    meaning: str
    more: str
    less: str
    log: bool = False


HABITS = (
    Habit("interactions", "Interactions", "", "Number of interactions.", "very active", "less active", log=True),
    Habit("span_days", "Days from first to last", "days", "Time from the first to the last interaction.",
          "long activity span", "short activity span", log=True),
    Habit("active_days", "Active days", "days", "Days (UTC) with an interaction.", "active on many days",
          "active on few days", log=True),
    Habit("sessions", "Sessions", "", "A session ends after 30 minutes without an interaction.", "many sessions",
          "few sessions", log=True),
    Habit("per_session", "Interactions per session", "", "Mean over sessions.", "long sessions",
          "short sessions", log=True),
    Habit("repeats", "Repeat rate", "", "Share of interactions with an item that is already in the history.",
          "often repeat items", "rarely repeat items"),
    Habit("mean", "Mean rating", "", "On the rating scale of the data set.", "high ratings", "low ratings"),
    Habit("deviation", "Rating standard deviation", "", "Standard deviation of the user's ratings.",
          "widely spread ratings", "narrowly spread ratings"),
    Habit("against_others", "Rating bias", "", "Mean of the user's rating minus the mean rating of the item.",
          "rate above item means", "rate below item means"),
    Habit("disagreement", "Disagreement", "",
          "Root mean square of the user's rating minus the mean rating of the item.",
          "often disagree with item means", "agree with item means"),
    Habit("popularity", "Item popularity", "",
          "Mean popularity percentile of the user's items, from 0 (least popular) to 1 (most popular).",
          "prefer popular items", "prefer rare items"),
    Habit("tail", "Share in the long tail", "",
          "Share of interactions outside the most popular items that hold 80% of all.", "many long-tail items", "few "
          "long-tail items"),
    Habit("novelty", "Novelty", "bits",
          "Mean of -log2 of the item's interactions divided by the number of users; 0 from one per user on.",
          "prefer novel items", "prefer familiar items"),
    Habit("variety", "Category diversity", "",
          "Normalized entropy of the categories of relevant items: 0 for one category, 1 for a uniform distribution.",
          "diverse categories", "few categories"),
    Habit("age_days", "Item age", "days",
          "Time since the first interaction with the item in the data set, at the interaction.",
          "late adopters", "early adopters", log=True),
)  # fmt: skip
"""All behavior features in display order; a data set has those for which it has the columns."""
HABIT = {habit.key: habit for habit in HABITS}


def habits_of_users(dataset: Dataset, ctx: RunContext) -> pd.DataFrame:
    """Return the behavior features, one row per user; without interactions, counts are 0 and other features NaN.

    Columns: `interactions`, `items`; with timestamps `first`, `last` (Unix ms), `span_days`, `active_days`, `sessions`,
    `per_session`, `age_days`; with ratings `mean`, `deviation` (sample standard deviation; NaN for one rating),
    `against_others`, `disagreement` (mean and root mean square of rating - item mean); `popularity` (mean over
    interactions of the item's popularity percentile among active items, ties share the lower one), `tail` (share
    outside the head, the smallest set of popular items with 80% of all interactions), `novelty` (mean of
    -log2(interactions of the item / users)), `repeats` (1 - items / interactions).

    Users are processed in ranges, so that memory does not grow with the data.

    Raises:
        Cancelled: The work was cancelled.
    """
    with connected(dataset) as connection:
        counts = counted(connection, USER, dataset.n_users)
        connection.register("item_facts", _item_facts(dataset, connection, int((counts > 0).sum())))
        query = _query(dataset)
        tracked = ctx.track(ranges(counts), stage="compute user behavior")
        parts = [connection.execute(query, {"first": first, "end": end}).df() for first, end in tracked]
    empty = pd.DataFrame({USER: []})
    frame = pd.concat(parts or [empty], ignore_index=True).set_index(USER).reindex(pd.RangeIndex(dataset.n_users))
    whole = [name for name in ("interactions", "items", "active_days", "sessions") if name in frame]
    return frame.astype(dict.fromkeys(frame.columns, np.float64)).fillna(dict.fromkeys(whole, 0.0))


def _item_facts(dataset: Dataset, connection: duckdb.DuckDBPyConnection, users: int) -> pd.DataFrame:
    """Return item statistics that are joined to interactions: `item`, `popular`, `in_tail`, `bits`, `usual`, `born`."""
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
    """Return (N,) percentile of each count, 0 for the smallest and 1 for the largest; ties share the lower one; 0 for a
    single count.
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
