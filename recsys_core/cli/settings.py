"""Settings as they are written on the command line, read by what each setting takes."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from recsys_core.configs import FieldSpec, field_specs, read_value
from recsys_core.errors import ConfigError
from recsys_core.models.registry import model_class


def split_settings(texts: Sequence[str]) -> dict[str, str]:
    """Return names and values from texts such as `factors=64`.

    Raises:
        ConfigError: A text without a name or a value, or a name that is given two values.
    """
    settings: dict[str, str] = {}
    for text in texts:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not name or not value:
            raise ConfigError(f"'{text}' is no setting; write NAME=VALUE.")
        if settings.get(name, value) != value:
            raise ConfigError(f"Setting '{name}' is given twice: as '{settings[name]}' and as '{value}'.")
        settings[name] = value
    return settings


def typed_values(config_type: type[BaseModel], settings: dict[str, str]) -> dict[str, Any]:
    """Return plain values for a class of settings; names that it does not have keep their text."""
    specs = {spec.name: spec for spec in field_specs(config_type)}
    return {name: _value(specs[name], text) if name in specs else text for name, text in settings.items()}


def model_settings(key: str, settings: dict[str, str]) -> dict[str, Any]:
    """Return plain values for the settings of an algorithm, checked against their bounds.

    Raises:
        ConfigError: There is no such algorithm or setting, or a value outside its bounds.
    """
    config_type = model_class(key).config_type
    values = typed_values(config_type, settings)
    checked = config_type.parse(values).model_dump(mode="json")
    return {name: checked[name] for name in values}


def settings_by_model(keys: Sequence[str], texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the settings of several algorithms from texts such as `ease.regularization=200`.

    A name without an algorithm belongs to the only one that has a setting of that name.

    Raises:
        ConfigError: An algorithm that does not compete, no such setting, one that several have, or a wrong value.
    """
    written: dict[str, dict[str, str]] = {key: {} for key in keys}
    for name, value in split_settings(texts).items():
        key, dot, setting = name.partition(".")
        if not dot:
            key, setting = _only_owner(keys, name), name
        if key not in written:
            raise ConfigError(f"--set '{name}': write MODEL.NAME=VALUE with one of {', '.join(keys)}.")
        written[key] |= split_settings([*(f"{n}={v}" for n, v in written[key].items()), f"{setting}={value}"])
    return {key: model_settings(key, settings) for key, settings in written.items()}


def _only_owner(keys: Sequence[str], name: str) -> str:
    owners = [key for key in keys if name in model_class(key).config_type.model_fields]
    if len(owners) == 1:
        return owners[0]
    found = f"{', '.join(owners)} have it" if owners else "none of the models has it"
    raise ConfigError(f"Setting '{name}': {found}. Write MODEL.NAME=VALUE with one of {', '.join(keys)}.")


def _value(spec: FieldSpec, text: str) -> Any:
    if spec.kind == "text" and text.startswith(("{", "[")):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return read_value(spec, text)
