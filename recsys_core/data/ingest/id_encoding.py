"""Encode identifiers as positions while rows stream by, in order of first appearance."""

import numpy as np
import pandas as pd
import pyarrow as pa

from recsys_core.contracts import IntArray

DENSE_LIMIT = 1 << 27
"""Bound on identifiers encoded through a lookup array (512 MiB); larger ones are encoded as text."""


class TextCoder:
    """Encodes identifiers of any kind."""

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._positions)

    def code(self, ids: pa.Array) -> IntArray:
        """Return (N,) positions of `ids` (N,), text without nulls; unseen identifiers get the next positions."""
        encoded = ids.dictionary_encode()
        known = self._positions
        table = np.fromiter(
            (known.setdefault(name, len(known)) for name in encoded.dictionary.to_pylist()),
            np.int32,
            len(encoded.dictionary),
        )
        positions: IntArray = table[encoded.indices.to_numpy()]
        return positions

    def ids(self) -> list[str]:
        """Return all identifiers, by position."""
        return list(self._positions)


class NotWholeNumbers(Exception):
    """An identifier is not an integer in canonical form, contrary to the sample."""


class NumberCoder:
    """Encodes integer identifiers in canonical form, below `DENSE_LIMIT`, with one array lookup each.

    Canonical form has no leading zero, sign, space, decimal point or exponent. All but the exponent make the text
    longer, so comparing lengths detects them; files with letters in their rows do not use this coder.
    """

    def __init__(self) -> None:
        self._positions = np.full(1 << 16, -1, dtype=np.int32)
        self._digits = np.empty(1 << 12, dtype=np.uint8)
        self._numbers: list[IntArray] = []
        self._known = 0

    def __len__(self) -> int:
        return self._known

    def code(self, numbers: IntArray, lengths: IntArray) -> IntArray:
        """Return (N,) positions of `numbers` (N,) int32, whose text has `lengths` (N,) bytes.

        Raises:
            NotWholeNumbers: A number is negative, too large, or not in canonical form.
        """
        largest = int(numbers.view(np.uint32).max()) if len(numbers) else 0  # negative numbers become very large
        if largest >= DENSE_LIMIT:
            raise NotWholeNumbers
        if largest >= len(self._positions):
            grown = np.full(min(max(2 * len(self._positions), largest + 1), DENSE_LIMIT), -1, dtype=np.int32)
            grown[: len(self._positions)] = self._positions
            self._positions = grown
        codes = self._positions[numbers]
        if len(codes) and int(codes.min()) < 0:
            self._register(pd.unique(numbers[codes < 0]))
            codes = self._positions[numbers]
        if not np.array_equal(self._digits[codes], lengths):
            raise NotWholeNumbers
        return codes

    def _register(self, unknown: IntArray) -> None:
        known = self._known + len(unknown)
        self._positions[unknown] = np.arange(self._known, known, dtype=np.int32)
        if known > len(self._digits):
            self._digits = np.concatenate([self._digits, np.empty(known, dtype=np.uint8)])
        self._digits[self._known : known] = np.char.str_len(unknown.astype(str))
        self._numbers.append(unknown)
        self._known = known

    def ids(self) -> list[str]:
        """Return all identifiers, by position."""
        return [str(number) for block in self._numbers for number in block.tolist()]
