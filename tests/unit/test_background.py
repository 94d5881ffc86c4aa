"""Background work of a page: shared by equal requests, cancelled for a newer one, with progress and errors."""

import threading

import pytest

from recsys_core.contracts import RunContext
from recsys_core.errors import Cancelled, DataError
from recsys_core.serving.background import Background


def test_an_equal_question_is_answered_once() -> None:
    background, calls = Background(), []
    tickets = [background.ask("count", 1, lambda _: calls.append(1) or 42) for _ in range(3)]
    assert [ticket.result() for ticket in tickets] == [42, 42, 42]
    assert calls == [1]


def test_a_newer_question_of_the_group_gives_the_older_one_up() -> None:
    background, begun, held = Background(), threading.Event(), threading.Event()

    def long_work(ctx: RunContext) -> None:
        begun.set()
        for _ in ctx.track(range(10_000), stage="rows"):
            held.wait(0.01)

    old = background.ask("count", "old", long_work)
    assert begun.wait(60)
    assert background.ask("count", "new", lambda _: "fresh").result() == "fresh"
    with pytest.raises(Cancelled):
        old.result()
    held.set()
    assert background.ask("count", "old", lambda _: "again").result() == "again"


def test_another_group_is_left_alone() -> None:
    background, held = Background(), threading.Event()
    first = background.ask("a", 1, lambda _: held.wait(60))
    background.ask("b", 1, lambda _: None).result()
    held.set()
    assert first.result() is True


def test_progress_and_errors_reach_the_asker() -> None:
    background = Background()

    def fails(ctx: RunContext) -> None:
        ctx.note("rows", 3, 4)
        raise DataError("line 3 is bad")

    ticket = background.ask("count", 1, fails)
    assert ticket.wait(60)
    assert ticket.fraction == 0.75
    with pytest.raises(DataError, match="line 3"):
        ticket.result()


def test_old_tickets_are_forgotten() -> None:
    background = Background(kept=3)
    for number in range(10):
        background.ask(number, number, lambda _: None).result()
    assert len(background._tickets) == 3
