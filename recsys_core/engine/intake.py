"""Taking data in beside the web server: files wait in a folder of their own, and a process fetches or converts them.

    intake/<id>/files/           what was uploaded or downloaded
               unpacked/         what came out of archives
               draft.json        where the files are, what the person changed about the guesses, the rules, the name
               status.json       the process at work (download or store): RUNNING, DONE, FAILED, CANCELLED
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
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Self
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
LISTED_FILES = 500
"""Files on the server that a page offers."""
Work = Literal["download", "store"]
_LAST_CHANGES = ("item_attributes", "user_attributes", "timestamp_unit", "event", "event_weight")
_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Draft:
    """What a person has decided so far, in plain values.

    Args:
        name: What the data set will be called.
        paths: The files, in the order in which they came.
        changes: For each table by its number, what differs from the guess; see `TableGuess.with_changes`.
        rules: Fields of `IngestRules` that differ from the defaults.
        catalogue: Key of the public data set that the files are, if they are one.
    """

    name: str = ""
    paths: tuple[str, ...] = ()
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=dict)
    catalogue: str = ""


@dataclass(frozen=True)
class IntakeStatus:
    """How the process at work (download or store) stands; WAITING if there is none."""

    state: str
    work: str = ""
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
        return Draft(**values | {"paths": tuple(values["paths"])})

    def save(self, draft: Draft) -> None:
        """Keep what was decided.

        Raises:
            StoreError: The disk refused.
        """
        write_json(self.folder / "draft.json", asdict(draft))

    def start(self, work: Work) -> None:
        """Start the process that downloads or stores; it outlives the web server.

        Raises:
            StoreError: The disk refused.
        """
        for name in ("cancel", "progress.jsonl"):
            (self.folder / name).unlink(missing_ok=True)
        write_json(self.folder / "status.json", {"state": "RUNNING", "work": work, "since": time.time()})
        with disk_errors_in_words(self.folder), (self.folder / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "recsys_core.engine.intake", str(self.root), self.id, work],
                cwd=Path(__file__).resolve().parents[2],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        threading.Thread(target=process.wait, name="intake-exit", daemon=True).start()

    def status(self) -> IntakeStatus:
        """Return how the process stands; one that is gone without a word has FAILED."""
        with contextlib.suppress(StoreError):
            stored = read_json(self.folder / "status.json")
            line = read_last_line(self.folder / "progress.jsonl") or {}
            status = IntakeStatus(
                state=stored["state"],
                work=stored.get("work", ""),
                stage=line.get("stage", ""),
                step=line.get("step", 0),
                total=line.get("total"),
                reason=stored.get("reason", ""),
                fingerprint=stored.get("fingerprint", ""),
            )
            if status.is_live and _is_lost(stored):
                reason = "The process at work on these files stopped without a word; nothing was stored. Try again."
                return IntakeStatus("FAILED", status.work, reason=reason)
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

    def run(self, work: Work) -> None:
        """Download or store, and write down how it ended; the body of the process."""
        begun = {"work": work, "process": own_mark().to_json()}
        write_json(self.folder / "status.json", begun | {"state": "RUNNING"})
        progress = ProgressWriter(self.folder / "progress.jsonl")
        ctx = RunContext(report=progress, stop_requested=(self.folder / "cancel").exists)
        try:
            fingerprint = self._store(ctx) if work == "store" else self._download(ctx)
        except Cancelled:
            ending = {"state": "CANCELLED", "reason": "Stopped on request; nothing was stored."}
        except RecscopeError as error:
            ending = {"state": "FAILED", "reason": str(error)}
        except MemoryError:
            ending = {"state": "FAILED", "reason": "The machine has not enough memory for these files."}
        else:
            ending = {"state": "DONE", "fingerprint": fingerprint}
        write_json(self.folder / "status.json", begun | ending)

    def guesses(self) -> "list[TableGuess]":
        """Return how each file is to be read, before the person changes anything; archives are unpacked here.

        Raises:
            DataError: A file that cannot be read as a table.
        """
        from recsys_core.data.ingest import inspect_files

        draft = self.draft()
        tables = inspect_files([Path(path) for path in draft.paths], folder=self.folder / "unpacked")
        return _hinted(tables, draft.catalogue) if draft.catalogue else tables

    def _store(self, ctx: RunContext) -> str:
        from recsys_core.data.ingest import ingest
        from recsys_core.data.workspace import Workspace

        draft = self.draft()
        tables = changed(self.guesses(), draft)
        return ingest(tables, rules_of(draft, tables), Workspace(self.root), draft.name, ctx)[0].fingerprint

    def _download(self, ctx: RunContext) -> str:
        from recsys_core.data.catalogue import catalogue_entry
        from recsys_core.data.download import download

        draft = self.draft()
        path = download(catalogue_entry(draft.catalogue), self.folder / "files", ctx)
        self.save(replace(draft, paths=(str(path),)))
        return ""


def changed(tables: "Sequence[TableGuess]", draft: Draft) -> "list[TableGuess]":
    """Return the guesses with what the person changed.

    Raises:
        DataError: A change that does not fit the file.
    """
    return [_changed(table, draft.changes.get(str(number), {})) for number, table in enumerate(tables)]


def _changed(table: "TableGuess", changes: Mapping[str, Any]) -> "TableGuess":
    """Return a guess with its changes applied in the order in which they depend on each other."""
    for names in (("separator", "encoding", "header"), ("table",), ("roles",)):
        part = {name: changes[name] for name in names if name in changes}
        table = table.with_changes(**part) if part else table
    rest = {name: changes[name] for name in _LAST_CHANGES if name in changes}
    return table.with_changes(**rest) if rest else table


def rules_of(draft: Draft, tables: "Sequence[TableGuess]") -> "IngestRules":
    """Return the rules of a draft: those that suit the files where nothing was changed.

    Raises:
        ConfigError: A value outside its bounds.
    """
    from recsys_core.data.ingest import suggest_rules
    from recsys_core.data.rules import IngestRules

    return IngestRules.parse(suggest_rules(tables).model_dump() | draft.rules)


def count(tables: "Sequence[TableGuess]", draft: Draft, ctx: RunContext) -> "IngestReport":
    """Return what would be accepted and rejected, without storing anything.

    Raises:
        DataError: The files cannot be taken in this way at all.
    """
    from recsys_core.data.ingest import check

    read = changed(tables, draft)
    return check(read, rules_of(draft, read), ctx)


def _hinted(tables: "Sequence[TableGuess]", key: str) -> "list[TableGuess]":
    """Return the guesses as the catalogue says that the files of a public data set are to be read."""
    from recsys_core.data.catalogue import catalogue_entry

    hints = {hint.file.rsplit("/", 1)[-1]: hint for hint in catalogue_entry(key).tables}
    read = []
    for table in tables:
        hint = hints.get(table.name.rsplit("/", 1)[-1])
        if hint is None:
            read.append(table.with_changes(table="ignored"))
            continue
        how = {"separator": hint.separator, "header": hint.header, "encoding": hint.encoding}
        roles = {**dict.fromkeys(table.roles), **hint.columns} if table.table == hint.table else hint.columns
        read.append(table.with_changes(**how).with_changes(table=hint.table).with_changes(roles=roles))
    return read


def server_files() -> list[str]:
    """Return the files below the folder that the operator opened, relative to it; none if there is no such folder."""
    from recsys_core.data.server_path import data_root

    base = data_root()
    if base is None or not base.is_dir():
        return []
    found = (Path(folder, name) for folder, _, names in os.walk(base) for name in names if not name.startswith("."))
    inside = [path for path in found if path.resolve().is_relative_to(base)]
    return sorted(str(path.relative_to(base)) for path in inside)[:LISTED_FILES]


def remove_left_over(root: Path) -> None:
    """Remove what nobody has touched for a day and no process works on."""
    for folder in (root / "intake").glob("*"):
        if not _ID.fullmatch(folder.name):
            continue
        with contextlib.suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > KEPT_SECONDS and not Intake(root, folder.name).status().is_live:
                shutil.rmtree(folder, ignore_errors=True)


def _is_lost(stored: dict[str, Any]) -> bool:
    if stored.get("process"):
        return ProcessMark(**stored["process"]).is_gone
    return time.time() - float(stored.get("since", 0.0)) > START_SECONDS


if __name__ == "__main__":
    Intake(Path(sys.argv[1]), sys.argv[2]).run("store" if sys.argv[3] == "store" else "download")
