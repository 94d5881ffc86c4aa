"""Warnings about ambiguous timestamp and number formats before a file is read."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from recsys_core.columns import INTERACTIONS, ITEM_ID, RATING, TIMESTAMP
from recsys_core.data.ingest.column_cells import ColumnFacts
from recsys_core.data.ingest.column_names import evidence_of_name
from recsys_core.data.ingest.column_roles import agreement
from recsys_core.data.ingest.number_formats import NumberFormat
from recsys_core.data.ingest.unread_columns import date_parts, unread_warnings
from recsys_core.data.report import DataWarning
from recsys_core.text import Template, whole

if TYPE_CHECKING:
    from recsys_core.data.ingest.table_schema import TableGuess

_SCIENTIFIC = re.compile(r"\d(?:\.(\d*))?[eE]\+?(\d+)")
_ORDERS = {
    "day-month-year": Template(
        "'{file}': dates in column '{column}', such as {examples}, are read day first; they are also valid with the "
        "month first."
    ),
    "month-day-year": Template(
        "'{file}': dates in column '{column}', such as {examples}, are read month first; they are also valid with the "
        "day first."
    ),
    "year-month-day": Template(
        "'{file}': dates in column '{column}', such as {examples}, are read year first; they are also valid with the "
        "day first."
    ),
}


def examples_of(values: Sequence[str], most: int = 3) -> str:
    """Return a few distinct values as a quoted list, each cut to 40 characters."""
    found = list(dict.fromkeys(value.strip()[:40] for value in values if value.strip()))[:most]
    return ", ".join(f"'{value}'" for value in found)


def format_warnings(
    guess: "TableGuess", values: Mapping[str, Sequence[str]], formats: Mapping[str, NumberFormat]
) -> Iterator[DataWarning]:
    """Yield the format warnings of one file.

    Args:
        guess: How the file is read, with its timestamp format.
        values: Sample values of the column of each role.
        formats: Number format of each numeric role.
    """
    yield from _unread_times(guess)
    yield from _rounded_times(guess, values.get(TIMESTAMP, ()))
    yield from _ratings_of_items(guess, values)
    yield from unread_warnings(guess)
    if guess.time_format is not None and guess.time_format.undecided and "timestamp_unit" not in guess.chosen:
        examples = examples_of(values[TIMESTAMP], 2)
        yield DataWarning(
            "undecided_date_order",
            len(values[TIMESTAMP]),
            _ORDERS[str(guess.timestamp_unit)].fill(
                file=guess.name, column=guess.column_of(TIMESTAMP), examples=examples
            ),
            Template("Choose the timestamp format if this is wrong.").fill(),
        )
    for role, form in formats.items():
        if form.undecided and "number_formats" not in guess.chosen:
            yield _undecided_number(guess, role, form, values[role])


def _ratings_of_items(guess: "TableGuess", values: Mapping[str, Sequence[str]]) -> Iterator[DataWarning]:
    """Warn about ratings that are the same in all rows of an item, such as its average rating."""
    if guess.table != INTERACTIONS or not {RATING, ITEM_ID} <= values.keys():
        return
    items, ratings = ColumnFacts.of(values[ITEM_ID]), ColumnFacts.of(values[RATING])
    if agreement(items, ratings) == 1.0:
        yield DataWarning(
            "ratings_of_items",
            len(ratings.given),
            Template(
                "'{file}': all rows of an item have the same value in the rating column '{column}', as an average "
                "rating does."
            ).fill(file=guess.name, column=guess.column_of(RATING)),
            Template(
                "Such values say nothing about single users: choose the column of each user's own rating, or remove "
                "the rating role."
            ).fill(),
        )


def _unread_times(guess: "TableGuess") -> Iterator[DataWarning]:
    """Warn about a column named like a timestamp that is not read as one, in interactions without timestamps."""
    if guess.table != INTERACTIONS or TIMESTAMP in guess.roles:
        return
    parts = date_parts(guess)
    for column, name in enumerate(guess.column_names):
        if column in guess.roles.values() or column >= len(guess.sample) or not _is_time_name(name) or column in parts:
            continue
        if shown := examples_of(guess.sample[column]):
            yield DataWarning(
                "unread_times",
                sum(bool(value.strip()) for value in guess.sample[column]),
                Template(
                    "'{file}': column '{column}' is named like a timestamp, but no timestamp format matches half "
                    "of its cells, for example {examples}."
                ).fill(file=guess.name, column=name, examples=shown),
                Template(
                    "The data are read without timestamps. Give the column the timestamp role and choose its format."
                ).fill(),
            )


def _rounded_times(guess: "TableGuess", values: Sequence[str]) -> Iterator[DataWarning]:
    """Warn about times in scientific notation that say no exact second, as in sheets saved as CSV."""
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}.get(str(guess.timestamp_unit))
    found = [match for value in values if (match := _SCIENTIFIC.fullmatch(value.strip()))]
    if guess.table != INTERACTIONS or not per_second or len(found) < 0.5 * len(values):
        return
    steps = max(10.0 ** (int(match[2]) - len(match[1] or "")) for match in found) / per_second
    if steps > 1:
        yield DataWarning(
            "rounded_times",
            len(found),
            Template(
                "'{file}': timestamps in column '{column}', such as {examples}, are in scientific notation and rounded "
                "to {seconds} seconds."
            ).fill(
                file=guess.name,
                column=guess.column_of(TIMESTAMP),
                examples=examples_of(values, 2),
                seconds=whole(round(steps)),
            ),
            Template(
                "The order within this span is lost: export the file again with timestamps written in full."
            ).fill(),
        )


def _is_time_name(name: str) -> bool:
    evidence = evidence_of_name(name)
    return evidence.get(TIMESTAMP, 0) > 0 and evidence[TIMESTAMP] == max(evidence.values())


def _undecided_number(guess: "TableGuess", role: str, form: NumberFormat, values: Sequence[str]) -> DataWarning:
    sign = form.thousands or form.decimal
    cells = [value.strip() for value in values if sign in value]
    first = next(iter(cells), "")
    large, small = first.replace(sign, ""), first.replace(sign, ".")
    now, other = (large, small) if form.thousands else (small, large)
    return DataWarning(
        "undecided_numbers",
        len(cells),
        Template(
            "'{file}': numbers in column '{column}', such as {examples}, are read as {now}; they could also mean "
            "{other}, since exactly three digits follow each separator."
        ).fill(file=guess.name, column=guess.column_of(role), examples=examples_of(cells, 2), now=now, other=other),
        Template("Choose the number format of this column if this is wrong.").fill(),
    )
