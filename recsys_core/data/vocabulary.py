"""Mapping between external identifiers and integer positions."""

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import pandas as pd

from recsys_core.contracts import PAD, IntArray
from recsys_core.data.random_keys import Keys, keys_of
from recsys_core.errors import DataError
from recsys_core.text import _


class Vocabulary:
    """An ordered set of identifiers (text); the index of an identifier is its position.

    Args:
        ids: Distinct identifiers.

    Raises:
        DataError: An identifier occurs twice.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self._index = pd.Index(list(ids), dtype="str")
        if not self._index.is_unique:
            twice = self._index[self._index.duplicated()][0]
            raise DataError(
                _("Identifier '{twice}' occurs twice in a vocabulary; merge its rows first.").format(twice=twice)
            )

    @cached_property
    def ids(self) -> Sequence[str]:
        """All identifiers, by position."""
        return [str(value) for value in self._index]

    @cached_property
    def keys(self) -> Keys:
        """(n,) a hash of each identifier, independent of its position; see `random_keys`."""
        return keys_of(self.ids)

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._index

    def position(self, identifier: str) -> int:
        """Return the position of one identifier.

        Raises:
            DataError: The identifier is unknown.
        """
        found = int(self._index.get_indexer(pd.Index([identifier], dtype="str"))[0])
        if found == PAD:
            raise DataError(_("'{identifier}' is not in the data.").format(identifier=identifier))
        return found

    def positions(self, ids: Iterable[str]) -> IntArray:
        """Return the positions of many identifiers, `PAD` for unknown ones."""
        return self._index.get_indexer(pd.Index(list(ids), dtype="str")).astype(np.int64)
