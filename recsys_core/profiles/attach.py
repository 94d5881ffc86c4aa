"""Attach item images or embeddings to a stored data set; the result is a new data set with its own fingerprint.

A fingerprint therefore always identifies the training data. Images are stored in the item table as small PNGs, which
give the same measures as the original files (`pictures.measure` downsizes each image first).
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys_core.columns import EMBEDDING, IMAGE, ITEMS
from recsys_core.contracts import BoolArray, FloatArray, RunContext
from recsys_core.data.dataset import Dataset
from recsys_core.data.meta import DatasetCard
from recsys_core.errors import DataError
from recsys_core.profiles.kinds import Kind, columns_of, kinds_of
from recsys_core.profiles.pictures import content_of, opened, shrunk
from recsys_core.text import _

if TYPE_CHECKING:
    from recsys_core.data.workspace import Workspace

_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
_DIGEST = 32


@dataclass(frozen=True)
class Attached:
    """The result of an attachment.

    Args:
        dataset: The new data set.
        found: Number of items with an image or vector.
        missing: Number of items without one.
        broken: Number of unreadable images; their items have none.
    """

    dataset: Dataset
    found: int
    missing: int
    broken: int


def attach_pictures(
    workspace: "Workspace", key: str, files: Path, column: str | None = None, ctx: RunContext | None = None
) -> Attached:
    """Store a data set with item images in a column `image`.

    Args:
        workspace: The workspace of the data set.
        key: Fingerprint or name of the data set.
        files: Folder or zip file with the images.
        column: Column of the item table with the file names; by default the first column of image file names, or
            `<item_id>.jpg`, `.png`, ... without such a column.
        ctx: Receives progress and can cancel the work.

    Raises:
        DataError: `files` is neither a folder nor a zip file, or contains no image of an item.
        Cancelled: The work was cancelled; nothing was stored.
    """
    dataset = workspace.open(key)
    names = _picture_names(dataset, column)
    cells: list[bytes | None] = []
    missing = broken = 0
    with opened(Path(files)) as source:
        for tried in (ctx or RunContext()).track(names, stage="read the images"):
            content = next((one for one in (content_of(name, source) for name in tried) if one is not None), None)
            small = None if content is None else shrunk(content)
            missing += content is None
            broken += content is not None and small is None
            cells.append(small)
    found = sum(cell is not None for cell in cells)
    if not found:
        raise DataError(
            _(
                "'{path_name}' contains no readable image of an item: {missing} not found, {broken} "
                "unreadable. Name the files as in the item table, or by item id, such as '42.jpg'."
            ).format(path_name=Path(files).name, missing=missing, broken=broken)
        )
    stored = _with_column(workspace, key, IMAGE, pa.array(cells, pa.binary()), "with images")
    return Attached(stored, found, missing, broken)


def attach_vectors(workspace: "Workspace", key: str, file: Path) -> Attached:
    """Store a data set with item embeddings in a column `embedding`.

    Args:
        workspace: The workspace of the data set.
        key: Fingerprint or name of the data set.
        file: `.npy` file with (I, F) numbers by item position; rows with NaN count as missing.

    Raises:
        DataError: The file has any other content.
    """
    dataset = workspace.open(key)
    vectors = read_vectors(Path(file), dataset.n_items)
    given: BoolArray = np.asarray(np.isfinite(vectors).all(axis=1))
    rows = [vectors[item].tolist() if given[item] else None for item in range(len(vectors))]
    stored = _with_column(workspace, key, EMBEDDING, pa.array(rows, pa.list_(pa.float32())), "with vectors")
    return Attached(stored, int(given.sum()), int((~given).sum()), 0)


def read_vectors(file: Path, items: int) -> FloatArray:
    """Return (I, F) float32 from a `.npy` file; pickled objects are refused, so that loading executes no code.

    Raises:
        DataError: The file is not a `.npy` file of numbers, or has another number of rows.
    """
    try:
        vectors = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            _("'{file_name}' cannot be read as a .npy file of numbers: {error}.").format(
                file_name=file.name, error=error
            )
        ) from error
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2 or vectors.dtype.kind not in "fiu":
        raise DataError(
            _("'{file_name}' must contain a two-dimensional array with one row per item.").format(file_name=file.name)
        )
    if len(vectors) != items or not vectors.shape[1]:
        shape = " x ".join(str(size) for size in vectors.shape)
        raise DataError(
            _("'{file_name}' is {shape}, but there are {items} items; provide one row per item.").format(
                file_name=file.name, shape=shape, items=items
            )
        )
    return vectors.astype(np.float32)


def thumbnails(dataset: Dataset, items: Sequence[int], column: str = IMAGE) -> dict[int, bytes]:
    """Return the stored images of these items, without items that have none."""
    if dataset.items is None or column not in dataset.items:
        return {}
    cells = dataset.items[column]
    return {item: bytes(cells.iloc[item]) for item in items if isinstance(cells.iloc[item], bytes | bytearray)}


def _picture_names(dataset: Dataset, column: str | None) -> list[list[object]]:
    """Return the candidate file names of the image of each item.

    Raises:
        DataError: The column does not exist.
    """
    table = dataset.items
    if column is None and table is not None:
        column = next(iter(columns_of(kinds_of(table), Kind.PICTURE)), None)
    if column is None:
        return [[f"{name}{ending}" for ending in _ENDINGS] for name in dataset.item_vocabulary.ids]
    if table is None or column not in table:
        raise DataError(_("The item table has no column '{column}'.").format(column=column))
    return [[cell] for cell in table[column]]


def _with_column(workspace: "Workspace", key: str, name: str, cells: pa.Array, suffix: str) -> Dataset:
    """Store a data set with an additional item column; other tables are hard-linked, not copied."""
    source = workspace.folder(key)
    meta = DatasetCard.read(source)
    table = pq.read_table(source / f"{ITEMS}.parquet")
    if name in table.column_names:
        table = table.drop_columns([name])
    with workspace.staging() as folder:
        for path in source.glob("*.parquet"):
            if path.name != f"{ITEMS}.parquet":
                _share(path, folder / path.name)
        for path in source.glob("report.json"):
            _share(path, folder / path.name)
        pq.write_table(table.append_column(name, cells), folder / f"{ITEMS}.parquet")
        fingerprint = _fingerprint(meta.fingerprint, name, cells)
        renamed = meta.stored_as(f"{meta.name} ({suffix})")
        return workspace.adopt(folder, replace(renamed, fingerprint=fingerprint, has_items=True))


def _fingerprint(before: str, name: str, cells: pa.Array) -> str:
    """Return the hash of the original fingerprint and the attached column."""
    digest = hashlib.sha256(f"{before}\n{name}\n".encode())
    for cell in cells.to_pylist():
        content = b"" if cell is None else cell if isinstance(cell, bytes) else np.array(cell, np.float32).tobytes()
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()[:_DIGEST]


def _share(path: Path, target: Path) -> None:
    """Hard-link an immutable file, or copy it if the file system does not support links."""
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)
