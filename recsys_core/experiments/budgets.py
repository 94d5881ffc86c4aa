"""How the models of a comparison were tuned, and whether they were tuned alike.

A comparison of tuned and untuned models compares budgets as much as algorithms; a model whose settings were chosen by
another metric is at a disadvantage, too. So results call a model *best* only where every model had the same budget, on
the same kind of data, by the same metric. Models without settings to tune are not counted.
"""

from collections.abc import Iterable, Mapping

from recsys_core.configs import field_specs
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
from recsys_core.experiments.tuned_by import TunedBy
from recsys_core.models.programs import Program, ProgramConfig
from recsys_core.models.registry import model_class
from recsys_core.text import _


def is_tunable(key: str) -> bool:
    """Return whether a model has settings to tune."""
    return any(spec.is_searched for spec in field_specs(model_class(key).config_type))


def is_gone(key: str) -> bool:
    """Return whether a model is a program that is no longer on this machine; what is stored of it stays readable."""
    kind = model_class(key)
    return issubclass(kind, Program) and kind.folder is None


def _has_settings(spec: ExperimentSpec, model: ModelSpec) -> bool:
    """Return whether a model has settings to tune; those of a program that is gone are known from the spec alone."""
    if model.id in spec.tuned or is_tunable(model.key):
        return True
    return is_gone(model.key) and not model.config.keys() <= ProgramConfig.model_fields.keys()


def same_budget(spec: ExperimentSpec, models: Iterable[str]) -> bool:
    """Return whether these models, named by id, were tuned alike; untuned models all were."""
    return not unequal(spec, {model: model for model in models})


def tuning_words(spec: ExperimentSpec) -> dict[str, str]:
    """Return the budget of each model in words, by id; empty if no model is tuned.

    A metric of the tuning that is not the primary one is named.
    """
    if not spec.tuned:
        return {}
    return {
        model.id: _words(spec.tuned.get(model.id), spec.metric) if _has_settings(spec, model) else _("nothing to tune")
        for model in spec.models
    }


def unequal(spec: ExperimentSpec, titles: Mapping[str, str]) -> list[str]:
    """Return the titles of the models that were not tuned like the first tuned one; empty if all were.

    Args:
        spec: The experiment.
        titles: Title of each compared model, by id.
    """
    return unequal_terms({model: (spec, model) for model in titles}, titles)


def unequal_terms(models: Mapping[str, tuple[ExperimentSpec, str]], titles: Mapping[str, str]) -> list[str]:
    """Return the titles of the models that were not tuned like the first tuned one; empty if all were.

    Args:
        models: Experiment and id of each compared model, by its name.
        titles: Title of each compared model, by its name.
    """
    found = {name: _terms(spec.tuned.get(model)) for name, (spec, model) in models.items() if _counted(spec, model)}
    first = next((terms for terms in found.values() if terms is not None), None)
    return [] if first is None else [titles[name] for name, terms in found.items() if terms != first]


def _counted(spec: ExperimentSpec, model: str) -> bool:
    """Return whether the budget of a model counts; that of an uploaded list, which is not in the spec, is unknown."""
    found = next((one for one in spec.models if one.id == model), None)
    return found is None or _has_settings(spec, found)


def _terms(tuned: TunedBy | None) -> tuple[object, ...] | None:
    """Return what must be equal: the budget, on which data it was spent, and the metric that it was spent on."""
    return None if tuned is None else (tuned.budget, tuned.part, tuned.metric)


def _words(tuned: TunedBy | None, primary: str) -> str:
    if tuned is None:
        return _("not tuned")
    words = tuned.budget.words
    if tuned.part == "other_data":
        words = _("{budget}, on other data").format(budget=words)
    if tuned.metric != primary:
        words = _("{budget}, by {metric}").format(budget=words, metric=MetricName.parse(tuned.metric).title)
    return words
