"""Train an experiment again with one change: what can be changed, and the spec with the change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from recsys_core.configs import FieldSpec, choice_name, field_specs, problems
from recsys_core.errors import ConfigError
from recsys_core.experiments.leaderboard import model_titles
from recsys_core.experiments.spec import BASELINES, ExperimentSpec
from recsys_core.models.registry import model_class, usable_models
from recsys_core.text import _, later

ADD = "model"
"""Key of the change that adds a model."""
SEED, SEEDS, K = "seed", "seeds", "k"
OWN = {
    SEEDS: later("Trainings per model"),
    SEED: later("Seed"),
    K: later("List length (k)"),
}
HELP = {
    SEEDS: later("Number of trainings of each model that depends on the seed, with consecutive seeds."),
    SEED: later(
        "Another seed gives another random split: the result is not directly comparable with that of this experiment."
    ),
    K: later("Recommendations per user. By default, the leaderboard is sorted by NDCG at this cutoff."),
    ADD: later("A model that is trained with its default settings beside those of this experiment."),
}
LIMITS = {SEEDS: (1, 20), SEED: (0, 2**31 - 1), K: (1, 1000)}


@dataclass(frozen=True)
class Change:
    """A setting of an experiment that can be changed.

    Args:
        key: `seed`, `seeds`, `k`, `model` (to add one), or `<model id>/<setting>`.
        title: Display name, with the model that the setting belongs to.
        value: Current value.
        field: Description of the value for a form.
    """

    key: str
    title: str
    value: Any
    field: FieldSpec


def possible_changes(spec: ExperimentSpec) -> dict[str, Change]:
    """Return what can be changed, by key: settings of the models first, then those of the experiment."""
    changes = [*_of_models(spec), _added_model(spec), *(_own(spec, key) for key in OWN)]
    return {change.key: change for change in changes if change is not None}


def changed(spec: ExperimentSpec, key: str, value: Any) -> ExperimentSpec:
    """Return the spec with one change; everything else stays the same.

    Raises:
        ConfigError: There is no such setting, or the value is not allowed.
    """
    values = spec.model_dump(mode="json") | {"repetition": 0}
    if key == ADD:
        values["models"] = [*values["models"], {"key": value}]
    elif key in OWN:
        values[key] = value
    else:
        model_id, _separator, name = key.partition("/")
        place = next((number for number, model in enumerate(spec.models) if model.id == model_id), None)
        if place is None or name not in values["models"][place]["config"]:
            raise ConfigError(_("This experiment has no setting '{key}'.").format(key=key))
        values["models"][place]["config"][name] = value
    try:
        return ExperimentSpec.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{problems(error)}.") from error


def name_with(name: str, change: Change, value: Any, longest: int = 200) -> str:
    """Return the name of the changed experiment: `Films · EASE: regularization 300`."""
    shown = _(model_class(value).info.title) if change.key == ADD else _shown(value)
    suffix = f" · {change.title} {shown}"
    return (name[: longest - len(suffix)] + suffix)[:longest]


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else _(choice_name(value))


def _of_models(spec: ExperimentSpec) -> list[Change]:
    titles = model_titles(spec.models)
    found = []
    for model in spec.models:
        config = _current(model.key, model.config)
        for field in sorted(field_specs(model_class(model.key).config_type), key=lambda one: one.advanced):
            title = _("{model}: {setting}").format(model=titles[model.id], setting=_(field.label))
            found.append(Change(f"{model.id}/{field.name}", title, config.get(field.name, field.default), field))
    return found


def _current(key: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return model_class(key).config_type.with_current_names(dict(config))


def _added_model(spec: ExperimentSpec) -> Change | None:
    present = {model.key for model in spec.models} | {*BASELINES}
    choices = tuple(key for key in usable_models() if key not in present)
    if not choices:
        return None
    field = FieldSpec(ADD, "choice", choices[0], HELP[ADD], "", choices=choices, label=_("Add a model"))
    return Change(ADD, _("Add a model"), None, field)


def _own(spec: ExperimentSpec, key: str) -> Change:
    low, high = LIMITS[key]
    value = getattr(spec, key)
    field = FieldSpec(key, "int", value, HELP[key], "", minimum=low, maximum=high, label=OWN[key])
    return Change(key, _(OWN[key]), value, field)
