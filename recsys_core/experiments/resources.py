"""Thread limits and memory measurement."""

import contextlib
import sys
import threading
from collections.abc import Iterator

import psutil

SAMPLE_SECONDS = 0.02


@contextlib.contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Limit the threads of linear algebra and torch (only if it is loaded) inside the block.

    Compiled loops get their number of threads explicitly, see `training.blocks`; numba's own threads are never started,
    because torch is twenty times slower beside them: both busy-wait on the same cores.
    """
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    torch_before = torch.get_num_threads() if torch else 0
    with threadpool_limits(limits=max(1, threads)):
        if torch:
            torch.set_num_threads(max(1, threads))
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(torch_before)


class PeakMemory:
    """Measures the peak memory of this process while a block runs, sampled every 20 milliseconds.

    `bytes` is the peak above the memory in use at the start.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._process = psutil.Process()
        self._before = 0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "PeakMemory":
        self._before = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        self.bytes = max(self.bytes, self._process.memory_info().rss - self._before)
