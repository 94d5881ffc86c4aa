"""Results of a finished run: tables, users, explanations, report and archive, against its files and manual results."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_core.data.splits import make_splits
from recsys_core.data.workspace import Workspace
from recsys_core.errors import CannotScore, DataError, StoreError
from recsys_core.evaluation.comparison import compare
from recsys_core.evaluation.evaluate import relevant_items
from recsys_core.experiments import leaderboard
from recsys_core.experiments.analysis import findings, users_of
from recsys_core.experiments.audience import one_row_a_user
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.held_out_users import evaluated_users, held_out_user, history_of, is_known
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.serving.recommendations import labeled_lists, query_of, query_of_items, reason, top_list
from recsys_core.viz import compare_sentences
from recsys_core.viz.report import report_content, run_archive, slice_table, write_report
from tests.pages.finished import EVIL, Finished, finished, finished_template, spoil
from tests.records import list_again

__all__ = ["finished", "finished_template"]


@pytest.fixture
def run(finished: Finished) -> Run:
    return finished.opened()


def model(run: Run, key: str) -> str:
    return next(one for one in run.model_ids if one.startswith(key))


def test_two_models_of_one_algorithm_are_told_apart_by_what_differs() -> None:
    models = [ModelSpec(key="ease", config={"regularization": value}) for value in (50.0, 500.0)]
    titles = leaderboard.model_titles([*models, ModelSpec(key="popular")])
    assert list(titles.values()) == ["EASE (regularization 50)", "EASE (regularization 500)", "Popularity"]
    limited = [ModelSpec(key="ease", config={"max_items": value}) for value in (None, 50)]
    assert list(leaderboard.model_titles(limited).values()) == ["EASE (max items none)", "EASE (max items 50)"]
    scored = [ModelSpec(key="mlp", config={"score": value}) for value in ("dot", "mlp")]
    assert list(leaderboard.model_titles(scored).values()) == [
        "NeuMF (MLP; scoring function dot)",
        "NeuMF (MLP; scoring function MLP)",
    ]
    small = [ModelSpec(key="sasrec", config={"epochs": value}) for value in (1, 2)]
    assert list(leaderboard.model_titles(small).values()) == ["SASRec (maximum epochs 1)", "SASRec (maximum epochs 2)"]


def test_the_leaderboard_holds_the_numbers_of_the_comparison_and_of_the_jobs(run: Run) -> None:
    per_user = {name: one_row_a_user(frame) for name, frame in run.per_user().items()}
    comparison = compare(per_user, metric="ndcg@5")
    table = leaderboard.leaderboard(leaderboard.contenders(run), comparison).set_index("model")
    for name, result in run.results().items():
        assert table.loc[name, "mean"] == pytest.approx(result.metrics["ndcg@5"])
        assert table.loc[name, "recall@1"] == pytest.approx(result.metrics["recall@1"])
        assert table.loc[name, "fit_seconds"] == result.fit_seconds
    assert list(table["mean"]) == sorted(table["mean"], reverse=True)


def test_people_are_the_test_users_with_what_was_hidden_of_them(run: Run, finished: Finished) -> None:
    dataset = Workspace(finished.root).open(finished.data)
    split = make_splits(dataset, run.spec.split, run.spec.seed)[0]
    table = evaluated_users(run).set_index("user")
    queries = split.queries(split.test_users())
    assert list(table.index) == list(split.test_users())
    assert list(table["n_history"]) == list(queries.history.lengths)
    relevant, _ = relevant_items(split.test, split.test_users(), queries.history, 4.0)
    one = held_out_user(run, dataset, [model(run, "ease"), model(run, "popular")], "person-7", k=5)
    row = list(split.test_users()).index(7)
    assert sorted(one.held_out.loc[one.held_out["liked"], "item"]) == sorted(relevant[row])
    assert sorted(one.history["item"]) == sorted(queries.history[row])
    ease, popular = one.lists.values()
    assert list(ease["hit"]) == [item in relevant[row] for item in ease["item"]]
    shared = set(ease["item"]) & set(popular["item"])
    assert list(ease["listed_by"]) == [2 if item in shared else 1 for item in ease["item"]]
    both = [*ease["item"], *popular["item"]]
    assert list(one.held_out["listed_by"]) == [both.count(item) for item in one.held_out["item"]]
    assert one.held_out["listed_by"].max() > 0
    assert is_known(run, 7)


def test_a_user_without_test_case_is_a_sentence(run: Run, finished: Finished) -> None:
    dataset = Workspace(finished.root).open(finished.data)
    table = pd.read_parquet(run.path / "hidden.parquet")
    table[table["user"] != 7].to_parquet(run.path / "hidden.parquet", index=False)
    list_again(run.path / "split.json")
    with pytest.raises(DataError, match="'person-7' has no test case"):
        held_out_user(run, dataset, [model(run, "ease")], "person-7", k=5)


def test_a_history_asked_for_alone_is_the_one_that_the_data_set_gives(finished: Finished) -> None:
    dataset = Workspace(finished.root).open(finished.data)
    expected = dataset.queries(np.array([5]))
    query = query_of(5, history_of(dataset, 5), known=True)
    assert list(query.history.values) == list(expected.history.values)
    assert list(query.values) == list(expected.values)
    assert query.timestamps is not None
    assert list(query.timestamps) == list(expected.timestamps)


def test_parts_of_a_score_sum_to_it_and_an_unable_model_says_so(run: Run, finished: Finished) -> None:
    dataset = Workspace(finished.root).open(finished.data)
    query = query_of(5, history_of(dataset, 5), known=True)
    models = {name: run.model(name) for name in run.model_ids}
    lists = labeled_lists({name: top_list(one, query, 5) for name, one in models.items()}, dataset)
    for name in (model(run, "ease"), model(run, "item_knn")):
        first = lists[name].iloc[0]
        why = reason(models[name], dataset, query, int(first["item"]))
        assert why.parts["weight"].sum() == pytest.approx(first["score"], rel=1e-4)
        assert len(why.parts) <= 10
    with pytest.raises(CannotScore, match="Popularity"):
        reason(models[model(run, "popular")], dataset, query, 0)


def test_a_custom_history_gets_the_list_of_a_user_with_that_history(run: Run, finished: Finished) -> None:
    dataset = Workspace(finished.root).open(finished.data)
    known = query_of(5, history_of(dataset, 5), known=True)
    made_up = query_of_items(known.history.values, pd.Series(known.values))
    ease = run.model(model(run, "ease"))
    first, second = (top_list(ease, query, 5) for query in (known, made_up))
    assert list(first["item"]) == list(second["item"])


def test_the_protocol_of_a_run_names_its_leaks_and_what_failed(run: Run, finished: Finished) -> None:
    spoil(finished, "item_knn", JobState.FAILED, "It was killed.")
    found = {one.rule: one for one in findings(run, users_of(run), metric="ndcg@5", comparison=None)}
    assert "Item kNN has no result" in found["without_result"].message
    report = run.split_report()
    assert report is not None
    assert found["later_training"].count == report["folds"][0]["leaks"]["tests_with_later_training"]


def test_an_algorithm_tried_again_and_again_on_one_test_part_is_refused(run: Run, finished: Finished) -> None:
    """EASE with four more settings, in separate experiments on the same split: five in all."""
    assert "tuned_on_test" not in {one.rule for one in findings(run, users_of(run))}
    store, workspace = ResultStore(finished.root), Workspace(finished.root)
    models = [{"key": "ease", "config": {"regularization": value}} for value in (1.0, 2.0, 3.0, 4.0)]
    spec = ExperimentSpec.model_validate(run.spec.model_dump(mode="json") | {"models": models})
    others = store.create(spec, "Two tastes")
    for model_id in others.model_ids:
        execute(store, others.id, model_id, workspace, 1)
    found = {one.rule: one for one in findings(run, users_of(run))}
    assert found["tuned_on_test"].severity == "refusal"
    assert found["tuned_on_test"].message.startswith("EASE was tuned on this same test set")


def test_the_report_of_a_run_says_what_the_comparison_says(run: Run, tmp_path: Path) -> None:
    path = write_report(run, tmp_path / "report.html")
    html = path.read_text(encoding="utf-8")
    content = report_content(run)
    assert content.verdict[0].replace("'", "&#x27;") in html
    assert [figure.heading for figure in content.figures][-1] == "Differences by user and item group"
    assert len(content.leaderboard) == 5
    assert EVIL not in html
    with pytest.raises(StoreError, match=r"report\.html"):
        write_report(run, tmp_path / "absent" / "report.html")


def test_the_archive_holds_every_number_as_csv(run: Run) -> None:
    per_user = {name: one_row_a_user(frame) for name, frame in run.per_user().items()}
    with zipfile.ZipFile(io.BytesIO(run_archive(run, compare(per_user, metric="ndcg@5")))) as archive:
        tables = {name: pd.read_csv(archive.open(name)) for name in archive.namelist() if name.endswith(".csv")}
        assert json.loads(archive.read("spec.json"))["seed"] == 42
    assert set(tables) == {
        "leaderboard.csv", "pairs.csv", "per_user.csv", "settings.csv", "protocol.csv", "without_history.csv",
    }  # fmt: skip
    assert len(tables["leaderboard.csv"]) == 5
    assert len(tables["per_user.csv"]) == sum(len(frame) for frame in per_user.values())
    assert tables["per_user.csv"]["ndcg@5"].mean() == pytest.approx(
        np.mean([frame["ndcg@5"].mean() for frame in per_user.values()])
    )


def test_a_leaderboard_of_many_metrics_and_cut_offs_is_not_fragmented(run: Run) -> None:
    """Pandas warns of frames with over 100 blocks when a column is added; warnings are errors here."""
    many = {f"ndcg@{k}": 0.1 for k in range(1, 121)}
    models = [replace(model, metrics={**model.metrics, **many}) for model in leaderboard.contenders(run)]
    per_user = {name: one_row_a_user(frame) for name, frame in run.per_user().items()}
    board = leaderboard.leaderboard(models, compare(per_user, metric="recall@5"))
    assert board.assign(seconds=1.0).shape[1] > 120
    shown = leaderboard.shown_board(board, "recall@5", list(many), baseline=models[0].id, differences=True)
    assert shown[list(many)].to_numpy().tolist() == [[0.0] * len(many)] * len(models)


def test_each_sentence_of_a_picture_names_its_numbers(run: Run) -> None:
    models = leaderboard.contenders(run)
    per_user = {name: one_row_a_user(frame) for name, frame in run.per_user().items()}
    comparison = compare(per_user, metric="ndcg@5")
    table, pinned = leaderboard.leaderboard(models, comparison), model(run, "popular")
    better = comparison.better_than(pinned)
    assert set(better) <= set(comparison.against(pinned).query("different and difference > 0")["model"])
    said = str(compare_sentences.dots(table, metric="NDCG@5", baseline=pinned, better=better))
    more = str(
        compare_sentences.dots(table, metric="Popularity@5", baseline=pinned, better=better, more_is_no_merit=True)
    )
    assert "better" not in more
    assert (
        said.startswith(f"{len(better)} of 4 models")
        if len(better)
        else said.startswith("No model is significantly better")
    )
    curves = leaderboard.precision_recall(models, (1, 5))
    assert "at k = 1, precision is" in str(compare_sentences.precision_recall(curves, title="EASE"))
    parts = slice_table(run, models, per_user, metric="ndcg@5", baseline=model(run, "popular"))
    assert set(parts["key"]) == {"all", "new", "active", "mainstream", "niche", "head", "tail"}
    everybody = parts[(parts["key"] == "all") & (parts["title"] == "EASE")].iloc[0]
    means = table.set_index("title")["mean"]
    assert everybody["difference"] == pytest.approx(means["EASE"] - means["Popularity"])
    assert str(compare_sentences.slices(parts, baseline="Popularity", metric="NDCG@5")).startswith(
        table["title"].iloc[0]
    )
