"""Ingest rules, chosen before a data set is stored."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from recsys_core.errors import ConfigError
from recsys_core.text import _

Rating = Annotated[float, Field(ge=-3e38, le=3e38, allow_inf_nan=False)]
"""A rating that fits into 32 bits."""
Duplicates = Literal["last", "mean", "sum", "refuse", "keep"]


class IngestRules(BaseModel):
    """How to treat problematic rows. Every row that a rule removes is counted and listed."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    duplicates: Duplicates = "last"
    """Duplicate user, item and event type: keep the latest, merge into the mean rating or the sum of weights, refuse
    the data, or keep all."""
    min_user: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Users with fewer interactions are removed (repeated with `min_item` until stable); 0 and 1 remove none."""
    min_item: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Items with fewer interactions are removed."""
    out_of_range: Literal["reject", "clip", "keep"] = "reject"
    """Ratings outside the scale: reject the row, clip the rating to the scale, or keep it."""
    rating_low: Rating | None = None
    """Smallest rating of the scale; None: derived from the data."""
    rating_high: Rating | None = None
    """Largest rating of the scale; None: derived from the data."""
    missing_ratings: tuple[Rating, ...] = ()
    """Values that mean 'not rated', such as -1, 0 or 99: the row stays without a rating."""
    bad_timestamps: Literal["reject", "keep"] = "reject"
    """Rows with an unreadable timestamp: reject them, or keep them without a timestamp (sorted before all others)."""
    event_weights: dict[str, float] = Field(default_factory=dict)
    """Weight of each event type; types not listed have weight 1."""

    @model_validator(mode="after")
    def _scale_is_ordered(self) -> Self:
        if self.rating_low is not None and self.rating_high is not None and self.rating_low >= self.rating_high:
            raise ValueError(
                _("the scale runs from {rating_low} to {rating_high}; low must be below high").format(
                    rating_low=self.rating_low, rating_high=self.rating_high
                )
            )
        return self

    @property
    def ends(self) -> tuple[float | None, float | None]:
        """Smallest and largest rating of the scale; an end that means 'not rated' becomes None."""
        low, high = (None if end in self.missing_ratings else end for end in (self.rating_low, self.rating_high))
        return low, high

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Self:
        """Return rules from plain values.

        Raises:
            ConfigError: Unknown rule, or value out of bounds.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or "rating_low"
            if first["type"] == "extra_forbidden":
                known = ", ".join(cls.model_fields)
                raise ConfigError(
                    _("There is no rule '{name}'. Known: {known}.").format(name=name, known=known)
                ) from error
            raise ConfigError(_("Rule '{name}': {lower}.").format(name=name, lower=first["msg"].lower())) from error
