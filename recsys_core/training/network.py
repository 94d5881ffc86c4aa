"""The training of a network: epochs over batches, with early stopping, checkpoints, and a way to stop.

An epoch draws its chance from the seed and its own number, so a training that goes on from a checkpoint ends with the
weights of one that was never disturbed (on the same number of threads).
"""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recsys_core.contracts import Progress, RunContext
from recsys_core.errors import DataError
from recsys_core.training.plan import TrainingPlan

STAGE = "epochs"


@dataclass(eq=False)
class _State:
    """Where a training stands; all of it goes into a checkpoint."""

    epoch: int = 0
    steps: int = 0
    best: float = -math.inf
    best_epoch: int = 0
    curves: list[dict[str, float]] = field(default_factory=list)


def fit_network(
    net: nn.Module,
    batches: Callable[[np.random.Generator], Iterable[Any]],
    loss_of: Callable[[Any, torch.Generator], Tensor],
    plan: TrainingPlan,
    ctx: RunContext,
    *,
    name: str,
    validate: Callable[[], Mapping[str, float]] | None = None,
    start_counts: bool = False,
) -> None:
    """Train a network in place; it is left in evaluation mode with the best weights that were met.

    Where nothing was measured, the last weights, or their running mean, count as the best.

    Args:
        net: What is trained.
        batches: Yields the batches of one epoch, in an order drawn from the generator.
        loss_of: Returns the loss of a batch, a scalar; chance that is not torch's own comes from the generator.
        plan: How long, how fast.
        ctx: Takes progress and checkpoints, says when to stop.
        name: Of the model, in the names of the streams of chance.
        validate: Measures the network in the middle of its training; the first value decides when to stop. It may
            return nothing, or NaN, where there is nobody to measure by.
        start_counts: Measure the network before its first epoch, too, and keep it if no epoch makes it better.

    Raises:
        Cancelled: That was asked for; it is seen between two batches.
        DataError: The loss became infinite: the learning rate is too high for these data.
    """
    with torch_threads(ctx.threads):
        _Training(net, plan, ctx, name).run(batches, loss_of, validate, start_counts=start_counts)


class _Training:
    """One training: the network, its optimiser, the running mean of its weights, and the best ones so far."""

    def __init__(self, net: nn.Module, plan: TrainingPlan, ctx: RunContext, name: str) -> None:
        self.net, self.plan, self.ctx, self.name = net, plan, ctx, name
        self.weights = [weight for weight in net.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.Adam(self.weights, lr=plan.learning_rate, fused=bool(self.weights))
        self._make_moments()
        self.mean = [weight.detach().clone() for weight in self.weights] if plan.averaging else []
        self.best = [weight.detach().clone() for weight in self.weights]
        self.state = _State()

    def run(
        self,
        batches: Callable[[np.random.Generator], Iterable[Any]],
        loss_of: Callable[[Any, torch.Generator], Tensor],
        validate: Callable[[], Mapping[str, float]] | None,
        *,
        start_counts: bool,
    ) -> None:
        """Go through the epochs that are left."""
        self._resume()
        plan, state = self.plan, self.state
        self.ctx.stop_if_requested(f"before epoch {state.epoch + 1} of {plan.epochs}")
        self.ctx.report(Progress(STAGE, 0, plan.epochs))
        if start_counts and not state.epoch:
            self._measured(validate)
        for number, values in enumerate(state.curves, start=1):  # those of the training that was disturbed
            self.ctx.report(Progress(STAGE, number, plan.epochs, values))
        while state.epoch < plan.epochs and not self._is_over():
            loss = self._one_epoch(batches, loss_of)
            values = {"loss": loss} | self._measured(validate)
            state.curves.append(values)
            self._checkpoint()
            last = plan.epochs if not self._is_over() else state.epoch
            self.ctx.report(Progress(STAGE, state.epoch, last, values))
        if plan.patience and self._has_best:
            _copy(self.best, self.weights)
        elif self.mean:
            _copy(self.mean, self.weights)
        self.net.eval()

    def _is_over(self) -> bool:
        """Whether validation has not become better for long enough."""
        waited = self.state.epoch - self.state.best_epoch
        return bool(self.plan.patience) and self._has_best and waited >= self.plan.patience

    @property
    def _has_best(self) -> bool:
        """Whether validation ever gave a value."""
        return self.state.best > -math.inf

    def _one_epoch(
        self,
        batches: Callable[[np.random.Generator], Iterable[Any]],
        loss_of: Callable[[Any, torch.Generator], Tensor],
    ) -> float:
        """Visit every batch once and return the mean loss."""
        number = self.state.epoch + 1
        rng = self.ctx.rng(self.name, "epoch", str(number))
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        self.net.train()
        losses = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**62)))
            for batch in batches(rng):
                self.ctx.stop_if_requested(f"in epoch {number} of {self.plan.epochs}")
                losses.append(self._step(loss_of(batch, generator)))
        mean = float(np.mean(losses)) if losses else 0.0
        if not math.isfinite(mean):
            raise DataError(f"The loss became infinite in epoch {number}; choose a smaller learning rate.")
        self.state.epoch = number
        return mean

    def _step(self, loss: Tensor) -> float:
        """Move the weights against the gradient of one batch."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.weights, self.plan.clip)
        self.optimizer.step()
        self.state.steps += 1
        if self.mean:  # short at first, so that the start is forgotten
            kept = min(self.plan.averaging, self.state.steps / (self.state.steps + 9))
            torch._foreach_lerp_(self.mean, [weight.detach() for weight in self.weights], 1 - kept)
        return float(loss.detach())

    def _measured(self, validate: Callable[[], Mapping[str, float]] | None) -> dict[str, float]:
        """Return the validation values of the weights that would be kept, and keep them if they are the best."""
        if validate is None:
            return {}
        self.net.eval()
        with self._judged_weights():
            values = dict(validate())
            watched = next(iter(values.values()), None)
            if watched is not None and watched > self.state.best:
                self.state.best, self.state.best_epoch = watched, self.state.epoch
                _copy(self.weights, self.best)
        return values

    @contextlib.contextmanager
    def _judged_weights(self) -> Iterator[None]:
        """Put the running mean in the place of the weights for a while."""
        if not self.mean:
            yield
            return
        own = [weight.detach().clone() for weight in self.weights]
        _copy(self.mean, self.weights)
        try:
            yield
        finally:
            _copy(own, self.weights)

    def _checkpoint(self) -> None:
        if self.ctx.checkpoints is None:
            return
        state = self.state
        arrays: dict[str, NDArray[Any]] = {
            "place": np.array([state.epoch, state.steps, state.best_epoch], dtype=np.int64),
            "best": np.array(state.best),
            "curve_names": np.frombuffer("\n".join(state.curves[0]).encode(), dtype=np.uint8),
            "curves": np.array([list(values.values()) for values in state.curves]),
        }
        for name, tensors in self._tensors().items():
            arrays |= {f"{name}.{place}": tensor.detach().numpy() for place, tensor in enumerate(tensors)}
        self.ctx.checkpoints.save(arrays)

    def _resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        kept = None if self.ctx.checkpoints is None else self.ctx.checkpoints.load()
        if kept is None:
            return
        for name, tensors in self._tensors().items():
            _copy([torch.from_numpy(np.array(kept[f"{name}.{place}"])) for place in range(len(tensors))], tensors)
        state = self.state
        state.epoch, state.steps, state.best_epoch = (int(number) for number in kept["place"])
        state.best = float(kept["best"])
        names = bytes(kept["curve_names"]).decode().split("\n")
        state.curves = [dict(zip(names, map(float, row), strict=True)) for row in kept["curves"]]

    def _make_moments(self) -> None:
        """Make the moments that Adam would make at a weight's first gradient, so that a checkpoint always has all."""
        for weight in self.weights:
            self.optimizer.state[weight] = {
                "step": torch.zeros(()),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }

    def _tensors(self) -> dict[str, list[Tensor]]:
        """Return all that changes in training, by name."""
        tensors: dict[str, list[Tensor]] = {"weight": list[Tensor](self.weights), "best": self.best, "mean": self.mean}
        for name in ("step", "exp_avg", "exp_avg_sq"):
            tensors[name] = [self.optimizer.state[weight][name] for weight in self.weights]
        return tensors


def _copy(sources: Iterable[Tensor], targets: Iterable[Tensor]) -> None:
    with torch.no_grad():
        for source, target in zip(sources, targets, strict=True):
            target.copy_(source)


@contextlib.contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let torch use so many threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
