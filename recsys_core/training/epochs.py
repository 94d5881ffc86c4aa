"""The epoch loop of all iterative algorithms."""

import math
from collections.abc import Callable, Mapping

from recsys_core.contracts import Progress, RunContext
from recsys_core.errors import DataError
from recsys_core.text import _

ERRORS = ("rmse", "loss")
"""Names of epoch metrics that must be finite."""


def run_epochs(
    one_epoch: Callable[[int], Mapping[str, float]], epochs: int, ctx: RunContext, *, stage: str = "epochs"
) -> None:
    """Call `one_epoch(number)` for number = 1..epochs and report its metrics.

    Args:
        one_epoch: Runs one pass over the training data and returns metrics for the learning curve, such as the loss.
        epochs: Number of epochs.
        ctx: Receives progress and signals cancellation.
        stage: Name of the curve's axis.

    Raises:
        Cancelled: The run was cancelled; checked before each epoch.
        DataError: An error metric is not finite: the training diverged.
    """
    ctx.stop_if_requested(f"before the first of {epochs} {stage}")
    ctx.report(Progress(stage, 0, epochs))
    for number in range(1, epochs + 1):
        ctx.stop_if_requested(f"after {number - 1} of {epochs} {stage}")
        values = one_epoch(number)
        for name in ERRORS:
            if not math.isfinite(values.get(name, 0.0)):
                raise DataError(
                    _(
                        "The training diverged: {name} is not finite after {number} of {epochs} {stage}; "
                        "choose a smaller learning_rate or a larger regularization."
                    ).format(name=name, number=number, epochs=epochs, stage=stage)
                )
        ctx.report(Progress(stage, number, epochs, values))
