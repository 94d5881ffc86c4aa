"""Access of the pages to tunings and presets: stored ones, and what is computed from their trials."""

from typing import TYPE_CHECKING

from pages.ui import once, services
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.engine.tunings import Tunings
    from recsys_core.experiments.spec import ExperimentSpec
    from recsys_core.experiments.tuning.presets import Preset, PresetStore
    from recsys_core.experiments.tuning.rows import TrialRow
    from recsys_core.experiments.tuning.store import Tuning, TuningCard
    from recsys_core.serving.background import Ticket


def tunings() -> "Tunings":
    """Return the tunings of the workspace, whose trials are jobs of the engine."""
    from recsys_core.engine.tunings import Tunings

    return Tunings(services.engine(), services.workspace())


def tuning(tuning_id: str | None) -> "Tuning | None":
    """Return a tuning, None if it does not exist or cannot be read."""
    if not tuning_id:
        return None
    try:
        return tunings().store.open(tuning_id)
    except RecscopeError:
        return None


def cards() -> "list[TuningCard]":
    """Return the card of each tuning, newest first; read once per script run."""
    if services.is_empty("tunings"):
        return []
    return once.value("tuning_cards", tunings().store.tunings)


def presets(key: str) -> "list[Preset]":
    """Return the presets of a model, newest first."""
    return [one for one in _all_presets() if one.model.key == key]


def _all_presets() -> "list[Preset]":
    if services.is_empty("presets"):
        return []
    return once.value("presets", lambda: preset_store().presets())


def preset_store() -> "PresetStore":
    """Return the stored presets."""
    from recsys_core.experiments.tuning.presets import PresetStore

    return PresetStore(services.root())


def with_tunings(spec: "ExperimentSpec") -> "ExperimentSpec":
    """Return an experiment with a record of the tunings that found the settings of its models."""
    known = _all_presets()
    if not known:
        return spec
    from recsys_core.experiments.tuning.presets import with_tunings as recorded

    return recorded(spec, known)


def importance(tuning_id: str, key: str, rows: "list[TrialRow]") -> "Ticket[dict[str, float]]":
    """Return the ticket of the importance of a model's settings, for its trials so far."""
    from recsys_core.experiments.tuning.results import importance as compute

    return services.ask(lambda _ctx: compute(key, rows), "importance", tuning_id, key, len(rows))
