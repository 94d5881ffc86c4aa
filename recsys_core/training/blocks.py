"""Parallel execution of independent blocks on the threads of the run."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from recsys_core.contracts import Progress, RunContext

T = TypeVar("T")


def run_in_blocks(work: Callable[[int, int], None], total: int, size: int, ctx: RunContext, *, stage: str) -> None:
    """Call `work(start, end)` for consecutive blocks that cover 0..total.

    Each block is one step of progress. Cancellation is checked between blocks: running blocks are finished, queued ones
    are dropped.

    Args:
        work: Compiled code that releases the GIL and writes to its own block only.
        total: Number of rows to cover.
        size: Number of rows per block.
        ctx: Defines the number of threads and receives progress.
        stage: Description of the work.

    Raises:
        Cancelled: The run was cancelled; checked before each block.
    """
    starts = iter(range(0, total, size))
    pool = ThreadPoolExecutor(max_workers=ctx.threads)
    submitted: deque[Future[None]] = deque()

    def keep_busy() -> None:
        """Submit blocks until each thread has one to work on and one in the queue."""
        while len(submitted) < 2 * ctx.threads and (start := next(starts, None)) is not None:
            submitted.append(pool.submit(work, start, min(start + size, total)))

    try:
        for _ in ctx.track(range(-(-total // size)), stage=stage):
            keep_busy()
            submitted.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def results_of_blocks(work: Callable[[int, int], T], blocks: Sequence[tuple[int, int]], threads: int) -> Generator[T]:
    """Yield `work(start, end)` of each block, in their order; at most twice as many blocks as threads are held.

    Args:
        work: Compiled code that releases the GIL and changes nothing outside its block; with one thread, any function.
        blocks: Bounds of the blocks.
        threads: Number of threads; 1 computes each block when it is asked for.
    """
    if threads == 1:
        yield from (work(first, end) for first, end in blocks)
        return
    pool = ThreadPoolExecutor(max_workers=threads)
    submitted: deque[Future[T]] = deque()
    try:
        for place in range(len(blocks)):
            ahead = range(place + len(submitted), min(place + 2 * threads, len(blocks)))
            submitted.extend(pool.submit(work, *blocks[one]) for one in ahead)
            yield submitted.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def silent(ctx: RunContext) -> RunContext:
    """Return the context without reports, for blocks within a step that is reported itself, such as an epoch."""
    return replace(ctx, report=_ignore)


def _ignore(progress: Progress) -> None:
    """Discard a progress message."""
