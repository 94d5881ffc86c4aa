"""The processes that read files for the web server: one for each intake, one more kept ready, each within limits."""

import contextlib
import io
import json
import logging
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from recsys_core.data.ingest.limits import ProcessLimits
from recsys_core.errors import RecscopeError
from recsys_core.serving.process_limits import LOOK_SECONDS, end, process_limits, readers_at_once, watch
from recsys_core.serving.upload_tables import WORK, Reading, remove_older, request_of
from recsys_core.serving.work_status import begin, has_ended, process_of, status_of
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.processes import detached, mark_of

if TYPE_CHECKING:
    from recsys_core.serving.uploads import Draft, Intake

logger = logging.getLogger(__name__)
READER = "recsys_core.serving.reader_process"
CANCELLED = "The check was cancelled."


class Readers:
    """Starts readings, holds them to their limits, and says how they ended.

    Args:
        limits: Of each process; by default those of the environment.
        at_once: Processes at the same time; by default what the environment says.
        module: What a process runs.

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
        """Return a reading of these files; it begins if it is neither finished nor under way.

        A reading of the same files that was decided otherwise is given up.
        """
        with self._lock:
            run = self._runs.get(intake.folder)
            if run is not None and not run.is_at_work:
                run = None
            reading = Reading(intake, draft)
            if run is not None and run.reading.key == reading.key and run.is_wanted:
                return run.reading
            if status_of(reading.folder).state not in ("WAITING", "RUNNING"):
                return reading
            new = _Run(intake, draft, before=run)
            self._runs = {folder: one for folder, one in self._runs.items() if one.is_at_work}
            self._runs[intake.folder] = new
            new.start(self._see_through)
            return new.reading

    def cancel(self, reading: Reading) -> None:
        """End a reading; asked again, it stays cancelled until it is forgotten."""
        self._stop(reading.intake, keep_note=True)

    def stop(self, intake: "Intake") -> None:
        """End what reads these files, and wait until it has ended."""
        self._stop(intake, keep_note=False)

    def warm(self) -> None:
        """Start a process ahead of time if none is ready."""
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
            run.give_up()
        for run in runs:
            run.join()
        if spare is not None:
            _dismiss(spare)

    def _stop(self, intake: "Intake", *, keep_note: bool) -> None:
        with self._lock:
            run = self._runs.get(intake.folder)
        if run is None or not run.is_at_work:
            return
        run.give_up()
        run.join()
        if keep_note:
            with disk_errors_in_words(run.reading.folder):
                run.reading.folder.mkdir(parents=True, exist_ok=True)
            run.reading.note("CANCELLED", CANCELLED)

    def _started(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", self._module],
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            **detached(),
        )

    def _taken(self) -> "subprocess.Popen[bytes]":
        """Return the process that is ready, or a new one."""
        with self._lock:
            spare, self._spare = self._spare, None
        if spare is not None and spare.poll() is None:
            return spare
        if spare is not None:
            _dismiss(spare)
        return self._started()

    def _see_through(self, run: "_Run") -> None:
        """Do one reading from its beginning to its end; the body of a thread."""
        try:
            run.end_the_one_before()
            while run.is_wanted:
                if self._free.acquire(timeout=LOOK_SECONDS):
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
            run.finish()
        if run.is_wanted:
            with contextlib.suppress(OSError):  # the next reading starts its process itself
                self.warm()

    def _read(self, run: "_Run") -> str:
        """Let a process read; return what the watch has to say about its end."""
        reading = run.reading
        with disk_errors_in_words(reading.folder):
            reading.folder.mkdir(parents=True, exist_ok=True)
        if (earlier := _alive(reading)) is not None:
            return watch(earlier, self._limits, lambda: run.is_wanted)
        reading.clear()
        remove_older(reading.intake)
        with disk_errors_in_words(reading.folder):
            reading.folder.mkdir(parents=True, exist_ok=True)
        process = self._taken()
        begin(reading.folder, WORK, mark_of(process.pid))
        request = json.dumps(request_of(reading) | {"limits": asdict(self._limits)})
        with contextlib.suppress(BrokenPipeError), process.stdin or io.BytesIO() as pipe:  # the watch notices its end
            pipe.write(request.encode() + b"\n")
        return watch(process, self._limits, lambda: run.is_wanted)

    def _conclude(self, run: "_Run", words: str) -> None:
        """Note how a reading ended if its process could not."""
        reading = run.reading
        shutil.rmtree(reading.temporary, ignore_errors=True)
        if not run.is_wanted:
            reading.clear()
        elif not has_ended(reading.folder):
            words = words or "The process that read these files stopped without a word."
            logger.error("Reading %s failed: %s", reading.folder, words)
            reading.note("FAILED", words)


class _Run:
    """One reading under way, and the thread that sees it through."""

    def __init__(self, intake: "Intake", draft: "Draft", before: "_Run | None") -> None:
        self.reading = Reading(intake, draft, lambda: self.is_at_work)
        self._before = before
        self._unwanted = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_at_work(self) -> bool:
        """Whether it has not ended."""
        return not self._ended.is_set()

    @property
    def is_wanted(self) -> bool:
        """Whether nobody has given it up."""
        return not self._unwanted.is_set()

    def start(self, body: "Callable[[_Run], None]") -> None:
        """Begin in a thread."""
        self._thread = threading.Thread(target=body, args=(self,), name="reading", daemon=True)
        self._thread.start()

    def end_the_one_before(self) -> None:
        """End an older reading of the same files, and wait for that."""
        if self._before is not None:
            self._before.give_up()
            self._before.join()
            self._before = None

    def give_up(self) -> None:
        """Say that nobody wants the result any more."""
        self._unwanted.set()

    def finish(self) -> None:
        """Say that nothing is done any more."""
        self._ended.set()

    def join(self) -> None:
        """Wait for the end."""
        self._ended.wait()


def _dismiss(process: "subprocess.Popen[bytes]") -> None:
    """End a process that was ready for nothing, or has ended already."""
    end(process)
    if process.stdin is not None:
        process.stdin.close()


def _alive(reading: Reading) -> psutil.Process | None:
    """Return the process that a web server before this one has started for this reading, if it still runs."""
    mark = process_of(reading.folder)
    if mark is None or not mark.is_here or mark.is_gone or has_ended(reading.folder):
        return None
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(mark.pid)
    return None
