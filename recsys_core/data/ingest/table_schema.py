"""How one file is to be read: what was guessed about it, and what the person changed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from recsys_core.columns import EVENT, INTERACTIONS, ITEM_ID, PRICE, RATING, TIMESTAMP, USER_ID, WEIGHT
from recsys_core.contracts import RatingScale
from recsys_core.data.ingest.column_roles import Question, assign
from recsys_core.data.ingest.format_checks import notes_about_values
from recsys_core.data.ingest.identifiers import are_pointed
from recsys_core.data.ingest.number_formats import NAMES, NumberFormat, format_of_name, guess_number_format, read_number
from recsys_core.data.ingest.report import DataWarning
from recsys_core.data.ingest.table_roles import REQUIRED, ROLES, guess_own_roles, guess_scale
from recsys_core.data.ingest.timestamps import NUMERIC_UNITS, UNITS, TimeFormat, guess_time_format
from recsys_core.errors import DataError

Format = Literal["text", "parquet", "jsonl", "excel"]
LARGEST = 3e38
"""Numbers beyond this one cannot be stored in 32 bits."""
NUMERIC_ROLES = (RATING, WEIGHT, PRICE)
"""Roles of columns of numbers."""
_REREAD = frozenset(["separator", "encoding", "header"])
_CHANGEABLE = frozenset(
    [
        "timestamp_unit",
        "rating_scale",
        "event",
        "event_weight",
        "decimal_comma",
        "number_formats",
        "name",
        "quoted",
    ]
)


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
        number_formats: How the numbers of each numeric role are written, by role.
        rating_scale: Scale that people most likely rated on.
        timestamp_unit: One of `timestamps.UNITS`.
        time_format: What the cells say about the form of times; None without times.
        pointed_ids: Roles whose identifiers are whole numbers written as decimal ones, such as 10.0.
        chosen: Roles, and names of other values, that the person decided: they are not guessed again.
        value_notes: What is doubtful about the form of times and numbers.
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
    number_formats: Mapping[str, NumberFormat] = field(default_factory=dict)
    rating_scale: RatingScale | None = None
    timestamp_unit: str | None = None
    time_format: TimeFormat | None = None
    pointed_ids: frozenset[str] = frozenset()
    chosen: frozenset[str] = frozenset()
    value_notes: tuple[DataWarning, ...] = ()
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
        guess = self._with_choices(changes)
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
        formats = changes.pop("number_formats", None)
        if (comma := changes.pop("decimal_comma", None)) is not None:
            formats = dict.fromkeys(guess.number_formats, "1.234,5" if comma else "1234.5")
        if formats is not None:
            guess = replace(guess, number_formats={**guess.number_formats, **_formats_named(formats)})
        if "timestamp_unit" in changes:
            guess = replace(guess, timestamp_unit=changes.pop("timestamp_unit"))
        return replace(with_values(guess), **changes)

    def _with_choices(self, changes: Mapping[str, Any]) -> "TableGuess":
        """Return the guess with the names of what the person decides, so that it is not guessed again."""
        roles = changes.get("roles") or {}
        chosen = set(self.chosen) | {role for role, column in roles.items() if column is not None}
        chosen -= {role for role, column in roles.items() if column is None}
        if TIMESTAMP in roles or "table" in changes:
            chosen.discard("timestamp_unit")
        if roles or "table" in changes:
            chosen.discard("number_formats")
        if changes.get("timestamp_unit") is not None:
            chosen.add("timestamp_unit")
        if {"number_formats", "decimal_comma"} & changes.keys():
            chosen.add("number_formats")
        return replace(self, chosen=frozenset(chosen))

    def number_format(self, role: str) -> NumberFormat:
        """Return how the numbers of a role are written."""
        return self.number_formats.get(role, NumberFormat())

    @property
    def decimal_comma(self) -> bool:
        """Whether some numbers are written with a decimal comma."""
        return any(form.decimal == "," for form in self.number_formats.values())

    @property
    def finer(self) -> bool:
        """Whether times tell more than milliseconds."""
        return self.time_format is not None and self.time_format.finer

    @property
    def missing_times(self) -> tuple[str, ...]:
        """Words that stand for no time."""
        return self.time_format.missing if self.time_format is not None else ()

    @property
    def time_forms(self) -> tuple[str, ...]:
        """Names of the forms in which times were met, for the SQL that reads them."""
        known = self.time_format
        written = known is not None and self.timestamp_unit is not None and self.timestamp_unit not in NUMERIC_UNITS
        return known.tried if known is not None and written else ()

    def _read_again(self, changes: dict[str, Any]) -> "TableGuess":
        """Return the guess with another separator, encoding or header, then the other changes."""
        from recsys_core.data.ingest.schema import guess_table

        how = {name: changes.pop(name, getattr(self, name)) for name in sorted(_REREAD)}
        guess = replace(guess_table(self.path, name=self.name, **how), keeper=self.keeper)
        guess = replace(guess, event=self.event, event_weight=self.event_weight)
        return guess.with_changes(**({"table": self.table} | changes))

    def _as_table(self, table: str) -> "TableGuess":
        if table not in ROLES:
            raise DataError(f"There is no table '{table}'. Known: {', '.join(ROLES)}.")
        if not self.column_names:
            from recsys_core.data.ingest.schema import guess_table

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
            "time_forms": dict(self.time_format.forms) if self.time_format else {},
            "number_formats": {role: form.name for role, form in self.number_formats.items()},
            "event": self.event,
            "event_weight": self.event_weight,
            "item_attributes": [self.column_names[column] for column in self.item_attributes],
            "user_attributes": [self.column_names[column] for column in self.user_attributes],
        }

    def doubts(self) -> list[DataWarning]:
        """Return what is doubtful about how the file is read."""
        return [*self.notes, *self.value_notes, *(self._asked(question) for question in self.questions)]

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
    """Return the guess with scale, forms of times and numbers, and kind of identifiers guessed from the columns that
    have those roles. What the person decided stays.
    """
    values = {role: guess.sample[column] for role, column in guess.roles.items() if column < len(guess.sample)}
    guess = _with_times(guess, values.get(TIMESTAMP, ()))
    formats = {role: guess_number_format(values[role]) for role in NUMERIC_ROLES if role in values}
    if "number_formats" in guess.chosen:
        formats |= {role: form for role, form in guess.number_formats.items() if role in formats}
    ids = [*values.get(USER_ID, ()), *values.get(ITEM_ID, ())]
    ratings = [
        number
        for value in values.get(RATING, ())
        if (number := read_number(value, formats[RATING])) is not None and abs(number) < LARGEST
    ]
    return replace(
        guess,
        number_formats=formats,
        rating_scale=guess_scale(ratings) if RATING in guess.roles else None,
        pointed_ids=frozenset(role for role in (USER_ID, ITEM_ID) if are_pointed(values.get(role, ()))),
        value_notes=tuple(notes_about_values(guess, values, formats)),
        whole_numbers=guess.table == INTERACTIONS
        and bool(ids)
        and all(_is_whole_number(value) for value in ids if value),
    )


def _with_times(guess: TableGuess, values: Sequence[str]) -> TableGuess:
    """Return the guess with the form of its times; a column that a guess took for times and that holds none is none."""
    if TIMESTAMP not in guess.roles:
        return replace(guess, timestamp_unit=None, time_format=None)
    found = guess_time_format(values)
    if "timestamp_unit" in guess.chosen:
        return replace(guess, time_format=found)
    roles = dict(guess.roles)
    if found is None and TIMESTAMP not in guess.chosen:
        roles.pop(TIMESTAMP)
    return replace(guess, roles=roles, time_format=found, timestamp_unit=found.unit if found else None)


def _formats_named(names: Mapping[str, str]) -> dict[str, NumberFormat]:
    unknown = [name for name in names.values() if name not in NAMES]
    if unknown:
        raise DataError(f"There is no form of numbers '{unknown[0]}'. Known: {'  '.join(NAMES)}.")
    return {role: format_of_name(name) for role, name in names.items()}


def _is_whole_number(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 9 and str(int(value)) == value


def missing_roles(guess: TableGuess) -> list[str]:
    """Return the roles without which this table cannot be read and that no column has."""
    return [role for role in REQUIRED[guess.table] if role not in guess.roles]
