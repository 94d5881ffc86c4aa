"""Quality checks of accepted data: each warning states the finding, its count, why it matters and what to do."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from recsys_core.columns import ITEM, RATING, SOURCE, TARGET, TIMESTAMP, USER
from recsys_core.contracts import IntArray
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.data.report import DataWarning
from recsys_core.data.sql import connect, file_literal
from recsys_core.data.tables import FINER, ROWS_AT_ONCE, PairCache, parts_by_row, repeated
from recsys_core.text import Template, percent, series, whole

_SPACES = re.compile(r"\s+")
_BUSY = 500
"""Minimum number of interactions for a user to be flagged as a robot by volume."""
_PIECES = 32
"""Number of user ranges in which ties are counted in parallel."""
_SAME_RATINGS = 50
"""Minimum number of identical ratings for a user to be flagged as a robot."""
_ALIKE = {
    "users": Template(
        "{count} users have near-identical identifiers that differ only in case, spaces, invisible characters, accent "
        "encoding or letter width, such as {first} and {other}."
    ),
    "items": Template(
        "{count} items have near-identical identifiers that differ only in case, spaces, invisible characters, accent "
        "encoding or letter width, such as {first} and {other}."
    ),
}

# fmt: off
_PLACEHOLDERS = frozenset([
    "guest", "gast", "anonymous", "anonym", "anon", "unknown", "unbekannt", "inconnu", "desconocido", "匿名",
    "undefined", "null", "none", "(none)", "n/a", "na", "-", "--", "?", "notset", "(notset)",
    "00000000-0000-0000-0000-000000000000",
])
# fmt: on
"""Identifiers, in lower case without spaces, that stand for unknown users or items."""
_NUMBERS = ("0", "-1")
"""The same for users, if they have more than twice as many interactions as any other."""
_UNKNOWN = {
    USER: Template(
        "{count} interaction belongs to {names}, which looks like a placeholder for unknown users.",
        "{count} interactions belong to {names}, which looks like a placeholder for unknown users.",
    ),
    ITEM: Template(
        "{count} interaction belongs to {names}, which looks like a placeholder for unknown items.",
        "{count} interactions belong to {names}, which looks like a placeholder for unknown items.",
    ),
}
_AS_ONE = {
    USER: Template("A placeholder counts as a single user. Remove these rows if their users are unknown."),
    ITEM: Template("A placeholder counts as a single item. Remove these rows if their items are unknown."),
}


def dataset_warnings(
    connection: duckdb.DuckDBPyConnection,
    interactions: Path,
    *,
    user_ids: list[str],
    item_ids: list[str],
    social: pd.DataFrame | None,
    ties: "Future[int] | None",
) -> list[DataWarning]:
    """Return the warnings that apply to a data set.

    Args:
        connection: DuckDB connection that reads the Parquet file.
        interactions: The Parquet file of positions.
        user_ids: User identifiers, by position.
        item_ids: Item identifiers, by position.
        social: Links between users, or None.
        ties: Pending result of `tied_interactions`, None without timestamps.
    """
    columns = pq.read_schema(interactions).names
    activity = _activity(connection, interactions, rated=RATING in columns)
    found = [
        _one_user(user_ids),
        _tied(ties.result() if ties is not None else 0, max(1, pq.read_metadata(interactions).num_rows)),
        _single(activity),
        _robots(activity),
        _alike("users", user_ids),
        _alike("items", item_ids),
        _placeholders(connection, interactions, USER, user_ids),
        _placeholders(connection, interactions, ITEM, item_ids),
        _links_without_interactions(social, activity) if social is not None else None,
    ]
    return [doubt for doubt in found if doubt is not None and doubt.count]


def _one_user(user_ids: list[str]) -> DataWarning | None:
    """Warn about data of a single user, such as an export of one's own history."""
    if len(user_ids) != 1:
        return None
    return DataWarning(
        "one_user",
        1,
        Template("All interactions belong to a single user: '{user}'.").fill(user=user_ids[0][:40]),
        Template(
            "Recommenders compare users, so nothing can be learned or compared. Check the user column, or add the "
            "histories of other users."
        ).fill(),
    )


def kept_row_warnings(*, repeated: int, unreadable: int, clipped: int) -> list[DataWarning]:
    """Return warnings about questionable rows that the rules kept."""
    found = [
        DataWarning(
            "repeated_pairs",
            repeated,
            Template(
                "{count} row repeats the user-item pair of an earlier row.",
                "{count} rows repeat the user-item pair of an earlier row.",
            ).fill(repeated),
            Template(
                "It is kept as a separate interaction. If it corrects a rating, keep only the last row per pair.",
                "They are kept as separate interactions. If they correct a rating, keep only the last row per pair.",
            ).fill(repeated),
        ),
        DataWarning(
            "unknown_times",
            unreadable,
            Template(
                "{count} interaction has a missing or unreadable timestamp.",
                "{count} interactions have a missing or unreadable timestamp.",
            ).fill(unreadable),
            Template(
                "It is kept and sorted before all others. Splits by time put it into the training data.",
                "They are kept and sorted before all others. Splits by time put them into the training data.",
            ).fill(unreadable),
        ),
        DataWarning(
            "clipped_ratings",
            clipped,
            Template(
                "{count} rating was outside the scale and has been clipped to it.",
                "{count} ratings were outside the scale and have been clipped to it.",
            ).fill(clipped),
            Template("Check the scale: many clipped ratings suggest a different one.").fill(),
        ),
    ]
    return [doubt for doubt in found if doubt.count]


def _activity(connection: duckdb.DuckDBPyConnection, path: Path, *, rated: bool) -> pd.DataFrame:
    """Return number of interactions, smallest and largest rating of each user with interactions."""
    extremes = f"min({RATING}) AS low, max({RATING}) AS high" if rated else "0 AS low, 1 AS high"
    return connection.execute(
        f"SELECT {USER}, count(*) AS n, {extremes} FROM read_parquet({file_literal(path)}) GROUP BY {USER}"
    ).df()


def _single(activity: pd.DataFrame) -> DataWarning:
    count = int((activity["n"] == 1).sum())
    share = count / max(1, len(activity))
    return DataWarning(
        "single_interaction_users",
        count,
        Template(
            "{count} user ({share}) has a single interaction.", "{count} users ({share}) have a single interaction."
        ).fill(count, share=percent(share)),
        Template(
            "This user cannot be used for both training and testing. A minimum of 5 interactions per user removes "
            "such users.",
            "They cannot be used for both training and testing. A minimum of 5 interactions per user removes them.",
        ).fill(count),
    )


def _robots(activity: pd.DataFrame) -> DataWarning:
    """Warn about users with over ten times the 95th percentile of interactions, or with many identical ratings."""
    usual = float(activity["n"].quantile(0.95)) if len(activity) else 0.0
    bound = max(_BUSY, 10 * usual)
    busy = activity["n"] > bound
    monotone = (activity["n"] >= _SAME_RATINGS) & (activity["low"] == activity["high"])
    count = int((busy | monotone).sum())
    by_volume = Template("{count} has over {bound} interactions", "{count} have over {bound} interactions")
    by_ratings = Template("{count} gave at least {same} ratings, all identical")
    signs = [by_volume.fill(int(busy.sum()), bound=whole(bound))] if busy.any() else []
    signs += [by_ratings.fill(int(monotone.sum()), same=str(_SAME_RATINGS))] if monotone.any() else []
    return DataWarning(
        "robot_like_users",
        count,
        Template("{count} user behaves like a robot: {signs}.", "{count} users behave like robots: {signs}.").fill(
            count, signs=series(signs) if signs else ""
        ),
        Template(
            "Such a user can dominate similarities and popularity. Inspect it on Explore and remove it if it is not a "
            "real user.",
            "Such users can dominate similarities and popularity. Inspect them on Explore and remove those that are "
            "not real users.",
        ).fill(count),
    )


def _alike(what: str, ids: list[str]) -> DataWarning | None:
    if all(name.isascii() and name.isdigit() for name in ids):
        return None
    groups = Counter(map(_visual_form, ids))
    count = sum(size for size in groups.values() if size > 1)
    if not count:
        return None
    first = next(name for name in ids if groups[_visual_form(name)] > 1)
    other = next(name for name in ids if name != first and _visual_form(name) == _visual_form(first))
    return DataWarning(
        f"similar_{what}",
        count,
        _ALIKE[what].fill(count, first=_shown(first), other=_shown(other)),
        Template(
            "They are treated as different. If they are the same, unify them in the file and upload it again."
        ).fill(),
    )


def _visual_form(name: str) -> str:
    """Return an identifier in visual normal form: NFKC, case-folded, without spaces and invisible characters."""
    if name.isascii():
        return _SPACES.sub("", name).casefold()
    visible = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    return _SPACES.sub("", visible).casefold()


def _shown(name: str) -> str:
    """Return an identifier in quotes, with invisible and combining characters escaped."""
    hidden = {"Cf", "Mn", "Zs", "Cc"}
    return (
        "'" + "".join(f"\\u{ord(c):04x}" if c != " " and unicodedata.category(c) in hidden else c for c in name) + "'"
    )


def _placeholders(connection: duckdb.DuckDBPyConnection, path: Path, column: str, ids: list[str]) -> DataWarning | None:
    """Warn about identifiers such as 'guest' or 'null', which stand for many unknown users or items."""
    named = {
        place
        for place, name in enumerate(ids)
        if not name.isdigit() and _SPACES.sub("", name).casefold() in _PLACEHOLDERS
    }
    numbers = {place for place, name in enumerate(ids) if column == USER and name in _NUMBERS}
    if not named | numbers:
        return None
    query = f"SELECT {column}, count(*) FROM read_parquet({file_literal(path)}) GROUP BY 1"
    found = dict(connection.execute(query).fetchall())
    usual = max((count for place, count in found.items() if place not in numbers), default=0)
    counts = {
        ids[place]: count
        for place, count in found.items()
        if (place in named and count > 1) or (place in numbers and count > 2 * usual)
    }
    if not counts:
        return None
    names = ", ".join(map(_shown, sorted(counts)[:5]))
    return DataWarning(
        "placeholder_users" if column == USER else "placeholder_items",
        sum(counts.values()),
        _UNKNOWN[column].fill(sum(counts.values()), names=names),
        _AS_ONE[column].fill(),
    )


def _links_without_interactions(social: pd.DataFrame, activity: pd.DataFrame) -> DataWarning:
    linked = pd.unique(social[[SOURCE, TARGET]].to_numpy().ravel())
    count = int((~np.isin(linked, activity[USER].to_numpy())).sum())
    return DataWarning(
        "social_without_interactions",
        count,
        Template(
            "{count} user has social links but no interactions.", "{count} users have social links but no interactions."
        ).fill(count),
        Template(
            "This user is kept: social models can recommend to this user, other models cannot.",
            "They are kept: social models can recommend to them, other models cannot.",
        ).fill(count),
    )


def tied_interactions(path: Path, kept: PairCache) -> int:
    """Return the number of interactions that share user and timestamp with another; missing timestamps do not count.

    Args:
        path: The Parquet file of interactions.
        kept: Cache of the interactions still in memory.
    """
    rows, finer = pq.read_metadata(path).num_rows, FINER in pq.read_schema(path).names
    if finer or rows > ROWS_AT_ONCE:
        return _tied_by_sql(path, exact=f", {FINER}" if finer else "")
    first, whole = _span(kept.blocks(path, TIMESTAMP))
    users, times = np.empty(rows, np.int32), np.empty(rows, np.int32 if whole else np.int64)
    filled = 0
    for user, time in kept.blocks(path, USER, TIMESTAMP):
        known = time != NO_TIMESTAMP
        chosen = slice(None) if known.all() else known
        end = filled + len(user[chosen])
        users[filled:end] = user[chosen]
        times[filled:end] = (time[chosen] - first) // (1000 if whole else 1)
        filled = end
    pieces = parts_by_row(users[:filled], _PIECES)
    with ThreadPoolExecutor() as pool:
        return sum(pool.map(lambda piece: _ties_within(users[piece], times[piece]), pieces))


def _ties_within(users: IntArray, times: IntArray) -> int:
    return int(repeated(users - users.min(), times)[2].sum()) if len(users) else 0


def _span(blocks: Iterable[tuple[IntArray, ...]]) -> tuple[int, bool]:
    """Return the first known time, and whether all others are a whole number of seconds, below 2**31, after it."""
    firsts, lasts, rests = [], [], set()
    for (time,) in blocks:
        known = time[time != NO_TIMESTAMP]
        if len(known):
            firsts.append(int(known.min()))
            lasts.append(int(known.max()))
            seconds = known // 1000
            seconds *= 1000
            rests |= {0} if np.array_equal(seconds, known) else {0, 1}
    if not firsts:
        return 0, True
    first = min(firsts)
    return first, rests == {0} and (max(lasts) - first) // 1000 < 2**31


def _tied_by_sql(path: Path, exact: str) -> int:
    with connect(path.parent) as connection:
        query = (
            f"SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n FROM read_parquet({file_literal(path)}) "
            f"WHERE {TIMESTAMP} <> {NO_TIMESTAMP} GROUP BY {USER}, {TIMESTAMP}{exact} HAVING n > 1)"
        )
        return int(connection.execute(query).fetchall()[0][0])


def _tied(count: int, rows: int) -> DataWarning:
    share = percent(count / rows)
    return DataWarning(
        "tied_timestamps",
        count,
        Template("{count} interactions ({share}) have duplicate timestamps: same user and time as another one.").fill(
            count, share=share
        ),
        Template(
            "Their order within a timestamp is unknown, so results for the next item are unreliable where they occur."
        ).fill(),
    )
