"""Settings of a synthetic shop."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class ShopConfig(BaseModel):
    """Settings of a synthetic shop."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    users: Annotated[int, Field(ge=2, le=20_000)] = 600
    """Number of users."""
    items: Annotated[int, Field(ge=20, le=1_000)] = 90
    """Number of items."""
    providers: Annotated[int, Field(ge=1, le=100)] = 9
    """Number of providers."""
    sessions_per_user: Annotated[float, Field(ge=1, le=200)] = 9
    """Mean number of sessions per user; individual users have up to several times as many."""
    impressions_per_session: Annotated[float, Field(ge=1, le=20)] = 2
    """Mean number of lists shown per session."""
    places: Annotated[int, Field(ge=1, le=20)] = 6
    """Items shown per impression."""
    examination_decay: Annotated[float, Field(ge=0, le=3)] = 0.6
    """Place p (from 1) is examined with probability p ** -decay."""
    taste_strength: Annotated[float, Field(ge=0, le=5)] = 1.0
    """Log odds of a click that one standard deviation of fit adds."""
    click_level: Annotated[float, Field(ge=-10, le=10)] = -1.5
    """Log odds of a click on an examined item of average fit and appeal."""
    purchase_level: Annotated[float, Field(ge=-10, le=10)] = -1.3
    """Log odds of a purchase after a click on an item of average fit and price."""
    out_of_stock: Annotated[float, Field(ge=0, le=0.5)] = 0.06
    """Share of items without stock, which can be clicked but not bought."""
    temperature: Annotated[float, Field(gt=0, le=20)] = 1.0
    """Temperature of the logging policy; larger: closer to uniformly random lists."""
    days: Annotated[int, Field(ge=1, le=2_000)] = 120
    """Length of the period in days."""
