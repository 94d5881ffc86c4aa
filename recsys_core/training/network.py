"""The training of a network: epochs over batches, with early stopping, checkpoints, and a way to stop.

Early stopping looks at a smoothed validation value: with b = `TrainingPlan.smoothing`, after epoch e

    s_e = sum_k b^(e - k) v_k / sum_k b^(e - k)        m_e = sum_k b^(e - k) w_k / sum_k b^(e - k)        k = 1..e

where v_k is the validation value (`LOG_RANK` if it was measured) of the weights w_k at the end of epoch k. Training
ends when s_e has not increased for `patience` epochs, and leaves the network with m_e of the epoch with largest s_e:
one lucky validation neither ends a training nor decides what is kept. Averaging the weights along a training is that of
Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima and Better Generalization", over a sliding window.

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
from recsys_core.training.plan import LOG_RANK, TrainingPlan

STAGE = "epochs"
LEAST_GAIN = 1e-4
"""An increase of the smoothed value by less is none: it approaches a constant for ever."""


@dataclass(eq=False)
class _State:
    """Where a training stands; all of it goes into a checkpoint."""

    epoch: int = 0
    steps: int = 0
    smoothed: float = 0.0
    """s_e of the module, undefined while `terms` is 0."""
    terms: float = 0.0
    """The denominator of s_e."""
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
    threads: int | None = None,
) -> None:
    """Train a network in place; it is left in evaluation mode with the best averaged weights, see the module.

    Where nothing was measured, the last weights, or their running mean, count as the best.

    Args:
        net: What is trained.
        batches: Yields the batches of one epoch, in an order drawn from the generator.
        loss_of: Returns the loss of a batch, a scalar; chance that is not torch's own comes from the generator.
        plan: How long, how fast.
        ctx: Takes progress and checkpoints, says when to stop.
        name: Of the model, in the names of the streams of chance.
        validate: Measures the network after each epoch; `LOG_RANK`, or else the first value, decides when to stop. It
            may return nothing, or NaN, where there are no validation users.
        start_counts: Measure the network before its first epoch, too, and keep it if no epoch makes it better.
        threads: Cores of the training; None for those of `ctx`. Sums are taken in another order on another number.

    Raises:
        Cancelled: That was asked for; it is seen between two batches.
        DataError: The loss became infinite: the learning rate is too high for these data.
    """
    with torch_threads(threads or ctx.threads):
        _Training(net, plan, ctx, name).run(batches, loss_of, validate, start_counts=start_counts)


class _Training:
    """One training: the network, its optimizer, the averages of its weights, and the best ones so far."""

    def __init__(self, net: nn.Module, plan: TrainingPlan, ctx: RunContext, name: str) -> None:
        self.net, self.plan, self.ctx, self.name = net, plan, ctx, name
        self.weights = [weight for weight in net.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.Adam(self.weights, lr=plan.learning_rate, fused=bool(self.weights))
        self._make_moments()
        self.mean = [weight.detach().clone() for weight in self.weights] if plan.averaging else []
        self.recent = [weight.detach().clone() for weight in self.weights] if plan.patience else []
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
            self._measured(validate, start=True)
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
        """Whether the smoothed validation value has not increased for `patience` epochs."""
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

    def _measured(self, validate: Callable[[], Mapping[str, float]] | None, *, start: bool = False) -> dict[str, float]:
        """Return the validation values of the present weights, and take them into the averages.

        Args:
            validate: Measures.
            start: The weights are those before the first epoch: they compete, and enter no average.
        """
        if validate is None:
            return {}
        self.net.eval()
        with self._judged_weights():
            values = dict(validate())
            watched = values.get(LOG_RANK, next(iter(values.values()), math.nan))
            if start and not math.isnan(watched):
                self.state.best = watched
                _copy(self.weights, self.best)
            elif self.plan.patience and not math.isnan(watched):
                self._average(watched)
        return values

    def _average(self, watched: float) -> None:
        """Take a validation value and its weights into s_e and m_e of the module, and keep m_e if s_e is the best."""
        state = self.state
        state.terms = 1.0 + self.plan.smoothing * state.terms
        state.smoothed += (watched - state.smoothed) / state.terms
        torch._foreach_lerp_(self.recent, [weight.detach() for weight in self.weights], 1.0 / state.terms)
        if state.smoothed > state.best + LEAST_GAIN:
            state.best, state.best_epoch = state.smoothed, state.epoch
            _copy(self.recent, self.best)

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
            "values": np.array([state.best, state.smoothed, state.terms]),
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
        state.best, state.smoothed, state.terms = (float(value) for value in kept["values"])
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
        tensors: dict[str, list[Tensor]] = {
            "weight": list[Tensor](self.weights),
            "best": self.best,
            "mean": self.mean,
            "recent": self.recent,
        }
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
