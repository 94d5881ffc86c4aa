"""What is tuned: an experiment with default settings, the models whose settings are searched, and their budget."""

import hashlib
import json
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from recsys_core.configs import problems
from recsys_core.errors import ConfigError
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.experiments.budgets import is_gone, is_tunable
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec, spec_id
from recsys_core.experiments.tuned_by import Budget, Part, TunedBy
from recsys_core.models.registry import model_class
from recsys_core.text import _


class TuningSpec(BaseModel):
    """An immutable tuning; its hash is its id."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    experiment: ExperimentSpec
    """The experiment in which the tuned models are compared afterwards. Its primary metric is maximized (minimized if
    lower is better) on the validation data of its split."""
    models: Annotated[tuple[str, ...], Field(min_length=1)]
    """Keys of the tuned models."""
    budget: Budget
    """Budget of each model."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.models)) < len(self.models):
            raise ValueError(_("Name each model once"))
        if fixed := [key for key in self.models if not is_tunable(key) and not is_gone(key)]:
            raise ValueError(_("These models have no settings to tune: {fixed}").format(fixed=", ".join(fixed)))
        programs = [key for key in self.models if model_class(key).info.lists_only]
        name = MetricName.parse(self.experiment.metric)
        if programs and (name.info.kind == "rating" or not name.info.at_cutoff):
            raise ValueError(
                _(
                    "{metric} needs scores of all items or predicted ratings, but these programs answer with lists: "
                    "{programs}. Choose a metric of lists, such as NDCG"
                ).format(metric=name.title, programs=", ".join(programs))
            )
        if self.experiment.split.validation_fraction == 0:
            raise ValueError(_("Tuning needs validation data: choose a validation share above 0"))
        if self.experiment.split.kind == "k_fold":
            raise ValueError(
                _(
                    "Tuning needs one test part, which it never reads; in k-fold every interaction is a "
                    "test case once. Choose another split"
                )
            )
        return self

    @classmethod
    def of(cls, fields: dict[str, Any], models: tuple[str, ...], budget: dict[str, Any]) -> Self:
        """Return the tuning of these models in the experiment with these fields.

        Raises:
            ConfigError: The fields, the models or the budget are invalid.
        """
        try:
            experiment = ExperimentSpec.model_validate(fields | {"models": [{"key": key} for key in models]})
            return cls(experiment=experiment, models=models, budget=Budget.model_validate(budget))
        except ValidationError as error:
            raise ConfigError(f"{problems(error)}.") from error

    @property
    def metric(self) -> str:
        """The metric that is optimized."""
        return self.experiment.metric

    @property
    def lower_is_better(self) -> bool:
        """Whether the metric is minimized."""
        return MetricName.parse(self.metric).info.direction == "lower"

    @property
    def id(self) -> str:
        """First 16 digits of a SHA-256 over the experiment, the models and the budget."""
        told = {
            "experiment": spec_id(self.experiment.model_dump(mode="json")),
            "models": sorted(self.models),
            "budget": self.budget.model_dump(mode="json"),
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]

    def tuned_by(self, part: Part = "validation") -> TunedBy:
        """Return what a spec records about a model with settings of this tuning."""
        return TunedBy(tuning=self.id, budget=self.budget, metric=self.metric, part=part)

    def tuned_experiment(self, configs: dict[str, dict[str, Any]]) -> ExperimentSpec:
        """Return the experiment with tuned settings.

        Args:
            configs: Settings by model; models that were to be tuned but are missing here are left out.
        """
        tuned = [ModelSpec(key=key, config=config) for key, config in configs.items()]
        others = [model for model in self.experiment.models if model.key not in self.models]
        values = self.experiment.model_dump(mode="json") | {
            "models": [model.model_dump(mode="json") for model in [*tuned, *others]],
            "tuned": {model.id: self.tuned_by().model_dump(mode="json") for model in tuned},
        }
        return ExperimentSpec.model_validate(values)
