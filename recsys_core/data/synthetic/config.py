"""Settings of a synthetic data set."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class WorldConfig(BaseModel):
    """Settings of a synthetic data set."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    users: Annotated[int, Field(ge=2, le=20_000)] = 600
    """Number of users."""
    items: Annotated[int, Field(ge=10, le=5_000)] = 400
    """Number of films."""
    visits_per_user: Annotated[float, Field(ge=2, le=500)] = 45
    """Mean number of films watched per user; individual users watch up to five times as many."""
    feedback: Literal["ratings", "events"] = "ratings"
    """What is recorded: star ratings, or views, clicks and purchases."""
    rating_share: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Share of visits that are rated; with rating feedback, unrated visits are not recorded."""
    rating_noise: Annotated[float, Field(ge=0, le=3)] = 0.5
    """Standard deviation of ratings around the true preference, in stars."""
    taste_strength: Annotated[float, Field(ge=0, le=5)] = 2.5
    """How strongly taste determines choices; 0: not at all."""
    hidden_traits: Annotated[int, Field(ge=0, le=50)] = 4
    """Number of latent film traits that no table contains; only behavior reveals them."""
    attribute_signal: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of variance of the category taste that hobbies and age explain."""
    popularity_bias: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Zipf exponent: the r-th film is offered r ** -bias times as often as the first; 0: uniform."""
    drift: Annotated[float, Field(ge=0, le=1)] = 0.2
    """How much tastes and trends change over the period; 1: final tastes are orthogonal to initial ones."""
    late_items: Annotated[float, Field(ge=0, le=0.9)] = 0.1
    """Share of films released during the period."""
    session_length: Annotated[float, Field(ge=1, le=50)] = 4
    """Mean number of films per session."""
    order: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Probability that a step within a session is determined by the previous film."""
    friends_per_user: Annotated[float, Field(ge=0, le=200)] = 6
    """Target number of friends per user; 0: no social table."""
    homophily: Annotated[float, Field(ge=0, le=1)] = 0.6
    """How similar friends are in taste."""
    days: Annotated[int, Field(ge=1, le=5_000)] = 365
    """Length of the period in days."""
