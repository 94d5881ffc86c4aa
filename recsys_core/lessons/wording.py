"""Texts of lessons: messages, and messages with unchecked names in their placeholders."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from recsys_core.text import _

NAME = "{name}"
"""A text that is a name alone; not a message, so that no name is ever translated."""


@dataclass(frozen=True)
class Told:
    """A message with names from a teacher's table in its placeholders.

    Args:
        message: A message with named placeholders.
        names: Text for each placeholder, shown literally.
    """

    message: str
    names: Mapping[str, str]


Text = str | Told
"""A message, or a message with names."""


def named(name: str) -> Told:
    """Return a text that is this name, letter by letter."""
    return Told(NAME, {"name": name})


def told(text: Text, literal: Callable[[str], str] = str, markup: Callable[[str], str] = str) -> str:
    """Return a text in the current language.

    Args:
        text: A message, with or without names.
        literal: Escapes a name for the place where it is shown, such as Markdown or HTML.
        markup: Converts the message around the names, which it must leave in braces.
    """
    if isinstance(text, str):
        return markup(_(text))
    message = markup(text.message if text.message == NAME else _(text.message))
    return message.format(**{key: literal(name) for key, name in text.names.items()})
