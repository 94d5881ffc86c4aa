"""How one file is read: inferred settings, and the user's changes."""

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
from recsys_core.data.ingest.table_roles import IGNORED, REQUIRED
from recsys_core.data.ingest.timestamps import NUMERIC_UNITS, TimeFormat
from recsys_core.data.report import DataWarning
from recsys_core.text import Template

Format = Literal["text", "parquet", "jsonl", "json", "excel"]
LARGEST = 3e38
"""Larger numbers do not fit into 32 bits."""
NUMERIC_ROLES = (RATING, WEIGHT, PRICE)
"""Roles of numeric columns."""


@dataclass(frozen=True, eq=False)
class TableGuess:
    """How one file is read; by default it is ignored.

    Args:
        path: The unpacked file.
        name: Display name, such as `ml-100k.zip/u.data`.
        format: text (CSV and variants), parquet, jsonl, json (an array of objects) or excel.
        table: interactions, users, items, social, or `ignored`.
        column_names: Names of all columns, from the header or `column_1`, ...
        roles: Column number of each role; role names are those of `columns`.
        separator: Cell separator of a text file; a space means any run of white space.
        encoding: Encoding of a text file.
        header: Whether there is a header.
        skip_lines: Number of physical lines before the data.
        quoted: Whether double quotes enclose cells.
        escape: Escape character for quotes inside cells: another quote, or a backslash.
        old_mac: Whether lines end in carriage returns only.
        number_formats: Number format of each numeric role.
        rating_scale: Most likely rating scale.
        timestamp_unit: One of `timestamps.UNITS`.
        time_format: Inferred timestamp format; None without timestamps.
        pointed_ids: Roles whose identifiers are integers written as decimals, such as 10.0.
        chosen: Roles and settings chosen by the user, which are not inferred again.
        value_notes: Warnings about timestamp and number formats.
        event: Event type of all rows; None for ratings, or if there is an event column.
        event_weight: Weight of each row's event.
        category_flags: 0/1 columns that encode an item's categories.
        whole_numbers: Whether user and item identifiers look like integers in canonical form.
        item_attributes: Columns with item attributes in an interactions file.
        user_attributes: Columns with user attributes in an interactions file.
        confidence: Confidence in the user and item columns, between 0.5 and 1.
        questions: Uncertain roles, with the second-best assignment.
        notes: Warnings about the file layout.
        preview: The first rows as text.
        sample: Sample values of each column.
        keeper: Object whose lifetime keeps the unpacked file on disk.
    """

    path: Path
    name: str
    format: Format = "text"
    table: str = IGNORED
    column_names: tuple[str, ...] = ()
    roles: Mapping[str, int] = field(default_factory=dict)
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
        """Return the number format of a role."""
        return self.number_formats.get(role, NumberFormat())

    @property
    def finer(self) -> bool:
        """Whether timestamps are finer than milliseconds."""
        return self.time_format is not None and self.time_format.finer

    @property
    def missing_times(self) -> tuple[str, ...]:
        """Missing-value words of the timestamp column."""
        return self.time_format.missing if self.time_format is not None else ()

    @property
    def time_forms(self) -> tuple[str, ...]:
        """Names of the timestamp formats in the sample, for the SQL that parses them."""
        known = self.time_format
        written = known is not None and self.timestamp_unit is not None and self.timestamp_unit not in NUMERIC_UNITS
        return known.tried if known is not None and written else ()

    def event_counts(self) -> dict[str, int]:
        """Return the count of each event type in the sample, most frequent first; empty without an event column."""
        if EVENT not in self.roles:
            return {}
        found = Counter(value.strip() for value in self.sample[self.roles[EVENT]] if value.strip())
        return dict(found.most_common())

    def column_of(self, role: str) -> str:
        """Return the name of the column with a role, empty if there is none."""
        return self.column_names[self.roles[role]] if role in self.roles else ""

    def to_json(self) -> dict[str, Any]:
        """Return the guess as plain values for the report."""
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
        """Return the warnings about how the file is read."""
        return [*self.notes, *self.value_notes, *(self._question_warning(question) for question in self.questions)]

    def _question_warning(self, question: Question) -> DataWarning:
        now = self.column_names[question.column]
        other = "" if question.alternative is None else self.column_names[question.alternative]
        instead = Template("The second-best choice is column '{column}'. Check the column roles.")
        no_column = Template("The second-best choice is no column. Check the column roles.")
        return DataWarning(
            f"uncertain_{question.role}",
            1,
            Template("'{file}': column '{column}' is read as {role}, which is uncertain.").fill(
                file=self.name, column=now, role=question.role
            ),
            instead.fill(column=other) if other else no_column.fill(),
        )


def missing_roles(guess: TableGuess) -> list[str]:
    """Return the required roles of the table that no column has."""
    return [role for role in REQUIRED[guess.table] if role not in guess.roles]
