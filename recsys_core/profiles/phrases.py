"""Phrases about users and items: English templates with placeholders, and their values."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Words:
    """A phrase; a page translates `template` and fills it with `values`.

    Args:
        template: English text with named placeholders.
        values: Text for each placeholder; may contain untrusted names.
    """

    template: str
    values: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template.format(**self.values)


def amount(number: float) -> str:
    """Return a number rounded for display: 12,400; 1995; 57; 3.4; 0.27."""
    size = abs(number)
    if size >= 10:
        return f"{number:,.0f}" if size >= 10_000 else f"{number:.0f}"
    return f"{number:.1f}" if size >= 1 else f"{number:.2f}"


def percent(share: float) -> str:
    """Return a share (0..1) in percent, with one decimal below 10 %."""
    return f"{share:.1%}" if 0 < abs(share) < 0.1 else f"{share:.0%}"
