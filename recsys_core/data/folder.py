"""A stored data set: one folder of Parquet files and one of plain facts."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsys_core.columns import EVENT, INTERACTIONS, ITEM_ID, ITEMS, SOCIAL, USER_ID, USERS
from recsys_core.contracts import RatingScale
from recsys_core.data.dataset import Dataset
from recsys_core.data.vocabulary import Vocabulary
from recsys_core.errors import StoreError

META = "meta.json"
FORMAT = 1


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


@dataclass(frozen=True)
class Meta:
    """What is known of a data set without opening its tables."""

    name: str
    fingerprint: str
    created: str
    n_users: int
    n_items: int
    n_interactions: int
    columns: tuple[str, ...]
    rating_scale: RatingScale | None
    has_users: bool
    has_items: bool
    has_social: bool
    format: int = FORMAT

    @classmethod
    def fresh(cls, **facts: Any) -> Self:
        """Return the facts of a data set that is made now."""
        return cls(created=datetime.now(UTC).isoformat(timespec="seconds"), **facts)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the facts that a folder holds.

        Raises:
            StoreError: There are none, or they cannot be read.
        """
        try:
            values = json.loads((folder / META).read_text(encoding="utf-8"))
            scale = values["rating_scale"]
            values["rating_scale"] = None if scale is None else RatingScale(**scale)
            values["columns"] = tuple(values["columns"])
            return cls(**values)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StoreError(f"The data set in '{folder.name}' cannot be read: {error}.") from error

    def write(self, folder: Path) -> None:
        """Write the facts, last of all files: a folder without them is half-written."""
        aside = folder / f"{META}.aside"
        aside.write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1), encoding="utf-8")
        aside.replace(folder / META)


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
