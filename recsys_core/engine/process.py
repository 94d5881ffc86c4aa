"""The engine process: it holds the lock of its workspace, says where it is, works, and ends itself when idle."""

import gc
import logging
import os
import signal
import time
from pathlib import Path
from types import FrameType

from recsys_core.engine.cluster import Cluster, connected
from recsys_core.engine.dispatcher import FULL_SECONDS, Dispatcher
from recsys_core.engine.presence import EngineFolder, Presence
from recsys_core.engine.queue import JobQueue
from recsys_core.engine.settings import EngineSettings
from recsys_core.errors import DiskFull, RecscopeError, StoreError
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.store import ResultStore
from recsys_core.storage.permissions import OTHERS
from recsys_core.storage.processes import give_way, own_mark
from recsys_core.storage.space import is_full

logger = logging.getLogger(__name__)
NICENESS = 10
STEP_SECONDS = 0.1
PATIENCE_SECONDS = 15.0


class EngineProcess:
    """One engine on one workspace.

    Args:
        root: The workspace's folder.
        settings: Limits and times.
    """

    def __init__(self, root: Path, settings: EngineSettings) -> None:
        self._root = root
        self._settings = settings
        self._folder = EngineFolder(root)
        self._since = time.time()
        self._stopped_by: int | None = None

    def serve(self) -> int:
        """Work until idle or told to stop; return the exit status: 0, or 1 if the cluster could not be reached."""
        lock = self._folder.lock(PATIENCE_SECONDS)
        if lock is None:
            logger.info("Another engine works on %s already.", self._root)
            return 0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            self._wait_for_space()
            self._announce("")
            with connected(self._settings, self._folder.scratch) as cluster:
                self._announce(cluster.address)
                self._work(cluster)
        except DiskFull as error:
            logger.error("%s What is queued waits for space.", error)
            return 1
        except StoreError as error:
            logger.error("%s", error)
            self._fail_waiting(str(error))
            return 1
        finally:
            self._folder.withdraw()
            lock.release()
        return 0

    def _stop(self, number: int, _: FrameType | None) -> None:
        self._stopped_by = number

    def _wait_for_space(self) -> None:
        """Do nothing while the disk is full: not even where the engine is could be written down."""
        while is_full(self._root) and self._stopped_by is None:
            time.sleep(FULL_SECONDS)

    def _announce(self, address: str) -> None:
        settings = self._settings
        self._folder.announce(
            Presence(
                process=own_mark(),
                address=address,
                since=self._since,
                jobs=settings.jobs,
                threads=settings.threads,
                job_memory=settings.job_memory,
                cluster=settings.scheduler is not None,
            )
        )

    def _work(self, cluster: Cluster) -> None:
        """Go round until there is a reason to end.

        Raises:
            StoreError: The cluster has gone.
        """
        dispatcher = Dispatcher(self._root, cluster)
        dispatcher.recover()
        gc.freeze()
        while self._stopped_by is None and self._folder.path.exists():
            dispatcher.step()
            if not cluster.is_connected:
                dispatcher.stop("The Dask cluster that ran it has gone. Start it again, then this model.")
                raise StoreError(f"The Dask cluster at {cluster.address} has gone.")
            if time.monotonic() - dispatcher.last_work > self._settings.idle_seconds and self._may_end(cluster):
                return
            time.sleep(STEP_SECONDS)
        dispatcher.stop("The engine was stopped while this model was being trained. Start it again.")

    def _may_end(self, cluster: Cluster) -> bool:
        """Withdraw, then look once more: a job that came in between is still taken."""
        self._folder.withdraw()
        if not JobQueue(self._root).tickets():
            return True
        self._announce(cluster.address)
        return False

    def _fail_waiting(self, reason: str) -> None:
        """Say to every job in the queue why nobody will run it."""
        queue, store = JobQueue(self._root), ResultStore(self._root)
        for ticket in queue.tickets():
            try:
                job = store.open(ticket.run_id).job(ticket.model_id)
                job.change({JobState.QUEUED}, state=JobState.FAILED, ended=time.time(), cause="engine", reason=reason)
            except DiskFull as error:
                logger.warning("%s", error)
                continue  # it stays in the queue: nothing could be said to it
            except RecscopeError as error:
                logger.warning("%s", error)
            queue.remove(ticket)


def main(root: Path) -> int:
    """Be the engine of a workspace; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    os.umask(OTHERS)  # workers inherit it
    give_way(NICENESS)
    return EngineProcess(root.resolve(), EngineSettings.from_environment()).serve()
