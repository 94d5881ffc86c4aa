"""Execution of a job: claim it, write heartbeats, stop on cancellation, store how it ended."""

import contextlib
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import psutil

from recsys_core.contracts import RunContext
from recsys_core.errors import Cancelled, Damaged, DataError, RecscopeError, StoreError
from recsys_core.experiments.jobs import DAMAGED, HEARTBEAT_SECONDS, JobFolder, JobState, JobStatus
from recsys_core.experiments.progress import SECONDS_BETWEEN_LINES, ProgressWriter
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.train_job import DataSource, run_job
from recsys_core.storage.disk_errors import DISK_WORDS, store_error
from recsys_core.storage.processes import ProcessMark, own_mark


def execute(store: ResultStore, run_id: str, model_id: str, workspace: DataSource, threads: int) -> JobStatus:
    """Run a QUEUED job and store how it ends: DONE, CANCELLED, or FAILED with a reason.

    A job in another state is not touched, so a job that is started twice runs once.

    Args:
        store: The store of the experiment.
        run_id: The experiment.
        model_id: One of its models.
        workspace: Opens the data by fingerprint.
        threads: Cores that the job may use.

    Returns:
        The final status.

    Raises:
        StoreError: The job does not exist, or its final status could not be stored.
    """
    run = store.open(run_id)
    job = run.job(model_id)
    mark = own_mark()
    claimed = job.change({JobState.QUEUED}, state=JobState.RUNNING, started=time.time(), process=mark)
    if claimed is None:
        return job.status()
    writer = ProgressWriter(job.progress_path)
    ctx = RunContext(run.spec.seed, writer, job.cancel_requested, threads)
    with _ending_stored(job, mark), heartbeats(job, writer):
        job.reserve_space()
        run_job(store, run.spec, model_id, workspace, ctx)
        writer.flush()
    return job.status()


@contextlib.contextmanager
def _ending_stored(job: JobFolder, mark: ProcessMark) -> Iterator[None]:
    """Store how the block ended and suppress its errors: a failed model must not affect the others."""
    try:
        yield
    except BaseException as error:
        _store_ending(job, mark, error)
        if not isinstance(error, Exception):
            raise
    else:
        _store_ending(job, mark, None)


def _store_ending(job: JobFolder, mark: ProcessMark, error: BaseException | None) -> None:
    state, cause, reason = ending_of(error)
    if cause == "error":
        with contextlib.suppress(OSError):
            text = "".join(traceback.format_exception(error))
            (job.path / "error.txt").write_text(text, encoding="utf-8")
            reason = f"{reason} See error.txt."
    job.change({JobState.RUNNING}, by=mark, state=state, ended=time.time(), cause=cause, reason=reason)


def ending_of(error: BaseException | None) -> tuple[JobState, str | None, str | None]:
    """Return the final state, the machine-readable cause, and the reason in words for an error."""
    if error is None:
        return JobState.DONE, None, None
    if isinstance(error, Cancelled | KeyboardInterrupt):
        by = "from the keyboard" if isinstance(error, KeyboardInterrupt) else "on request"
        return JobState.CANCELLED, "cancelled", str(error) or f"Cancelled {by}."
    if isinstance(error, MemoryError):
        reason = f"It ran out of memory ({str(error).rstrip('.') or 'no more is available'}). "
        return JobState.FAILED, "memory", reason + "Choose a smaller model or fewer items, or close other programs."
    if isinstance(error, OSError) and error.errno in DISK_WORDS:
        error = store_error(Path(str(error.filename or "a file")), error)
    if isinstance(error, StoreError):
        return JobState.FAILED, DAMAGED if isinstance(error, Damaged) else "disk", str(error)
    if isinstance(error, RecscopeError):
        return JobState.FAILED, "data" if isinstance(error, DataError) else "refused", str(error)
    what = ": ".join(part for part in (type(error).__name__, str(error)) if part)
    return JobState.FAILED, "error", f"It stopped with an unexpected error ({what})."


@contextlib.contextmanager
def heartbeats(job: JobFolder, writer: ProgressWriter) -> Iterator[None]:
    """While the block runs, flush delayed progress, and write the memory in use every two seconds."""
    ended = threading.Event()
    process = psutil.Process()

    def watch() -> None:
        last_beat = -HEARTBEAT_SECONDS
        while True:
            if time.monotonic() - last_beat >= HEARTBEAT_SECONDS:
                last_beat = time.monotonic()
                job.beat(memory=float(process.memory_info().rss))
            with contextlib.suppress(StoreError):  # the job itself raises it with its next message
                writer.flush_if_due()
            if ended.wait(SECONDS_BETWEEN_LINES):
                return

    thread = threading.Thread(target=watch, name="heartbeats", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
