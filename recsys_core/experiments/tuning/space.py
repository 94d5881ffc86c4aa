"""The search space of a model, derived from the knobs of its config class.

A choice or switch is searched over its values, a number over the range of its `Knob`, on the scale of the knob.
Settings without a range stay at their defaults. The first trial of every study is the defaults, so a range is widened
where the default lies outside. A number that may be missing (None) gets a switch of its own in the space, named like
the setting with a question mark.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recsys_core.configs import FieldSpec, ModelConfig, field_specs

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

IS_SET = "?"
"""End of the name of the switch of an optional setting."""


@dataclass(frozen=True)
class Dimension:
    """One searched setting.

    Args:
        name: The setting.
        choices: Its values, if it is a choice or a switch.
        low: Smallest value of a number.
        high: Largest value of a number.
        is_whole: Whether the number is an integer.
        is_log: Whether values are drawn on a logarithmic scale.
        default: The default, with which the first trial starts.
        is_optional: Whether the value may be missing.
    """

    name: str
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    is_whole: bool = False
    is_log: bool = False
    default: Any = None
    is_optional: bool = False

    def distribution(self) -> "BaseDistribution":
        """Return Optuna's distribution of the values."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.choices:
            return CategoricalDistribution(self.choices)
        if self.is_whole:
            return IntDistribution(math.ceil(self.low), math.floor(self.high), log=self.is_log)
        return FloatDistribution(self.low, self.high, log=self.is_log)


def search_space(config_type: type[ModelConfig]) -> tuple[Dimension, ...]:
    """Return the searched settings of a config class, in declaration order; empty if there are none."""
    return tuple(_dimension(spec) for spec in field_specs(config_type) if spec.is_searched)


def _dimension(spec: FieldSpec) -> Dimension:
    if spec.kind in ("bool", "choice"):
        return Dimension(spec.name, choices=spec.choices, default=spec.default)
    assert spec.low is not None
    assert spec.high is not None
    known = [float(spec.default)] if spec.default is not None else []
    low, high = min([spec.low, *known]), max([spec.high, *known])
    return Dimension(
        spec.name,
        low=low,
        high=high,
        is_whole=spec.kind == "int",
        is_log=spec.scale == "log" and low > 0,  # a logarithmic scale has no 0
        default=spec.default,
        is_optional=spec.optional,
    )


def first_parameters(space: tuple[Dimension, ...]) -> dict[str, Any]:
    """Return the parameters of the first trial: the defaults."""
    found: dict[str, Any] = {}
    for one in space:
        if one.is_optional:
            found[one.name + IS_SET] = one.default is not None
        if one.default is not None:
            found[one.name] = one.default
    return found


def draw(trial: "Trial", space: tuple[Dimension, ...]) -> dict[str, Any]:
    """Let a trial draw all parameters; return the settings, None for a missing value."""
    from optuna.distributions import CategoricalDistribution

    found: dict[str, Any] = {}
    for one in space:
        if one.is_optional and not _suggest(trial, one.name + IS_SET, CategoricalDistribution((False, True))):
            found[one.name] = None
        else:
            found[one.name] = _suggest(trial, one.name, one.distribution())
    return found


def settings_of(parameters: Mapping[str, Any], space: tuple[Dimension, ...]) -> dict[str, Any]:
    """Return the settings that drawn parameters stand for, in the order of the space."""
    return {one.name: parameters.get(one.name) for one in space if one.name in parameters or one.is_optional}


def _suggest(trial: "Trial", name: str, values: "BaseDistribution") -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values, CategoricalDistribution):
        return trial.suggest_categorical(name, values.choices)
    if isinstance(values, IntDistribution):
        return trial.suggest_int(name, values.low, values.high, log=values.log)
    assert isinstance(values, FloatDistribution)
    return trial.suggest_float(name, values.low, values.high, log=values.log)
