"""Summaries of a data set for the pages, computed by SQL over its Parquet files without loading all interactions."""

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from recsys_core.columns import (
    EVENT,
    INTERACTIONS,
    ITEM,
    ITEM_ID,
    ITEMS,
    RATING,
    SOCIAL,
    SOURCE,
    TARGET,
    TIMESTAMP,
    TITLE,
    USER,
    USER_ID,
    USERS,
    WEIGHT,
)
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.data.queries import Stored, tables_of

HEAD_HOLDS = 0.8
"""The head is the smallest set of most popular items that accounts for this share of all interactions."""
READABLE, TYPICAL, CANDIDATES = (8, 20), 12, 200
"""Interactions of a readable user: range, preferred number, and number of users whose titles are looked at."""
_UNITS = (
    ("day", 86_400_000.0),
    ("week", 7 * 86_400_000.0),
    ("month", 30.4 * 86_400_000.0),
    ("year", 365.25 * 86_400_000.0),
)
_MOST_BARS = 120


@dataclass(frozen=True)
class DataSummary:
    """Summary statistics of a data set.

    Args:
        users: Users, with or without interactions.
        items: Items, with or without interactions.
        interactions: Interactions.
        density: Share (0..1) of user-item pairs with interactions.
        active_users: Users with at least one interaction.
        active_items: Items with at least one interaction.
        median_per_user: Median number of interactions per active user.
        most_per_user: Maximum number of interactions per user.
        single_users: Single-interaction users.
        median_per_item: Median number of interactions per active item.
        head_items: Number of items in the head.
        head_share: Share of active items in the head.
        head_holds: Share of interactions with head items.
        gini: Gini coefficient of interactions over active items: 0 if equal, towards 1 if concentrated on one.
        rating_mean: Mean rating, None without ratings.
        first: Earliest timestamp in Unix milliseconds, None without timestamps.
        last: Latest timestamp.
        tied: Interactions with duplicate timestamps: same user and time as another one.
        links: Social links.
        events: Number of interactions by event type; empty without event types.
    """

    users: int
    items: int
    interactions: int
    density: float
    active_users: int
    active_items: int
    median_per_user: float
    most_per_user: int
    single_users: int
    median_per_item: float
    head_items: int
    head_share: float
    head_holds: float
    gini: float
    rating_mean: float | None
    first: int | None
    last: int | None
    tied: int
    links: int
    events: dict[str, int]


def summary(data: Stored) -> DataSummary:
    """Return the summary statistics of a data set."""
    with tables_of(data) as (connection, dataset):
        of_users = _counts(connection, USER)["n"].to_numpy()
        of_items = np.sort(_counts(connection, ITEM)["n"].to_numpy())[::-1]
        total = int(of_users.sum())
        pairs = _one(connection, f"SELECT count(*) FROM (SELECT DISTINCT {USER}, {ITEM} FROM {INTERACTIONS})")
        first, last, tied = _times(connection) if dataset.has_timestamps else (None, None, 0)
        head = head_size(of_items)
        return DataSummary(
            users=dataset.n_users,
            items=dataset.n_items,
            interactions=total,
            density=pairs / max(1, dataset.n_users * dataset.n_items),
            active_users=len(of_users),
            active_items=len(of_items),
            median_per_user=float(np.median(of_users)) if total else 0.0,
            most_per_user=int(of_users.max()) if total else 0,
            single_users=int((of_users == 1).sum()),
            median_per_item=float(np.median(of_items)) if total else 0.0,
            head_items=head,
            head_share=head / max(1, len(of_items)),
            head_holds=float(of_items[:head].sum() / max(1, total)),
            gini=gini(of_items),
            rating_mean=_one(connection, f"SELECT avg({RATING}) FROM {INTERACTIONS} WHERE NOT isnan({RATING})")
            if dataset.has_ratings
            else None,
            first=first,
            last=last,
            tied=tied,
            links=int(_one(connection, f"SELECT count(*) FROM {SOCIAL}")) if dataset.load_social else 0,
            events=_events(connection) if dataset.has_events else {},
        )


def head_size(descending: np.ndarray) -> int:
    """Return the number of items in the head, from counts (I,) in descending order."""
    before = np.cumsum(descending) - descending
    return int((before < HEAD_HOLDS * descending.sum()).sum())


def gini(counts: np.ndarray) -> float:
    """Return the Gini coefficient of counts (N,): 0 if equal, towards 1 if concentrated on one; NaN if all are zero."""
    if not len(counts) or counts.sum() == 0:
        return float("nan")
    ordered = np.sort(counts).astype(np.float64)
    ranks = np.arange(1, len(ordered) + 1)
    return float((2 * ranks - len(ordered) - 1) @ ordered / (len(ordered) * ordered.sum()))


def popularity_curve(data: Stored, points: int = 200) -> pd.DataFrame:
    """Return the Lorenz curve: cumulative shares `items`, `interactions` from (0, 0) to (1, 1), most popular first."""
    with tables_of(data) as (connection, _):
        counts = np.sort(_counts(connection, ITEM)["n"].to_numpy())[::-1]
    if not len(counts):
        return pd.DataFrame({"items": [0.0, 1.0], "interactions": [0.0, 1.0]})
    running = np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])
    places = np.unique(np.linspace(0, len(counts), min(points, len(counts)) + 1).round().astype(int))
    return pd.DataFrame({"items": places / len(counts), "interactions": running[places]})


def activity(data: Stored) -> pd.DataFrame:
    """Return a histogram of interactions per user: `low` and `high` (inclusive, doubling) and `users`."""
    with tables_of(data) as (connection, _):
        counts = _counts(connection, USER)["n"].to_numpy()
    if not len(counts):
        return pd.DataFrame({"low": [], "high": [], "users": []})
    edges = 2 ** np.arange(int(np.log2(counts.max())) + 2)
    found, _ = np.histogram(counts, bins=edges)
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:] - 1, "users": found})


def rating_histogram(data: Stored, bars: int = 40) -> pd.DataFrame:
    """Return the rating distribution: `rating` and `interactions`, binned if there are more than `bars` values.

    `attrs["width"]` is the width of the intervals, whose centers are then the ratings; 0 without binning.
    """
    with tables_of(data) as (connection, dataset):
        frame = pd.DataFrame({"rating": [], "interactions": []})
        width = 0.0
        if dataset.has_ratings:
            given = f"FROM {INTERACTIONS} WHERE NOT isnan({RATING})"
            rating, width = rating_sql(connection, bars)
            query = f"SELECT {rating} AS rating, count(*) AS interactions {given} GROUP BY 1 ORDER BY 1"
            frame = connection.execute(query).df()
        frame.attrs["width"] = width
        return frame


def rating_sql(connection: duckdb.DuckDBPyConnection, bars: int) -> tuple[str, float]:
    """Return the SQL of a rating, and 0.

    With more than `bars` distinct ratings, return the SQL of the center of its interval, of `bars`, and their width.
    """
    low, high, values = connection.execute(
        f"SELECT min({RATING}), max({RATING}), count(DISTINCT {RATING}) FROM {INTERACTIONS} WHERE NOT isnan({RATING})"
    ).fetchall()[0]
    if values <= bars:
        return f"{RATING}::DOUBLE", 0.0
    width = (high - low) / bars
    return f"(least(floor(({RATING} - {low}) / {width}), {bars - 1}) * {width} + {low} + {width / 2})::DOUBLE", width


def over_time(data: Stored) -> pd.DataFrame:
    """Return interactions over time: `start` (UTC) and `interactions`; `attrs["unit"]` is day, week, month or year."""
    with tables_of(data) as (connection, dataset):
        if not dataset.has_timestamps:
            frame = pd.DataFrame({"start": pd.to_datetime([]), "interactions": []})
            frame.attrs["unit"] = "day"
            return frame
        known = f"FROM {INTERACTIONS} WHERE {TIMESTAMP} <> {NO_TIMESTAMP}"
        low, high = connection.execute(f"SELECT min({TIMESTAMP}), max({TIMESTAMP}) {known}").fetchall()[0]
        unit = time_unit((high or 0) - (low or 0), _MOST_BARS)
        frame = connection.execute(
            f"SELECT date_trunc('{unit}', make_timestamp({TIMESTAMP} * 1000)) AS start, count(*) AS interactions "
            f"{known} GROUP BY 1 ORDER BY 1"
        ).df()
        frame.attrs["unit"] = unit
        return frame


def time_unit(milliseconds: int, bars: int) -> str:
    """Return day, week, month or year: the finest unit with at most `bars` periods in a span of time."""
    return next((name for name, length in _UNITS if milliseconds / length <= bars), "year")


def top_items(data: Stored, n: int = 20) -> pd.DataFrame:
    """Return the most popular items: `item`, `item_id`, `title`, `interactions`."""
    with tables_of(data) as (connection, _):
        return connection.execute(f"{_ITEMS_COUNTED} ORDER BY interactions DESC, item LIMIT {int(n)}").df()


def co_occurrence(data: Stored, top: int = 20) -> pd.DataFrame:
    """Return co-occurrences of the most popular items.

    Returns:
        `first`, `second` (ranks in `top_items`, from 0), `together` (users with both) and `lift` (ratio to the count
        expected under independence, among active users); each pair in both orders, without self-pairs.
    """
    with tables_of(data) as (connection, _):
        people = max(1, int(_one(connection, f"SELECT count(DISTINCT {USER}) FROM {INTERACTIONS}")))
        return connection.execute(
            f"WITH best AS (SELECT item, row_number() OVER (ORDER BY interactions DESC, item) - 1 AS place "
            f"FROM ({_ITEMS_COUNTED}) ORDER BY place LIMIT {int(top)}), "
            f"known AS (SELECT DISTINCT {USER}, place FROM {INTERACTIONS} JOIN best USING (item)), "
            f"size AS (SELECT place, count(*) AS n FROM known GROUP BY place) "
            f"SELECT a.place AS first, b.place AS second, count(*) AS together, "
            f"count(*) * {people}.0 / (any_value(x.n) * any_value(y.n)) AS lift "
            f"FROM known a JOIN known b USING ({USER}) "
            "JOIN size x ON x.place = a.place JOIN size y ON y.place = b.place "
            f"WHERE a.place <> b.place GROUP BY 1, 2 ORDER BY 1, 2"
        ).df()


def density_sample(data: Stored, users: int = 150, items: int = 150, seed: int = 42) -> pd.DataFrame:
    """Return a sample of the interaction matrix: `row` and `column` of non-empty cells.

    Rows are active users drawn at random (by `seed`), columns items evenly spaced by popularity rank. `attrs["users"]`
    and `attrs["items"]` give their numbers.
    """
    with tables_of(data) as (connection, _):
        people = np.sort(_counts(connection, USER)[USER].to_numpy())
        ranked = _counts(connection, ITEM).sort_values(["n", ITEM], ascending=[False, True])[ITEM].to_numpy()
        drawn = np.sort(np.random.default_rng(seed).choice(people, min(users, len(people)), replace=False))
        chosen = ranked[np.unique(np.linspace(0, max(0, len(ranked) - 1), min(items, len(ranked))).round().astype(int))]
        connection.register("drawn", pd.DataFrame({USER: drawn, "row": np.arange(len(drawn))}))
        connection.register("chosen", pd.DataFrame({ITEM: chosen, "column": np.arange(len(chosen))}))
        frame = connection.execute(
            f'SELECT DISTINCT "row", "column" FROM {INTERACTIONS} '
            f"JOIN drawn USING ({USER}) JOIN chosen USING ({ITEM}) ORDER BY ALL"
        ).df()
    frame.attrs.update(users=len(drawn), items=len(chosen))
    return frame


def user_habits(data: Stored, most: int = 5000, seed: int = 42) -> pd.DataFrame:
    """Return activity and rating level of users: `user`, `user_id`, `interactions`, `value`, `value_name`, `unlike`.

    `value` is a user's mean rating or, without ratings, the mean popularity (interactions) of their items. `unlike`
    marks outliers: over 3.5 robust standard deviations (1.4826 times the median absolute deviation) from the median of
    log activity or, with at least 5 interactions, of `value`. All outliers are returned, and at most `most` others,
    drawn by `seed`.
    """
    with tables_of(data) as (connection, dataset):
        value, name, source = f"avg({RATING}) FILTER (NOT isnan({RATING}))", "Mean rating", INTERACTIONS
        if not dataset.has_ratings:
            value, name = "avg(n)", "Mean popularity of their items"
            source += f" JOIN (SELECT {ITEM}, count(*) AS n FROM {INTERACTIONS} GROUP BY {ITEM}) USING ({ITEM})"
        frame = connection.execute(
            f"SELECT {USER} AS user, any_value({USER_ID}) AS user_id, count(*) AS interactions, {value} AS value "
            f"FROM {source} JOIN {USERS} ON position = {USER} GROUP BY {USER} ORDER BY {USER}"
        ).df()
    frame["value_name"] = name
    off_value = _far_off(frame["value"]) & (frame["interactions"] >= 5)
    frame["unlike"] = _far_off(np.log(frame["interactions"])) | off_value
    rest = frame[~frame["unlike"]]
    if len(rest) > most:
        frame = pd.concat([frame[frame["unlike"]], rest.sample(most, random_state=seed)]).sort_values("user")
    return frame.reset_index(drop=True)


def item_search(data: Stored, text: str = "", limit: int = 50) -> pd.DataFrame:
    """Return items whose title or identifier contains `text` (case-insensitive), most popular first."""
    with tables_of(data) as (connection, _):
        query = (
            f"SELECT * FROM ({_ITEMS_COUNTED}) WHERE {_CONTAINS} ORDER BY interactions DESC, item LIMIT {int(limit)}"
        )
        return connection.execute(query.format(a="title", b="item_id"), {"text": text}).df()


def user_search(data: Stored, text: str = "", limit: int = 50) -> pd.DataFrame:
    """Return users whose identifier contains `text` (case-insensitive), most active first.

    Columns: `user`, `user_id`, `interactions`.
    """
    counted = (
        f"SELECT position AS user, {USER_ID} AS user_id, coalesce(n, 0) AS interactions FROM {USERS} "
        f"LEFT JOIN (SELECT {USER}, count(*) AS n FROM {INTERACTIONS} GROUP BY {USER}) counts "
        f"ON counts.{USER} = position"
    )
    with tables_of(data) as (connection, _):
        query = f"SELECT * FROM ({counted}) WHERE {_CONTAINS} ORDER BY interactions DESC, user LIMIT {int(limit)}"
        return connection.execute(query.format(a="user_id", b="user_id"), {"text": text}).df()


def readable_user(data: Stored) -> str | None:
    """Return the identifier of a user whose history is easy to read; None without interactions.

    Preferred, in this order: a number of interactions within `READABLE`, or close to it; links to other users, if the
    data have any; items with titles; a number of interactions close to `TYPICAL`; the first position. Titles are
    compared among `CANDIDATES` users.
    """
    low, high = READABLE
    outside, off = f"greatest({low} - n, n - {high}, 0)", f"abs(n - {TYPICAL})"
    with tables_of(data) as (connection, dataset):
        links = f"(SELECT {SOURCE} FROM {SOCIAL} UNION SELECT {TARGET} FROM {SOCIAL})"
        linked = f"{USER} IN {links}" if dataset.load_social else "true"
        found = connection.execute(
            f"WITH counts AS (SELECT {USER}, count(*) AS n FROM {INTERACTIONS} GROUP BY {USER}), "
            f"near AS (SELECT *, {linked} AS linked FROM counts "
            f"ORDER BY {outside}, linked DESC, {off}, {USER} LIMIT {CANDIDATES}), "
            f"titled AS (SELECT {USER}, avg(CAST({TITLE} <> {ITEM_ID} AS DOUBLE)) AS share FROM {INTERACTIONS} "
            f"SEMI JOIN near USING ({USER}) JOIN {ITEMS} ON position = {ITEM} GROUP BY {USER}) "
            f"SELECT {USER_ID} FROM near JOIN titled USING ({USER}) JOIN {USERS} ON position = {USER} "
            f"ORDER BY {outside}, linked DESC, share DESC, {off}, {USER} LIMIT 1"
        ).fetchall()
    return str(found[0][0]) if found else None


def user_history(data: Stored, user: int, limit: int = 1000) -> pd.DataFrame:
    """Return the history of a user (position), latest first.

    Columns: `item`, `item_id`, `title`, and those of `rating`, `timestamp`, `event`, `weight` that the data have.
    """
    with tables_of(data) as (connection, dataset):
        extra = [name for name in (RATING, TIMESTAMP, EVENT, WEIGHT) if name in dataset.columns]
        shown = ", ".join([f"x.{name}" for name in extra] or ["1 AS weight"])
        numbered = f"(SELECT *, row_number() OVER () AS place FROM {INTERACTIONS})"
        order = f"{TIMESTAMP} DESC, place DESC" if dataset.has_timestamps else "place DESC"
        return connection.execute(
            f"SELECT i.position AS item, i.{ITEM_ID}, i.{TITLE}, {shown} "
            f"FROM {numbered} x JOIN {ITEMS} i ON i.position = x.{ITEM} "
            f"WHERE x.{USER} = $user ORDER BY {order} LIMIT {int(limit)}",
            {"user": int(user)},
        ).df()


_CONTAINS = "($text = '' OR contains(lower({a}), lower($text)) OR contains(lower({b}), lower($text)))"
_ITEMS_COUNTED = (
    f"SELECT position AS item, {ITEM_ID}, {TITLE}, coalesce(n, 0) AS interactions FROM {ITEMS} "
    f"LEFT JOIN (SELECT {ITEM}, count(*) AS n FROM {INTERACTIONS} GROUP BY {ITEM}) counts ON counts.{ITEM} = position"
)


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    return connection.execute(query).fetchall()[0][0]


def _counts(connection: duckdb.DuckDBPyConnection, column: str) -> pd.DataFrame:
    return connection.execute(f"SELECT {column}, count(*) AS n FROM {INTERACTIONS} GROUP BY {column}").df()


def _times(connection: duckdb.DuckDBPyConnection) -> tuple[int | None, int | None, int]:
    known = f"FROM {INTERACTIONS} WHERE {TIMESTAMP} <> {NO_TIMESTAMP}"
    first, last = connection.execute(f"SELECT min({TIMESTAMP}), max({TIMESTAMP}) {known}").fetchall()[0]
    tied = _one(
        connection,
        f"SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n {known} GROUP BY {USER}, {TIMESTAMP} HAVING n > 1)",
    )
    return first, last, int(tied)


def _events(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    query = f"SELECT {EVENT}::VARCHAR, count(*) FROM {INTERACTIONS} GROUP BY 1 ORDER BY 2 DESC, 1"
    return dict(connection.execute(query).fetchall())


def _far_off(values: pd.Series) -> pd.Series:
    middle = values.median()
    spread = 1.4826 * (values - middle).abs().median()
    return (values - middle).abs() > 3.5 * spread if spread > 0 else pd.Series(False, index=values.index)
