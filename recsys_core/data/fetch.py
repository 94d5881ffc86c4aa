"""From the catalogue into the workspace: fetch a public data set, take it in, free what was fetched."""

from pathlib import Path

from recsys_core.contracts import RunContext
from recsys_core.data.catalogue import CatalogueEntry
from recsys_core.data.dataset import Dataset
from recsys_core.data.download import DEFAULT_LIMITS, DownloadLimits, download
from recsys_core.data.ingest import ingest, inspect_files, suggest_rules
from recsys_core.data.ingest.report import IngestReport
from recsys_core.data.workspace import Workspace
from recsys_core.errors import DataError

DOWNLOADS = "downloads"


def downloads_folder(workspace: Workspace) -> Path:
    """Return where downloads of a workspace lie while they are under way."""
    return workspace.root / DOWNLOADS


def fetch_dataset(
    entry: CatalogueEntry, workspace: Workspace, ctx: RunContext, limits: DownloadLimits = DEFAULT_LIMITS
) -> tuple[Dataset, IngestReport]:
    """Fetch a public data set into the workspace, read as its publisher writes it.

    The terms (`entry.licence`) are for the person to read before this is called. What was fetched is deleted once it
    is stored, or turns out to be no data set; what came before an interruption stays, and the next call goes on there.

    Args:
        entry: From the catalogue.
        workspace: Where the data set is stored, under the entry's title.
        ctx: Takes progress, in bytes and then in rows, and can stop the work.
        limits: Bounds of the download.

    Raises:
        DataError: The download failed, or what came is not the data set.
        StoreError: The disk is full or cannot be written.
        Cancelled: The person stopped it.
    """
    path = download(entry, downloads_folder(workspace), ctx, limits)
    try:
        guesses = inspect_files([path])
        stored = ingest(guesses, suggest_rules(guesses), workspace, entry.title, ctx)
    except DataError:
        path.unlink(missing_ok=True)
        raise
    path.unlink(missing_ok=True)
    return stored
