"""The tabs Off-policy evaluation and A/B tests, drawn alone: each of their states, by what is read on them."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from recsys_core.data.synthetic.samples import load_sample
from recsys_core.data.workspace import Workspace
from recsys_core.experiments.execution import execute
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.serving import log_process
from tests.pages.finished import PATIENCE_SECONDS, Finished, in_this_process, looking_at, no_exception, words

LOG = b"user,impression,position,item,propensity,click\n" + b"".join(
    f"u{number},{number},{place},{item},0.5,{(number + place) % 2}\n".encode()
    for number in range(60)
    for place, item in ((1, "a"), (2, "b"))
)


@pytest.fixture(scope="session")
def shop_template(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    root = tmp_path_factory.mktemp("shop") / "workspace"
    workspace, store = Workspace(root), ResultStore(root)
    data = workspace.store(load_sample("shop")).fingerprint
    spec = ExperimentSpec(
        data=data, models=[{"key": "popular"}, {"key": "ease"}], split={"kind": "global_time"},
        target=("purchase",), learn_from={"click": 1.0, "purchase": 4.0}, k=5, cutoffs=(5, 6),
    )  # fmt: skip
    run = store.create(spec, "Shop")
    for model_id in run.model_ids:
        status = execute(store, run.id, model_id, workspace, 1)
        assert status.state is JobState.DONE, status.reason
    return Finished(root, data, run.id)


@pytest.fixture
def shop(shop_template: Finished, own_workspace: object, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    yield from looking_at(shop_template, monkeypatch)


@pytest.fixture
def draw() -> Callable[..., AppTest]:
    """Draw a tab alone, for the experiment of this id."""

    def script(tab: str, run: str, strategy_of: str) -> None:
        from pages.strategy_parts.ab_test import show_ab_test
        from pages.strategy_parts.off_policy import show_off_policy
        from pages.ui import services
        from recsys_core.experiments.truth_mode import stored_policy

        opened = services.store().open(run) if run else None
        if tab == "ab_test":
            show_ab_test(opened)
        elif strategy_of and opened is not None:
            show_off_policy(opened, {"Ours": stored_policy(opened, strategy_of)}, (strategy_of,))
        else:
            show_off_policy(opened)

    def drawn(tab: str, run: str = "", strategy_of: str = "", **state: object) -> AppTest:
        given = {"tab": tab, "run": run, "strategy_of": strategy_of}
        app = AppTest.from_function(script, default_timeout=PATIENCE_SECONDS, kwargs=given)
        for key, value in state.items():
            app.session_state[key] = value
        return answered(app.run())

    return drawn


def answered(app: AppTest) -> AppTest:
    no_exception(app)
    for _ in range(100):
        if not app.get("progress"):
            break
        app.run()
    return no_exception(app)


def test_without_a_log_it_says_what_to_do(draw: Callable[..., AppTest]) -> None:
    app = draw("off_policy")
    assert "Upload a log, or open an example" in words(app)
    app.button(key="ope_example_open").click()
    app = answered(app.run())
    assert "All checks of the log passed." in words(app)
    assert "Doubly robust: the policy earns" in words(app)
    assert {metric.label for metric in app.metric} >= {"Effective sample size", "Largest weight", "Rows"}


def test_an_uploaded_log_is_checked_and_a_broken_one_refused(
    draw: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first log is read by a process, as the logs of users are."""
    app = draw("off_policy")
    app.file_uploader[0].upload("log.csv", LOG, "text/csv")
    app = answered(app.run())
    assert "All checks of the log passed." in words(app)
    assert "per impression" in words(app)
    in_this_process(monkeypatch, log_process)
    app.file_uploader[0].upload("log.csv", LOG.replace(b"propensity", b"chance"), "text/csv")
    app = answered(app.run())
    assert "The log has no propensities" in app.error[0].value
    assert "the policy earns" not in words(app)
    app.file_uploader[0].upload("log.csv", b"x,y\n1,2\n", "text/csv")
    app = answered(app.run())
    assert "no column for user, item, reward" in app.error[0].value.replace("\\", "")


def test_truth_mode_needs_the_shop_and_offers_it(draw: Callable[..., AppTest]) -> None:
    app = draw("off_policy", ope_view="truth")
    assert "trained on the sample" in words(app)
    assert app.button(key="ope_truth_train").label == "Train three models on the shop"


def test_truth_mode_shows_estimate_and_truth(draw: Callable[..., AppTest], shop: Finished) -> None:
    app = draw("off_policy", shop.run, ope_view="truth", ope_truth_visitors=500)
    assert "Doubly robust: the true value of" in words(app)
    assert "Offline metric and true value" in words(app)
    assert "500 simulated visitors" in words(app)
    app.selectbox(key="ope_truth_show").set_value("softmax")
    assert "500 simulated visitors" in words(answered(app.run()))


def test_lists_of_a_trained_model_are_evaluated_on_a_log(draw: Callable[..., AppTest], shop: Finished) -> None:
    app = draw("off_policy", shop.run, ope_example=True, ope_policy="model")
    assert "Doubly robust: the policy earns" in words(app)
    assert "has no list for the users of" in words(app)


def test_final_lists_of_a_strategy_are_evaluated_on_a_log(draw: Callable[..., AppTest], shop: Finished) -> None:
    """A strategy with the lists of a model earns what the model earns."""
    ease = ResultStore(shop.root).open(shop.run).finished()[-1]
    app = draw("off_policy", shop.run, ease, ope_example=True, ope_policy="strategy")
    assert app.selectbox(key="ope_strategy").value == "Ours"
    earned = [line for line in words(app).splitlines() if "the policy earns" in line]
    assert earned
    app.radio(key="ope_policy").set_value("model")
    app = answered(app.run())
    app.selectbox(key="ope_model").set_value(ease)
    assert [line for line in words(answered(app.run())).splitlines() if "the policy earns" in line] == earned


def test_exploration_shows_regret(draw: Callable[..., AppTest]) -> None:
    app = draw("off_policy", ope_view="exploration", ope_explore_steps=1000, ope_explore_seeds=3)
    assert "has the lowest mean regret" in words(app)
    app.multiselect(key="ope_explore_policies").set_value([])
    assert "Choose at least one policy." in words(answered(app.run()))


def test_a_test_is_planned_from_a_run_and_from_a_file(
    draw: Callable[..., AppTest], shop: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_this_process(monkeypatch, log_process)
    app = draw("ab_test", shop.run, ab_source="run")
    assert "users are needed to detect a difference of" in words(app)
    assert "With CUPED" in words(app)
    assert "A/A replays are false wins" in words(app)
    app = draw("ab_test")
    assert "users are needed" not in words(app)
    values = "value,before\n" + "".join(f"{number % 7},{number % 5}\n" for number in range(100))
    app.file_uploader[0].upload("values.csv", values.encode(), "text/csv")
    assert "if their values vary like those of the 100 stored users" in words(answered(app.run()))


def test_a_finished_test_is_read_from_counts(draw: Callable[..., AppTest]) -> None:
    app = draw("ab_test", ab_view="read")
    assert "The result appears when all counts are filled in." in words(app)
    for key, value in (("users_0", 5000), ("wins_0", 500), ("users_1", 5000), ("wins_1", 400)):
        app.number_input(key=f"ab_{key}").set_value(value)
    app = answered(app.run())
    assert "treatment 1 is lower than control by 0.020" in words(app)
    app.number_input(key="ab_users_1").set_value(5600)
    assert "Sample-ratio mismatch" in words(answered(app.run()))
    app.number_input(key="ab_wins_1").set_value(9000)
    assert "is impossible" in answered(app.run()).error[0].value
