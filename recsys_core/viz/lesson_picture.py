"""The picture of a lesson: tables, bars, lists, curves and vectors that light up with the symbols of a formula."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from recsys_core.lessons.picture import Scene
from recsys_core.text import _
from recsys_core.viz.components import Component

PICTURE = Component(
    "lesson_picture",
    '<div class="lesson"><div class="parts"></div><div class="symbols" role="group"></div></div>',
)
"""Draws `picture_data`; reports edits of matrices and orders as `edit`."""


def picture_data(scene: Scene, *, large: bool = False) -> dict[str, Any]:
    """Return the parts of a scene as plain values for the script, with its texts in the current language.

    Args:
        scene: What to draw.
        large: Whether type is large, for a projector.
    """
    texts = {
        "cell": _("{row}, {column}"),
        "undefined": _("undefined"),
        "up": _("Move up: {item}"),
        "down": _("Move down: {item}"),
        "symbols": _("Symbols of the formula: point at one to see its place in the picture"),
    }
    symbols = [asdict(symbol) for symbol in scene.formula.symbols] if scene.formula else []
    parts = [_plain(asdict(part)) for part in scene.parts]
    return {"parts": parts, "symbols": _plain(symbols), "texts": texts, "large": large, "listed": False}


def symbols_data(scene: Scene, *, large: bool = False) -> dict[str, Any]:
    """Return the symbols of the formula of a scene for a second mount of the script, without the picture."""
    return picture_data(replace(scene, parts=()), large=large) | {"listed": True}


def _plain(value: Any) -> Any:
    """Return nested values without tuples, NaN and infinity, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
