"""Models with some of their settings, as a code for links: `user_knn:similarity=pearson,neighbors=20;ease`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from recsys_core.errors import ConfigError
from recsys_core.text import _

CHOICE_END, MODEL_END, BETWEEN, ASSIGN = ";", ":", ",", "="


@dataclass(frozen=True)
class ModelChoice:
    """A model and its settings that differ from their defaults.

    Args:
        key: Name in the registry.
        settings: Name -> value.
    """

    key: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def encode(self) -> str:
        """Return the code."""
        assigned = BETWEEN.join(f"{name}{ASSIGN}{_written(value)}" for name, value in self.settings.items())
        return self.key + (MODEL_END + assigned if assigned else "")

    @classmethod
    def decode(cls, code: str) -> "ModelChoice":
        """Return the choice of a code of `encode`, with values in the types of the settings.

        Raises:
            ConfigError: There is no such model or setting, or a value is outside its bounds.
        """
        from recsys_core.models.registry import model_class

        key, _end, assigned = code.partition(MODEL_END)
        config_type = model_class(key).config_type
        parts = [part.partition(ASSIGN) for part in assigned.split(BETWEEN) if part]
        if any(not assign for _name, assign, _value in parts):
            raise ConfigError(
                _("'{assigned}' is not a list of settings such as 'similarity=pearson,neighbors=20'.").format(
                    assigned=assigned
                )
            )
        values = {name: value for name, _assign, value in parts}
        config = config_type.parse(values)
        return cls(key, {name: getattr(config, name) for name in values})


def encoded_choices(choices: Iterable[ModelChoice]) -> str:
    """Return the code of several choices."""
    return CHOICE_END.join(choice.encode() for choice in choices)


def decoded_choices(code: str) -> tuple[ModelChoice, ...]:
    """Return the choices of a code of `encoded_choices`; raises ConfigError as `ModelChoice.decode`."""
    return tuple(ModelChoice.decode(part) for part in code.split(CHOICE_END) if part)


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
