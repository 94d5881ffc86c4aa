"""Values that are computed once per script run, such as the list of experiments, which several parts of a page read."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")
_values: ContextVar[dict[str, Any] | None] = ContextVar("once", default=None)


def begin() -> None:
    """Forget the values of the last script run and keep those of this one."""
    _values.set({})


def end() -> None:
    """Keep no values: callbacks and fragments, which run outside a script run, compute their own."""
    _values.set(None)


def value(name: str, make: Callable[[], T]) -> T:
    """Return the value of this script run, made by its first reader."""
    values = _values.get()
    if values is None:
        return make()
    if name not in values:
        values[name] = make()
    found: T = values[name]
    return found
