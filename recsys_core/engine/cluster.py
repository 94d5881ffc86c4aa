"""The Dask side of the engine: local worker processes or an existing cluster, and the causes of worker failures."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recsys_core.engine.scheduler import SchedulerAccess
from recsys_core.engine.settings import EngineSettings, in_words
from recsys_core.errors import ConfigError, StoreError
from recsys_core.experiments.jobs import JobStatus
from recsys_core.text import _

logger = logging.getLogger(__name__)
TERMINATE_SHARE = 0.95
"""A worker that uses more than this share of its memory limit is terminated."""
NEARLY_ALL = 0.85
"""A worker whose last known memory use exceeds this share of its limit most likely ran out of memory."""
MALLOC = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "268435456",
    "MALLOC_TOP_PAD_": "67108864",
}
"""malloc settings: freed memory is kept for the next training step instead of being returned to the system.

A SASRec step with the sizes of ML-1M on one thread took 687 ms of CPU time instead of 832 ms, with 1,700 page
faults instead of 23,600, at a peak of 1,176 MB instead of 1,149 MB; keeping even more made no difference.
"""
WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
"""OpenMP threads sleep at barriers: busy waiting would take the core from the thread they wait for when other processes
run (an epoch of SASRec beside another busy process: 5 to 9 s instead of 17 s)."""


class Cluster:
    """A Dask client with the operations that the engine needs.

    Args:
        client: Connected to the scheduler.
        settings: Limits of a job.
    """

    def __init__(self, client: Any, settings: EngineSettings) -> None:
        self.client = client
        self.settings = settings

    @property
    def address(self) -> str:
        """Address of the scheduler."""
        return str(self.client.scheduler.address)

    @property
    def is_connected(self) -> bool:
        """Whether the client is connected to the scheduler."""
        return bool(self.client.status == "running")

    def workers(self) -> int:
        """Return the current number of worker processes."""
        with contextlib.suppress(OSError):
            return len(self.client.nthreads())
        return 0

    @property
    def threads(self) -> int:
        """Cores that a job may use; 0: the number of threads of the worker."""
        return self.settings.threads if self.settings.access is None else 0

    def submit(self, function: Any, *arguments: Any, priority: int = 0) -> Any:
        """Submit a function of this package with plain values to a worker; return Dask's future.

        Tasks are not pinned to workers: a task pinned to a dead worker would wait forever.
        """
        return self.client.submit(function, *arguments, pure=False, priority=priority)

    def restart_worker_of(self, future: Any) -> None:
        """Restart the worker process that runs a future, on whatever machine."""
        with contextlib.suppress(OSError, ValueError, TimeoutError):
            busy = [address for address, keys in self.client.processing().items() if future.key in keys]
            if busy:
                self.client.restart_workers(busy, timeout=5, raise_for_error=False)

    def why_killed(self, status: JobStatus, last_beat: dict[str, float]) -> tuple[str, str]:
        """Return why the process of a job ended: a machine-readable cause and a sentence."""
        if status.pid is None:
            return "killed", (
                "The worker processes ended repeatedly before the training started; see engine.log in the folder "
                "'engine' of the workspace. Train this model again."
            )
        used = last_beat.get("memory", 0.0)
        for event in self._memory_events():
            if event.get("pid") == status.pid:
                used = float(event.get("rss", used))
                break
        else:
            if not self.settings.memory_is_known or used < NEARLY_ALL * self.settings.job_memory:
                return "killed", (
                    f"Its process (id {status.pid}) crashed or was killed from outside, which the system also does "
                    "when memory runs out. Other results are not affected. Train this model again."
                )
        limit = f" of the {in_words(self.settings.job_memory)} that a job may use" if self.settings.job_memory else ""
        return "memory", (
            f"It ran out of memory: it used {in_words(used)}{limit} and was stopped. "
            "Choose a smaller model or data with fewer items, or raise RECSCOPE_JOB_MEMORY."
        )

    def _memory_events(self) -> list[dict[str, Any]]:
        with contextlib.suppress(OSError):
            return [event for _, event in self.client.get_events("worker-restart-memory") if isinstance(event, dict)]
        return []


@contextlib.contextmanager
def connected(settings: EngineSettings, scratch: Path) -> Iterator[Cluster]:
    """Start local worker processes, or connect to the cluster given by `RECSCOPE_SCHEDULER`.

    Raises:
        StoreError: The cluster cannot be reached, or not safely.
    """
    import dask
    from distributed import Client

    logging.getLogger("distributed").setLevel(logging.WARNING)
    with dask.config.set(_dask_settings(settings)):
        if settings.access is not None:
            with _client_of(settings.access, settings.connect_seconds) as client:
                yield Cluster(client, settings)
            return
        with _own_processes(settings, scratch) as local, Client(local, set_as_default=False) as client:  # type: ignore[no-untyped-call]
            yield Cluster(client, settings)


def _client_of(access: SchedulerAccess, seconds: float) -> Any:
    """Connect to an existing cluster.

    Raises:
        StoreError: The connection is insecure or failed.
    """
    from distributed import Client

    try:
        return Client(access.address, security=access.security(), timeout=seconds, set_as_default=False)  # type: ignore[no-untyped-call]
    except ConfigError as error:
        raise StoreError(str(error)) from error
    except (OSError, ValueError, TimeoutError) as error:
        raise StoreError(
            _(
                "The Dask cluster at {address} (RECSCOPE_SCHEDULER) cannot be reached: {error}. "
                "Start it, or remove the setting to train on this machine."
            ).format(address=access.address, error=error)
        ) from error


def _own_processes(settings: EngineSettings, scratch: Path) -> Any:
    """Start local workers that use TLS with a temporary key, so that no other process can send them code."""
    from distributed import SpecCluster
    from distributed.security import Security

    from recsys_core.engine.cluster_parts import QuietNanny, QuietScheduler

    security = Security.temporary()  # type: ignore[no-untyped-call]
    place = {"host": "127.0.0.1", "protocol": "tls://", "security": security}
    worker = {
        "cls": QuietNanny,
        "options": place
        | {
            "nthreads": 1,
            "memory_limit": settings.job_memory,
            "local_directory": str(scratch),
            "silence_logs": logging.ERROR,
        },
    }
    return SpecCluster(  # type: ignore[no-untyped-call]
        scheduler={"cls": QuietScheduler, "options": place | {"port": 0, "dashboard": False}},
        workers=dict.fromkeys(range(settings.jobs), worker),
        worker=worker,
        security=security,
        silence_logs=logging.ERROR,
    )


def _dask_settings(settings: EngineSettings) -> dict[str, Any]:
    threads = {name: str(settings.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    return {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.memory.terminate": TERMINATE_SHARE,
        "distributed.nanny.pre-spawn-environ": threads | MALLOC | WAITING,
        "distributed.admin.tick.limit": "30s",
        # otherwise a worker that is briefly absent would be removed permanently
        "distributed.deploy.lost-worker-timeout": "365 days",
    }
