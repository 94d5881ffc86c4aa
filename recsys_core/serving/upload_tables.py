"""Reading the files of an intake: table guesses and the ingest report, computed by a process and stored as files.

    intake/<id>/readings/files-<key>.json     how each file is read, or why it cannot be read
                         <key>/report.json    accepted and rejected rows
                               dataset/       the finished data set, which Store moves to the workspace
                               status.json    status of the process; see `work_status`
                               temporary/     temporary files

The key identifies the files and all settings, so finished results are reused after a reload, in another tab, and by a
restarted server. A crashed process is only restarted on request. A finished data set can be as large as the files, so
only the latest reading of an intake keeps it; without one, Store reads the files again.
"""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys_core.contracts import RunContext
from recsys_core.errors import DataError, DiskFull, StoreError
from recsys_core.serving.work_status import WorkStatus, has_ended, note_ending, run_in, status_of
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.files import read_json, write_json
from recsys_core.storage.space import LITTLE_BYTES, make_sure_of_room
from recsys_core.text import _

if TYPE_CHECKING:
    from recsys_core.data.ingest.cleaning_rules import IngestRules
    from recsys_core.data.ingest.inspection import Inspected
    from recsys_core.data.ingest.table_schema import TableGuess
    from recsys_core.data.report import IngestReport
    from recsys_core.serving.uploads import Draft, Intake

WORK = "read"
KEPT = 20
"""Number of readings kept per intake."""
_POLL_SECONDS = 0.02
_FORM = 2
"""Form of the stored table guesses; files of another form are not read but made again."""
_REREAD = ("separator", "encoding", "header")
_READS = (*_REREAD, "table")
"""Settings whose change may require reading a file again."""


class Reading:
    """One way of reading the files of an intake.

    Args:
        intake: The files.
        draft: The user's settings for them.
        is_running: Returns whether a process of this program works on it or is about to.
    """

    def __init__(self, intake: "Intake", draft: "Draft", is_running: Callable[[], bool] = lambda: False) -> None:
        self.intake = intake
        self.draft = draft
        self.key = _digest([_facts(draft), draft.changes, draft.rules])
        self.folder = intake.folder / "readings" / self.key
        self.temporary = self.folder / "temporary"
        """The folder for temporary files."""
        self.dataset = self.folder / "dataset"
        """The folder of the finished data set; it may be missing."""
        self.failure = ""
        """Why it could not be started, empty if it could."""
        self._is_running = is_running

    def status(self) -> WorkStatus:
        """Return its status; WAITING if it was not started."""
        if self.failure:
            return WorkStatus("FAILED", WORK, reason=self.failure)
        is_running = self._is_running()
        status = status_of(self.folder)
        return status if not is_running or status.is_live or has_ended(self.folder) else WorkStatus("RUNNING", WORK)

    def tables(self) -> "list[Inspected] | None":
        """Return how each file is read, or why it cannot be read; None until that is known."""
        path = _path_of_files(self.intake, self.draft)
        return applied(_read_tables(path), self.draft) if path.exists() else None

    def report(self) -> "IngestReport | None":
        """Return the report of accepted and rejected rows; None until it is available."""
        from recsys_core.data.report import IngestReport

        path = self.folder / "report.json"
        return IngestReport.from_json(read_json(path)) if path.exists() else None

    def wait(self, seconds: float, *, for_tables: bool = False) -> bool:
        """Wait at most this long for its end, or only for the tables; return False on timeout."""
        files = _path_of_files(self.intake, self.draft)
        deadline = time.monotonic() + seconds
        while True:
            if (for_tables and files.exists()) or not self.status().is_live:
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)

    def clear(self) -> None:
        """Remove its results except the table guesses."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def forget(self) -> None:
        """Remove all its results, so that it starts from scratch."""
        self.clear()
        _path_of_files(self.intake, self.draft).unlink(missing_ok=True)

    def note(self, state: str, reason: str) -> None:
        """Record how it ended, on behalf of a process that is gone.

        Raises:
            StoreError: A disk error.
        """
        note_ending(self.folder, WORK, state, reason)

    def run(self) -> None:
        """Read the files and record how it ended; the body of the process."""
        self.temporary.mkdir(parents=True, exist_ok=True)
        before, tempfile.tempdir = tempfile.tempdir, str(self.temporary)
        try:
            run_in(self.folder, WORK, self._read)
        finally:
            tempfile.tempdir = before
            shutil.rmtree(self.temporary, ignore_errors=True)

    def _read(self, ctx: RunContext) -> str:
        from recsys_core.data.ingest import check
        from recsys_core.data.ingest.inspection import readable

        guesses = readable(applied(inspected(self.intake, self.draft), self.draft))
        report = check(guesses, rules_of(self.draft, guesses), ctx, keep=self.dataset)
        if Reading(self.intake, self.draft).key != self.key:  # a file was changed while it was read
            self._drop_dataset()
        self._write_report(report)
        return ""

    def _write_report(self, report: "IngestReport") -> None:
        """Write the report; on a full disk, the finished data set makes room for it and for the status."""
        path = self.folder / "report.json"
        try:
            write_json(path, report.to_json())
            with disk_errors_in_words(path):
                make_sure_of_room(self.folder, LITTLE_BYTES)
        except DiskFull:
            self._drop_dataset()
            write_json(path, report.to_json())

    def _drop_dataset(self) -> None:
        shutil.rmtree(self.dataset, ignore_errors=True)


def inspected(intake: "Intake", draft: "Draft") -> "list[Inspected]":
    """Return how each file is read, with the settings that require reading it; unpacks archives.

    The result is cached on disk.

    Raises:
        DataError: There are no files.
        StoreError: A disk error.
    """
    from recsys_core.data.ingest.inspection import inspect_each

    path = _path_of_files(intake, draft)
    if path.exists():
        return _read_tables(path)
    how = _how(draft)
    if how:
        bare = inspected(intake, replace(draft, changes={}))
        found = [_changed_file(file, how.get(str(number), {})) for number, file in enumerate(bare)]
    else:
        found = inspect_each([Path(name) for name in draft.paths], folder=intake.folder / "unpacked")
        found = _hinted(found, draft.catalogue) if draft.catalogue else found
    path.parent.mkdir(exist_ok=True)
    _write_tables(path, found)
    return found


def applied(files: "Sequence[Inspected]", draft: "Draft") -> "list[Inspected]":
    """Return how each file is read, with the settings that do not require reading it again."""
    rest = {
        number: {name: value for name, value in changes.items() if name not in _READS}
        for number, changes in draft.changes.items()
    }
    return [_changed_file(file, rest.get(str(number), {})) for number, file in enumerate(files)]


def _changed_file(file: "Inspected", changes: Mapping[str, Any]) -> "Inspected":
    """Return a file with changed settings, or an error if they do not fit; a file with an error must be read again."""
    from recsys_core.data.ingest.inspection import Inspected
    from recsys_core.data.ingest.read_errors import faults_in_words
    from recsys_core.data.ingest.table_roles import IGNORED
    from recsys_core.data.ingest.table_schema import TableGuess

    guess = file.guess
    if changes.get("table") == IGNORED and (file.error or not guess.column_names):
        return Inspected(TableGuess(guess.path, guess.name))
    if not changes or (file.error and not any(name in changes for name in _REREAD)):
        return file
    try:
        with faults_in_words(guess.name):
            return Inspected(changed(guess, changes))
    except DataError as error:
        shown = {name: changes[name] for name in _REREAD if name in changes}
        return Inspected(replace(guess, **shown), str(error))


def changed(table: "TableGuess", changes: Mapping[str, Any]) -> "TableGuess":
    """Return a guess with changes applied in the order of their dependencies.

    Raises:
        DataError: A change does not fit the file.
    """
    from recsys_core.data.ingest.schema import with_changes

    for names in (_REREAD, ("table",), ("roles",)):
        part = {name: changes[name] for name in names if name in changes}
        table = with_changes(table, **part) if part else table
    rest = {name: value for name, value in changes.items() if name not in (*_REREAD, "table", "roles")}
    return with_changes(table, **rest) if rest else table


def _hinted(files: "Sequence[Inspected]", key: str) -> "list[Inspected]":
    """Return the guesses with the settings of the catalog for a public data set."""
    from recsys_core.data.catalogue import catalogue_entry
    from recsys_core.data.ingest.inspection import Inspected

    hints = {hint.file.rsplit("/", 1)[-1]: hint for hint in catalogue_entry(key).tables}
    read = []
    for file in files:
        table, hint = file.guess, hints.get(file.guess.name.rsplit("/", 1)[-1])
        if hint is None:
            read.append(Inspected(replace(table, table="ignored", roles={})))
            continue
        how = {"separator": hint.separator, "header": hint.header, "encoding": hint.encoding}
        roles = {**dict.fromkeys(table.roles), **hint.columns} if table.table == hint.table else hint.columns
        read.append(Inspected(changed(table, how | {"table": hint.table, "roles": roles})))
    return read


def remove_older(intake: "Intake") -> None:
    """Remove all but the `KEPT` latest readings, and the finished data sets of all: the next reading makes its own."""
    for path in (intake.folder / "readings").glob("*/dataset"):
        shutil.rmtree(path, ignore_errors=True)
    found = sorted((intake.folder / "readings").glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for is_folder in (True, False):
        for path in [path for path in found if path.is_dir() == is_folder][KEPT:]:
            shutil.rmtree(path, ignore_errors=True) if is_folder else path.unlink(missing_ok=True)


def _write_tables(path: Path, files: "Sequence[Inspected]") -> None:
    from recsys_core.data.ingest.schema_json import guess_to_json

    write_json(path, [{"guess": guess_to_json(file.guess), "error": file.error} for file in files])


def _read_tables(path: Path) -> "list[Inspected]":
    return list(_tables_in(path, path.stat().st_mtime_ns))


@lru_cache(maxsize=16)
def _tables_in(path: Path, _unused: int) -> "tuple[Inspected, ...]":
    from recsys_core.data.ingest.inspection import Inspected
    from recsys_core.data.ingest.schema_json import guess_from_json

    try:
        return tuple(Inspected(guess_from_json(file["guess"]), file["error"]) for file in read_json(path))
    except (KeyError, TypeError) as error:
        raise StoreError(
            _("'{path_name}' is damaged: {error}. Upload the files again.").format(path_name=path.name, error=error)
        ) from error


def _how(draft: "Draft") -> dict[str, dict[str, Any]]:
    """Return the changes of a draft that may require reading a file again."""
    how = {
        number: {name: changes[name] for name in _READS if name in changes} for number, changes in draft.changes.items()
    }
    return {number: changes for number, changes in how.items() if changes}


def _path_of_files(intake: "Intake", draft: "Draft") -> Path:
    return intake.folder / "readings" / f"files-{_digest([_facts(draft), _how(draft)])}.json"


def _facts(draft: "Draft") -> list[Any]:
    """Return sizes and modification times, which identify the files."""
    files: list[list[Any]] = []
    for name in draft.paths:
        try:
            facts = Path(name).stat()
        except OSError:
            files.append([name])
        else:
            files.append([name, facts.st_size, facts.st_mtime_ns])
    return [files, draft.catalogue]


def _digest(values: Any) -> str:
    from recsys_core.data.ingest.build import READER_VERSION

    return hashlib.sha256(json.dumps([READER_VERSION, _FORM, values], sort_keys=True).encode()).hexdigest()[:16]


def request_of(reading: Reading) -> dict[str, Any]:
    """Return a JSON-serializable description of a reading for its process."""
    return {"root": str(reading.intake.root), "intake": reading.intake.id, "draft": asdict(reading.draft)}


def requested(values: Mapping[str, Any]) -> Reading:
    """Return the reading described by `request_of`."""
    from recsys_core.serving.uploads import Draft, Intake

    draft = values["draft"]
    return Reading(Intake(Path(values["root"]), values["intake"]), Draft(**draft | {"paths": tuple(draft["paths"])}))


def rules_of(draft: "Draft", tables: "Sequence[TableGuess]") -> "IngestRules":
    """Return the cleaning rules of a draft: the suggestions for the files, with the user's changes.

    Raises:
        ConfigError: A value is out of bounds.
    """
    from recsys_core.data.ingest import suggest_rules
    from recsys_core.data.ingest.cleaning_rules import IngestRules

    return IngestRules.parse(suggest_rules(tables).model_dump() | draft.rules)
