"""Taking data in beside the web server: files wait in a folder of their own, and a process fetches or converts them.

    intake/<id>/files/           what was uploaded or downloaded
               unpacked/         what came out of archives
               draft.json        where the files are, what the person changed about the guesses, the rules, the name
               status.json       the process at work (download or store): RUNNING, DONE, FAILED, CANCELLED
               progress.jsonl    its progress
               cancel            an empty file: somebody wants it to stop
               readings/         what reading the files gave, see `upload_tables`

So a page that is reloaded, or a web server that is restarted, finds everything as it was. The folder goes when the data
are stored, or when nobody touched it for a day.
"""

import contextlib
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Self
from uuid import uuid4

from recsys_core.data.ingest.limits import ProcessLimits
from recsys_core.errors import Damaged, StoreError
from recsys_core.serving.process_limits import ending_in_words, process_limits, watch
from recsys_core.serving.work_status import WorkStatus, begin, note_ending, status_of
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.files import read_json, write_json
from recsys_core.storage.processes import detached

if TYPE_CHECKING:
    pass

logger = logging.getLogger(__name__)
KEPT_SECONDS = 86_400.0
"""An intake that nobody touched for so long is removed."""
COPY_BYTES = 1 << 20
LISTED_FILES = 500
"""Files on the server that a page offers."""
Work = Literal["download", "store"]
_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Draft:
    """What a person has decided so far, in plain values.

    Args:
        name: What the data set will be called.
        paths: The files, in the order in which they came.
        changes: For each table by its number, what differs from the guess; see `schema.with_changes`.
        rules: Fields of `IngestRules` that differ from the defaults.
        catalogue: Key of the public data set that the files are, if they are one.
    """

    name: str = ""
    paths: tuple[str, ...] = ()
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=dict)
    catalogue: str = ""


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
            StoreError: It is not there any more, or cannot be read.
        """
        values = read_json(self.folder / "draft.json")
        try:
            draft = Draft(**values | {"paths": tuple(values["paths"])})
            if not all(isinstance(one, dict) for one in (draft.rules, draft.changes, *draft.changes.values())):
                raise TypeError("changes and rules are no records")
        except (TypeError, KeyError, AttributeError) as error:
            raise Damaged(f"What was decided about these files cannot be read ({error}); choose them again.") from error
        return draft

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
            ConfigError: A limit set by the operator is not a number.
        """
        begin(self.folder, work)
        with disk_errors_in_words(self.folder), (self.folder / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "recsys_core.serving.upload_process", str(self.root), self.id, work],
                cwd=Path(__file__).resolve().parents[2],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **detached(),
            )
        arguments = (process, work, process_limits())
        threading.Thread(target=self._see_to_its_end, args=arguments, name="intake-exit", daemon=True).start()

    def _see_to_its_end(self, process: "subprocess.Popen[bytes]", work: Work, limits: ProcessLimits) -> None:
        """Hold the process to its limits; if it broke one or crashed, note that."""
        words = watch(process, limits) if work == "store" else ending_in_words(process.wait())
        if words and status_of(self.folder).state not in ("DONE", "CANCELLED"):
            logger.error("%s of %s failed: %s", work, self.folder, words)
            with contextlib.suppress(StoreError):  # the folder may have been left meanwhile
                note_ending(self.folder, work, "FAILED", f"{words} Nothing was stored.")

    def status(self) -> WorkStatus:
        """Return how the process stands; one that is gone without a word has FAILED."""
        return status_of(self.folder)

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


def server_files() -> list[str]:
    """Return the files below the folder that the operator opened, relative to it; none if there is no such folder."""
    from recsys_core.data.ingest.server_path import data_root

    base = data_root()
    if base is None or not base.is_dir():
        return []
    found = (Path(folder, name) for folder, _, names in os.walk(base) for name in names if not name.startswith("."))
    inside = [path for path in found if path.is_file() and path.resolve().is_relative_to(base)]
    return sorted(str(path.relative_to(base)) for path in inside)[:LISTED_FILES]


def remove_left_over(root: Path) -> None:
    """Remove what nobody has touched for a day and no process works on."""
    for folder in (root / "intake").glob("*"):
        if not _ID.fullmatch(folder.name):
            continue
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > KEPT_SECONDS and not Intake(root, folder.name).status().is_live:
                shutil.rmtree(folder, ignore_errors=True)
