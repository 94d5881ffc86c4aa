"""What an experiment is: one frozen value, whose hash names everything that comes out of it."""

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from recsys_core.data.splits import SplitSpec
from recsys_core.models.registry import make_model

BASELINES = ("popular", "random")
"""Stand in every comparison, asked for or not."""


class ModelSpec(BaseModel):
    """One algorithm with all its settings, the defaults written out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    config: dict[str, Any] = Field(default_factory=dict)
    _stored_id: str = PrivateAttr("")

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:
        """Fill in the defaults, so that a spec stays true when a default changes."""
        if not isinstance(values, dict):
            return values
        config = make_model(values.get("key", ""), values.get("config") or {}).config
        return values | {"config": config.model_dump(mode="json")}

    @property
    def id(self) -> str:
        """Key and a short hash of the settings: the name of the model's folder in a run."""
        return self._stored_id or _model_id(self.key, self.config)


class ExperimentSpec(BaseModel):
    """Data, split, models with settings, metrics and seed."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    data: str
    """Fingerprint of the data set."""
    split: SplitSpec = SplitSpec()
    """How it is parted."""
    models: tuple[ModelSpec, ...]
    """What competes; the baselines are added if they are missing."""
    cutoffs: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = (1, 5, 10, 20, 50)
    """Lengths of list at which metrics are taken, increasing."""
    k: Annotated[int, Field(ge=1, le=1000)] = 10
    """The length of list that the leaderboard is sorted by; one of `cutoffs`."""
    relevant_from: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Test interactions with at least this rating count as relevant; None: all do."""
    train_on: Literal["all", "relevant"] = "all"
    """Whether models that rank learn from every interaction or only from those rated at least `relevant_from`."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 42
    """Start of every stream of random numbers."""

    @model_validator(mode="before")
    @classmethod
    def _with_baselines(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        models = [m if isinstance(m, ModelSpec) else ModelSpec.model_validate(m) for m in values.get("models", ())]
        present = {model.key for model in models}
        models += [ModelSpec(key=key) for key in BASELINES if key not in present]
        cutoffs = sorted({*values.get("cutoffs", (1, 5, 10, 20, 50)), values.get("k", 10)})
        return values | {"models": tuple(models), "cutoffs": tuple(cutoffs)}

    def canonical(self) -> str:
        """Return the spec as JSON with sorted keys: equal specs give equal text."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    @property
    def id(self) -> str:
        """SHA-256 of the canonical JSON, its first 16 digits."""
        return _hash(self.model_dump(mode="json"))[:16]

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a spec back."""
        return cls.model_validate_json(text)

    @classmethod
    def stored(cls, values: dict[str, Any]) -> Self:
        """Return a spec that was stored, its models named as they were then, even if they have more settings by now."""
        spec = cls.model_validate(values)
        for model, written in zip(spec.models, values["models"], strict=False):
            model._stored_id = _model_id(written["key"], written["config"])
        return spec


def _model_id(key: str, config: dict[str, Any]) -> str:
    return f"{key}-{_hash(config)[:8]}"


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
