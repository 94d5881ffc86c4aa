"""The page Recommend in its four states: lists side by side, why an item is in one, and a new user."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from recsys_core.experiments.jobs import JobState
from recsys_core.storage.processes import own_mark
from tests.pages.finished import EVIL, Finished, finished_template, no_exception, open_page, spoil, words
from tests.pages.finished import finished as finished_copy
from tests.pages.finished import finished_shared as finished

__all__ = ["finished", "finished_copy", "finished_template", "open_page"]
Open = Callable[..., AppTest]


def items(app: AppTest, model: str) -> list[str]:
    return [button.label for button in app.button if str(button.key).startswith(f"item_{model}")]


def test_without_data_it_says_what_to_do(open_page: Open) -> None:
    assert "No data yet" in words(open_page("recommend"))


def test_without_a_finished_model_it_leads_to_train(open_page: Open, finished_copy: Finished) -> None:
    for model in ("ease", "item_knn", "biased_mf", "popular", "random"):
        spoil(finished_copy, model, JobState.FAILED, "It was killed.")
    app = open_page("recommend", data=finished_copy.data)
    assert "No trained model on this data set yet" in words(app)
    assert app.button(key="empty_go_train").label


def test_lists_hold_k_unseen_items_with_rank_and_badges(open_page: Open, finished: Finished) -> None:
    app = open_page("recommend", **finished.address(user="person-4"))
    seen = set(app.dataframe[0].value["title"])
    for model in ("ease", "item_knn"):
        shown = items(app, model)
        assert [label.split(".")[0] for label in shown] == ["1", "2", "3", "4", "5"]
        assert not [title for title in seen - {EVIL} if any(f" {title} " in label for label in shown)]
    assert any("lists" in label for label in items(app, "ease"))


def test_a_click_shows_parts_that_sum_to_the_score(open_page: Open, finished: Finished) -> None:
    app = open_page("recommend", **finished.address(user="person-4"))
    button = next(one for one in app.button if str(one.key).startswith("item_ease"))
    app = no_exception(button.click().run())
    assert "Why Film" in words(app) or "Why <b>Evil" in words(app)
    assert "EASE: score" in words(app)
    assert "items of the history" in words(app)


def test_a_model_that_cannot_explain_says_so(open_page: Open, finished: Finished) -> None:
    run = finished.opened()
    app = open_page("recommend", **finished.address(user="person-4"))
    popular = next(one for one in run.model_ids if one.startswith("popular"))
    app = no_exception(app.multiselect(key="recommend_models_False").set_value([popular]).run())
    app = no_exception(next(one for one in app.button if str(one.key).startswith("item_popular")).click().run())
    assert "Popularity cannot split its scores into contributions" in words(app)


def test_a_model_without_parts_is_asked_again_without_each_item(
    open_page: Open, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recsys_core.serving.recommendations.can_explain", lambda model: False)
    app = open_page("recommend", **finished.address(user="person-4"))
    app = no_exception(next(one for one in app.button if str(one.key).startswith("item_ease")).click().run())
    assert "Approximation." in words(app)
    assert "12 items were left out, one at a time" in words(app)


def why_not(app: AppTest, item: int) -> str:
    return words(no_exception(app.selectbox(key="why_not_item").set_value(item).run()))


def test_why_not_says_what_an_item_misses(open_page: Open, finished: Finished) -> None:
    app = open_page("recommend", **finished.address(user="person-4"))
    listed = {label.split("Film ")[1].split()[0] for label in items(app, app.selectbox(key="why_not_model").value)}
    seen = {title.removeprefix("Film ") for title in app.dataframe[0].value["title"]}
    outside = next(one for one in range(29, 0, -1) if one % 2 and str(one) not in listed | seen)
    text = why_not(app, outside)
    assert f"'Film {outside}' is at rank" in text
    assert "a gap of" in text
    assert "The largest difference is" in text
    assert len(app.get("plotly_chart")) == 1
    held = next(int(one) for one in seen if one.isdigit())
    assert f"'Film {held}' is in the history" in why_not(app, held)
    shown = next(int(one) for one in listed if one.isdigit())
    assert f"'Film {shown}' is in the list: rank" in why_not(app, shown)


def test_a_new_user_is_served_by_models_that_read_histories(open_page: Open, finished: Finished) -> None:
    app = open_page("recommend", **finished.address(history="new.x2~5_x4~5_x6~5", show="lists"))
    assert app.radio(key="recommend_kind").value == "made_up"
    labels = items(app, "ease")
    assert len(labels) == 5
    numbers = [int(label.split("Film ")[1].split()[0]) for label in labels if "Film " in label]
    assert sum(number % 2 == 0 for number in numbers) >= 4  # users who like even items like other even items


def test_somebody_unknown_in_the_address_is_said_until_another_is_chosen(open_page: Open, finished: Finished) -> None:
    app = open_page("recommend", **finished.address(user="nobody"))
    assert "User 'nobody' is not in this data set; another one is shown." in words(app)
    app = no_exception(app.selectbox(key="recommend_user").set_value("person-4").run())
    assert "is not in this data set" not in words(app)


def test_a_search_narrows_the_users(open_page: Open, finished: Finished) -> None:
    app = open_page("recommend", **finished.address())
    app = no_exception(app.text_input(key="recommend_search").set_value("person-17").run())
    assert app.selectbox(key="recommend_user").options == ["person-17"]
    app = no_exception(app.text_input(key="recommend_search").set_value("nobody").run())
    assert "No user ID contains 'nobody'" in words(app)


def test_while_a_model_is_trained_and_another_failed_the_rest_recommend(
    open_page: Open, finished_copy: Finished
) -> None:
    running = spoil(finished_copy, "ease", JobState.RUNNING)
    finished_copy.opened().job(running).change([JobState.RUNNING], process=own_mark())
    spoil(finished_copy, "biased_mf", JobState.FAILED, "The disk is full.")
    app = open_page("recommend", **finished_copy.address(user="person-4"))
    assert "1 model is still queued or running" in words(app)
    assert "The disk is full" in words(app)
    assert len(items(app, "item_knn")) == 5


def test_without_data_a_sample_is_opened_in_place(open_page: Open, own_workspace: Path) -> None:
    app = no_exception(open_page("recommend").button(key="empty_sample").click().run())
    assert [title.value for title in app.title] == ["Recommend"]
    assert "Film nights (small)" in str(app.selectbox(key="recommend_data").options)
    assert "No trained model on this data set yet" in words(app)


def test_a_link_to_an_experiment_that_is_gone_names_it_and_offers_others(open_page: Open, finished: Finished) -> None:
    app = open_page("recommend", data=finished.data, run="gone")
    assert "Experiment 'gone' is not in this workspace" in words(app)
    app = no_exception(app.button(key=f"dead_run_{finished.run}").click().run())
    assert app.selectbox(key="recommend_run").value == finished.run
