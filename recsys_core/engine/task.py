"""Tasks of worker processes: functions with plain arguments, which Dask pickles by name."""

from pathlib import Path

from recsys_core.experiments.execution import execute
from recsys_core.experiments.store import ResultStore


def run_queued(root: str, run_id: str, model_id: str, threads: int) -> str:
    """Run one job of a workspace and return its state.

    Args:
        root: The workspace's folder, the same on all machines.
        run_id: The experiment.
        model_id: One of its models.
        threads: Cores that it may use; 0: the number of threads of this worker.
    """
    from distributed import get_worker

    from recsys_core.data.workspace import Workspace

    allowed = threads or int(get_worker().state.nthreads)
    return execute(ResultStore(root), run_id, model_id, Workspace(Path(root)), allowed).state.value


def warm_up(key: str) -> str:
    """Load and compile the code of an algorithm by training it on a few synthetic interactions; return its key."""
    from recsys_core.engine.warmup import warm_up_model

    warm_up_model(key)
    return key
