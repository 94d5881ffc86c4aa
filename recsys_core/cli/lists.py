"""`compare --list NAME=FILE`: lists of other systems, judged beside the models."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recsys_core.errors import ConfigError, DataError
from recsys_core.evaluation.list_file import ListTable, read_list_file
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.train_job import DataSource
from recsys_core.experiments.uploaded_lists import add_list
from recsys_core.models.external import LIST
from recsys_core.storage.checksums import file_sum
from recsys_core.text import _


@dataclass(frozen=True, eq=False)
class NamedList:
    """The rows of a file under a name."""

    name: str
    path: Path
    table: ListTable


def read_lists(requested: Sequence[str]) -> list[NamedList]:
    """Read the files of `--list`.

    Args:
        requested: NAME=FILE each.

    Raises:
        ConfigError: A name or file is missing, or a name is given twice.
        DataError: A file cannot be read.
    """
    found: dict[str, NamedList] = {}
    for words in requested:
        name, equals, file = words.partition("=")
        if not equals or not name.strip() or not file:
            raise ConfigError(_("--list '{words}': write NAME=FILE.").format(words=words))
        if name in found:
            raise ConfigError(_("--list: the name '{name}' is given twice.").format(name=name))
        if not Path(file).is_file():
            raise ConfigError(_("--list {name}: there is no file '{file}'.").format(name=name, file=file))
        found[name] = NamedList(name, Path(file), read_list_file(Path(file)))
    return list(found.values())


def judge_lists(run: Run, lists: Sequence[NamedList], workspace: DataSource) -> list[str]:
    """Judge lists and store them beside the experiment.

    Returns:
        Why lists cannot be judged, one sentence each. The trained models keep their results, as when a model fails.

    Raises:
        StoreError: A disk error.
    """
    refused = []
    for one in lists:
        try:
            add_list(
                run,
                one.table,
                name=one.name,
                file=one.path.name,
                sha256=file_sum(one.path).sha256,
                workspace=workspace,
            )
        except (ConfigError, DataError) as error:
            refused.append(_("--list {name}: {error}").format(name=one.name, error=error))
    return refused


def label(run: Run, model_id: str) -> str:
    """Return what stands for a contender in tables: its key, or the name of an uploaded list."""
    model = run.model_spec(model_id)
    return str(model.config["name"]) if model.key == LIST else model.key
