"""The members of an ensemble as text: `2 * ease(regularization=300) + item_knn + popular`."""

import re
from dataclasses import dataclass, field
from typing import Any

from recsys_core.configs import field_specs, read_value
from recsys_core.errors import ConfigError
from recsys_core.models.registry import model_class
from recsys_core.text import _

MEMBER = re.compile(r"\s*(?:([0-9.eE+-]+)\s*\*)?\s*(\w+)\s*(?:\((.*)\))?\s*", re.DOTALL)
"""Weight, key, and settings of a member."""
FORM = "2 * ease(regularization=300) + item_knn"


@dataclass(frozen=True)
class Member:
    """A model of an ensemble.

    Args:
        key: Its key in the registry.
        weight: Its weight, above 0.
        config: Settings that differ from the defaults.
    """

    key: str
    weight: float = 1.0
    config: dict[str, Any] = field(default_factory=dict)


def members_of(text: str) -> tuple[Member, ...]:
    """Return the members that a text names.

    Raises:
        ConfigError: The text is not of this form, or a model or setting is unknown.
    """
    return tuple(_member(part) for part in _split(text, "+"))


def _member(text: str) -> Member:
    match = MEMBER.fullmatch(text)
    if match is None:
        raise ConfigError(
            _("'{strip}' is no model with settings; write members like {form}").format(strip=text.strip(), form=FORM)
        )
    weight, key, settings = match.groups()
    try:
        number = 1.0 if weight is None else float(weight)
    except ValueError:
        number = 0.0
    if not 0.0 < number < float("inf"):
        raise ConfigError(_("the weight of {key} is '{weight}'; write a number above 0").format(key=key, weight=weight))
    specs = {spec.name: spec for spec in field_specs(model_class(key).config_type)}
    current = model_class(key).config_type.current_name
    config: dict[str, Any] = {}
    for assignment in _split(settings, ",") if settings and settings.strip() else ():
        name, equals, value = (part.strip() for part in assignment.partition("="))
        if not equals or current(name) not in specs:
            known = ", ".join(specs) or "none"
            raise ConfigError(
                _("'{strip}' is no setting of {key}. Settings: {known}").format(
                    strip=assignment.strip(), key=key, known=known
                )
            )
        config[current(name)] = read_value(specs[current(name)], value)
    return Member(key, number, config)


def _split(text: str, separator: str) -> list[str]:
    """Split a text at a separator outside parentheses."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts
