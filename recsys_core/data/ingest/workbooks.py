"""Check the size of an Excel workbook before a library allocates memory for it.

Libraries hold the whole used range of a sheet, so a single far-out cell can require terabytes. Rows with the same
number would overwrite each other; such sheets are read from a copy with renumbered rows.
"""

import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from recsys_core.data.ingest.archives import refuse_overlaps
from recsys_core.data.ingest.limits import Limits
from recsys_core.errors import DataError
from recsys_core.text import _

_BLOCK = 1 << 22
_TAG_BYTES = 1 << 14
"""Maximum tag length; the end of a block that may contain a partial tag is scanned with the next block."""
_SHEET = re.compile(rb"<(?:\w+:)?worksheet[\s>]")
_ROW = re.compile(rb"<(?:\w+:)?row(?=[\s>/])(?:[^>]*?\sr\s*=\s*[\"'](\d{1,18})[\"'])?")
_CELL = re.compile(rb"<(?:\w+:)?c\s[^>]*?\br\s*=\s*[\"']([A-Za-z]{1,9})(\d{1,18})[\"']")
_NUMBER = re.compile(
    rb"(<(?:\w+:)?row(?=[\s>/])[^>]*?\sr\s*=\s*[\"'])\d+|(<(?:\w+:)?row(?=[\s>/]))"
    rb"|(<(?:\w+:)?c\s[^>]*?\br\s*=\s*[\"'][A-Za-z]{1,9})\d+"
)
"""The row number in a row tag, a row tag without number, and the row number in a cell tag."""


@dataclass
class Sheet:
    """Size of one sheet, from its tags.

    Args:
        rows: Number of rows, numbered or not.
        last_row: Largest row number.
        last_column: Largest column number, from 1.
        far_cell: The outermost cell.
        repeated: Whether row numbers are not strictly increasing.
    """

    rows: int = 0
    last_row: int = 0
    last_column: int = 0
    far_cell: str = ""
    repeated: bool = False
    _letters: dict[bytes, int] = field(default_factory=dict)

    def take(self, block: bytes) -> None:
        """Scan a block of complete tags."""
        for match in _ROW.finditer(block):
            self.rows += 1
            number = int(match[1]) if match[1] else self.last_row + 1
            self.repeated = self.repeated or number <= self.last_row
            self.last_row = max(self.last_row, number)
        for letters, digits in set(_CELL.findall(block)):
            column = self._letters.setdefault(letters, _column_number(letters))
            if column > self.last_column or int(digits) > self.last_row:
                self.far_cell = (letters + digits).decode()
            self.last_column = max(self.last_column, column)
            self.last_row = max(self.last_row, int(digits))

    @property
    def cells(self) -> int:
        """Number of cells in the used range."""
        return max(self.rows, self.last_row) * max(1, self.last_column)


def workbook_to_read(path: Path, limits: Limits) -> Path:
    """Return the workbook to read: the file itself, or a temporary copy with renumbered rows.

    Raises:
        DataError: The workbook is a zip bomb, damaged, or larger than allowed.
    """
    if not zipfile.is_zipfile(path):
        return path
    try:
        with zipfile.ZipFile(path) as archive:
            refuse_overlaps(path.name, archive.infolist())
            sheets = _sheets(archive, path.name, limits)
            for sheet in sheets.values():
                _refuse_large(sheet, path.name, limits)
            repeated = [name for name, sheet in sheets.items() if sheet.repeated]
            return _renumbered(archive, repeated) if repeated else path
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(
            _("'{path_name}' is a broken or password-protected Excel workbook: {error}.").format(
                path_name=path.name, error=error
            )
        ) from error


def _sheets(archive: zipfile.ZipFile, name: str, limits: Limits) -> dict[str, Sheet]:
    """Return the size of each sheet, counting all bytes of the workbook as they are unpacked."""
    found: dict[str, Sheet] = {}
    left = limits.excel_unpacked_bytes
    for info in archive.infolist():
        with archive.open(info) as part:
            for number, block in enumerate(_whole_tags(part)):
                left -= len(block)
                if left < 0:
                    raise DataError(
                        _("'{name}' unpacks to more than {excel_unpacked_bytes:,} bytes; save it as CSV.").format(
                            name=name, excel_unpacked_bytes=limits.excel_unpacked_bytes
                        )
                    )
                if number == 0 and _SHEET.search(block, 0, _TAG_BYTES):
                    found[info.filename] = Sheet()
                if info.filename in found:
                    found[info.filename].take(block)
    return found


def _whole_tags(part: IO[bytes]) -> Iterator[bytes]:
    """Yield a part in blocks that end between two tags, except for tags that are too long."""
    tail = b""
    while block := part.read(_BLOCK):
        whole = tail + block
        cut = whole.rfind(b"<", max(0, len(whole) - _TAG_BYTES))  # the last tag may continue in the next block
        cut = cut if cut > 0 else len(whole)
        yield whole[:cut]
        tail = whole[cut:]
    yield tail


def _refuse_large(sheet: Sheet, name: str, limits: Limits) -> None:
    if sheet.last_column > limits.columns and sheet.cells <= limits.excel_cells:
        raise DataError(
            _("'{name}' has {last_column:,} columns; at most {columns:,} are read.").format(
                name=name, last_column=sheet.last_column, columns=limits.columns
            )
        )
    if sheet.cells > limits.excel_cells:
        far = f" A far-out cell ({sheet.far_cell}) may be the cause: delete it." if sheet.far_cell else ""
        raise DataError(
            _(
                "The sheet of '{name}' spans {rows:,} rows and {last_column:,} columns; at most "
                "{excel_cells:,} cells are read.{far} Alternatively, save it as CSV or Parquet."
            ).format(
                name=name,
                rows=max(sheet.rows, sheet.last_row),
                last_column=sheet.last_column,
                excel_cells=limits.excel_cells,
                far=far,
            )
        )


def _renumbered(archive: zipfile.ZipFile, sheets: list[str]) -> Path:
    """Write a copy of a workbook with the rows of some sheets renumbered from 1."""
    with tempfile.NamedTemporaryFile(prefix="recscope-", suffix=".xlsx", delete=False) as file:
        target = Path(file.name)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy:
        for info in archive.infolist():
            with archive.open(info) as part, copy.open(info.filename, "w", force_zip64=True) as written:
                if info.filename in sheets:
                    written.writelines(_numbered(part))
                else:
                    shutil.copyfileobj(part, written, _BLOCK)
    return target


def _numbered(part: IO[bytes]) -> Iterator[bytes]:
    """Yield a sheet block by block with its rows renumbered from 1."""
    row = 0

    def number(match: re.Match[bytes]) -> bytes:
        nonlocal row
        if match[3]:
            return match[3] + b"%d" % max(1, row)
        row += 1
        return match[1] + b"%d" % row if match[1] else match[2] + b' r="%d"' % row

    for block in _whole_tags(part):
        yield _NUMBER.sub(number, block)


def _column_number(letters: bytes) -> int:
    """Return the column number of column letters: A is 1, XFD is 16384."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number
