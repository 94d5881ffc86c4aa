"""Models across data sets: ranks by hand, their intervals, and the critical difference of the literature."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys_core.errors import DataError
from recsys_core.experiments.across import across, critical_difference
from recsys_core.experiments.analysis import compare_run
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.tuned_by import TunedBy
from recsys_core.viz.across import across_sentences, average_ranks, rank_map
from tests.engine.support import Memory, little_data, spec_of


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """The same models on three data sets; the last experiment has one model more."""
    store, found = ResultStore(tmp_path), []
    for number, users in enumerate((30, 40, 50)):
        data = little_data(users=users, fingerprint=f"{number}" * 16)
        models = ["ease", "item_knn", *(["bias"] if number == 2 else [])]
        run = store.create(spec_of(*models, data=data.fingerprint), f"data {number}")
        for model_id in run.model_ids:
            execute(store, run.id, model_id, Memory(data), 1)
        found.append(run)
    return found


def test_ranks_are_those_of_the_means_and_lie_in_their_intervals(runs: list[Run]) -> None:
    found = across(runs, "ndcg@10")
    assert found.left_out == ("User and item biases",)
    assert len(found.ranks) == 3 * 4
    for _, rows in found.ranks.groupby("data"):
        assert rows["rank"].tolist() == pytest.approx((-rows["mean"]).rank().tolist())
        assert ((rows["low"] <= rows["rank"]) & (rows["rank"] <= rows["high"])).all()
    averages = found.ranks.groupby("title")["rank"].mean()
    assert found.average.set_index("title")["rank"].to_dict() == pytest.approx(averages.to_dict())
    assert found.average["rank"].is_monotonic_increasing
    for run in runs[:1]:
        raw: Any = run.per_user()
        ease = next(model for model in raw if model.startswith("ease"))
        mine = found.ranks[(found.ranks["data"] == "data 0") & (found.ranks["model"] == ease)]["mean"].item()
        assert mine == pytest.approx(raw[ease]["ndcg@10"].mean())


def test_rating_errors_are_ranked_over_all_ratings_as_on_the_leaderboard(tmp_path: Path) -> None:
    """The mean of users' RMSE is another number, and could give another order."""
    store, found = ResultStore(tmp_path), []
    for number in range(2):
        data = little_data(users=30 + number, fingerprint=f"{number}" * 16)
        run = store.create(spec_of("bias", "item_knn", data=data.fingerprint, primary="rmse"), f"data {number}")
        for model_id in run.model_ids:
            execute(store, run.id, model_id, Memory(data), 1)
        found.append(run)
    ranks = across(found, "rmse").ranks
    for run in found:
        expected = compare_run(run, "rmse").table.set_index("model")["mean"]
        mine = ranks[ranks["data"] == run.data_name].set_index("model")["mean"]
        assert mine.to_dict() == pytest.approx(expected.to_dict())


@pytest.mark.parametrize(("models", "q"), [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)])
def test_the_critical_difference_is_that_of_demsar(models: int, q: float) -> None:
    """q of table 5a, alpha 0.05."""
    expected = q * np.sqrt(models * (models + 1) / (6 * 14))
    assert critical_difference(models, 14) == pytest.approx(expected, rel=2e-3)
    assert np.isnan(critical_difference(models, 2))


def test_groups_hold_models_closer_than_the_critical_difference(runs: list[Run]) -> None:
    found = across(runs, "ndcg@10")
    ranks = found.average.set_index("title")["rank"]
    for group in found.groups:
        assert max(ranks[list(group)]) - min(ranks[list(group)]) < found.critical_difference
    assert set().union(*found.groups) == set(ranks.index)
    text = " ".join(str(sentence) for sentence in across_sentences(found))
    assert f"{found.average['title'].iloc[0]} has the best average rank" in text
    assert "Not in all experiments, and therefore not ranked: User and item biases." in text
    assert len(rank_map(found).data[0].z) == 4
    assert len(average_ranks(found).data) == len(found.groups) + 1


def test_with_unequal_tuning_budgets_no_model_has_the_best_rank(runs: list[Run]) -> None:
    ease = next(model for model in runs[1].model_ids if model.startswith("ease"))
    record = TunedBy.model_validate({"tuning": "1" * 16, "budget": {"trials": 20}, "metric": "ndcg@10"})
    runs[1].spec = runs[1].spec.model_copy(update={"tuned": {ease: record}})
    text = str(across_sentences(across(runs, "ndcg@10"))[0])
    assert "first" in text
    assert "with unequal tuning" in text
    assert "best" not in text


def test_what_cannot_be_ranked_is_refused_in_words(runs: list[Run]) -> None:
    with pytest.raises(DataError, match="at least two data sets"):
        across(runs[:1], "ndcg@10")
    with pytest.raises(DataError, match="at least two data sets"):
        across([runs[0], runs[0]], "ndcg@10")
    with pytest.raises(DataError, match="fewer than two models with RMSE in common"):
        across(runs, "rmse")


def test_resampled_ranks_depend_on_the_seed_alone(runs: list[Run]) -> None:
    pd.testing.assert_frame_equal(across(runs, "recall@10").ranks, across(runs, "recall@10").ranks)
