"""Presets: named settings of a model that a tuning found, stored in the workspace as `presets/<id>.json`."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from recsys_core.errors import ConfigError, Damaged, StoreError
from recsys_core.experiments.annotations import valid_name
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
from recsys_core.experiments.tuned_by import Part, TunedBy
from recsys_core.experiments.tuning.spec import TuningSpec
from recsys_core.experiments.tuning.store import Tuning
from recsys_core.storage.checksums import read_record, write_record
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.locks import locked
from recsys_core.text import _

logger = logging.getLogger(__name__)
LOCK = "lock"
SAME_TEST_PART = ("data", "split", "seed", "target")
"""Fields of an experiment that determine its test part."""


class Preset(BaseModel):
    """Tuned settings of one model."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str
    """Display name, that of the tuning until it is renamed."""
    model: ModelSpec
    """The model with its settings."""
    tuning: TuningSpec
    """The tuning that found them."""
    value: float
    """Metric on the validation data."""
    created: float
    """When the tuning was created, in Unix seconds."""

    @property
    def id(self) -> str:
        """Name of its file: a hash of the tuning and the model."""
        return hashlib.sha256(f"{self.tuning.id}/{self.model.key}".encode()).hexdigest()[:16]

    def part(self, spec: ExperimentSpec) -> Part:
        """Return what the data of the tuning are to an experiment, see `TunedBy.part`."""
        own, other = self.tuning.experiment, spec
        if own.data != other.data:
            return "other_data"
        equal = all(getattr(own, name) == getattr(other, name) for name in SAME_TEST_PART)
        return "validation" if equal else "test"


def presets_of(tuning: Tuning, key: str) -> list[Preset]:
    """Return the preset of a model whose budget is used up; none without a result."""
    best = tuning.best(key)
    if best is None or best.value is None:
        return []
    model = ModelSpec(key=key, config=best.config)
    return [Preset(name=tuning.name, model=model, tuning=tuning.spec, value=best.value, created=tuning.created)]


class PresetStore:
    """The presets of a workspace. Safe for concurrent use by several processes.

    Args:
        root: The workspace's folder.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / "presets"

    def save(self, preset: Preset) -> None:
        """Store a preset; one of the same tuning and model is replaced and keeps its name.

        Raises:
            StoreError: A disk error.
        """
        with disk_errors_in_words(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        with locked(self._folder / LOCK):
            before = self._read(self._path(preset.id))
            kept = preset if before is None else preset.model_copy(update={"name": before.name})
            write_record(self._path(preset.id), kept.model_dump(mode="json"))

    def presets(self, key: str | None = None) -> list[Preset]:
        """Return the presets of a model, or of all models, newest first; unreadable ones are logged and left out."""
        found = [preset for path in sorted(self._folder.glob("*.json")) if (preset := self._read(path)) is not None]
        kept = [preset for preset in found if key is None or preset.model.key == key]
        return sorted(kept, key=lambda preset: preset.created, reverse=True)

    def rename(self, preset_id: str, name: str, *, before: str) -> Preset:
        """Rename a preset.

        Args:
            preset_id: The preset.
            name: Its name: 1 to 200 printable characters, unlike those of the other presets of its model.
            before: The name that the user saw; another stored name is not overwritten.

        Raises:
            ConfigError: The name is invalid, or another preset of the model has it.
            StoreError: The preset was deleted or renamed meanwhile, or a disk error.
        """
        name = valid_name(name, _("The name of a preset"))
        with self._unchanged(preset_id, before, name) as preset:
            for other in self.presets(preset.model.key):
                if other.id != preset.id and other.name.casefold() == name.casefold():
                    raise ConfigError(
                        _("Another preset of this model is named '{name}'; choose another name.").format(
                            name=other.name
                        )
                    )
            renamed = preset.model_copy(update={"name": name})
            write_record(self._path(preset.id), renamed.model_dump(mode="json"))
        return renamed

    def delete(self, preset_id: str, *, before: str) -> None:
        """Delete a preset.

        Args:
            preset_id: The preset.
            before: The name that the user saw; a preset with another stored name is not deleted.

        Raises:
            StoreError: The preset was deleted or renamed meanwhile, or a disk error.
        """
        with self._unchanged(preset_id, before) as preset, disk_errors_in_words(self._folder):
            self._path(preset.id).unlink(missing_ok=True)

    @contextmanager
    def _unchanged(self, preset_id: str, *names: str) -> Iterator[Preset]:
        """Hold the lock, and yield the stored preset if it has one of these names.

        Raises:
            StoreError: There is no such preset, or it has another name.
        """
        missing = StoreError(
            _("The preset '{name}' is not in this workspace any more; nothing was changed.").format(name=names[0])
        )
        if not self._folder.is_dir():
            raise missing
        with locked(self._folder / LOCK):
            preset = next((one for one in self.presets() if one.id == preset_id), None)
            if preset is None:
                raise missing
            if preset.name not in names:
                raise StoreError(
                    _("The preset '{before}' was renamed to '{name}' meanwhile; nothing was changed.").format(
                        before=names[0], name=preset.name
                    )
                )
            yield preset

    def _path(self, preset_id: str) -> Path:
        return self._folder / f"{preset_id}.json"

    def _read(self, path: Path) -> Preset | None:
        """Return the preset in a file; None without one, or if it cannot be read, which is logged."""
        if not path.exists():
            return None
        try:
            values: dict[str, Any] = read_record(path)
            return Preset.model_validate({name: values[name] for name in Preset.model_fields})
        except (Damaged, ValidationError, KeyError) as error:
            logger.warning("The preset '%s' cannot be read: %s", path, error)
            return None


def with_tunings(spec: ExperimentSpec, presets: Sequence[Preset]) -> ExperimentSpec:
    """Return the experiment with a record of the tuning of each model whose settings are those of a preset.

    Args:
        spec: The experiment.
        presets: The presets of the workspace; of several with the same settings, one of the same split counts first.
    """
    order: dict[Part, int] = {"validation": 0, "other_data": 1, "test": 2}
    found: dict[str, TunedBy] = {}
    for model in spec.models:
        equal = [one for one in presets if one.model.key == model.key and one.model.config == model.config]
        if equal:
            preset = min(equal, key=lambda one: order[one.part(spec)])
            found[model.id] = preset.tuning.tuned_by(preset.part(spec))
    return spec.model_copy(update={"tuned": found}) if found else spec
