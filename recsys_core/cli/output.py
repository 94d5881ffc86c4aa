"""Output of commands: tables with unchanged identifiers, and messages about omissions on standard error."""

import csv
import errno
import io
import itertools
import json
import math
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from recsys_core.data.report import IngestReport
from recsys_core.errors import StoreError
from recsys_core.storage.disk_errors import DISK_WORDS, disk_errors_in_words
from recsys_core.storage.files import written_aside
from recsys_core.text import _

EXAMPLES = 3
EVENTS_SHOWN = 12
_SAID = ("uncertain_", "duplicate_heads", "lines_above_table", "differing_titles")
"""Prefixes of warnings that commands print; the report contains all warnings."""
Cell = str | float | int | None


class Account:
    """Messages for standard error, written once the command has succeeded.

    A command that fails prints only its error, in one line.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []

    def say(self, sentence: str) -> None:
        """Add one line."""
        self._lines.append(f"recscope: {' '.join(sentence.split())}\n")

    def write(self) -> None:
        """Write all lines to standard error."""
        sys.stderr.writelines(self._lines)

    def rows_of(self, name: str, report: IngestReport | None) -> None:
        """Report the rows of a file that were read, accepted and rejected, with reasons; nothing for stored data."""
        if report is None:
            return
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in report.reasons.items())
        self.say(
            f"{name}: {report.rows_read:,} rows read, {report.rows_accepted:,} accepted, {report.rows_rejected:,} "
            f"rejected{f' ({reasons})' if reasons else ''}."
        )
        self.warnings_of(report)

    def warnings_of(self, report: IngestReport) -> None:
        """Report alarms, uncertain roles and event weights of an ingest."""
        for alarm in report.alarms:
            self.say(f"{alarm.message} {alarm.remedy}")
        for warning in report.warnings:
            if warning.rule.startswith(_SAID):
                self.say(f"{warning.message} {warning.advice}")
        if report.events:
            kinds = list(report.events.items())[:EVENTS_SHOWN]
            told = ", ".join(f"{kind} {values['weight']:g} ({values['count']:,.0f} rows)" for kind, values in kinds)
            self.say(f"Event weights: {told}.")


def some(names: Sequence[object]) -> str:
    """Return the first few names in quotes, and the number of others."""
    shown = ", ".join(f"'{name}'" for name in names[:EXAMPLES])
    return f"{shown} and {len(names) - EXAMPLES:,} more" if len(names) > EXAMPLES else shown


def refuse_unwritable(path: Path | None) -> None:
    """Raise if a file cannot be written, before any work is done; None means standard output.

    Raises:
        StoreError: The folder does not exist or is not writable, or the path is not a regular file.
    """
    if path is None:
        return
    if path.exists() and not path.is_file():
        raise StoreError(
            _("Cannot write '{path}': it is a folder, a pipe or a device. Choose another name.").format(path=path)
        )
    folder = path.resolve().parent
    if not folder.is_dir():
        raise StoreError(
            _("Cannot write '{path}': the folder '{folder}' does not exist. Create it first.").format(
                path=path, folder=folder
            )
        )
    _require_writable(folder, path)


def make_folder(path: Path) -> None:
    """Create a folder for results if there is none, before any work is done.

    Raises:
        StoreError: A file is in its place, or it cannot be created or written to.
    """
    existing = next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
    if not existing.is_dir():
        raise StoreError(
            _("Cannot write to '{path}': '{name}' is not a folder. Choose another name.").format(
                path=path, name=existing.name
            )
        )
    _require_writable(existing, path)
    with disk_errors_in_words(path):
        path.mkdir(parents=True, exist_ok=True)


def _require_writable(folder: Path, path: Path) -> None:
    """Raise if nothing can be written to a folder, with the cause.

    Raises:
        StoreError: It belongs to another user, or the disk is read-only.
    """
    if os.access(folder, os.W_OK):
        return
    read_only = hasattr(os, "statvfs") and bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    words = _(DISK_WORDS[errno.EROFS if read_only else errno.EACCES])
    raise StoreError(_("Cannot write '{path}': {words}.").format(path=path, words=words))


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> int:
    """Write a CSV file atomically and return the number of its rows.

    Identifiers are written unchanged, so that the file joins with its source: cells that a spreadsheet would run as a
    formula are not escaped. Unknown numbers are empty cells.

    Raises:
        StoreError: Writing failed.
    """
    written = 0
    with written_aside(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for row in itertools.chain([header], rows):
            if any(isinstance(cell, str) and "\r" in cell for cell in row):
                file.write(_line_with_returns(row))  # `csv` would not quote these
            else:
                writer.writerow(["" if _is_missing(cell) else cell for cell in row])
            written += 1
    return written - 1


def write_table(frame: pd.DataFrame, path: Path | None) -> None:
    """Write a table to standard output as JSON records, or to a file: JSON for `.json`, else CSV.

    Raises:
        StoreError: Writing failed.
    """
    if path is not None and path.suffix.lower() != ".json":
        write_rows(path, [str(name) for name in frame], frame.astype(object).itertuples(index=False, name=None))
    else:
        write_json_to(path, frame.astype(object).where(frame.notna(), None).to_dict("records"))


def write_json_to(path: Path | None, value: Any) -> None:
    """Write a value as JSON to a file, or to standard output.

    Raises:
        StoreError: Writing failed.
    """
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if path is None:
        sys.stdout.write(text)
        return
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def _is_missing(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _line_with_returns(cells: Iterable[Cell]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue()[:-2] + "\n"
