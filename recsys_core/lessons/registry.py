"""The lessons by key, loaded on demand."""

from functools import cache
from importlib import import_module

from recsys_core.errors import ConfigError
from recsys_core.lessons.lesson import Lesson
from recsys_core.text import _

LESSONS: dict[str, str] = {
    "matrix": "recsys_core.lessons.matrix:LESSON",
    "long_tail": "recsys_core.lessons.long_tail:LESSON",
    "content": "recsys_core.lessons.content:LESSON",
    "document_formula": "recsys_core.lessons.own.document_formula:BUILT_IN",
    "neighbors": "recsys_core.lessons.own.neighbors:BUILT_IN",
    "prediction": "recsys_core.lessons.own.prediction:BUILT_IN",
    "convergence": "recsys_core.lessons.own.convergence:BUILT_IN",
    "gradient": "recsys_core.lessons.own.gradient:BUILT_IN",
    "closed_form": "recsys_core.lessons.own.closed_form:BUILT_IN",
    "baskets": "recsys_core.lessons.baskets:LESSON",
    "friends": "recsys_core.lessons.friends:LESSON",
    "metrics": "recsys_core.lessons.metrics:LESSON",
    "luck": "recsys_core.lessons.luck:LESSON",
    "time_split": "recsys_core.lessons.time_split:LESSON",
    "gates": "recsys_core.lessons.memory_cell:LESSON",
    "attention": "recsys_core.lessons.attention:LESSON",
    "decoding": "recsys_core.lessons.decoding:LESSON",
    "whole_list": "recsys_core.lessons.whole_list:LESSON",
}
"""Key -> module and name, in the order of the course."""


@cache
def lesson(key: str) -> Lesson:
    """Return a lesson.

    Raises:
        ConfigError: There is no lesson with this key.
    """
    if key not in LESSONS:
        raise ConfigError(
            _("There is no lesson '{key}'. Known: {lessons}.").format(key=key, lessons=", ".join(LESSONS))
        )
    module, _colon, name = LESSONS[key].partition(":")
    value: Lesson = getattr(import_module(module), name)
    return value


def lessons() -> tuple[Lesson, ...]:
    """Return all lessons in the order of the course."""
    return tuple(lesson(key) for key in LESSONS)
