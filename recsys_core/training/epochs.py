"""The loop over epochs that every iterative algorithm shares."""

from collections.abc import Callable, Mapping

from recsys_core.contracts import Progress, RunContext


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
    """
    ctx.stop_if_requested(f"before the first of {epochs} {stage}")
    ctx.report(Progress(stage, 0, epochs))
    for number in range(1, epochs + 1):
        ctx.stop_if_requested(f"after {number - 1} of {epochs} {stage}")
        values = one_epoch(number)
        ctx.report(Progress(stage, number, epochs, values))
