"""Warnings about columns that have no role although they decide what a row means: nested values, undone actions."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from recsys_core.columns import INTERACTIONS, ITEM_ID, TIMESTAMP, USER_ID, WEIGHT
from recsys_core.data.ingest.column_cells import FALSE, TRUE, ColumnFacts
from recsys_core.data.ingest.column_names import event_weight, words_of
from recsys_core.data.ingest.column_words import Word
from recsys_core.data.ingest.number_formats import as_number
from recsys_core.data.ingest.timestamps import NUMERIC_UNITS
from recsys_core.data.report import DataWarning
from recsys_core.text import Template

if TYPE_CHECKING:
    from recsys_core.data.ingest.table_schema import TableGuess

_MOST_KINDS = 40
_WORD = re.compile(r"[A-Z]?[^\W\d_A-Z]+")
"""One word of `is_liked` or `wasPurchased`."""
_BACK = re.compile(r"ret(urn|our)|r(ü|ue|u)ck|devol|resi|reso|возв|返|归|还|반납", re.IGNORECASE)
"""What was lent comes back in the end; only what was sold is undone by it."""
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?(\s?[AaPp]\.?[Mm]\.?)?$")
_LETTERS = re.compile(r"[\W_]+")
_PARTS = {
    "year": frozenset(
        ["year", "yr", "yyyy", "jahr", "annee", "année", "ano", "año", "anno", "jaar", "год", "年", "연도"]
    ),
    "month": frozenset(["month", "mon", "mm", "monat", "mois", "mes", "mês", "mese", "maand", "месяц", "月", "월"]),
    "day": frozenset(["day", "dd", "dayofmonth", "tag", "jour", "dia", "día", "giorno", "dag", "день", "日", "일"]),
}
"""Names of the columns that hold the parts of a date."""
_BOUNDS = {"year": (1970, 2100), "month": (1, 12), "day": (1, 31)}
_WITH_CLOCK = re.compile(r":|\d{8}[T _-]?\d{4}")


def unread_warnings(guess: "TableGuess") -> Iterator[DataWarning]:
    """Yield the warnings about columns of an interactions file that have no role."""
    if guess.table != INTERACTIONS:
        return
    if (column := nested_column(guess)) is not None:
        yield _nested(guess, column)
    for column, values in enumerate(guess.sample):
        if column not in guess.roles.values() and (undone := _undone(guess.column_names[column], values)):
            yield DataWarning(
                "undone_interactions",
                len(undone),
                Template(
                    "'{file}': column '{column}' has no role, but {count} of its first cells says that the action was "
                    "undone or did not happen: '{example}'. The row counts as an interaction like all others.",
                    "'{file}': column '{column}' has no role, but {count} of its first cells say that the action was "
                    "undone or did not happen, such as '{example}'. These rows count as interactions like all others.",
                ).fill(len(undone), file=guess.name, column=guess.column_names[column], example=undone[0][:40]),
                Template(
                    "Give the column the event role, which sets the weight of these rows, or remove them from the file."
                ).fill(),
            )
    yield from _clocks(guess)
    yield from _parts(guess)
    yield from _counts(guess)


def _counts(guess: "TableGuess") -> Iterator[DataWarning]:
    """Warn about further counts of events, as in a table with the views, carts and purchases of each pair."""
    if WEIGHT not in guess.roles or not _is_tally(guess.column_of(WEIGHT)):
        return
    free = [column for column in range(len(guess.sample)) if column not in guess.roles.values()]
    others = [
        column
        for column in free
        if _is_tally(guess.column_names[column]) and ColumnFacts.of(guess.sample[column]).whole
    ]
    if not others:
        return
    yield DataWarning(
        "unread_counts",
        len(others),
        Template(
            "'{file}': the weights are those of column '{weight}'; column {columns} counts events as well and is not "
            "read.",
            "'{file}': the weights are those of column '{weight}'; columns {columns} count events as well and are not "
            "read.",
        ).fill(
            len(others),
            file=guess.name,
            weight=guess.column_of(WEIGHT),
            columns=", ".join(f"'{guess.column_names[column]}'" for column in others),
        ),
        Template(
            "Give the weight role to another column, or write one row per event type with its count as the weight."
        ).fill(),
    )


def _is_tally(name: str) -> bool:
    """Return whether a column counts one kind of events, such as `views` or `n_purchases`."""
    words = [part.casefold() for part in _WORD.findall(name)]
    return Word.COUNT in words_of(name) and any(event_weight(word.removesuffix("s")) for word in words)


def _clocks(guess: "TableGuess") -> Iterator[DataWarning]:
    """Warn about times of day in a column beside the dates."""
    if guess.timestamp_unit is None or guess.timestamp_unit in NUMERIC_UNITS or TIMESTAMP not in guess.roles:
        return
    if any(map(_WITH_CLOCK.search, guess.sample[guess.roles[TIMESTAMP]])):
        return
    for column, values in enumerate(guess.sample):
        if column not in guess.roles.values() and (facts := ColumnFacts.of(values)).given and facts.matching(_CLOCK):
            yield DataWarning(
                "unread_clock",
                len(facts.given),
                Template(
                    "'{file}': column '{column}' holds times of day, such as '{example}', and is not read; only the "
                    "days in column '{days}' are."
                ).fill(
                    file=guess.name,
                    column=guess.column_names[column],
                    example=facts.given[0][:40],
                    days=guess.column_of(TIMESTAMP),
                ),
                Template(
                    "Join both columns into one, such as 2026-05-13 16:53:20; else the order within a day is lost."
                ).fill(),
            )


def date_parts(guess: "TableGuess") -> list[int]:
    """Return the columns of year, month and perhaps day that spell out one date together; empty if there are none."""
    names = [_LETTERS.sub("", name.casefold()) for name in guess.column_names]
    found = {part: names.index(name) for part, known in _PARTS.items() for name in names if name in known}
    whole = [part for part, column in found.items() if _within(guess.sample[column], *_BOUNDS[part])]
    return [found[part] for part in _PARTS if part in whole] if {"year", "month"} <= set(whole) else []


def _within(values: Sequence[str], low: int, high: int) -> bool:
    numbers = [as_number(value) for value in values if value.strip()]
    return bool(numbers) and all(one is not None and one % 1 == 0 and low <= one <= high for one in numbers)


def _parts(guess: "TableGuess") -> Iterator[DataWarning]:
    """Warn about a date that is spread over several columns, in interactions without timestamps."""
    parts = date_parts(guess) if TIMESTAMP not in guess.roles else []
    if not parts:
        return
    columns = ", ".join(f"'{guess.column_names[column]}'" for column in parts)
    example = "-".join(guess.sample[column][0].strip().zfill(2) for column in parts)
    yield DataWarning(
        "unread_date_parts",
        len(guess.sample[parts[0]]),
        Template("'{file}': columns {columns} hold the parts of a date and are not read.").fill(
            file=guess.name, columns=columns
        ),
        Template("Join them into one column, such as {example}; else the data have no timestamps.").fill(
            example=example
        ),
    )


def nested_column(guess: "TableGuess") -> int | None:
    """Return a column without a role whose cells hold several values each and that may name the user or the item."""
    missing = [role for role in (USER_ID, ITEM_ID) if role not in guess.roles]
    nested = [
        column
        for column, values in enumerate(guess.sample)
        if column not in guess.roles.values() and ColumnFacts.of(values).nested
    ]
    named = [column for column in nested if words_of(guess.column_names[column]) & {Word.ITEM, Word.USER}]
    return next(iter([*named, *(nested if missing else [])]), None)


def _nested(guess: "TableGuess", column: int) -> DataWarning:
    given = [value.strip() for value in guess.sample[column] if value.strip()]
    return DataWarning(
        "nested_cells",
        len(given),
        Template(
            "'{file}': each cell of column '{column}' holds several values, such as '{example}', and cannot be a user "
            "or an item."
        ).fill(file=guess.name, column=guess.column_names[column], example=given[0][:60]),
        Template("Write one row per user and item, with each identifier in a column of its own.").fill(),
    )


def _undone(name: str, values: tuple[str, ...]) -> list[str]:
    """Return the cells that say that an action was undone or did not happen, empty if all cells or none say so."""
    given = [value.strip() for value in values if value.strip()]
    kinds = set(given)
    found = [kind for kind in kinds if event_weight(kind) == 0.0] if len(kinds) <= _MOST_KINDS else []
    words = words_of(name)
    if Word.UNDONE in words and Word.TIME in words and not _BACK.search(name):  # cancelled_at
        return given if len(given) < len(values) else []
    if not found and Word.UNDONE in words and not words & {Word.TIME, Word.ID}:
        found = [kind for kind in kinds if kind.casefold() in TRUE or as_number(kind) not in {None, 0.0}]
    elif not found and _is_flag(kinds) and any(event_weight(part) for part in _WORD.findall(name)):
        found = [kind for kind in kinds if kind.casefold() in FALSE]
    return [value for value in given if value in found] if len(found) < len(kinds) else []


def _is_flag(kinds: set[str]) -> bool:
    """Return whether a column only says yes or no."""
    return {kind.casefold() for kind in kinds} <= TRUE | FALSE
