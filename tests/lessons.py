"""What tests of lessons share: the scene of a step, and which production functions a lesson calls."""

import sys
from collections.abc import Callable
from functools import partial, reduce
from importlib import import_module
from typing import Any

import pytest

from recsys_core.lessons.lesson import Lesson
from recsys_core.lessons.picture import Scene
from recsys_core.lessons.registry import lesson


def numbers_of(key: str, step: str, **values: Any) -> Any:
    """Return the numbers of a step with some values changed."""
    of = lesson(key)
    return of.numbers(step, of.values_in(step, of.starts() | values))


def scene_of(key: str, step: str, **values: Any) -> Scene:
    """Return the scene of a step with some values changed."""
    of = lesson(key)
    now = of.values_in(step, of.starts() | values)
    return of.scene(step, now, of.numbers(step, now))


def all_scenes(of: Lesson) -> list[tuple[str, Scene]]:
    """Return the scene of every step for the first values."""
    return [(step.key, scene_of(of.key, step.key)) for step in of.steps]


def forget(of: Lesson) -> None:
    """Empty the caches of a lesson, except those of trained networks."""
    if of.runtime == "numpy":
        own = of.numbers.func if isinstance(of.numbers, partial) else of.numbers
        for value in vars(sys.modules[own.__module__]).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


def record(monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]) -> dict[str, int]:
    """Count the calls of production functions, `module:name` below `recsys_core`, wherever they were imported."""
    calls = dict.fromkeys(names, 0)

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls[name] += 1
            return function(*args, **kwargs)

        return call

    for name in names:
        module_name, _colon, path = name.partition(":")
        module = import_module(f"recsys_core.{module_name}")
        *owners, attribute = path.split(".")
        owner = reduce(getattr, owners, module)
        original = getattr(owner, attribute)
        replacement = counted(name, original)
        monkeypatch.setattr(owner, attribute, replacement)
        if not owners:
            for other in [one for key, one in sys.modules.items() if key.startswith("recsys_core.")]:
                if getattr(other, attribute, None) is original:
                    monkeypatch.setattr(other, attribute, replacement)
    return calls
