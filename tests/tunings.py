"""A small tuning and its parts, for the tests of library, engine and pages."""

from pathlib import Path
from typing import Any

from recsys_core.data import Dataset
from recsys_core.experiments.jobs import JobStatus
from recsys_core.experiments.tuning.execution import Bench
from recsys_core.experiments.tuning.space import search_space
from recsys_core.experiments.tuning.spec import TuningSpec
from recsys_core.experiments.tuning.store import Tuning, TuningStore
from recsys_core.experiments.tuning.studies import ModelStudy, close_storage, open_storage, study_name
from recsys_core.models.registry import model_class

FAST = ("ease", "bias")
"""Tunable models that train in milliseconds."""


def tuning_spec(data: Dataset | str, *models: str, **budget: float) -> TuningSpec:
    """Return a tuning of some models on a random split; the budget is one of `trials` and `seconds`."""
    fingerprint = data if isinstance(data, str) else data.fingerprint
    fields: dict[str, Any] = {
        "data": fingerprint,
        "split": {"kind": "ratio", "validation_fraction": 0.2},
        "relevant_from": 4.0,
        "k": 5,
        "cutoffs": (5,),
    }
    return TuningSpec.of(fields, models or FAST, budget)


def created(root: Path, spec: TuningSpec, name: str = "Two tastes, tuned") -> Tuning:
    return TuningStore(root).create(spec, "Two tastes", name)


def run_to_the_end(bench: Bench, order: int = 1) -> list[JobStatus]:
    """Run the trials of all models in turn, in the order of the spec or in the reverse one."""
    try:
        while live := [status.model_id for status in bench.tuning.statuses() if status.is_live][::order]:
            for key in live:
                bench.run_next(key)
    finally:
        bench.close()
    return bench.tuning.statuses()


class Study:
    """An open study of a model in a folder."""

    def __init__(self, folder: Path, tuning: Tuning, key: str) -> None:
        space = search_space(model_class(key).config_type)
        name = study_name(folder, tuning.spec, key, tuning.created)
        self.study = ModelStudy(open_storage(folder), tuning.spec, key, space, name)

    def __enter__(self) -> ModelStudy:
        return self.study

    def __exit__(self, *_: object) -> None:
        close_storage(self.study.storage)
