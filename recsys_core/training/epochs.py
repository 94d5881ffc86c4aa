"""The loop over epochs that every iterative algorithm shares."""

import math
from collections.abc import Callable, Mapping

from recsys_core.contracts import Progress, RunContext
from recsys_core.errors import DataError

ERRORS = ("rmse", "loss")
"""Names of what an epoch measures that must be finite."""


def run_epochs(
    one_epoch: Callable[[int], Mapping[str, float]], epochs: int, ctx: RunContext, *, stage: str = "epochs"
) -> None:
    """Call `one_epoch(number)` for number = 1..epochs and report what it measured.

    Args:
        one_epoch: Goes through the training data once and returns numbers worth a curve, such as the loss.
        epochs: How many times.
        ctx: Takes the progress, says when to stop.
        stage: Name of the curve's axis.

    Raises:
        Cancelled: Before the next epoch, once that was asked for.
        DataError: The error of an epoch is not finite: the steps are too long for these data.
    """
    ctx.stop_if_requested(f"before the first of {epochs} {stage}")
    ctx.report(Progress(stage, 0, epochs))
    for number in range(1, epochs + 1):
        ctx.stop_if_requested(f"after {number - 1} of {epochs} {stage}")
        values = one_epoch(number)
        for name in ERRORS:
            if not math.isfinite(values.get(name, 0.0)):
                raise DataError(
                    f"The training diverged: {name} is not finite after {number} of {epochs} {stage}; choose a smaller "
                    "learning_rate or a larger regularization."
                )
        ctx.report(Progress(stage, number, epochs, values))
