"""The loops shared by algorithms: each step is done once, errors are raised, and cancellation works."""

import threading

import numpy as np
import pytest

from recsys_core.contracts import Progress, RunContext
from recsys_core.errors import Cancelled
from recsys_core.models.registry import make_model
from recsys_core.training.blocks import run_in_blocks
from recsys_core.training.epochs import run_epochs
from tests.contract.cases import tastes


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("total", [0, 1, 9, 10, 11, 64])
def test_blocks_cover_every_row_once_and_each_is_reported(threads: int, total: int) -> None:
    done, reports = np.zeros(total, dtype=int), []

    def work(start: int, end: int) -> None:
        done[start:end] += 1

    run_in_blocks(work, total, 5, RunContext(threads=threads, report=reports.append), stage="blocks")
    assert (done == 1).all()
    assert reports == [Progress("blocks", step, -(-total // 5)) for step in range(-(-total // 5) + 1)]


def test_an_error_in_a_block_comes_out() -> None:
    def work(start: int, end: int) -> None:
        if start == 4:
            raise ValueError("block 4")

    with pytest.raises(ValueError, match="block 4"):
        run_in_blocks(work, 10, 2, RunContext(threads=2), stage="blocks")


@pytest.mark.parametrize("threads", [1, 2])
def test_after_a_wish_to_stop_only_blocks_under_way_are_finished(threads: int) -> None:
    started, lock = [], threading.Lock()

    def work(start: int, end: int) -> None:
        with lock:
            started.append(start)

    reports: list[Progress] = []
    ctx = RunContext(threads=threads, report=reports.append, stop_requested=lambda: len(reports) >= 3)
    with pytest.raises(Cancelled, match="blocks"):
        run_in_blocks(work, 1000, 1, ctx, stage="blocks")
    assert len(reports) == 3
    assert len(started) <= 3 + 2 * threads
    assert threading.active_count() == 1 or not any("ThreadPool" in thread.name for thread in threading.enumerate())


def test_epochs_report_what_they_measured_and_stop_between_two() -> None:
    reports: list[Progress] = []
    ctx = RunContext(report=reports.append, stop_requested=lambda: len(reports) >= 3)
    with pytest.raises(Cancelled, match="after 2 of 5 epochs"):
        run_epochs(lambda number: {"loss": 1 / number}, 5, ctx)
    assert reports == [
        Progress("epochs", 0, 5),
        Progress("epochs", 1, 5, {"loss": 1.0}),
        Progress("epochs", 2, 5, {"loss": 0.5}),
    ]


@pytest.mark.parametrize(("key", "inside"), [("ials", ["solve"] * 6), ("bpr", ["cells"] * 2)], ids=["ials", "bpr"])
def test_training_is_cancelled_within_an_epoch(key: str, inside: list[str]) -> None:
    """Cancellation is noticed at each check: two of the epoch, then before each solution of iALS and cell of BPR."""
    train, places = tastes(), []
    for number in range(1, len(inside) + 3):
        checks = iter(range(1, 100))
        ctx = RunContext(stop_requested=lambda checks=checks, number=number: next(checks) == number)
        with pytest.raises(Cancelled) as cancelled:
            make_model(key, {"epochs": 1}).fit(train, ctx)
        places.append(str(cancelled.value))
        assert next(checks) == number + 1
    assert all(f"'{stage}'" in place for stage, place in zip(inside, places[2:], strict=True)), places
