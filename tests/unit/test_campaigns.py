"""Campaigns on a day, as priced, and strategies for one user."""

from datetime import date

import pytest

from recsys_core.strategy.campaigns import as_running, for_one_user, has_campaigns, on_day
from recsys_core.strategy.cards import Exposure, Mix, Mmr, Part, Pin, Strategy

SPRING = Pin(item="a", start=date(2026, 3, 1), end=date(2026, 5, 31))
ALWAYS = Pin(item="b")


@pytest.mark.parametrize(
    ("day", "runs"),
    [
        (date(2026, 2, 28), False),
        (date(2026, 3, 1), True),
        (date(2026, 5, 31), True),
        (date(2026, 6, 1), False),
    ],
)
def test_a_campaign_runs_from_its_first_to_its_last_day(day: date, runs: bool) -> None:
    dated, undated = on_day(Strategy(cards=(SPRING, ALWAYS)), day).cards
    assert (dated.on, dated.start, dated.end) == (runs, None, None)
    assert undated == ALWAYS


def test_prices_have_every_campaign_running_but_cards_that_are_off_stay_off() -> None:
    strategy = Strategy(cards=(SPRING, SPRING.model_copy(update={"on": False}), Mmr()))
    assert has_campaigns(strategy)
    running = as_running(strategy)
    assert not has_campaigns(running)
    assert [card.on for card in running.cards] == [True, False, True]


def test_one_user_has_neither_a_mix_nor_shares_of_exposure() -> None:
    mix = Mix(models=[Part(model="x"), Part(model="y")])
    strategy = Strategy(cards=(mix, Mmr(), Exposure(each="brand", least=0.1)))
    applied, off = for_one_user(strategy)
    assert off == (0, 2)
    assert [card.on for card in applied.cards] == [False, True, False]
    assert for_one_user(applied) == (applied, ())
