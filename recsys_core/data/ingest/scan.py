"""One fast pass over a text file: digest, line count, and whether it needs the careful reader."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_BLOCK = 1 << 18
"""Small enough to stay in the CPU cache while a block is scanned several times."""
_NEWLINE = ord("\n")


@dataclass(frozen=True)
class TextScan:
    """Facts about the bytes of a text file.

    Args:
        digest: SHA-256 of the file, in hexadecimal.
        lines: Number of physical lines without trailing blank ones; an unterminated last line counts.
        plain: Whether the file is valid UTF-8 without NUL bytes and without carriage returns inside lines.
        quoted: Whether a double quote occurs.
        lettered: Whether a letter that can occur in a number (e, x) appears after the first line.
        doubled_spaces: Whether there are consecutive, leading or trailing spaces.
    """

    digest: str
    lines: int
    plain: bool
    quoted: bool
    lettered: bool
    doubled_spaces: bool


def scan_text(path: Path, *, spaces: bool = False) -> TextScan:
    """Return the scan of a file, read in small blocks.

    Args:
        path: The file.
        spaces: Whether to detect doubled spaces; else `doubled_spaces` is False.
    """
    digest, lines, tail = hashlib.sha256(), 0, b"\n"
    plain, quoted, lettered, doubled = True, False, False, False
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            window = tail + block
            rows = block if lines else block[block.find(b"\n") + 1 :]
            digest.update(block)
            lines += int(np.count_nonzero(np.frombuffer(block, dtype=np.uint8) == _NEWLINE))
            quoted = quoted or b'"' in block
            plain = plain and b"\x00" not in block and _returns_end_lines(tail, block)
            plain = plain and (block.isascii() or _is_utf8(window))
            lettered = lettered or any(letter in rows for letter in (b"e", b"E", b"x", b"X"))
            doubled = doubled or (spaces and any(pair in window for pair in (b"  ", b" \n", b"\n ", b" \r")))
            tail = window[-4:]
    lines += (not tail.endswith(b"\n")) - _blank_lines_at_end(path)
    return TextScan(digest.hexdigest(), lines, plain, quoted, lettered, doubled)


def _returns_end_lines(tail: bytes, block: bytes) -> bool:
    """Return whether carriage returns occur only before line feeds, in a block after the end `tail` of another one."""
    if b"\r" not in block and not tail.endswith(b"\r"):
        return True
    inner = (tail + block).removesuffix(b"\r")
    return inner.count(b"\r") == inner.count(b"\r\n")


def _blank_lines_at_end(path: Path) -> int:
    """Return the number of trailing blank lines, within the last 64 KiB."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - (1 << 16)))
        end = file.read()
    rest = end[len(end.rstrip(b"\r\n")) :]
    return max(0, rest.count(b"\n") - 1)


def _is_utf8(window: bytes) -> bool:
    """Return whether the bytes are UTF-8; a character cut at either end is tolerated."""
    start = 0
    while start < min(4, len(window)) and window[start] & 0xC0 == 0x80:
        start += 1
    try:
        window[start:].decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and error.start >= len(window) - 4
    return True
