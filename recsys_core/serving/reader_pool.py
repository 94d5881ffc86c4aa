"""Reader processes of the web server: one per intake plus one spare, each with resource limits."""

import contextlib
import io
import json
import logging
import shutil
import subprocess
import threading
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from recsys_core.data.ingest.limits import ProcessLimits
from recsys_core.errors import RecscopeError
from recsys_core.serving.process_limits import POLL_SECONDS, end, process_limits, readers_at_once, watch
from recsys_core.serving.upload_tables import WORK, Reading, remove_older, request_of
from recsys_core.serving.work_status import begin, has_ended, process_of, status_of
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.processes import mark_of, start_python

if TYPE_CHECKING:
    from recsys_core.serving.uploads import Draft, Intake

logger = logging.getLogger(__name__)
READER = "recsys_core.serving.reader_process"
CANCELLED = "The check was cancelled."


class Readers:
    """Starts readings, enforces their limits, and records how they ended.

    Args:
        limits: Limits of each process; defaults to those of the environment.
        at_once: Maximum number of concurrent processes; defaults to the environment's setting.
        module: Module that a process runs.

    Raises:
        ConfigError: A setting is not a number.
    """

    def __init__(self, limits: ProcessLimits | None = None, at_once: int | None = None, module: str = READER) -> None:
        self._limits = limits or process_limits()
        self._free = threading.BoundedSemaphore(at_once or readers_at_once())
        self._module = module
        self._lock = threading.Lock()
        self._runs: dict[Path, _Run] = {}
        self._spare: subprocess.Popen[bytes] | None = None

    def ask(self, intake: "Intake", draft: "Draft") -> Reading:
        """Return a reading of these files; it is started if it is neither finished nor running.

        A running reading of the same files with other settings is cancelled.
        """
        with self._lock:
            run = self._runs.get(intake.folder)
            if run is not None and not run.is_running:
                run = None
            reading = Reading(intake, draft)
            if run is not None and run.reading.key == reading.key and run.is_wanted:
                return run.reading
            if status_of(reading.folder).state not in ("WAITING", "RUNNING"):
                return reading
            new = _Run(intake, draft, before=run)
            self._runs = {folder: one for folder, one in self._runs.items() if one.is_running}
            self._runs[intake.folder] = new
            threading.Thread(target=self._supervise, args=(new,), name="reading", daemon=True).start()
            return new.reading

    def cancel(self, reading: Reading) -> None:
        """Cancel a reading; it stays cancelled until `Reading.forget` is called."""
        run = self.stop(reading.intake)
        if run is not None:
            with disk_errors_in_words(run.reading.folder):
                run.reading.folder.mkdir(parents=True, exist_ok=True)
            run.reading.note("CANCELLED", CANCELLED)

    def stop(self, intake: "Intake") -> "_Run | None":
        """Stop the process that reads these files and wait until it has ended; return what was running."""
        with self._lock:
            run = self._runs.get(intake.folder)
        if run is None or not run.is_running:
            return None
        run.stop()
        return run

    def warm(self) -> None:
        """Start a spare process if there is none."""
        with self._lock:
            if self._spare is None or self._spare.poll() is not None:
                gone, self._spare = self._spare, self._started()
                if gone is not None:
                    _dismiss(gone)

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            runs, spare, self._spare = list(self._runs.values()), self._spare, None
        for run in runs:
            run.cancelled.set()
        for run in runs:
            run.ended.wait()
        if spare is not None:
            _dismiss(spare)

    def _started(self) -> "subprocess.Popen[bytes]":
        return start_python(["-m", self._module], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)

    def _taken(self) -> "subprocess.Popen[bytes]":
        """Return the spare process, or a new one."""
        with self._lock:
            spare, self._spare = self._spare, None
        if spare is not None and spare.poll() is None:
            return spare
        if spare is not None:
            _dismiss(spare)
        return self._started()

    def _supervise(self, run: "_Run") -> None:
        """Run one reading from start to end; the body of a thread."""
        try:
            if run.before is not None:
                run.before.stop()
                run.before = None
            while run.is_wanted:
                if self._free.acquire(timeout=POLL_SECONDS):
                    break
            else:
                return
            try:
                self._conclude(run, self._read(run))
            finally:
                self._free.release()
        except (RecscopeError, OSError) as error:
            logger.warning("Reading %s failed: %s", run.reading.folder, error)
            run.reading.failure = str(error)
        finally:
            run.ended.set()
        if run.is_wanted:
            with contextlib.suppress(OSError):  # the next reading starts its process itself
                self.warm()

    def _read(self, run: "_Run") -> str:
        """Read in a process; return the message of `watch` about its end."""
        reading = run.reading
        if (earlier := _alive(reading)) is not None:
            return watch(earlier, self._limits, lambda: run.is_wanted)
        reading.clear()
        remove_older(reading.intake)
        with disk_errors_in_words(reading.folder):
            reading.folder.mkdir(parents=True, exist_ok=True)
        process = self._taken()
        begin(reading.folder, WORK, mark_of(process.pid))
        request = json.dumps(request_of(reading) | {"limits": asdict(self._limits)})
        with contextlib.suppress(BrokenPipeError), process.stdin or io.BytesIO() as pipe:  # `watch` notices its end
            pipe.write(request.encode() + b"\n")
        return watch(process, self._limits, lambda: run.is_wanted)

    def _conclude(self, run: "_Run", words: str) -> None:
        """Record how a reading ended if its process could not do so."""
        reading = run.reading
        shutil.rmtree(reading.temporary, ignore_errors=True)
        if not run.is_wanted:
            reading.clear()
        elif not has_ended(reading.folder):
            words = words or "The process that read these files ended unexpectedly."
            logger.error("Reading %s failed: %s", reading.folder, words)
            reading.note("FAILED", words)


class _Run:
    """A running reading; `before` is an older one of the same files, to be stopped first."""

    def __init__(self, intake: "Intake", draft: "Draft", before: "_Run | None") -> None:
        self.reading = Reading(intake, draft, lambda: self.is_running)
        self.before = before
        self.cancelled = threading.Event()
        self.ended = threading.Event()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return not self.ended.is_set()

    @property
    def is_wanted(self) -> bool:
        """Whether it was not cancelled."""
        return not self.cancelled.is_set()

    def stop(self) -> None:
        """Cancel the reading and wait for its end."""
        self.cancelled.set()
        self.ended.wait()


def _dismiss(process: "subprocess.Popen[bytes]") -> None:
    """Kill a spare process, which may have ended already."""
    end(process)
    if process.stdin is not None:
        process.stdin.close()


def _alive(reading: Reading) -> psutil.Process | None:
    """Return the process that an earlier web server started for this reading, if it is still running."""
    mark = process_of(reading.folder)
    if mark is None or not mark.is_here or mark.is_gone or has_ended(reading.folder):
        return None
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(mark.pid)
    return None
