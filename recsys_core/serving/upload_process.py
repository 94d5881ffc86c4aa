"""`python -m recsys_core.serving.upload_process WORKSPACE ID WORK`: downloads or stores the files of one upload."""

import logging
import sys
from dataclasses import replace
from pathlib import Path

from recsys_core.contracts import RunContext
from recsys_core.data.catalogue import catalogue_entry
from recsys_core.data.download import download
from recsys_core.data.workspace import Workspace
from recsys_core.errors import Damaged
from recsys_core.serving.process_limits import confine, process_limits
from recsys_core.serving.upload_tables import Reading, applied, inspected, rules_of
from recsys_core.serving.uploads import Intake, Work
from recsys_core.serving.work_status import run_in

logger = logging.getLogger(__name__)


def run(intake: Intake, work: Work) -> None:
    """Download or store the files, and record how it ended."""

    def store(ctx: RunContext) -> str:
        draft, workspace = intake.draft(), Workspace(intake.root)
        ctx.stop_if_requested("before storing")
        checked = Reading(intake, draft).dataset
        if checked.is_dir():
            try:
                return workspace.take_over(checked, draft.name).fingerprint
            except Damaged as error:
                logger.warning("The files are read again: %s", error)
        from recsys_core.data.ingest import ingest  # lazy: not needed for a checked data set
        from recsys_core.data.ingest.inspection import readable

        tables = readable(applied(inspected(intake, draft), draft))
        return ingest(tables, rules_of(draft, tables), workspace, draft.name, ctx)[0].fingerprint

    def fetch(ctx: RunContext) -> str:
        draft = intake.draft()
        path = download(catalogue_entry(draft.catalogue), intake.folder / "files", ctx)
        intake.save(replace(draft, paths=(str(path),)))
        return ""

    run_in(intake.folder, work, store if work == "store" else fetch)


if __name__ == "__main__":
    storing = sys.argv[3] == "store"
    if storing:
        confine(process_limits())
    run(Intake(Path(sys.argv[1]), sys.argv[2]), "store" if storing else "download")
