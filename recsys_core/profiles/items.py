"""Item profiles: popularity and ratings, content features, similar items, and maps."""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from scipy.sparse import csr_array, hstack

from recsys_core.columns import CATEGORIES, INTERACTIONS, ITEM, ITEM_ID, RATING, TIMESTAMP, TITLE, USER
from recsys_core.contracts import BoolArray, FloatArray, IntArray, RunContext
from recsys_core.data.dataset import NO_TIMESTAMP, Dataset
from recsys_core.data.summaries import head_size
from recsys_core.errors import ConfigError
from recsys_core.profiles.cached import cached_directions, cached_item_features
from recsys_core.profiles.cells import given_cells, missing_of_items
from recsys_core.profiles.features import (
    CATEGORY_PART,
    DATE_PART,
    EMBEDDING_PART,
    NUMBER_PART,
    PICTURE_PART,
    TERM_PART,
    Features,
    unit_rows,
)
from recsys_core.profiles.kinds import entries
from recsys_core.profiles.map import axis_words, principal_axes, sparse_axes
from recsys_core.profiles.phrases import Words
from recsys_core.profiles.scaling import dense_block, joined, scaled
from recsys_core.profiles.space import Shared
from recsys_core.profiles.stored import derived, read_frame, read_json, write_frame, write_json
from recsys_core.profiles.streams import connected, counted, ranges
from recsys_core.profiles.users import BEHAVIOR_PART, DIRECTION_PART, direction_names
from recsys_core.text import _

VERSION = 2
SHRINKAGE = 10.0
CO_COUNT_PRIOR = 10.0
"""Shrinkage of the co-occurrence similarity, in users."""
MOST_ASKED = 10_000
"""Maximum number of users of an item whose other items are counted."""
CONTENT_WEIGHTS = {CATEGORY_PART: 1.0, TERM_PART: 1.0, EMBEDDING_PART: 1.0, PICTURE_PART: 0.5}
"""Weights of the parts in the content similarity, each scaled to unit length."""
NUMBER_WEIGHT = 0.2
"""Weight of a robust standard deviation of a number or date."""


@dataclass(frozen=True, eq=False)
class ItemFacts:
    """What is computed once per data set and cached.

    Args:
        table: One row per item: counts, ratings, timestamps, coordinates on both maps.
        explained: Shares of variance explained by the axes of the content map (collaborative without an item table).
        axes: Descriptions of these axes.
    """

    table: pd.DataFrame
    explained: tuple[float, ...]
    axes: tuple[Words, ...]


@dataclass(frozen=True, eq=False)
class ItemProfiles:
    """The profiles of all items of a data set.

    Args:
        dataset: The data set.
        facts: The cached results.
        root: The workspace.
        shrinkage: Shrinkage of the mean rating, in ratings.
    """

    dataset: Dataset
    facts: ItemFacts
    root: Path | None
    shrinkage: float

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per item, by position.

        `item`, `item_id`, `title`, `category` (the first one, "" for none), `interactions`, `users`, `place`
        (popularity
        rank from 1, ties by position), `share` and `running` (share and cumulative share of all interactions), `head`
        (whether it is among the most popular items with 80% of all interactions); with ratings `ratings`, `mean`,
        `deviation` (sample standard deviation), `confidence` = n / (n + shrinkage), `shrunk_mean`
        = (n mean + shrinkage m) / (n + shrinkage) with m the mean of all ratings; with timestamps `first`, `last` (Unix
        ms); `x`, `y` on the content map (collaborative without an item table), `x_people`, `y_people` on the
        collaborative map.
        """
        facts = self.facts.table
        ids = {ITEM: np.arange(len(facts)), ITEM_ID: list(self.dataset.item_vocabulary.ids)}
        frame = pd.DataFrame({**ids, TITLE: self.dataset.titles(), "category": self._categories()})
        frame = pd.concat([frame, facts], axis=1)
        n = frame["ratings" if "ratings" in frame else "interactions"]
        frame["confidence"] = (n / (n + self.shrinkage)).fillna(0.0)
        if "mean" in frame:
            overall = float((frame["mean"] * n).sum() / max(1, n.sum()))
            frame["shrunk_mean"] = (frame["mean"].fillna(0) * n + self.shrinkage * overall) / (n + self.shrinkage)
        return frame

    @cached_property
    def content(self) -> Features | None:
        """(I, F) content features with the parts of `item_features`; None without an item table."""
        return cached_item_features(self.dataset, self.root, RunContext())

    @cached_property
    def features(self) -> Features:
        """(I, F) feature vectors: the parts of `content`, then `behavior` and `directions`."""
        parts = _behavior(self.dataset, self.facts.table, self.root)
        return parts if self.content is None else self.content.beside(parts)

    @cached_property
    def missing(self) -> tuple[Words, ...]:
        """Notes on information about items that the data set lacks."""
        return tuple(missing_of_items(self.dataset, self.content))

    def attributes(self, item: int) -> dict[str, str]:
        """Return the attributes of an item, without empty cells and images."""
        return given_cells(self.dataset.items, item)

    def vector(self, item: int) -> pd.DataFrame:
        """Return the nonzero features of an item: `part`, `name`, `value`, `everybody` (mean over all items)."""
        row = self.features.matrix[[item]].toarray().ravel()
        places = np.flatnonzero(row)
        return pd.DataFrame(
            {
                "part": [self.features.part_of(int(place)) for place in places],
                "name": [self.features.names[place] for place in places],
                "value": row[places],
                "everybody": np.asarray(self.features.matrix.mean(axis=0)).ravel()[places],
            }
        )

    def similar_by_content(self, item: int, n: int = 10) -> pd.DataFrame:
        """Return the most similar items by content: `item`, `item_id`, `title`, `similarity` (cosine) and `shared` (a
        tuple of `Shared`: the largest contributions); ties by position. Empty without an item table, or for an item
        without features.
        """
        rows = self._content_rows
        found = (rows @ rows[[item]].toarray().ravel()) if rows is not None else np.zeros(self.dataset.n_items)
        found[item] = 0
        order = np.argsort(-found, kind="stable")[:n]
        order = order[found[order] > 1e-9]
        frame = self._named(order).assign(similarity=found[order])
        frame["shared"] = pd.Series([self._shared(item, int(other)) for other in order], dtype=object)
        return frame

    def similar_by_people(self, item: int, n: int = 10) -> pd.DataFrame:
        """Return the most similar items by co-occurrence: `item`, `item_id`, `title`, `similarity`, `together`, `lift`.

        With c users of both items: similarity = c / sqrt(n_i n_j) * c / (c + 10); lift = c U / (n_i n_j), relative to
        independence among the U users with interactions. Ties by position. For an item with more than 10,000 users, at
        most that many are sampled at regular intervals and c is scaled up; `attrs["asked"]` is the sample size.
        """
        users = self.facts.table["users"].to_numpy(np.float64)
        known_by = f"SELECT DISTINCT {USER} FROM {INTERACTIONS} WHERE {ITEM} = $item ORDER BY {USER}"
        with connected(self.dataset) as connection:
            raters = connection.execute(known_by, {"item": int(item)}).df()
            chosen = raters.iloc[:: max(1, -(-len(raters) // MOST_ASKED))]
            connection.register("raters", chosen)
            found = connection.execute(
                f"SELECT {ITEM}, count(DISTINCT {USER}) AS together FROM {INTERACTIONS} "
                f"SEMI JOIN raters USING ({USER}) WHERE {ITEM} <> {int(item)} GROUP BY {ITEM} ORDER BY {ITEM}"
            ).df()
            active = int(connection.execute(f"SELECT count(DISTINCT {USER}) FROM {INTERACTIONS}").fetchall()[0][0])
        together = found["together"].to_numpy(np.float64) * len(raters) / max(1, len(chosen))
        sizes = users[found[ITEM].to_numpy(np.int64)] * users[item]
        similarity = together / np.sqrt(sizes) * together / (together + CO_COUNT_PRIOR)
        order = np.argsort(-similarity, kind="stable")[:n]
        frame = self._named(found[ITEM].to_numpy()[order]).assign(similarity=similarity[order])
        frame = frame.assign(together=together[order].round().astype(np.int64))
        frame["lift"] = together[order] * active / sizes[order]
        frame.attrs["asked"] = len(chosen)
        return frame

    def export(self) -> pd.DataFrame:
        """Return `table` joined with the item table, for download."""
        if self.dataset.items is None:
            return self.table
        given = self.dataset.items.drop(columns=[TITLE], errors="ignore").reset_index(drop=True)
        given = given[[name for name in given if not given[name].map(type).isin([bytes, bytearray]).any()]]
        return pd.concat([self.table, given.rename(columns=lambda name: f"attribute: {name}")], axis=1)

    @cached_property
    def _content_rows(self) -> csr_array | None:
        return None if self.content is None else content_rows(self.content)

    def _categories(self) -> list[str]:
        if self.dataset.items is None or CATEGORIES not in self.dataset.items:
            return [""] * self.dataset.n_items
        return [next(iter(entries(cell)), "") for cell in self.dataset.items[CATEGORIES]]

    def _named(self, items: np.ndarray) -> pd.DataFrame:
        return self.table.loc[items, [ITEM, ITEM_ID, TITLE]].reset_index(drop=True)

    def _shared(self, item: int, other: int, most: int = 4) -> tuple[Shared, ...]:
        assert self.content is not None
        assert self._content_rows is not None
        own = self._content_rows[[item]].toarray().ravel()
        amounts = own * self._content_rows[[other]].toarray().ravel()
        order = np.argsort(-amounts, kind="stable")[:most]
        names, part_of = _content_names(self.content)
        return tuple(
            Shared(names[place], part_of[place], float(amounts[place]), above=bool(own[place] > 0))
            for place in order
            if amounts[place] > 0
        )


def item_profiles(
    dataset: Dataset, root: Path | None, ctx: RunContext, *, shrinkage: float = SHRINKAGE
) -> ItemProfiles:
    """Return the profiles of all items, computed once and cached in the workspace.

    Args:
        dataset: Any data set.
        root: Folder of the workspace; None disables the cache.
        ctx: Receives progress and can cancel the work; its seed is not used.
        shrinkage: Shrinkage of confidence and mean rating, in ratings, at least 0.

    Raises:
        ConfigError: The shrinkage is negative.
        Cancelled: The work was cancelled.
        StoreError: The disk is full or not writable.
    """
    if not shrinkage >= 0:
        raise ConfigError(_("The shrinkage must be 0 or more."))
    facts = derived(
        root, dataset.fingerprint, "items", VERSION, make=lambda: _compute(dataset, root, ctx), write=_write, read=_read
    )
    return ItemProfiles(dataset, facts, root, shrinkage)


def content_rows(content: Features) -> csr_array:
    """Return (I, F) unit rows whose dot products are content similarities; zeros without features."""
    parts = []
    for name in content.parts:
        if name in CONTENT_WEIGHTS:
            parts.append(unit_rows(content.part(name)) * CONTENT_WEIGHTS[name])
        elif name in {NUMBER_PART, DATE_PART}:
            parts.append(content.part(name) * NUMBER_WEIGHT)
    return unit_rows(csr_array(hstack(parts, format="csr"))) if parts else csr_array((len(content), 0))


def _content_names(content: Features) -> tuple[list[str], list[str]]:
    """Return name and part of each column of `content_rows`."""
    parts = [name for name in content.parts if name in {*CONTENT_WEIGHTS, NUMBER_PART, DATE_PART}]
    names = [column for name in parts for column in content.names_of(name)]
    return names, [name for name in parts for _ in content.names_of(name)]


def _compute(dataset: Dataset, root: Path | None, ctx: RunContext) -> ItemFacts:
    with connected(dataset) as connection:
        table = _counts(dataset, connection, ctx)
    found = cached_directions(dataset, root, ctx)
    active: BoolArray = table["interactions"].to_numpy() > 0
    axes, names = principal_axes(found.items, active, 2), direction_names(dataset, found)
    table["x_people"], table["y_people"] = axes.places.T
    content = cached_item_features(dataset, root, ctx)
    if content is not None and content_rows(content).shape[1]:
        for _ in ctx.track(range(1), stage="draw the map"):
            axes, names = sparse_axes(content_rows(content)), _content_names(content)[0]
    table["x"], table["y"] = axes.places.T
    words = tuple(axis_words(loadings, names) for loadings in axes.loadings.T)
    return ItemFacts(table, tuple(axes.explained.tolist()), words)


def _counts(dataset: Dataset, connection: duckdb.DuckDBPyConnection, ctx: RunContext) -> pd.DataFrame:
    """Return counts, ratings, timestamps and popularity rank of each item, accumulated over ranges of users."""
    size = dataset.n_items
    sums = {name: np.zeros(size) for name in ("interactions", "users", "ratings", "sum", "square")}
    first, last = np.full(size, np.nan), np.full(size, np.nan)
    query = _query(dataset)
    of_users = counted(connection, USER, dataset.n_users)
    for low, high in ctx.track(ranges(of_users), stage="compute item statistics"):
        found = connection.execute(query, {"first": low, "end": high}).df()
        items = found[ITEM].to_numpy(np.int64)
        for name, values in sums.items():
            if name in found:
                values[items] += found[name].fillna(0).to_numpy(np.float64)
        if "first" in found:
            first[items] = np.fmin(first[items], found["first"].to_numpy(np.float64))
            last[items] = np.fmax(last[items], found["last"].to_numpy(np.float64))
    counts = sums["interactions"].astype(np.int64)
    columns: dict[str, FloatArray | IntArray] = {"interactions": counts, "users": sums["users"].astype(np.int64)}
    if dataset.has_ratings:
        columns |= _moments(sums["ratings"], sums["sum"], sums["square"])
    if dataset.has_timestamps:
        columns |= {"first": first, "last": last}
    return pd.concat([pd.DataFrame(columns), _tail(counts)], axis=1)


def _moments(n: FloatArray, total: FloatArray, square: FloatArray) -> dict[str, FloatArray | IntArray]:
    """Return count, mean and sample standard deviation of ratings from sums and sums of squares, (I,) each."""
    mean = np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0)
    spread = np.maximum(square - n * np.nan_to_num(mean) ** 2, 0)
    deviation = np.sqrt(np.divide(spread, n - 1, out=np.full(len(n), np.nan), where=n > 1))
    return {"ratings": n.astype(np.int64), "mean": mean, "deviation": deviation}


def _query(dataset: Dataset) -> str:
    """Return the SQL query of per-item statistics that can be accumulated over ranges of users."""
    shown = [ITEM, "count(*) AS interactions", f"count(DISTINCT {USER}) AS users"]
    if dataset.has_ratings:
        given, rating = f"FILTER (NOT isnan({RATING}))", f"{RATING}::DOUBLE"
        shown += [f"count(*) {given} AS ratings", f"sum({rating}) {given} AS sum"]
        shown += [f"sum({rating} * {rating}) {given} AS square"]
    if dataset.has_timestamps:
        known = f"nullif({TIMESTAMP}, {NO_TIMESTAMP})"
        shown += [f"min({known}) AS first", f"max({known}) AS last"]
    return f"SELECT {', '.join(shown)} FROM {INTERACTIONS} WHERE {USER} >= $first AND {USER} < $end GROUP BY {ITEM}"


def _tail(counts: np.ndarray) -> pd.DataFrame:
    """Return `place`, `share`, `running` and `head` of each item from its interactions (I,)."""
    order = np.lexsort((np.arange(len(counts)), -counts))
    place = np.empty(len(counts), dtype=np.int64)
    place[order] = np.arange(1, len(counts) + 1)
    share = counts / max(1, counts.sum())
    running = np.empty(len(counts))
    running[order] = np.cumsum(share[order])
    head = (place <= head_size(counts[order])) & (counts > 0)
    return pd.DataFrame({"place": place, "share": share, "running": running, "head": head})


def _behavior(dataset: Dataset, table: pd.DataFrame, root: Path | None) -> Features:
    """Return the parts `behavior` (logarithm of interactions, mean, deviation, days in the data) and `directions`."""
    columns: dict[str, FloatArray] = {"interactions": np.log1p(table["interactions"].to_numpy(np.float64))}
    for name, label in (("mean", "mean rating"), ("deviation", "rating standard deviation")):
        if name in table:
            columns[label] = table[name].to_numpy(np.float64)
    if "first" in table:
        columns["days since first interaction"] = ((table["last"].max() - table["first"]) / 86_400_000).to_numpy()
    behavior = joined([scaled(values, name) for name, values in columns.items()], len(table))
    found = cached_directions(dataset, root, RunContext())
    places = dense_block(found.items, direction_names(dataset, found))
    return Features.of({BEHAVIOR_PART: behavior, DIRECTION_PART: places}, len(table))


def _write(folder: Path, facts: ItemFacts) -> None:
    write_frame(folder, "table", facts.table)
    write_json(folder, "facts", {"axes": list(map(asdict, facts.axes)), "explained": facts.explained})


def _read(folder: Path) -> ItemFacts:
    facts = read_json(folder, "facts")
    axes = tuple(Words(**axis) for axis in facts["axes"])
    return ItemFacts(read_frame(folder, "table"), tuple(facts["explained"]), axes)
