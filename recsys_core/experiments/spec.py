"""The spec of an experiment: an immutable value whose hash is the id of the experiment."""

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.task import Task
from recsys_core.evaluation.fallback import Fallback
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.experiments.tuned_by import TunedBy
from recsys_core.models.external import LIST
from recsys_core.models.registry import make_model, model_class
from recsys_core.text import _

Users = Literal["with_history", "without_history", "all"]
ADDED = ("target", "learn_from", "users", "primary", "seeds", "repetition", "fallback", "tuned")
ADDED_TO_SPLIT = ("windows", "window_training", "gap_days")
"""Fields that specs of earlier versions do not have; at their defaults they are not part of the id."""
BASELINES = ("popular", "random")
"""Models that are part of every experiment."""


class ModelSpec(BaseModel):
    """One algorithm with all its settings, including defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    config: dict[str, Any] = Field(default_factory=dict)
    _stored_id: str = PrivateAttr("")

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:
        """Fill in the defaults, so that a spec keeps its meaning when a default changes."""
        if not isinstance(values, dict):
            return values
        config = make_model(values.get("key", ""), values.get("config") or {}).config
        return values | {"config": config.model_dump(mode="json")}

    @property
    def id(self) -> str:
        """Key and short hash of the settings: the name of the model's folder in a run."""
        return self._stored_id or _model_id(self.key, self.config)

    @property
    def has_scores(self) -> bool:
        """Whether it answers queries with scores; a program answers with lists for the test users only."""
        return not model_class(self.key).info.lists_only


class ExperimentSpec(BaseModel):
    """Data, split, models with settings, metrics and seed."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    data: str
    """Fingerprint of the data set."""
    split: SplitSpec = SplitSpec()
    """Train/test split."""
    models: tuple[ModelSpec, ...]
    """Models to compare; missing baselines are added."""
    cutoffs: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = (1, 5, 10, 20, 50)
    """Cut-offs k of the metrics, increasing."""
    k: Annotated[int, Field(ge=1, le=1000)] = 10
    """Cut-off of the primary metric by which the leaderboard is sorted; one of `cutoffs`."""
    relevant_from: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Test interactions with at least this rating are relevant; None: all are."""
    train_on: Literal["all", "relevant"] = "all"
    """Whether ranking models are trained on all interactions or only on those rated at least `relevant_from`."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 42
    """Seed of all random number streams."""
    target: tuple[str, ...] = ()
    """Events to predict: only these are test cases; empty: all interactions."""
    learn_from: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(default_factory=dict)
    """Weight of each event that models learn from; empty: all interactions with the weights of the data."""
    users: Users = "with_history"
    """Test users that the verdict is about."""
    primary: str = ""
    """Primary metric, fixed before the training: the verdict is about it; empty: NDCG at `k`."""
    seeds: Annotated[int, Field(ge=1, le=20)] = 1
    """Number of trainings of each model that depends on the seed: with the seeds `seed`, `seed + 1`, ..."""
    fallback: Fallback = "none"
    """List of test users for whom a model has no score: none, the most popular items, or the recently popular ones."""
    tuned: dict[str, TunedBy] = Field(default_factory=dict)
    """The tunings that found the settings of models, by id of the model."""
    repetition: Annotated[int, Field(ge=0, le=9999)] = 0
    """Number of a repetition of the same experiment; it keeps several of them apart and changes nothing else."""

    @model_validator(mode="before")
    @classmethod
    def _with_baselines(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        models = [m if isinstance(m, ModelSpec) else ModelSpec.model_validate(m) for m in values.get("models", ())]
        if any(model.key == LIST for model in models):
            raise ValueError(_("An uploaded list is no model to train; add it to a finished experiment"))
        present = {model.key for model in models}
        models += [ModelSpec(key=key) for key in BASELINES if key not in present]
        cutoffs = sorted({*values.get("cutoffs", (1, 5, 10, 20, 50)), values.get("k", 10)})
        return values | {"models": tuple(models), "cutoffs": tuple(cutoffs)}

    @model_validator(mode="after")
    def _check_primary(self) -> Self:
        name = MetricName.parse(self.metric)
        if name.k is not None and name.k not in self.cutoffs:
            raise ValueError(
                _("The primary metric {metric} needs the cut-off {k}, but metrics are computed at {cutoffs}").format(
                    metric=self.metric, k=name.k, cutoffs=", ".join(map(str, self.cutoffs))
                )
            )
        if not name.info.per_user or name.info.direction == "neither":
            raise ValueError(
                _("{name_title} cannot be the primary metric: choose one with a value per user to maximize").format(
                    name_title=name.title
                )
            )
        return self

    @property
    def metric(self) -> str:
        """The primary metric."""
        return self.primary or f"ndcg@{self.k}"

    @property
    def task(self) -> Task:
        """What models learn from and what they predict."""
        return Task(self.target, self.learn_from)

    @property
    def id(self) -> str:
        """First 16 digits of the SHA-256 of its JSON with sorted keys, settings under their former names."""
        return spec_id(self.model_dump(mode="json"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the spec from its JSON."""
        return cls.model_validate_json(text)

    @classmethod
    def stored(cls, values: dict[str, Any]) -> Self:
        """Return a stored spec; its models keep their stored ids and meaning even if settings have been added since."""
        whole = [
            one | {"config": model_class(one["key"]).config_type.with_added(one["config"])} for one in values["models"]
        ]
        spec = cls.model_validate(values | {"models": whole})
        for model, written in zip(spec.models, values["models"], strict=False):
            model._stored_id = _model_id(written["key"], written["config"])
        return spec


def spec_id(values: dict[str, Any]) -> str:
    """Return the id of an experiment from the JSON of its spec, which may be that of an earlier version."""
    kept = _without_defaults(values, ADDED, ExperimentSpec)
    kept["split"] = _without_defaults(values["split"], ADDED_TO_SPLIT, SplitSpec)
    kept["models"] = [one | {"config": _hashed_config(one["key"], one["config"])} for one in values["models"]]
    return _hash(kept)[:16]


def _without_defaults(values: dict[str, Any], names: tuple[str, ...], kind: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON of a spec without the named fields that are at their defaults."""
    defaults = {name: kind.model_fields[name].get_default(call_default_factory=True) for name in names}
    plain = {name: list(one) if isinstance(one, tuple) else one for name, one in defaults.items()}
    return {name: value for name, value in values.items() if name not in plain or value != plain[name]}


def _model_id(key: str, config: dict[str, Any]) -> str:
    return f"{key}-{_hash(_hashed_config(key, config))[:8]}"


def _hashed_config(key: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return the settings in the form that ids are computed from: renaming or adding a setting does not change it.

    Ids read from the stored file would not do: the folder of a run would keep its name, but the same experiment entered
    again would get another id and be trained again beside it.
    """
    kind = model_class(key).config_type
    return kind.without_added(kind.with_former_names(config))


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
