"""The bar over all models of an experiment: finished share of the work, and time left."""

import time

import pytest

from recsys_core.engine.estimate import Estimate, ModelEstimate, work_left
from recsys_core.experiments.jobs import JobState, JobStatus


def estimate(**seconds: float) -> Estimate:
    models = tuple(ModelEstimate(key, key, value, 0) for key, value in seconds.items())
    return Estimate(sum(seconds.values()), 0, None, None, models)


def job(key: str, state: JobState, **values: object) -> JobStatus:
    return JobStatus(model_id=key, key=key, state=state, queued=0.0, **values)  # type: ignore[arg-type]


def test_models_count_by_their_work_and_the_longest_one_bounds_the_time() -> None:
    jobs = [job("slow", JobState.QUEUED), job("quick", JobState.DONE), job("other", JobState.FAILED)]
    share, left = work_left(estimate(slow=90.0, quick=9.0, other=1.0), jobs, 2)
    assert share == pytest.approx(0.1)
    assert left == 90.0
    both = [job("slow", JobState.QUEUED), job("quick", JobState.QUEUED), job("other", JobState.QUEUED)]
    assert work_left(estimate(slow=50.0, quick=50.0, other=50.0), both, 2) == (0.0, 75.0)


def test_a_running_model_that_is_slower_than_estimated_sets_the_time() -> None:
    now = time.time()
    running = job("slow", JobState.RUNNING, stage="epochs", step=1, total=10, stage_began=now - 20.0)
    share, left = work_left(estimate(slow=10.0), [running], 1)
    assert 0 < share < 1
    assert left == pytest.approx(180.0, rel=0.05)


def test_nothing_is_left_when_all_have_ended() -> None:
    assert work_left(estimate(a=0.0), [job("a", JobState.DONE)], 2) == (1.0, 0.0)
