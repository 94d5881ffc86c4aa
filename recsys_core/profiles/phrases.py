"""Phrases about users and items: English templates with placeholders, and their values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from recsys_core.text import _


@dataclass(frozen=True)
class Words:
    """A phrase; `str(phrase)` is its text in the current language of `recsys_core.text`.

    Args:
        template: English text with named placeholders.
        values: Text for each placeholder, or a list of names, which are messages or untrusted.
        lead: A message without placeholders before the template.
    """

    template: str
    values: Mapping[str, str | list[str]] = field(default_factory=dict)
    lead: str = ""

    def __str__(self) -> str:
        return self.filled(str)

    def filled(self, escaped: Callable[[str], str]) -> str:
        """Return the text with each value passed through a function that escapes it."""
        values = {
            name: escaped(value if isinstance(value, str) else ", ".join(map(_, value)))
            for name, value in self.values.items()
        }
        text = _(self.template).format(**values)
        return f"{_(self.lead)} {text}" if self.lead else text


def amount(number: float) -> str:
    """Return a number rounded for display: 12,400; 1995; 57; 3.4; 0.27."""
    size = abs(number)
    if size >= 10:
        return f"{number:,.0f}" if size >= 10_000 else f"{number:.0f}"
    return f"{number:.1f}" if size >= 1 else f"{number:z.2f}"
