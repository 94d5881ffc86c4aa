"""What commands write: tables whose identifiers still join with the input, and an account of what is missing there."""

import csv
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
from recsys_core.storage.files import written_aside

EXAMPLES = 3
EVENTS_SHOWN = 12
_SAID = ("uncertain_", "duplicate_heads", "lines_above_table", "differing_titles")
"""Rules of warnings that a command says aloud; all of them stand in the report."""
Cell = str | float | int | None


class Account:
    """What became of what was asked: sentences that go to standard error once the command has done its work.

    A command that fails says only why, in one line.
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
        """Say how many rows of a file were read, accepted and rejected, and why; nothing about stored data."""
        if report is None:
            return
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in report.reasons.items())
        self.say(
            f"{name}: {report.rows_read:,} rows read, {report.rows_accepted:,} accepted, {report.rows_rejected:,} "
            f"rejected{f' ({reasons})' if reasons else ''}."
        )
        self.doubts_of(report)

    def doubts_of(self, report: IngestReport) -> None:
        """Say what is alarming or not certain about how files were read, and what each kind of event weighs."""
        for alarm in report.alarms:
            self.say(f"{alarm.message} {alarm.remedy}")
        for warning in report.warnings:
            if warning.rule.startswith(_SAID):
                self.say(f"{warning.message} {warning.advice}")
        if report.events:
            kinds = list(report.events.items())[:EVENTS_SHOWN]
            told = ", ".join(f"{kind} {values['weight']:g} ({values['count']:,.0f} rows)" for kind, values in kinds)
            self.say(f"Weight of one event: {told}.")


def some(names: Sequence[object]) -> str:
    """Return the first names in quotes, and how many more there are."""
    shown = ", ".join(f"'{name}'" for name in names[:EXAMPLES])
    return f"{shown} and {len(names) - EXAMPLES:,} more" if len(names) > EXAMPLES else shown


def refuse_unwritable(path: Path | None) -> None:
    """Refuse a target before any work is done for it; None is standard output.

    Raises:
        StoreError: There is no such folder, it may not be written to, or a folder has that name.
    """
    if path is None:
        return
    if path.exists() and not path.is_file():
        raise StoreError(f"Cannot write '{path}': it is no file but a folder, a pipe or a device. Choose another name.")
    folder = path.resolve().parent
    if not folder.is_dir():
        raise StoreError(f"Cannot write '{path}': there is no folder '{folder}'. Make it first.")
    if not os.access(folder, os.W_OK):
        raise StoreError(f"Cannot write '{path}': this is not allowed; check who owns the folder.")


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> int:
    """Write a CSV file in one step and return the number of its rows.

    Identifiers are written as they are, so that the file joins with the one they came from: nothing is put before a
    cell that a spreadsheet would take for a formula. A number that is not known is an empty cell.

    Raises:
        StoreError: The disk refused.
    """
    written = 0
    with written_aside(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for row in itertools.chain([header], rows):
            if any(isinstance(cell, str) and "\r" in cell for cell in row):
                file.write(_line_with_returns(row))  # which `csv` would leave without quotes
            else:
                writer.writerow(["" if _is_missing(cell) else cell for cell in row])
            written += 1
    return written - 1


def write_table(frame: pd.DataFrame, path: Path | None) -> None:
    """Write a table as JSON (a list of records) to standard output, or to a file: JSON if it is called so, else CSV.

    Raises:
        StoreError: The disk refused.
    """
    if path is not None and path.suffix.lower() != ".json":
        write_rows(path, [str(name) for name in frame], frame.astype(object).itertuples(index=False, name=None))
    else:
        write_json_to(path, frame.astype(object).where(frame.notna(), None).to_dict("records"))


def write_json_to(path: Path | None, value: Any) -> None:
    """Write a value as JSON to a file, or to standard output.

    Raises:
        StoreError: The disk refused.
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
