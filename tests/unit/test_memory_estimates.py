"""Memory estimates refuse what does not fit and offer what does."""

from dataclasses import replace
from pathlib import Path

from recsys_core.engine.estimate import DataSize, estimate
from recsys_core.engine.settings import EngineSettings
from recsys_core.experiments.spec import ExperimentSpec

LARGE = DataSize(users=200_000, items=100_000, interactions=10_000_000)
"""100,000 items on a machine with 24 GiB, of which a job may use 19."""


def settings() -> EngineSettings:
    return replace(EngineSettings.from_environment({}), job_memory=19 * 2**30, memory_is_known=True)


def test_ease_of_100_000_items_is_refused_and_the_offered_setting_fits() -> None:
    spec = ExperimentSpec.model_validate({"data": "x", "models": [{"key": "ease"}]})
    ease = estimate(spec, LARGE, settings(), Path("none")).models[0]
    assert ease.refused is not None
    assert "112.9 GiB" in ease.refused
    assert ease.alternative is not None
    offered = int(ease.alternative.split("set Max items to ")[1].split(" ")[0].rstrip(",").replace(",", ""))
    assert 35_000 < offered < 45_000
    smaller = {"data": "x", "models": [{"key": "ease", "config": {"max_items": offered}}]}
    assert estimate(ExperimentSpec.model_validate(smaller), LARGE, settings(), Path("none")).models[0].refused is None


def test_neighbors_of_100_000_items_fit() -> None:
    spec = ExperimentSpec.model_validate({"data": "x", "models": [{"key": "item_knn"}, {"key": "user_knn"}]})
    found = estimate(spec, LARGE, settings(), Path("none"))
    assert found.refused is None
    assert max(one.bytes for one in found.models) < 3 * 2**30
