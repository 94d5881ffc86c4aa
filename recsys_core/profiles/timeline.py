"""Interactions over time and rating distributions of one user or item, by SQL without loading the data set."""

import pandas as pd

from recsys_core.columns import INTERACTIONS, ITEM, ITEM_ID, ITEMS, RATING, TIMESTAMP, TITLE, USER
from recsys_core.data.dataset import NO_TIMESTAMP, Dataset
from recsys_core.data.summaries import rating_sql, time_unit
from recsys_core.profiles.streams import connected

_MOST_BARS = 60
_MOST_RATINGS = 20


def activity_of(dataset: Dataset, user: int) -> pd.DataFrame:
    """Return the activity of a user over time: `start` (UTC), `interactions`, and, with ratings, `mean` rating.

    `attrs["unit"]` is day, week, month or year: the finest with at most 60 periods; `attrs["first"]` and
    `attrs["last"]`
    are the times of the first and last interaction. Periods without interactions are included. Empty without
    timestamps.
    """
    return _over_time(dataset, USER, user)


def item_over_time(dataset: Dataset, item: int) -> pd.DataFrame:
    """Return the interactions with an item over time, in the format of `activity_of`."""
    return _over_time(dataset, ITEM, item)


def ratings_of(dataset: Dataset, user: int) -> pd.DataFrame:
    """Return the rating distributions of a user and of all users: `rating`, `user`, `everybody` (shares, 0..1).

    More than 20 distinct ratings are binned into 20 equal intervals, labeled by their centers; `attrs["width"]` is
    their width, 0 without binning. Empty without ratings.
    """
    return _ratings(dataset, USER, user).rename(columns={"own": "user"})


def item_ratings(dataset: Dataset, item: int) -> pd.DataFrame:
    """Return the rating distributions of an item and of all items: `rating`, `item`, `everybody`; see `ratings_of`."""
    return _ratings(dataset, ITEM, item).rename(columns={"own": "item"})


def common_items(dataset: Dataset, user: int, other: int, n: int = 10) -> pd.DataFrame:
    """Return the common items of two users, the least popular first: `item`, `item_id`, `title`, `users` (interactions
    with the item) and, with ratings, `rating_user` and `rating_other` (mean ratings).
    """
    rated = dataset.has_ratings
    mean = f", avg({RATING}) FILTER (NOT isnan({RATING})) AS r" if rated else ""
    shown = ", a.r AS rating_user, b.r AS rating_other" if rated else ""

    def known(name: str) -> str:
        return f"SELECT {ITEM}{mean} FROM {INTERACTIONS} WHERE {USER} = ${name} GROUP BY {ITEM}"

    with connected(dataset) as connection:
        return connection.execute(
            f"WITH common AS (SELECT a.{ITEM}{shown} FROM ({known('user')}) a "
            f"JOIN ({known('other')}) b USING ({ITEM})), "
            f"counts AS (SELECT {ITEM}, count(*) AS users FROM {INTERACTIONS} SEMI JOIN common USING ({ITEM}) "
            f"GROUP BY {ITEM}) "
            f"SELECT i.position AS item, i.{ITEM_ID}, i.{TITLE}, "
            f"c.* EXCLUDE ({ITEM}), users FROM common c JOIN counts USING ({ITEM}) "
            f"JOIN {ITEMS} i ON i.position = c.{ITEM} ORDER BY users, item LIMIT {int(n)}",
            {"user": int(user), "other": int(other)},
        ).df()


def _over_time(dataset: Dataset, column: str, position: int) -> pd.DataFrame:
    if not dataset.has_timestamps:
        frame = pd.DataFrame({"start": pd.to_datetime([]), "interactions": []})
        frame.attrs["unit"] = "day"
        return frame
    known = f"FROM {INTERACTIONS} WHERE {column} = $position AND {TIMESTAMP} <> {NO_TIMESTAMP}"
    mean = f", avg({RATING}) FILTER (NOT isnan({RATING})) AS mean" if dataset.has_ratings else ""
    with connected(dataset) as connection:
        place = {"position": int(position)}
        low, high = connection.execute(f"SELECT min({TIMESTAMP}), max({TIMESTAMP}) {known}", place).fetchall()[0]
        unit = time_unit((high or 0) - (low or 0), _MOST_BARS)
        start = f"date_trunc('{unit}', make_timestamp({TIMESTAMP} * 1000))"
        frame = connection.execute(
            f"WITH found AS (SELECT {start} AS start, count(*) AS interactions{mean} {known} GROUP BY 1), "
            "spans AS (SELECT unnest(generate_series(min(start)::TIMESTAMP, max(start)::TIMESTAMP, "
            f"INTERVAL 1 {unit})) AS start FROM found) "
            "SELECT spans.start, coalesce(interactions, 0) AS interactions, found.* EXCLUDE (start, interactions) "
            "FROM spans LEFT JOIN found ON spans.start = found.start ORDER BY 1",
            place,
        ).df()
    frame.attrs |= {"unit": unit, "first": pd.to_datetime(low, unit="ms"), "last": pd.to_datetime(high, unit="ms")}
    return frame


def _ratings(dataset: Dataset, column: str, position: int) -> pd.DataFrame:
    if not dataset.has_ratings:
        return pd.DataFrame({"rating": [], "own": [], "everybody": []})
    given = f"FROM {INTERACTIONS} WHERE NOT isnan({RATING})"
    with connected(dataset) as connection:
        shown, width = rating_sql(connection, _MOST_RATINGS)
        frame = connection.execute(
            f"SELECT {shown} AS rating, count(*) FILTER ({column} = $position) AS own, count(*) AS everybody "
            f"{given} GROUP BY 1 ORDER BY 1",
            {"position": int(position)},
        ).df()
    counts = frame[["own", "everybody"]]
    frame[["own", "everybody"]] = counts / counts.sum().clip(lower=1)
    frame.attrs["width"] = width
    return frame
