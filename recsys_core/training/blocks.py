"""Work that falls into independent blocks, done by as many threads as the run was given."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from recsys_core.contracts import RunContext


def run_in_blocks(work: Callable[[int, int], None], total: int, size: int, ctx: RunContext, *, stage: str) -> None:
    """Call `work(start, end)` for consecutive blocks that cover 0..total.

    One step of progress is one round: a block for each thread. A wish to stop is seen between two rounds.

    Args:
        work: Compiled code that releases the interpreter's lock and writes only to its own block.
        total: Number of rows to cover.
        size: Rows of a block.
        ctx: Gives the number of threads, takes the progress.
        stage: What is being done, in words.

    Raises:
        Cancelled: Before the next round, once that was asked for.
    """
    with ThreadPoolExecutor(max_workers=ctx.threads) as pool:
        for first in ctx.track(range(0, total, size * ctx.threads), stage=stage):
            starts = range(first, min(first + size * ctx.threads, total), size)
            for finished in [pool.submit(work, start, min(start + size, total)) for start in starts]:
                finished.result()
