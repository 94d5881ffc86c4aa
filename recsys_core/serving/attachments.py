"""Pictures and vectors that a user adds to the items, opened by a process of its own within limits.

`python -m recsys_core.serving.attachments ROOT FINGERPRINT FILE` works in the folder of the file; see `work_status`.
"""

import logging
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from recsys_core.contracts import Progress, RunContext
from recsys_core.data.ingest.limits import ProcessLimits
from recsys_core.errors import Cancelled, DataError
from recsys_core.serving.process_limits import confine, process_limits, watch
from recsys_core.serving.work_status import begin, has_ended, note_ending, run_in, status_of
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.files import read_json, write_json
from recsys_core.storage.processes import detached

if TYPE_CHECKING:
    from recsys_core.profiles.attach import Attached

logger = logging.getLogger(__name__)
WORK = "attach"
RESULT = "attached.json"


def attach(
    root: Path, fingerprint: str, file: Path, ctx: RunContext, limits: ProcessLimits | None = None
) -> "Attached":
    """Return what came of adding a file to the items of a data set; another process opens the file.

    Args:
        root: The workspace.
        fingerprint: The data set.
        file: A zip with pictures, or a `.npy` file; alone in a folder of its own.
        ctx: Takes progress and can stop the work.
        limits: What the process may use; by default what the environment says.

    Raises:
        DataError: The file cannot be taken, or broke a limit.
        StoreError: The disk refused.
        Cancelled: Somebody stopped it.
    """
    from recsys_core.data.workspace import Workspace
    from recsys_core.profiles.attach import Attached

    folder, limits = file.parent, limits or process_limits()
    begin(folder, WORK)
    with disk_errors_in_words(folder):
        process = subprocess.Popen(
            [sys.executable, "-m", "recsys_core.serving.attachments", str(root), fingerprint, str(file)],
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            **detached(),
        )

    def wanted() -> bool:
        status = status_of(folder)
        if status.stage:
            ctx.report(Progress(status.stage, status.step, status.total))
        return not ctx.stop_requested()

    words = watch(process, limits, wanted)
    if ctx.stop_requested():
        raise Cancelled("Stopped on request; nothing was stored.")
    if not has_ended(folder):
        logger.error("Reading %s failed: %s", file, words)
        note_ending(folder, WORK, "FAILED", words or "The process that read the file stopped without a word.")
    status = status_of(folder)
    if status.state != "DONE":
        raise DataError(status.reason)
    return Attached(dataset=Workspace(root).open(status.fingerprint), **read_json(folder / RESULT))


def _attach(root: Path, fingerprint: str, file: Path, ctx: RunContext) -> str:
    """Attach, note the counts, and return the fingerprint of the data set that came of it."""
    from recsys_core.data.workspace import Workspace
    from recsys_core.profiles.attach import attach_pictures, attach_vectors

    workspace = Workspace(root)
    if file.suffix == ".npy":
        made = attach_vectors(workspace, fingerprint, file)
    else:
        made = attach_pictures(workspace, fingerprint, file, ctx=ctx)
    counts = {name: value for name, value in vars(made).items() if name != "dataset"}
    write_json(file.parent / RESULT, counts)
    return made.dataset.fingerprint


def main(root: Path, fingerprint: str, file: Path) -> None:
    """Be the process."""
    confine(process_limits())
    run_in(file.parent, WORK, lambda ctx: _attach(root, fingerprint, file, ctx))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
