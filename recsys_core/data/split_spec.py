"""Settings of a train/test split."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recsys_core.errors import ConfigError
from recsys_core.text import _

SplitKind = Literal["ratio", "leave_last_out", "global_time", "k_fold", "user_holdout", "item_holdout", "uploaded"]
_NUMBER_OF = {
    "ratio": ("test_fraction", float),
    "leave_last_out": ("last", int),
    "global_time": ("test_fraction", float),
    "k_fold": ("folds", int),
    "user_holdout": ("test_fraction", float),
    "item_holdout": ("test_fraction", float),
    "uploaded": ("test_data", str),
}


class SplitSpec(BaseModel):
    """Settings of a train/test split. Fields that a kind does not use stay at their defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: SplitKind = "ratio"
    """Kind of split."""
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Test share: of each user's interactions (ratio), of all interactions (global_time), of users (user_holdout), or
    of items (item_holdout)."""
    validation_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the training data held out by the same rule for tuning and early stopping."""
    last: Annotated[int, Field(ge=1, le=100)] = 1
    """Number of latest interactions per user that leave_last_out holds out."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Number of folds of k_fold."""
    test_data: str | None = None
    """Fingerprint (or file, on the command line) of the uploaded test data."""
    windows: Annotated[int, Field(ge=1, le=20)] = 1
    """Number of consecutive test windows of global_time; models are trained anew for each."""
    window_training: Literal["expanding", "fixed"] = "expanding"
    """Training data of each window: everything before it, or a period as long as that of the first window."""
    gap_days: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Days before each test window of global_time that are neither training nor test data."""

    @property
    def n_folds(self) -> int:
        """Number of splits: folds or windows, else 1."""
        return {"k_fold": self.folds, "global_time": self.windows}.get(self.kind, 1)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a split from its kind and an optional number, such as `ratio:0.2` or `k_fold:5`.

        Raises:
            ConfigError: Unknown kind, number missing after the colon or out of bounds, or uploaded data not named.
        """
        kind, colon, number = text.partition(":")
        if kind not in _NUMBER_OF:
            raise ConfigError(
                _("There is no split '{kind}'. Known: {number_of}.").format(kind=kind, number_of=", ".join(_NUMBER_OF))
            )
        name, convert = _NUMBER_OF[kind]
        if convert is str and not number:
            raise ConfigError(_("Split '{text}' needs test data: write uploaded:NAME.").format(text=text))
        try:
            return cls.model_validate({"kind": kind} | ({name: convert(number)} if colon else {}))
        except (ValidationError, ValueError) as error:
            raise ConfigError(
                _("Split '{text}': {name} cannot be '{number}'. {allowed}").format(
                    text=text, name=name, number=number, allowed=cls._allowed(kind)
                )
            ) from error

    @classmethod
    def _allowed(cls, kind: str) -> str:
        """Return the values that may follow the colon of a kind with a number."""
        name, convert = _NUMBER_OF[kind]
        bounds = cls.model_json_schema()["properties"][name]
        example = f"{kind}:{bounds['default']}"
        if convert is int:
            return _("Write a whole number from {low} to {high}, such as {example}.").format(
                low=bounds["minimum"], high=bounds["maximum"], example=example
            )
        return _("Write a number above {low:g} and below {high:g}, such as {example}.").format(
            low=bounds["exclusiveMinimum"], high=bounds["exclusiveMaximum"], example=example
        )
