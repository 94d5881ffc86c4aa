"""The page Compare in its four states, and what a person can do there."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.processes import own_mark
from tests.pages.finished import Finished, finished, finished_template, no_exception, open_page, spoil, words

__all__ = ["finished", "finished_template", "open_page"]
Open = Callable[..., AppTest]


def test_without_data_it_says_what_to_do(open_page: Open) -> None:
    app = open_page("compare")
    assert "No data yet" in words(app)
    assert app.button(key="empty_go_data").label


def test_the_verdict_and_the_protocol_are_sentences_with_numbers(open_page: Open, finished: Finished) -> None:
    text = words(open_page("compare", **finished.address()))
    assert "leads on NDCG@5" in text
    assert "are older than some of the training data" in text
    assert "beat" in text


def test_the_leaderboard_has_a_row_a_model_and_marks_the_baseline(open_page: Open, finished: Finished) -> None:
    app = open_page("compare", **finished.address())
    board = app.dataframe[0].value
    assert len(board) == 5
    assert "Popularity (baseline)" in list(board["title"])
    assert list(board["ndcg@5"]) == sorted(board["ndcg@5"], reverse=True)
    assert board["interval"].str.contains("–").all()


def test_differences_are_taken_to_the_baseline(open_page: Open, finished: Finished) -> None:
    app = open_page("compare", **finished.address())
    values = app.dataframe[0].value.set_index("title")["ndcg@5"]
    app = no_exception(app.radio(key="leaderboard_mode").set_value("differences").run())
    shown = app.dataframe[0].value.set_index("title")["ndcg@5"]
    assert shown["Popularity (baseline)"] == 0.0
    assert shown["EASE"] == pytest.approx(values["EASE"] - values["Popularity (baseline)"])


def test_another_metric_and_baseline_change_the_verdict(open_page: Open, finished: Finished) -> None:
    app = open_page("compare", **finished.address())
    random = next(model for model in finished.opened().model_ids if model.startswith("random"))
    app.selectbox(key="compare_metric").set_value("recall@5")
    app = no_exception(app.selectbox(key="compare_baseline").set_value(random).run())
    assert "leads on Recall@5" in words(app)
    assert "Random (baseline)" in list(app.dataframe[0].value["title"])


def test_a_person_s_lists_stand_side_by_side_with_titles_letter_by_letter(open_page: Open, finished: Finished) -> None:
    run = finished.opened()
    first = run.lists(next(model for model in run.model_ids if model.startswith("ease")))
    user = int(first[(first["item"] == 0) & (first["rank"] <= 5)]["user"].iloc[0])  # item 0 has the evil title
    app = open_page("compare", **finished.address(user=f"person-{user}"))
    assert f"User person-{user}" in words(app)
    lists = [element.value for element in app.markdown if "1. :material" in element.value]
    assert len(lists) == 2
    assert "Evil" in "".join(lists)
    assert not [text for text in lists if "<b>" in text or "[link](" in text]


def test_a_person_who_is_not_in_the_data_is_a_sentence(open_page: Open, finished: Finished) -> None:
    app = open_page("compare", **finished.address(user="nobody"))
    assert "'nobody' does not stand in the data" in words(app)


def test_the_address_names_what_is_seen(open_page: Open, finished: Finished) -> None:
    app = open_page("compare", data=finished.data)
    assert app.query_params["run"] in (finished.run, [finished.run])


def test_while_a_model_is_trained_the_others_are_compared(open_page: Open, finished: Finished) -> None:
    model_id = spoil(finished, "ease", JobState.RUNNING)
    finished.opened().job(model_id).change([JobState.RUNNING], process=own_mark())
    app = open_page("compare", **finished.address())
    assert "1 model is still under way" in words(app)
    assert "EASE" not in list(app.dataframe[0].value["title"])


def test_a_failed_model_says_why_and_the_others_go_on(open_page: Open, finished: Finished) -> None:
    spoil(finished, "ease", JobState.FAILED, "It ran out of memory. Choose a smaller model.")
    app = open_page("compare", **finished.address())
    assert "It ran out of memory" in words(app)
    assert "EASE" in words(app)
    assert len(app.dataframe[0].value) == 4


def test_with_nothing_finished_it_leads_back_to_train(open_page: Open, finished: Finished) -> None:
    for model in ("ease", "item_knn", "biased_mf", "popular", "random"):
        spoil(finished, model, JobState.FAILED, "It was killed.")
    app = open_page("compare", **finished.address())
    assert "No model has finished" in words(app)
    assert app.button(key="empty_go_train").label == "See how they stand"


def test_files_of_a_run_that_are_missing_are_a_sentence(open_page: Open, finished: Finished) -> None:
    run = finished.opened()
    (run.job(run.model_ids[0]).path / "per_user.parquet").unlink()
    assert "cannot be read; start that model again" in words(open_page("compare", **finished.address()))


def test_for_a_projector_the_controls_are_hidden(open_page: Open, finished: Finished) -> None:
    app = open_page("compare", **finished.address(view="demo"))
    assert "leads on NDCG@5" in words(app)
    assert not {"compare_metric", "compare_baseline"} & {box.key for box in app.selectbox}
    assert not app.radio
