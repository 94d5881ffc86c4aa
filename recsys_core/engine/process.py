"""The engine process: it locks its workspace, announces itself, runs jobs, and exits when idle."""

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
from recsys_core.engine.work import Work
from recsys_core.errors import DiskFull, RecscopeError, StoreError
from recsys_core.experiments.jobs import JobState
from recsys_core.storage.permissions import OTHERS
from recsys_core.storage.processes import give_way, own_mark
from recsys_core.storage.space import is_full
from recsys_core.text import _

logger = logging.getLogger(__name__)
NICENESS = 10
STEP_SECONDS = 0.1
PATIENCE_SECONDS = 15.0


class EngineProcess:
    """The engine of a workspace.

    Args:
        root: The workspace's folder.
        settings: Limits and timeouts.
    """

    def __init__(self, root: Path, settings: EngineSettings) -> None:
        self._root = root
        self._settings = settings
        self._folder = EngineFolder(root)
        self._since = time.time()
        self._stopped_by: int | None = None

    def serve(self) -> int:
        """Run until idle or stopped; return the exit status: 0, or 1 if the cluster could not be reached."""
        lock = self._folder.lock(PATIENCE_SECONDS)
        if lock is None:
            logger.info("Another engine is already running on %s.", self._root)
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
            logger.error("%s Queued jobs wait for free space.", error)
            return 1
        except StoreError as error:
            logger.error("%s", error)
            self._fail_queued(str(error))
            return 1
        finally:
            self._folder.withdraw()
            lock.release()
        return 0

    def _stop(self, number: int, _: FrameType | None) -> None:
        self._stopped_by = number

    def _wait_for_space(self) -> None:
        """Wait while the disk is full, since the engine could not announce itself."""
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
                cluster=settings.access is not None,
            )
        )

    def _work(self, cluster: Cluster) -> None:
        """Run the main loop until the engine is idle or stopped.

        Raises:
            StoreError: The connection to the cluster was lost.
        """
        dispatcher = Dispatcher(self._root, cluster)
        dispatcher.recover()
        gc.freeze()
        while self._stopped_by is None and self._folder.path.exists():
            dispatcher.step()
            if not cluster.is_connected:
                dispatcher.stop(
                    "The connection to the Dask cluster was lost. Start the cluster again, then this model."
                )
                raise StoreError(
                    _("The connection to the Dask cluster at {address} was lost.").format(address=cluster.address)
                )
            if time.monotonic() - dispatcher.last_work > self._settings.idle_seconds and self._may_end(cluster):
                return
            time.sleep(STEP_SECONDS)
        dispatcher.stop("The engine was stopped while this model was being trained. Start it again.")

    def _may_end(self, cluster: Cluster) -> bool:
        """Withdraw the announcement, then check the queue again for jobs added in between."""
        self._folder.withdraw()
        if not JobQueue(self._root).entries():
            return True
        self._announce(cluster.address)
        return False

    def _fail_queued(self, reason: str) -> None:
        """Mark all queued jobs as FAILED with a reason."""
        queue, work = JobQueue(self._root), Work(self._root)
        for entry in queue.entries():
            try:
                job = work.job(entry)
                job.change({JobState.QUEUED}, state=JobState.FAILED, ended=time.time(), cause="engine", reason=reason)
            except DiskFull as error:
                logger.warning("%s", error)
                continue  # its status could not be written, so it stays queued
            except RecscopeError as error:
                logger.warning("%s", error)
            queue.remove(entry)


def main(root: Path) -> int:
    """Run the engine of a workspace; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    os.umask(OTHERS)  # workers inherit it
    give_way(NICENESS)
    return EngineProcess(root.resolve(), EngineSettings.from_environment()).serve()
