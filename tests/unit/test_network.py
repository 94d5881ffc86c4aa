"""Training of networks: early stopping, restored weights, cancellation, and exact resumption."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from recsys_core.contracts import Progress, RunContext
from recsys_core.errors import Cancelled, DataError
from recsys_core.models.nets.dropout import ByteDropout
from recsys_core.training.network import fit_network
from recsys_core.training.plan import TrainingPlan


class Kept:
    """Checkpoints in memory."""

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] | None = None
        self.saved = 0

    def save(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.arrays = {name: np.array(array) for name, array in arrays.items()}
        self.saved += 1

    def load(self) -> Mapping[str, NDArray[Any]] | None:
        return self.arrays


class Line(torch.nn.Module):
    """One weight per number, with dropout, so that randomness matters, and an unused weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(6))
        self.idle = torch.nn.Parameter(torch.zeros(2))
        self.dropout = ByteDropout(0.25)


def train(plan: TrainingPlan, ctx: RunContext, validate: Any = None, *, pull: float = 1.0, **how: Any) -> Line:
    """Pull each weight towards 1 in batches of random order."""
    net = Line()

    def batches(rng: np.random.Generator) -> Iterator[int]:
        yield from rng.permutation(6).tolist()

    def loss_of(number: int, generator: torch.Generator) -> torch.Tensor:
        noise = torch.rand((), generator=generator)
        return pull * ((net.dropout(net.weight) - 1)[number] ** 2 * (1 + noise)).sum()

    fit_network(net, batches, loss_of, plan, ctx, name="line", validate=validate and (lambda: validate(net)), **how)
    return net


@pytest.mark.parametrize("averaging", [0.0, 0.9])
@pytest.mark.parametrize("patience", [0, 4])
def test_a_killed_training_goes_on_as_if_nothing_had_been(averaging: float, patience: int) -> None:
    plan = TrainingPlan(9, patience, 0.05, averaging=averaging)
    validate = lambda net: {"ndcg": -float(((net.weight.detach() - 0.3) ** 2).sum())}  # noqa: E731
    whole, seen = train(plan, RunContext(), validate), []
    kept = Kept()
    with pytest.raises(KeyboardInterrupt):
        train(plan, RunContext(checkpoints=kept, report=_killed_after(4)), validate)
    assert kept.saved == 4
    resumed = train(plan, RunContext(checkpoints=kept, report=seen.append), validate)
    assert_array_equal(resumed.weight.detach(), whole.weight.detach())
    assert [progress.step for progress in seen] == list(range(len(seen)))
    assert all(progress.values for progress in seen[1:])


def test_a_slower_part_takes_steps_of_its_share_of_the_learning_rate_and_goes_on_with_them() -> None:
    """Adam's first step is as long as the learning rate."""

    class Two(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fast, self.slow = torch.nn.Linear(2, 1, bias=False), torch.nn.Linear(2, 1, bias=False)
            for part in (self.fast, self.slow):
                torch.nn.init.zeros_(part.weight)

    def trained(epochs: int, ctx: RunContext) -> Two:
        net, plan = Two(), TrainingPlan(epochs, 0, 0.05, slower={"slow": 0.1})
        fit_network(net, lambda rng: [0], lambda *_: (net.fast.weight + net.slow.weight - 1).sum(), plan, ctx, name="t")
        return net

    once = trained(1, RunContext())
    assert_allclose(once.fast.weight.detach(), -0.05, rtol=1e-5)
    assert_allclose(once.slow.weight.detach(), -0.005, rtol=1e-5)
    kept = Kept()
    with pytest.raises(KeyboardInterrupt):
        trained(3, RunContext(checkpoints=kept, report=_killed_after(2)))
    resumed, whole = trained(3, RunContext(checkpoints=kept)), trained(3, RunContext())
    assert_array_equal(resumed.slow.weight.detach(), whole.slow.weight.detach())


def _killed_after(epochs: int) -> Any:
    def report(progress: Progress) -> None:
        if progress.step == epochs:
            raise KeyboardInterrupt

    return report


def watched(values: list[float]) -> tuple[list[torch.Tensor], Any]:
    """Return a list that collects the weights of each epoch, and a validation that returns these values in turn."""
    given, weights = iter(values), []

    def validate(net: Line) -> dict[str, float]:
        weights.append(net.weight.detach().clone())
        return {"ndcg": next(given)}

    return weights, validate


def test_training_ends_when_validation_does_not_increase_and_the_best_is_kept() -> None:
    seen: list[Progress] = []
    weights, validate = watched([0.1, 0.4, 0.3, 0.2, 0.9])
    net = train(TrainingPlan(20, 2, 0.05, smoothing=0.0), RunContext(report=seen.append), validate)
    assert len(weights) == 4
    assert_array_equal(net.weight.detach(), weights[1])
    assert (seen[-1].step, seen[-1].total) == (4, 4)


def test_early_stopping_looks_at_smoothed_values_and_keeps_weights_averaged_alike() -> None:
    """Smoothed by one half: .1, .3, .3714, .4933, .3742, .3640; the largest single value, .6, is a little later."""
    weights, validate = watched([0.1, 0.4, 0.43, 0.6, 0.26, 0.354, 0.9])
    net = train(TrainingPlan(20, 2, 0.05, smoothing=0.5), RunContext(), validate)
    assert len(weights) == 6
    expected = sum(share * kept for share, kept in zip((1, 2, 4, 8), weights, strict=False)) / 15
    assert_allclose(net.weight.detach(), expected, rtol=1e-5)


def test_one_lucky_validation_does_not_end_a_training() -> None:
    """Epoch 3 is .05 above a slow rise by chance: without smoothing nothing exceeds it within the patience of 4."""
    values = [0.1, 0.11, 0.17, 0.13, 0.14, 0.15, 0.16, 0.17, 0.18, 0.19, 0.2, 0.21]
    lengths = []
    for smoothing in (0.0, 0.8):
        weights, validate = watched(values)
        train(TrainingPlan(len(values), 4, 0.05, smoothing=smoothing), RunContext(), validate)
        lengths.append(len(weights))
    assert lengths == [7, len(values)]


def test_a_value_that_stays_the_same_ends_a_training() -> None:
    """The smoothed value converges: its increase is below 1e-4 from epoch 20 on."""
    weights, validate = watched([0.1] + [0.5] * 99)
    train(TrainingPlan(100, 3, 0.05, smoothing=0.7), RunContext(), validate)
    assert len(weights) == 23


def test_epochs_without_a_value_enter_no_average() -> None:
    weights, validate = watched([float("nan"), 0.2, float("nan"), 0.4, float("nan")])
    net = train(TrainingPlan(5, 4, 0.05, smoothing=0.5), RunContext(), validate)
    assert_allclose(net.weight.detach(), (weights[1] + 2 * weights[3]) / 3, rtol=1e-5)


@pytest.mark.parametrize("averaging", [0.0, 0.9])
@pytest.mark.parametrize("values", [{}, {"ndcg": float("nan")}])
def test_where_nothing_can_be_measured_what_was_learned_is_kept(values: dict[str, float], averaging: float) -> None:
    plan = TrainingPlan(5, 2, 0.05, averaging=averaging)
    judged, alone = train(plan, RunContext(), lambda net: values), train(plan, RunContext())
    assert float(judged.weight.detach().mean()) > 0.1
    assert_array_equal(judged.weight.detach(), alone.weight.detach())


@pytest.mark.parametrize("values", [[0.3, 0.2, 0.1, 0.9], [0.3, 0.4, 0.1, 0.2]])
def test_the_start_is_kept_if_it_counts_and_no_epoch_is_better(values: list[float]) -> None:
    weights, validate = watched(values)
    net = train(TrainingPlan(20, 2, 0.05, smoothing=0.5, start_counts=True), RunContext(), validate)
    assert not weights[0].any()
    assert len(weights) == 3 + int(np.argmax(values[:3]))
    assert_array_equal(net.weight.detach(), weights[int(np.argmax(values[:3]))])


@pytest.mark.parametrize(("pull", "length"), [(1e4, 5.0), (1e-3, None)])
def test_long_gradients_are_cut_and_short_ones_are_not(pull: float, length: float | None) -> None:
    net = train(TrainingPlan(1, 0, 0.05), RunContext(), pull=pull)
    assert net.weight.grad is not None
    found = float(net.weight.grad.norm())
    assert found == pytest.approx(length) if length else 0 < found < 0.01


def test_an_epoch_without_a_batch_is_gone_on_from() -> None:
    kept, plan = Kept(), TrainingPlan(2, 0, 0.05)
    fit_network(Line(), lambda rng: [], lambda batch, generator: batch, plan, RunContext(checkpoints=kept), name="line")
    net = train(TrainingPlan(3, 0, 0.05), RunContext(checkpoints=kept))
    assert (kept.saved, bool(net.weight.detach().any())) == (3, True)


def test_cancel_is_seen_within_one_batch() -> None:
    asked = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 9

    with pytest.raises(Cancelled, match="in epoch 2 of 3"):
        train(TrainingPlan(3, 0, 0.05), RunContext(stop_requested=stop))
    assert len(asked) == 10


def test_the_running_mean_is_judged_and_kept() -> None:
    plain, mean = (train(TrainingPlan(3, 0, 0.05, averaging=one), RunContext()) for one in (0.0, 0.95))
    assert (
        float(mean.weight.detach().mean()) < float(plain.weight.detach().mean()) - 0.02
    )  # it lags behind increasing weights


def test_a_loss_that_explodes_is_said_in_words() -> None:
    with pytest.raises(DataError, match="smaller learning rate"):
        train(TrainingPlan(3, 0, 0.05), RunContext(), pull=float("inf"))


def test_dropout_leaves_out_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    layer = ByteDropout(0.2)
    states = torch.ones(400, 300)
    found = layer(states)
    assert float((found == 0).float().mean()) == pytest.approx(0.2, abs=0.005)
    assert float(found.mean()) == pytest.approx(1.0, abs=0.005)
    assert float((found[::2] == found[1::2]).float().mean()) == pytest.approx(0.68, abs=0.01)  # rows are independent
    assert_array_equal(layer.eval()(states), states)
