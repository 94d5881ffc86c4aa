"""Parse settings from the command line according to their types."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from recsys_core.configs import FieldSpec, field_specs, read_value
from recsys_core.errors import ConfigError
from recsys_core.models.registry import model_class
from recsys_core.text import _


def split_settings(texts: Sequence[str]) -> dict[str, str]:
    """Return names and values from texts such as `factors=64`.

    Raises:
        ConfigError: A name or value is missing, or a name has two different values.
    """
    settings: dict[str, str] = {}
    for text in texts:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not name or not value:
            raise ConfigError(_("'{text}' is not a setting; write NAME=VALUE.").format(text=text))
        if settings.get(name, value) != value:
            raise ConfigError(
                _("Setting '{name}' has two values: '{settings}' and '{value}'.").format(
                    name=name, settings=settings[name], value=value
                )
            )
        settings[name] = value
    return settings


def typed_values(config_type: type[BaseModel], settings: dict[str, str]) -> dict[str, Any]:
    """Return typed values for a config class; unknown names keep their text."""
    specs = {spec.name: spec for spec in field_specs(config_type)}
    return {name: _value(specs[name], text) if name in specs else text for name, text in settings.items()}


def model_settings(key: str, settings: dict[str, str]) -> dict[str, Any]:
    """Return validated plain values for the settings of a model.

    Raises:
        ConfigError: Unknown model or setting, or value out of bounds.
    """
    config_type = model_class(key).config_type
    values = typed_values(config_type, config_type.with_current_names(settings))
    checked = config_type.parse(values).model_dump(mode="json")
    return {name: checked[name] for name in values}


def settings_by_model(keys: Sequence[str], texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the settings of several models from texts such as `ease.regularization=200`.

    A name without a model applies to the only model with a setting of that name.

    Raises:
        ConfigError: A model is not part of the comparison, or a setting is unknown, ambiguous or invalid.
    """
    written: dict[str, dict[str, str]] = {key: {} for key in keys}
    for name, value in split_settings(texts).items():
        key, dot, setting = name.partition(".")
        if not dot:
            key, setting = _only_owner(keys, name), name
        if key not in written:
            raise ConfigError(
                _("--set '{name}': write MODEL.NAME=VALUE with one of {keys}.").format(name=name, keys=", ".join(keys))
            )
        written[key] |= split_settings([*(f"{n}={v}" for n, v in written[key].items()), f"{setting}={value}"])
    return {key: model_settings(key, settings) for key, settings in written.items()}


def _only_owner(keys: Sequence[str], name: str) -> str:
    kinds = {key: model_class(key).config_type for key in keys}
    owners = [key for key, kind in kinds.items() if kind.current_name(name) in kind.model_fields]
    if len(owners) == 1:
        return owners[0]
    found = f"{', '.join(owners)} have this setting" if owners else "no model has this setting"
    raise ConfigError(
        _("Setting '{name}': {found}. Write MODEL.NAME=VALUE with one of {keys}.").format(
            name=name, found=found, keys=", ".join(keys)
        )
    )


def _value(spec: FieldSpec, text: str) -> Any:
    if spec.kind == "text" and text.startswith(("{", "[")):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return read_value(spec, text)
