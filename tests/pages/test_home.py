"""The page Home: nothing there, experiments there, one running, one failed; its doors and its list."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from pages.home_parts.recent_experiments import in_words
from pages.ui import services
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.store import ResultStore
from tests.pages.finished import (
    APP,
    PATIENCE_SECONDS,
    Finished,
    finished,
    finished_template,
    no_engine_process,
    no_exception,
    open_page,
    small_spec,
    spoil,
    until,
    words,
)

__all__ = ["finished", "finished_template", "no_engine_process", "open_page"]
Open = Callable[..., AppTest]


def test_an_empty_workspace_shows_three_doors_and_how_to_begin(open_page: Open) -> None:
    app = open_page("home")
    assert [app.button(key=f"door_{door}").label for door in ("data", "now", "look")] == [
        "Upload my data",
        "Run the comparison",
        "Explore a sample",
    ]
    assert "No experiments yet" in words(app)
    assert "No data set selected" in words(app)


def test_a_finished_experiment_shows_its_best_model_with_an_interval_that_holds_the_mean(
    open_page: Open, finished: Finished
) -> None:
    app = open_page("home")
    text = words(until(app, lambda: "NDCG@5" in words(app)))  # the interval may take longer than a page waits for it
    assert "5 done" in text
    line = next(line for line in text.splitlines() if line.startswith("NDCG@5"))
    mean, low, high = (float(part.strip("()")) for part in line.split() if part.strip("()")[0].isdigit())
    assert low <= mean <= high


def test_the_best_model_on_home_has_the_numbers_of_the_comparison(open_page: Open, finished: Finished) -> None:
    """Home and Compare must not differ: both show the comparison of the same users."""
    app = open_page("home")
    home = words(until(app, lambda: "NDCG@5" in words(app)))
    compare = words(open_page("compare", **finished.address()))
    mean = next(line.split()[1] for line in home.splitlines() if line.startswith("NDCG@5"))
    assert f"NDCG@5: {mean}" in compare


@pytest.mark.parametrize(
    ("tied", "equal", "said"),
    [
        (0, True, "Best: **EASE**  \nNDCG@10 0.5 (0.4 to 0.6)"),
        (1, True, "Leads: **EASE**  \nNDCG@10 0.5 (0.4 to 0.6)  \nNo significant difference from 1 model."),
        (2, False, "First, with unequal tuning: **EASE**  \nNDCG@10 0.5 (0.4 to 0.6)  \n"
         "No significant difference from 2 models."),
    ],
)  # fmt: skip
def test_a_model_is_called_best_only_where_no_other_is_tied_with_it(tied: int, equal: bool, said: str) -> None:
    assert in_words(services.BestModel("EASE", "NDCG@10", "0.5", "0.4 to 0.6", equal, tied)) == said


def test_a_running_and_a_failed_experiment_are_marked(open_page: Open, finished: Finished) -> None:
    spoil(finished, "ease", JobState.FAILED, "out of memory")
    spoil(finished, "item_knn", JobState.QUEUED)
    text = words(open_page("home"))
    assert "1 failed" in text
    assert "1 queued" in text
    assert "3 done" in text


def test_the_sidebar_counts_live_jobs_on_every_page(open_page: Open, finished: Finished) -> None:
    spoil(finished, "ease", JobState.QUEUED)
    app = open_page("explore")
    links = [link.label for link in app.sidebar.get("page_link")] if app.sidebar.get("page_link") else []
    labels = " ".join(str(getattr(link, "label", link)) for link in links) or str(app.sidebar)
    assert "0 running, 1 queued" in labels


def test_one_click_stores_the_sample_and_queues_four_models(open_page: Open, no_engine_process: None) -> None:
    app = open_page("home")
    no_exception(app.button(key="door_now").click().run())
    assert "0 of 4 models are done" in app.get("progress")[0].proto.text
    assert "Film nights" in words(app)
    assert app.button(key="demonstration_stop").label == "Cancel"


def test_stopping_the_demonstration_cancels_what_waits(
    open_page: Open, no_engine_process: None, own_workspace: object
) -> None:
    app = open_page("home")
    app.button(key="door_now").click().run()
    no_exception(app.button(key="demonstration_stop").click().run())
    card = ResultStore(own_workspace).runs()[0]
    assert set(card.states.values()) == {JobState.CANCELLED}


def test_opening_an_experiment_leads_to_its_comparison(open_page: Open, finished: Finished) -> None:
    app = open_page("home")
    no_exception(app.button(key=f"open_{finished.run}").click().run())
    assert [title.value for title in app.title] == ["Compare"]
    assert app.query_params["run"] in (finished.run, [finished.run])


def test_deleting_an_experiment_keeps_the_data(open_page: Open, finished: Finished) -> None:
    app = open_page("home")
    no_exception(app.button(key=f"delete_confirmed_{finished.run}").click().run())
    assert ResultStore(finished.root).runs() == []
    assert "Two tastes" in words(app)


def test_the_second_door_explores_a_sample(open_page: Open) -> None:
    app = open_page("home")
    no_exception(app.button(key="door_look").click().run())
    assert [title.value for title in app.title] == ["Explore"]


def test_the_view_for_a_projector_hides_controls(finished: Finished) -> None:
    app = AppTest.from_file(APP, default_timeout=PATIENCE_SECONDS)
    app.query_params["view"] = "demo"
    app.run()
    assert not app.sidebar.markdown
    assert not any(button.label == "Delete" for button in app.button)


@pytest.mark.parametrize("name", ["home", "data", "explore"])
def test_a_page_run_alone_shows_the_whole_frame(name: str, finished: Finished) -> None:
    """Streamlit does so for the first request to a page's own address; see tests/e2e/test_first_request.py."""
    app = AppTest.from_file(APP.parent / "pages" / f"{name}.py", default_timeout=PATIENCE_SECONDS).run()
    no_exception(app)
    assert "Two tastes" in " ".join(str(element.value) for element in app.sidebar.markdown)


def test_the_latest_ten_experiments_are_shown_and_a_button_opens_all(open_page: Open, finished: Finished) -> None:
    store = ResultStore(finished.root)
    for seed in range(11):
        run = store.create(small_spec(finished.data, models=("ease",), seed=seed), "Two tastes")
        for model_id in run.model_ids:
            run.cancel(model_id)
    app = open_page("home")
    assert sum(str(button.key).startswith("open_") for button in app.button) == 10
    assert app.button(key="home_experiments").label == "All 12 experiments"
    no_exception(app.button(key="home_experiments").click().run())
    assert [title.value for title in app.title] == ["Experiments"]
