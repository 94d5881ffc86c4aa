"""The ingest report: counts, rejected lines, table guesses, warnings and alarms."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from recsys_core.text import ENGLISH, Sentence, in_language


@dataclass(frozen=True)
class RejectedLine:
    """One rejected line.

    Args:
        file: Display name of the file.
        line: Line number in that file, from 1; for Parquet and Excel the row number, for a JSON array the number
            of the element.
        column: Name of the column at fault, empty if it is the whole line.
        reason: Why it was rejected.
        text: The line itself, cut to 1000 characters.
    """

    file: str
    line: int
    column: str
    reason: str
    text: str


@dataclass(frozen=True)
class DataWarning:
    """A warning about accepted data.

    Args:
        rule: Stable name, such as `tied_timestamps`.
        count: Number of affected rows, users or links.
        finding: The finding, with the count.
        action: Why it matters and what to do.
    """

    rule: str
    count: int
    finding: Sentence
    action: Sentence

    @property
    def message(self) -> str:
        """The finding in the current language."""
        return str(self.finding)

    @property
    def advice(self) -> str:
        """Why it matters and what to do, in the current language."""
        return str(self.action)


@dataclass(frozen=True)
class Alarm:
    """A probable error that affects a whole file, with a suggested remedy.

    Args:
        rule: Stable name: `many_rejected` or `joins_nothing`.
        file: Name of the file.
        count: Number of affected rows.
        rows: Number of rows in that file.
        finding: The finding, with the numbers.
        action: The suggested remedy.
        change: The remedy as changes to the file's guess (`with_changes`), or empty.
        rules: The remedy as changed rules (`IngestRules`), or empty.
    """

    rule: str
    file: str
    count: int
    rows: int
    finding: Sentence
    action: Sentence
    change: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Any] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """The finding in the current language."""
        return str(self.finding)

    @property
    def remedy(self) -> str:
        """The suggested remedy in the current language."""
        return str(self.action)


@dataclass(frozen=True)
class IngestReport:
    """Report of an ingest. Invariant: rows_accepted + rows_rejected == rows_read.

    A row is a data record: a non-blank line of a text file other than the header (a record whose quoted cell spans
    several lines counts once), or a row of a Parquet or Excel file. Rows removed or merged by a rule count as rejected.

    Args:
        rows_read: Rows of all files.
        rows_accepted: Rows in the data set.
        rows_rejected: Rejected rows.
        rejected: The first rejected rows, by file and line; the full list is stored in the data set's folder.
        reasons: Number of rejected rows by reason.
        files: `read`, `accepted`, `rejected` and `table` of each file.
        guesses: How each file was read, by file name.
        warnings: Warnings about the accepted data.
        alarms: Probable errors that affect whole files, with remedies.
        events: `count` among accepted rows and `weight` of each event type.
        users: Users in the vocabulary.
        items: Items in the vocabulary.
        fingerprint: Fingerprint of the stored data set.
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
        """Return plain values under the names documented for the command line; texts are English."""
        values = asdict(self)
        with in_language(ENGLISH):
            for warning, stored in zip(self.warnings, values["warnings"], strict=True):
                stored.update(message=warning.message, advice=warning.advice)
            for alarm, stored in zip(self.alarms, values["alarms"], strict=True):
                stored.update(message=alarm.message, remedy=alarm.remedy)
        return values | {name: list(values[name]) for name in ("rejected", "warnings", "alarms")}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "IngestReport":
        """Read back what `to_json` returned; a report stored without sentences shows its texts in every language."""
        rejected = tuple(RejectedLine(**one) for one in values.get("rejected", ()))
        warnings = tuple(DataWarning(**_with_sentences(one, "advice")) for one in values.get("warnings", ()))
        alarms = tuple(Alarm(**_with_sentences(one, "remedy")) for one in values.get("alarms", ()))
        return cls(**{**values, "rejected": rejected, "warnings": warnings, "alarms": alarms})


def _with_sentences(stored: Mapping[str, Any], advice: str) -> dict[str, Any]:
    """Return the fields of a stored record, with the sentences of its two texts."""
    fields = dict(stored)
    finding, action = fields.pop("message"), fields.pop(advice)
    fields["finding"] = Sentence.from_json(fields.get("finding", finding))
    fields["action"] = Sentence.from_json(fields.get("action", action))
    return fields
