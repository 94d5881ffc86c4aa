"""What happened with one user or one item: over time, and by rating. Asked by SQL, never loaded whole."""

import pandas as pd

from recsys_core.columns import INTERACTIONS, ITEM, ITEM_ID, ITEMS, RATING, TIMESTAMP, USER
from recsys_core.data.dataset import NO_TIMESTAMP, Dataset
from recsys_core.profiles.streams import asked

_DAY = 86_400_000.0
_UNITS = (("day", _DAY), ("week", 7 * _DAY), ("month", 30.4 * _DAY), ("year", 365.25 * _DAY))
_MOST_BARS = 60
_MOST_RATINGS = 20


def activity_of(dataset: Dataset, user: int) -> pd.DataFrame:
    """Return what a user did over time: `start` (UTC), `interactions`, and `mean` rating where there are ratings.

    `attrs["unit"]` is day, week, month or year: the finest of which there are at most 60; `attrs["first"]` and
    `attrs["last"]` are the times of the first and the last interaction. Spans without an interaction have a row too.
    Empty without times.
    """
    return _over_time(dataset, USER, user)


def item_over_time(dataset: Dataset, item: int) -> pd.DataFrame:
    """Return what happened to an item over time, as `activity_of` does for a user."""
    return _over_time(dataset, ITEM, item)


def ratings_of(dataset: Dataset, user: int) -> pd.DataFrame:
    """Return how a user rates beside everybody: `rating`, `user`, `everybody` (shares of their ratings, 0..1).

    Where there are more than 20 different ratings, in 20 equal steps, each under its middle. Empty without ratings.
    """
    return _ratings(dataset, USER, user).rename(columns={"own": "user"})


def item_ratings(dataset: Dataset, item: int) -> pd.DataFrame:
    """Return how an item is rated beside all: `rating`, `item`, `everybody`, as `ratings_of` does for a user."""
    return _ratings(dataset, ITEM, item).rename(columns={"own": "item"})


def common_items(dataset: Dataset, user: int, other: int, n: int = 10) -> pd.DataFrame:
    """Return items that two users both know, those that fewest others know first: `item`, `item_id`, `title`, `users`
    (interactions with the item) and, with ratings, `rating_user` and `rating_other` (means of their ratings).
    """
    rated = dataset.has_ratings
    mean = f", avg({RATING}) FILTER (NOT isnan({RATING})) AS r" if rated else ""
    shown = ", a.r AS rating_user, b.r AS rating_other" if rated else ""

    def known(name: str) -> str:
        return f"SELECT {ITEM}{mean} FROM {INTERACTIONS} WHERE {USER} = ${name} GROUP BY {ITEM}"

    with asked(dataset) as connection:
        return connection.execute(
            f"WITH common AS (SELECT a.{ITEM}{shown} FROM ({known('user')}) a "
            f"JOIN ({known('other')}) b USING ({ITEM})), "
            f"counts AS (SELECT {ITEM}, count(*) AS users FROM {INTERACTIONS} SEMI JOIN common USING ({ITEM}) "
            f"GROUP BY {ITEM}) "
            f"SELECT i.position AS item, i.{ITEM_ID}, coalesce(nullif(i.shown_title, ''), i.{ITEM_ID}) AS title, "
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
    with asked(dataset) as connection:
        place = {"position": int(position)}
        low, high = connection.execute(f"SELECT min({TIMESTAMP}), max({TIMESTAMP}) {known}", place).fetchall()[0]
        span = (high or 0) - (low or 0)
        unit = next((name for name, length in _UNITS if span / length <= _MOST_BARS), "year")
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
    with asked(dataset) as connection:
        low, high, values = connection.execute(
            f"SELECT min({RATING}), max({RATING}), count(DISTINCT {RATING}) {given}"
        ).fetchall()[0]
        shown = f"{RATING}::DOUBLE"
        if values > _MOST_RATINGS:
            width = (high - low) / _MOST_RATINGS
            step = f"least(floor(({RATING} - {low}) / {width}), {_MOST_RATINGS - 1})"
            shown = f"{step} * {width} + {low} + {width / 2}"
        return (
            connection.execute(
                f"SELECT {shown} AS rating, count(*) FILTER ({column} = $position) AS own, count(*) AS everybody "
                f"{given} GROUP BY 1 ORDER BY 1",
                {"position": int(position)},
            )
            .df()
            .pipe(_as_shares)
        )


def _as_shares(frame: pd.DataFrame) -> pd.DataFrame:
    for name in ("own", "everybody"):
        frame[name] = frame[name] / max(1, frame[name].sum())
    return frame
