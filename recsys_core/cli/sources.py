"""Data by name or file, as the command line is given them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from recsys_core.cli.stored import warn_of_damage
from recsys_core.data import Dataset
from recsys_core.data.report import IngestReport
from recsys_core.errors import ConfigError, DataError


class Sources:
    """Opens files that exist, and for all other names data sets of the workspace, then samples.

    Args:
        columns: Roles of columns in files, as they were given; None to guess.
        links: A file with links between users, which belongs to the file with interactions.
    """

    def __init__(self, columns: Mapping[str, str | int] | None = None, links: Path | None = None) -> None:
        self._columns = columns
        self._links = links
        self._opened: dict[str, Dataset] = {}
        self.reports: dict[str, IngestReport] = {}
        """What became of the rows of each file, by the name under which it was opened."""

    def open(self, name: str, /) -> Dataset:
        """Return a data set by file, name or fingerprint.

        Raises:
            DataError: There is no such file and no such data set, or the file cannot be taken.
        """
        known = self._opened.get(name)
        if known is not None:
            return known
        dataset = self._from_file(name) if is_file(name) else self._stored(name)
        self._opened |= {name: dataset, dataset.fingerprint: dataset}
        return dataset

    def refuse_idle_columns(self) -> None:
        """Refuse `--columns` and `--links` if no file was opened: stored data stay as they were stored.

        Raises:
            ConfigError: Columns or links were named, and every data set was a stored one or a sample.
        """
        if self._links is not None and not self.reports:
            raise ConfigError("--links belongs to a file with interactions; stored data hold their own links.")
        if self._columns is not None and not self.reports:
            names = ", ".join(f"'{name}'" for name, dataset in self._opened.items() if name != dataset.fingerprint)
            raise ConfigError(f"--columns says how a file is read, but {names} is stored already. Leave --columns out.")

    def _from_file(self, name: str) -> Dataset:
        from recsys_core.data.ingest import load_with_report

        path = Path(name)
        dataset, report = load_with_report(path, columns=self._columns, links=self._links)
        self.reports[name] = report
        return dataset if dataset.fingerprint else replace(dataset, fingerprint=str(path.resolve()))

    def _stored(self, name: str) -> Dataset:
        from recsys_core.data.synthetic.samples import SAMPLES, load_sample
        from recsys_core.data.workspace import default_workspace

        workspace = default_workspace()
        cards = workspace.datasets()
        damaged = workspace.damaged(look=False)
        warn_of_damage(workspace)
        if any(name in {card.name, card.fingerprint} for card in cards):
            return workspace.open(name)
        if any(name in {one.name, one.path.name} for one in damaged):
            return workspace.open(name)  # which says what is damaged
        key = next((key for key, sample in SAMPLES.items() if name in {key, sample.title}), None)
        if key is not None:
            return load_sample(key)
        if name and Path(name).exists():
            raise DataError(f"'{name}' is a folder, not a file.")
        stored = ", ".join(card.name for card in cards) or "none"
        raise DataError(
            f"There is no file '{name}', and no data set of that name. Stored: {stored}. Samples: {', '.join(SAMPLES)}."
        )


def is_file(name: str) -> bool:
    """Return whether a name is that of a file; a folder that is called like a data set does not hide it."""
    path = Path(name)
    return path.exists() and not path.is_dir()
