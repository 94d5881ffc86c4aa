"""What all cards of a strategy have in common."""

from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field

from recsys_core.contracts import BoolArray
from recsys_core.strategy.conditions import Condition
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.pool import Pool

Share = Annotated[float, Field(ge=0, le=1)]
Place = Annotated[int, Field(ge=1, le=1000)]
"""A place in a list, from 1."""


class Card(BaseModel):
    """A step of a strategy."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: str
    on: bool = True
    """Whether the card is applied."""

    def step(self, pool: Pool, facts: Facts) -> Pool:
        """Return the candidates after the card.

        Args:
            pool: The candidates of B users.
            facts: Facts of the data.

        Raises:
            ConfigError: The card does not fit the data.
        """
        raise NotImplementedError


class HasCondition(Protocol):
    """A card that concerns the items that meet a condition."""

    @property
    def when(self) -> Condition | None:
        """The condition."""


def concerned(card: HasCondition, pool: Pool, facts: Facts) -> BoolArray:
    """Return (B, N) which candidates meet the condition of a card."""
    assert card.when is not None
    return card.when.holds(facts, pool.users, pool.item)
