"""Reading a text file record by record: slower than DuckDB, and sure about every line of the oddest file.

A record is a physical line, or several where a quoted cell holds line breaks and the whole then has exactly the
number of cells that the table has columns. Lines that are blank or hold white space only are no records.
Where text follows a closing quote, the quotes are taken for part of the text if that gives the right number of cells.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from recsys_core.data.ingest.encodings import REPLACEMENT
from recsys_core.data.ingest.limits import Limits

MOST_LINES_OF_A_RECORD = 1000
TEXT_KEPT = 1000
"""Characters of a rejected line that are kept."""


class Record(NamedTuple):
    """A record: number of its first line, its cells (None if it is rejected), why it is rejected, its text."""

    line: int
    cells: list[str] | None
    reason: str
    text: str


@dataclass(frozen=True)
class Shape:
    """How records are parted.

    Args:
        separator: Between cells; one space stands for any run of white space.
        columns: Number of cells that a record must have.
        skip: Number of first records that are not data (a header, or a line such as `sep=;`).
        quoted: Whether double quotes enclose cells.
        replaced: Whether U+FFFD stands for bytes that could not be read, so that lines with it are rejected.
    """

    separator: str
    columns: int
    skip: int
    quoted: bool = True
    replaced: bool = False
    escape: str = '"'


def read_records(path: Path, shape: Shape, limits: Limits) -> Iterator[Record]:
    """Yield every record after the skipped ones, accepted and rejected alike."""
    with path.open("rb") as file:
        lines = _Lines(file, limits.line_bytes, replaced=shape.replaced)
        for _ in range(shape.skip):
            lines.next_physical()
        while (numbered := lines.next()) is not None:
            yield _record(lines, numbered, shape, limits)


def read_json_lines(path: Path, names: tuple[str, ...], limits: Limits) -> Iterator[Record]:
    """Yield each line of a JSON lines file as the cells of the columns `names`; what is missing or null is empty."""
    with path.open("rb") as file:
        lines = _Lines(file, limits.line_bytes)
        while (numbered := lines.next()) is not None:
            number, text, fault = numbered
            cells: list[str] | None = None
            if not fault:
                cells, fault = _json_cells(text, names)
            yield Record(number, cells, fault, text[:TEXT_KEPT])


def split_cells(text: str, separator: str, *, quoted: bool = True, escape: str = '"') -> list[str] | str:
    """Return the cells of a record, or why it has none: "open" if a quote is not closed, else a reason."""
    if separator == " ":
        return text.split()
    if not quoted or '"' not in text:
        return text.split(separator)
    cells, at, width = [], 0, len(separator)
    while True:
        if text.startswith('"', at):
            cell, at = _quoted_cell(text, at + 1) if escape == '"' else _escaped_cell(text, at + 1, escape)
            if at < 0:
                return "open"
            if at < len(text) and not text.startswith(separator, at):
                return "text follows a closing quote"
        else:
            end = text.find(separator, at)
            end = len(text) if end < 0 else end
            cell, at = text[at:end], end
        cells.append(cell)
        if at >= len(text):
            return cells
        at += width


class _Lines:
    """Physical lines of a file, blank ones left out, with one step of looking ahead that can be taken back."""

    def __init__(self, file: BinaryIO, longest: int, *, replaced: bool = False) -> None:
        self._file = file
        self._replaced = replaced
        self._longest = longest
        self._number = 0
        self._waiting: list[tuple[int, str, str]] = []

    def next(self) -> tuple[int, str, str] | None:
        """Return number, text and fault of the next line that is not blank; None at the end."""
        while (line := self.next_physical()) is not None:
            if line[1].strip() or line[2]:
                return line
        return None

    def next_physical(self) -> tuple[int, str, str] | None:
        """Return the next line, blank or not."""
        if self._waiting:
            return self._waiting.pop(0)
        raw, too_long = self._raw()
        if raw is None:
            return None
        self._number += 1
        if self._number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        return (self._number, *self._decoded(raw, too_long=too_long))

    def give_back(self, lines: list[tuple[int, str, str]]) -> None:
        """Let lines that were looked at come again."""
        self._waiting = lines + self._waiting

    def _raw(self) -> tuple[bytes | None, bool]:
        raw = self._file.readline(self._longest + 2)
        if not raw:
            return None, False
        too_long = len(raw) > self._longest and not raw.endswith(b"\n")
        if too_long:
            self._skip_rest()
            return raw[:TEXT_KEPT], True
        return raw.removesuffix(b"\n").removesuffix(b"\r"), False

    def _skip_rest(self) -> None:
        while (piece := self._file.readline(1 << 20)) and not piece.endswith(b"\n"):
            pass

    def _decoded(self, raw: bytes, *, too_long: bool) -> tuple[str, str]:
        try:
            text, fault = raw.decode("utf-8"), ""
        except UnicodeDecodeError:
            text, fault = raw.decode("utf-8", errors="replace"), "bytes that are not text in this encoding"
        if too_long:
            return text, f"longer than {self._longest:,} bytes"
        if "\x00" in text:
            return text.replace("\x00", "\N{SYMBOL FOR NULL}"), "a NUL byte"
        if self._replaced and REPLACEMENT in text:
            return text, "bytes that are not text in this encoding"
        return text, fault


def _record(lines: _Lines, numbered: tuple[int, str, str], shape: Shape, limits: Limits) -> Record:
    number, text, fault = numbered
    if fault:
        return Record(number, None, fault, text[:TEXT_KEPT])
    cells = split_cells(text, shape.separator, quoted=shape.quoted, escape=shape.escape)
    if cells == "open":
        joined = _over_several_lines(lines, text, shape, limits)
        if joined is None:
            return Record(number, None, "a quote that is not closed", text[:TEXT_KEPT])
        cells, text = joined
    if isinstance(cells, str):
        reason, cells = cells, text.split(shape.separator)
        if len(cells) != shape.columns:
            return Record(number, None, reason, text[:TEXT_KEPT])
    if len(cells) != shape.columns:
        return Record(number, None, f"{len(cells)} columns instead of {shape.columns}", text[:TEXT_KEPT])
    return Record(number, cells, "", text[:TEXT_KEPT])


def _over_several_lines(lines: _Lines, text: str, shape: Shape, limits: Limits) -> tuple[list[str], str] | None:
    """Return the cells and text of a record that goes on over the next lines; None, and the lines untouched, if none
    fits.
    """
    taken: list[tuple[int, str, str]] = []
    size = len(text)
    while len(taken) < MOST_LINES_OF_A_RECORD and size <= limits.line_bytes:
        line = lines.next_physical()
        if line is None:
            break
        taken.append(line)
        size += len(line[1]) + 1
        if line[2]:
            break
        if '"' not in line[1]:
            continue
        whole = "\n".join([text, *(part for _, part, _ in taken)])
        cells = split_cells(whole, shape.separator, escape=shape.escape)
        if cells != "open":
            if isinstance(cells, list) and len(cells) == shape.columns:
                return cells, whole
            break
    lines.give_back(taken)
    return None


def _quoted_cell(text: str, at: int) -> tuple[str, int]:
    """Return the cell that begins after an opening quote, and where its closing quote ends; -1 if it has none."""
    parts = []
    while True:
        end = text.find('"', at)
        if end < 0:
            return "", -1
        parts.append(text[at:end])
        if not text.startswith('"', end + 1):
            return '"'.join(parts), end + 1
        at = end + 2


def _escaped_cell(text: str, at: int, escape: str) -> tuple[str, int]:
    """Return the cell that begins after an opening quote, where `escape` stands before quotes that belong to it."""
    letters: list[str] = []
    while at < len(text):
        if text[at] == escape and at + 1 < len(text):
            at += 1
        elif text[at] == '"':
            return "".join(letters), at + 1
        letters.append(text[at])
        at += 1
    return "", -1


def _json_cells(text: str, names: tuple[str, ...]) -> tuple[list[str] | None, str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None, "not valid JSON"
    if not isinstance(found, dict):
        return None, "JSON that is not an object"
    return [json_text(found.get(name)) for name in names], ""


def json_text(value: object) -> str:
    """Return a JSON value as the text of a cell: entries of a list joined by `|`, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(entry, str | int | float) for entry in value):
        return "|".join(str(entry) for entry in value)
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return ""
