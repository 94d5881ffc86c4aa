"""Findings about a strategy: sentences with a level and the card that they are about."""

from dataclasses import dataclass
from typing import Literal

from recsys_core.profiles.phrases import Words

Level = Literal["error", "warning", "note"]
"""error: lists cannot be as the card says; warning: a card without its effect; note: worth knowing."""
Kind = Literal["dead", "shadowed", "contradiction", "supply", "one class", "date"]


@dataclass(frozen=True)
class Finding:
    """A finding; `str(finding)` is the sentence in the current language.

    Args:
        level: How serious it is.
        kind: What it is.
        card: Number of the card in the strategy, from 0.
        sentence: What to say.
    """

    level: Level
    kind: Kind
    card: int
    sentence: Words

    def __str__(self) -> str:
        return str(self.sentence)


def finding(level: Level, kind: Kind, card: int, template: str, **values: object) -> Finding:
    """Return a finding; `{card}` in the template is the number of the card, from 1."""
    texts: dict[str, str | list[str]] = {name: str(value) for name, value in values.items()}
    return Finding(level, kind, card, Words(template, {"card": str(card + 1), **texts}))
