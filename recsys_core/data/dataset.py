"""The immutable `Dataset`: interactions between users and items, with attributes of both."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from recsys_core.columns import EVENT, ITEM, RATING, SOURCE, TARGET, TIMESTAMP, TITLE, USER, WEIGHT
from recsys_core.contracts import BoolArray, FloatArray, IntArray, Need, QueryBatch, Ragged, RatingScale
from recsys_core.data.random_keys import Keys, row_keys
from recsys_core.data.vocabulary import Vocabulary
from recsys_core.errors import DataError
from recsys_core.text import _, n_

NO_TIMESTAMP = np.iinfo(np.int64).min
"""Timestamp of interactions whose time is unknown; sorts before all others."""

Table = Callable[[], pd.DataFrame]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Interactions with integer positions, vocabularies, and up to three side tables.

    Args:
        name: Display name.
        fingerprint: Hash of content and ingest rules; empty for subsets of a data set.
        user_vocabulary: User identifiers, by position.
        item_vocabulary: Item identifiers, by position.
        load_interactions: Returns one row per interaction: `user` and `item` (positions, int32), `rating` (float32,
            optional), `timestamp` (int64 Unix milliseconds, optional), `event` (text, optional) and `weight`
            (float32, optional).
        rating_scale: Smallest and largest rating, None without ratings.
        load_users: Returns user attributes, one row per user in position order; or None.
        load_items: Returns item attributes (`title`, `categories`, ...), likewise.
        load_social: Returns the social links: `source` and `target` (positions), `weight`.
        columns: Columns of the interactions.
    """

    name: str
    fingerprint: str
    user_vocabulary: Vocabulary
    item_vocabulary: Vocabulary
    load_interactions: Table
    rating_scale: RatingScale | None = None
    load_users: Table | None = None
    load_items: Table | None = None
    load_social: Table | None = None
    columns: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def interactions(self) -> pd.DataFrame:
        """One row per interaction; see the class for the columns."""
        return self.load_interactions()

    @cached_property
    def users(self) -> pd.DataFrame | None:
        """User attributes, one row per user in position order; None if there are none."""
        return self.load_users() if self.load_users else None

    @cached_property
    def items(self) -> pd.DataFrame | None:
        """Item attributes, one row per item in position order; None if there are none."""
        return self.load_items() if self.load_items else None

    @cached_property
    def social(self) -> pd.DataFrame | None:
        """Weighted links between users; None if there are none."""
        return self.load_social() if self.load_social else None

    @property
    def n_users(self) -> int:
        """Number of users in the vocabulary, with or without interactions."""
        return len(self.user_vocabulary)

    @property
    def n_items(self) -> int:
        """Number of items in the vocabulary, with or without interactions."""
        return len(self.item_vocabulary)

    @property
    def n_interactions(self) -> int:
        """Number of interactions."""
        return len(self.interactions)

    @property
    def has_ratings(self) -> bool:
        """Whether interactions have ratings."""
        return RATING in self.columns

    @property
    def has_timestamps(self) -> bool:
        """Whether interactions have timestamps."""
        return TIMESTAMP in self.columns

    @property
    def has_events(self) -> bool:
        """Whether interactions have event types."""
        return EVENT in self.columns

    @property
    def has_weights(self) -> bool:
        """Whether interactions have weights, such as event weights."""
        return WEIGHT in self.columns

    def lacks(self, needs: frozenset[Need]) -> list[Need]:
        """Return the needs that the data do not satisfy."""
        present = {
            Need.RATINGS: self.has_ratings,
            Need.TIMESTAMPS: self.has_timestamps,
            Need.ITEM_FEATURES: self.load_items is not None,
            Need.USER_FEATURES: self.load_users is not None,
            Need.SOCIAL: self.load_social is not None,
            Need.EVENTS: self.has_events,
        }
        return sorted(need for need in needs if not present[need])

    @cached_property
    def strengths(self) -> FloatArray:
        """(N,) rating of each interaction, or its event weight, or 1."""
        frame = self.interactions
        for column in (RATING, WEIGHT):
            if column in frame:
                return frame[column].to_numpy(np.float32)
        return np.ones(len(frame), dtype=np.float32)

    def matrix(self, values: Literal["rating", "binary", "count"]) -> csr_array:
        """Return the (U, I) interaction matrix.

        Args:
            values: "rating": latest rating of each pair, without unrated interactions; "binary": 1 for any
                interaction; "count": sum of event weights in double precision, or number of interactions without
                weights.

        Raises:
            DataError: `values` is "rating" and there are no ratings.
        """
        frame = self.interactions
        if values == "rating" and not self.has_ratings:
            raise DataError(
                _("Data set '{name}' has no ratings; use a model for implicit feedback.").format(name=self.name)
            )
        if values == "rating" and (unrated := frame[RATING].isna().to_numpy()).any():
            return self.subset(~unrated).matrix("rating")
        column = {"rating": RATING, "count": WEIGHT, "binary": None}[values]
        matrix = self._summed(frame, column)
        if values == "rating" and matrix.nnz < len(frame):  # some pairs were rated more than once
            matrix = self._summed(frame.iloc[self._chronological()[self._last_of_each_pair()]], column)
        if values == "binary":
            matrix.data[:] = 1.0
        return matrix

    def _summed(self, frame: pd.DataFrame, column: str | None) -> csr_array:
        """(U, I) sum of a column over the interactions of each pair; their count if the column is absent."""
        precision = np.float64 if column == WEIGHT else np.float32
        numbers = frame[column].to_numpy(precision) if column in frame else np.ones(len(frame), dtype=precision)
        positions = (frame[USER].to_numpy(), frame[ITEM].to_numpy())
        matrix = csr_array((numbers, positions), shape=(self.n_users, self.n_items), dtype=precision)
        matrix.sum_duplicates()
        return matrix

    def histories(self) -> Ragged:
        """Return each user's items, oldest first; ties are broken pseudorandomly by row content.

        Without timestamps the order is that of the file.
        """
        order = self._chronological()
        frame = self.interactions
        return Ragged.from_keys(frame[USER].to_numpy()[order], frame[ITEM].to_numpy()[order], self.n_users)

    def queries(self, users: IntArray | None = None) -> QueryBatch:
        """Return queries for users (all by default), each with the user's full history."""
        order = self._chronological()
        frame = self.interactions
        keys = frame[USER].to_numpy()[order]

        def by_user(column: np.ndarray) -> np.ndarray:
            return Ragged.from_keys(keys, column[order], self.n_users).values

        times = by_user(frame[TIMESTAMP].to_numpy()) if self.has_timestamps else None
        weights = by_user(frame[WEIGHT].to_numpy(np.float32)) if self.has_weights else None
        values = by_user(self.strengths)
        all_users = QueryBatch(np.arange(self.n_users), self.histories(), values, times, weights=weights)
        return all_users if users is None else all_users.take(users)

    def subset(self, rows: BoolArray | IntArray) -> "Dataset":
        """Return the data set restricted to these interactions; users, items and positions stay the same."""
        frame = self.interactions[rows] if rows.dtype == bool else self.interactions.iloc[rows]
        return self.with_interactions(frame.reset_index(drop=True))

    def with_interactions(self, frame: pd.DataFrame) -> "Dataset":
        """Return the data set with different interactions over the same users and items."""
        kept = {one.name: getattr(self, one.name) for one in fields(Dataset)}  # not those of a stored data set
        return Dataset(**kept | {"fingerprint": "", "load_interactions": lambda: frame})

    def titles(self) -> list[str]:
        """Return the display name of each item: its title, or its identifier."""
        if self.items is None or TITLE not in self.items:
            return list(self.item_vocabulary.ids)
        given = self.items[TITLE]
        return [str(t) if isinstance(t, str) and t else i for t, i in zip(given, self.item_vocabulary.ids, strict=True)]

    def _chronological(self) -> IntArray:
        """(N,) row numbers, oldest first; see `histories`."""
        if not self.has_timestamps:
            return np.arange(len(self.interactions))
        times = self.interactions[TIMESTAMP].to_numpy()
        order = np.argsort(times, kind="stable")
        if (np.diff(times[order]) == 0).any():
            order = np.lexsort((self.row_keys(), times))
        return order

    def row_keys(self, seed: int = 0) -> Keys:
        """Return (N,) a pseudorandom key per interaction that depends on its content, not on its row number."""
        return row_keys(self.interactions, self.user_vocabulary.keys, self.item_vocabulary.keys, seed)

    def _last_of_each_pair(self) -> BoolArray:
        """(N,) over chronological rows: whether a row is the last one of its pair."""
        frame = self.interactions.iloc[self._chronological()]
        repeated: BoolArray = frame.duplicated([USER, ITEM], keep="last").to_numpy()
        return ~repeated


def dataset_from_frames(
    interactions: pd.DataFrame,
    *,
    name: str = "data",
    user_ids: list[str] | None = None,
    item_ids: list[str] | None = None,
    users: pd.DataFrame | None = None,
    items: pd.DataFrame | None = None,
    social: pd.DataFrame | None = None,
    rating_scale: RatingScale | None = None,
    fingerprint: str = "",
) -> Dataset:
    """Create a data set from in-memory frames with positions.

    Args:
        interactions: Columns as described in `Dataset`; positions must be valid for the vocabularies.
        name: Display name.
        user_ids: User identifiers by position; "0", "1", ... by default.
        item_ids: Item identifiers, likewise.
        users: One row per user, in position order.
        items: One row per item, in position order.
        social: Columns `source`, `target` (positions) and `weight`.
        rating_scale: By default the smallest and largest rating.
        fingerprint: Hash of the content, if known.

    Raises:
        DataError: A position is outside its vocabulary, a weight is missing or infinite, or a table does not have one
            row per user or item.
    """
    user_ids = _default_ids(user_ids, interactions, USER, social)
    item_ids = _default_ids(item_ids, interactions, ITEM, None)
    for column, ids in ((USER, user_ids), (ITEM, item_ids)):
        values = interactions[column]
        if len(values) and not 0 <= values.min() <= values.max() < len(ids):
            raise DataError(
                _("Column '{column}' contains positions outside 0..{n_ids}.").format(column=column, n_ids=len(ids) - 1)
            )
    _check_weights(interactions)
    for table, ids in ((users, user_ids), (items, item_ids)):
        if table is not None and len(table) != len(ids):
            raise DataError(
                _("A table has {n_table} rows for {n_ids} identifiers; exactly one row each is needed.").format(
                    n_table=len(table), n_ids=len(ids)
                )
            )
    if RATING in interactions and rating_scale is None and len(interactions):
        rating_scale = RatingScale(float(interactions[RATING].min()), float(interactions[RATING].max()))
    return Dataset(
        name=name,
        fingerprint=fingerprint,
        user_vocabulary=Vocabulary(user_ids),
        item_vocabulary=Vocabulary(item_ids),
        load_interactions=lambda: interactions,
        rating_scale=rating_scale if RATING in interactions else None,
        load_users=None if users is None else lambda: users,
        load_items=None if items is None else lambda: items,
        load_social=None if social is None else lambda: social,
        columns=frozenset(interactions.columns),
    )


def _check_weights(interactions: pd.DataFrame) -> None:
    if WEIGHT not in interactions:
        return
    weights = interactions[WEIGHT].to_numpy()
    if wrong := int((~np.isfinite(weights)).sum()):
        raise DataError(
            n_(
                "Column 'weight' has {n} value that is missing or infinite; every interaction needs one.",
                "Column 'weight' has {n} values that are missing or infinite; every interaction needs one.",
                wrong,
            )
        )


def _default_ids(ids: list[str] | None, frame: pd.DataFrame, column: str, social: pd.DataFrame | None) -> list[str]:
    if ids is not None:
        return ids
    size = int(frame[column].max()) + 1 if len(frame) else 0
    if social is not None and len(social):
        size = max(size, int(social[[SOURCE, TARGET]].to_numpy().max()) + 1)
    return [str(position) for position in range(size)]
