"""Presets: named settings of a model that a tuning found, stored in the workspace as `presets/<id>.json`."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from recsys_core.errors import Damaged, StoreError
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
from recsys_core.experiments.tuned_by import Part, TunedBy
from recsys_core.experiments.tuning.spec import TuningSpec
from recsys_core.experiments.tuning.store import Tuning
from recsys_core.storage.checksums import read_record, write_record
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.text import _

logger = logging.getLogger(__name__)
SAME_TEST_PART = ("data", "split", "seed", "target")
"""Fields of an experiment that determine its test part."""


class Preset(BaseModel):
    """Tuned settings of one model."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str
    """Display name, that of the tuning."""
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
    """The presets of a workspace.

    Args:
        root: The workspace's folder.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / "presets"

    def save(self, preset: Preset) -> None:
        """Store a preset; one of the same tuning and model is replaced.

        Raises:
            StoreError: A disk error.
        """
        with disk_errors_in_words(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        write_record(self._folder / f"{preset.id}.json", preset.model_dump(mode="json"))

    def presets(self, key: str | None = None) -> list[Preset]:
        """Return the presets of a model, or of all models, newest first; unreadable ones are logged and left out."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                values: dict[str, Any] = read_record(path)
                found.append(Preset.model_validate({name: values[name] for name in Preset.model_fields}))
            except (Damaged, ValidationError, KeyError) as error:
                logger.warning("The preset '%s' cannot be read: %s", path, error)
        kept = [preset for preset in found if key is None or preset.model.key == key]
        return sorted(kept, key=lambda preset: preset.created, reverse=True)

    def delete(self, preset_id: str) -> None:
        """Delete a preset.

        Raises:
            StoreError: There is no such preset, or a disk error.
        """
        path = self._folder / f"{self._find(preset_id).id}.json"
        with disk_errors_in_words(path):
            path.unlink(missing_ok=True)

    def _find(self, preset_id: str) -> Preset:
        for preset in self.presets():
            if preset.id == preset_id:
                return preset
        raise StoreError(_("There is no preset '{preset_id}' in this workspace.").format(preset_id=preset_id))


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
