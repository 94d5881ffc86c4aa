"""Child process of `benchmarks.memory`: `python -m benchmarks.memory_child CASE`, case and answer as JSON."""

import ctypes
import gc
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from benchmarks.memory import Case
from benchmarks.worlds import streamed
from recsys_core.contracts import RunContext
from recsys_core.data import Dataset
from recsys_core.errors import Cancelled, DataError
from recsys_core.models.registry import make_model

WARM = (4000, 60, 150)
"""Rows, users and items of a first training that loads libraries and compiles loops."""


def main(case: Case) -> dict[str, Any]:
    """Fit the model and return the peak memory above that of the process with the data in memory."""
    config = dict(case.config)
    _fit(case.key, config, streamed(*WARM, rated=case.rated), RunContext(threads=case.threads))
    data = streamed(case.interactions, case.users, case.items, rated=case.rated)
    assert data.n_interactions == case.interactions  # loads the table
    started = time.perf_counter()
    ctx = RunContext(
        threads=case.threads,
        stop_requested=lambda: time.perf_counter() - started > case.seconds,
    )
    before = live_memory()
    finished = _fit(case.key, config, data, ctx)
    return asdict(case) | {
        "before": before,
        "peak": peak_memory(),
        "seconds": time.perf_counter() - started,
        "finished": finished,
    }


def _fit(key: str, config: dict[str, Any], data: Dataset, ctx: RunContext) -> bool:
    """Train; return whether the training ended before the time was over."""
    try:
        make_model(key, config).fit(data, ctx)
    except (Cancelled, DataError) as error:
        print(f"{key}: {error}", file=sys.stderr, flush=True)
        return False
    return True


def live_memory() -> int:
    """Return the resident memory of this process in bytes without freed memory, and reset its peak."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # else a step would reuse what the steps before it have freed
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak, see proc(5)
    return int(psutil.Process().memory_info().rss)


def peak_memory() -> int:
    """Return the peak resident memory of this process in bytes since the last call of `live_memory`."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    print(json.dumps(main(Case(**json.loads(sys.argv[1])))))
