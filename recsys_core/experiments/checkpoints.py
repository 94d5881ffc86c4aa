"""Where the training of a job keeps its latest state: one file a fold in the job's folder, until the job is done.

A file is written aside, synced, and renamed, so a process that is killed leaves the file of the epoch before. It holds
beside the arrays the version of the code that wrote them and a digest: a state of other code, or one that the disk has
spoilt, is not gone on from.
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
"""Sources that decide what a training does; a change in any of them begins it anew."""
LIBRARIES = ("numpy", "scipy", "pandas", "scikit-learn", "torch")


@dataclass(frozen=True)
class Mark:
    """What stands in a checkpoint beside the arrays.

    Args:
        code: Version of the code, see `code_version`.
        epochs: How often the training was kept: the epochs that are done.
        seconds: How long training took up to here, all attempts together.
        digest: Of the arrays.
    """

    code: str
    epochs: int = 0
    seconds: float = 0.0
    digest: str = ""

    def to_metadata(self) -> dict[str, str]:
        """Return the mark as text by name."""
        return {name: str(value) for name, value in vars(self).items()}

    @classmethod
    def from_metadata(cls, values: Mapping[str, str]) -> "Mark":
        """Read a mark back.

        Raises:
            KeyError, ValueError: It is none.
        """
        return cls(values["code"], int(values["epochs"]), float(values["seconds"]), values["digest"])


class CheckpointFile:
    """The checkpoint of one fold; a `contracts.CheckpointStore`.

    Args:
        folder: Of the job.
        fold: Number of the fold, from 0.
        goes_on: Told after how many epochs the training goes on, once that is known; 0: from the start.
    """

    def __init__(self, folder: Path, fold: int = 0, goes_on: Callable[[int], None] = lambda _: None) -> None:
        self.path = folder / PATTERN.replace("*", str(fold))
        self._goes_on = goes_on
        self._began = time.perf_counter()
        self._mark = Mark(code_version())
        self._before = self._mark

    @property
    def epochs_before(self) -> int:
        """Epochs that an earlier attempt had done; 0 before `load`, or if there was none."""
        return self._before.epochs

    @property
    def seconds_before(self) -> float:
        """How long they took."""
        return self._before.seconds

    def save(self, arrays: "Mapping[str, NDArray[Any]]") -> None:
        """Keep these arrays instead of what was kept before.

        Raises:
            StoreError: The disk refused; what was kept before still is.
        """
        import numpy as np
        from safetensors.numpy import save_file

        kept = {name: np.asarray(array, order="C") for name, array in arrays.items()}
        seconds = self._before.seconds + time.perf_counter() - self._began
        mark = replace(self._mark, epochs=self._mark.epochs + 1, seconds=seconds, digest=_digest(kept))
        with written_aside(self.path) as aside, safetensors_errors(self.path):
            save_file(kept, aside, metadata=mark.to_metadata())
        self._mark = mark

    def load(self) -> "Mapping[str, NDArray[Any]] | None":
        """Return what was kept last; None if nothing was, or by other code, or if it is broken: that is set aside."""
        arrays = self._load()
        self._goes_on(self.epochs_before)
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
            logger.info("'%s' was kept by another version of the code; the training begins anew.", self.path)
            return None
        self._mark = self._before = mark
        return arrays

    def _set_aside(self, reason: str) -> None:
        """Put a broken file out of the way, with a note beside it."""
        broken = self.path.with_suffix(".broken")
        logger.warning("'%s' is broken (%s) and was set aside; the training begins anew.", self.path, reason)
        with disk_errors_in_words(self.path):
            self.path.replace(broken)
        note = f"'{self.path.name}' could not be read: {reason}. The training began anew without it.\n"
        write_text(broken.with_suffix(".txt"), note)


class _Broken(Exception):
    """A file that holds no checkpoint, with the reason."""


def epochs_kept(folder: Path) -> int:
    """Return after how many epochs a training in this folder would go on; 0: from the start.

    Reads the head of the file alone: no arrays, and no library that reads them.
    """
    found = [path for path in folder.glob(PATTERN) if path.stem.partition("-")[2].isdecimal()]
    files = sorted(found, key=lambda path: int(path.stem.partition("-")[2]))
    for path in files[-1:]:  # of several folds the one under way
        try:
            mark = Mark.from_metadata(_metadata(path))
        except (OSError, KeyError, TypeError, ValueError):
            return 0
        return mark.epochs if mark.code == code_version() else 0
    return 0


def remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a job: it is done, and needs them no more.

    Raises:
        StoreError: The disk refused.
    """
    for path in folder.glob(PATTERN):
        with disk_errors_in_words(path):
            path.unlink(missing_ok=True)


@lru_cache(maxsize=1)
def code_version() -> str:
    """Return what changes with the code that trains: a hash of its sources and of its libraries' versions."""
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
    """Return a checkpoint.

    Raises:
        _Broken: The file is none, or not whole.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        mark = Mark.from_metadata(_metadata(path))
        arrays: dict[str, NDArray[Any]] = load_file(path)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _Broken(f"{type(error).__name__}: {error}") from error
    if _digest(arrays) != mark.digest:
        raise _Broken("its content is not what was written")
    return mark, arrays


def _metadata(path: Path) -> dict[str, str]:
    """Return what a safetensors file says of itself: eight bytes of length, then JSON.

    Raises:
        OSError, ValueError, KeyError: It is none.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError("its head is cut off")
        found: dict[str, str] = json.loads(file.read(length))["__metadata__"]
    return found


def _digest(arrays: "Mapping[str, NDArray[Any]]") -> str:
    import numpy as np

    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(name.encode())
        found.update(np.asarray(arrays[name]).tobytes())
    return found.hexdigest()
