"""The Strategy page: what it says is what the library computes; saving, opening by link, states."""

import re
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from recsys_core.data.workspace import Workspace
from recsys_core.experiments.candidates import candidates_of
from recsys_core.strategy.cards import (
    Boost,
    Cap,
    Card,
    Condition,
    Exposure,
    Filter,
    Mix,
    Mmr,
    Part,
    Pin,
    Quota,
    Strategy,
)
from recsys_core.strategy.prices import Pricing
from recsys_core.strategy.store import StrategyStore
from tests.pages.finished import Finished, finished, finished_template, no_exception, open_page, until, words

__all__ = ["finished", "finished_template", "open_page"]
Open = Callable[..., AppTest]
POPULAR = Condition(field="popularity", op=">", value=15.0)
STRATEGY = Strategy(cards=(Mmr(weight=0.5), Boost(when=POPULAR, places=-3)), k=5, pool=20)
READY = "Accuracy is measured on"


@pytest.fixture
def edited(open_page: Open, finished: Finished) -> Callable[..., AppTest]:
    """Open the page on a strategy that is being edited, and wait for what is computed beside it."""

    def opened(strategy: Strategy | None = STRATEGY, *, view: str = "prices", ready: str = READY) -> AppTest:
        app = open_page("strategy", **finished.address(model=ease(finished)))
        if strategy is not None:
            app.session_state["strategy_drafts"] = {finished.data: strategy.model_dump_json()}
        app.session_state["strategy_view"] = view
        return until(no_exception(app.run()), lambda: ready in words(app))

    return opened


def ease(finished: Finished) -> str:
    return next(model for model in finished.opened().model_ids if model.startswith("ease"))


def pricing_of(finished: Finished) -> Pricing:
    dataset = Workspace(finished.root).open(finished.data)
    return Pricing(candidates_of(finished.opened(), ease(finished), 20, dataset), k=5)


def test_without_a_trained_model_there_is_a_button_to_train(open_page: Open) -> None:
    app = open_page("strategy")
    assert "No data yet" in words(app)


def test_without_cards_nothing_changes(edited: Callable[..., AppTest], finished: Finished) -> None:
    app = edited(None)
    own = pricing_of(finished).candidates
    judged, users = int((own.relevant.lengths > 0).sum()), len(own.users)
    assert judged < users, "the two counts must differ"
    assert f"the relevant held-out items of {judged} users; the other metrics" in words(app)
    assert f"the lists of all {users} test users" in words(app)
    assert "No card yet" in words(app)
    assert "The strategy leaves NDCG@5 at" in words(app)
    assert "The lists of all test users stay as they are" in words(app)


def test_the_sentence_has_the_numbers_of_the_library(edited: Callable[..., AppTest], finished: Finished) -> None:
    app = edited()
    tags = pricing_of(finished).price(STRATEGY).of("whole").set_index("metric")
    row = tags.loc["ndcg@5"]
    text = words(app)
    assert f"{row['before']:.3f}" in text
    assert f"{row['after']:.3f}" in text
    shown = next(one.value for one in app.dataframe if "95% interval" in one.value)
    assert shown["Change"].tolist() == pytest.approx(tags["difference"].tolist())
    assert "items that meet the condition fall by" in text


def test_a_card_that_changes_nothing_is_found(edited: Callable[..., AppTest]) -> None:
    never = Filter(when=Condition(field="popularity", op="<", value=0.0), action="drop")
    app = edited(STRATEGY.model_copy(update={"cards": (never,)}), ready="Card 1")
    assert any("Card 1" in box.value for box in [*app.error, *app.warning, *app.info])


@pytest.mark.parametrize(
    ("view", "ready"),
    [
        ("frontier", "Filled points are Pareto-optimal"),
        ("groups", "corrected for all groups"),
        ("exposure", "Select a field of the items"),
        ("list", "Latest items of this user"),
        ("decision", "Compare with another strategy"),
    ],
)
def test_every_view_is_drawn(edited: Callable[..., AppTest], view: str, ready: str) -> None:
    assert ready in words(edited(view=view, ready=ready))


def test_a_strategy_is_saved_opened_by_its_link_promoted_and_rolled_back(
    edited: Callable[..., AppTest], open_page: Open, finished: Finished
) -> None:
    app = edited(view="decision", ready="Save the strategy to give it a state")
    app.text_input(key="strategy_name_").set_value("Spring")
    no_exception(app.run())
    app = until(
        no_exception(app.button(key="strategy_new").click().run()), lambda: "Spring, version 1 of 1." in words(app)
    )
    store = StrategyStore(finished.root)
    [stored] = store.all()
    assert store.strategy(stored.id).cards == STRATEGY.cards
    assert app.query_params["strategy"] == stored.id
    no_exception(app.button(key="strategy_state_trusted").click().run())
    assert store.open(stored.id).state == "trusted"
    assert store.open(stored.id).log[-1].note.startswith("Experiment Two tastes")
    assert re.search("Promote|Hold|Reject", store.open(stored.id).log[-1].note)
    app.session_state["strategy_drafts"] = {finished.data: STRATEGY.model_copy(update={"k": 4}).model_dump_json()}
    app = until(no_exception(app.run()), lambda: "Save the changes first" in words(app))
    store.save(STRATEGY.model_copy(update={"cards": ()}), key=stored.id)
    other = open_page("strategy", **finished.address(model=ease(finished), strategy=stored.id))
    assert "Spring, version 2 of 2." in words(other)
    other.session_state["strategy_view"] = "decision"
    other = until(no_exception(other.run()), lambda: "Compare with another strategy" in words(other))
    no_exception(other.button(key="strategy_roll_back").click().run())
    assert "Spring, version 1 of 2." in words(other)
    assert store.open(stored.id).current == stored.current


def test_cards_that_are_not_saved_survive_a_reload(
    edited: Callable[..., AppTest], open_page: Open, finished: Finished
) -> None:
    app = edited()
    code = app.query_params["cards"]
    code = code if isinstance(code, str) else code[0]
    again = open_page("strategy", **finished.address(model=ease(finished), cards=code))
    assert Strategy.model_validate_json(again.session_state["strategy_drafts"][finished.data]) == STRATEGY
    stored = StrategyStore(finished.root).save(STRATEGY, name="Spring")
    saved = open_page("strategy", **finished.address(model=ease(finished), strategy=stored.id, cards=code))
    assert "cards" not in saved.query_params, "they are those of the saved strategy"
    new = no_exception(saved.selectbox(key="strategy_open").set_value("").run())
    assert "No card yet" in words(new)
    broken = open_page("strategy", **finished.address(model=ease(finished), cards="x" * 30))
    assert "The cards in this link cannot be read; they are ignored." in words(broken)
    assert "No card yet" in words(broken)
    assert "cards" not in broken.query_params


def test_a_link_to_a_strategy_that_is_gone_says_so(open_page: Open, finished: Finished) -> None:
    app = open_page("strategy", **finished.address(strategy="gone"))
    assert "There is no stored strategy 'gone'" in words(app)


GROUPED = Quota(when=POPULAR, least=1)
FOREIGN = Condition(field="item.brand", op="=", value="x", also=(Condition(field="id", op="in", value=("a", "b")),))


@pytest.mark.parametrize(
    "card",
    [
        GROUPED,
        Quota(each="title", most=2),
        Exposure(when=POPULAR, least=0.1),
        Cap(field="brand"),
        Filter(when=FOREIGN),
        Filter(when=Condition(field="popularity", op="in", value=(1193202.0, 2.5))),
        Boost(when=Condition(field="item.popularity", op="<=", value=7.0)),
        Pin(item="not here"),
        Mix(models=[Part(model="of another run"), Part(model="gone", weight=2.0)]),
    ],
)
def test_a_card_that_is_looked_at_stays_as_it_is(open_page: Open, finished: Finished, card: Card) -> None:
    """Fields, items and models that these data lack are shown as such and kept."""
    strategy = Strategy(cards=(card,), k=5, pool=20)
    app = open_page("strategy", **finished.address(model=ease(finished)))
    app.session_state["strategy_drafts"] = {finished.data: strategy.model_dump_json()}
    app.session_state["strategy_selected"] = 0
    app = no_exception(no_exception(app.run()).run())
    kept = Strategy.model_validate_json(app.session_state["strategy_drafts"][finished.data])
    assert kept == strategy


def test_a_condition_of_a_quota_can_be_chosen_again(open_page: Open, finished: Finished) -> None:
    app = open_page("strategy", **finished.address(model=ease(finished)))
    strategy = Strategy(cards=(Quota(each="title", most=2),), k=5, pool=20)
    app.session_state["strategy_drafts"] = {finished.data: strategy.model_dump_json()}
    app.session_state["strategy_selected"] = 0
    app = no_exception(app.run())
    [choice] = [one for one in app.radio if str(one.key).endswith("_group")]
    no_exception(choice.set_value("condition").run())
    [card] = Strategy.model_validate_json(app.session_state["strategy_drafts"][finished.data]).cards
    assert isinstance(card, Quota)
    assert card.when is not None
    assert card.each == ""


def test_a_strategy_is_uploaded_as_a_file_and_renamed(edited: Callable[..., AppTest], finished: Finished) -> None:
    store = StrategyStore(finished.root)
    app = edited(None)
    for content, said in ((b'{"cards": [{"kind": "mmr"}]}', ""), (b"[" * 100_000, "is nested more deeply")):
        app.file_uploader[0].upload("mine.json", content, "application/json")
        app = no_exception(app.run())
        assert said in words(app)
    kept = Strategy.model_validate_json(app.session_state["strategy_drafts"][finished.data])
    assert [card.kind for card in kept.cards] == ["mmr"]
    stored = store.save(kept, name="Old")
    app.session_state["strategy_opened"] = {finished.data: stored.id}
    app = no_exception(app.run())
    app.text_input(key=f"strategy_name_{stored.id}").set_value("New")
    no_exception(app.run())
    no_exception(app.button(key="strategy_rename").click().run())
    assert store.open(stored.id).name == "New"


def test_more_candidates_can_be_read(edited: Callable[..., AppTest], finished: Finished) -> None:
    app = edited()
    no_exception(app.number_input(key="strategy_pool").set_value(25).run())
    assert Strategy.model_validate_json(app.session_state["strategy_drafts"][finished.data]).pool == 25
