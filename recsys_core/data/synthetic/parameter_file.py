"""The parameters of a synthetic world in a file: the arrays of a dataclass, without anything that runs when opened."""

from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recsys_core.errors import DataError
from recsys_core.text import _

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def save_parameters(parameters: "DataclassInstance", path: Path) -> None:
    """Write all fields into one npz file, floats in single precision."""
    arrays = {name: np.asarray(value) for name, value in asdict(parameters).items()}
    small = {n: a.astype(np.float32) if a.dtype == np.float64 else a.astype(np.int32) for n, a in arrays.items()}
    np.savez_compressed(path, allow_pickle=False, **small)


def load_parameters(kind: "type[DataclassInstance]", path: Path, what: str) -> dict[str, Any]:
    """Return the arrays of the fields of a dataclass that `save_parameters` wrote.

    Args:
        kind: The dataclass.
        path: The file.
        what: What the message calls the content.

    Raises:
        DataError: The file is missing or incomplete.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {part.name: stored[part.name] for part in fields(kind)}
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            _("The true {what} in '{path_name}' cannot be read; generate the data again.").format(
                what=what, path_name=path.name
            )
        ) from error
