"""Read and write the tables of a stored data set: a folder of Parquet files and metadata (`meta`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

from recsys_core.columns import EVENT, INTERACTIONS, ITEM_ID, ITEMS, RATING, SOCIAL, USER_ID, USERS
from recsys_core.data.dataset import Dataset
from recsys_core.data.meta import META, DatasetCard
from recsys_core.data.vocabulary import Vocabulary
from recsys_core.errors import Damaged
from recsys_core.storage.checksums import file_sums, verify
from recsys_core.text import _


@dataclass(frozen=True, eq=False)
class StoredDataset(Dataset):
    """A data set stored in a folder, so that summaries can query its Parquet files.

    Args:
        folder: Its folder.
        meta: Its metadata.
    """

    folder: Path = Path()
    meta: DatasetCard | None = None

    def check(self) -> None:
        """Verify the files; files already verified by this process are not read again.

        Raises:
            Damaged: A file is missing, or differs from what was written.
        """
        if self.meta is not None:
            check_folder(self.folder, self.meta, deep=True)

    def items_have(self, attribute: str) -> bool:
        """Return whether items have this attribute."""
        return self.load_items is not None and attribute in pq.read_schema(self.folder / f"{ITEMS}.parquet").names


def write_vocabulary(folder: Path, table: str, id_column: str, ids: list[str], attributes: pd.DataFrame | None) -> None:
    """Write identifiers by position, with their attributes."""
    columns = {id_column: pa.array(ids, pa.string())}
    if attributes is not None:
        for name in attributes.columns:
            if name != id_column:
                columns[str(name)] = pa.Array.from_pandas(attributes[name])
    pq.write_table(pa.table(columns), folder / f"{table}.parquet")


def write_social(folder: Path, social: pd.DataFrame | None) -> None:
    """Write the social links, if there are any."""
    if social is not None:
        pq.write_table(pa.Table.from_pandas(social, preserve_index=False), folder / f"{SOCIAL}.parquet")


def write_tables(folder: Path, dataset: Dataset) -> None:
    """Write all tables of an in-memory data set."""
    frame = dataset.interactions
    repeated = [name for name in (RATING, EVENT) if name in frame]
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table, folder / f"{INTERACTIONS}.parquet", use_dictionary=repeated)
    write_side_tables(folder, dataset)


def write_side_tables(folder: Path, dataset: Dataset) -> None:
    """Write users, items and social links of an in-memory data set."""
    write_vocabulary(folder, USERS, USER_ID, list(dataset.user_vocabulary.ids), dataset.users)
    write_vocabulary(folder, ITEMS, ITEM_ID, list(dataset.item_vocabulary.ids), dataset.items)
    write_social(folder, dataset.social)


def seal(folder: Path, meta: DatasetCard) -> None:
    """Write the metadata of a complete folder with the checksums of its files, for `Workspace.take_over`.

    Raises:
        OSError: A file cannot be read.
        StoreError: Writing failed.
    """
    names = [path.name for path in folder.iterdir() if path.name != META]
    replace(meta, files=file_sums(folder, names)).write(folder)


def check_folder(folder: Path, meta: DatasetCard, *, deep: bool) -> None:
    """Verify the files of a data set.

    Args:
        folder: Its folder.
        meta: Its metadata.
        deep: Whether to verify checksums (about a second per gigabyte, once per process); else only existence and
            size.

    Raises:
        Damaged: A file is missing, or differs from what was written.
    """
    tables = [INTERACTIONS, USERS, ITEMS, *([SOCIAL] if meta.has_social else [])]
    for table in tables:
        check_file(folder, meta, f"{table}.parquet", deep=deep)


def check_file(folder: Path, meta: DatasetCard, name: str, *, deep: bool = True) -> None:
    """Verify one file of a data set; see `check_folder`."""
    try:
        if meta.files is not None and name not in meta.files:
            raise Damaged(_("'{name}' is not listed among the written files").format(name=name))
        verify(folder / name, None if meta.files is None else meta.files[name], deep=deep)
    except Damaged as error:
        raise damaged(folder, meta, error) from error


def damaged(folder: Path, meta: DatasetCard, error: object) -> Damaged:
    """Return the error for a damaged data set, with advice."""
    return Damaged(
        _(
            "The data set '{name}' is damaged: {error}. Upload the same files again, which replaces it, or restore the "
            "folder '{folder}' from a backup."
        ).format(name=meta.name, error=str(error).rstrip("."), folder=folder)
    )


def open_folder(folder: Path, *, verified: bool = False) -> StoredDataset:
    """Return the data set in a folder; its tables are verified here and loaded lazily.

    Args:
        folder: Its folder.
        verified: Whether this process has just written or verified the tables.

    Raises:
        Damaged: The data set is incomplete, or differs from what was written.
    """
    meta = DatasetCard.read(folder)
    check_folder(folder, meta, deep=not verified)

    sizes = {INTERACTIONS: meta.n_interactions, USERS: meta.n_users, ITEMS: meta.n_items}

    def load(table: str, *, only: str | None = None, dropped: str | None = None) -> pd.DataFrame:
        with _readable(folder, meta, table):
            frame: pd.DataFrame = pq.read_table(folder / f"{table}.parquet", columns=only and [only]).to_pandas()
            if len(frame) != sizes.get(table, len(frame)):
                raise Damaged(
                    _("'{table}.parquet' has {rows:,} rows instead of {expected:,}").format(
                        table=table, rows=len(frame), expected=sizes[table]
                    )
                )
            return frame.drop(columns=dropped) if dropped else frame

    return StoredDataset(
        folder=folder,
        meta=meta,
        name=meta.name,
        fingerprint=meta.fingerprint,
        user_vocabulary=Vocabulary(load(USERS, only=USER_ID)[USER_ID]),
        item_vocabulary=Vocabulary(load(ITEMS, only=ITEM_ID)[ITEM_ID]),
        load_interactions=lambda: _with_text_events(load(INTERACTIONS)),
        rating_scale=meta.rating_scale,
        load_users=(lambda: load(USERS, dropped=USER_ID)) if meta.has_users else None,
        load_items=(lambda: load(ITEMS, dropped=ITEM_ID)) if meta.has_items else None,
        load_social=(lambda: load(SOCIAL)) if meta.has_social else None,
        columns=frozenset(meta.columns),
    )


@contextmanager
def _readable(folder: Path, meta: DatasetCard, table: str) -> Iterator[None]:
    """Verify a table, and translate errors of its reader.

    Raises:
        Damaged: The table cannot be read, or differs from what was written.
    """
    check_file(folder, meta, f"{table}.parquet")
    try:
        yield
    except (OSError, pa.ArrowException, KeyError, Damaged) as error:
        raise damaged(folder, meta, error) from error


def _with_text_events(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({EVENT: "category"}) if EVENT in frame else frame


def read_rejected(path: Path, limit: int | None = None) -> pd.DataFrame:
    """Read the first `limit` (default: all) rejected lines: `file`, `line`, `column`, `reason`, `text`."""
    if not path.exists():
        return pd.DataFrame({name: [] for name in ("file", "line", "column", "reason", "text")})
    lines = pyarrow.dataset.dataset(path)
    frame: pd.DataFrame = (lines.to_table() if limit is None else lines.head(limit)).to_pandas()
    return frame
