"""Open data by name or file, and find models by key, as given on the command line."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from recsys_core.cli.stored import warn_of_damage
from recsys_core.data import Dataset
from recsys_core.data.report import IngestReport
from recsys_core.errors import ConfigError, DataError, StoreError
from recsys_core.experiments.experiment import Run
from recsys_core.text import _


class Sources:
    """Opens existing files, and for other names data sets of the workspace, then samples.

    Args:
        columns: Column roles of files; None to infer them.
        links: A file with social links for the interactions file.
    """

    def __init__(self, columns: Mapping[str, str | int] | None = None, links: Path | None = None) -> None:
        self._columns = columns
        self._links = links
        self._opened: dict[str, Dataset] = {}
        self.reports: dict[str, IngestReport] = {}
        """Ingest report of each file, by the name under which it was opened."""

    def open(self, name: str, /) -> Dataset:
        """Return a data set by file, name or fingerprint.

        Raises:
            DataError: There is no such file or data set, or the file cannot be read.
        """
        known = self._opened.get(name)
        if known is not None:
            return known
        dataset = self._from_file(name) if is_file(name) else self._stored(name)
        self._opened |= {name: dataset, dataset.fingerprint: dataset}
        return dataset

    def refuse_idle_columns(self) -> None:
        """Refuse `--columns` and `--links` if no file was opened: they do not apply to stored data.

        Raises:
            ConfigError: Columns or links were given, and all data sets are stored ones or samples.
        """
        if self._links is not None and not self.reports:
            raise ConfigError(_("--links requires a file with interactions; stored data have their own links."))
        if self._columns is not None and not self.reports:
            names = ", ".join(f"'{name}'" for name, dataset in self._opened.items() if name != dataset.fingerprint)
            raise ConfigError(
                _("--columns applies to files only, but {names} is already stored. Omit --columns.").format(names=names)
            )

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
        stored_whole = any(name in {card.name, card.fingerprint} for card in cards)
        if not stored_whole and any(name in {one.name, one.path.name} for one in damaged):
            return workspace.open(name)  # raises with the damage, in one line
        warn_of_damage(workspace)
        if stored_whole:
            return workspace.open(name)
        key = next((key for key, sample in SAMPLES.items() if name in {key, sample.title}), None)
        if key is not None:
            return load_sample(key)
        if name and Path(name).exists():
            raise DataError(_("'{name}' is a folder, not a file.").format(name=name))
        stored = ", ".join(card.name for card in cards) or "none"
        raise DataError(
            _("There is no file or data set named '{name}'. Stored: {stored}. Samples: {samples}.").format(
                name=name, stored=stored, samples=", ".join(SAMPLES)
            )
        )


def is_file(name: str) -> bool:
    """Return whether a name refers to a file; a folder does not hide a data set of the same name."""
    path = Path(name)
    return path.exists() and not path.is_dir()


def finished_model(run: Run, key: str) -> str:
    """Return the finished model with this key in a stored experiment.

    Raises:
        StoreError: There is none, or there are several with different settings.
    """
    found = [one for one in run.finished() if key in {one, run.model_spec(one).key}]
    if len(found) != 1:
        models = ", ".join(run.finished()) or "none"
        words = (
            _("Experiment '{run_id}' has several finished models of '{key}'. Finished: {models}.")
            if found
            else _("Experiment '{run_id}' has no finished model '{key}'. Finished: {models}.")
        )
        raise StoreError(words.format(run_id=run.id, key=key, models=models))
    return found[0]
