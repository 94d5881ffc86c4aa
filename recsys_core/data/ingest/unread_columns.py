"""Warnings about columns that have no role although they decide what a row means: nested values, undone actions."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from recsys_core.columns import INTERACTIONS, ITEM_ID, USER_ID
from recsys_core.data.ingest.column_cells import ColumnFacts
from recsys_core.data.ingest.column_names import event_weight, words_of
from recsys_core.data.ingest.column_words import Word
from recsys_core.data.ingest.number_formats import as_number
from recsys_core.data.report import DataWarning
from recsys_core.text import Template

if TYPE_CHECKING:
    from recsys_core.data.ingest.table_schema import TableGuess

_MOST_KINDS = 40
_TRUE = frozenset(["true", "t", "yes", "y", "ja", "j", "oui", "si", "sí", "sim", "да", "是", "はい"])


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
                    "'{file}': column '{column}' has no role, but {count} of its first cells looks undone, such as "
                    "'{example}'; the row counts as an interaction like all others.",
                    "'{file}': column '{column}' has no role, but {count} of its first cells look undone, such as "
                    "'{example}'; these rows count as interactions like all others.",
                ).fill(len(undone), file=guess.name, column=guess.column_names[column], example=undone[0][:40]),
                Template(
                    "Give the column the event role, which sets the weight of these rows, or remove them from the file."
                ).fill(),
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
    """Return the cells that say that an action was undone, empty if all cells or none say so."""
    given = [value.strip() for value in values if value.strip()]
    kinds = set(given)
    found = [kind for kind in kinds if event_weight(kind) == 0.0] if len(kinds) <= _MOST_KINDS else []
    words = words_of(name)
    if not found and Word.UNDONE in words and not words & {Word.TIME, Word.ID}:
        found = [kind for kind in kinds if kind.casefold() in _TRUE or as_number(kind) not in {None, 0.0}]
    return [value for value in given if value in found] if len(found) < len(kinds) else []
