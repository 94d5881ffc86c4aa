"""The page Inside in its four states: what each model holds, with a person and an item, and who has nothing."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from recsys_core.data.workspace import Workspace
from recsys_core.experiments.execution import execute
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.store import ResultStore
from recsys_core.storage.processes import own_mark
from tests.pages.finished import Finished, looking_at, no_exception, open_page, small_spec, spoil, two_tastes, words

__all__ = ["open_page"]
Open = Callable[..., AppTest]
LOOKED_INTO = ("user_knn", "ease", "item_knn", "biased_mf")


@pytest.fixture(scope="session")
def trained_template(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    root = tmp_path_factory.mktemp("inside") / "workspace"
    workspace, store = Workspace(root), ResultStore(root)
    data = workspace.store(two_tastes()).fingerprint
    run = store.create(small_spec(data, models=LOOKED_INTO), "Two tastes")
    for model_id in run.model_ids:
        status = execute(store, run.id, model_id, workspace, 1)
        assert status.state is JobState.DONE, status.reason
    return Finished(root, data, run.id)


@pytest.fixture
def trained(trained_template: Finished, own_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Finished]:
    yield from looking_at(trained_template, monkeypatch)


@pytest.fixture
def trained_copy(trained_template: Finished, own_workspace: Path) -> Finished:
    shutil.copytree(trained_template.root, own_workspace)
    return Finished(own_workspace, trained_template.data, trained_template.run)


def opened(open_page: Open, trained: Finished, model: str, **more: str) -> AppTest:
    model_id = next(one for one in trained.opened().model_ids if one.startswith(model))
    app = open_page("inside", **trained.address(model=model_id, **{"user": "person-4", **more}))
    for _ in range(20):  # what is read from a model beside the page is there in the next run
        if "Computing the view" not in str(list(app.get("progress"))):
            return app
        app = no_exception(app.run())
    raise AssertionError("The views are not ready.")


def questions(app: AppTest) -> list[str]:
    return [header.value for header in app.header]


def pictures(app: AppTest) -> int:
    return len(app.get("plotly_chart"))


def test_without_data_it_says_what_to_do(open_page: Open) -> None:
    app = open_page("inside")
    assert "No data yet" in words(app)
    assert app.button(key="empty_go_data").label


def test_without_a_finished_model_it_leads_to_train(open_page: Open, trained_copy: Finished) -> None:
    for model in (*LOOKED_INTO, "popular", "random"):
        spoil(trained_copy, model, JobState.FAILED, "It was killed.")
    app = open_page("inside", data=trained_copy.data)
    assert "No trained model on this data set yet" in words(app)
    assert app.button(key="empty_go_train").label


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("user_knn", ["nearest neighbors", "two users similar", "similar are users", "one score calculated"]),
        ("item_knn", ["score of this item", "treat as similar", "one score calculated"]),
        ("ease", ["score of this item", "treat as similar", "one score calculated"]),
        ("biased_mf", ["latent space", "latent factors", "training converge"]),
    ],
)
def test_each_model_shows_what_it_holds_beside_how_to_read_it(
    open_page: Open, trained: Finished, model: str, asked: list[str]
) -> None:
    app = opened(open_page, trained, model)
    found = questions(app)
    assert [one for one in asked if not any(one in question for question in found)] == []
    assert pictures(app) == len(found)
    assert words(app).count("How to read it.") == len(found)


def test_the_formula_is_that_of_the_stored_settings(open_page: Open, trained: Finished) -> None:
    app = opened(open_page, trained, "user_knn")
    shown = "".join(element.value for element in app.markdown)
    assert r"\sum_{v \in N_k(u)} s_{uv} \, r_{vi}" in shown
    assert "Event weights: Without ratings" in shown


def test_a_neighbour_is_chosen_and_compared(open_page: Open, trained: Finished) -> None:
    app = opened(open_page, trained, "user_knn")
    box = next(one for one in app.selectbox if one.label == "Compared with")
    other = box.options[2].removeprefix("User ")
    app = no_exception(box.set_value(other).run())
    assert f"This user and user '{other}' have" in words(app)


def test_the_score_is_the_sum_that_the_page_recommend_shows(open_page: Open, trained: Finished) -> None:
    app = opened(open_page, trained, "ease")
    text = words(app)
    assert "the sum of" in text
    terms = app.dataframe[0].value
    shown = float(text.split("The score of '")[1].split("' is ")[1].split(":")[0])
    assert terms["weight"].sum() == pytest.approx(shown, rel=1e-3)


def test_an_item_in_the_address_is_looked_at(open_page: Open, trained: Finished) -> None:
    app = opened(open_page, trained, "item_knn", item="film-8")
    assert "positive weight for 'Film 8'" in words(app)


def test_another_group_is_drawn(open_page: Open, trained: Finished) -> None:
    app = opened(open_page, trained, "item_knn")
    box = next(one for one in app.selectbox if one.label == "Group")
    app = no_exception(box.set_value("popular").run())
    assert "are the most similar" in words(app)


def test_a_model_without_views_says_so(open_page: Open, trained: Finished) -> None:
    app = opened(open_page, trained, "popular")
    assert "has no parameters to visualize" in words(app)


def test_an_unknown_user_in_the_address_is_named(open_page: Open, trained: Finished) -> None:
    app = opened(open_page, trained, "ease", user="<b>nobody</b>")
    assert "User '<b>nobody</b>' is not in this data set" in words(app)


def test_while_another_model_is_trained_the_finished_ones_are_shown(open_page: Open, trained_copy: Finished) -> None:
    running = spoil(trained_copy, "ease", JobState.RUNNING)
    trained_copy.opened().job(running).change([JobState.RUNNING], process=own_mark())
    app = opened(open_page, trained_copy, "user_knn")
    assert "Which users are this user's nearest neighbors?" in questions(app)
    assert "EASE" not in app.selectbox(key="inside_model").options


def history(dated: bool) -> None:
    """Show the history of a user; runs as a script of its own."""
    import pandas as pd

    from pages.ui import user_picker

    rows = pd.DataFrame({"item": [1, 0], "title": ["Second", "First"]})
    rows = rows.assign(timestamp=pd.Timestamp(0)) if dated else rows
    user_picker.show_history(user_picker.SelectedUser("u", None, rows, "u", False))  # type: ignore[arg-type]


@pytest.mark.parametrize(("dated", "said"), [(True, "Latest items"), (False, "Last items in the order of the file")])
def test_without_timestamps_no_item_is_the_latest(dated: bool, said: str) -> None:
    app = no_exception(AppTest.from_function(history, kwargs={"dated": dated}).run())
    assert app.markdown[-1].value == f"{said}: Second, First"
