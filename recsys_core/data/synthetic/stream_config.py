"""Settings of streamed synthetic interactions."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from recsys_core.text import _


class StreamConfig(BaseModel):
    """Settings of a stream of synthetic interactions."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    rows: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1_000_000
    """Number of interactions."""
    users: Annotated[int, Field(ge=1, le=100_000_000)] = 10_000
    """Number of users; each has at least one interaction."""
    items: Annotated[int, Field(ge=2, le=10_000_000)] = 5_000
    """Number of items."""
    popularity: Annotated[float, Field(ge=0, le=2)] = 0.8
    """Zipf exponent a: the r-th most popular item is offered in proportion to r ** -a."""
    activity: Annotated[float, Field(ge=0, le=3)] = 1.0
    """Standard deviation of the logarithm of a user's number of interactions."""
    tastes: Annotated[int, Field(ge=1, le=256)] = 16
    """Rank of the matrix of probabilities: number of latent tastes that users mix."""
    taste_strength: Annotated[float, Field(ge=0, le=5)] = 1.5
    """Standard deviation of the logarithm of an item's probability between tastes; 0: all tastes are equal."""
    mixture: Annotated[float, Field(gt=0, le=100)] = 0.2
    """Concentration of the Dirichlet distribution of a user's tastes; small values: few tastes per user."""
    ratings: bool = True
    """Whether interactions have ratings, 1 to 5."""
    days: Annotated[int, Field(ge=1, le=10_000)] = 730
    """Length of the period in days."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.users <= self.rows <= self.users * (self.items // 2):
            raise ValueError(
                _(
                    "{users:,} users need at least one interaction each and may have at most half of the "
                    "{items:,} items, which {rows:,} rows do not allow; change the number of users or "
                    "items"
                ).format(users=self.users, items=self.items, rows=self.rows)
            )
        return self
