"""A look at the start and the middle of a file: enough to guess how it is to be read, never more than a few
megabytes.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from recsys_core.data.ingest.encodings import byte_order_mark, guess_encoding
from recsys_core.data.ingest.limits import Limits
from recsys_core.data.ingest.record_reader import json_text, split_cells
from recsys_core.data.ingest.workbooks import workbook_to_read
from recsys_core.errors import DataError

SEPARATORS = ("::", "\t", ";", "|", ",", " ")
_HEAD = 1 << 20
_PIECE = 1 << 16
_PIECES = 12
_HEAD_LINES = 8000
_PIECE_LINES = 1000
_LINES_OF_A_RECORD = 20
_EXCEL_DIGITS = 1e15
_ENOUGH_TO_VALIDATE = 64 << 20


@dataclass(frozen=True)
class TextSample:
    """Some lines of a text file.

    Args:
        encoding: What it is written in.
        lines: The first lines, then some from further on; blank ones left out. Line breaks within quotes are not seen
            here.
        numbers: Number, from 1, of each line that comes from the beginning of the file; the others have none.
        old_mac: Whether lines end in carriage returns alone.
    """

    encoding: str
    lines: list[str]
    numbers: list[int]
    old_mac: bool


def sample_text(path: Path, limits: Limits, encoding: str | None = None) -> TextSample:
    """Return some lines of a text file.

    Raises:
        DataError: The file is empty, not text, or its first line is longer than allowed.
    """
    head, pieces = _bytes_of(path)
    if not head.strip(b"\x00\r\n\t \xef\xbb\xbf\xff\xfe"):
        raise DataError(f"'{path.name}' is empty: it holds no lines.")
    encoding = encoding or guess_encoding(_to_judge(path, head))
    if not encoding.startswith("utf-16") and head.count(0) > len(head) // 100:
        raise DataError(f"'{path.name}' is not text: it is full of NUL bytes. Take CSV, Parquet, JSON lines or Excel.")
    mark = len(byte_order_mark(head))
    first = head[mark:].lstrip(b"\r\n")
    goes_on = len(first) > limits.line_bytes or path.stat().st_size > len(head)
    if goes_on and first.find(b"\n", 0, limits.line_bytes) < 0 and b"\r" not in first[: limits.line_bytes]:
        raise DataError(
            f"The first line of '{path.name}' is longer than {limits.line_bytes:,} bytes: "
            "this is not a table with one row a line, or its lines are not ended."
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
        raise DataError(f"'{path.name}' is empty: it holds no lines.")
    return TextSample(encoding, lines, numbers, old_mac)


def guess_separator(lines: Sequence[str]) -> str:
    """Return the separator that cuts most lines into the same number of cells, at least two.

    One that cuts the first line, perhaps the header, likewise has an advantage.
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
    """Return the cells of each record in some lines; a quoted cell may go on over the next few lines."""
    return [cells for _, cells in sample_records(lines, separator, quoted=quoted)]


def sample_records(
    lines: Sequence[str], separator: str, *, quoted: bool = True, escape: str = '"'
) -> list[tuple[int, list[str]]]:
    """Return the records in some lines: the place of the last line of each, and its cells."""
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
    """Return the number of cells that most rows have."""
    return Counter(map(len, rows)).most_common(1)[0][0]


def sample_json_lines(lines: Sequence[str], most_columns: int, file: str) -> tuple[tuple[str, ...], list[list[str]]]:
    """Return the names that the objects of some JSON lines have, and their values as text cells.

    Raises:
        DataError: They have more than `most_columns` names.
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
            names |= dict.fromkeys(value)
            if len(names) > most_columns:
                raise DataError(f"'{file}' has more than {most_columns:,} columns; no more are read.")
    return tuple(names), [[json_text(value.get(name)) for name in names] for value in found]


def excel_rows(path: Path, limits: Limits) -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of each row of the first sheet that is not empty.

    Raises:
        DataError: The file is too large to be held in memory, or no workbook.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    if path.stat().st_size > limits.excel_bytes:
        raise DataError(
            f"'{path.name}' is larger than {limits.excel_bytes:,} bytes; save large tables as CSV or Parquet."
        )
    readable = workbook_to_read(path, limits)
    try:
        sheet = CalamineWorkbook.from_path(str(readable)).get_sheet_by_index(0)
    except (CalamineError, OSError, IndexError, ValueError) as error:
        raise DataError(f"'{path.name}' cannot be read as an Excel workbook: {error}.") from error
    finally:
        if readable != path:
            readable.unlink(missing_ok=True)
    if sheet.total_width > limits.columns:
        raise DataError(f"'{path.name}' has {sheet.total_width:,} columns; at most {limits.columns:,} are read.")
    before = [""] * (sheet.start[1] if sheet.start else 0)
    for number, row in enumerate(sheet.iter_rows(), start=1):
        cells = [*before, *(_excel_cell(value) for value in row)]
        if any(cells):
            yield number, cells


def _excel_cell(value: object) -> str:
    """Return a cell as text. Excel keeps 15 digits of a number: a longer one is shown with its exponent, since its last
    digits are not those that were typed.
    """
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
    """Return what the encoding is judged by: the whole of a file of ordinary size, for an accent may stand near its
    end.
    """
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
