"""Buffer rejected rows while a file is read: line numbers and reason codes in arrays, compact enough for millions."""

import numpy as np

from recsys_core.contracts import IntArray


class Rejections:
    """Rejected rows of one file, each with the column at fault and the reason."""

    def __init__(self) -> None:
        self._causes: dict[tuple[str, str], int] = {}
        self._lines: list[IntArray] = []
        self._codes: list[IntArray] = []

    def add(self, lines: IntArray, column: str, reason: str) -> None:
        """Add rows by line number; a reason must be a fixed phrase without row-specific values."""
        if not len(lines):
            return
        code = self._causes.setdefault((column, reason), len(self._causes))
        self._lines.append(np.asarray(lines, dtype=np.int64))
        self._codes.append(np.full(len(lines), code, dtype=np.int32))

    def __len__(self) -> int:
        return sum(map(len, self._lines))

    def sorted(self) -> tuple[IntArray, IntArray]:
        """Return sorted line numbers and the cause code of each."""
        if not self._lines:
            return np.empty(0, np.int64), np.empty(0, np.int32)
        lines, codes = np.concatenate(self._lines), np.concatenate(self._codes)
        order = np.argsort(lines, kind="stable")
        return lines[order], codes[order]

    def causes(self) -> list[tuple[str, str]]:
        """Return column and reason of each cause, by code."""
        return list(self._causes)

    def reasons(self) -> dict[str, int]:
        """Return the number of rejected rows by reason."""
        counts: dict[str, int] = {}
        _, codes = self.sorted()
        for (column, reason), count in zip(self.causes(), np.bincount(codes, minlength=len(self._causes)), strict=True):
            phrase = f"{column}: {reason}" if column else reason
            counts[phrase] = counts.get(phrase, 0) + int(count)
        return counts


def skip_missing(ordinals: IntArray, missing: IntArray) -> IntArray:
    """Return the original row numbers of the n-th remaining rows after `missing` rows were removed.

    Args:
        ordinals: (N,) numbers among the remaining rows, from 0.
        missing: (M,) removed rows, in increasing order.

    Returns:
        (N,) numbers among all rows.
    """
    before = missing - np.arange(len(missing))
    return ordinals + np.searchsorted(before, ordinals, side="right")


class LineMap:
    """Maps the n-th row read to its line number, stored as runs of consecutive lines."""

    def __init__(self) -> None:
        self._rows = 0
        self._starts: list[IntArray] = []
        self._lines: list[IntArray] = []

    def add(self, lines: IntArray) -> None:
        """Append rows by increasing line numbers."""
        if not len(lines):
            return
        begins = np.flatnonzero(np.concatenate([[True], np.diff(lines) != 1]))
        self._starts.append(begins + self._rows)
        self._lines.append(lines[begins])
        self._rows += len(lines)

    def lines(self, rows: IntArray) -> IntArray:
        """Return the line numbers of rows."""
        if not len(rows):
            return np.empty(0, np.int64)
        starts, lines = np.concatenate(self._starts), np.concatenate(self._lines)
        run = np.searchsorted(starts, rows, side="right") - 1
        return np.asarray(lines[run] + (rows - starts[run]), dtype=np.int64)
