"""From files to a data set: every row is read once and accounted for; storing is all or nothing."""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from recsys_core.columns import INTERACTIONS, SOCIAL
from recsys_core.contracts import RunContext
from recsys_core.data.dataset import Dataset
from recsys_core.data.folder import open_folder, seal
from recsys_core.data.ingest.build import build
from recsys_core.data.ingest.cleaning_rules import IngestRules
from recsys_core.data.ingest.inspection import inspect_files, suggest_rules
from recsys_core.data.ingest.limits import DEFAULT_LIMITS, Limits
from recsys_core.data.ingest.schema import with_changes
from recsys_core.data.ingest.table_schema import TableGuess
from recsys_core.data.meta import DatasetCard
from recsys_core.data.report import IngestReport
from recsys_core.errors import DataError, StoreError
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.text import _

if TYPE_CHECKING:
    from recsys_core.data.workspace import Workspace

logger = logging.getLogger(__name__)


def check(
    guesses: Sequence[TableGuess],
    rules: IngestRules,
    ctx: RunContext | None = None,
    *,
    limits: Limits = DEFAULT_LIMITS,
    keep: Path | None = None,
) -> IngestReport:
    """Return the report of an ingest without storing anything.

    Args:
        guesses: How each file is read.
        rules: The cleaning rules.
        ctx: Progress and cancellation.
        limits: Bounds on what is read.
        keep: A folder on the disk of temporary files, not yet existing, to leave the finished data set in for
            `Workspace.take_over`; it is not created if the disk has no room for its metadata.

    Raises:
        DataError: The files cannot be read with these settings.
    """
    with tempfile.TemporaryDirectory(prefix="recscope-check-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        with disk_errors_in_words(folder):
            meta, report = build(guesses, rules, folder, name="check", ctx=ctx or RunContext(), limits=limits)
        if keep is not None:
            _leave(folder, meta, keep)
        return report


def _leave(folder: Path, meta: DatasetCard, keep: Path) -> None:
    """Move a finished data set to `keep`; on a disk error there is none, and storing reads the files again."""
    try:
        seal(folder, meta)
        folder.rename(keep)
    except (OSError, StoreError) as error:
        logger.warning("The checked data set is not kept: %s", error)


def ingest(
    guesses: Sequence[TableGuess],
    rules: IngestRules,
    workspace: "Workspace",
    name: str,
    ctx: RunContext | None = None,
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[Dataset, IngestReport]:
    """Read files and store the data set in the workspace.

    If the same files were stored before under the same rules, that data set is returned under the new name.

    Raises:
        DataError: The files cannot be read with these settings; nothing was stored.
        StoreError: The disk is full or not writable; nothing was stored.
        Cancelled: The user cancelled the ingest; nothing was stored.
    """
    with workspace.staging() as folder:
        meta, report = build(guesses, rules, folder, name=name, ctx=ctx or RunContext(), limits=limits)
        return workspace.adopt(folder, meta), report


def load_file(
    path: Path, columns: Mapping[str, str | int] | None = None, *, limits: Limits = DEFAULT_LIMITS
) -> Dataset:
    """Load the interactions of one file (or archive) into memory, without storing them.

    No rows are cleaned away: ratings are kept unchanged, duplicate pairs are kept, and unreadable timestamps become
    missing. Known event types get the weights of `suggest_rules`.

    Args:
        path: CSV, TSV, `::`, Parquet, JSON Lines, a JSON array, Excel, or an archive of these.
        columns: Number (from 0) or name of the column of each role; None to infer all roles.
        limits: Bounds on what is read.

    Raises:
        DataError: The file cannot be read, or has no such column.
    """
    return load_with_report(path, columns, limits=limits)[0]


def load_with_report(
    path: Path,
    columns: Mapping[str, str | int] | None = None,
    *,
    links: Path | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[Dataset, IngestReport]:
    """Load a file as `load_file` does, and return its ingest report as well.

    Args:
        path: The interactions file.
        columns: As for `load_file`.
        links: A separate file with links between users, if there is one.
        limits: Bounds on what is read.

    Raises:
        DataError: A file cannot be read, or a column does not exist.
    """
    guesses = inspect_files([Path(path)], limits=limits)
    if columns is not None:
        guesses = with_interaction_columns(guesses, columns)
    elif len(guesses) == 1 and guesses[0].table != INTERACTIONS:
        guesses = [with_changes(guesses[0], table=INTERACTIONS)]
    if links is not None:
        guesses += [with_changes(guess, table=SOCIAL) for guess in inspect_files([Path(links)], limits=limits)]
    weights = suggest_rules(guesses).event_weights
    rules = IngestRules(duplicates="keep", bad_timestamps="keep", event_weights=weights)
    with tempfile.TemporaryDirectory(prefix="recscope-load-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        with disk_errors_in_words(folder):
            report = build(guesses, rules, folder, name=Path(path).name, ctx=RunContext(), limits=limits)[1]
            return _in_memory(open_folder(folder)), report


def with_interaction_columns(guesses: Sequence[TableGuess], columns: Mapping[str, str | int]) -> list[TableGuess]:
    """Return the guesses with exactly these roles in the interactions files; a single file counts as interactions.

    Raises:
        DataError: None of several files holds interactions, a column or role does not exist, or a column cannot have
            the role.
    """
    chosen = [guess for guess in guesses if guess.table == INTERACTIONS or len(guesses) == 1]
    if not chosen:
        names = ", ".join(f"'{guess.name}'" for guess in guesses)
        raise DataError(
            _("Columns are given, but none of {names} holds interactions. Pass only the interactions file.").format(
                names=names
            )
        )
    changed = {id(guess): with_columns(guess, columns) for guess in chosen}
    for guess in changed.values():
        for role, column in columns.items():
            if role not in guess.roles:
                raise DataError(
                    _(
                        "'{guess_name}': column '{column}' cannot be read as '{role}'. Choose another "
                        "column, or omit '{role}'."
                    ).format(guess_name=guess.name, column=column, role=role)
                )
    return [changed.get(id(guess), guess) for guess in guesses]


def with_columns(guess: TableGuess, columns: Mapping[str, str | int]) -> TableGuess:
    """Return the guess as an interactions table with exactly these roles."""
    if guess.table != INTERACTIONS:
        guess = with_changes(guess, table=INTERACTIONS)
    return with_changes(guess, roles={**dict.fromkeys(guess.roles), **columns})


def _in_memory(dataset: Dataset) -> Dataset:
    """Return the data set with its tables loaded, so that its files can be deleted."""
    users, items, social = dataset.users, dataset.items, dataset.social
    return replace(
        dataset.with_interactions(dataset.interactions),
        fingerprint=dataset.fingerprint,
        load_users=None if users is None else lambda: users,
        load_items=None if items is None else lambda: items,
        load_social=None if social is None else lambda: social,
    )
