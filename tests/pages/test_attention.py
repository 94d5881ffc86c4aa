"""The page Attention: an example before anything was trained, a trained model, and a history built by hand."""

import json
import shutil
import threading
from base64 import b64decode
from collections.abc import Callable
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.queries import model_queries
from recsys_core.contracts import PAD, QueryBatch, Ragged, RunContext
from recsys_core.data import dataset_from_frames
from recsys_core.data.workspace import Workspace
from recsys_core.errors import Cancelled
from recsys_core.experiments.execution import execute
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.explain.attention_file import read_example
from recsys_core.serving.requests import Trained, question
from recsys_core.storage.processes import own_mark
from tests.pages.finished import (
    EVIL,
    Finished,
    no_engine_process,
    no_exception,
    open_page,
    spoil,
    two_tastes,
    until,
    words,
)

__all__ = ["no_engine_process", "open_page"]
Open = Callable[..., AppTest]
WINDOW = 8
"""Shorter than the histories of twelve items."""
SMALL = {"embedding_dim": 8, "epochs": 1, "max_length": WINDOW, "batch_size": 16, "patience": 0}


def train(root: Path, data: str, name: str, **models: dict[str, object]) -> str:
    """Train some models, keys with settings, here and now; return the id of the experiment."""
    workspace, store = Workspace(root), ResultStore(root)
    listed = [{"key": key, "config": config} for key, config in models.items()]
    run = store.create(ExperimentSpec.model_validate({"data": data, "models": listed}), name)
    for model_id in run.model_ids:
        status = execute(store, run.id, model_id, workspace, 1)
        assert status.state is JobState.DONE, status.reason
    return run.id


@pytest.fixture(scope="session")
def trained_template(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    root = tmp_path_factory.mktemp("attention") / "workspace"
    data = Workspace(root).store(two_tastes()).fingerprint
    return Finished(root, data, train(root, data, "Two tastes", sasrec=SMALL, seq2seq=SMALL | {"max_length": 20}))


@pytest.fixture
def answering_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process answers for the models: none is started for each test."""

    def ask(model: model_queries.Named, name: str, ctx: object, **arguments: object) -> object:
        return question(name).answer(Trained(Path(model.root), model.run, model.id), ctx, **arguments)

    monkeypatch.setattr(model_queries, "ask", ask)


@pytest.fixture
def trained(trained_template: Finished, own_workspace: Path, answering_here: None) -> Finished:
    """A workspace with a trained SASRec."""
    shutil.copytree(trained_template.root, own_workspace)
    return Finished(own_workspace, trained_template.data, trained_template.run)


def answered(app: AppTest) -> AppTest:
    """Run the page until no bar says that a model is asked."""
    return until(app, lambda: not app.get("progress"))


def named(app: AppTest, parameter: str) -> str:
    """Return a parameter of the address."""
    found = app.query_params[parameter]
    return found if isinstance(found, str) else found[0]


def headers(app: AppTest) -> list[str]:
    return [header.value for header in app.header]


def test_the_first_visit_opens_on_a_finished_example_that_says_so(open_page: Open) -> None:
    app = open_page("attention")
    assert "This is a finished example" in words(app)
    assert "SASRec" in words(app)
    assert headers(app) == [
        "Attention by step",
        "Step by step",
        "Attention map",
        "Does attention indicate influence?",
    ]
    assert "of the attention is on" in words(app)
    assert len(app.get("plotly_chart")) == 2


@pytest.mark.parametrize("key", ["sasrec", "interest_attention"])
def test_an_example_says_how_often_it_expected_what_came(open_page: Open, key: str) -> None:
    person, found = next(iter(read_example(key).traces.items()))
    tokens, first = found.trace.tokens.tolist(), found.trace.next_items[:, 0].tolist()
    hits = sum(expected == came for expected, came in zip(first[:-1], tokens[1:], strict=True))
    text = words(open_page("attention", example=f"{key}.{person}"))
    assert f"the next item was ranked first in {hits} of {len(tokens) - 1} steps" in text


@pytest.mark.parametrize(
    ("key", "shows"),
    [("seq2seq", "How the sequence is generated"), ("interest_attention", "their moves in the item graph")],
)
def test_other_examples_are_opened_by_the_address(open_page: Open, key: str, shows: str) -> None:
    app = open_page("attention", example=key)
    assert shows in words(app)


def test_an_unknown_example_in_the_address_opens_the_first(open_page: Open) -> None:
    assert "SASRec" in words(open_page("attention", example="../../etc"))


def test_the_demo_view_shows_the_example_without_choices(open_page: Open) -> None:
    app = open_page("attention", view="demo")
    assert "This is a finished example" in words(app)
    assert not app.radio
    assert not app.selectbox


def test_another_person_of_the_example_is_shown(open_page: Open) -> None:
    app = open_page("attention")
    box = app.selectbox(key="attention_example_user_sasrec")
    other = box.options[1]
    app = no_exception(box.set_value(other).run())
    assert f"the history of user {other}" in words(app)
    assert named(app, "example") == f"sasrec.{other}"
    assert f"the history of user {other}" in words(open_page("attention", example=f"sasrec.{other}"))


def test_what_nobody_chose_is_not_kept(
    open_page: Open, trained_template: Finished, own_workspace: Path, answering_here: None
) -> None:
    """The example opens by itself before anything was trained; after that, the trained model does."""
    app = open_page("attention")
    assert "This is a finished example" in words(app)
    shutil.copytree(trained_template.root, own_workspace, dirs_exist_ok=True)
    app = no_exception(app.run())
    assert app.radio(key="attention_source").value == "mine"


def test_the_door_on_home_opens_the_example_whatever_was_looked_at_before(open_page: Open) -> None:
    app = open_page("attention")
    app = no_exception(app.radio(key="attention_source").set_value("mine").run())
    assert "No data yet" in words(app)
    app = no_exception(app.switch_page("pages/home.py").run())
    app = no_exception(app.button(key="door_attention").click().run())
    assert [title.value for title in app.title] == ["Attention"]
    assert "This is a finished example" in words(app)


def test_the_table_holds_a_row_for_each_look(open_page: Open) -> None:
    app = open_page("attention")
    app = no_exception(app.toggle(key="attention_as_table").set_value(True).run())
    table = app.dataframe[0].value
    assert table.groupby("step")["weight"].sum().to_numpy() == pytest.approx(1.0, abs=1e-4)


def test_without_data_my_models_say_what_to_do(open_page: Open) -> None:
    app = open_page("attention")
    app = no_exception(app.radio(key="attention_source").set_value("mine").run())
    assert "No data yet" in words(app)
    assert app.button(key="empty_go_data").label


def mine(open_page: Open, trained: Finished, **address: str) -> AppTest:
    """Open the page on trained models, whether there are any or not."""
    app = open_page("attention", data=trained.data, **address)
    return no_exception(app.radio(key="attention_source").set_value("mine").run())


def spoil_all(trained: Finished, state: JobState, reason: str | None = None) -> list[str]:
    """Put every model with attention into another state."""
    return [spoil(trained, key, state, reason) for key in ("sasrec", "seq2seq")]


def test_without_a_model_that_has_attention_it_says_which_to_train(
    open_page: Open, trained_template: Finished, own_workspace: Path
) -> None:
    data = Workspace(own_workspace).store(two_tastes()).fingerprint
    train(own_workspace, data, "Only popular", popular={})
    app = mine(open_page, Finished(own_workspace, data, ""))
    assert "No model with attention on this data set yet" in words(app)
    assert "SASRec" in words(app)
    assert app.button(key="empty_go_train").label


def test_a_failed_model_is_named_with_its_reason(open_page: Open, trained: Finished) -> None:
    spoil_all(trained, JobState.FAILED, "It was killed.")
    app = mine(open_page, trained)
    assert f"'{trained.opened().name}' failed: It was killed." in words(app)
    app = no_exception(app.button(key="empty_go_train").click().run())
    assert [title.value for title in app.title] == ["Train"]
    assert named(app, "run") == trained.run


@pytest.mark.parametrize(("state", "said"), [(JobState.RUNNING, "is running"), (JobState.QUEUED, "is queued")])
def test_a_model_under_way_is_named(
    open_page: Open, trained: Finished, no_engine_process: None, state: JobState, said: str
) -> None:
    for model_id in spoil_all(trained, state):
        if state is JobState.RUNNING:
            trained.opened().job(model_id).change([JobState.RUNNING], process=own_mark())
    app = mine(open_page, trained)
    assert f"of experiment '{trained.opened().name}' {said}" in words(app)
    assert app.button(key="empty_go_train").label


def test_the_newest_experiment_with_attention_leads(open_page: Open, trained: Finished) -> None:
    """A newer one without is passed over, also where the address names it; it is shown if somebody picks it here."""
    newer = train(trained.root, trained.data, "Only popular", popular={})
    app = answered(open_page("attention", data=trained.data))
    assert named(app, "run") == trained.run
    assert "has no finished model with attention" not in words(app)
    app = answered(open_page("attention", data=trained.data, run=newer))
    assert named(app, "run") == trained.run
    assert "popular, random' has no finished model with attention" in words(app)
    app = open_page("attention", data=trained.data, run="gone")
    assert "Experiment 'gone' is not in this workspace" in words(app)
    app = answered(app.button(key=f"dead_run_{trained.run}").click().run())
    assert named(app, "run") == trained.run
    app = no_exception(app.selectbox(key="attention_run").set_value(newer).run())
    assert "No model with attention in this experiment" in words(app)
    assert f"'{trained.opened().name}' has one" in words(app)
    app = answered(no_exception(app.button(key="attention_other_run").click().run()))
    assert named(app, "run") == trained.run
    assert "of the attention is on" in words(app)


def test_a_trained_model_is_asked_and_shown(open_page: Open, trained: Finished) -> None:
    app = answered(open_page("attention", **trained.address(user="person-4")))
    assert app.radio(key="attention_source").value == "mine"
    assert "of the attention is on" in words(app)
    assert "The top recommendation is" in words(app)
    assert f"Of the 12 items in this history, the model uses only the latest {WINDOW}" in words(app)
    assert len(app.get("plotly_chart")) == 2


def model_of(trained: Finished, key: str) -> str:
    return next(one for one in trained.opened().model_ids if one.startswith(key))


def test_what_a_sequence_is_beside_the_list_is_said(open_page: Open, trained: Finished) -> None:
    """Of the default decoding the list is the ranking of the first step, and begins with the item said first."""
    known = Trained(trained.root, trained.run, model_of(trained, "seq2seq"))
    query = QueryBatch(np.array([4]), Ragged.from_rows([known.dataset.histories()[4]]), np.full(12, 5.0))
    said = question("trace").answer(known, None, query=query).details["chosen_items"]
    listed = known.model.recommend(query, 10).item[0]
    assert (said[0], list(said) == list(listed)) == (listed[0], False)
    app = answered(open_page("attention", **trained.address(user="person-4", model=known.model_id)))
    assert "The list on the Recommend page is the ranking of step 1" in words(app)
    assert "Place 1 of the list" not in words(app)


def test_another_model_gives_up_what_was_asked_about_many_people(open_page: Open, trained: Finished) -> None:
    app = answered(open_page("attention", **trained.address(user="person-4")))
    app = answered(no_exception(app.button(key="attention_ask_study").click().run()))
    assert "Over many users" in [header.value for header in app.subheader]
    app = no_exception(app.selectbox(key="attention_model").set_value(model_of(trained, "seq2seq")).run())
    app = answered(app)
    assert app.button(key="attention_ask_study").label
    assert not app.subheader


def test_a_question_about_many_people_is_stopped_and_asked_again(
    open_page: Open, trained: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, let_go = model_queries.ask, threading.Event()

    def slow(model: model_queries.Named, name: str, ctx: RunContext, **arguments: object) -> object:
        while name in ("faithfulness", "heads") and not let_go.wait(0.02):
            if ctx.stop_requested():
                raise Cancelled("The request was cancelled.")
        return answer(model, name, ctx, **arguments)

    monkeypatch.setattr(model_queries, "ask", slow)
    app = answered(open_page("attention", **trained.address(user="person-4")))
    app = no_exception(app.button(key="attention_ask_study").click().run())
    assert len(app.get("progress")) == 2
    app = no_exception(app.button(key="attention_stop_study").click().run())
    assert not app.get("progress")
    let_go.set()
    app = answered(no_exception(app.button(key="attention_ask_study").click().run()))
    assert "over 40 users" in words(app)


def test_many_people_and_heads_are_asked_about_on_demand(open_page: Open, trained: Finished) -> None:
    app = answered(open_page("attention", **trained.address(user="person-4")))
    app = answered(no_exception(app.button(key="attention_ask_study").click().run()))
    assert "over 40 users" in words(app)
    assert "4 heads" in words(app)
    assert [header.value for header in app.subheader] == ["Over many users", "What does each head contribute?"]
    assert len(app.get("plotly_chart")) == 4


def test_deletion_effects_on_the_page_equal_a_recomputation(open_page: Open, trained: Finished) -> None:
    """The bars that the page draws are what the model's scores say, asked with and without each item that it reads."""
    app = answered(open_page("attention", **trained.address(user="person-4")))
    looks, effects = json.loads(app.get("plotly_chart")[-1].proto.spec)["data"]
    known = Trained(trained.root, trained.run, model_of(trained, "sasrec"))
    history = known.dataset.histories()[4]

    def scores(items: np.ndarray) -> np.ndarray:
        return known.model.score(QueryBatch(np.array([PAD]), Ragged.from_rows([items]), np.full(len(items), 5.0)))[0]

    read = history[-WINDOW:]
    assert len(history) == 12
    first = int(np.argmax(np.where(np.isin(np.arange(30), history), -np.inf, scores(history))))
    assert f"The top recommendation is '{title(first)}'" in words(app)
    expected = {title(item): scores(read)[first] - scores(read[read != item])[first] for item in read}
    weights = known.model.trace(QueryBatch(np.array([PAD]), Ragged.from_rows([history]), np.full(12, 5.0))).weights
    looked = dict(zip([title(item) for item in read], weights.mean(axis=(0, 1))[-1].tolist(), strict=True))
    assert dict(zip(effects["customdata"], drawn(effects["x"]), strict=True)) == pytest.approx(expected, abs=1e-5)
    assert dict(zip(looks["customdata"], drawn(looks["x"]), strict=True)) == pytest.approx(looked, abs=1e-5)


def title(item: int) -> str:
    return f"Film {item}" if item else escape(EVIL, quote=False)


def drawn(values: dict[str, str] | list[float]) -> list[float]:
    """Return numbers as a figure carries them to the browser: a list, or bytes with their type."""
    if isinstance(values, dict):
        return np.frombuffer(b64decode(values["bdata"]), dtype=values["dtype"]).tolist()
    return values


def by_hand(app: AppTest, trained: Finished, items: list[int]) -> AppTest:
    """Build a history by hand."""
    app = no_exception(app.radio(key="attention_kind").set_value("hand").run())
    return answered(no_exception(app.multiselect(key=f"attention_items_{trained.data}").set_value(items).run()))


def test_a_history_is_built_by_hand_in_its_order(open_page: Open, trained: Finished) -> None:
    app = by_hand(answered(open_page("attention", **trained.address(user="person-4"))), trained, [3, 0, 7])
    assert "oldest first" in words(app)
    assert "Each item counts as rated 5, the maximum" in words(app)
    assert "Film 3" in words(app) or "Film 7" in words(app) or "Evil" in words(app)
    app = no_exception(app.button(key="attention_reverse").click().run())
    assert app.multiselect(key=f"attention_items_{trained.data}").value == [7, 0, 3]


def test_a_persons_history_is_taken_over_with_its_ratings(
    open_page: Open, trained: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ratings matter to models that read liked items only; an item that is added counts as liked."""
    answer, asked = model_queries.ask, []

    def noted(model: model_queries.Named, name: str, ctx: object, **arguments: object) -> object:
        asked.append((name, arguments.get("query")))
        return answer(model, name, ctx, **arguments)

    monkeypatch.setattr(model_queries, "ask", noted)
    app = answered(open_page("attention", **trained.address(user="person-4")))
    (own,) = {query.values.tobytes(): query for name, query in asked if name == "trace"}.values()
    assert {2.0, 5.0} == set(own.values.tolist())
    app = answered(no_exception(app.button(key="attention_take_over").click().run()))
    chosen = app.multiselect(key=f"attention_items_{trained.data}")
    assert chosen.value == own.history[0].tolist()
    taken = asked[-1][1]
    assert taken.values.tolist() == own.values.tolist()
    added = next(item for item in range(30) if item not in chosen.value)
    app = answered(no_exception(chosen.set_value([*chosen.value, added]).run()))
    assert asked[-1][1].values.tolist() == [*own.values.tolist(), 5.0]
    assert "Items of the original history keep the user's rating; added items count as rated 5" in words(app)


def test_a_history_by_hand_outlives_another_source_and_another_page(open_page: Open, trained: Finished) -> None:
    app = by_hand(answered(open_page("attention", **trained.address(user="person-4"))), trained, [3, 0, 7])
    app = no_exception(app.radio(key="attention_source").set_value("example").run())
    app = answered(no_exception(app.radio(key="attention_source").set_value("mine").run()))
    assert app.multiselect(key=f"attention_items_{trained.data}").value == [3, 0, 7]
    app = no_exception(app.switch_page("pages/home.py").run())
    app = answered(no_exception(app.switch_page("pages/attention.py").run()))
    assert app.multiselect(key=f"attention_items_{trained.data}").value == [3, 0, 7]


def five_items(trained: Finished, **models: dict[str, object]) -> str:
    """Store a data set of five items in the same workspace, and train models on it; return its fingerprint."""
    frame = pd.DataFrame({"user": np.repeat(np.arange(20), 4), "item": np.arange(80) % 5}).astype("int32")
    other = Workspace(trained.root).store(dataset_from_frames(frame, name="Five items")).fingerprint
    train(trained.root, other, "Few", **models)
    return other


def test_an_edited_history_of_recommendations_belongs_to_its_data(open_page: Open, trained: Finished) -> None:
    other = five_items(trained, popular={})
    app = answered(open_page("recommend", **trained.address(history="new.x3~5_x20~5", show="lists")))
    assert "2 items in the history" in words(app)
    app = no_exception(app.selectbox(key="recommend_data").set_value(other).run())
    assert "0 items in the history" in words(app)


def test_a_history_by_hand_belongs_to_its_data(open_page: Open, trained: Finished) -> None:
    """Positions of one data set are other items in another one, or none."""
    other = five_items(trained, sasrec=SMALL)
    app = by_hand(answered(open_page("attention", **trained.address(user="person-4"))), trained, [3, 20])
    app = no_exception(app.selectbox(key="attention_data").set_value(other).run())
    assert app.multiselect(key=f"attention_items_{other}").value == []
    app = answered(no_exception(app.selectbox(key="attention_data").set_value(trained.data).run()))
    assert app.multiselect(key=f"attention_items_{trained.data}").value == [3, 20]


def test_a_history_of_one_item_says_why_nothing_is_compared(open_page: Open, trained: Finished) -> None:
    app = by_hand(answered(open_page("attention", **trained.address(user="person-4"))), trained, [3])
    assert "Nothing to compare: without the only item of this history" in words(app)


def test_somebody_who_has_everything_is_told_why_nothing_is_compared(open_page: Open, trained: Finished) -> None:
    app = by_hand(answered(open_page("attention", **trained.address(user="person-4"))), trained, list(range(30)))
    assert "Nothing to compare: there is no item left to recommend" in words(app)


def test_titles_from_outside_stay_text(open_page: Open, trained: Finished) -> None:
    app = by_hand(answered(open_page("attention", **trained.address(user="person-4"))), trained, [0])
    assert EVIL in words(app)
    assert not any("<b>Evil" in element.value for element in app.markdown)


def test_the_files_hold_the_heads_that_are_on_and_all_numbers(open_page: Open) -> None:
    app = open_page("attention", example="seq2seq")
    names = {button.proto.id.rsplit("-", 1)[-1] for button in app.get("download_button")}
    assert {"figure_attention_map_html", "figure_attention_map_csv", "lines_html", "lines_csv"} <= names


def test_while_the_model_is_trained_the_example_is_shown(open_page: Open, trained: Finished) -> None:
    for running in spoil_all(trained, JobState.RUNNING):
        trained.opened().job(running).change([JobState.RUNNING], process=own_mark())
    app = open_page("attention", data=trained.data)
    assert "This is a finished example" in words(app)


def test_weights_that_are_no_softmax_are_explained(open_page: Open, trained: Finished) -> None:
    variant = SMALL | {"block": "hstu", "mask": "cloze"}
    run = train(trained.root, trained.data, "Pointwise", sasrec=variant)
    app = answered(open_page("attention", run=run))
    no_exception(app)
    assert "The attention weights of this model are not a softmax" in words(app)
    assert "Each step is the mask token placed after this item" in words(app)
    app = answered(app.toggle("attention_as_table").set_value(True).run())
    no_exception(app)
    assert "raw_weight" in app.dataframe[0].value.columns
