"""Upload sessions: files are kept in a folder per session, and a separate process downloads or stores them.

    intake/<id>/files/           uploaded or downloaded files
               unpacked/         contents of archives
               draft.json        paths of the files, changes to the guesses, cleaning rules, name
               status.json       status of the process (download or store): RUNNING, DONE, FAILED, CANCELLED
               progress.jsonl    its progress
               cancel            an empty file that requests cancellation
               readings/         results of reading the files, see `upload_tables`

A reloaded page or a restarted web server thus continues where it was. The folder is removed when the data are stored,
or when it was not used for a day.
"""

import contextlib
import logging
import os
import re
import shutil
import subprocess
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, Self
from uuid import uuid4

from recsys_core.data.ingest.limits import ProcessLimits
from recsys_core.errors import Damaged, StoreError
from recsys_core.serving.process_limits import ending_in_words, process_limits, watch
from recsys_core.serving.work_status import WorkStatus, begin, note_ending, status_of
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.files import read_json, write_json
from recsys_core.storage.processes import start_python
from recsys_core.text import _

logger = logging.getLogger(__name__)
KEPT_SECONDS = 86_400.0
"""An intake that was not used for this long is removed."""
COPY_BYTES = 1 << 20
LISTED_FILES = 500
"""Maximum number of server files that a page lists."""
Work = Literal["download", "store"]
_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Draft:
    """The user's settings so far, as plain values.

    Args:
        name: Name of the data set.
        paths: The files, in upload order.
        changes: Table number -> changes to the guess; see `schema.with_changes`.
        rules: Fields of `IngestRules` that differ from the defaults.
        catalogue: Catalog key of a public data set; empty for other files.
    """

    name: str = ""
    paths: tuple[str, ...] = ()
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=dict)
    catalogue: str = ""


class Intake:
    """An upload session: files that are not yet stored as a data set.

    Args:
        root: The workspace.
        identifier: Twelve hexadecimal digits.

    Raises:
        StoreError: The identifier is invalid.
    """

    def __init__(self, root: Path, identifier: str) -> None:
        if not _ID.fullmatch(identifier):
            raise StoreError(_("This upload session does not exist; upload the files again."))
        self.root = root
        self.id = identifier
        self.folder = root / "intake" / identifier

    @classmethod
    def create(cls, root: Path, *, name: str = "", paths: tuple[str, ...] = (), catalogue: str = "") -> Self:
        """Create the folder of a session, and remove abandoned ones.

        Raises:
            StoreError: A disk error.
        """
        remove_left_over(root)
        made = cls(root, uuid4().hex[:12])
        with disk_errors_in_words(made.folder):
            (made.folder / "files").mkdir(parents=True)
        made.save(Draft(name=name, paths=paths, catalogue=catalogue))
        return made

    @property
    def exists(self) -> bool:
        """Whether its folder exists."""
        return (self.folder / "draft.json").is_file()

    def add(self, name: str, stream: IO[bytes]) -> Path:
        """Copy an uploaded file into the session; directories in its name are dropped.

        Raises:
            StoreError: A disk error.
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
        """Return the current settings.

        Raises:
            StoreError: They do not exist, or cannot be read.
        """
        values = read_json(self.folder / "draft.json")
        try:
            draft = Draft(**values | {"paths": tuple(values["paths"])})
            if not all(isinstance(one, dict) for one in (draft.rules, draft.changes, *draft.changes.values())):
                raise TypeError("changes and rules must be objects")
        except (TypeError, KeyError, AttributeError) as error:
            raise Damaged(
                _("The settings of these files cannot be read ({error}); upload the files again.").format(error=error)
            ) from error
        return draft

    def save(self, draft: Draft) -> None:
        """Store the settings.

        Raises:
            StoreError: A disk error.
        """
        write_json(self.folder / "draft.json", asdict(draft))

    def start(self, work: Work) -> None:
        """Start the process that downloads or stores; it survives the web server.

        Raises:
            StoreError: A disk error.
            ConfigError: A limit set by the operator is not a number.
        """
        begin(self.folder, work)
        with disk_errors_in_words(self.folder), (self.folder / "log.txt").open("ab") as log:
            command = ["-m", "recsys_core.serving.upload_process", str(self.root), self.id, work]
            process = start_python(command, stdout=log, stderr=log)
        arguments = (process, work, process_limits())
        threading.Thread(target=self._supervise, args=arguments, name="intake-exit", daemon=True).start()

    def _supervise(self, process: "subprocess.Popen[bytes]", work: Work, limits: ProcessLimits) -> None:
        """Enforce the limits of the process; record it if it exceeds one or crashes."""
        words = watch(process, limits) if work == "store" else ending_in_words(process.wait())
        if words and status_of(self.folder).state not in ("DONE", "CANCELLED"):
            logger.error("%s of %s failed: %s", work, self.folder, words)
            with contextlib.suppress(StoreError):  # the folder may have been removed meanwhile
                note_ending(self.folder, work, "FAILED", f"{words} Nothing was stored.")

    def status(self) -> WorkStatus:
        """Return the status of the process; one that ended without recording it has FAILED."""
        return status_of(self.folder)

    def cancel(self) -> None:
        """Request cancellation; the process stops at its next step."""
        with disk_errors_in_words(self.folder):
            (self.folder / "cancel").touch()

    def back_to_draft(self) -> None:
        """Clear the status of the process, so that the user can change the settings and try again."""
        (self.folder / "status.json").unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the folder with the uploaded files."""
        shutil.rmtree(self.folder, ignore_errors=True)


def server_files() -> list[str]:
    """Return the files in the folder configured by the operator, relative to it; empty without such a folder."""
    from recsys_core.data.ingest.server_path import data_root

    base = data_root()
    if base is None or not base.is_dir():
        return []
    found = (Path(folder, name) for folder, _, names in os.walk(base) for name in names if not name.startswith("."))
    inside = [path for path in found if path.is_file() and path.resolve().is_relative_to(base)]
    return sorted(str(path.relative_to(base)) for path in inside)[:LISTED_FILES]


def remove_left_over(root: Path) -> None:
    """Remove sessions that were not used for a day and have no running process."""
    for folder in (root / "intake").glob("*"):
        if not _ID.fullmatch(folder.name):
            continue
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > KEPT_SECONDS and not Intake(root, folder.name).status().is_live:
                shutil.rmtree(folder, ignore_errors=True)
