"""Cache of results derived from a data set, in the workspace.

Results are in `derived/<fingerprint>/<kind>-v<version>/`. Each folder is written to a temporary location, synced, then
renamed, so that it is complete or absent. Unreadable results are computed again.
"""

import contextlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_array

from recsys_core.errors import Damaged, StoreError
from recsys_core.profiles.features import Features
from recsys_core.storage.checksums import (
    FILES,
    file_sums,
    read_record,
    sums_from_json,
    sums_to_json,
    verify,
    write_record,
)
from recsys_core.storage.files import folder_written_aside
from recsys_core.text import _

T = TypeVar("T")
FOLDER = "derived"
_FINGERPRINT = re.compile(r"^[A-Za-z0-9._-]{1,128}$")
_OLD_ASIDE_SECONDS = 86_400.0
SUMS = "sums.json"
_UNREADABLE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    StoreError,
    pa.ArrowException,
    SafetensorError,
)
"""Exceptions that readers raise for damaged files or unknown formats."""
_log = logging.getLogger(__name__)


def derived(
    root: Path | None,
    fingerprint: str,
    kind: str,
    version: int,
    *,
    make: Callable[[], T],
    write: Callable[[Path, T], None],
    read: Callable[[Path], T],
) -> T:
    """Return a derived result from the cache, or compute and cache it.

    A result that cannot be written is returned all the same: a full or read-only disk takes away the cache, no page.

    Args:
        root: The workspace; None disables the cache.
        fingerprint: Fingerprint of the data set; empty disables the cache, as for a subset of a data set.
        kind: Name of the result.
        version: Version of the computation; other versions are deleted.
        make: Computes the result.
        write: Writes the result to an empty folder.
        read: Reads the result from that folder.
    """
    if root is None or not _FINGERPRINT.match(fingerprint) or set(fingerprint) == {"."}:
        return make()
    folder = Path(root) / FOLDER / fingerprint / f"{kind}-v{version}"
    if os.path.lexists(folder):
        try:
            _check(folder)
            return read(folder)
        except _UNREADABLE as error:
            _log.warning("The cached result in '%s' cannot be read and is computed again: %s", folder, error)
            _throw_away(folder)
    made = make()
    try:
        _keep(folder, made, write)
    except (StoreError, OSError) as error:
        _log.warning("'%s' is not cached: %s", folder, error)
    return made


def _check(folder: Path) -> None:
    """Verify the checksums of a cached result.

    Raises:
        Damaged: A file is missing or changed, or the checksums are missing.
    """
    sums = sums_from_json(read_record(folder / SUMS).get(FILES))
    if sums is None:
        raise Damaged(_("'{sums}' lists no files").format(sums=SUMS))
    for name, one in sums.items():
        verify(folder / name, one)


def _throw_away(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        path.unlink()


def _keep(folder: Path, made: T, write: Callable[[Path, T], None]) -> None:
    """Write to a temporary folder, then rename; if another process was faster, its folder stays."""
    if folder.parent.exists() and not folder.parent.is_dir():
        _throw_away(folder.parent)
    with folder_written_aside(folder, folder.parents[1]) as aside:
        write(aside, made)
        names = [path.name for path in aside.iterdir()]
        write_record(aside / SUMS, {FILES: sums_to_json(file_sums(aside, names))})
    _tidy(folder)


def _tidy(folder: Path) -> None:
    """Delete other versions of the same kind, results of deleted data sets, and old unfinished folders."""
    kind = folder.name.rpartition("-v")[0]
    for other in folder.parent.glob(f"{kind}-v*"):
        if other != folder and other.name.rpartition("-v")[0] == kind:
            shutil.rmtree(other, ignore_errors=True)
    base, datasets = folder.parents[1], folder.parents[2] / "datasets"
    if not datasets.is_dir():
        return
    newest = folder.stat().st_mtime
    for other in base.iterdir():
        if other.name.startswith("aside-"):
            doomed = newest - other.stat().st_mtime > _OLD_ASIDE_SECONDS
        else:
            doomed = other != folder.parent and not (datasets / other.name).exists()
        if doomed:
            shutil.rmtree(other, ignore_errors=True)


def write_frame(folder: Path, name: str, frame: pd.DataFrame) -> None:
    """Write a table as Parquet."""
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), folder / f"{name}.parquet")


def read_frame(folder: Path, name: str) -> pd.DataFrame:
    """Read a table written by `write_frame`."""
    frame: pd.DataFrame = pq.read_table(folder / f"{name}.parquet").to_pandas()
    return frame


def write_arrays(folder: Path, name: str, arrays: dict[str, NDArray[np.generic]]) -> None:
    """Write named arrays as safetensors."""
    save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, folder / f"{name}.safetensors")


def read_arrays(folder: Path, name: str) -> dict[str, NDArray[np.generic]]:
    """Read arrays written by `write_arrays`."""
    arrays: dict[str, NDArray[np.generic]] = load_file(folder / f"{name}.safetensors")
    return arrays


def write_json(folder: Path, name: str, value: object) -> None:
    """Write a JSON value."""
    (folder / f"{name}.json").write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        StoreError: The file has another content.
    """
    value = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise StoreError(
            _("'{name}' in '{folder}' is not an object; delete the folder.").format(name=name, folder=folder)
        )
    return value


def write_features(folder: Path, features: Features) -> None:
    """Write features with values as float32."""
    matrix = features.matrix
    arrays = {
        "data": matrix.data.astype(np.float32),
        "indices": matrix.indices.astype(np.int32),
        "indptr": matrix.indptr.astype(np.int64),
        "shape": np.array(matrix.shape, dtype=np.int64),
    }
    write_arrays(folder, "features", arrays)
    parts = {part: [place.start, place.stop] for part, place in features.parts.items()}
    write_json(folder, "features", {"names": list(features.names), "parts": parts})


def read_features(folder: Path) -> Features:
    """Read features written by `write_features`.

    Raises:
        StoreError: The file has another content.
    """
    arrays, facts = read_arrays(folder, "features"), read_json(folder, "features")
    shape = tuple(int(size) for size in arrays["shape"])
    matrix = csr_array((arrays["data"].astype(np.float64), arrays["indices"], arrays["indptr"]), shape=shape)
    parts = {str(part): slice(int(start), int(stop)) for part, (start, stop) in facts["parts"].items()}
    return Features(matrix, tuple(str(one) for one in facts["names"]), parts)
