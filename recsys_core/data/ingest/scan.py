"""One quick pass over a text file: its digest, its lines, and whether anything in it needs careful reading."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_BLOCK = 1 << 18
"""A block stays in the processor's cache while it is looked at several times."""
_NEWLINE = ord("\n")


@dataclass(frozen=True)
class TextScan:
    """What the bytes of a text file say before anything is parsed.

    Args:
        digest: SHA-256 of the file, in hexadecimal.
        lines: Number of physical lines without blank ones at the end; the last one counts even if nothing ends it.
        plain: True if the file is UTF-8 throughout, without a zero byte and without a carriage return that ends no
            line.
        quoted: Whether a double quote occurs.
        lettered: Whether a letter that can stand in a number (e, x) occurs after the first line.
        doubled_spaces: Whether two spaces follow each other, or one stands at an end of a line.
    """

    digest: str
    lines: int
    plain: bool
    quoted: bool
    lettered: bool
    doubled_spaces: bool


class TextScanner:
    """Takes the bytes of a file block by block and says at the end what is in them."""

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
        """Look at the next bytes."""
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
        """Return what was found."""
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
        spaces: Whether to look for doubled spaces; if not, `doubled_spaces` is False.
    """
    scanner = TextScanner(spaces=spaces)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            scanner.take(block)
    return scanner.result(_blank_lines_at_end(path))


def _blank_lines_at_end(path: Path) -> int:
    """Return how many line ends follow the end of the last line that is not blank, as far as 64 KiB show."""
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
    """Return whether the bytes are UTF-8, a character cut at either end forgiven."""
    start = 0
    while start < min(4, len(window)) and window[start] & 0xC0 == 0x80:
        start += 1
    try:
        window[start:].decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and error.start >= len(window) - 4
    return True
