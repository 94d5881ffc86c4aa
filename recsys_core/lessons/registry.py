"""The lessons by key, loaded on demand."""

from functools import cache
from importlib import import_module

from recsys_core.errors import ConfigError
from recsys_core.lessons.lesson import Lesson

LESSONS: dict[str, str] = {
    "content": "recsys_core.lessons.content:LESSON",
    "document_formula": "recsys_core.lessons.document_formula:LESSON",
    "neighbors": "recsys_core.lessons.neighbors:LESSON",
    "convergence": "recsys_core.lessons.convergence:LESSON",
    "gradient": "recsys_core.lessons.gradient:LESSON",
    "baskets": "recsys_core.lessons.baskets:LESSON",
    "friends": "recsys_core.lessons.friends:LESSON",
    "metrics": "recsys_core.lessons.metrics:LESSON",
    "luck": "recsys_core.lessons.luck:LESSON",
}
"""Key -> module and name, in the order of the course."""


@cache
def lesson(key: str) -> Lesson:
    """Return a lesson.

    Raises:
        ConfigError: There is no lesson with this key.
    """
    if key not in LESSONS:
        raise ConfigError(f"There is no lesson '{key}'. Known: {', '.join(LESSONS)}.")
    module, _colon, name = LESSONS[key].partition(":")
    value: Lesson = getattr(import_module(module), name)
    return value


def lessons() -> tuple[Lesson, ...]:
    """Return all lessons in the order of the course."""
    return tuple(lesson(key) for key in LESSONS)
