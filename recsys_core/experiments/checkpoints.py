"""Training checkpoints of a job: one file per fold in the job's folder, removed when the job is done.

A file is written to a temporary name, synced and renamed, so a killed process leaves the checkpoint of the previous
epoch. Besides the arrays it stores the version of the code and a digest: checkpoints of other code and corrupted ones
are not resumed.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys_core.storage.disk_errors import disk_errors_in_words, safetensors_errors
from recsys_core.storage.files import write_text, written_aside
from recsys_core.text import _

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)
PATTERN = "checkpoint-*.safetensors"
PACKAGE = Path(__file__).resolve().parents[1]
TRAINED_BY = (
    "models",
    "training",
    "data",
    "profiles",
    "evaluation",
    "batches.py",
    "columns.py",
    "configs.py",
    "contracts.py",
    "experiments/spec.py",
    "experiments/training_part.py",
    "experiments/validation.py",
)
"""Sources that determine the result of a training; a change in any of them invalidates checkpoints."""
LIBRARIES = ("numpy", "scipy", "pandas", "scikit-learn", "torch")


@dataclass(frozen=True)
class Mark:
    """Metadata of a checkpoint.

    Args:
        code: Version of the code, see `code_version`.
        epochs: Number of saved states, which is the number of finished epochs.
        seconds: Training time so far, over all attempts.
        digest: Digest of the arrays.
    """

    code: str
    epochs: int = 0
    seconds: float = 0.0
    digest: str = ""

    @classmethod
    def from_metadata(cls, values: Mapping[str, str]) -> "Mark":
        """Return the mark from stored metadata.

        Raises:
            KeyError, ValueError: A field is missing or invalid.
        """
        return cls(values["code"], int(values["epochs"]), float(values["seconds"]), values["digest"])


class CheckpointFile:
    """The checkpoint of one fold; a `contracts.CheckpointStore`.

    Args:
        folder: Folder of the job.
        fold: Number of the fold, from 0.
        on_resume: Called by `load` with the number of finished epochs from which the training resumes; 0: from scratch.
    """

    def __init__(self, folder: Path, fold: int = 0, on_resume: Callable[[int], None] = lambda _: None) -> None:
        self.path = folder / PATTERN.replace("*", str(fold))
        self._on_resume = on_resume
        self._began = time.perf_counter()
        self._mark = Mark(code_version())
        self._before = self._mark

    @property
    def epochs_before(self) -> int:
        """Epochs finished by an earlier attempt; 0 before `load`, or if there was none."""
        return self._before.epochs

    @property
    def seconds_before(self) -> float:
        """Training time of the earlier attempts."""
        return self._before.seconds

    def save(self, arrays: "Mapping[str, NDArray[Any]]") -> None:
        """Replace the checkpoint by these arrays.

        Raises:
            StoreError: A disk error; the previous checkpoint is kept.
        """
        import numpy as np
        from safetensors.numpy import save_file

        kept = {name: np.asarray(array, order="C") for name, array in arrays.items()}
        seconds = self._before.seconds + time.perf_counter() - self._began
        mark = replace(self._mark, epochs=self._mark.epochs + 1, seconds=seconds, digest=_digest(kept))
        with written_aside(self.path) as aside, safetensors_errors(self.path):
            save_file(kept, aside, metadata={name: str(value) for name, value in vars(mark).items()})
        self._mark = mark

    def load(self) -> "Mapping[str, NDArray[Any]] | None":
        """Return the latest arrays; None without a checkpoint of this code; a damaged one is set aside."""
        arrays = self._load()
        self._on_resume(self.epochs_before)
        return arrays

    def _load(self) -> "Mapping[str, NDArray[Any]] | None":
        if not self.path.exists():
            return None
        try:
            mark, arrays = _read(self.path)
        except _Broken as error:
            self._set_aside(str(error))
            return None
        if mark.code != self._mark.code:
            logger.info("'%s' was written by another version of the code; training starts from scratch.", self.path)
            return None
        self._mark = self._before = mark
        return arrays

    def _set_aside(self, reason: str) -> None:
        """Move a damaged file aside, with a note."""
        broken = self.path.with_suffix(".broken")
        logger.warning("'%s' is damaged (%s) and was set aside; training starts from scratch.", self.path, reason)
        with disk_errors_in_words(self.path):
            self.path.replace(broken)
        note = f"'{self.path.name}' could not be read: {reason}. Training started from scratch without it.\n"
        write_text(broken.with_suffix(".txt"), note)


class _Broken(Exception):
    """The file is not a valid checkpoint."""


def epochs_kept(folder: Path) -> int:
    """Return the number of epochs from which a training in this folder would resume; 0: from scratch.

    Reads only the header of the file, without loading arrays or the library that reads them.
    """
    found = [path for path in folder.glob(PATTERN) if path.stem.partition("-")[2].isdecimal()]
    files = sorted(found, key=lambda path: int(path.stem.partition("-")[2]))
    for path in files[-1:]:  # the last fold is the one that was being trained
        try:
            mark = Mark.from_metadata(_metadata(path))
        except (OSError, KeyError, TypeError, ValueError):
            return 0
        return mark.epochs if mark.code == code_version() else 0
    return 0


def remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a finished job.

    Raises:
        StoreError: A disk error.
    """
    for path in folder.glob(PATTERN):
        with disk_errors_in_words(path):
            path.unlink(missing_ok=True)


@lru_cache(maxsize=1)
def code_version() -> str:
    """Return a hash of the sources that determine a training and of the versions of its libraries."""
    found = hashlib.sha256()
    for name in TRAINED_BY:
        place = PACKAGE / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            found.update(path.relative_to(PACKAGE).as_posix().encode())
            found.update(path.read_bytes())
    for library in LIBRARIES:
        found.update(f"{library} {version(library)}".encode())
    return found.hexdigest()[:16]


def _read(path: Path) -> "tuple[Mark, dict[str, NDArray[Any]]]":
    """Read a checkpoint.

    Raises:
        _Broken: The file is not a checkpoint, or incomplete.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        mark = Mark.from_metadata(_metadata(path))
        arrays: dict[str, NDArray[Any]] = load_file(path)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _Broken(f"{type(error).__name__}: {error}") from error
    if _digest(arrays) != mark.digest:
        raise _Broken(_("its checksum differs"))
    return mark, arrays


def _metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a safetensors file: eight bytes of length, then JSON.

    Raises:
        OSError, ValueError, KeyError: The file has no valid header.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError("its header is truncated")
        found: dict[str, str] = json.loads(file.read(length))["__metadata__"]
    return found


def _digest(arrays: "Mapping[str, NDArray[Any]]") -> str:
    import numpy as np

    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(name.encode())
        found.update(np.asarray(arrays[name]).tobytes())
    return found.hexdigest()
