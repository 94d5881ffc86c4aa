"""Re-runs and their differences; which experiments may be compared with each other."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys_core.errors import ConfigError, DataError
from recsys_core.experiments.analysis import compare_run, settings_tried
from recsys_core.experiments.artifacts import ENVIRONMENT, PER_USER, RESULT
from recsys_core.experiments.difference_sentences import sentence, severity
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.joint_comparison import common_metrics, comparability, compare_jointly
from recsys_core.experiments.rerun import ModelDifference, difference, is_repetition, repetition_of, repetitions
from recsys_core.experiments.store import ResultStore
from recsys_core.storage.checksums import FILES, file_sums, read_record, sums_to_json, write_record
from tests.engine.support import Memory, little_data, spec_of

MF = ("biased_mf", {"epochs": 2})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ResultStore:
    return ResultStore(tmp_path_factory.mktemp("store"))


def trained(store: ResultStore, *models: Any, name: str | None = None, **fields: Any) -> Run:
    run = store.create(spec_of(*models, **fields), "little", name=name)
    return finish(store, run)


def finish(store: ResultStore, run: Run) -> Run:
    for model_id in run.model_ids:
        if run.status(model_id).state is JobState.QUEUED:
            execute(store, run.id, model_id, Memory(little_data()), 1)
    assert set(run.finished()) == set(run.model_ids)
    return run


def repeated(store: ResultStore, run: Run) -> Run:
    return finish(store, store.create(repetition_of(store, run.spec), "little"))


def changed(run: Run, model: str, name: str, add: float) -> None:
    """Change a metric of one user, with right checksums, as another machine might have found it."""
    folder = run.job(next(one for one in run.model_ids if one.startswith(model))).path
    frame = pd.read_parquet(folder / PER_USER)
    place = frame[name].first_valid_index()
    frame.loc[place, name] += add
    frame.to_parquet(folder / PER_USER, index=False)
    record = read_record(folder / RESULT)
    names = list(record[FILES])
    write_record(folder / RESULT, record | {FILES: sums_to_json(file_sums(folder, names))})


def test_the_field_of_a_repetition_keeps_ids_of_stored_experiments() -> None:
    assert "repetition" in spec_of("ease").model_dump()
    assert spec_of("ease").id == spec_of("ease", repetition=0).id != spec_of("ease", repetition=1).id
    assert is_repetition(spec_of("ease"), spec_of("ease", repetition=3))
    assert not is_repetition(spec_of("ease"), spec_of("ease", seed=43))


def test_a_rerun_on_the_same_machine_differs_by_0(store: ResultStore) -> None:
    run = trained(store, "ease", MF, seeds=2)
    again = repeated(store, run)
    found = difference(run, again)
    assert found.identical
    assert all(model.largest == 0.0 for model in found.models)
    assert all(model.lists > 0 for model in found.models)
    assert found.environment.empty
    assert repetitions(store, run) == [again.id]
    assert repetitions(store, again) == [run.id]
    assert settings_tried(run)["ease"] == 1, "a repetition is not another try"


def test_a_deterministic_model_that_differs_is_outside_its_band_of_0(store: ResultStore) -> None:
    run = trained(store, "ease", seed=1)
    again = repeated(store, run)
    changed(again, "ease", "ndcg@10", 1e-12)
    found = difference(run, again)
    ease = next(model for model in found.models if model.model_id.startswith("ease"))
    assert not found.identical
    assert ease.within_band is False
    row = ease.metrics.set_index("metric").loc["ndcg@10"]
    assert (row["band"], row["users"]) == (0.0, 1)
    assert row["difference"] == pytest.approx(1e-12 / 40, rel=0.2)
    assert ease.users["metric"].tolist() == ["ndcg@10"]
    assert [model.identical for model in found.models if model is not ease] == [True, True]


@pytest.mark.slow
def test_the_band_of_a_model_that_depends_on_the_seed_comes_from_its_trainings(store: ResultStore) -> None:
    run = trained(store, MF, seeds=3, seed=2)
    again = repeated(store, run)
    changed(again, "biased_mf", "ndcg@10", 1e-6)
    model = next(one for one in difference(run, again).models if one.model_id.startswith("biased_mf"))
    frame = run.per_user_of(model.model_id)
    means = frame.groupby("training")["ndcg@10"].mean()
    expected = 4.302652729911275 * means.std(ddof=1) * np.sqrt(2 / 3)  # Student's t, 2 degrees of freedom
    row = model.metrics.set_index("metric").loc["ndcg@10"]
    assert row["band"] == pytest.approx(expected)
    assert model.trainings == 3
    assert model.within_band is True
    changed(again, "biased_mf", "ndcg@10", 100.0)
    outside = next(one for one in difference(run, again).models if one.model_id == model.model_id)
    assert outside.within_band is False


def test_with_one_training_the_band_is_unknown(store: ResultStore) -> None:
    run = trained(store, MF, seed=3)
    again = repeated(store, run)
    changed(again, "biased_mf", "ndcg@10", 1e-6)
    model = next(one for one in difference(run, again).models if one.model_id.startswith("biased_mf"))
    assert not model.band_known
    assert model.within_band is None
    assert model.metrics["band"].isna().all()


NO_USERS = pd.DataFrame({"user_id": [], "metric": [], "first": [], "second": [], "difference": []})
ONE_USER = pd.DataFrame({"user_id": ["a"], "metric": "ndcg@5", "first": 0.0, "second": 1.0, "difference": 1.0})


@pytest.mark.parametrize(
    ("ndcg", "coverage", "lists", "deterministic", "judged", "words"),
    [
        (0.0, 0.02, 3, False, "unknown", "Net differs in Catalog coverage@5 by +0.02, for which no band is known"),
        (0.001, 0.02, 3, False, "expected", "NDCG@5 by +0.001, with a band of ±0.01 (95%)"),
        (0.1, 0.2, 3, False, "different", "NDCG@5 by +0.1, with a band of ±0.01 (95%)"),
        (0.0, 0.0, 3, False, "unknown", "are identical, but 3 of 40 lists differ in an item or its rank."),
        (0.0, 0.0, 1, True, "different", "are identical, but 1 of 40 lists differs in an item or its rank."),
        (0.0, 0.02, 3, True, "different", "differs although it is deterministic: Catalog coverage@5 by +0.02"),
    ],
)
def test_a_difference_is_named_with_its_band_if_it_has_one(
    ndcg: float, coverage: float, lists: int, deterministic: bool, judged: str, words: str
) -> None:
    """Only metrics with a value per user have a band from several trainings."""
    metrics = pd.DataFrame({"metric": ["ndcg@5", "coverage@5"], "difference": [ndcg, coverage]})
    metrics["band"] = 0.0 if deterministic else [0.01, np.nan]
    users = ONE_USER if ndcg else NO_USERS
    found = ModelDifference("net-1", deterministic, 3, metrics, users, lists_differ=lists, lists=40, score_difference=0)
    assert severity(found) == judged
    assert words in str(sentence(found, {"net-1": "Net"}, "ndcg@5"))


def test_other_versions_are_listed(store: ResultStore) -> None:
    run = trained(store, "ease", seed=4)
    again = repeated(store, run)
    folder = again.job(again.model_ids[0]).path
    environment = read_record(folder / ENVIRONMENT)
    assert environment["recscope"]
    write_record(folder / ENVIRONMENT, environment | {"recscope": "9.9.9"})
    record = read_record(folder / RESULT)
    write_record(folder / RESULT, record | {FILES: sums_to_json(file_sums(folder, list(record[FILES])))})
    rows = difference(run, again).environment
    assert rows["what"].tolist() == ["recscope"]
    assert rows["second"].tolist() == ["9.9.9"]


def test_different_experiments_have_no_difference(store: ResultStore) -> None:
    with pytest.raises(ConfigError, match="compare them instead"):
        difference(trained(store, "ease", seed=1), trained(store, "ease", seed=4))


def test_models_of_several_experiments_are_compared_paired_by_user(store: ResultStore) -> None:
    """The comparison of two experiments equals that of one experiment with all their models."""
    first = trained(store, "ease", name="First")
    second = trained(store, "item_knn", name="Second")
    whole = trained(store, "ease", "item_knn", name="Whole")
    assert comparability([first, second]).allowed
    found = compare_jointly([first, second])
    plain = found.comparison.table.assign(model=found.comparison.table["model"].str.partition("/")[2])
    columns = ["mean", "low", "high", "users", "letters"]
    expected = compare_run(whole).table.set_index("model")[columns].sort_index()
    pd.testing.assert_frame_equal(plain.set_index("model")[columns].sort_index(), expected)
    assert len(found.comparison.table) == 4, "the baselines of both are listed once"
    assert "2 models have identical results" in str(found.notes[0])


def test_equal_titles_carry_the_name_of_the_experiment(store: ResultStore) -> None:
    first = trained(store, MF, name="One training")
    second = trained(store, MF, seeds=2, name="Two trainings")
    titles = [title for key, title in compare_jointly([first, second]).titles.items() if "/biased_mf-" in key]
    assert len(titles) == 2
    assert sum("· One training" in title for title in titles) == 1
    assert sum("· Two trainings" in title for title in titles) == 1


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"split": {"kind": "leave_last_out"}}, {"split"}),
        ({"split": {"test_fraction": 0.3}}, {"split"}),
        ({"seed": 11}, {"seed"}),
        ({"relevant_from": 4.0}, {"relevant_from"}),
        ({"users": "all"}, {"users"}),
    ],
)
def test_experiments_with_another_protocol_are_refused(
    store: ResultStore, fields: dict[str, Any], what: set[str]
) -> None:
    runs = [trained(store, "ease", name="First"), trained(store, "ease", **fields)]
    found = comparability(runs)
    assert not found.allowed
    assert {one.name for one in found.differences} == what
    assert all(len(set(one.values)) == 2 for one in found.differences)
    with pytest.raises(DataError, match="cannot be compared"):
        compare_jointly(runs)


def test_equal_settings_with_other_test_interactions_are_refused(store: ResultStore, tmp_path: Path) -> None:
    """Another version may draw other test interactions from the same settings."""
    first = trained(store, "ease", name="First")
    other = ResultStore(tmp_path)
    second = trained(other, "item_knn")
    frame = pd.read_parquet(second.path / "hidden.parquet")
    frame.loc[0, "item"] = (frame.loc[0, "item"] + 1) % 30
    frame.to_parquet(second.path / "hidden.parquet", index=False)
    record = read_record(second.path / "split.json")
    sums = sums_to_json(file_sums(second.path, list(record[FILES])))
    write_record(second.path / "split.json", record | {FILES: sums})
    assert [one.name for one in comparability([first, second]).differences] == ["test"]


def test_differences_in_training_are_conditions_of_the_verdict(store: ResultStore) -> None:
    first = trained(store, "ease", name="First")
    second = trained(store, "item_knn", split={"validation_fraction": 0.1})
    found = comparability([first, second])
    assert found.allowed
    assert [(one.name, one.values) for one in found.conditions] == [("validation", ("0%", "10%"))]


def test_other_primary_metrics_make_the_comparison_exploratory(store: ResultStore) -> None:
    runs = [trained(store, "ease", name="First"), trained(store, "item_knn", primary="recall@10")]
    found = compare_jointly(runs)
    assert found.comparison.metrics > 1
    assert "exploratory" in str(found.notes[0])
    assert common_metrics(runs)[:2] == ["ndcg@10", "recall@10"]


def test_the_list_shows_the_interval_of_the_comparison(store: ResultStore) -> None:
    run = trained(store, "ease", MF, seeds=2)
    card = next(card for card in store.runs() if card.id == run.id)
    row = compare_run(run).table.set_index("model").loc[card.best]
    assert card.best_value == pytest.approx(row["mean"])
    assert card.interval == pytest.approx((row["low"], row["high"]))
    assert card.versions
    assert card.models == ("ease", "biased_mf", "popular", "random")
