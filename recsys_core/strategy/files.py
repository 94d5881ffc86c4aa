"""Strategies as JSON files."""

import json
from pathlib import Path

from pydantic import ValidationError

from recsys_core.errors import ConfigError
from recsys_core.strategy.cards import Strategy
from recsys_core.text import _

LARGEST = 1_000_000
"""Bytes of a strategy file; a hundred cards are far smaller."""


def read_strategy(path: Path, k: int | None = None) -> Strategy:
    """Read a strategy.

    Args:
        path: The JSON file.
        k: Length of the lists instead of that in the file.

    Raises:
        ConfigError: The file cannot be read or is not a strategy; the message names the card and the field.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise ConfigError(_("'{path}' is larger than a strategy can be.").format(path=path))
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            _("'{path}' cannot be read: {strerror}.").format(path=path, strerror=error.strerror or error)
        ) from error
    return strategy_of(content, str(path), k)


def strategy_of(content: bytes, name: str, k: int | None = None) -> Strategy:
    """Return the strategy in the content of a file.

    Args:
        content: JSON.
        name: What messages call the file.
        k: Length of the lists instead of that in the file.

    Raises:
        ConfigError: It is not a strategy; the message names the card and the field.
    """
    try:
        if len(content) > LARGEST:
            raise ConfigError(_("'{name}' is larger than a strategy can be.").format(name=name))
        values = json.loads(content)
        if k is not None and isinstance(values, dict):  # before the check that the candidates fill the lists
            values |= {"k": k}
        return Strategy.model_validate_json(json.dumps(values))
    except ValidationError as error:
        first = error.errors()[0]
        where = " ".join(str(part) for part in first["loc"]) or "strategy"
        raise ConfigError(
            _("'{name}' is not a strategy: {where}: {first}.").format(name=name, where=where, first=first["msg"])
        ) from error
    except RecursionError as error:
        raise ConfigError(_("'{name}' is nested more deeply than a strategy can be.").format(name=name)) from error
    except ValueError as error:
        raise ConfigError(_("'{name}' is not JSON: {error}.").format(name=name, error=error)) from error
