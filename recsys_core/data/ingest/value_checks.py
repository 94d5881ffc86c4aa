"""Checks of accepted values: implausible years, ratings that may mean 'not rated', missing values."""

import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from recsys_core.columns import RATING, TIMESTAMP, WEIGHT
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.data.ingest.cleaning_rules import IngestRules
from recsys_core.data.ingest.interactions import Streamed
from recsys_core.data.ingest.timestamps import FIRST_LIKELY, YEAR, as_date
from recsys_core.data.report import DataWarning
from recsys_core.data.sql import file_literal
from recsys_core.text import Template, percent, series, whole

_SENTINELS = frozenset([-1.0, 0.0, 99.0, 255.0, 999.0, 9999.0, -99.0, -999.0, -9999.0, 65535.0, 1000.0, 100.0])
"""Values commonly used for 'not rated'."""
_MANY = 0.3
"""Share of zeros above which a 0 next to the scale is suspicious."""
_MOST_VALUES = 1000
_EARLY = Template(
    "Of {count} timestamp, {early} before 1980: the first is {first}, the last {last}.",
    "Of {count} timestamps, {early} before 1980: the first is {first}, the last {last}.",
)
_LATE = Template(
    "Of {count} timestamp, {late} in the future: the first is {first}, the last {last}.",
    "Of {count} timestamps, {late} in the future: the first is {first}, the last {last}.",
)
_EARLY_AND_LATE = Template(
    "Of {count} timestamps, {early} before 1980 and {late} in the future: the first is {first}, the last {last}."
)


def value_warnings(
    connection: duckdb.DuckDBPyConnection, path: Path, rules: IngestRules, streamed: Sequence[Streamed]
) -> list[DataWarning]:
    """Return the warnings about the values of a Parquet file of interactions.

    Args:
        connection: DuckDB connection that reads the Parquet file.
        path: The Parquet file of positions.
        rules: The user's rules.
        streamed: Counts collected while the files were read.
    """
    names = pq.read_schema(path).names
    found = [_unknown(streamed), _unrated_files(streamed), _not_rated(streamed, rules)]
    found += [_several_forms(part) for part in streamed]
    if TIMESTAMP in names:
        found.append(_unlikely_times(connection, path))
    if RATING in names:
        found.append(_sentinels(connection, path))
    if any(WEIGHT in part.source.guess.roles for part in streamed):
        found += [_negative_weights(connection, path), _zero_weights(connection, path)]
    return [doubt for doubt in found if doubt is not None and doubt.count]


def _negative_weights(connection: duckdb.DuckDBPyConnection, path: Path) -> DataWarning | None:
    """Warn about weights below 0: usually returned or refunded quantities."""
    ends = _ends(path, WEIGHT)
    if ends is not None and ends[0] >= 0:
        return None
    count, low = connection.execute(
        f"SELECT count(*), min({WEIGHT}) FROM read_parquet({file_literal(path)}) WHERE {WEIGHT} < 0"
    ).fetchall()[0]
    return DataWarning(
        "negative_weights",
        count,
        Template(
            "{count} interaction has a negative weight: {low}.",
            "{count} interactions have negative weights; the lowest is {low}.",
        ).fill(count, low=f"{low or 0:g}"),
        Template(
            "Negative quantities are usually returns: remove these rows and the purchases that they undo, or remove "
            "the weight role."
        ).fill(),
    )


def _zero_weights(connection: duckdb.DuckDBPyConnection, path: Path) -> DataWarning | None:
    """Warn about weights of 0, such as those of a column that tells whether an item was clicked."""
    ends = _ends(path, WEIGHT)
    if ends is not None and (ends[0] > 0 or ends[1] < 0):
        return None
    count, rows = connection.execute(
        f"SELECT count(*) FILTER ({WEIGHT} = 0), count(*) FROM read_parquet({file_literal(path)})"
    ).fetchall()[0]
    return DataWarning(
        "zero_weights",
        count,
        Template(
            "{count} interaction ({share}) has the weight 0.", "{count} interactions ({share}) have the weight 0."
        ).fill(count, share=percent(count / max(1, rows))),
        Template(
            "The evaluation and models that do not use weights count them like all others. If 0 means that nothing "
            "happened, such as no click, remove these rows from the file."
        ).fill(),
    )


def _unknown(streamed: Sequence[Streamed]) -> DataWarning | None:
    """Warn about empty cells in rating, weight and event columns."""
    counts: Counter[str] = Counter()
    for part in streamed:
        counts += part.unknown
    if not counts:
        return None
    each = Template("'{column}' in {count} row", "'{column}' in {count} rows")
    columns = series([each.fill(count, column=column) for column, count in counts.most_common()])
    return DataWarning(
        "unknown_values",
        counts.total(),
        Template("One value is empty: {columns}.", "Some values are empty: {columns}.").fill(
            counts.total(), columns=columns
        ),
        Template(
            "The row is kept with a missing value; an empty weight counts as 1.",
            "The rows are kept with missing values; an empty weight counts as 1.",
        ).fill(counts.total()),
    )


def _unrated_files(streamed: Sequence[Streamed]) -> DataWarning | None:
    """Warn about files without ratings beside files with ratings, such as the test set of a competition."""
    bare = [part for part in streamed if RATING not in part.source.guess.roles]
    if not bare or len(bare) == len(streamed):
        return None
    return DataWarning(
        "unrated_files",
        sum(part.accepted for part in bare),
        Template(
            "{count} file has no ratings, unlike the others: {files}. Its rows are interactions without a rating.",
            "{count} files have no ratings, unlike the others: {files}. Their rows are interactions without a rating.",
        ).fill(len(bare), files=", ".join(f"'{part.source.guess.name}'" for part in bare)),
        Template("If a file holds test pairs or a sample submission, ignore it.").fill(),
    )


def _not_rated(streamed: Sequence[Streamed], rules: IngestRules) -> DataWarning:
    count = sum(part.not_rated for part in streamed)
    values = ", ".join(f"{value:g}" for value in rules.missing_ratings)
    return DataWarning(
        "missing_ratings",
        count,
        Template(
            "{count} rating equal to {values} is treated as missing.",
            "{count} ratings equal to {values} are treated as missing.",
        ).fill(count, values=values),
        Template("The interaction is kept without a rating.", "The interactions are kept without a rating.").fill(
            count
        ),
    )


def _several_forms(part: Streamed) -> DataWarning | None:
    """Warn about a timestamp column with several formats, with row counts."""
    counts = Counter({form: count for form, count in part.time_forms.items() if count and form != "other"})
    if len(counts) < 2:
        return None
    guess = part.source.guess
    each = Template("{form} in {count} row", "{form} in {count} rows")
    return DataWarning(
        "several_time_forms",
        counts.total(),
        Template("'{file}': timestamps in column '{column}' have {count} formats: {formats}.").fill(
            len(counts),
            file=guess.name,
            column=guess.column_of(TIMESTAMP),
            formats=series([each.fill(count, form=form) for form, count in counts.most_common()]),
        ),
        Template("All of them are read. Check the first and last timestamps: mixed formats can hide errors.").fill(),
    )


def _unlikely_times(connection: duckdb.DuckDBPyConnection, path: Path) -> DataWarning | None:
    """Warn about times before 1980 or over a year ahead: usually a wrong unit, or an origin other than 1970."""
    latest = int(time.time() * 1000) + YEAR
    ends = _ends(path, TIMESTAMP)
    if ends is not None and ends[0] >= FIRST_LIKELY and ends[1] <= latest:
        return None
    early, late = f"{TIMESTAMP} < {FIRST_LIKELY}", f"{TIMESTAMP} > {latest}"
    n_early, n_late, first, last, rows = connection.execute(
        f"SELECT count(*) FILTER ({early}), count(*) FILTER ({late}), min({TIMESTAMP}), max({TIMESTAMP}), count(*) "
        f"FROM read_parquet({file_literal(path)}) WHERE {TIMESTAMP} <> '{NO_TIMESTAMP}'::BIGINT"
    ).fetchall()[0]
    if not n_early + n_late:
        return None
    finding = _EARLY_AND_LATE if n_early and n_late else _EARLY if n_early else _LATE
    return DataWarning(
        "unlikely_times",
        n_early + n_late,
        finding.fill(rows, early=whole(n_early), late=whole(n_late), first=as_date(first), last=as_date(last)),
        Template(
            "Check the timestamp format: a wrong unit gives such years. The order is used, but the dates are "
            "unreliable."
        ).fill(),
    )


def _sentinels(connection: duckdb.DuckDBPyConnection, path: Path) -> DataWarning | None:
    """Warn about an isolated rating value that commonly means 'not rated'."""
    ends = _ends(path, RATING)
    if ends is not None and not _SENTINELS & set(ends):
        return None
    found = connection.execute(
        f"SELECT {RATING}::DOUBLE, count(*) FROM read_parquet({file_literal(path)}) WHERE NOT isnan({RATING}) "
        f"GROUP BY 1 ORDER BY 1 LIMIT {_MOST_VALUES}"
    ).fetchall()
    value = sentinel_among(dict(found))
    if value is None:
        return None
    count, rest = dict(found)[value], [rating for rating, _ in found if rating != value]
    return DataWarning(
        "sentinel_ratings",
        count,
        Template(
            "{count} rating is {value}, while all others are between {low} and {high}.",
            "{count} ratings are {value}, while all others are between {low} and {high}.",
        ).fill(count, value=f"{value:g}", low=f"{min(rest):g}", high=f"{max(rest):g}"),
        Template(
            "If {value} means 'not rated', treat it as missing: the interaction is kept without a rating.",
            "If {value} means 'not rated', treat it as missing: the interactions are kept without a rating.",
        ).fill(count, value=f"{value:g}"),
    )


def _ends(path: Path, name: str) -> tuple[float, float] | None:
    """Return minimum and maximum of a column from the Parquet statistics; None without statistics."""
    metadata = pq.read_metadata(path)
    place = pq.read_schema(path).names.index(name)
    columns = (metadata.row_group(group).column(place).statistics for group in range(metadata.num_row_groups))
    known = [part for part in columns if part is not None and part.has_min_max]
    if not known or len(known) < metadata.num_row_groups:
        return None
    return min(part.min for part in known), max(part.max for part in known)


def sentinel_among(counts: dict[float, int]) -> float | None:
    """Return the smallest or largest rating if it may mean 'not rated', else None.

    It must be a common placeholder at least two steps (ten for 100 and 1000) away from the rest of the scale; or it is
    0, below a positive scale, the most frequent value, and at least 30 % of all ratings.

    Args:
        counts: Count of each rating.
    """
    values = sorted(counts)
    if not 4 <= len(values) < _MOST_VALUES:
        return None
    total = sum(counts.values())
    for value, rest in ((values[0], values[1:]), (values[-1], values[:-1])):
        step = max(after - before for before, after in pairwise(rest))
        gap = min(abs(value - rating) for rating in rest)
        wide = 10 if value in {100.0, 1000.0} else 2
        if value in _SENTINELS and gap >= wide * step:
            return value
        if value == 0 and rest[0] > 0 and counts[value] >= _MANY * total and counts[value] == max(counts.values()):
            return value
    return None
