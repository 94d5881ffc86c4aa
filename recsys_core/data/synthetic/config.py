"""The laws of a synthetic world, as settings."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class WorldConfig(BaseModel):
    """The laws of a synthetic world."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    users: Annotated[int, Field(ge=2, le=20_000)] = 600
    """People."""
    items: Annotated[int, Field(ge=10, le=5_000)] = 400
    """Films."""
    visits_per_user: Annotated[float, Field(ge=2, le=500)] = 45
    """Films that a person watches, on average; some watch five times as many."""
    feedback: Literal["ratings", "events"] = "ratings"
    """What is recorded: stars, or views, clicks and purchases."""
    rating_share: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Share of visits that people rate; unrated ones are not recorded where ratings are."""
    rating_noise: Annotated[float, Field(ge=0, le=3)] = 0.5
    """Deviation of a rating from the true preference, in stars."""
    taste_strength: Annotated[float, Field(ge=0, le=5)] = 2.5
    """How much people choose by their taste; 0: not at all."""
    hidden_traits: Annotated[int, Field(ge=0, le=50)] = 4
    """Traits of films that no table shows: what content cannot tell and behaviour can."""
    attribute_signal: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the taste in categories that hobbies and age explain."""
    popularity_bias: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Exponent of Zipf's law: the r-th film is offered r ** -bias times as often as the first; 0: all alike."""
    drift: Annotated[float, Field(ge=0, le=1)] = 0.2
    """How far tastes and fashions change over the period; 1: tastes at the end are unrelated to those at the start."""
    late_items: Annotated[float, Field(ge=0, le=0.9)] = 0.1
    """Share of films that appear in the course of the period."""
    session_length: Annotated[float, Field(ge=1, le=50)] = 4
    """Films in one session, on average."""
    order: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Probability that a step within a session follows from the film before."""
    friends_per_user: Annotated[float, Field(ge=0, le=200)] = 6
    """Friendships of a person, on average; 0: there is no social table."""
    homophily: Annotated[float, Field(ge=0, le=1)] = 0.6
    """How much friends are alike in taste."""
    days: Annotated[int, Field(ge=1, le=5_000)] = 365
    """Length of the period."""
