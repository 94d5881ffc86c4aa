"""The page Attention: an example before anything was trained, a trained model, and a history built by hand."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import asking
from recsys_core.data.workspace import Workspace
from recsys_core.engine.questions import Trained, question
from recsys_core.experiments.execution import execute
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.processes import own_mark
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from tests.pages.finished import EVIL, Finished, no_exception, open_page, spoil, two_tastes, words

__all__ = ["open_page"]
Open = Callable[..., AppTest]
SMALL = {"width": 8, "epochs": 1, "window": 20, "batch_size": 16, "patience": 0}


@pytest.fixture(scope="session")
def trained_template(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    root = tmp_path_factory.mktemp("attention") / "workspace"
    workspace, store = Workspace(root), ResultStore(root)
    data = workspace.store(two_tastes()).fingerprint
    spec = ExperimentSpec.model_validate({"data": data, "models": [{"key": "sasrec", "config": SMALL}]})
    run = store.create(spec, "Two tastes")
    for model_id in run.model_ids:
        status = execute(store, run.id, model_id, workspace, 1)
        assert status.state is JobState.DONE, status.reason
    return Finished(root, data, run.id)


@pytest.fixture
def trained(trained_template: Finished, own_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Finished:
    """A workspace with a trained SASRec, which this process answers for: no process is started for each test."""
    shutil.copytree(trained_template.root, own_workspace)

    def ask(model: asking.Named, name: str, ctx: object, **arguments: object) -> object:
        return question(name).answer(Trained(Path(model.root), model.run, model.id), ctx, **arguments)

    monkeypatch.setattr(asking, "ask", ask)
    return Finished(own_workspace, trained_template.data, trained_template.run)


def answered(app: AppTest) -> AppTest:
    """Run the page until no bar says that a model is asked."""
    for _ in range(30):
        if not app.get("progress"):
            return app
        app = no_exception(app.run())
    raise AssertionError("The model has not answered.")


def headers(app: AppTest) -> list[str]:
    return [header.value for header in app.header]


def test_the_first_visit_opens_on_a_finished_example_that_says_so(open_page: Open) -> None:
    app = open_page("attention")
    assert "This is a finished example" in words(app)
    assert "SASRec" in words(app)
    assert headers(app) == [
        "Who looked at what?",
        "Step by step",
        "All looks at once",
        "Does attention tell what matters?",
    ]
    assert "of the attention goes to" in words(app)
    assert len(app.get("plotly_chart")) == 2


@pytest.mark.parametrize(
    ("key", "shows"), [("seq2seq", "How the list is written"), ("interest_attention", "points of")]
)
def test_other_examples_are_opened_by_the_address(open_page: Open, key: str, shows: str) -> None:
    app = open_page("attention", example=key)
    assert shows in words(app)


def test_an_unknown_example_in_the_address_opens_the_first(open_page: Open) -> None:
    assert "SASRec" in words(open_page("attention", example="../../etc"))


def test_another_person_of_the_example_is_shown(open_page: Open) -> None:
    app = open_page("attention")
    box = app.selectbox(key="attention_example_user_sasrec")
    other = box.options[1]
    app = no_exception(box.set_value(other).run())
    assert f"what user {other} did" in words(app)


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


def test_without_a_model_that_has_attention_it_leads_to_train(open_page: Open, trained: Finished) -> None:
    spoil(trained, "sasrec", JobState.FAILED, "It was killed.")
    app = open_page("attention", data=trained.data)
    assert "This is a finished example" in words(app)
    app = no_exception(app.radio(key="attention_source").set_value("mine").run())
    assert "No model with attention on these data yet" in words(app)
    assert app.button(key="empty_go_train").label


def test_a_trained_model_is_asked_and_shown(open_page: Open, trained: Finished) -> None:
    app = answered(open_page("attention", **trained.address(user="person-4")))
    assert app.radio(key="attention_source").value == "mine"
    assert "of the attention goes to" in words(app)
    assert "The model puts" in words(app)
    assert len(app.get("plotly_chart")) == 2


def test_many_people_and_heads_are_asked_about_on_demand(open_page: Open, trained: Finished) -> None:
    app = answered(open_page("attention", **trained.address(user="person-4")))
    app = answered(no_exception(app.button(key="attention_ask_study").click().run()))
    assert "over 40 people" in words(app)
    assert "of its 4 heads" in words(app)
    assert [header.value for header in app.subheader] == ["And over many people?", "What is each head good for?"]
    assert len(app.get("plotly_chart")) == 4


def test_deletion_effects_on_the_page_equal_a_recomputation(open_page: Open, trained: Finished) -> None:
    """What the page draws is what the model's own scores say, asked with and without each item."""
    import numpy as np

    from recsys_core.contracts import PAD, QueryBatch, Ragged
    from recsys_core.explain.attention import attended
    from recsys_core.explain.attention_effects import beside

    run = trained.opened()
    known = Trained(trained.root, run.id, next(one for one in run.model_ids if one.startswith("sasrec")))
    history = known.dataset.histories()[4]
    query = QueryBatch(np.array([PAD]), Ragged.from_rows([history]), np.full(len(history), 5.0, dtype=np.float32))
    item = int(known.model.recommend(query, 1).item[0, 0])
    found = attended(question("trace").answer(known, None, query=query), known.dataset)
    shown = beside(found, question("deletion").answer(known, None, query=query, item=item), "it").table
    whole = known.model.score(query)[0, item]
    for row in shown.to_dict("records"):
        rest = history[history != row["item"]]
        asked = QueryBatch(np.array([PAD]), Ragged.from_rows([rest]), np.full(len(rest), 5.0, dtype=np.float32))
        assert row["effect"] == pytest.approx(whole - known.model.score(asked)[0, item], abs=1e-5)


def test_a_history_is_built_by_hand_in_its_order(open_page: Open, trained: Finished) -> None:
    app = answered(open_page("attention", **trained.address(user="person-4")))
    app = no_exception(app.radio(key="attention_kind").set_value("hand").run())
    assert "oldest first" in words(app)
    app = no_exception(app.multiselect(key="attention_items").set_value([3, 0, 7]).run())
    app = answered(app)
    assert "Film 3" in words(app) or "Film 7" in words(app) or "Evil" in words(app)
    app = no_exception(app.button(key="attention_reverse").click().run())
    assert app.multiselect(key="attention_items").value == [7, 0, 3]


def test_a_persons_history_is_taken_over_to_be_changed(open_page: Open, trained: Finished) -> None:
    app = answered(open_page("attention", **trained.address(user="person-4")))
    app = answered(no_exception(app.button(key="attention_take_over").click().run()))
    assert len(app.multiselect(key="attention_items").value) == 12


def test_titles_from_outside_stay_text(open_page: Open, trained: Finished) -> None:
    app = answered(open_page("attention", **trained.address(user="person-4")))
    app = no_exception(app.radio(key="attention_kind").set_value("hand").run())
    app = answered(no_exception(app.multiselect(key="attention_items").set_value([0]).run()))
    assert EVIL in words(app)
    assert not any("<b>Evil" in element.value for element in app.markdown)


def test_while_the_model_is_trained_the_example_is_shown(open_page: Open, trained: Finished) -> None:
    running = spoil(trained, "sasrec", JobState.RUNNING)
    trained.opened().job(running).change([JobState.RUNNING], process=own_mark())
    app = open_page("attention", data=trained.data)
    assert "This is a finished example" in words(app)
