"""Synthetic interactions of any number, written to Parquet in bounded memory.

Taste has low rank: the probability that user u chooses item i is a mixture of T distributions over items,

    P(i | u) = sum_t theta_ut phi_ti,   theta_u ~ Dirichlet(mixture),   phi_ti ~ popularity_i exp(taste_strength g_ti)

with g standard normal and Zipf popularity, so the matrix of probabilities has rank T. A user's number of interactions
is log-normal, at most half of the items. No user has an item twice: a draw of an item that the user already has is
repeated, and after `TRIES` draws replaced by the next item that the user does not have.

A rating is 1 to 5 and rises with the logarithm of P(i | u) / popularity_i: by how much the user's taste prefers the
item over the average user. Rows are grouped by user, and times increase within a user.

Memory: the tables of T tastes (16 bytes per taste and item), 8 bytes per user, and one block of rows.

Source: the mixture is probabilistic latent semantic analysis (Hofmann 2004, "Latent Semantic Models for Collaborative
Filtering", eq. 3); alias tables by Vose 1991, "A Linear Algorithm for Generating Random Numbers with a Given
Distribution".
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numba import njit

from recsys_core.columns import ITEM, RATING, TIMESTAMP, USER
from recsys_core.contracts import FloatArray, IntArray, RunContext
from recsys_core.data.synthetic.stream_config import StreamConfig
from recsys_core.storage.files import written_aside

__all__ = ["StreamConfig", "interactions", "user_counts", "write_parquet"]

BLOCK_ROWS = 1_000_000
"""Approximate number of rows of a block; a block holds whole users."""
TRIES = 20
"""Draws for one interaction before the next free item is taken."""
FIRST_MS = pd.Timestamp("2024-01-01", tz="UTC").value // 1_000_000
DAY_MS = 86_400_000


class Tastes(NamedTuple):
    """The item distributions of T tastes as alias tables.

    Args:
        keep: (T, I) float32, probability of keeping a uniformly drawn item.
        other: (T, I) int32, the item drawn otherwise.
        lift: (T, I) float32, phi_ti / popularity_i.
    """

    keep: FloatArray
    other: IntArray
    lift: FloatArray


def write_parquet(config: StreamConfig, path: Path, ctx: RunContext) -> None:
    """Write the interactions of a config to a Parquet file, one block of rows at a time.

    Columns: `user`, `item` (positions, int32), `rating` (float32, if the config has ratings), `timestamp` (int64, Unix
    milliseconds). The same config and seed give the same rows.

    Raises:
        Cancelled: The user cancelled the work; the file is not written.
        StoreError: The file cannot be written.
    """
    kinds = {USER: pa.int32(), ITEM: pa.int32()} | ({RATING: pa.float32()} if config.ratings else {})
    schema = pa.schema(list((kinds | {TIMESTAMP: pa.int64()}).items()))
    with written_aside(path) as aside, pq.ParquetWriter(aside, schema, compression="zstd") as writer:
        for block in interactions(config, ctx):
            writer.write_table(pa.Table.from_pandas(block, schema=schema, preserve_index=False))


def interactions(config: StreamConfig, ctx: RunContext) -> Iterator[pd.DataFrame]:
    """Yield the interactions in blocks of whole users; see `write_parquet` for the columns.

    Raises:
        Cancelled: The user cancelled the work.
    """
    tastes = _tastes(config, ctx.rng("stream", "tastes"))
    counts = user_counts(config, ctx.rng("stream", "activity"))
    ends = np.cumsum(counts)
    blocks = int(ends[-1]) // BLOCK_ROWS + 1
    borders = np.searchsorted(ends, np.arange(1, blocks) * BLOCK_ROWS)
    borders = np.unique(np.concatenate([[0], borders, [config.users]]))
    for number in ctx.track(range(len(borders) - 1), stage="draw interactions"):
        rng = ctx.rng("stream", "block", str(number))
        first, end = int(borders[number]), int(borders[number + 1])
        yield _block(config, tastes, counts[first:end], first, rng)


def user_counts(config: StreamConfig, rng: np.random.Generator) -> IntArray:
    """Return (U,) the number of interactions of each user: log-normal, from 1 to half of the items, of sum `rows`."""
    activity = np.exp(config.activity * rng.standard_normal(config.users))
    most = config.items // 2
    low, high = 0.0, config.rows * max(1.0, float(most))
    for _ in range(200):  # bisection: the sum increases with the factor
        factor = (low + high) / 2
        total = np.clip(np.rint(factor * activity), 1, most).sum()
        low, high = (factor, high) if total < config.rows else (low, factor)
    counts = np.clip(np.rint(low * activity), 1, most).astype(np.int64)
    while (missing := config.rows - int(counts.sum())) != 0:  # rounding; each user is changed by one at most per round
        step = 1 if missing > 0 else -1
        able = np.flatnonzero(counts < most) if missing > 0 else np.flatnonzero(counts > 1)
        counts[rng.choice(able, size=min(abs(missing), len(able)), replace=False)] += step
    return counts


def _tastes(config: StreamConfig, rng: np.random.Generator) -> Tastes:
    """Return the alias tables of all tastes; item positions are unrelated to popularity."""
    popularity = np.arange(1, config.items + 1, dtype=np.float64) ** -config.popularity
    popularity = rng.permutation(popularity / popularity.sum())
    shape = (config.tastes, config.items)
    found = Tastes(np.empty(shape, np.float32), np.empty(shape, np.int32), np.empty(shape, np.float32))
    for taste in range(config.tastes):
        lift = np.exp(config.taste_strength * rng.standard_normal(config.items))
        share = popularity * lift
        found.lift[taste] = lift / share.sum()
        _fill_alias(share / share.sum(), found.keep[taste], found.other[taste])
    return found


def _block(
    config: StreamConfig, tastes: Tastes, counts: IntArray, first: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Return the interactions of users first, first + 1, ..."""
    mixture = rng.gamma(config.mixture, size=(len(counts), config.tastes)) + 1e-12
    mixture /= mixture.sum(axis=1, keepdims=True)
    item, lift = np.empty(counts.sum(), np.int32), np.empty(counts.sum(), np.float32)
    _draw(tastes, mixture, counts, rng, np.full(config.items, -1, dtype=np.int64), item, lift)
    user = np.repeat(np.arange(first, first + len(counts), dtype=np.int32), counts)
    columns = {USER: user, ITEM: item}
    if config.ratings:
        raw = 3.3 + 0.6 * np.log(np.maximum(lift, 1e-6)) + 0.7 * rng.standard_normal(len(item))
        columns[RATING] = np.clip(np.rint(raw), 1, 5).astype(np.float32)
    start = np.repeat(rng.random(len(counts)) * 0.8, counts)
    share = rng.random(len(item))
    order = np.lexsort((share, user))  # times increase within a user
    place = start + 0.2 * share[order]
    columns[TIMESTAMP] = FIRST_MS + (place * config.days * DAY_MS).astype(np.int64)
    return pd.DataFrame(columns)


@njit(cache=True, nogil=True)
def _fill_alias(share: FloatArray, keep: FloatArray, other: IntArray) -> None:
    """Fill the alias table of a distribution (I,): draw i uniformly, keep it with probability `keep[i]`."""
    items = len(share)
    left = share * items
    small, large = np.empty(items, np.int32), np.empty(items, np.int32)
    n_small, n_large = 0, 0
    for item in range(items):
        keep[item], other[item] = 1.0, item
        if left[item] < 1.0:
            small[n_small] = item
            n_small += 1
        else:
            large[n_large] = item
            n_large += 1
    while n_small > 0 and n_large > 0:
        n_small -= 1
        little, big = small[n_small], large[n_large - 1]
        keep[little], other[little] = left[little], big
        left[big] -= 1.0 - left[little]
        if left[big] < 1.0:
            n_large -= 1
            small[n_small] = big
            n_small += 1


@njit(cache=True, nogil=True)
def _draw(
    tastes: Tastes,
    mixture: FloatArray,
    counts: IntArray,
    rng: np.random.Generator,
    owner: IntArray,
    item: IntArray,
    lift: FloatArray,
) -> None:
    """Fill the items of each user, and by how much the user's taste prefers each.

    Args:
        tastes: Item distributions.
        mixture: (n, T) theta of each user.
        counts: (n,) interactions of each user.
        rng: Random numbers.
        owner: (I,) the last user of the block who drew the item; -1 at first.
        item: (N,) output.
        lift: (N,) output, P(i | u) / popularity_i.
    """
    kinds, items = tastes.keep.shape
    place = 0
    for user in range(len(counts)):
        for _ in range(counts[user]):
            found = 0
            for _ in range(TRIES):
                taste, left = 0, rng.random() - mixture[user, 0]
                while left >= 0.0 and taste < kinds - 1:
                    taste += 1
                    left -= mixture[user, taste]
                found = int(rng.random() * items)
                if rng.random() >= tastes.keep[taste, found]:
                    found = tastes.other[taste, found]
                if owner[found] != user:
                    break
            while owner[found] == user:
                found = found + 1 if found + 1 < items else 0
            owner[found] = user
            item[place] = found
            total = 0.0
            for taste in range(kinds):
                total += mixture[user, taste] * tastes.lift[taste, found]
            lift[place] = total
            place += 1
