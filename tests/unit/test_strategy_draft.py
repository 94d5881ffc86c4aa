"""The strategy being edited: cards are added, moved, switched, duplicated and deleted; what does not fit is refused."""

from types import SimpleNamespace

import pytest

from pages.strategy_parts import draft
from recsys_core.strategy.cards import Cap, Explore, Mix, Mmr, Part, Strategy

CARDS = (Mmr(weight=0.1), Mmr(weight=0.2), Mmr(weight=0.3))


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A session without a browser, which keeps what is said in passing."""
    fake = SimpleNamespace(session_state={}, said=[])
    fake.toast = lambda text, icon: fake.said.append(text)
    monkeypatch.setattr(draft, "st", fake)
    monkeypatch.setattr(draft.state, "get", lambda name: "data")
    draft.keep(Strategy(cards=CARDS))
    return fake


def acted(what: str, at: int, to: int | None = None) -> tuple[list[float], int | None]:
    """Return the weights of the cards after an action, and the selected card."""
    draft.act(draft.current(10), {"what": what, "at": at, "to": at if to is None else to})
    strategy = draft.current(10)
    return [card.weight for card in strategy.cards], draft.selected(strategy)


@pytest.mark.parametrize(
    ("what", "at", "to", "weights", "selected"),
    [
        ("select", 1, 1, [0.1, 0.2, 0.3], 1),
        ("move", 0, 2, [0.2, 0.3, 0.1], 2),
        ("move", 2, 1, [0.1, 0.3, 0.2], 1),
        ("duplicate", 1, 1, [0.1, 0.2, 0.2, 0.3], 2),
        ("delete", 0, 0, [0.2, 0.3], None),
        ("delete", 3, 3, [0.1, 0.2, 0.3], None),
        ("move", 0, -1, [0.1, 0.2, 0.3], None),
    ],
)
def test_actions(what: str, at: int, to: int, weights: list[float], selected: int | None) -> None:
    assert acted(what, at, to) == (weights, selected)


def test_a_switch_turns_one_card_off_and_on() -> None:
    acted("switch", 1)
    assert [card.on for card in draft.current(10).cards] == [True, False, True]
    acted("switch", 1)
    assert all(card.on for card in draft.current(10).cards)


def test_a_mix_goes_in_front_and_other_cards_before_one_that_explores() -> None:
    draft.add(draft.current(10), Explore())
    draft.add(draft.current(10), Cap(field="brand"))
    draft.add(draft.current(10), Mix(models=[Part(model="a"), Part(model="b")]))
    kinds = [card.kind for card in draft.current(10).cards]
    assert kinds == ["mix", "mmr", "mmr", "mmr", "cap", "explore"]
    assert draft.selected(draft.current(10)) == 0


def test_a_move_that_does_not_fit_is_refused_with_the_reason(session: SimpleNamespace) -> None:
    draft.add(draft.current(10), Explore())
    before = draft.current(10)
    draft.act(before, {"what": "move", "at": 3, "to": 0})
    assert draft.current(10) == before
    assert "last card" in session.said[0]


def test_a_second_click_that_meets_another_list_does_nothing() -> None:
    strategy = draft.current(10)
    action = {"what": "delete", "at": 0, "to": 0, "of": 3}
    draft.act(strategy, action)
    draft.act(draft.current(10), action)
    assert [card.weight for card in draft.current(10).cards] == [0.2, 0.3]
