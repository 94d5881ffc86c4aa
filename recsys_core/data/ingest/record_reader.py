"""Read a text file record by record: slower than DuckDB, but reliable for malformed files.

A record is one physical line, or several if a quoted cell contains line breaks and the joined lines have exactly as
many cells as the table has columns. Blank lines are not records. If text follows a closing quote, the quotes count as
ordinary characters, provided that this gives the right number of cells.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from recsys_core.data.ingest.encodings import REPLACEMENT
from recsys_core.data.ingest.limits import Limits
from recsys_core.data.ingest.reasons import INVALID_BYTES, LONG, WIDTH
from recsys_core.text import later

MOST_LINES_OF_A_RECORD = 1000
MOST_LEVELS = 4
"""Levels of objects in objects whose keys become columns."""
TEXT_KEPT = 1000
"""Characters of a rejected line that are kept."""


class Record(NamedTuple):
    """A record: number of its first line, cells (None if rejected), rejection reason, and text."""

    line: int
    cells: list[str] | None
    reason: str
    text: str


@dataclass(frozen=True)
class Shape:
    """How records are split into cells.

    Args:
        separator: Cell separator; a space means any run of white space.
        columns: Number of cells that a record must have.
        skip: Number of physical lines before the data (a header, or a line such as `sep=;`).
        quoted: Whether double quotes enclose cells.
        replaced: Whether U+FFFD marks undecodable bytes, so that lines with it are rejected.
        escape: Escape character for quotes inside quoted cells: another quote, or a backslash.
    """

    separator: str
    columns: int
    skip: int
    quoted: bool = True
    replaced: bool = False
    escape: str = '"'


def read_records(path: Path, shape: Shape, limits: Limits) -> Iterator[Record]:
    """Yield every record after the skipped lines, both accepted and rejected."""
    with path.open("rb") as file:
        lines = _Lines(file, limits.line_bytes, replaced=shape.replaced)
        for _ in range(shape.skip):
            lines.next_physical()
        while (numbered := lines.next()) is not None:
            yield _record(lines, numbered, shape, limits)


def read_json_lines(path: Path, names: tuple[str, ...], limits: Limits) -> Iterator[Record]:
    """Yield each line of a JSON Lines file as the cells of the columns `names`; missing or null values are empty."""
    with path.open("rb") as file:
        lines = _Lines(file, limits.line_bytes)
        while (numbered := lines.next()) is not None:
            number, text, fault = numbered
            cells: list[str] | None = None
            if not fault:
                cells, fault = _json_cells(text, names)
            yield Record(number, cells, fault, text[:TEXT_KEPT])


def split_cells(text: str, separator: str, *, quoted: bool = True, escape: str = '"') -> list[str] | str:
    """Return the cells of a record, or "open" if a quote is unclosed, or a rejection reason."""
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
                return later("text after a closing quote")
        else:
            end = text.find(separator, at)
            end = len(text) if end < 0 else end
            cell, at = text[at:end], end
        cells.append(cell)
        if at >= len(text):
            return cells
        at += width


class _Lines:
    """Physical lines of a file without blank ones; lines read ahead can be given back."""

    def __init__(self, file: BinaryIO, longest: int, *, replaced: bool = False) -> None:
        self._file = file
        self._replaced = replaced
        self._longest = longest
        self._number = 0
        self._waiting: list[tuple[int, str, str]] = []

    def next(self) -> tuple[int, str, str] | None:
        """Return number, text and fault of the next non-blank line; None at the end."""
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
        """Return lines that were read ahead; they are read again next."""
        self._waiting = lines + self._waiting

    def _raw(self) -> tuple[bytes | None, bool]:
        raw = self._file.readline(self._longest + 2)
        if not raw:
            return None, False
        too_long = len(raw) > self._longest and not raw.endswith(b"\n")
        if not too_long:
            return raw.removesuffix(b"\n").removesuffix(b"\r"), False
        while (rest := self._file.readline(1 << 20)) and not rest.endswith(b"\n"):
            pass
        return raw[:TEXT_KEPT], True

    def _decoded(self, raw: bytes, *, too_long: bool) -> tuple[str, str]:
        try:
            text, fault = raw.decode("utf-8"), ""
        except UnicodeDecodeError:
            text, fault = raw.decode("utf-8", errors="replace"), INVALID_BYTES
        if too_long:
            return text, LONG.one.format(limit=f"{self._longest:,}")
        if "\x00" in text:
            return text.replace("\x00", "\N{SYMBOL FOR NULL}"), later("NUL byte")
        if self._replaced and REPLACEMENT in text:
            return text, INVALID_BYTES
        return text, fault


def _record(lines: _Lines, numbered: tuple[int, str, str], shape: Shape, limits: Limits) -> Record:
    number, text, fault = numbered
    if fault:
        return Record(number, None, fault, text[:TEXT_KEPT])
    cells = split_cells(text, shape.separator, quoted=shape.quoted, escape=shape.escape)
    if cells == "open":
        joined = _over_several_lines(lines, text, shape, limits)
        if joined is None:
            return Record(number, None, later("unclosed quote"), text[:TEXT_KEPT])
        cells, text = joined
    if isinstance(cells, str):
        reason, cells = cells, text.split(shape.separator)
        if len(cells) != shape.columns:
            return Record(number, None, reason, text[:TEXT_KEPT])
    if len(cells) != shape.columns:
        reason = WIDTH.one.format(columns=len(cells), expected=shape.columns)
        return Record(number, None, reason, text[:TEXT_KEPT])
    return Record(number, cells, "", text[:TEXT_KEPT])


def _over_several_lines(lines: _Lines, text: str, shape: Shape, limits: Limits) -> tuple[list[str], str] | None:
    """Return cells and text of a record that spans the next lines; None, with the lines given back, if none fits."""
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
    """Return the cell after an opening quote, and the position after its closing quote; -1 if it is unclosed."""
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
    """Return the cell after an opening quote like `_quoted_cell`, with inner quotes escaped by `escape`."""
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
        return None, later("invalid JSON")
    if not isinstance(found, dict):
        return None, later("JSON value is not an object")
    return [json_text(value_at(found, name)) for name in names], ""


def value_at(record: Mapping[str, object], name: str) -> object:
    """Return the value of a key, or of a path such as `properties.product_id`; None if there is none."""
    if name in record:
        return record[name]
    for place, letter in enumerate(name):
        if letter == "." and isinstance(inner := record.get(name[:place]), dict):
            return value_at(inner, name[place + 1 :])
    return None


def paths_of(record: Mapping[str, object], *, deepest: int = MOST_LEVELS) -> Iterator[str]:
    """Yield the keys of an object, those of the objects in it as paths for `value_at`."""
    for name, value in record.items():
        if isinstance(value, dict) and value and deepest > 1 and not _is_typed(value):
            yield from (f"{name}.{path}" for path in paths_of(value, deepest=deepest - 1))
        else:
            yield name


def _is_typed(value: Mapping[str, object]) -> bool:
    """Return whether an object only states the type of one value, such as `{"$oid": "5f0c"}` in exports of MongoDB."""
    return len(value) == 1 and next(iter(value)).startswith("$")


def json_text(value: object) -> str:
    """Return a JSON value as cell text: list entries joined by `|`, null as an empty cell."""
    while isinstance(value, dict) and _is_typed(value):
        (value,) = value.values()
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
