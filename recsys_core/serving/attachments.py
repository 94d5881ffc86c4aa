"""Pictures and vectors that a user attaches to items, read by a separate process with resource limits.

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
from recsys_core.storage.processes import start_python
from recsys_core.text import _

if TYPE_CHECKING:
    from recsys_core.profiles.attach import Attached

logger = logging.getLogger(__name__)
WORK = "attach"
RESULT = "attached.json"


def attach(
    root: Path, fingerprint: str, file: Path, ctx: RunContext, limits: ProcessLimits | None = None
) -> "Attached":
    """Attach a file to the items of a data set in another process and return the result.

    Args:
        root: The workspace.
        fingerprint: The data set.
        file: A zip of pictures, or a `.npy` file; alone in its folder.
        ctx: Progress and cancellation.
        limits: Limits of the process; defaults to those of the environment.

    Raises:
        DataError: The file is invalid or exceeded a limit.
        StoreError: A disk error.
        Cancelled: The work was cancelled.
    """
    from recsys_core.data.workspace import Workspace
    from recsys_core.profiles.attach import Attached

    folder, limits = file.parent, limits or process_limits()
    begin(folder, WORK)
    with disk_errors_in_words(folder):
        command = ["-m", "recsys_core.serving.attachments", str(root), fingerprint, str(file)]
        process = start_python(command, stdout=subprocess.DEVNULL)

    def wanted() -> bool:
        status = status_of(folder)
        if status.stage:
            ctx.report(Progress(status.stage, status.step, status.total))
        return not ctx.stop_requested()

    words = watch(process, limits, wanted)
    if ctx.stop_requested():
        raise Cancelled(_("Cancelled; nothing was stored."))
    if not has_ended(folder):
        logger.error("Reading %s failed: %s", file, words)
        note_ending(folder, WORK, "FAILED", words or "The process that read the file ended unexpectedly.")
    status = status_of(folder)
    if status.state != "DONE":
        raise DataError(status.reason)
    return Attached(dataset=Workspace(root).open(status.fingerprint), **read_json(folder / RESULT))


def _attach(root: Path, fingerprint: str, file: Path, ctx: RunContext) -> str:
    """Attach the file, store the counts, and return the fingerprint of the resulting data set."""
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
    """Run the process."""
    confine(process_limits())
    run_in(file.parent, WORK, lambda ctx: _attach(root, fingerprint, file, ctx))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
