"""Algorithms of installed packages: classes on the entry point group `recscope.models`, found without importing them.

A package offers a class like this, in its `pyproject.toml`; the name is the key of the algorithm:

    [project.entry-points."recscope.models"]
    my_model = "my_package.models:MyModel"

A package that cannot be used is left out with a sentence about why; it never keeps the others from working.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module, metadata
from typing import Any

from recsys_core.errors import ConfigError
from recsys_core.models.base import Recommender
from recsys_core.text import _

logger = logging.getLogger(__name__)
GROUP = "recscope.models"
KEY = re.compile(r"[a-z][a-z0-9_]{0,59}")
RESERVED = ("list", "program_")
"""A key of another kind, and the beginning of the keys of programs."""


@dataclass(frozen=True)
class Offer:
    """A class that an installed package offers.

    Args:
        key: Key of the algorithm.
        path: `module:Class`.
        package: Name of the package with its version.
    """

    key: str
    path: str
    package: str


@cache
def offers(built_in: tuple[str, ...]) -> tuple[dict[str, Offer], tuple[str, ...]]:
    """Return the usable offers by key, and a sentence about each of the others; reads metadata only.

    Args:
        built_in: Keys of the algorithms of Recscope.
    """
    usable: dict[str, Offer] = {}
    refused: list[str] = []
    for point in sorted(metadata.entry_points(group=GROUP), key=lambda one: (one.name, one.value)):
        offer = Offer(point.name, point.value, _package(point))
        if why := _refusal(offer, built_in, usable):
            refused.append(f"The algorithm '{offer.key}' of {offer.package} is left out: {why}")
            logger.warning("%s", refused[-1])
        else:
            usable[offer.key] = offer
    return usable, tuple(refused)


def forget_offers() -> None:
    """Read the metadata of installed packages again on next use."""
    offers.cache_clear()
    problem_of.cache_clear()


def _package(point: metadata.EntryPoint) -> str:
    if point.dist is None:
        return f"'{point.value}'"
    return f"package '{point.dist.name} {point.dist.version}'"


def _refusal(offer: Offer, built_in: tuple[str, ...], usable: Mapping[str, Offer]) -> str:
    if not KEY.fullmatch(offer.key):
        return "its key must consist of lower-case letters, digits and _, and begin with a letter."
    if offer.key in built_in:
        return _("Recscope has an algorithm with this key; the package must choose another one.")
    if offer.key == RESERVED[0] or offer.key.startswith(RESERVED[1]):
        return "this key is reserved; the package must choose another one."
    if offer.key in usable:
        return _("{package} offers the same key, too; uninstall one of them.").format(package=usable[offer.key].package)
    return ""


def load_offer(offer: Offer) -> type[Recommender[Any]]:
    """Import the class of a package and check it.

    Raises:
        ConfigError: It cannot be imported, or is no algorithm.
    """
    module, colon, name = offer.path.partition(":")
    try:
        found = getattr(import_module(module), name.strip()) if colon else None
    except (Exception, SystemExit) as error:  # whatever the code of a package raises must not break the app
        logger.warning("The algorithm '%s' of %s cannot be imported.", offer.key, offer.package, exc_info=error)
        raise ConfigError(
            _(
                "The algorithm '{offer_key}' of {package} cannot be used: importing '{offer_path}' "
                "failed with {type_name}: {error}. Repair or uninstall the package."
            ).format(
                offer_key=offer.key,
                package=offer.package,
                offer_path=offer.path,
                type_name=type(error).__name__,
                error=error,
            )
        ) from error
    if why := _faults(found, offer.key):
        raise ConfigError(
            _("The algorithm '{offer_key}' of {package} cannot be used: {why}").format(
                offer_key=offer.key, package=offer.package, why=why
            )
        )
    kind: type[Recommender[Any]] = found  # type: ignore[assignment]
    return kind


@cache
def problem_of(offer: Offer) -> str:
    """Return a sentence about why the class of a package cannot be used, empty if it can."""
    try:
        load_offer(offer)
    except ConfigError as error:
        return str(error)
    return ""


def _faults(kind: object, key: str) -> str:
    if not isinstance(kind, type) or not issubclass(kind, Recommender):
        return "it is not a subclass of recsys_core.models.base.Recommender."
    if getattr(kind, "__abstractmethods__", None):
        return _("it does not define {abstractmethods}.").format(
            abstractmethods=", ".join(sorted(kind.__abstractmethods__))
        )
    for name in ("info", "config_type"):
        if not hasattr(kind, name):
            return _("it has no '{name}'.").format(name=name)
    if kind.info.key != key:
        return _("its info.key is '{info_key}', but its entry point is named '{key}'.").format(
            info_key=kind.info.key, key=key
        )
    try:
        kind.config_type()
    except Exception as error:  # as above
        return _("its settings have no valid defaults ({error}).").format(error=error)
    return ""
