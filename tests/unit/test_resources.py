"""Limits of threads, by kind."""

import subprocess
import sys

import torch
from threadpoolctl import threadpool_info

from recsys_core.experiments.resources import limited_threads


def test_inside_so_many_threads_are_used_and_afterwards_as_before() -> None:
    before = torch.get_num_threads()
    with limited_threads(1):
        assert torch.get_num_threads() == 1
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
    assert torch.get_num_threads() == before


def test_the_threads_of_numba_are_never_started() -> None:
    """A network trained beside them takes twenty times as long."""
    code = (
        "from recsys_core.engine.warmup import warm_up_model; import numba; "
        "warm_up_model('popular'); warm_up_model('item_knn'); print(numba.threading_layer())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "Threading layer is not initialized" in done.stderr
