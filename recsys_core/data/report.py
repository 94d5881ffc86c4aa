"""What taking in a file amounted to: counts, rejected lines, guesses, and doubts about the data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class RejectedLine:
    """One line that did not enter the data set.

    Args:
        file: Name of the file, as the person knows it.
        line: Number of the line in that file, from 1; for Parquet and Excel the row.
        column: Name of the column at fault, empty if it is the whole line.
        reason: Why, in words.
        text: The line itself, cut after a thousand characters.
    """

    file: str
    line: int
    column: str
    reason: str
    text: str


@dataclass(frozen=True)
class DataWarning:
    """A doubt about data that were accepted.

    Args:
        rule: Short stable name, such as `tied_timestamps`.
        count: How many rows, users or links it concerns.
        message: What was found, with the number.
        advice: Why it matters and what to do.
    """

    rule: str
    count: int
    message: str
    advice: str


@dataclass(frozen=True)
class Alarm:
    """Something that most likely went wrong in the whole, with its most likely remedy.

    Args:
        rule: Short stable name: `many_rejected` or `joins_nothing`.
        file: Name of the file.
        count: Rows concerned.
        rows: Rows of that file.
        message: What was found, with the numbers.
        remedy: What would most likely help, in words.
        change: The remedy as changes of the guess of that file (`with_changes`), empty if there is none.
        rules: The remedy as rules that differ (`IngestRules`), empty if there are none.
    """

    rule: str
    file: str
    count: int
    rows: int
    message: str
    remedy: str
    change: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class IngestReport:
    """The account of an ingest. Always: rows_accepted + rows_rejected == rows_read.

    A row is a data record: a line of a text file that is not blank and not the header (a quoted cell may stretch one
    record over several lines; it counts once), a row of a Parquet or Excel file. Rows removed or merged by a rule
    count as rejected.

    Args:
        rows_read: Rows of all files.
        rows_accepted: Rows that are in the data set.
        rows_rejected: Rows that are not.
        rejected: The first of the rejected rows, by file and line; the full list stands in the data set's folder.
        reasons: Number of rejected rows for each reason.
        files: For each file: `read`, `accepted`, `rejected`, and `table`.
        guesses: How each file was read, by file name.
        warnings: Doubts about the data.
        alarms: What most likely went wrong in the whole, with its remedy.
        events: For each kind of event its `count` among accepted rows and its `weight`.
        users: Users in the vocabulary.
        items: Items in the vocabulary.
        fingerprint: Name of the stored data set; empty if it was only checked.
    """

    rows_read: int
    rows_accepted: int
    rows_rejected: int
    rejected: tuple[RejectedLine, ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    guesses: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[DataWarning, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    events: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    users: int = 0
    items: int = 0
    fingerprint: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values under the names that the command line promises."""
        return {
            "rows_read": self.rows_read,
            "rows_accepted": self.rows_accepted,
            "rows_rejected": self.rows_rejected,
            "rejected": [vars(line).copy() for line in self.rejected],
            "reasons": dict(self.reasons),
            "files": {name: dict(counts) for name, counts in self.files.items()},
            "guesses": dict(self.guesses),
            "warnings": [vars(warning).copy() for warning in self.warnings],
            "alarms": [vars(alarm).copy() for alarm in self.alarms],
            "events": {kind: dict(values) for kind, values in self.events.items()},
            "users": self.users,
            "items": self.items,
            "fingerprint": self.fingerprint,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "IngestReport":
        """Return the report that `to_json` wrote."""
        plain = dict(values)
        plain["rejected"] = tuple(RejectedLine(**line) for line in plain.get("rejected", ()))
        plain["warnings"] = tuple(DataWarning(**warning) for warning in plain.get("warnings", ()))
        plain["alarms"] = tuple(Alarm(**alarm) for alarm in plain.get("alarms", ()))
        return cls(**plain)
