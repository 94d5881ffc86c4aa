"""User profiles: feature vectors of attributes, behavior and preferences; similar users; segments; a map."""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import TypeAdapter
from scipy.sparse import csr_array

from recsys_core.columns import USER, USER_ID
from recsys_core.contracts import BoolArray, FloatArray, RunContext
from recsys_core.data.dataset import Dataset
from recsys_core.profiles.behavior import HABITS, habits_of_users
from recsys_core.profiles.cached import cached_directions, cached_item_features
from recsys_core.profiles.cells import given_cells, missing_of_users
from recsys_core.profiles.directions import Directions
from recsys_core.profiles.features import (
    CATEGORY_PART,
    NUMBER_PART,
    TOPIC_PART,
    Features,
    user_attributes,
)
from recsys_core.profiles.kinds import Kind, columns_of, kinds_of
from recsys_core.profiles.map import axis_words, principal_axes
from recsys_core.profiles.phrases import Words
from recsys_core.profiles.scaling import Block, as_numbers, joined, scaled
from recsys_core.profiles.segments import ENDS, Segment, describe, group
from recsys_core.profiles.space import Space, make_space
from recsys_core.profiles.stored import (
    derived,
    read_arrays,
    read_features,
    read_frame,
    read_json,
    write_arrays,
    write_features,
    write_frame,
    write_json,
)
from recsys_core.profiles.tags import TagTable, preference_tags, tag_table
from recsys_core.profiles.taste import Taste, taste_of_users

VERSION = 2
ATTRIBUTE_PART, BEHAVIOR_PART, DIRECTION_PART = "attributes", "behavior", "directions"
COMPONENTS = 10
"""Number of principal components used for clustering; the first two are the map."""


@dataclass(frozen=True, eq=False)
class Facts:
    """What is computed once per data set and cached.

    Args:
        table: One row per user: behavior features, `segment`, `x`, `y`.
        raw: Columns of the feature vectors in original units, where available.
        features: (U, F) feature vectors.
        space: The same, centered and weighted, for similarities.
        segments: The segments with their traits.
        silhouettes: Silhouette for each number of segments tried.
        explained: Shares of variance explained by the two axes of the map.
        axes: Descriptions of the two axes.
    """

    table: pd.DataFrame
    raw: pd.DataFrame
    features: Features
    space: Space
    segments: tuple[Segment, ...]
    silhouettes: pd.DataFrame
    explained: tuple[float, ...]
    axes: tuple[Words, ...]


@dataclass(frozen=True, eq=False)
class UserProfiles:
    """The profiles of all users of a data set.

    Args:
        dataset: The data set.
        facts: The cached results.
        missing: Notes on information that the data set lacks.
        root: The workspace.
    """

    dataset: Dataset
    facts: Facts
    missing: tuple[Words, ...]
    root: Path | None

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per user, by position: `user`, `user_id`, `segment` (0 without interactions), `x`, `y`, and the
        behavior
        features (see `habits_of_users`).
        """
        ids = {USER: np.arange(self.dataset.n_users), USER_ID: list(self.dataset.user_vocabulary.ids)}
        return pd.concat([pd.DataFrame(ids), self.facts.table], axis=1)

    @property
    def features(self) -> Features:
        """(U, F) feature vectors with the available parts among `attributes`, `behavior`, `categories`, `topics`,
        `numbers`, `directions`; numbers in robust standard deviations from the median.
        """
        return self.facts.features

    def attributes(self, user: int) -> dict[str, str]:
        """Return the attributes of a user, without empty cells; empty without a user table."""
        return given_cells(self.dataset.users, user)

    def vector(self, user: int) -> pd.DataFrame:
        """Return the feature vector of a user: `part`, `name`, `value`, `everybody` (mean), `rank` (share of users with
        interactions and a smaller value; ties count half), and `own` (in original units, NaN if unavailable).
        """
        values = self.features.matrix[[user]].toarray().ravel()
        everybody = self.features.matrix if self._known.all() else self.features.matrix[self._known]
        own = [
            float(self.facts.raw[name].iloc[user]) if name in self.facts.raw else np.nan for name in self.features.names
        ]
        return pd.DataFrame(
            {
                "part": [self.features.part_of(place) for place in range(len(values))],
                "name": self.features.names,
                "value": values,
                "everybody": np.asarray(everybody.mean(axis=0)).ravel(),
                "rank": ranks_in(everybody, values),
                "own": own,
            }
        )

    def habits(self, user: int) -> pd.DataFrame:
        """Return the behavior features of a user: `habit` (column of `table`), `label`, `unit`, `value`, `low`,
        `middle`, `high` (quartiles over users with interactions), `rank` (as in `vector`), `below` and `above` (shares
        of users with a smaller and with a larger value).
        """
        rows = []
        for habit in HABITS:
            if habit.key not in self.facts.table:
                continue
            values = self.facts.table[habit.key].to_numpy(np.float64)
            everybody = values[self._known & ~np.isnan(values)]
            low, middle, high = np.quantile(everybody, [0.25, 0.5, 0.75]) if len(everybody) else [np.nan] * 3
            value = float(values[user])
            rows.append((habit.key, habit.label, habit.unit, value, low, middle, high, *_ranks(everybody, value)))
        quartiles, ranked = ["low", "middle", "high"], ["rank", "below", "above"]
        return pd.DataFrame(rows, columns=["habit", "label", "unit", "value", *quartiles, *ranked])

    def tags(self, user: int, n: int = 30) -> pd.DataFrame:
        """Return the preference tags of a user, see `preference_tags`; empty without an item table."""
        if self._tag_table is None:
            columns = ("kind", "name", "weight", "share", "everybody", "lift", "liked")
            return pd.DataFrame({name: [] for name in columns})
        return preference_tags(self.dataset, user, self._tag_table, n)

    @cached_property
    def _tag_table(self) -> TagTable | None:
        items = cached_item_features(self.dataset, self.root, RunContext())
        return None if items is None else tag_table(self.dataset, items)

    def similar(self, user: int, n: int = 10) -> pd.DataFrame:
        """Return the most similar users: `user`, `user_id`, `similarity` (cosine, -1 to 1) and `shared` (a tuple of
        `Shared`: the largest contributions). Only users with interactions; empty for a user without any.
        """
        if not self._known[user]:
            return pd.DataFrame({USER: [], USER_ID: [], "similarity": [], "shared": []})
        found = self.facts.space.similarities(user)
        found[~self._known] = -np.inf
        found[user] = -np.inf
        order = np.argsort(-found, kind="stable")[:n]
        order = order[np.isfinite(found[order])]
        return pd.DataFrame(
            {
                USER: order,
                USER_ID: [self.dataset.user_vocabulary.ids[other] for other in order],
                "similarity": found[order],
                "shared": [self.facts.space.shared(user, int(other), self.features) for other in order],
            }
        )

    def members(self, segment: int, n: int = 50) -> pd.DataFrame:
        """Return at most `n` rows of `table` of a segment with `distance` to its centroid, the nearest first."""
        users = np.flatnonzero(self.facts.table["segment"].to_numpy() == segment)
        rows = self.facts.space.rows[users]
        distance = np.linalg.norm(rows - rows.mean(axis=0), axis=1) if len(rows) else np.empty(0)
        order = np.argsort(distance, kind="stable")[:n]
        return self.table.iloc[users[order]].assign(distance=distance[order]).reset_index(drop=True)

    def export(self) -> pd.DataFrame:
        """Return `table` joined with the user table, for download."""
        if self.dataset.users is None:
            return self.table
        given = self.dataset.users.reset_index(drop=True)
        return pd.concat([self.table, given.rename(columns=lambda name: f"attribute: {name}")], axis=1)

    @cached_property
    def _known(self) -> BoolArray:
        """(U,) users with interactions."""
        known: BoolArray = self.facts.table["interactions"].to_numpy() > 0
        return known


def user_profiles(dataset: Dataset, root: Path | None, ctx: RunContext) -> UserProfiles:
    """Return the profiles of all users, computed once and cached in the workspace.

    Args:
        dataset: Any data set; without a user table, item table, timestamps or ratings the profiles have fewer parts.
        root: Folder of the workspace; None disables the cache.
        ctx: Receives progress and can cancel the work; its seed is not used, profiles are deterministic.

    Raises:
        Cancelled: The work was cancelled.
        StoreError: The disk is full or not writable.
    """
    facts = derived(
        root, dataset.fingerprint, "users", VERSION, make=lambda: _compute(dataset, root, ctx), write=_write, read=_read
    )
    return UserProfiles(dataset, facts, tuple(missing_of_users(dataset)), root)


def _compute(dataset: Dataset, root: Path | None, ctx: RunContext) -> Facts:
    habits = habits_of_users(dataset, ctx)
    known: BoolArray = habits["interactions"].to_numpy() > 0
    taste = None
    items = cached_item_features(dataset, root, ctx)
    if items is not None:
        taste = taste_of_users(dataset, items, habits["mean"].to_numpy() if dataset.has_ratings else None, ctx)
        if not np.isnan(taste.variety).all():
            habits["variety"] = taste.variety
    raw = _raw(dataset, habits, taste)
    features = _vectors(dataset, habits, raw, taste, cached_directions(dataset, root, ctx), known)
    space = make_space(features, known)
    axes = principal_axes(space.rows, known, max(2, min(COMPONENTS, space.rows.shape[1])))
    grouping = group(axes.places, known, ctx)
    names = [features.names[column] for column in space.columns]
    table = habits.assign(segment=grouping.number, x=axes.places[:, 0], y=axes.places[:, 1])
    return Facts(
        table=table.reset_index(drop=True),
        raw=raw,
        features=features,
        space=space,
        segments=describe(grouping.number, features, raw),
        silhouettes=grouping.silhouettes,
        explained=tuple(axes.explained[:2].tolist()),
        axes=tuple(axis_words(loadings, names) for loadings in axes.loadings.T[:2]),
    )


def _raw(dataset: Dataset, habits: pd.DataFrame, taste: Taste | None) -> pd.DataFrame:
    """Return columns of the feature vectors in original units, by column name."""
    columns = {habit.label: habits[habit.key].to_numpy() for habit in HABITS if habit.key in habits}
    if taste is not None:
        columns |= dict(zip(taste.category_names, taste.categories.T, strict=True))
        columns |= {liked_name(name): values for name, values in zip(taste.number_names, taste.numbers.T, strict=True)}
    if dataset.users is not None:
        kinds = kinds_of(dataset.users)
        columns |= {name: as_numbers(dataset.users[name]) for name in columns_of(kinds, Kind.NUMBER)}
    return pd.DataFrame({name: np.asarray(values, dtype=np.float32) for name, values in columns.items()})


def liked_name(column: str) -> str:
    """Return the feature name of the mean of an item column over a user's relevant items."""
    return f"{column} of relevant items"


def _vectors(
    dataset: Dataset,
    habits: pd.DataFrame,
    raw: pd.DataFrame,
    taste: Taste | None,
    directions: Directions,
    known: BoolArray,
) -> Features:
    """Return the feature vectors, scaled by median and quartiles of users with interactions, 0 where missing."""
    size = dataset.n_users
    blocks: dict[str, Block] = {}
    if dataset.users is not None:
        given = user_attributes(dataset)
        blocks[ATTRIBUTE_PART] = Block(given.matrix, given.names)
    behavior = {
        habit.label: np.log1p(habits[habit.key].clip(lower=0)) if habit.log else habits[habit.key]
        for habit in HABITS
        if habit.key in habits
    }
    blocks[BEHAVIOR_PART] = _scaled({name: values.to_numpy() for name, values in behavior.items()}, known, size)
    if taste is not None:
        shares = dict(zip(taste.category_names, taste.categories.T, strict=True))
        blocks[CATEGORY_PART] = _scaled(shares, known, size)
        blocks[TOPIC_PART] = _scaled(dict(zip(taste.topic_names, taste.topics.T, strict=True)), known, size)
        numbers = {liked_name(name): raw[liked_name(name)].to_numpy(np.float64) for name in taste.number_names}
        blocks[NUMBER_PART] = _scaled(numbers, known, size)
    places = dict(zip(direction_names(dataset, directions), directions.users.astype(np.float64).T, strict=True))
    blocks[DIRECTION_PART] = _scaled(places, known, size)
    return Features.of(blocks, size)


def _scaled(columns: dict[str, FloatArray], known: BoolArray, size: int) -> Block:
    """Return columns scaled over users with interactions, without missing flags; 0 where missing and for all others."""
    given = {name: np.where(known, values, np.nan) for name, values in columns.items()}
    return joined([scaled(values, name, flagged=False) for name, values in given.items()], size)


def direction_names(dataset: Dataset, directions: Directions) -> list[str]:
    """Return the names of directions: the two items at each end."""
    titles, names = dataset.titles(), []
    for number, places in enumerate(directions.items.T, start=1):
        order = np.argsort(-places, kind="stable")
        ends = [", ".join(titles[item] for item in end) for end in (order[:2], order[::-1][:2])]
        names.append(f"direction {number}: {ENDS.join(ends)}")
    return names


def ranks_in(rows: csr_array, values: FloatArray) -> FloatArray:
    """Return (F,) percentile of (F,) values in the columns of (N, F) rows: share of smaller values, ties count half;
    NaN
    without rows.
    """
    if not rows.shape[0]:
        return np.full(len(values), np.nan)
    own = values[rows.indices]
    score = (rows.data < own) + 0.5 * (rows.data == own)
    stored = np.bincount(rows.indices, minlength=len(values))
    zeros = (rows.shape[0] - stored) * ((values > 0) + 0.5 * (values == 0))
    found: FloatArray = (np.bincount(rows.indices, score, minlength=len(values)) + zeros) / rows.shape[0]
    return found


def _ranks(values: FloatArray, value: float) -> tuple[float, float, float]:
    """Return the percentile of a value (ties count half), and the shares of smaller and of larger values; NaN if the
    value or all others are unknown.
    """
    if not len(values) or not np.isfinite(value):
        return np.nan, np.nan, np.nan
    below, above = float((values < value).mean()), float((values > value).mean())
    return (below + 1 - above) / 2, below, above


def _write(folder: Path, facts: Facts) -> None:
    write_frame(folder, "table", facts.table)
    write_frame(folder, "raw", facts.raw)
    write_frame(folder, "silhouettes", facts.silhouettes)
    write_features(folder, facts.features)
    write_arrays(folder, "space", {"rows": facts.space.rows, "columns": facts.space.columns})
    words = {"segments": list(map(asdict, facts.segments)), "axes": list(map(asdict, facts.axes))}
    write_json(folder, "facts", {**words, "explained": facts.explained})


def _read(folder: Path) -> Facts:
    space, facts = read_arrays(folder, "space"), read_json(folder, "facts")
    return Facts(
        table=read_frame(folder, "table"),
        raw=read_frame(folder, "raw"),
        features=read_features(folder),
        space=Space(space["rows"].astype(np.float32, copy=False), space["columns"].astype(np.int64, copy=False)),
        segments=TypeAdapter(tuple[Segment, ...]).validate_python(facts["segments"]),
        silhouettes=read_frame(folder, "silhouettes"),
        explained=tuple(facts["explained"]),
        axes=tuple(Words(**axis) for axis in facts["axes"]),
    )
