"""Candidates of a stored model: those of its evaluation, kept beside the run, ranked again if damaged or outdated."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from recsys_core.contracts import PAD, Progress, RunContext
from recsys_core.data import Dataset
from recsys_core.data.splits import make_splits
from recsys_core.data.workspace import Workspace
from recsys_core.errors import DataError, StoreError
from recsys_core.evaluation.metrics import hit_table, ndcg
from recsys_core.experiments import candidates
from recsys_core.experiments.analysis import users_of
from recsys_core.experiments.candidates import candidates_of, depth_of, make_pool
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.priced_part import priced_part
from recsys_core.experiments.stored_lists import rows_of
from recsys_core.serving.requests import Priority, Trained, question
from tests.engine.support import spec_of
from tests.pages.finished import Finished, finished, finished_template
from tests.records import flip_bit, rewrite

__all__ = ["finished", "finished_template"]
DEEP = 12


@pytest.fixture
def run(finished: Finished) -> Run:
    return finished.opened()


@pytest.fixture
def data(finished: Finished) -> Dataset:
    return Workspace(finished.root).open(finished.data)


def ease(run: Run) -> str:
    return next(one for one in run.model_ids if one.startswith("ease"))


def stages(run: Run, data: Dataset, pool: int) -> list[str]:
    """The stages of finding the candidates."""
    seen: list[Progress] = []
    candidates_of(run, ease(run), pool, data, ctx=RunContext(report=seen.append))
    return [one.stage for one in seen]


def test_deeper_candidates_begin_with_the_stored_lists_and_give_the_stored_metrics(run: Run, data: Dataset) -> None:
    deep, stored = (candidates_of(run, ease(run), pool, data) for pool in (DEEP, 5))
    assert deep.lists.item.shape == (len(deep.users), DEEP)
    assert_array_equal(deep.lists.item[:, :5], stored.lists.item)
    assert_array_equal(deep.lists.score[:, :5], stored.lists.score)
    rows = rows_of(run, ease(run), users_of(run)).set_index("user")
    assert sorted(rows.index) == deep.users.tolist()
    found = ndcg(hit_table(deep.lists, deep.relevant), 5)
    assert_array_equal(found, rows.loc[deep.users, "ndcg@5"])


def test_nothing_that_a_user_has_seen_is_a_candidate_and_facts_are_of_the_training_data(
    run: Run, data: Dataset
) -> None:
    found = candidates_of(run, ease(run), DEEP, data)
    split = make_splits(data, run.spec.split, run.spec.seed)[0]
    assert found.facts.data.n_interactions == split.train.n_interactions < data.n_interactions
    for row, own in enumerate(found.history):
        assert not set(own) & set(found.lists.item[row])
        assert len(set(found.lists.item[row]) - {PAD}) == DEEP


def test_candidates_are_ranked_once_and_kept(run: Run, data: Dataset) -> None:
    assert depth_of(run, ease(run)) == 5
    assert stages(run, data, 5) == []
    assert make_pool(run, ease(run), DEEP, data) == depth_of(run, ease(run)) == DEEP
    assert stages(run, data, DEEP) == []
    assert set(stages(run, data, DEEP + 1)) == {"rank all items"}
    assert depth_of(run, ease(run)) == DEEP + 1


def test_damaged_candidates_are_ranked_again_and_the_model_stays_usable(run: Run, data: Dataset) -> None:
    before = candidates_of(run, ease(run), DEEP, data).lists
    flip_bit(run.path / candidates.FOLDER / f"{ease(run)}.safetensors", 0.9)
    assert set(stages(run, data, DEEP)) == {"rank all items"}
    assert_array_equal(candidates_of(run, ease(run), DEEP, data).lists.item, before.item)
    (run.path / candidates.FOLDER / f"{ease(run)}.json").write_text("{")
    assert depth_of(run, ease(run)) == 5
    assert run.model(ease(run)).is_fitted


def test_candidates_of_a_model_that_was_trained_again_do_not_count(run: Run, data: Dataset) -> None:
    make_pool(run, ease(run), DEEP, data)
    rewrite(run.path / candidates.FOLDER / f"{ease(run)}.json", lambda values: values | {"model": "another"})
    assert depth_of(run, ease(run)) == 5
    assert set(stages(run, data, DEEP)) == {"rank all items"}


def test_other_data_are_refused(run: Run, data: Dataset) -> None:
    with pytest.raises(DataError, match="split by an earlier version"):
        candidates_of(run, ease(run), DEEP, data.subset(np.arange(data.n_interactions - 40)))


def test_a_run_without_models_has_its_stored_lists_only(run: Run, data: Dataset) -> None:
    from recsys_core.experiments.artifacts import MODEL, RESULT

    job = run.job(ease(run)).path
    rewrite(job / RESULT, lambda values: values | {"files": {k: v for k, v in values["files"].items() if k != MODEL}})
    (job / MODEL).unlink()
    assert len(candidates_of(run, ease(run), 5, data).users)
    with pytest.raises(StoreError, match="Run cards contain results"):
        candidates_of(run, ease(run), DEEP, data)


def test_the_model_process_keeps_candidates_for_models_that_pages_cannot_load(run: Run, finished: Finished) -> None:
    trained = Trained(finished.root, run.id, ease(run))
    assert question("candidates").answer(trained, RunContext(), pool=DEEP) == DEEP
    assert depth_of(run, ease(run)) == DEEP
    assert question("candidates").priority is Priority.BATCH


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, []),
        ({"split": {"kind": "global_time", "windows": 3}}, ["the first of 3 time windows"]),
        ({"split": {"kind": "k_fold", "folds": 4}, "seeds": 2}, ["the first of 4 folds", "trained 2 times"]),
    ],
)
def test_the_part_of_the_experiment_that_strategies_are_priced_on_is_named(
    fields: dict[str, Any], words: list[str]
) -> None:
    found = priced_part(spec_of("ease", **fields))
    assert len(found) == len(words)
    assert all(word in str(one) for word, one in zip(words, found, strict=True))
