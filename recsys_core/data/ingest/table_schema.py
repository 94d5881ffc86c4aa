"""How one file is to be read: what was guessed about it, and what the person changed."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from recsys_core.columns import EVENT, PRICE, RATING, WEIGHT
from recsys_core.contracts import RatingScale
from recsys_core.data.ingest.column_roles import Question
from recsys_core.data.ingest.number_formats import NumberFormat
from recsys_core.data.ingest.table_roles import REQUIRED
from recsys_core.data.ingest.timestamps import NUMERIC_UNITS, TimeFormat
from recsys_core.data.report import DataWarning

Format = Literal["text", "parquet", "jsonl", "excel"]
LARGEST = 3e38
"""Numbers beyond this one cannot be stored in 32 bits."""
NUMERIC_ROLES = (RATING, WEIGHT, PRICE)
"""Roles of columns of numbers."""


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


def missing_roles(guess: TableGuess) -> list[str]:
    """Return the roles without which this table cannot be read and that no column has."""
    return [role for role in REQUIRED[guess.table] if role not in guess.roles]
