"""The lessons that run on a teacher's matrix, and why the others do not."""

from functools import lru_cache
from importlib import import_module

from recsys_core.errors import ConfigError
from recsys_core.lessons.lesson import Lesson
from recsys_core.lessons.worlds import RatedWorld
from recsys_core.text import _, later

OWN = ("document_formula", "neighbors", "prediction", "convergence", "gradient", "closed_form")
"""Lessons whose world is a rating matrix, in the order of the course; each has a module with a function `own` here."""
SEQUENCES = later("It needs the order of clicks; a rating matrix has none.")
WHY_NOT = {
    "matrix": later("It reads a log with faults; your matrix has been read already."),
    "long_tail": later("A long tail shows with dozens of items; your matrix has at most eight."),
    "content": later("It needs tags of the items; a rating matrix has none."),
    "baskets": later("It needs ten baskets or more for support and confidence; your matrix has at most eight users."),
    "friends": later("It needs links between users; a rating matrix has none."),
    "metrics": later("It judges one ranked list against relevant items, not a matrix."),
    "luck": later("It compares two models on dozens of users; your matrix has at most eight."),
    "time_split": later("It needs the time of each interaction; a rating matrix has none."),
    "gates": SEQUENCES,
    "attention": SEQUENCES,
    "decoding": SEQUENCES,
    "whole_list": later("It needs genres and a ranked list; a rating matrix has neither."),
}
"""Lesson -> why it keeps its built-in example, a message."""


@lru_cache(maxsize=64)
def own_lesson(key: str, world: RatedWorld) -> Lesson:
    """Return a lesson on a teacher's matrix.

    Raises:
        ConfigError: The lesson does not run on a matrix.
    """
    if key not in OWN:
        message = _("The lesson '{key}' does not run on a rating matrix; these do: {known}.")
        raise ConfigError(message.format(key=key, known=", ".join(OWN)))
    made: Lesson = import_module(f"recsys_core.lessons.own.{key}").own(world)
    return made
