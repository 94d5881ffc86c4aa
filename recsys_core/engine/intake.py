"""Taking data in beside the web server: files wait in a folder of their own, and a process converts them.

    intake/<id>/files/           what was uploaded or downloaded
               draft.json        where the files are, what the person changed about the guesses, the rules, the name
               status.json       state of the process that stores them: RUNNING, DONE, FAILED, CANCELLED
               progress.jsonl    its progress
               cancel            an empty file: somebody wants it to stop

So a page that is reloaded, or a web server that is restarted, finds everything as it was. The folder goes when the data
are stored, or when nobody touched it for a day.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self
from uuid import uuid4

from recsys_core.contracts import RunContext
from recsys_core.errors import Cancelled, RecscopeError, StoreError
from recsys_core.experiments.durable import disk_errors_in_words, read_json, write_json
from recsys_core.experiments.processes import ProcessMark, own_mark
from recsys_core.experiments.progress import ProgressWriter, read_last_line

if TYPE_CHECKING:
    from recsys_core.data.guessing import TableGuess
    from recsys_core.data.report import IngestReport
    from recsys_core.data.rules import IngestRules

KEPT_SECONDS = 86_400.0
"""An intake that nobody touched for so long is removed."""
START_SECONDS = 20.0
"""A process that has not said a word after so long counts as ended."""
COPY_BYTES = 1 << 20
_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Draft:
    """What a person has decided so far, in plain values.

    Args:
        name: What the data set will be called.
        paths: The files, in the order in which they came.
        changes: For each table by its number, what differs from the guess; see `TableGuess.with_changes`.
        rules: Fields of `IngestRules` that differ from the defaults.
        left_out: Numbers of tables that are not taken in.
        catalogue: Key of the public data set that is downloaded first, if any.
    """

    name: str = ""
    paths: tuple[str, ...] = ()
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=dict)
    left_out: tuple[int, ...] = ()
    catalogue: str = ""


@dataclass(frozen=True)
class IntakeStatus:
    """How the process that stores the data stands; WAITING before it was started."""

    state: str
    stage: str = ""
    step: int = 0
    total: int | None = None
    reason: str = ""
    fingerprint: str = ""

    @property
    def is_live(self) -> bool:
        """Whether it runs."""
        return self.state == "RUNNING"

    @property
    def fraction(self) -> float | None:
        """Share of the current stage that is finished, None if unknown."""
        return min(1.0, self.step / self.total) if self.total else None


class Intake:
    """Files on their way into the workspace.

    Args:
        root: The workspace.
        identifier: Twelve hexadecimal digits.

    Raises:
        StoreError: The identifier is not one, whatever the address of a page says.
    """

    def __init__(self, root: Path, identifier: str) -> None:
        if not _ID.fullmatch(identifier):
            raise StoreError("That is not the name of files being taken in; choose them again.")
        self.root = root
        self.id = identifier
        self.folder = root / "intake" / identifier

    @classmethod
    def create(cls, root: Path, *, name: str = "", paths: tuple[str, ...] = (), catalogue: str = "") -> Self:
        """Make the folder for something to be taken in, and remove those that were left long ago.

        Raises:
            StoreError: The disk refused.
        """
        remove_left_over(root)
        made = cls(root, uuid4().hex[:12])
        with disk_errors_in_words(made.folder):
            (made.folder / "files").mkdir(parents=True)
        made.save(Draft(name=name, paths=paths, catalogue=catalogue))
        return made

    @property
    def exists(self) -> bool:
        """Whether its folder is there."""
        return (self.folder / "draft.json").is_file()

    def add(self, name: str, stream: IO[bytes]) -> Path:
        """Copy one uploaded file here, block by block; its name keeps no path.

        Raises:
            StoreError: The disk refused.
        """
        plain = re.sub(r"[^\w.\- ]", "_", Path(name.replace("\\", "/")).name)[-120:].lstrip(".") or "file"
        path = self.folder / "files" / plain
        for number in range(1, 1000):
            if not path.exists():
                break
            path = path.with_name(f"{number}-{plain}")
        with disk_errors_in_words(path), path.open("wb") as target:
            shutil.copyfileobj(stream, target, COPY_BYTES)
        return path

    def draft(self) -> Draft:
        """Return what was decided so far.

        Raises:
            StoreError: It is not there any more.
        """
        values = read_json(self.folder / "draft.json")
        return Draft(**values | {"paths": tuple(values["paths"]), "left_out": tuple(values["left_out"])})

    def save(self, draft: Draft) -> None:
        """Keep what was decided.

        Raises:
            StoreError: The disk refused.
        """
        write_json(self.folder / "draft.json", asdict(draft))

    def start(self) -> None:
        """Start the process that downloads (if the draft says so) and stores; it outlives the web server.

        Raises:
            StoreError: The disk refused.
        """
        for name in ("cancel", "progress.jsonl"):
            (self.folder / name).unlink(missing_ok=True)
        write_json(self.folder / "status.json", {"state": "RUNNING", "since": time.time()})
        with disk_errors_in_words(self.folder), (self.folder / "log.txt").open("ab") as log:
            subprocess.Popen(
                [sys.executable, "-m", "recsys_core.engine.intake", str(self.root), self.id],
                cwd=Path(__file__).resolve().parents[2],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def status(self) -> IntakeStatus:
        """Return how the process stands; one that is gone without a word has FAILED."""
        with contextlib.suppress(StoreError):
            stored = read_json(self.folder / "status.json")
            line = read_last_line(self.folder / "progress.jsonl") or {}
            status = IntakeStatus(
                state=stored["state"],
                stage=line.get("stage", ""),
                step=line.get("step", 0),
                total=line.get("total"),
                reason=stored.get("reason", ""),
                fingerprint=stored.get("fingerprint", ""),
            )
            if status.is_live and _is_lost(stored):
                reason = "The process that stored the data stopped without a word; nothing was stored. Try again."
                return IntakeStatus("FAILED", reason=reason)
            return status
        return IntakeStatus("WAITING")

    def cancel(self) -> None:
        """Ask the process to stop; it does so at its next step."""
        with disk_errors_in_words(self.folder):
            (self.folder / "cancel").touch()

    def back_to_draft(self) -> None:
        """Forget how the process ended, so that the person can change something and try again."""
        (self.folder / "status.json").unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the folder with the uploaded files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self) -> None:
        """Download and store, and write down how it ended; the body of the process."""
        write_json(self.folder / "status.json", {"state": "RUNNING", "process": own_mark().to_json()})
        progress = ProgressWriter(self.folder / "progress.jsonl")
        ctx = RunContext(report=progress, stop_requested=(self.folder / "cancel").exists)
        try:
            fingerprint = self._store(ctx)
        except Cancelled:
            ending = {"state": "CANCELLED", "reason": "Stopped on request; nothing was stored."}
        except RecscopeError as error:
            ending = {"state": "FAILED", "reason": str(error)}
        except MemoryError:
            ending = {"state": "FAILED", "reason": "The machine has not enough memory for these files."}
        else:
            ending = {"state": "DONE", "fingerprint": fingerprint}
        write_json(self.folder / "status.json", ending)

    def _store(self, ctx: RunContext) -> str:
        from recsys_core.data.ingest import ingest
        from recsys_core.data.workspace import Workspace

        draft = self.draft()
        if draft.catalogue:
            draft = self._downloaded(draft, ctx)
        guesses = guesses_of(draft)
        dataset, _ = ingest(guesses, rules_of(draft), Workspace(self.root), draft.name, ctx)
        return dataset.fingerprint

    def _downloaded(self, draft: Draft, ctx: RunContext) -> Draft:
        from recsys_core.data.catalogue import catalogue
        from recsys_core.data.download import download

        path = download(catalogue()[draft.catalogue], self.folder / "files", ctx)
        return Draft(name=draft.name, paths=(str(path),), rules=draft.rules)


def guesses_of(draft: Draft) -> "list[TableGuess]":
    """Return the tables of a draft as the person changed them.

    Raises:
        DataError: A file that cannot be read as a table.
    """
    from recsys_core.data.ingest import inspect_files

    tables = inspect_files([Path(path) for path in draft.paths])
    return changed(tables, draft)


def changed(tables: "list[TableGuess]", draft: Draft) -> "list[TableGuess]":
    """Return the guesses with the draft's changes, without the tables that are left out."""
    return [
        table.with_changes(**draft.changes.get(str(number), {}))
        for number, table in enumerate(tables)
        if number not in draft.left_out
    ]


def rules_of(draft: Draft) -> "IngestRules":
    """Return the rules of a draft, the defaults where nothing was changed."""
    from recsys_core.data.rules import IngestRules

    return IngestRules(**draft.rules)


def check_draft(draft: Draft) -> "IngestReport":
    """Return what would be accepted and rejected, without storing anything.

    Raises:
        DataError: A file that cannot be taken as it is.
    """
    from recsys_core.data.ingest import check

    return check(guesses_of(draft), rules_of(draft))


def server_files(root: Path) -> list[Path]:
    """Return the files below a folder that the operator opened, without those that a link leads out of it."""
    base = root.resolve()
    return sorted(path for path in _walk(base) if path.resolve().is_relative_to(base))


def allowed(path: str, root: Path) -> Path:
    """Return the path of a file that lies below `root`.

    Raises:
        StoreError: It lies elsewhere, or is no file.
    """
    base = root.resolve()
    found = (base / path).resolve()
    if not found.is_relative_to(base) or not found.is_file():
        raise StoreError("That file is not in the folder that the operator has opened; choose one from the list.")
    return found


def remove_left_over(root: Path) -> None:
    """Remove what nobody has touched for a day and no process works on."""
    for folder in (root / "intake").glob("*"):
        if not _ID.fullmatch(folder.name):
            continue
        with contextlib.suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > KEPT_SECONDS and not Intake(root, folder.name).status().is_live:
                shutil.rmtree(folder, ignore_errors=True)


def _walk(base: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(base):
        yield from (Path(folder, name) for name in names if not name.startswith("."))


def _is_lost(stored: dict[str, Any]) -> bool:
    if stored.get("process"):
        return ProcessMark(**stored["process"]).is_gone
    return time.time() - float(stored.get("since", 0.0)) > START_SECONDS


if __name__ == "__main__":
    Intake(Path(sys.argv[1]), sys.argv[2]).run()
