"""How one file is to be read: what was guessed about it, and what the person changed."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from recsys_core.columns import EVENT, INTERACTIONS, ITEM_ID, RATING, TIMESTAMP, USER_ID
from recsys_core.contracts import RatingScale
from recsys_core.data.column_roles import Question, assign
from recsys_core.data.numeric_text import as_number
from recsys_core.data.report import DataWarning
from recsys_core.data.roles import REQUIRED, ROLES, guess_own_roles, guess_scale
from recsys_core.data.timestamps import UNITS, guess_unit
from recsys_core.errors import DataError

Format = Literal["text", "parquet", "jsonl", "excel"]
_REREAD = frozenset(["separator", "encoding", "header"])
_CHANGEABLE = frozenset(["timestamp_unit", "rating_scale", "event", "event_weight", "decimal_comma", "name", "quoted"])


@dataclass(frozen=True, eq=False)
class TableGuess:
    """How one file is to be read.

    Args:
        path: The file, unpacked.
        name: What the person knows it by, such as `ml-100k.zip/u.data`.
        format: text (CSV and its kin), parquet, jsonl or excel.
        table: interactions, users, items, social, or `ignored`.
        column_names: Names of all columns, from the header or `column_1`, ...
        roles: Column number of each role; the names of roles are those of `columns`.
        separator: Between cells of a text; one space stands for any run of white space.
        encoding: Of a text.
        header: Whether the first record names the columns.
        skip_lines: Number of physical lines before the data.
        quoted: Whether double quotes enclose cells.
        escape: What stands before a quote within a cell: another quote, or a backslash.
        old_mac: Whether lines end in carriage returns alone.
        decimal_comma: Whether ratings are written with a decimal comma.
        rating_scale: Scale that people most likely rated on.
        timestamp_unit: One of `timestamps.UNITS`.
        event: Kind of event of all rows of this file; None for ratings, or if a column tells it.
        event_weight: Weight of each of them.
        category_flags: Columns of 0 and 1 that together are an item's categories.
        whole_numbers: Whether both identifiers look like whole numbers written in the usual way.
        item_attributes: Columns of interactions that say more about the item of their row.
        user_attributes: Columns of interactions that say more about the user.
        confidence: How sure user and item are, between 0.5 and 1.
        questions: What is not sure about the roles, and what the next best answer would be.
        notes: What is doubtful about the file's layout.
        preview: The first rows as text.
        sample: Sample values of each column.
        keeper: What keeps the unpacked file on disk while this guess is in use.
    """

    path: Path
    name: str
    format: Format
    table: str
    column_names: tuple[str, ...]
    roles: Mapping[str, int]
    separator: str = ","
    encoding: str = "utf-8"
    header: bool = False
    skip_lines: int = 0
    quoted: bool = True
    escape: str = '"'
    old_mac: bool = False
    decimal_comma: bool = False
    rating_scale: RatingScale | None = None
    timestamp_unit: str | None = None
    event: str | None = None
    event_weight: float = 1.0
    category_flags: tuple[str, ...] = ()
    whole_numbers: bool = False
    item_attributes: tuple[int, ...] = ()
    user_attributes: tuple[int, ...] = ()
    confidence: float = 1.0
    questions: tuple[Question, ...] = ()
    notes: tuple[DataWarning, ...] = ()
    preview: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    sample: tuple[tuple[str, ...], ...] = field(default=(), repr=False)
    keeper: object = field(default=None, repr=False)

    def with_changes(self, **changes: Any) -> "TableGuess":
        """Return the guess with what the person changed; what depends on it is guessed again.

        `roles` maps a role to the number or the name of a column, None to take the role away; roles not named stay.

        Raises:
            DataError: A column, role or table that does not exist.
        """
        if _REREAD & changes.keys():
            return self._read_again(changes)
        guess = self
        if (table := changes.pop("table", None)) is not None and table != self.table:
            guess = guess._as_table(table)
        if (roles := changes.pop("roles", None)) is not None:
            guess = guess._without_questions(roles=guess._changed_roles(roles))
        for about in ("item_attributes", "user_attributes"):
            if (columns := changes.pop(about, None)) is not None:
                guess = guess._without_questions(**{about: tuple(map(guess._column_number, columns))})
        if unknown := changes.keys() - _CHANGEABLE:
            raise DataError(f"Of a guess one cannot change '{min(unknown)}'.")
        if changes.get("timestamp_unit") not in {None, *UNITS}:
            raise DataError(f"There is no unit of time '{changes['timestamp_unit']}'. Known: {', '.join(UNITS)}.")
        return replace(with_values(guess), **changes)

    def _read_again(self, changes: dict[str, Any]) -> "TableGuess":
        """Return the guess with another separator, encoding or header, then the other changes."""
        from recsys_core.data.guessing import guess_table

        how = {name: changes.pop(name, getattr(self, name)) for name in sorted(_REREAD)}
        guess = replace(guess_table(self.path, name=self.name, **how), keeper=self.keeper)
        guess = replace(guess, event=self.event, event_weight=self.event_weight)
        return guess.with_changes(**({"table": self.table} | changes))

    def _as_table(self, table: str) -> "TableGuess":
        if table not in ROLES:
            raise DataError(f"There is no table '{table}'. Known: {', '.join(ROLES)}.")
        if not self.column_names:
            from recsys_core.data.guessing import guess_table

            return replace(guess_table(self.path, name=self.name), keeper=self.keeper)._as_table(table)
        return with_roles(replace(self, table=table))

    def _without_questions(self, **changes: Any) -> "TableGuess":
        """Return the guess with what the person decided: nothing is left to ask, and no column is two things."""
        guess = replace(self, **changes, questions=(), confidence=1.0)
        taken = set(guess.roles.values())
        return replace(
            guess,
            item_attributes=tuple(column for column in guess.item_attributes if column not in taken),
            user_attributes=tuple(
                column for column in guess.user_attributes if column not in taken | set(guess.item_attributes)
            ),
        )

    def swapped(self, number: int = 0) -> "TableGuess":
        """Return the guess with the next best answer to one of its questions."""
        roles = self.questions[number].roles
        return self.with_changes(roles={**dict.fromkeys(self.roles), **roles})

    def event_counts(self) -> dict[str, int]:
        """Return how often each kind of event occurs in the sample, the most frequent first; none without a column."""
        if EVENT not in self.roles:
            return {}
        found = Counter(value.strip() for value in self.sample[self.roles[EVENT]] if value.strip())
        return dict(found.most_common())

    def column_of(self, role: str) -> str:
        """Return the name of the column that has a role, empty if none has."""
        return self.column_names[self.roles[role]] if role in self.roles else ""

    def to_json(self) -> dict[str, Any]:
        """Return what was guessed as plain values, as a report shows it."""
        scale = self.rating_scale
        return {
            "format": self.format,
            "table": self.table,
            "separator": self.separator if self.format == "text" else None,
            "encoding": self.encoding if self.format in {"text", "jsonl"} else None,
            "header": self.header,
            "columns": {role: self.column_names[column] for role, column in self.roles.items()},
            "rating_scale": None if scale is None else [scale.low, scale.high],
            "timestamp_unit": self.timestamp_unit,
            "event": self.event,
            "event_weight": self.event_weight,
            "item_attributes": [self.column_names[column] for column in self.item_attributes],
            "user_attributes": [self.column_names[column] for column in self.user_attributes],
        }

    def doubts(self) -> list[DataWarning]:
        """Return what is doubtful about how the file is read."""
        return [*self.notes, *(self._asked(question) for question in self.questions)]

    def _asked(self, question: Question) -> DataWarning:
        now = self.column_names[question.column]
        other = None if question.alternative is None else self.column_names[question.alternative]
        instead = f"The next best reading is column '{other}'." if other else "The next best reading has none."
        return DataWarning(
            f"uncertain_{question.role}",
            1,
            f"'{self.name}': column '{now}' is read as {question.role}, which is not certain.",
            f"{instead} Check the columns.",
        )

    def _changed_roles(self, wanted: Mapping[str, int | str | None]) -> dict[str, int]:
        roles = dict(self.roles)
        for role, column in wanted.items():
            if role not in ROLES[self.table]:
                raise DataError(
                    f"A column of '{self.table}' cannot be '{role}'. Known: {', '.join(ROLES[self.table])}."
                )
            roles.pop(role, None)
            if column is not None:
                roles[role] = self._column_number(column)
        taken: dict[int, str] = {}
        for role in [*(role for role in roles if role not in wanted), *(role for role in wanted if role in roles)]:
            if (other := taken.pop(roles[role], None)) is not None and other not in wanted:
                roles.pop(other)
            taken[roles[role]] = role
        return roles

    def _column_number(self, column: int | str) -> int:
        if isinstance(column, str) and column in self.column_names:
            return self.column_names.index(column)
        number = int(column) if str(column).isdigit() else -1
        if not 0 <= number < len(self.column_names):
            raise DataError(f"'{self.name}' has no column '{column}'. It has: {', '.join(self.column_names[:20])}.")
        return number


def with_roles(guess: TableGuess) -> TableGuess:
    """Return the guess with the roles of its columns guessed for its table."""
    named = guess.header or guess.format != "text"
    if guess.table != INTERACTIONS:
        roles = guess_own_roles(guess.table, guess.column_names, guess.sample, named=named)
        return replace(guess, roles=roles, item_attributes=(), user_attributes=(), questions=(), confidence=1.0)
    found = assign(guess.column_names, guess.sample, named=named)
    return replace(guess, **vars(found))


def with_values(guess: TableGuess) -> TableGuess:
    """Return the guess with scale, unit, decimal comma and kind of identifiers guessed from the columns that have
    those roles.
    """
    values = {role: guess.sample[column] for role, column in guess.roles.items() if column < len(guess.sample)}
    unit = guess_unit(list(values[TIMESTAMP][:2000])) if TIMESTAMP in values else None
    roles = {role: column for role, column in guess.roles.items() if role != TIMESTAMP or unit is not None}
    ratings = [number for value in values.get(RATING, ()) if (number := as_number(value)) is not None]
    comma = sum("," in value for value in values.get(RATING, ()))
    ids = [*values.get(USER_ID, ()), *values.get(ITEM_ID, ())]
    return replace(
        guess,
        roles=roles,
        rating_scale=guess_scale(ratings) if RATING in guess.roles else None,
        timestamp_unit=unit,
        decimal_comma=comma > 0 and guess.separator != ",",
        whole_numbers=guess.table == INTERACTIONS
        and bool(ids)
        and all(_is_whole_number(value) for value in ids if value),
    )


def _is_whole_number(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 9 and str(int(value)) == value


def missing_roles(guess: TableGuess) -> list[str]:
    """Return the roles without which this table cannot be read and that no column has."""
    return [role for role in REQUIRED[guess.table] if role not in guess.roles]
