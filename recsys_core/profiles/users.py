"""Everybody in the data, as one vector each: attributes, behaviour, taste; whom they are like; where they stand."""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
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
from recsys_core.profiles.kinds import Kind, kinds_of
from recsys_core.profiles.map import axis_words, drawn, principal_axes
from recsys_core.profiles.phrases import Words
from recsys_core.profiles.scaling import Block, as_numbers, joined, scaled
from recsys_core.profiles.segments import ENDS, Segment, Trait, describe, group
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

VERSION = 1
ATTRIBUTE_PART, BEHAVIOUR_PART, DIRECTION_PART = "attributes", "behaviour", "directions"
COMPONENTS = 10
"""Principal components among which segments are looked for; the first two are the map."""


@dataclass(frozen=True, eq=False)
class Facts:
    """What is computed once for a data set and kept.

    Args:
        table: One row a user: habits, `segment`, `x`, `y`.
        raw: Columns of the vector in their own units, where those are known.
        features: (U, F) the vectors.
        space: The same, centred and weighed, for likeness.
        segments: What sets each apart.
        silhouettes: Why so many segments.
        explained: Shares of variance on the two axes of the map.
        axes: What the two axes mostly are.
    """

    table: pd.DataFrame
    raw: pd.DataFrame
    features: Features
    space: Space
    segments: tuple[Segment, ...]
    silhouettes: pd.DataFrame
    explained: tuple[float, float]
    axes: tuple[Words, Words]


@dataclass(frozen=True, eq=False)
class UserProfiles:
    """All users of a data set.

    Args:
        dataset: Whose users they are.
        facts: What was computed once.
        missing: What these data do not tell.
        root: The workspace.
    """

    dataset: Dataset
    facts: Facts
    missing: tuple[Words, ...]
    root: Path | None

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a user, in order of position: `user`, `user_id`, `segment` (0 for those without interactions), `x`,
        `y`, and the habits (see `habits_of_users`).
        """
        ids = {USER: np.arange(self.dataset.n_users), USER_ID: list(self.dataset.user_vocabulary.ids)}
        return pd.concat([pd.DataFrame(ids), self.facts.table], axis=1)

    @property
    def features(self) -> Features:
        """(U, F) the vectors, with parts `attributes`, `behaviour`, `categories`, `topics`, `numbers`, `directions` as
        far as the data have them; numbers in robust deviations from the median.
        """
        return self.facts.features

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Groups of people who are alike, the largest first."""
        return self.facts.segments

    @property
    def silhouettes(self) -> pd.DataFrame:
        """`segments` tried and `silhouette` of each; the largest was chosen."""
        return self.facts.silhouettes

    @property
    def explained(self) -> tuple[float, float]:
        """Shares of the whole variance that the axes of the map show."""
        return self.facts.explained

    @property
    def axes(self) -> tuple[Words, Words]:
        """What the axes of the map mostly are."""
        return self.facts.axes

    def attributes(self, user: int) -> dict[str, str]:
        """Return what the user table says of a user, without empty cells; nothing without such a table."""
        return given_cells(self.dataset.users, user)

    def vector(self, user: int) -> pd.DataFrame:
        """Return the vector of a user: `part`, `name`, `value`, `everybody` (mean), `rank` (share of the users with
        interactions whose value is smaller; equal ones count half), and `own` (in its own units, NaN if it has none).
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
        """Return the habits of a user beside everybody's: `habit` (column of `table`), `label`, `unit`, `value`, `low`,
        `middle`, `high` (quartiles of users with interactions), `rank` (as in `vector`).
        """
        rows = []
        for habit in HABITS:
            if habit.key not in self.facts.table:
                continue
            values = self.facts.table[habit.key].to_numpy(np.float64)
            everybody = values[self._known & ~np.isnan(values)]
            low, middle, high = np.quantile(everybody, [0.25, 0.5, 0.75]) if len(everybody) else [np.nan] * 3
            value = float(values[user])
            rank = _rank(everybody, value) if np.isfinite(value) else np.nan
            rows.append((habit.key, habit.label, habit.unit, value, low, middle, high, rank))
        return pd.DataFrame(rows, columns=["habit", "label", "unit", "value", "low", "middle", "high", "rank"])

    def tags(self, user: int, n: int = 30) -> pd.DataFrame:
        """Return what a user likes in tags, as `preference_tags` gives them; none without an item table."""
        if self._tag_table is None:
            columns = ("kind", "name", "weight", "share", "everybody", "lift", "liked")
            return pd.DataFrame({name: [] for name in columns})
        return preference_tags(self.dataset, user, self._tag_table, n)

    @cached_property
    def _tag_table(self) -> TagTable | None:
        items = cached_item_features(self.dataset, self.root, RunContext())
        return None if items is None else tag_table(self.dataset, items)

    def similar(self, user: int, n: int = 10) -> pd.DataFrame:
        """Return the people most like a user: `user`, `user_id`, `similarity` (cosine, -1 to 1) and `shared` (a tuple
        of `Shared`: what adds most to it). Only people with interactions; nobody for a user without.
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

    def map(self, method: str = "pca", ctx: RunContext | None = None) -> pd.DataFrame:
        """Return places on a map of users with interactions: `user`, `x`, `y`.

        Raises:
            ConfigError: The method is not among `map_methods()`.
        """
        users = np.flatnonzero(self._known)
        if method == "pca":
            places = self.facts.table[["x", "y"]].to_numpy()[users]
        else:
            places = drawn(self.facts.space.rows[users], method, ctx or RunContext())
        return pd.DataFrame({USER: users, "x": places[:, 0], "y": places[:, 1]})

    def members(self, segment: int, n: int = 50) -> pd.DataFrame:
        """Return the rows of `table` of a segment with `distance` to its middle, the nearest first, at most `n`."""
        users = np.flatnonzero(self.facts.table["segment"].to_numpy() == segment)
        rows = self.facts.space.rows[users]
        distance = np.linalg.norm(rows - rows.mean(axis=0), axis=1) if len(rows) else np.empty(0)
        order = np.argsort(distance, kind="stable")[:n]
        return self.table.iloc[users[order]].assign(distance=distance[order]).reset_index(drop=True)

    def export(self) -> pd.DataFrame:
        """Return `table` with what the user table says, for download."""
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
    """Return the profiles of all users, computed once and then read from the workspace.

    Args:
        dataset: Any data set; without a user table, item table, times or ratings the profile has fewer parts.
        root: Folder of the workspace; None keeps nothing.
        ctx: Takes progress and can stop the work; its seed is not used: profiles are the same in each run.

    Raises:
        Cancelled: The person stopped the work.
        StoreError: The disk is full or cannot be written.
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
        explained=(float(axes.explained[0]), float(axes.explained[1])),
        axes=(axis_words(axes.loadings[:, 0], names), axis_words(axes.loadings[:, 1], names)),
    )


def _raw(dataset: Dataset, habits: pd.DataFrame, taste: Taste | None) -> pd.DataFrame:
    """Return the values of columns of the vector in their own units, under the names of the columns."""
    columns = {habit.label: habits[habit.key].to_numpy() for habit in HABITS if habit.key in habits}
    if taste is not None:
        columns |= dict(zip(taste.category_names, taste.categories.T, strict=True))
        columns |= {liked_name(name): values for name, values in zip(taste.number_names, taste.numbers.T, strict=True)}
    if dataset.users is not None:
        for name, kind in kinds_of(dataset.users).items():
            if kind is Kind.NUMBER:
                columns[name] = as_numbers(dataset.users[name])
    return pd.DataFrame({name: np.asarray(values, dtype=np.float32) for name, values in columns.items()})


def liked_name(column: str) -> str:
    """Return the name in the vector of a person for the mean of a column over what they liked."""
    return f"{column} of what they like"


def _vectors(
    dataset: Dataset, habits: pd.DataFrame, raw: pd.DataFrame, taste: Taste | None, found: Directions, known: BoolArray
) -> Features:
    """Return the vectors: each number scaled by median and quartiles of users with interactions, 0 where missing."""
    size = dataset.n_users
    blocks: dict[str, Block] = {}
    if dataset.users is not None:
        given = user_attributes(dataset)
        blocks[ATTRIBUTE_PART] = Block(given.matrix, given.names)
    behaviour = {
        habit.label: np.log1p(habits[habit.key].clip(lower=0)) if habit.log else habits[habit.key]
        for habit in HABITS
        if habit.key in habits
    }
    blocks[BEHAVIOUR_PART] = _scaled({name: values.to_numpy() for name, values in behaviour.items()}, known, size)
    if taste is not None:
        shares = dict(zip(taste.category_names, taste.categories.T, strict=True))
        blocks[CATEGORY_PART] = _scaled(shares, known, size)
        blocks[TOPIC_PART] = _scaled(dict(zip(taste.topic_names, taste.topics.T, strict=True)), known, size)
        numbers = {liked_name(name): raw[liked_name(name)].to_numpy(np.float64) for name in taste.number_names}
        blocks[NUMBER_PART] = _scaled(numbers, known, size)
    places = dict(zip(direction_names(dataset, found), found.users.astype(np.float64).T, strict=True))
    blocks[DIRECTION_PART] = _scaled(places, known, size)
    return Features.of(blocks, size)


def _scaled(columns: dict[str, FloatArray], known: BoolArray, size: int) -> Block:
    """Return columns scaled by the users with interactions, without flags: 0 where missing and for all others."""
    blocks = []
    for name, values in columns.items():
        block = scaled(np.where(known, values, np.nan), name)
        if name in block.names:
            blocks.append(Block(block.matrix[:, [block.names.index(name)]], (name,)))
    return joined(blocks, size)


def direction_names(dataset: Dataset, found: Directions) -> list[str]:
    """Return what to call each direction: the two items at each of its ends."""
    titles, names = dataset.titles(), []
    for number, places in enumerate(found.items.T, start=1):
        order = np.argsort(-places, kind="stable")
        ends = [", ".join(titles[item] for item in end) for end in (order[:2], order[::-1][:2])]
        names.append(f"direction {number}: {ENDS.join(ends)}")
    return names


def ranks_in(rows: csr_array, values: FloatArray) -> FloatArray:
    """Return (F,) share of (N, F) rows whose number in each column is smaller than in (F,) values, equal ones counted
    half; NaN without rows.
    """
    if not rows.shape[0]:
        return np.full(len(values), np.nan)
    own = values[rows.indices]
    score = (rows.data < own) + 0.5 * (rows.data == own)
    stored = np.bincount(rows.indices, minlength=len(values))
    zeros = (rows.shape[0] - stored) * ((values > 0) + 0.5 * (values == 0))
    found: FloatArray = (np.bincount(rows.indices, score, minlength=len(values)) + zeros) / rows.shape[0]
    return found


def _rank(values: FloatArray, value: float) -> float:
    """Return the share of values below one, equal ones counted half; NaN without values."""
    return float(((values < value).mean() + (values <= value).mean()) / 2) if len(values) else float("nan")


def _write(folder: Path, facts: Facts) -> None:
    write_frame(folder, "table", facts.table)
    write_frame(folder, "raw", facts.raw)
    write_frame(folder, "silhouettes", facts.silhouettes)
    write_features(folder, "features", facts.features)
    write_arrays(folder, "space", {"rows": facts.space.rows, "columns": facts.space.columns})
    words = {"segments": [asdict(one) for one in facts.segments], "axes": [asdict(axis) for axis in facts.axes]}
    write_json(folder, "facts", {**words, "explained": list(facts.explained)})


def _read(folder: Path) -> Facts:
    space, facts = read_arrays(folder, "space"), read_json(folder, "facts")
    assert isinstance(facts, dict)
    first, second = (Words(**axis) for axis in facts["axes"])
    return Facts(
        table=read_frame(folder, "table"),
        raw=read_frame(folder, "raw"),
        features=read_features(folder, "features"),
        space=Space(space["rows"].astype(np.float32, copy=False), space["columns"].astype(np.int64, copy=False)),
        segments=tuple(_segment(one) for one in facts["segments"]),
        silhouettes=read_frame(folder, "silhouettes"),
        explained=(float(facts["explained"][0]), float(facts["explained"][1])),
        axes=(first, second),
    )


def _segment(stored: dict) -> Segment:  # type: ignore[type-arg]  # plain JSON
    traits = tuple(
        Trait(**{**trait, "words": Words(**trait["words"]), "short": Words(**trait["short"])})
        for trait in stored["traits"]
    )
    return Segment(**{**stored, "traits": traits})
