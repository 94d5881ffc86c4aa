"""Background threads for work that takes longer than a page may block, addressed by key and cancellable."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar, cast

from recsys_core.contracts import Progress, RunContext
from recsys_core.errors import NoAnswer
from recsys_core.text import in_language, language

T = TypeVar("T")


def _in_language(of_caller: str, work: Callable[[RunContext], T], ctx: RunContext) -> T:
    with in_language(of_caller):
        return work(ctx)


class Ticket(Generic[T]):
    """A handle of running or finished background work."""

    def __init__(self, work: Callable[[RunContext], T], pool: ThreadPoolExecutor) -> None:
        self.progress = Progress("")
        self.no_answer_raised = False
        self._cancelled = threading.Event()
        ctx = RunContext(report=self._note, stop_requested=self._cancelled.is_set)
        self._future: Future[T] = pool.submit(_in_language, language(), work, ctx)

    def _note(self, progress: Progress) -> None:
        self.progress = progress

    @property
    def is_done(self) -> bool:
        """Whether there is a result or an error."""
        return self._future.done()

    @property
    def was_cancelled(self) -> bool:
        """Whether the work was cancelled."""
        return self._cancelled.is_set()

    @property
    def fraction(self) -> float | None:
        """Share of the current stage that is finished, None if unknown."""
        return min(1.0, self.progress.step / self.progress.total) if self.progress.total else None

    def wait(self, seconds: float) -> bool:
        """Wait at most this long; return whether it is done."""
        return bool(wait([self._future], seconds).done)

    def result(self) -> T:
        """Return the result.

        Raises:
            Exception: The error raised by the work.
        """
        try:
            return self._future.result()
        except NoAnswer:
            self.no_answer_raised = True
            raise

    def cancel(self) -> None:
        """Cancel the work; it stops at its next step."""
        self._cancelled.set()
        self._future.cancel()


class Background:
    """A thread pool with the tickets of submitted work; the oldest tickets are evicted.

    Args:
        threads: Number of threads.
        kept: Maximum number of tickets.
    """

    def __init__(self, threads: int = 2, kept: int = 200) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="background")
        self._kept = kept
        self._tickets: OrderedDict[tuple[Hashable, Hashable], Ticket[object]] = OrderedDict()
        self._lock = threading.Lock()

    def ask(self, group: Hashable, key: Hashable, work: Callable[[RunContext], T]) -> Ticket[T]:
        """Return the ticket of a piece of work, submitting it unless it is known already.

        Cancelled work is submitted again, as is work whose `NoAnswer` error was already raised to the caller.

        Args:
            group: Kind of work; unfinished older work of the same group is cancelled.
            key: Inputs of the work: an equal key means an equal result. Work runs in the language of its
                caller, which is one of the inputs if the result contains text.
            work: Called with a context for progress and cancellation.
        """
        with self._lock:
            known = self._tickets.get((group, key))
            if known is not None and (known.no_answer_raised or known.was_cancelled):
                del self._tickets[group, key]
            if (group, key) not in self._tickets:
                for (other, _), ticket in self._tickets.items():
                    if other == group and not ticket.is_done:
                        ticket.cancel()
                self._forget(group)
                self._tickets[group, key] = cast("Ticket[object]", Ticket(work, self._pool))
            self._tickets.move_to_end((group, key))
            return cast("Ticket[T]", self._tickets[group, key])

    def _forget(self, group: Hashable) -> None:
        """Drop cancelled tickets of the group, and the oldest tickets beyond the maximum."""
        for name in [name for name, ticket in self._tickets.items() if name[0] == group and ticket.was_cancelled]:
            del self._tickets[name]
        while len(self._tickets) >= self._kept:
            self._tickets.popitem(last=False)
