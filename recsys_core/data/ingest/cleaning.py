"""Rules that span several rows: duplicate user-item pairs, and the minimum number of interactions (k-core).

Full rows are never held in memory: pairs of positions are read in blocks, and duplicates are searched for in ranges of
users that fit into memory.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsys_core.columns import EVENT, ITEM, RATING, TIMESTAMP, USER, WEIGHT
from recsys_core.contracts import BoolArray, FloatArray, IntArray
from recsys_core.data.ingest.cleaning_rules import IngestRules
from recsys_core.data.ingest.reasons import FEW_OF_ITEM, FEW_OF_USER
from recsys_core.data.sql import file_literal
from recsys_core.data.tables import BLOCK, FINER, ROWS_AT_ONCE, PairCache, interactions_writer, joined, repeated
from recsys_core.errors import DataError
from recsys_core.text import _, later

LATER = later("a later row has the same user and item")
MERGED = later("merged into another row with the same user and item")


@dataclass
class Cleaning:
    """Outcome of the rules.

    Args:
        removed: Reason and removed rows, as row numbers in the interactions file.
        changed: Rows that stay with changed values.
        values: New values of those rows, by column.
        users: (U,) which users stay.
        items: (I,) which items stay.
        repeated: Number of kept rows beyond the first of each duplicate pair.
    """

    users: BoolArray
    items: BoolArray
    removed: list[tuple[str, IntArray]] = field(default_factory=list)
    changed: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    values: dict[str, FloatArray] = field(default_factory=dict)
    repeated: int = 0

    @property
    def idle(self) -> bool:
        """Whether the interactions file stays unchanged."""
        return not self.removed and not len(self.changed)

    def gone(self, path: Path) -> BoolArray:
        """(N,) which rows of the interactions file are removed."""
        gone = np.zeros(pq.read_metadata(path).num_rows, dtype=bool)
        for _unused, numbers in self.removed:
            gone[numbers] = True
        return gone


def decide(
    connection: duckdb.DuckDBPyConnection, path: Path, rules: IngestRules, sizes: tuple[int, int], kept: PairCache
) -> Cleaning:
    """Apply the rules to a Parquet file of interactions and return the outcome.

    Args:
        connection: DuckDB connection that reads the file.
        path: The Parquet file, with positions.
        rules: The user's rules.
        sizes: Number of users and of items.
        kept: Cache of the interactions still in memory.

    Raises:
        DataError: The rules refuse duplicates and there are some, or no interactions remain.
    """
    n_users, n_items = sizes
    cleaning = Cleaning(np.ones(n_users, dtype=bool), np.ones(n_items, dtype=bool))
    pairs = repeated_pairs(connection, path, n_users, kept)
    if len(pairs):
        _resolve(connection, path, rules, pairs, cleaning)
    if max(rules.min_user, rules.min_item) > 1:
        _core(path, rules, cleaning)
    return cleaning


def repeated_pairs(connection: duckdb.DuckDBPyConnection, path: Path, n_users: int, kept: PairCache) -> pd.DataFrame:
    """Return the (user, item) pairs, with event type if present, that occur more than once."""
    if EVENT in pq.read_schema(path).names:
        file = f"read_parquet({file_literal(path)})"
        query = f"SELECT {USER}, {ITEM}, {EVENT} FROM {file} GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL"
        return connection.execute(query).df()
    ranges = _user_ranges(path, n_users)
    if kept.in_order:
        return pd.DataFrame({USER: [], ITEM: []}, dtype=np.int64)
    if len(ranges) == 1:
        user, item, _ = repeated(*joined(kept.blocks(path, USER, ITEM)))
        return pd.DataFrame({USER: user, ITEM: item})
    found = [repeated(*_pairs_within(path, low, high))[:2] for low, high in ranges]
    return pd.DataFrame({USER: np.concatenate([u for u, _ in found]), ITEM: np.concatenate([i for _, i in found])})


def rewrite(path: Path, target: Path, cleaning: Cleaning) -> None:
    """Write the remaining interactions in order, with positions renumbered over the remaining users and items."""
    gone = cleaning.gone(path)
    recode = {USER: _renumber(cleaning.users), ITEM: _renumber(cleaning.items)}
    start = 0
    with (
        pq.ParquetFile(path) as file,
        interactions_writer(target, file.schema_arrow) as writer,
    ):
        for batch in file.iter_batches(1 << 20):
            end = start + len(batch)
            table = pa.Table.from_batches([_with_new_values(batch, cleaning, start)]).filter(pa.array(~gone[start:end]))
            for name, numbers in recode.items():
                codes = pa.array(numbers[table.column(name).to_numpy()], pa.int32())
                table = table.set_column(table.schema.get_field_index(name), name, codes)
            writer.write_table(table)
            start = end


def settle_order(path: Path, target: Path) -> None:
    """Sort each user's rows within a millisecond by their exact time, then drop the sub-millisecond column.

    All other rows keep their place.
    """
    table = pq.read_table(path)
    user, time, finer = (table.column(name).to_numpy() for name in (USER, TIMESTAMP, FINER))
    exact, places = np.lexsort((finer, time, user)), np.lexsort((time, user))
    rows = np.empty(len(table), dtype=np.int64)
    rows[places] = exact
    table = table.drop_columns([FINER])
    with interactions_writer(target, table.schema) as writer:
        for start in range(0, len(rows), BLOCK):
            writer.write_table(table.take(pa.array(rows[start : start + BLOCK])))


def _resolve(
    connection: duckdb.DuckDBPyConnection, path: Path, rules: IngestRules, pairs: pd.DataFrame, cleaning: Cleaning
) -> None:
    """Resolve duplicate pairs as the rules say."""
    if rules.duplicates == "refuse":
        raise DataError(
            _(
                "{n_pairs:,} user-item pairs occur more than once, and the duplicates rule is "
                "'refuse'. Choose another rule, or clean the file."
            ).format(n_pairs=len(pairs))
        )
    names = pq.read_schema(path).names
    connection.register("pairs", pairs)
    columns = [
        f"avg(CASE WHEN isnan({RATING}) THEN NULL ELSE {RATING} END) OVER pair AS mean_rating"
        if RATING in names
        else "NULL AS mean_rating"
    ]
    columns.append(f"sum({WEIGHT}) OVER pair AS sum_weight" if WEIGHT in names else "NULL AS sum_weight")
    columns.append(f"sum({RATING}) OVER pair AS sum_rating" if RATING in names else "NULL AS sum_rating")
    keys = ", ".join(pairs.columns)
    order = "".join(f"{name} DESC, " for name in (TIMESTAMP, FINER) if name in names) + "row DESC"
    found = connection.execute(
        f"SELECT row, row_number() OVER (PARTITION BY {keys} ORDER BY {order}) AS place, {', '.join(columns)} "
        f"FROM (SELECT *, file_row_number AS row FROM read_parquet({file_literal(path)}, file_row_number=true)) "
        f"SEMI JOIN pairs USING ({keys}) WINDOW pair AS (PARTITION BY {keys}) ORDER BY row"
    ).df()
    connection.unregister("pairs")
    later = found["place"] > 1
    if rules.duplicates == "keep":
        cleaning.repeated = int(later.sum())
        return
    reason = LATER if rules.duplicates == "last" else MERGED
    cleaning.removed.append((reason, found.loc[later, "row"].to_numpy(np.int64)))
    if rules.duplicates in {"mean", "sum"}:
        kept = found[~later]
        cleaning.changed = kept["row"].to_numpy(np.int64)
        if RATING in names:
            summed = rules.duplicates == "sum" and WEIGHT not in names
            cleaning.values[RATING] = kept["sum_rating" if summed else "mean_rating"].to_numpy(np.float32)
        if WEIGHT in names and rules.duplicates == "sum":
            cleaning.values[WEIGHT] = kept["sum_weight"].to_numpy(np.float32)


def _core(path: Path, rules: IngestRules, cleaning: Cleaning) -> None:
    """Remove users and items with too few interactions until all remaining ones meet the minimum."""
    n_users, n_items, gone = len(cleaning.users), len(cleaning.items), cleaning.gone(path)
    removed: dict[str, list[IntArray]] = {}
    while True:
        of_users, of_items = np.zeros(n_users, np.int64), np.zeros(n_items, np.int64)
        start = 0
        for user, item in PairCache(0).blocks(path, USER, ITEM):
            stays = ~gone[start : start + len(user)]
            of_users += np.bincount(user[stays], minlength=n_users)
            of_items += np.bincount(item[stays], minlength=n_items)
            start += len(user)
        poor_users, poor_items = of_users < max(rules.min_user, 1), of_items < max(rules.min_item, 1)
        cleaning.users, cleaning.items = ~poor_users, ~poor_items
        start, before = 0, int(gone.sum())
        for user, item in PairCache(0).blocks(path, USER, ITEM):
            window = gone[start : start + len(user)]
            for poor, reason in (
                (poor_users[user], FEW_OF_USER.one.format(least=rules.min_user)),
                (poor_items[item], FEW_OF_ITEM.one.format(least=rules.min_item)),
            ):
                fresh = poor & ~window
                window |= poor
                removed.setdefault(reason, []).append(np.flatnonzero(fresh) + start)
            start += len(user)
        if int(gone.sum()) == before:
            break
    if gone.all():
        raise DataError(
            _(
                "No interactions remain: no users with {min_user} and items with {min_item} "
                "interactions. Lower the minimum."
            ).format(min_user=rules.min_user, min_item=rules.min_item)
        )
    cleaning.removed += [
        (reason, np.sort(rows)) for reason, parts in removed.items() if len(rows := np.concatenate(parts))
    ]


def _user_ranges(path: Path, n_users: int) -> list[tuple[int, int]]:
    """Return half-open ranges of users whose interactions fit into memory for sorting."""
    if pq.read_metadata(path).num_rows <= ROWS_AT_ONCE:
        return [(0, n_users)]
    counts = np.zeros(n_users, np.int64)
    for (user,) in PairCache(0).blocks(path, USER):
        counts += np.bincount(user, minlength=n_users)
    parts = np.cumsum(counts) // ROWS_AT_ONCE
    return list(pairwise([0, *(np.flatnonzero(np.diff(parts)) + 1).tolist(), n_users]))


def _pairs_within(path: Path, low: int, high: int) -> tuple[IntArray, IntArray]:
    """Return users and items of all interactions of users in [low, high)."""
    users, items = [], []
    for user, item in PairCache(0).blocks(path, USER, ITEM):
        chosen = (user >= low) & (user < high)
        whole = bool(chosen.all())
        users.append(user if whole else user[chosen])
        items.append(item if whole else item[chosen])
    return np.concatenate(users), np.concatenate(items)


def _renumber(stays: BoolArray) -> IntArray:
    return np.where(stays, np.cumsum(stays) - 1, -1).astype(np.int32)


def _with_new_values(batch: pa.RecordBatch, cleaning: Cleaning, start: int) -> pa.RecordBatch:
    first, last = np.searchsorted(cleaning.changed, [start, start + len(batch)])
    if first == last:
        return batch
    for name, numbers in cleaning.values.items():
        column = batch.column(name).to_numpy(zero_copy_only=False).copy()
        column[cleaning.changed[first:last] - start] = numbers[first:last]
        batch = batch.set_column(batch.schema.get_field_index(name), batch.schema.field(name), pa.array(column))
    return batch
