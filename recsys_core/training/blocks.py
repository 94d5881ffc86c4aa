"""Work that falls into independent blocks, done by as many threads as the run was given."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from recsys_core.contracts import RunContext


def run_in_blocks(work: Callable[[int, int], None], total: int, size: int, ctx: RunContext, *, stage: str) -> None:
    """Call `work(start, end)` for consecutive blocks that cover 0..total.

    One step of progress is one block. A wish to stop is seen between two blocks: those that run are finished, those
    that wait are dropped.

    Args:
        work: Compiled code that releases the interpreter's lock and writes only to its own block.
        total: Number of rows to cover.
        size: Rows of a block.
        ctx: Gives the number of threads, takes the progress.
        stage: What is being done, in words.

    Raises:
        Cancelled: Before the next block, once that was asked for.
    """
    starts = iter(range(0, total, size))
    pool = ThreadPoolExecutor(max_workers=ctx.threads)
    under_way: deque[Future[None]] = deque()

    def keep_busy() -> None:
        """Let each thread have a block to work on, and one that waits for it."""
        while len(under_way) < 2 * ctx.threads and (start := next(starts, None)) is not None:
            under_way.append(pool.submit(work, start, min(start + size, total)))

    try:
        for _ in ctx.track(range(-(-total // size)), stage=stage):
            keep_busy()
            under_way.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
