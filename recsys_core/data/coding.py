"""Identifiers to positions while rows stream by: the first identifier that appears is 0, the next new one 1, and so on."""

import numpy as np
import pandas as pd
import pyarrow as pa

from recsys_core.contracts import IntArray

DENSE_LIMIT = 1 << 27
"""Largest whole number looked up in an array (512 MiB); larger identifiers are looked up as text."""


class TextCoder:
    """Positions of identifiers of any kind."""

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._positions)

    def code(self, ids: pa.Array) -> IntArray:
        """Return (N,) positions of `ids` (N,) text without nulls; those not met before get the next positions."""
        encoded = ids.dictionary_encode()
        known = self._positions
        table = np.fromiter(
            (known.setdefault(name, len(known)) for name in encoded.dictionary.to_pylist()),
            np.int32,
            len(encoded.dictionary),
        )
        return table[encoded.indices.to_numpy()]

    def ids(self) -> list[str]:
        """Return all identifiers, by position."""
        return list(self._positions)


class NumberCoder:
    """The same for identifiers that are whole numbers written in the usual way, below `DENSE_LIMIT`: one array look-up each."""

    def __init__(self) -> None:
        self._positions = np.full(1 << 16, -1, dtype=np.int32)
        self._numbers: list[IntArray] = []
        self._known = 0

    def __len__(self) -> int:
        return self._known

    def code(self, numbers: IntArray) -> IntArray:
        """Return (N,) positions of `numbers` (N,) in 0..DENSE_LIMIT - 1."""
        if len(numbers) and (largest := int(numbers.max())) >= len(self._positions):
            grown = np.full(min(max(2 * len(self._positions), largest + 1), DENSE_LIMIT), -1, dtype=np.int32)
            grown[: len(self._positions)] = self._positions
            self._positions = grown
        codes = self._positions[numbers]
        fresh = codes < 0
        if fresh.any():
            unknown = pd.unique(numbers[fresh])
            self._positions[unknown] = np.arange(self._known, self._known + len(unknown), dtype=np.int32)
            self._numbers.append(unknown)
            self._known += len(unknown)
            codes = self._positions[numbers]
        return codes

    def ids(self) -> list[str]:
        """Return all identifiers, by position."""
        return [str(number) for block in self._numbers for number in block.tolist()]
