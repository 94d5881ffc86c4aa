"""The tables of a stored data set: a folder of Parquet files, beside its facts (`meta`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsys_core.columns import EVENT, INTERACTIONS, ITEM_ID, ITEMS, RATING, SOCIAL, USER_ID, USERS
from recsys_core.data.dataset import Dataset
from recsys_core.data.meta import Meta
from recsys_core.data.vocabulary import Vocabulary
from recsys_core.errors import StoreError


@dataclass(frozen=True, eq=False)
class StoredDataset(Dataset):
    """A data set that lies in a folder, so that summaries can be asked of its Parquet files.

    Args:
        folder: Where it lies.
    """

    folder: Path = Path()

    def items_have(self, attribute: str) -> bool:
        """Return whether anything is known of items under this name."""
        return self.load_items is not None and attribute in pq.read_schema(self.folder / f"{ITEMS}.parquet").names


def write_vocabulary(folder: Path, table: str, id_column: str, ids: list[str], attributes: pd.DataFrame | None) -> None:
    """Write identifiers by position, and what is known of each beside them."""
    columns = {id_column: pa.array(ids, pa.string())}
    if attributes is not None:
        for name in attributes.columns:
            if name != id_column:
                columns[str(name)] = pa.Array.from_pandas(attributes[name])
    pq.write_table(pa.table(columns), folder / f"{table}.parquet")


def write_social(folder: Path, social: pd.DataFrame | None) -> None:
    """Write the links, if there are any."""
    if social is not None:
        pq.write_table(pa.Table.from_pandas(social, preserve_index=False), folder / f"{SOCIAL}.parquet")


def write_tables(folder: Path, dataset: Dataset) -> None:
    """Write all tables of a data set that was made in memory."""
    frame = dataset.interactions
    repeated = [name for name in (RATING, EVENT) if name in frame]
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table, folder / f"{INTERACTIONS}.parquet", use_dictionary=repeated)
    write_vocabulary(folder, USERS, USER_ID, list(dataset.user_vocabulary.ids), dataset.users)
    write_vocabulary(folder, ITEMS, ITEM_ID, list(dataset.item_vocabulary.ids), dataset.items)
    write_social(folder, dataset.social)


def open_folder(folder: Path) -> StoredDataset:
    """Return the data set in a folder; its tables are read when they are asked for.

    Raises:
        StoreError: The folder holds no complete data set.
    """
    meta = Meta.read(folder)

    def load(table: str, dropped: str = "") -> pd.DataFrame:
        try:
            frame: pd.DataFrame = pq.read_table(folder / f"{table}.parquet").to_pandas()
        except (OSError, pa.ArrowInvalid) as error:
            raise StoreError(f"The table '{table}' of data set '{meta.name}' cannot be read: {error}.") from error
        return frame.drop(columns=dropped) if dropped else frame

    def vocabulary(table: str, id_column: str) -> Vocabulary:
        try:
            return Vocabulary(pq.read_table(folder / f"{table}.parquet", columns=[id_column]).column(0).to_pylist())
        except (OSError, pa.ArrowInvalid) as error:
            raise StoreError(f"The table '{table}' of data set '{meta.name}' cannot be read: {error}.") from error

    return StoredDataset(
        folder=folder,
        name=meta.name,
        fingerprint=meta.fingerprint,
        user_vocabulary=vocabulary(USERS, USER_ID),
        item_vocabulary=vocabulary(ITEMS, ITEM_ID),
        load_interactions=lambda: _with_text_events(load(INTERACTIONS)),
        rating_scale=meta.rating_scale,
        load_users=(lambda: load(USERS, USER_ID)) if meta.has_users else None,
        load_items=(lambda: load(ITEMS, ITEM_ID)) if meta.has_items else None,
        load_social=(lambda: load(SOCIAL)) if meta.has_social else None,
        columns=frozenset(meta.columns),
    )


def _with_text_events(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({EVENT: "category"}) if EVENT in frame else frame


def read_rejected(path: Path, limit: int | None = None) -> pd.DataFrame:
    """Read rejected lines (`file`, `line`, `column`, `reason`, `text`), the first `limit` or all."""
    if not path.exists():
        return pd.DataFrame({name: [] for name in ("file", "line", "column", "reason", "text")})
    with pq.ParquetFile(path) as file:
        table = file.read() if limit is None else pa.Table.from_batches(_first(file, limit), schema=file.schema_arrow)
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _first(file: pq.ParquetFile, limit: int) -> Iterator[pa.RecordBatch]:
    for batch in file.iter_batches(min(limit, 50_000)):
        yield batch.slice(0, limit)
        limit -= len(batch)
        if limit <= 0:
            return
