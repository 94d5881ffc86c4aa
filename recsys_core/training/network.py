"""Training of a network: epochs over batches, with early stopping, checkpoints and cancellation.

Early stopping uses a smoothed validation score: with b = `TrainingPlan.smoothing`, after epoch e

    s_e = sum_k b^(e - k) v_k / sum_k b^(e - k)        m_e = sum_k b^(e - k) w_k / sum_k b^(e - k)        k = 1..e

where v_k is the validation score (`LOG_RANK` if available) of the weights w_k at the end of epoch k. Training ends when
s_e has not increased for `patience` epochs, and the network gets m_e of the epoch with the largest s_e, so that noise
in a single validation decides neither when to stop nor which weights to keep. Weight averaging follows Izmailov et al.
2018, "Averaging Weights Leads to Wider Optima and Better Generalization", with exponential weights.

The random numbers of an epoch depend on the seed and the epoch's number, so a run resumed from a checkpoint ends with
the same weights as uninterrupted training (on the same number of threads).
"""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recsys_core.contracts import Progress, RunContext
from recsys_core.errors import DataError
from recsys_core.text import _, later
from recsys_core.training.devices import generator_on, seeded
from recsys_core.training.plan import LOG_RANK, TrainingPlan

STAGE = later("epochs")
FUSED = ("cpu", "cuda")
"""Devices on which all weights take an optimizer step in one call."""
LEAST_GAIN = 1e-4
"""Minimum increase of the smoothed score that counts as an improvement, since it converges asymptotically."""


@dataclass(eq=False)
class _State:
    """Progress of a training run, stored in checkpoints."""

    epoch: int = 0
    steps: int = 0
    smoothed: float = 0.0
    """s_e of the module, undefined while `terms` is 0."""
    terms: float = 0.0
    """The denominator of s_e."""
    best: float = -math.inf
    best_epoch: int = 0
    curves: list[dict[str, float]] = field(default_factory=list)


Batches: TypeAlias = Callable[[np.random.Generator], Iterable[Any]]
LossOf: TypeAlias = Callable[[Any, torch.Generator], Tensor]
Validate: TypeAlias = Callable[[], Mapping[str, float]]


def fit_network(
    net: nn.Module,
    batches: Batches,
    loss_of: LossOf,
    plan: TrainingPlan,
    ctx: RunContext,
    *,
    name: str,
    validate: Validate | None = None,
    threads: int | None = None,
    before_step: Callable[[int], None] | None = None,
) -> None:
    """Train a network in place; it ends in evaluation mode with the best averaged weights, see the module.

    Without validation, the last weights, or their running mean, are kept.

    Args:
        net: The network.
        batches: Yields the batches of one epoch, in an order drawn from the generator.
        loss_of: Returns the scalar loss of a batch; randomness outside torch's global generator uses the given one.
        plan: Training parameters.
        ctx: Receives progress and checkpoints, and signals cancellation.
        name: Name of the model, part of the names of random streams.
        validate: Evaluates the network after each epoch; early stopping uses `LOG_RANK`, or else the first value. It
            may return nothing, or NaN, without validation users.
        threads: Number of cores; None for those of `ctx`. It affects the order of floating-point sums.
        before_step: Called before the loss of each batch with the number of steps so far, for schedules.

    Raises:
        Cancelled: The run was cancelled; checked between batches.
        DataError: The loss is not finite: the learning rate is too high for these data.
    """
    with torch_threads(threads or ctx.threads):
        _Training(net, plan, ctx, name, validate, before_step).run(batches, loss_of)


class _Training:
    """One training run: the network, its optimizer, the averaged weights, and the best weights so far."""

    def __init__(
        self,
        net: nn.Module,
        plan: TrainingPlan,
        ctx: RunContext,
        name: str,
        validate: Validate | None,
        before_step: Callable[[int], None] | None = None,
    ) -> None:
        self.net, self.plan, self.ctx, self.name, self.validate = net, plan, ctx, name, validate
        self.before_step = before_step
        self.weights = [weight for weight in net.parameters() if weight.requires_grad]
        self.device = self.weights[0].device if self.weights else torch.device("cpu")
        fused = bool(self.weights) and self.device.type in FUSED
        self.optimizer = torch.optim.Adam(_by_step_size(net, plan), lr=plan.learning_rate, fused=fused)
        self._make_moments(self.device if fused else None)
        self.mean = [weight.detach().clone() for weight in self.weights] if plan.averaging else []
        self.recent = [weight.detach().clone() for weight in self.weights] if plan.patience else []
        self.best = [weight.detach().clone() for weight in self.weights]
        self.state = _State()

    def run(self, batches: Batches, loss_of: LossOf) -> None:
        """Run the remaining epochs."""
        self._resume()
        plan, state = self.plan, self.state
        self.ctx.stop_if_requested(f"before epoch {state.epoch + 1} of {plan.epochs}")
        self.ctx.report(Progress(STAGE, 0, plan.epochs))
        if plan.start_counts and not state.epoch:
            self._measured(start=True)
        for number, values in enumerate(state.curves, start=1):  # epochs before the interruption
            self.ctx.report(Progress(STAGE, number, plan.epochs, values))
        while state.epoch < plan.epochs and not self._is_over():
            loss = self._one_epoch(batches, loss_of)
            values = {"loss": loss} | self._measured()
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
        """Whether the smoothed validation score has not increased for `patience` epochs."""
        waited = self.state.epoch - self.state.best_epoch
        return bool(self.plan.patience) and self._has_best and waited >= self.plan.patience

    @property
    def _has_best(self) -> bool:
        """Whether there was any validation score."""
        return self.state.best > -math.inf

    def _one_epoch(self, batches: Batches, loss_of: LossOf) -> float:
        """Train on every batch once and return the mean loss."""
        number = self.state.epoch + 1
        rng = self.ctx.rng(self.name, "epoch", str(number))
        generator = generator_on(self.device, int(rng.integers(2**62)))
        self.net.train()
        losses = []
        with seeded(self.device, int(rng.integers(2**62))):
            for batch in batches(rng):
                self.ctx.stop_if_requested(f"in epoch {number} of {self.plan.epochs}")
                if self.before_step is not None:
                    self.before_step(self.state.steps)
                losses.append(self._step(loss_of(batch, generator)))
        mean = float(np.mean(losses)) if losses else 0.0
        if not math.isfinite(mean):
            raise DataError(
                _("The loss became infinite in epoch {number}; choose a smaller learning rate.").format(number=number)
            )
        self.state.epoch = number
        return mean

    def _step(self, loss: Tensor) -> float:
        """Update the weights by the gradient of one batch."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.weights, self.plan.clip)
        self.optimizer.step()
        self.state.steps += 1
        if self.mean:  # shorter memory in the first steps, so that the initial weights are forgotten
            kept = min(self.plan.averaging, self.state.steps / (self.state.steps + 9))
            torch._foreach_lerp_(self.mean, [weight.detach() for weight in self.weights], 1 - kept)
        return float(loss.detach())

    def _measured(self, *, start: bool = False) -> dict[str, float]:
        """Return the validation metrics of the current weights, and update the averages.

        Args:
            start: Whether these are the initial weights, which can be the best ones but enter no average.
        """
        if self.validate is None:
            return {}
        self.net.eval()
        with self._judged_weights():
            values = dict(self.validate())
            watched = values.get(LOG_RANK, next(iter(values.values()), math.nan))
            if start and not math.isnan(watched):
                self.state.best = watched
                _copy(self.weights, self.best)
            elif self.plan.patience and not math.isnan(watched):
                self._average(watched)
        return values

    def _average(self, watched: float) -> None:
        """Update s_e and m_e of the module, and keep m_e if s_e is the best so far."""
        state = self.state
        state.terms = 1.0 + self.plan.smoothing * state.terms
        state.smoothed += (watched - state.smoothed) / state.terms
        torch._foreach_lerp_(self.recent, [weight.detach() for weight in self.weights], 1.0 / state.terms)
        if state.smoothed > state.best + LEAST_GAIN:
            state.best, state.best_epoch = state.smoothed, state.epoch
            _copy(self.recent, self.best)

    @contextlib.contextmanager
    def _judged_weights(self) -> Iterator[None]:
        """Replace the weights by their running mean within a `with` block."""
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
            "values": np.array([state.best, state.smoothed, state.terms]),
            "curve_names": np.frombuffer("\n".join(state.curves[0]).encode(), dtype=np.uint8),
            "curves": np.array([list(values.values()) for values in state.curves]),
        }
        for name, tensors in self._tensors().items():
            arrays |= {f"{name}.{place}": tensor.detach().cpu().numpy() for place, tensor in enumerate(tensors)}
        self.ctx.checkpoints.save(arrays)

    def _resume(self) -> None:
        """Resume from the checkpoint, if there is one."""
        kept = None if self.ctx.checkpoints is None else self.ctx.checkpoints.load()
        if kept is None:
            return
        for name, tensors in self._tensors().items():
            _copy([torch.from_numpy(np.array(kept[f"{name}.{place}"])) for place in range(len(tensors))], tensors)
        state = self.state
        state.epoch, state.steps, state.best_epoch = (int(number) for number in kept["place"])
        state.best, state.smoothed, state.terms = (float(value) for value in kept["values"])
        names = bytes(kept["curve_names"]).decode().split("\n")
        state.curves = [dict(zip(names, map(float, row), strict=True)) for row in kept["curves"]]

    def _make_moments(self, counters: torch.device | None) -> None:
        """Create the moments that Adam creates at a weight's first gradient, so that checkpoints are complete."""
        for weight in self.weights:
            self.optimizer.state[weight] = {
                "step": torch.zeros((), device=counters),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }

    def _tensors(self) -> dict[str, list[Tensor]]:
        """Return all tensors that change in training, by name."""
        weights = list[Tensor](self.weights)
        tensors = {"weight": weights, "best": self.best, "mean": self.mean, "recent": self.recent}
        for name in ("step", "exp_avg", "exp_avg_sq"):
            tensors[name] = [self.optimizer.state[weight][name] for weight in self.weights]
        return tensors


def _by_step_size(net: nn.Module, plan: TrainingPlan) -> list[dict[str, Any]]:
    """Return the groups of parameters with the same step size, those of `TrainingPlan.slower` last."""
    groups: dict[str, list[nn.Parameter]] = {"": [], **{part: [] for part in plan.slower}}
    for name, weight in net.named_parameters():
        if weight.requires_grad:
            groups[next((part for part in plan.slower if name.startswith(part)), "")].append(weight)
    return [
        {"params": weights, "lr": plan.learning_rate * plan.slower.get(part, 1.0)}
        for part, weights in groups.items()
        if weights
    ]


def _copy(sources: Iterable[Tensor], targets: Iterable[Tensor]) -> None:
    with torch.no_grad():
        for source, target in zip(sources, targets, strict=True):
            target.copy_(source)


@contextlib.contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Set the number of torch threads within a `with` block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
