"""Work that takes longer than a page may wait, done in a thread beside it: asked for by name, looked at, given up."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar, cast

from recsys_core.contracts import Progress, RunContext
from recsys_core.errors import NoAnswer

T = TypeVar("T")


class Ticket(Generic[T]):
    """One piece of work under way or done."""

    def __init__(self, work: Callable[[RunContext], T], pool: ThreadPoolExecutor) -> None:
        self.progress = Progress("")
        self.was_told = False
        self._unwanted = threading.Event()
        ctx = RunContext(report=self._note, stop_requested=self._unwanted.is_set)
        self._future: Future[T] = pool.submit(work, ctx)

    def _note(self, progress: Progress) -> None:
        self.progress = progress

    @property
    def is_done(self) -> bool:
        """Whether there is a result, or an error."""
        return self._future.done()

    @property
    def was_given_up(self) -> bool:
        """Whether somebody said that nobody wants the result."""
        return self._unwanted.is_set()

    @property
    def fraction(self) -> float | None:
        """Share of the current stage that is finished, None if unknown."""
        return min(1.0, self.progress.step / self.progress.total) if self.progress.total else None

    def wait(self, seconds: float) -> bool:
        """Wait at most so long; return whether it is done."""
        return bool(wait([self._future], seconds).done)

    def result(self) -> T:
        """Return what came out.

        Raises:
            Exception: What the work raised.
        """
        try:
            return self._future.result()
        except NoAnswer:
            self.was_told = True
            raise

    def give_up(self) -> None:
        """Say that nobody wants the result any more."""
        self._unwanted.set()
        self._future.cancel()


class Background:
    """A few threads and the tickets of what was asked of them; the oldest are forgotten.

    Args:
        threads: Pieces of work at the same time.
        kept: Tickets kept.
    """

    def __init__(self, threads: int = 2, kept: int = 200) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="background")
        self._kept = kept
        self._tickets: OrderedDict[tuple[Hashable, Hashable], Ticket[object]] = OrderedDict()
        self._lock = threading.Lock()

    def ask(self, group: Hashable, key: Hashable, work: Callable[[RunContext], T]) -> Ticket[T]:
        """Return the ticket of a piece of work, which begins if nobody has asked for it before.

        Work that was given up begins anew, and so does work that got no answer, once somebody was told so.

        Args:
            group: What it answers; an unfinished older question of the same group is given up.
            key: What it depends on: an equal key means an equal answer.
            work: Called with a context that carries progress and the wish to stop.
        """
        with self._lock:
            known = self._tickets.get((group, key))
            if known is not None and (known.was_told or known.was_given_up):
                del self._tickets[group, key]
            if (group, key) not in self._tickets:
                for (other, _), ticket in self._tickets.items():
                    if other == group and not ticket.is_done:
                        ticket.give_up()
                self._forget(group)
                self._tickets[group, key] = cast("Ticket[object]", Ticket(work, self._pool))
            self._tickets.move_to_end((group, key))
            return cast("Ticket[T]", self._tickets[group, key])

    def _forget(self, group: Hashable) -> None:
        """Drop what was given up, and the oldest tickets over the bound."""
        for name in [name for name, ticket in self._tickets.items() if name[0] == group and ticket.was_given_up]:
            del self._tickets[name]
        while len(self._tickets) >= self._kept:
            self._tickets.popitem(last=False)
