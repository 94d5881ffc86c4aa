"""Splits: which interactions a model may learn from, and which it is judged by."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recsys_core.errors import ConfigError

SplitKind = Literal["ratio", "leave_last_out", "global_time", "k_fold", "user_holdout", "uploaded"]
_NUMBER_OF = {
    "ratio": ("test_fraction", float),
    "leave_last_out": ("last", int),
    "global_time": ("test_fraction", float),
    "k_fold": ("folds", int),
    "user_holdout": ("test_fraction", float),
    "uploaded": ("test_data", str),
}


class SplitSpec(BaseModel):
    """How a data set is parted. The fields that a kind does not use stay at their defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: SplitKind = "ratio"
    """Which rule parts the interactions."""
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share in the test part: of each user's interactions (ratio), of all (global_time), or of users (user_holdout)."""
    validation_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the training part set aside by the same rule for choosing settings and early stopping."""
    last: Annotated[int, Field(ge=1, le=100)] = 1
    """Interactions of each user that leave_last_out holds back, the latest ones."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Number of parts of k_fold."""
    test_data: str | None = None
    """Fingerprint (or file, on the command line) of the test part that a person uploaded."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a split from a word and an optional number, such as `ratio:0.2` or `k_fold:5`.

        Raises:
            ConfigError: An unknown kind or a number outside its bounds.
        """
        kind, _, number = text.partition(":")
        if kind not in _NUMBER_OF:
            raise ConfigError(f"There is no split '{kind}'. Known: {', '.join(_NUMBER_OF)}.")
        name, convert = _NUMBER_OF[kind]
        try:
            return cls.model_validate({"kind": kind} | ({name: convert(number)} if number else {}))
        except (ValidationError, ValueError) as error:
            raise ConfigError(f"Split '{text}': {name} cannot be '{number}'. Example: ratio:0.2.") from error
