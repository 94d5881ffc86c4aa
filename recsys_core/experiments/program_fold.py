"""One fold of a program: write its input as Parquet, run it, read its lists, and judge them like those of a model."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsys_core.columns import EVENT, ITEM, ITEM_ID, RATING, TIMESTAMP, USER_ID, WEIGHT
from recsys_core.columns import USER as USER_COLUMN
from recsys_core.contracts import PAD, IntArray, QueryBatch, RunContext
from recsys_core.data import Dataset
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.data.splits import Split
from recsys_core.errors import DataError, ProgramFailed
from recsys_core.evaluation.fallback import fallback_scores
from recsys_core.evaluation.given_lists import evaluate_lists
from recsys_core.evaluation.list_file import read_list_file
from recsys_core.experiments.judged_folds import ProgramFold
from recsys_core.experiments.list_accounts import known_rows
from recsys_core.experiments.program_environment import command_of
from recsys_core.experiments.program_process import GIB, Bounds, Outcome, own_variables, remove, run_command
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
from recsys_core.experiments.training_part import relevance_of
from recsys_core.models.histories import relevant_part
from recsys_core.models.programs import Folder, folder_of, program_class
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.text import _

FORMAT = 1
REQUEST, TRAIN, USERS, HISTORIES, SEEN, ITEMS, LISTS = (
    "request.json", "train.parquet", "users.parquet", "histories.parquet", "seen.parquet", "items.parquet",
    "lists.parquet",
)  # fmt: skip
OF_INTERACTIONS = (RATING, TIMESTAMP, EVENT, WEIGHT)


def run_program(
    spec: ExperimentSpec, chosen: ModelSpec, split: Split, ctx: RunContext, job: Path, root: Path
) -> ProgramFold:
    """Run a program on the training data of a split and judge its lists.

    Args:
        spec: The experiment.
        chosen: The program with its settings.
        split: The split.
        ctx: Progress, cancellation, threads, and the seed that the program gets.
        job: Folder of the job, in which it works.
        root: The workspace, which holds the environments.

    Raises:
        ConfigError: The program is not on this machine, or has changed since the experiment was started.
        DataError: The data lack something that it needs.
        ProgramFailed: It ended badly, exceeded a limit, or wrote no valid lists.
        Cancelled: The user cancelled the job.
        StoreError: A disk error.
    """
    program = folder_of(chosen.key, str(chosen.config.get("checksum", "")))
    if missing := split.train.lacks(program_class(chosen.key).info.needs):
        title = program.manifest.program.title
        raise DataError(
            _("{title} needs {missing}, which '{train_name}' does not have.").format(
                title=title, missing=", ".join(missing), train_name=split.train.name
            )
        )
    command = command_of(program, root, ctx)
    folder = job / f"program-{uuid4().hex[:8]}"
    try:
        with disk_errors_in_words(folder):
            folder.mkdir()
            users = _write_input(spec, chosen, split, folder, ctx)
        outcome = _run(program, command, folder, ctx)
        return _judged(spec, program, split, folder / LISTS, users, outcome, ctx)
    finally:
        remove(folder)


def _run(program: Folder, command: list[str], folder: Path, ctx: RunContext) -> Outcome:
    limits = program.manifest.limits
    bounds = Bounds(limits.memory_gib * GIB, limits.seconds, limits.disk_gib * GIB)
    variables = own_variables(folder, ctx.threads) | {"RECSCOPE_REQUEST": str((folder / REQUEST).absolute())}
    title = program.manifest.program.title
    return run_command(command, folder, bounds, ctx, what=title, stage=f"run {title}", variables=variables)


def _write_input(spec: ExperimentSpec, chosen: ModelSpec, split: Split, folder: Path, ctx: RunContext) -> IntArray:
    """Write the files of the request; return the test users."""
    train, users = split.train, split.test_users()
    query = split.queries(users)
    info = program_class(chosen.key).info
    relevant_from = relevance_of(info, spec, has_ratings=train.has_ratings)
    seen = query
    if relevant_from is not None:
        train, query = train.subset(train.strengths >= relevant_from), relevant_part(query, relevant_from)
    user_ids, item_ids = (pa.array(one.ids, pa.string()) for one in (train.user_vocabulary, train.item_vocabulary))
    frame = train.interactions
    columns = {USER_ID: user_ids.take(pa.array(frame[USER_COLUMN])), ITEM_ID: item_ids.take(pa.array(frame[ITEM]))}
    columns |= {name: _column(frame[name]) for name in OF_INTERACTIONS if name in frame}
    own = user_ids.take(pa.array(users))
    candidates = split.candidates()
    items = np.arange(train.n_items) if candidates is None else candidates
    tables: dict[str, dict[str, Any]] = {
        TRAIN: columns,
        USERS: {USER_ID: own, "known": pa.array(query.user != PAD)},
        HISTORIES: _histories(query, own, item_ids, has_ratings=train.has_ratings),
        SEEN: _pairs(own, item_ids, seen.seen.row_numbers(), seen.seen.values),
        ITEMS: {ITEM_ID: item_ids.take(pa.array(items))} | _attributes(train, items),
    }
    for name, table in tables.items():
        pq.write_table(pa.table(table), folder / name)
    settings = {name: value for name, value in chosen.config.items() if name not in ("version", "checksum")}
    request = {"format": FORMAT, "train": TRAIN, "users": USERS, "histories": HISTORIES, "seen": SEEN, "items": ITEMS}
    request |= {"output": LISTS, "k": max(spec.cutoffs), "seed": ctx.seed, "threads": ctx.threads, "settings": settings}
    (folder / REQUEST).write_text(json.dumps(request, indent=1), encoding="utf-8")
    return users


def _column(values: "pd.Series[Any]") -> pa.Array:
    """Return a column; timestamps stay Unix milliseconds, and unknown ones are null."""
    if values.name == TIMESTAMP:
        return pa.array(values.to_numpy(), mask=values.to_numpy() == NO_TIMESTAMP)
    return pa.array(values, from_pandas=True)


def _pairs(users: pa.Array, items: pa.Array, rows: IntArray, positions: IntArray) -> dict[str, pa.Array]:
    return {USER_ID: users.take(pa.array(rows)), ITEM_ID: items.take(pa.array(positions.astype(np.int64)))}


def _histories(query: QueryBatch, users: pa.Array, items: pa.Array, *, has_ratings: bool) -> dict[str, pa.Array]:
    """Return the histories of the test users, oldest first."""
    found = _pairs(users, items, query.history.row_numbers(), query.history.values)
    if has_ratings:
        found[RATING] = pa.array(query.values, from_pandas=True)
    if query.timestamps is not None:
        found[TIMESTAMP] = _column(pd.Series(query.timestamps, name=TIMESTAMP))
    if query.weights is not None:
        found[WEIGHT] = pa.array(query.weights)
    return found


def _attributes(train: Dataset, items: IntArray) -> dict[str, pa.Array]:
    if train.items is None:
        return {}
    rows = train.items.iloc[items]
    return {str(name): pa.array(rows[name], from_pandas=True) for name in rows.columns if name != ITEM_ID}


def _judged(
    spec: ExperimentSpec, program: Folder, split: Split, path: Path, users: IntArray, outcome: Outcome, ctx: RunContext
) -> ProgramFold:
    """Read and judge what the program wrote.

    Raises:
        ProgramFailed: It is missing, malformed, or names unknown users or items.
    """
    title = program.manifest.program.title
    if path.is_symlink() or not path.is_file():
        raise ProgramFailed(
            _("{title} ended with exit status 0, but did not write '{lists}'.").format(title=title, lists=LISTS)
        )
    try:
        table = read_list_file(path)
    except DataError as error:
        raise ProgramFailed(
            _("{title} wrote lists that cannot be read: {error}").format(title=title, error=error)
        ) from error
    vocabularies = split.train.user_vocabulary, split.train.item_vocabulary
    lists, account = known_rows(table, *vocabularies)
    unknown = account.unknown_user_rows + account.unknown_item_rows + account.without_id + account.unreadable
    if unknown:
        raise ProgramFailed(
            _(
                "{title} wrote {unknown:,} rows without a known user, a known item, and a number as "
                "rank or score; use the identifiers of '{users}' and '{items}'."
            ).format(title=title, unknown=unknown, users=USERS, items=ITEMS)
        )
    evaluation, not_judged = evaluate_lists(
        lists,
        split,
        cutoffs=spec.cutoffs,
        relevant_from=spec.relevant_from,
        ctx=ctx,
        fallback=fallback_scores(spec.fallback, split.train),
    )
    listed = int(np.isin(users, lists.user).sum())
    judged = len(lists.user) - sum(asdict(not_judged).values())
    account = replace(account, **asdict(not_judged), judged=judged, users=len(users), listed=listed)
    return ProgramFold(evaluation, asdict(account), outcome.seconds, outcome.peak_bytes)
