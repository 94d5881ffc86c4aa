"""Pictures and vectors that a person brings to a stored data set: they make another data set, with its own fingerprint.

So what models learn from stays what the fingerprint names. Pictures are kept in the item table as small PNGs, which
measure the same as the files they came from (`pictures.measure` shrinks each picture first).
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys_core.columns import EMBEDDING, IMAGE, ITEMS
from recsys_core.contracts import BoolArray, FloatArray, RunContext
from recsys_core.data.dataset import Dataset
from recsys_core.data.meta import Meta
from recsys_core.errors import DataError
from recsys_core.profiles.kinds import Kind, kinds_of
from recsys_core.profiles.pictures import content_of, opened, shrunk

if TYPE_CHECKING:
    from recsys_core.data.workspace import Workspace

_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
_DIGEST = 32


@dataclass(frozen=True)
class Attached:
    """What came of it.

    Args:
        dataset: The data set with what was brought.
        found: Items that have a picture or vector.
        missing: Items that have none.
        broken: Pictures that cannot be read; their items have none.
    """

    dataset: Dataset
    found: int
    missing: int
    broken: int


def attach_pictures(
    workspace: "Workspace", key: str, files: Path, column: str | None = None, ctx: RunContext | None = None
) -> Attached:
    """Store a data set with the pictures of its items, in a column `image`.

    Args:
        workspace: Where the data set is stored.
        key: Its fingerprint or name.
        files: Folder or zip with the pictures.
        column: Column of the item table that names the files; by default the first one that holds names of pictures,
            and without one `<item_id>.jpg`, `.png`, ... are looked for.
        ctx: Takes progress and can stop the work.

    Raises:
        DataError: It is neither a folder nor a zip, or not one picture was found.
        Cancelled: The person stopped the work; nothing was stored.
    """
    dataset = workspace.open(key)
    names = _picture_names(dataset, column)
    cells: list[bytes | None] = []
    missing = broken = 0
    with opened(Path(files)) as source:
        for tried in (ctx or RunContext()).track(names, stage="read the pictures"):
            content = next((one for one in (content_of(name, source) for name in tried) if one is not None), None)
            small = None if content is None else shrunk(content)
            missing += content is None
            broken += content is not None and small is None
            cells.append(small)
    found = sum(cell is not None for cell in cells)
    if not found:
        raise DataError(
            f"'{Path(files).name}' holds no picture of an item: {missing} were not found, {broken} cannot be read. "
            "Name the files as the item table does, or by the identifier of the item, such as '42.jpg'."
        )
    stored = _with_column(workspace, key, IMAGE, pa.array(cells, pa.binary()), "with pictures")
    return Attached(stored, found, missing, broken)


def attach_vectors(workspace: "Workspace", key: str, file: Path) -> Attached:
    """Store a data set with a vector for each item, in a column `embedding`.

    Args:
        workspace: Where the data set is stored.
        key: Its fingerprint or name.
        file: `.npy` with (I, F) numbers, in the order of the items' positions; a row that holds NaN is missing.

    Raises:
        DataError: The file holds anything else.
    """
    dataset = workspace.open(key)
    vectors = read_vectors(Path(file), dataset.n_items)
    given: BoolArray = np.asarray(np.isfinite(vectors).all(axis=1))
    rows = [vectors[item].tolist() if given[item] else None for item in range(len(vectors))]
    stored = _with_column(workspace, key, EMBEDDING, pa.array(rows, pa.list_(pa.float32())), "with vectors")
    return Attached(stored, int(given.sum()), int((~given).sum()), 0)


def read_vectors(file: Path, items: int) -> FloatArray:
    """Return (I, F) float32 of a `.npy` file; objects in it are refused, as nothing is executed.

    Raises:
        DataError: It is no such file, or has another number of rows.
    """
    try:
        vectors = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"'{file.name}' cannot be read as a .npy file of numbers: {error}.") from error
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2 or vectors.dtype.kind not in "fiu":
        raise DataError(f"'{file.name}' must hold one row of numbers for each item.")
    if len(vectors) != items or not vectors.shape[1]:
        shape = " x ".join(str(size) for size in vectors.shape)
        raise DataError(f"'{file.name}' is {shape}, but there are {items} items; give one row each.")
    return vectors.astype(np.float32)


def thumbnails(dataset: Dataset, items: Sequence[int], column: str = IMAGE) -> dict[int, bytes]:
    """Return the stored pictures (PNG or what came) of these items, without those that have none."""
    if dataset.items is None or column not in dataset.items:
        return {}
    cells = dataset.items[column]
    return {item: bytes(cells.iloc[item]) for item in items if isinstance(cells.iloc[item], bytes | bytearray)}


def _picture_names(dataset: Dataset, column: str | None) -> list[list[object]]:
    """Return the names under which the picture of each item is looked for.

    Raises:
        DataError: There is no such column.
    """
    table = dataset.items
    if column is None and table is not None:
        column = next((name for name, kind in kinds_of(table).items() if kind is Kind.PICTURE), None)
    if column is None:
        return [[f"{name}{ending}" for ending in _ENDINGS] for name in dataset.item_vocabulary.ids]
    if table is None or column not in table:
        raise DataError(f"The item table has no column '{column}'.")
    return [[cell] for cell in table[column]]


def _with_column(workspace: "Workspace", key: str, name: str, cells: pa.Array, said: str) -> Dataset:
    """Store a data set again with another column of the item table; its other tables are shared, not copied."""
    source = workspace.folder(key)
    meta = Meta.read(source)
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
        described = replace(
            Meta.fresh(**{fact: value for fact, value in vars(meta).items() if fact not in {"created", "format"}}),
            name=f"{meta.name} ({said})",
            fingerprint=_fingerprint(meta.fingerprint, name, cells),
            has_items=True,
        )
        return workspace.adopt(folder, described)


def _fingerprint(before: str, name: str, cells: pa.Array) -> str:
    """Return the hash of the data before and of what was brought."""
    digest = hashlib.sha256(f"{before}\n{name}\n".encode())
    for cell in cells.to_pylist():
        content = b"" if cell is None else cell if isinstance(cell, bytes) else np.array(cell, np.float32).tobytes()
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()[:_DIGEST]


def _share(path: Path, target: Path, copy: Callable[[Path, Path], object] = shutil.copyfile) -> None:
    """Link a file that never changes, or copy it where the file system knows no links."""
    try:
        os.link(path, target)
    except OSError:
        copy(path, target)
