"""The page Compare in its four states, and what a person can do there."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from recsys_core.data import dataset_from_frames
from recsys_core.data.workspace import Workspace
from recsys_core.experiments.analysis import compare_run
from recsys_core.experiments.execution import execute
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.models.registry import model_class
from recsys_core.serving import list_process
from recsys_core.storage.processes import own_mark
from tests.pages.finished import (
    Finished,
    finished_template,
    in_this_process,
    leaderboard,
    no_exception,
    open_page,
    small_spec,
    spoil,
    two_tastes,
    until,
    words,
)
from tests.pages.finished import finished as finished_copy
from tests.pages.finished import finished_shared as finished

__all__ = ["finished", "finished_copy", "finished_template", "open_page"]
Open = Callable[..., AppTest]


def test_without_data_it_says_what_to_do(open_page: Open) -> None:
    app = open_page("compare")
    assert "No data yet" in words(app)
    assert app.button(key="empty_go_data").label


@pytest.fixture(scope="module")
def looked_at() -> list[AppTest]:
    return []


@pytest.fixture
def compared(open_page: Open, finished: Finished, looked_at: list[AppTest]) -> AppTest:
    """The comparison of the finished experiment, opened once for all tests that only read it."""
    if not looked_at:
        looked_at.append(open_page("compare", **finished.address()))
    return looked_at[0]


def test_the_verdict_and_the_protocol_are_sentences_with_numbers(compared: AppTest) -> None:
    text = words(compared)
    assert "leads on NDCG@5" in text
    assert "the training data contain later interactions" in text
    assert "beat" in text


def test_the_leaderboard_has_a_row_a_model_and_marks_the_baseline(compared: AppTest) -> None:
    board = leaderboard(compared)
    assert len(board) == 5
    assert "Popularity (baseline)" in list(board["Model"])
    assert list(board["ndcg@5"]) == sorted(board["ndcg@5"], reverse=True)
    assert board["95% interval"].str.contains(" to ").all()


def test_tries_of_other_experiments_count_at_once(open_page: Open, finished_copy: Finished) -> None:
    """The report reads them anew, so the page must not keep findings of before."""
    app = open_page("compare", **finished_copy.address())
    assert "tuned on this same test set" not in words(app)
    store = ResultStore(finished_copy.root)
    spec = finished_copy.opened().spec
    more = [{"key": "ease", "config": {"regularization": strength}} for strength in (1.0, 2.0, 3.0, 4.0)]
    run = store.create(ExperimentSpec.model_validate(spec.model_dump() | {"models": more}), "more tries")
    for model in run.spec.models:
        if model.key == "ease":
            assert execute(store, run.id, model.id, Workspace(finished_copy.root), 1).state is JobState.DONE
    assert "EASE was tuned on this same test set" in words(no_exception(app.run()))


def test_users_without_training_history_have_a_table_of_their_own(open_page: Open, own_workspace: Path) -> None:
    """Global time split: ten users came after the cutoff, thirty before; the verdict is about the thirty."""
    rng = np.random.default_rng(0)
    old = [(user, int(item), time) for user in range(30) for time, item in enumerate(rng.permutation(20)[:10])]
    late = [(user, int(item), 100) for user in range(40) for item in rng.permutation(20)[:2]]
    frame = pd.DataFrame([*old, *late], columns=["user", "item", "timestamp"])
    frame = frame.astype({"user": "int32", "item": "int32", "timestamp": "int64"}).drop_duplicates(["user", "item"])
    workspace, store = Workspace(own_workspace), ResultStore(own_workspace)
    data = workspace.store(dataset_from_frames(frame, name="Late comers")).fingerprint
    split = {"kind": "global_time", "test_fraction": 0.2}
    spec = ExperimentSpec(data=data, models=[{"key": "item_knn"}], split=split, k=5, cutoffs=(5,), seed=1)
    run = store.create(spec, "Late comers")
    for model_id in run.model_ids:
        assert execute(store, run.id, model_id, workspace, 1).state is JobState.DONE
    app = open_page("compare", data=data, run=run.id)
    assert "The verdict and the leaderboard exclude these users" in words(app)
    table = next(one.value for one in app.dataframe if "listed" in one.value)
    assert set(table["users"]) == {10}
    listed = table.set_index("title")["listed"]
    assert listed[listed.index.str.startswith("Popularity")].item() == 1
    assert listed[listed.index.str.startswith("Item")].item() == 0


def test_settings_of_one_model_stand_beside_each_other_with_their_difference(
    open_page: Open, finished_copy: Finished
) -> None:
    assert "Configurations of the same model" not in words(open_page("compare", **finished_copy.address()))
    settings = [{"key": "ease", "config": {"regularization": value}} for value in (0.001, 500.0)]
    spec = ExperimentSpec.model_validate(small_spec(finished_copy.data).model_dump() | {"models": settings})
    store = ResultStore(finished_copy.root)
    run = store.create(spec, "Two tastes")
    for model_id in run.model_ids:
        assert execute(store, run.id, model_id, Workspace(finished_copy.root), 1).state is JobState.DONE
    first, second = run.model_ids[:2]
    app = open_page("compare", data=finished_copy.data, run=run.id)
    assert {"EASE (regularization 0.001)", "EASE (regularization 500)"} <= set(leaderboard(app)["Model"])
    assert "Configurations of the same model" in words(app)
    pair = compare_run(run, "ndcg@5").pairs.set_index(["first", "second"])
    pair = pair.loc[(first, second) if (first, second) in pair.index else (second, first)]
    [said] = [line for line in words(app).splitlines() if line.startswith("- EASE")]
    numbers = [float(text) for text in re.findall(r"-?\d+\.\d+", said.partition("NDCG@5")[2])]
    assert numbers[2:] == pytest.approx([pair["difference"], pair["low"], pair["high"]], abs=0.06)
    assert ("do not differ significantly" in said) == (not pair["different"])
    assert f"{len(compare_run(run, 'ndcg@5').users)} users" in said


def test_where_less_is_better_the_difference_is_still_told_from_the_better_side(
    open_page: Open, finished_copy: Finished
) -> None:
    settings = [{"key": "biased_mf", "config": {"epochs": value}} for value in (1, 20)]
    spec = ExperimentSpec.model_validate(
        small_spec(finished_copy.data).model_dump() | {"models": settings, "primary": "rmse"}
    )
    store = ResultStore(finished_copy.root)
    run = store.create(spec, "Two tastes")
    for model_id in run.model_ids:
        assert execute(store, run.id, model_id, Workspace(finished_copy.root), 1).state is JobState.DONE
    app = open_page("compare", data=finished_copy.data, run=run.id)
    app = no_exception(app.selectbox(key="compare_metric").set_value("rmse").run())
    title = model_class("biased_mf").info.title
    [said] = [line for line in words(app).splitlines() if line.startswith(f"- {title[:-1]}; epochs")]
    numbers = re.findall(r"-?\d+\.\d+", said.partition("RMSE")[2])
    better, worse, difference, low, high = map(float, numbers)
    assert better < worse
    assert low <= difference <= high
    assert difference == pytest.approx(worse - better, abs=0.02)


def test_differences_are_taken_to_the_baseline(open_page: Open, finished: Finished) -> None:
    app = open_page("compare", **finished.address())
    values = leaderboard(app).set_index("Model")["ndcg@5"]
    app = no_exception(app.radio(key="leaderboard_mode").set_value("differences").run())
    shown = leaderboard(app).set_index("Model")["ndcg@5"]
    assert shown["Popularity (baseline)"] == 0.0
    assert shown["EASE"] == pytest.approx(values["EASE"] - values["Popularity (baseline)"])


def test_a_number_is_taken_apart(compared: AppTest) -> None:
    board = leaderboard(compared)
    text = words(compared)
    assert f"NDCG@5 of {board['Model'].iloc[0]} is {board['ndcg@5'].iloc[0]:.3f}, the mean over" in text
    assert "**Denominator**: The DCG of an ideal list of min(k, |R|) hits." in text
    libraries = next(one.value for one in compared.dataframe if "library" in one.value)
    assert libraries["mean"].iloc[0] == pytest.approx(board["ndcg@5"].iloc[0])
    rectools = libraries[libraries["name"] == "NDCG"].iloc[0]
    assert rectools["mean"] < libraries["mean"].iloc[0]
    assert rectools["reason"].startswith("Divides by the DCG of k hits")
    best, worst = (one.value for one in compared.dataframe if list(one.value)[1:3] == ["user_id", "value"])
    assert best["value"].min() >= worst["value"].max()
    assert f"List of user {best['user_id'].iloc[0]}." in text


def test_another_model_and_metric_come_under_the_microscope(open_page: Open, finished: Finished) -> None:
    app = open_page("compare", **finished.address(view="whole"))
    random = next(model for model in finished.opened().model_ids if model.startswith("random"))
    app.selectbox(key="microscope_model").set_value(random)
    app = no_exception(app.selectbox(key="microscope_metric").set_value("precision@5").run())
    assert "Precision@5 of Random is" in words(app)
    app = no_exception(app.selectbox(key="microscope_metric").set_value("coverage@5").run())
    assert "It has one value per model, none per user." in words(app)
    assert "Best users" not in words(app)
    assert not [one for one in app.dataframe if "library" in one.value]


def test_the_overlap_of_the_lists_has_a_row_and_a_column_a_model(compared: AppTest) -> None:
    titles = sorted(leaderboard(compared)["Model"].str.removesuffix(" (baseline)"))
    table = next(one.value for one in compared.dataframe if {"title", *titles} == set(one.value))
    assert sorted(table["title"]) == titles
    assert table.set_index("title").loc["EASE", "EASE"] == 1.0


def test_another_metric_and_baseline_change_the_verdict(open_page: Open, finished: Finished) -> None:
    app = open_page("compare", **finished.address())
    random = next(model for model in finished.opened().model_ids if model.startswith("random"))
    app.selectbox(key="compare_metric").set_value("recall@5")
    app = no_exception(app.selectbox(key="compare_baseline").set_value(random).run())
    assert "leads on Recall@5" in words(app)
    assert "Random (baseline)" in list(leaderboard(app)["Model"])


def test_what_was_chosen_is_there_after_another_page(open_page: Open, finished: Finished) -> None:
    app = open_page("compare", **finished.address())
    no_exception(app.selectbox(key="compare_metric").set_value("recall@5").run())
    no_exception(app.switch_page("pages/home.py").run())
    app = no_exception(app.switch_page("pages/compare.py").run())
    assert app.selectbox(key="compare_metric").value == "recall@5"


def test_a_metric_that_some_models_lack_names_them(open_page: Open, finished: Finished) -> None:
    app = open_page("compare", **finished.address(), view="whole")
    app = no_exception(app.selectbox(key="compare_metric").set_value("rmse").run())
    text = words(app)
    assert len(leaderboard(app)) == 2
    assert "3 models have no RMSE" in text
    assert "The baseline has no value for this metric" in text
    assert "There is no second model" not in text


def test_a_person_s_lists_stand_side_by_side_with_titles_letter_by_letter(open_page: Open, finished: Finished) -> None:
    run = finished.opened()
    first = run.lists(next(model for model in run.model_ids if model.startswith("ease")))
    user = int(first[(first["item"] == 0) & (first["rank"] <= 5)]["user"].iloc[0])  # item 0 has the evil title
    app = open_page("compare", **finished.address(user=f"person-{user}"))
    assert f"User person-{user}" in words(app)
    lists = [element.value for element in app.markdown if "1. :material" in element.value][-2:]  # after the microscope
    assert len(lists) == 2
    assert "Evil" in "".join(lists)
    assert not [text for text in lists if "<b>" in text or "[link](" in text]


def test_a_person_who_is_not_in_the_data_is_a_sentence(open_page: Open, finished: Finished) -> None:
    app = open_page("compare", **finished.address(user="nobody"))
    assert "'nobody' is not in the data" in words(app)


def test_the_address_names_what_is_seen(open_page: Open, finished: Finished) -> None:
    app = open_page("compare", data=finished.data)
    assert app.query_params["run"] in (finished.run, [finished.run])


def test_a_link_with_the_experiment_alone_shows_its_data_set_everywhere(
    open_page: Open, finished_copy: Finished
) -> None:
    Workspace(finished_copy.root).store(two_tastes(users=9, seed=4))
    app = open_page("compare", run=finished_copy.run)
    assert app.selectbox(key="compare_data").value == finished_copy.data
    assert "40 users × 30 items" in "\n".join(one.value for one in app.sidebar.markdown)


def test_while_a_model_is_trained_the_others_are_compared(open_page: Open, finished_copy: Finished) -> None:
    model_id = spoil(finished_copy, "ease", JobState.RUNNING)
    finished_copy.opened().job(model_id).change([JobState.RUNNING], process=own_mark())
    app = open_page("compare", **finished_copy.address())
    assert "1 model is still queued or running" in words(app)
    assert "EASE" not in list(leaderboard(app)["Model"])


def test_a_failed_model_says_why_and_the_others_go_on(open_page: Open, finished_copy: Finished) -> None:
    spoil(finished_copy, "ease", JobState.FAILED, "It ran out of memory. Choose a smaller model.")
    app = open_page("compare", **finished_copy.address())
    assert "It ran out of memory" in words(app)
    assert "EASE" in words(app)
    assert len(leaderboard(app)) == 4


def test_of_two_settings_the_one_that_failed_is_named(open_page: Open, finished_copy: Finished) -> None:
    settings = [{"key": "ease", "config": {"regularization": value}} for value in (0.001, 500.0)]
    spec = ExperimentSpec.model_validate(small_spec(finished_copy.data).model_dump() | {"models": settings})
    run = ResultStore(finished_copy.root).create(spec, "Two tastes")
    run.job(run.model_ids[1]).change({JobState.QUEUED}, state=JobState.FAILED, reason="It was killed.")
    app = open_page("compare", data=finished_copy.data, run=run.id)
    assert "**EASE (regularization 500)**: It was killed." in words(app)


def test_with_nothing_finished_it_leads_back_to_train(open_page: Open, finished_copy: Finished) -> None:
    for model in ("ease", "item_knn", "biased_mf", "popular", "random"):
        spoil(finished_copy, model, JobState.FAILED, "It was killed.")
    app = open_page("compare", **finished_copy.address())
    assert "No model has finished" in words(app)
    assert app.button(key="empty_go_train").label == "Open the Train page"


def test_files_of_a_run_that_are_missing_are_a_sentence(open_page: Open, finished_copy: Finished) -> None:
    run = finished_copy.opened()
    (run.job(run.model_ids[0]).path / "per_user.parquet").unlink()
    shown = words(open_page("compare", **finished_copy.address()))
    assert "Its stored results are damaged: 'per_user.parquet' is missing" in shown
    assert "Leaderboard" in shown  # of the others


def test_for_a_projector_the_controls_are_hidden(open_page: Open, finished: Finished) -> None:
    app = open_page("compare", **finished.address(view="demo"))
    assert "leads on NDCG@5" in words(app)
    assert not {"compare_metric", "compare_baseline"} & {box.key for box in app.selectbox}
    assert not app.radio


def test_a_presentation_goes_through_the_slides_without_other_controls(open_page: Open, finished: Finished) -> None:
    app = no_exception(open_page("compare", **finished.address()).button(key="present_start").click().run())
    assert "leads on NDCG@5" in words(app)
    assert "1 of 4" in words(app)
    assert {button.key for button in app.button} == {"present_previous", "present_next", "present_end"}
    assert not [*app.selectbox, *app.radio, *app.dataframe]
    for number, said in ((2, "Leaderboard"), (3, "The dotted line is the baseline"), (4, "has most recently")):
        app = no_exception(app.button(key="present_next").click().run())
        assert f"{number} of 4" in words(app)
        assert said in words(app)
    assert app.button(key="present_next").disabled
    app = no_exception(app.button(key="present_previous").click().run())
    assert "3 of 4" in words(app)
    app = no_exception(app.button(key="present_end").click().run())
    assert app.selectbox(key="compare_metric")


def test_a_presentation_with_an_unknown_user_in_the_address_shows_another_one(
    open_page: Open, finished: Finished
) -> None:
    app = open_page("compare", **finished.address(view="present", user="nobody"))
    for _ in range(3):
        app = no_exception(app.button(key="present_next").click().run())
    assert "has most recently" in words(app)
    assert "nobody" not in words(app)


def test_a_link_for_reading_opens_the_comparison_without_controls(compared: AppTest, finished: Finished) -> None:
    [link] = [code.value for code in compared.code if "view=demo" in code.value]
    assert link.endswith(f"?data={finished.data}&run={finished.run}&view=demo")


@pytest.mark.parametrize(
    ("page", "key"),
    [("compare", "compare_model_button"), ("inside", "inside_download_"), ("experiments", "chosen_model_")],
)
def test_a_trained_model_can_be_downloaded(open_page: Open, finished: Finished, page: str, key: str) -> None:
    more = {"runs": finished.run} if page == "experiments" else {}
    app = open_page(page, **finished.address(**more))
    [button] = [one for one in app.get("download_button") if one.proto.label == "Download model"]
    assert key in button.proto.id
    assert not button.proto.disabled


def lists_of_ease(finished: Finished) -> bytes:
    run = finished.opened()
    rows = run.lists(next(one for one in run.model_ids if one.startswith("ease")))
    users, items = ("person-" + rows["user"].astype(str), "film-" + rows["item"].astype(str))
    return pd.DataFrame({"user": users, "item": items, "rank": rows["rank"]}).to_csv(index=False).encode()


def test_a_list_from_elsewhere_joins_the_leaderboard_and_leaves_it(open_page: Open, finished_copy: Finished) -> None:
    app = open_page("compare", **finished_copy.address())
    app.file_uploader(key="compare_list_0").upload("other.csv", lists_of_ease(finished_copy), "text/csv").run()
    [name] = [one for one in app.text_input if one.label == "Name in the leaderboard"]
    assert name.value == "other"
    name.input("Other tool").run()
    app.button(key="compare_list_judge").click().run()
    app = until(app, lambda: finished_copy.opened().uploaded())
    app = no_exception(app.run())
    board = leaderboard(app).set_index("Model")
    assert board.loc["Other tool (uploaded list)", "ndcg@5"] == board.loc["EASE", "ndcg@5"]
    assert "nor whether the test data were among them" in words(app)
    assert "Not shown here, since only their lists are known" in words(open_page("inside", **finished_copy.address()))
    [one] = finished_copy.opened().uploaded()
    app.button(key=f"remove_{one}").click().run()
    assert "Other tool (uploaded list)" not in set(leaderboard(no_exception(app))["Model"])


def test_a_list_of_other_data_is_refused_with_the_reason(
    open_page: Open, finished_copy: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_this_process(monkeypatch, list_process)
    app = open_page("compare", **finished_copy.address())
    app.file_uploader(key="compare_list_0").upload("other.csv", b"user,item\nx,y\n", "text/csv").run()
    app.button(key="compare_list_judge").click().run()
    app = until(app, lambda: app.error)
    assert "none of its users is in the data" in words(app)
