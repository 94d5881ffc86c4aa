"""One quick pass over a text file: its digest, its lines, and whether anything in it needs careful reading."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 1 << 23


@dataclass(frozen=True)
class TextScan:
    """What the bytes of a text file say before anything is parsed.

    Args:
        digest: SHA-256 of the file, in hexadecimal.
        lines: Number of physical lines, the last one counted even if nothing ends it.
        plain: True if each physical line is one record or the header: UTF-8 throughout, no blank line, none that begins with
            white space, no zero byte, no carriage return on its own.
        quoted: Whether a double quote occurs.
        doubled_spaces: Whether two spaces follow each other or a space ends a line.
    """

    digest: str
    lines: int
    plain: bool
    quoted: bool
    doubled_spaces: bool


def scan_text(path: Path) -> TextScan:
    """Return the scan of a file, read in blocks of 8 MiB."""
    digest = hashlib.sha256()
    lines, plain, quoted, doubled = 0, True, False, False
    carry, last = b"\n", b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            lines += block.count(b"\n")
            window = carry + block
            plain = plain and _is_plain(window, block)
            quoted = quoted or b'"' in block
            doubled = doubled or b"  " in window or b" \n" in window or b" \r" in window
            carry, last = _tail(window), block[-1:]
    return TextScan(digest.hexdigest(), lines + (last not in {b"", b"\n"}), plain, quoted, doubled)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tail(window: bytes) -> bytes:
    """Return the bytes that the next block must be seen together with: a cut character and the end of a line."""
    return window[-4:]


def _is_plain(window: bytes, block: bytes) -> bool:
    if any(mark in window for mark in (b"\n\n", b"\n\r", b"\n ", b"\n\t", b"\x00")):
        return False
    if b"\r" in block and (b"\r" in window[:-1].replace(b"\r\n", b"")):
        return False
    return block.isascii() or _is_utf8(window)


def _is_utf8(window: bytes) -> bool:
    """Return whether the bytes are UTF-8, a character cut at either end forgiven."""
    start = 0
    while start < min(4, len(window)) and window[start] & 0xC0 == 0x80:
        start += 1
    try:
        window[start:].decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and error.start >= len(window) - start - 4
    return True
