"""Where tuned settings of a model come from: the tuning, its budget, and the data of its validation."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from recsys_core.text import _, n_


class Budget(BaseModel):
    """The budget of every tuned model: a number of trials, or seconds of training and evaluation."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    trials: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Number of settings that are tried."""
    seconds: Annotated[float, Field(gt=0, le=1e7, allow_inf_nan=False)] | None = None
    """Seconds of all trials of a model together."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.trials is None) == (self.seconds is None):
            raise ValueError(_("A budget is a number of trials or a number of seconds, one of the two"))
        return self

    @property
    def words(self) -> str:
        """The budget in the current language: 20 trials, or 300 seconds."""
        if self.trials is not None:
            return n_("{n} trial", "{n} trials", self.trials)
        return _("{seconds} s").format(seconds=f"{self.seconds:g}")


Part = Literal["validation", "other_data", "test"]


class TunedBy(BaseModel):
    """The tuning that found the settings of a model."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    tuning: str
    """Id of the tuning."""
    budget: Budget
    """Budget of each of its models."""
    metric: str
    """Metric that was maximized on the validation data."""
    part: Part = "validation"
    """Data of the validation: those of the same split; another data set; or the same data set under another split or
    seed, whose validation part can overlap the test part."""
