"""The metric microscope: a number of a finished experiment with its users, its definition, and other libraries."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_core.contracts import PAD, Ragged, TopK
from recsys_core.data.workspace import Workspace
from recsys_core.evaluation.conventions import LIBRARIES
from recsys_core.evaluation.edge_cases import EDGE_CASES, LABELS
from recsys_core.evaluation.metrics import ACCURACY, METRICS, hit_table
from recsys_core.evaluation.overlap import list_overlap
from recsys_core.experiments.analysis import users_of
from recsys_core.experiments.audience import Audience
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.leaderboard import Contender, contenders
from recsys_core.experiments.microscope import OURS, SHOWN, microscope
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.stored_lists import overlaps
from recsys_core.viz import microscope as views
from tests.pages.finished import Finished, finished_template, small_spec, two_tastes
from tests.said.runs import Case, late_users, run_of, taste

__all__ = ["finished_template"]
COMPARED = ("precision", "recall", "hit_rate", "mrr", "map", "ndcg")


@pytest.fixture(scope="module")
def run(finished_template: Finished) -> Run:
    return finished_template.opened()


@pytest.fixture(scope="module")
def users(run: Run) -> Audience:
    return users_of(run)


def model_of(run: Run, users: Audience, key: str) -> Contender:
    return next(model for model in contenders(run, users) if model.key == key)


@pytest.mark.parametrize("key", COMPARED)
@pytest.mark.parametrize("k", [1, 5])
def test_our_row_is_the_number_on_the_leaderboard(run: Run, users: Audience, key: str, k: int) -> None:
    seen = microscope(run, model_of(run, users, "ease"), f"{key}@{k}", users)
    assert seen.value is not None
    assert seen.value == pytest.approx(seen.users["value"].mean())
    table = seen.conventions
    assert set(table["library"]) == {OURS, *LIBRARIES.values()}
    assert table["mean"].iloc[0] == pytest.approx(seen.value)
    assert table["users"].iloc[0] == len(seen.users)
    known = table[table["users"] > 0]
    assert np.allclose(known["difference"], known["mean"] - seen.value)


def test_a_number_of_folds_is_the_mean_over_users_of_their_means_over_folds(tmp_path: Path) -> None:
    workspace, store = Workspace(tmp_path), ResultStore(tmp_path)
    data = workspace.store(two_tastes()).fingerprint
    models, split = [{"key": "item_knn"}, {"key": "biased_mf", "config": {"epochs": 1}}], {"kind": "k_fold", "folds": 3}
    values = small_spec(data).model_dump() | {"models": models, "split": split, "seeds": 2}
    run = store.create(ExperimentSpec.model_validate(values), "Folds")
    for model_id in run.model_ids:
        assert execute(store, run.id, model_id, workspace, 1).state is JobState.DONE
    users = users_of(run)
    seen = microscope(run, model_of(run, users, "item_knn"), "ndcg@5", users)
    assert seen.conventions["mean"].iloc[0] == pytest.approx(seen.value)
    assert seen.trainings == 1
    twice = microscope(run, model_of(run, users, "biased_mf"), "ndcg@5", users)
    assert twice.trainings == 2
    assert "the lists are those of the first training" in str(views.sentences(twice, metric="", model="")[-1])


@pytest.mark.parametrize(("metric", "sign"), [("ndcg@5", 1), ("rmse", -1), ("novelty@5", 1)])
def test_the_ends_are_the_best_and_the_worst_users(run: Run, users: Audience, metric: str, sign: int) -> None:
    seen = microscope(run, model_of(run, users, "biased_mf"), metric, users)
    values = np.sort(sign * seen.users["value"].to_numpy())
    assert (sign * seen.best()["value"]).tolist() == values[::-1][:SHOWN].tolist()
    assert (sign * seen.worst()["value"]).tolist() == values[:SHOWN].tolist()
    for end in (seen.best(), seen.worst()):
        equal = end[end["value"] == end["value"].iloc[0]]
        assert equal["n_relevant"].is_monotonic_decreasing
        assert (end["n_listed"] <= 5).all() or metric == "rmse"


def test_what_is_not_compared_has_no_table_and_a_model_metric_no_users(run: Run, users: Audience) -> None:
    model = model_of(run, users, "ease")
    for metric in ("f1@5", "novelty@5", "auc", "ndcg@5:tail"):
        assert microscope(run, model, metric, users).conventions.empty
    seen = microscope(run, model, "coverage@5", users)
    assert seen.users.empty
    assert seen.value == model.result.overall["coverage@5"]
    assert "one value per model" in str(views.sentences(seen, metric="Coverage", model="EASE")[0])


def test_results_of_earlier_versions_have_values_but_no_table(
    run: Run, users: Audience, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Run.per_user_of
    monkeypatch.setattr(Run, "per_user_of", lambda run, model: read(run, model).drop(columns="n_relevant"))
    seen = microscope(run, model_of(run, users, "ease"), "ndcg@5", users)
    assert seen.conventions.empty
    assert len(seen.users)


def test_the_sentences_state_the_mean_the_zeros_and_who_is_not_counted(run: Run, users: Audience) -> None:
    seen = microscope(run, model_of(run, users, "random"), "ndcg@5", users)
    said = " ".join(map(str, views.sentences(seen, metric="NDCG@5", model="Random")))
    assert f"NDCG@5 of Random is {seen.value:.3f}, the mean over {len(seen.users)} users" in said
    assert f"{int((seen.users['value'] == 0).sum())} (" in said
    assert ("not counted" in said) == (seen.undefined > 0)
    rated = microscope(run, model_of(run, users, "biased_mf"), "rmse", users)
    assert "all test ratings" in str(views.sentences(rated, metric="RMSE", model="MF")[0])


def test_fewer_users_on_the_leaderboard_are_stated(run: Run, users: Audience) -> None:
    """Models are compared over common users, the microscope shows all users of one model."""
    seen = microscope(run, model_of(run, users, "ease"), "ndcg@5", users)
    plain = views.sentences(seen, metric="NDCG@5", model="EASE")
    assert views.sentences(seen, metric="NDCG@5", model="EASE", compared=(0.5, len(seen.users))) == plain
    said = views.sentences(seen, metric="NDCG@5", model="EASE", compared=(0.25, 7))
    assert str(said[1]) == "The leaderboard shows 0.250, for the 7 users for whom every model has a value."


def test_our_row_leaves_out_the_windows_in_which_a_user_is_new(tmp_path: Path) -> None:
    """A user without history in the first window and with one in the second counts with the second."""
    frame = late_users(taste(60, each=(8, 12), seed=5), 45)
    never_known = frame["timestamp"].where(frame["user"] < 55, frame["timestamp"].max())
    case = Case(
        "windows with new users",
        frame.assign(timestamp=never_known),
        ("ease",),
        {"split": {"kind": "global_time", "windows": 3, "test_fraction": 0.5}},
    )
    run = run_of(case, ResultStore(tmp_path))
    users = users_of(run)
    rows = run.per_user_of(next(iter(users.judged)))
    covered = rows[users.covers(rows)]
    assert len(covered) < rows["user"].isin(covered["user"]).sum(), "no user is new in one window only"
    for model in contenders(run, users):
        seen = microscope(run, model, "ndcg@10", users)
        assert seen.value == pytest.approx(seen.conventions["mean"].iloc[0])


def test_the_histogram_counts_every_user_once(run: Run, users: Audience) -> None:
    for metric in ("ndcg@5", "novelty@5"):
        seen = microscope(run, model_of(run, users, "ease"), metric, users)
        bins = views.histogram(seen)
        assert bins["users"].sum() == len(seen.users)
        figure = views.value_histogram(bins, metric=metric, value=seen.value or 0.0)
        assert list(figure.data[0].y) == bins["users"].tolist()
    assert bins["low"].iloc[0] == seen.users["value"].min()


def test_overlap_is_the_share_of_common_items(run: Run, users: Audience) -> None:
    models = list(users.judged)
    table = overlaps(run, models, users, 5)
    assert np.allclose(np.diag(table), 1.0)
    lists = {model: run.lists(model).query("rank <= 5").groupby("user")["item"].agg(set) for model in models[:2]}
    first, second = (lists[model] for model in models[:2])
    shares = [len(first[user] & second[user]) / len(first[user]) for user in first.index]
    assert table.loc[models[0], models[1]] == pytest.approx(np.mean(shares))
    apart = table.to_numpy()[~np.eye(len(table), dtype=bool)]
    said = str(views.overlap(table, k=5))
    assert f"{apart.max():.0%}" in said
    assert f"{apart.min():.0%}" in said or "least" in said


def test_lists_that_all_overlap_alike_have_no_first_and_last_pair() -> None:
    table = pd.DataFrame(np.ones((3, 3)), index=list("ABC"), columns=list("ABC"))
    assert str(views.overlap(table, k=5)) == "Of the items in a list of 5, any two models share the same part: 100%."


def test_overlap_of_short_and_empty_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    first = np.array([[0, 1, 2], [3, PAD, PAD], [PAD, PAD, PAD], [1, 2, 3]])
    second = np.array([[0, 9, 2], [PAD, PAD, PAD], [1, 2, 3], [4, 5, 1]])
    expected = [2 / 3, 0.0, math.nan, 1 / 3]
    assert np.array_equal(list_overlap(first, second, 3), expected, equal_nan=True)
    assert np.array_equal(list_overlap(first, second, 2), [0.5, 0.0, math.nan, 0.0], equal_nan=True)
    monkeypatch.setattr("recsys_core.evaluation.overlap.BLOCK", 9)
    assert np.array_equal(list_overlap(first, second, 3), expected, equal_nan=True)


def test_every_metric_names_its_edge_cases() -> None:
    assert EDGE_CASES.keys() == METRICS.keys()
    for key, info in METRICS.items():
        cases = EDGE_CASES[key]
        assert cases.denominator
        assert cases.empty_list
        assert cases.no_relevant
        assert bool(cases.logarithm) == ("log" in info.formula or "ln" in info.formula), key
        assert all(text.endswith(".") for _, text in cases.rows())
        assert {label for label, _ in cases.rows()} <= set(LABELS.values())


@pytest.mark.parametrize("key", list(ACCURACY))
def test_accuracy_does_at_its_edges_what_is_said(key: str) -> None:
    item = np.array([[PAD, PAD, PAD], [0, 1, 2], [0, PAD, PAD], [0, 8, 9]])
    table = hit_table(TopK(item, np.zeros(item.shape)), Ragged.from_rows([[0], [], [0, 5], [0, 5]]))
    empty, irrelevant, short, padded = ACCURACY[key](table, 3)
    cases = EDGE_CASES[key]
    assert (empty == 0) == cases.empty_list.startswith("0")
    assert math.isnan(irrelevant) == cases.no_relevant.startswith("Undefined")
    assert (short == padded) == ("misses" in cases.short_list)
