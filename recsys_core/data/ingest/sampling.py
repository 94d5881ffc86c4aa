"""Sample the start and some later pieces of a file: enough to infer its format, at most a few megabytes."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys_core.data.ingest.encodings import byte_order_mark, guess_encoding
from recsys_core.data.ingest.limits import Limits
from recsys_core.data.ingest.record_reader import json_text, paths_of, split_cells, value_at
from recsys_core.data.ingest.workbooks import workbook_to_read
from recsys_core.errors import DataError
from recsys_core.text import _

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

SEPARATORS = ("::", "\t", ";", "|", ",", "^", "\x01", " ")
_HEAD = 1 << 20
_PIECE = 1 << 16
_PIECES = 12
_HEAD_LINES = 8000
_PIECE_LINES = 1000
_LINES_OF_A_RECORD = 20
_EXCEL_DIGITS = 1e15
_LEAST = 2
"""Fewest rows and columns of a sheet that holds a table."""
_ENOUGH_TO_VALIDATE = 64 << 20


@dataclass(frozen=True)
class TextSample:
    """Sample lines of a text file.

    Args:
        encoding: Text encoding.
        lines: The first lines, then some later ones, without blank lines. Line breaks inside quotes are not handled.
        numbers: Line number, from 1, of each line from the beginning of the file; later lines have none.
        old_mac: Whether lines end in carriage returns only.
    """

    encoding: str
    lines: list[str]
    numbers: list[int]
    old_mac: bool


def sample_text(path: Path, limits: Limits, encoding: str | None = None) -> TextSample:
    """Return sample lines of a text file.

    Raises:
        DataError: The file is empty, not text, or its first line is too long.
    """
    head, pieces = _bytes_of(path)
    if not head.strip(b"\x00\r\n\t \xef\xbb\xbf\xff\xfe"):
        raise DataError(_("'{path_name}' is empty.").format(path_name=path.name))
    encoding = encoding or guess_encoding(_to_judge(path, head))
    if not encoding.startswith("utf-16") and head.count(0) > len(head) // 100:
        raise DataError(
            _("'{path_name}' is a binary file. Use CSV, Parquet, JSON or Excel.").format(path_name=path.name)
        )
    mark = len(byte_order_mark(head))
    first = head[mark:].lstrip(b"\r\n")
    goes_on = len(first) > limits.line_bytes or path.stat().st_size > len(head)
    if goes_on and first.find(b"\n", 0, limits.line_bytes) < 0 and b"\r" not in first[: limits.line_bytes]:
        raise DataError(
            _(
                "The first line of '{path_name}' is longer than {line_bytes:,} bytes: it is not a "
                "table with one row per line, or line breaks are missing."
            ).format(path_name=path.name, line_bytes=limits.line_bytes)
        )
    text = head[mark:].decode(encoding, errors="replace")
    old_mac = "\n" not in text and "\r" in text
    lines = _lines(text, old_mac=old_mac, whole=len(head) < _HEAD)[:_HEAD_LINES]
    numbers = [number for number, line in enumerate(lines, 1) if line.strip()]
    if not encoding.startswith("utf-16"):
        for piece in pieces:
            lines += _lines(piece.decode(encoding, errors="replace"), old_mac=old_mac, whole=False)[1:_PIECE_LINES]
    lines = [line for line in lines if line.strip()]
    if not lines:
        raise DataError(_("'{path_name}' is empty.").format(path_name=path.name))
    return TextSample(encoding, lines, numbers, old_mac)


def guess_separator(lines: Sequence[str]) -> str:
    """Return the separator that splits most lines into the same number of cells, at least two.

    Separators that split the first line, possibly the header, into the same number are favored.
    """
    best, best_score = "", 0.0
    for separator in SEPARATORS:
        widths = [len(cells) for cells in sample_cells(lines[:2000], separator)]
        counted = Counter(width for width in widths if width > 1)
        if not counted:
            continue
        width, agreeing = counted.most_common(1)[0]
        score = agreeing / len(widths) * (1.25 if widths[0] == width else 1.0)
        if score > best_score * 1.1:
            best, best_score = separator, score
    return best or ","


def sample_cells(lines: Sequence[str], separator: str, *, quoted: bool = True) -> list[list[str]]:
    """Return the cells of each record in some lines; a quoted cell may span a few lines."""
    return [cells for _, cells in sample_records(lines, separator, quoted=quoted)]


def sample_records(
    lines: Sequence[str], separator: str, *, quoted: bool = True, escape: str = '"'
) -> list[tuple[int, list[str]]]:
    """Return the records in some lines: index of the last line, and cells."""
    found: list[tuple[int, list[str]]] = []
    at = 0
    while at < len(lines):
        cells = split_cells(lines[at], separator, quoted=quoted, escape=escape)
        taken = 1
        while cells == "open" and taken < _LINES_OF_A_RECORD and at + taken < len(lines):
            taken += 1
            cells = split_cells("\n".join(lines[at : at + taken]), separator, escape=escape)
        if not isinstance(cells, list):
            cells, taken = lines[at].split(separator), 1
        at += taken
        found.append((at - 1, cells))
    return found


def most_common_width(rows: Sequence[Sequence[str]]) -> int:
    """Return the most frequent number of cells per row."""
    return Counter(map(len, rows)).most_common(1)[0][0]


def sample_json_lines(
    lines: Sequence[str], most_columns: int, file: str, *, deep: bool = False
) -> tuple[tuple[str, ...], list[list[str]]]:
    """Return the keys of the objects in some JSON lines, and their values as text cells.

    Args:
        lines: The lines.
        most_columns: Maximum number of keys.
        file: Display name of the file.
        deep: Whether objects in these objects are replaced by their keys.

    Raises:
        DataError: There are more than `most_columns` keys.
    """
    found: list[dict[str, Any]] = []
    names: dict[str, None] = {}
    for line in lines[:5000]:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(value)
            names |= dict.fromkeys(paths_of(value) if deep else value)
            if len(names) > most_columns:
                raise DataError(
                    _("'{file}' has more than {most_columns:,} columns, the maximum.").format(
                        file=file, most_columns=most_columns
                    )
                )
    return tuple(names), [[json_text(value_at(value, name)) for name in names] for value in found]


def excel_rows(path: Path, limits: Limits) -> Iterator[tuple[int, list[str]]]:
    """Return number and cells of each non-empty row of the first sheet that holds a table.

    Raises:
        DataError: The file exceeds a limit, or is not a workbook.
    """
    with _workbook(path, limits) as book:
        sheet = next(_tables(book), None) or book.get_sheet_by_index(0)
    return _rows(path, sheet, limits)


def excel_sheets(path: Path, limits: Limits) -> tuple[Iterator[tuple[int, list[str]]], list[str]]:
    """Return what `excel_rows` does, and the names of all sheets that hold a table; the workbook is opened once.

    Raises:
        DataError: The file exceeds a limit, or is not a workbook.
    """
    first, names = None, []
    with _workbook(path, limits) as book:
        for sheet in _tables(book):
            first = first or sheet
            names.append(sheet.name)
        first = first or book.get_sheet_by_index(0)
    return _rows(path, first, limits), names


def _rows(path: Path, sheet: "CalamineSheet", limits: Limits) -> Iterator[tuple[int, list[str]]]:
    if sheet.total_width > limits.columns:
        raise DataError(
            _("'{path_name}' has {total_width:,} columns; at most {columns:,} are read.").format(
                path_name=path.name, total_width=sheet.total_width, columns=limits.columns
            )
        )
    before = [""] * (sheet.start[1] if sheet.start else 0)
    for number, row in enumerate(sheet.iter_rows(), start=1):
        cells = [*before, *(_excel_cell(value) for value in row)]
        if any(cells):
            yield number, cells


@contextmanager
def _workbook(path: Path, limits: Limits) -> Iterator["CalamineWorkbook"]:
    """Open a workbook; faults of its sheets become a `DataError`."""
    from python_calamine import CalamineError, CalamineWorkbook

    if path.stat().st_size > limits.excel_bytes:
        raise DataError(
            _("'{path_name}' is larger than {excel_bytes:,} bytes; save large tables as CSV or Parquet.").format(
                path_name=path.name, excel_bytes=limits.excel_bytes
            )
        )
    readable = workbook_to_read(path, limits)
    try:
        yield CalamineWorkbook.from_path(str(readable))
    except (CalamineError, OSError, IndexError, ValueError) as error:
        raise DataError(
            _("'{path_name}' cannot be read as an Excel workbook: {error}.").format(path_name=path.name, error=error)
        ) from error
    finally:
        if readable != path:
            readable.unlink(missing_ok=True)


def _tables(book: "CalamineWorkbook") -> Iterator["CalamineSheet"]:
    """Yield the sheets with at least two rows and two columns."""
    for number in range(len(book.sheet_names)):
        sheet = book.get_sheet_by_index(number)
        if sheet.height >= _LEAST and sheet.width >= _LEAST:
            yield sheet


def _excel_cell(value: object) -> str:
    """Return a cell as text. Excel keeps 15 digits, so longer numbers get an exponent: their last digits are lost."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value)) if abs(value) < _EXCEL_DIGITS else _with_exponent(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)


def _with_exponent(value: float) -> str:
    mantissa, _, exponent = f"{value:.16e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{exponent}"


def _bytes_of(path: Path) -> tuple[bytes, list[bytes]]:
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD)
        pieces = []
        for number in range(1, _PIECES + 1) if size > 2 * _HEAD else ():
            file.seek(_HEAD + (size - _HEAD - _PIECE) * number // _PIECES)
            pieces.append(file.read(_PIECE))
    return head, pieces


def _to_judge(path: Path, head: bytes) -> bytes:
    """Return the bytes that determine the encoding: non-ASCII lines from up to 64 MiB, since accents may occur late."""
    if path.stat().st_size <= len(head) or head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head
    beyond = bytearray()
    with path.open("rb") as file:
        while file.tell() < _ENOUGH_TO_VALIDATE and len(beyond) < 4 * _HEAD and (block := file.read(_HEAD)):
            if not block.isascii():
                beyond += (
                    b"\n".join(line for line in (block + file.readline(_PIECE)).split(b"\n") if not line.isascii())
                    + b"\n"
                )
    return head[:_PIECE] + b"\n" + bytes(beyond)


def _lines(text: str, *, old_mac: bool, whole: bool) -> list[str]:
    lines = text.split("\r" if old_mac else "\n")
    if not whole and len(lines) > 1:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]
