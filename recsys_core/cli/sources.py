"""Data by name or file, as the command line is given them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from recsys_core.data import Dataset
from recsys_core.errors import DataError, StoreError


class Sources:
    """Opens files that exist, and data sets of the workspace for all other names.

    Args:
        columns: Roles of columns in files, as they were given; None to guess.
    """

    def __init__(self, columns: Mapping[str, str | int] | None = None) -> None:
        self._columns = columns
        self._opened: dict[str, Dataset] = {}

    def open(self, name: str, /) -> Dataset:
        """Return a data set by file, name or fingerprint.

        Raises:
            DataError: There is no such file and no such data set, or the file cannot be taken.
        """
        known = self._opened.get(name)
        if known is not None:
            return known
        dataset = self._from_file(Path(name)) if Path(name).exists() else self._from_workspace(name)
        self._opened |= {name: dataset, dataset.fingerprint: dataset}
        return dataset

    def _from_file(self, path: Path) -> Dataset:
        from recsys_core.data.ingest import load_file

        dataset = load_file(path, columns=self._columns)
        return dataset if dataset.fingerprint else replace(dataset, fingerprint=str(path.resolve()))

    def _from_workspace(self, name: str) -> Dataset:
        from recsys_core.data.workspace import default_workspace

        try:
            return default_workspace().open(name)
        except StoreError as error:
            raise DataError(f"There is no file '{name}'. {error}") from error
