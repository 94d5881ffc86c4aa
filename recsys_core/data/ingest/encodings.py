"""Detect text encodings, and convert those that DuckDB does not read to UTF-8."""

import codecs
import re
from pathlib import Path

from charset_normalizer import from_bytes

from recsys_core.errors import DataError
from recsys_core.text import _

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "gb18030", "latin-1", "cp1252", "cp1251", "shift_jis", "euc_kr", "big5")
"""Encodings that the user can choose."""

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_BLOCK = 1 << 22
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def byte_order_mark(start: bytes) -> bytes:
    """Return the byte order mark at the start of a file, empty if there is none."""
    return next((mark for mark, _ in _BOMS if start.startswith(mark)), b"")


def guess_encoding(sample: bytes) -> str:
    """Return the most likely encoding of a text, one of `ENCODINGS`.

    In this order: byte order mark, zero bytes of UTF-16, valid UTF-8, letter statistics. A UTF-8 text with a few
    broken lines stays UTF-8; those lines are rejected individually.

    Args:
        sample: Bytes from the start of the file; a character cut off at the end is tolerated.
    """
    for mark, encoding in _BOMS:
        if sample.startswith(mark):
            return encoding
    if (wide := _utf16_without_mark(sample)) is not None:
        return wide
    if decodes(sample, "utf-8") or _mostly_utf8(sample):
        return "utf-8"
    if decodes(sample, "gb18030") and _reads_as_chinese(sample):
        return "gb18030"
    best = from_bytes(
        _telling_lines(sample), cp_isolation=["cp1252", "cp1251", "shift_jis", "euc_kr", "big5", "gb18030"]
    ).best()
    found = str(best.encoding) if best is not None else "latin-1"
    return found if found in ENCODINGS and found != "gb18030" and not _western(sample) else "latin-1"


def decodes(sample: bytes, encoding: str) -> bool:
    """Return whether the bytes are valid in this encoding, apart from a character cut off at the end."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample, final=False)
    except UnicodeDecodeError:
        return False
    return True


def transcode(source: Path, encoding: str, target: Path, *, carriage_returns: bool = False) -> bool:
    """Write `source` as UTF-8 to `target`, block by block.

    Args:
        source: The file.
        encoding: Its encoding.
        target: Where to write.
        carriage_returns: Whether lines end in carriage returns only, as on classic Mac OS.

    Returns:
        Whether some bytes were invalid in this encoding. They became U+FFFD; lines that contain it must be rejected.

    Raises:
        DataError: The encoding is unknown.
    """
    try:
        decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    except LookupError as error:
        raise DataError(
            _("There is no encoding '{encoding}'. Known: {encodings}.").format(
                encoding=encoding, encodings=", ".join(ENCODINGS)
            )
        ) from error
    replaced = False
    with source.open("rb") as reading, target.open("wb") as writing:
        reading.seek(len(byte_order_mark(reading.read(4))))
        final = False
        while not final:
            block = reading.read(_BLOCK)
            final = not block
            text = decoder.decode(block, final=final)
            replaced = replaced or REPLACEMENT in text
            if carriage_returns:
                text = text.replace("\r", "\n")
            writing.write(text.encode("utf-8", errors="replace"))
    return replaced


def _utf16_without_mark(sample: bytes) -> str | None:
    """Return the UTF-16 variant whose high bytes are mostly zero, as in text with separators and digits; else None."""
    even, odd = sample[0::2], sample[1::2]
    if not odd:
        return None
    zeros, others = odd.count(0) / len(odd), even.count(0) / len(even)
    encoding = "utf-16-le" if zeros > others else "utf-16-be"
    return encoding if max(zeros, others) > 0.3 and min(zeros, others) < 0.02 and decodes(sample, encoding) else None


def _mostly_utf8(sample: bytes) -> bool:
    """Return whether at least half of the non-ASCII lines are valid UTF-8; none of them ends within a letter."""
    beyond = [line for line in sample.split(b"\n") if not line.isascii()]
    valid = sum(decodes(line + b"\n", "utf-8") for line in beyond)
    return valid * 2 >= len(beyond) and valid > 0


def _telling_lines(sample: bytes) -> bytes:
    return b"\n".join([line for line in sample.split(b"\n") if not line.isascii()][:2000])


def _reads_as_chinese(sample: bytes) -> bool:
    """Return whether most non-ASCII letters are common Chinese characters (GB 2312 level 1: the 3755 most used)."""
    text = _telling_lines(sample).decode("gb18030", errors="ignore")
    beyond = [letter for letter in text if ord(letter) > 127]
    common = sum(1 for letter in beyond if _is_common_chinese(letter))
    return bool(beyond) and common >= 0.7 * len(beyond)


def _is_common_chinese(letter: str) -> bool:
    code = letter.encode("gb18030")
    return len(code) == 2 and (0xB0 <= code[0] <= 0xD7 or 0xA1 <= code[0] <= 0xA3) and code[1] >= 0xA1


def _western(sample: bytes) -> bool:
    """Return whether non-ASCII letters are mostly isolated among ASCII letters, as accented letters are."""
    text = _telling_lines(sample)
    beyond = sum(1 for byte in text if byte > 127)
    alone = len(re.findall(rb"(?<![\x80-\xff])[\xa0-\xff](?![\x80-\xff])", text))
    return alone * 2 >= beyond
