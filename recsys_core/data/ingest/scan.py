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


class TextScanner:
    """Scans the bytes of a file block by block."""

    def __init__(self, *, spaces: bool) -> None:
        self._spaces = spaces
        self._digest = hashlib.sha256()
        self._lines = 0
        self._plain = True
        self._quoted = False
        self._lettered = False
        self._doubled = False
        self._tail = b"\n"

    def take(self, block: bytes) -> None:
        """Scan the next bytes."""
        first = not self._lines
        window = self._tail + block
        self._digest.update(block)
        self._lines += int(np.count_nonzero(np.frombuffer(block, dtype=np.uint8) == _NEWLINE))
        self._quoted = self._quoted or b'"' in block
        self._plain = self._plain and b"\x00" not in block and self._returns_end_lines(block, window)
        self._plain = self._plain and (block.isascii() or _is_utf8(window))
        rows = block[block.find(b"\n") + 1 :] if first else block
        self._lettered = self._lettered or any(letter in rows for letter in (b"e", b"E", b"x", b"X"))
        if self._spaces:
            self._doubled = self._doubled or any(pair in window for pair in (b"  ", b" \n", b"\n ", b" \r"))
        self._tail = window[-4:]

    def result(self, blank_lines_at_end: int) -> TextScan:
        """Return the scan."""
        ended = self._tail.endswith(b"\n")
        lines = self._lines + (not ended) - blank_lines_at_end
        return TextScan(self._digest.hexdigest(), lines, self._plain, self._quoted, self._lettered, self._doubled)

    def _returns_end_lines(self, block: bytes, window: bytes) -> bool:
        if b"\r" not in block and not self._tail.endswith(b"\r"):
            return True
        inner = window.removesuffix(b"\r")
        return inner.count(b"\r") == inner.count(b"\r\n")


def scan_text(path: Path, *, spaces: bool = False) -> TextScan:
    """Return the scan of a file, read in small blocks.

    Args:
        path: The file.
        spaces: Whether to detect doubled spaces; else `doubled_spaces` is False.
    """
    scanner = TextScanner(spaces=spaces)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            scanner.take(block)
    return scanner.result(_blank_lines_at_end(path))


def _blank_lines_at_end(path: Path) -> int:
    """Return the number of trailing blank lines, within the last 64 KiB."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - (1 << 16)))
        end = file.read()
    rest = end[len(end.rstrip(b"\r\n")) :]
    return max(0, rest.count(b"\n") - 1)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
