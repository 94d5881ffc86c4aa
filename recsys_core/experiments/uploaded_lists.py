"""Lists that a user uploads to a finished experiment: judged on its test users like a model, and stored beside it.

They are in `uploaded/<list id>/` of the experiment's folder, with the same files as a job except the model, are part of
its leaderboard, and change neither its spec nor its id. Run cards and re-runs do not include them.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd

from recsys_core.contracts import RunContext
from recsys_core.data.splits import Split, make_splits
from recsys_core.errors import ConfigError, DataError, StoreError
from recsys_core.evaluation.fallback import fallback_scores
from recsys_core.evaluation.given_lists import GivenLists, evaluate_lists
from recsys_core.evaluation.list_file import ListTable
from recsys_core.experiments.annotations import valid_name
from recsys_core.experiments.artifacts import JobTables, save_job
from recsys_core.experiments.experiment import LOCK, SPLIT, UPLOADED, Run
from recsys_core.experiments.held_out_users import require_same_split
from recsys_core.experiments.judged_folds import ACCOUNT, JudgedFold, history_of_folds, list_rows, result_of, user_rows
from recsys_core.experiments.list_accounts import ListAccount, known_rows
from recsys_core.experiments.spec import ModelSpec
from recsys_core.experiments.train_job import DataSource
from recsys_core.models.external import LIST
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.locks import locked
from recsys_core.text import _

LONGEST_NAME = 60
MOST_LISTS = 50


def add_list(
    run: Run,
    table: ListTable,
    *,
    name: str,
    file: str,
    sha256: str,
    workspace: DataSource,
    ctx: RunContext | None = None,
) -> str:
    """Judge uploaded lists on the test users of an experiment and store the result beside it.

    Args:
        run: An experiment with a finished model.
        table: The rows of the file; for an experiment with several test sets, with the number of that of each row.
        name: Name in the leaderboard.
        file: Name of the file.
        sha256: Checksum of the file; the same file under the same name replaces its earlier result.
        workspace: Opens the data by fingerprint.
        ctx: Progress and cancellation.

    Returns:
        The id of the list, which stands for a model id of the experiment.

    Raises:
        ConfigError: The name is invalid or taken.
        DataError: The experiment has several test sets and the file does not cover each of them, or no row of the file
            names one of its test users and items.
        StoreError: A disk error.
    """
    chosen = _spec_of(run, name, file, sha256)
    spec, ctx = run.spec, replace(ctx or RunContext(), seed=run.spec.seed)
    for _unused in ctx.track(range(1), stage="load and split the data"):
        dataset = workspace.open(spec.data)
        test_data = workspace.open(spec.split.test_data) if spec.split.test_data else None
        splits = make_splits(dataset, spec.split, spec.seed, test_data, spec.task)
    for split in splits:
        require_same_split(run, split)
    known, account = known_rows(table, dataset.user_vocabulary, dataset.item_vocabulary)
    folds, accounts_of_folds = [], []
    for split, lists in zip(splits, _by_test_set(run, known, splits), strict=True):
        fold, own = _judged(run, lists, split, ctx)
        folds.append(fold)
        accounts_of_folds.append(own)
    sums: dict[str, Any] = {name: sum(one[name] for one in accounts_of_folds) for name in accounts_of_folds[0]}
    account = replace(account, **sums)
    if account.judged == 0:
        raise DataError(_nothing_judged(account, len(known.user)))
    per_user = pd.concat([user_rows(dataset, fold) for fold in folds], ignore_index=True)
    rows = pd.concat([list_rows(fold) for fold in folds], ignore_index=True)
    result = result_of(chosen, dataset, folds, per_user, float("nan"), ctx.threads, spec)
    result = replace(result, notes=result.notes | {ACCOUNT: asdict(account)})
    tables = JobTables(per_user, rows, history_of_folds(folds))
    _store(run, chosen.id, lambda folder: save_job(folder, result, tables, None))
    return chosen.id


def _by_test_set(run: Run, lists: GivenLists, splits: Sequence[Split]) -> list[GivenLists]:
    """Return the lists for each test set of an experiment.

    Raises:
        DataError: The file does not say which of several test sets its rows are for, names others, or leaves some out.
    """
    numbers = set() if lists.fold is None else set(np.unique(lists.fold).tolist())
    values = {"experiment": run.name, "total": len(splits), "last": len(splits) - 1}
    if len(splits) == 1:
        if len(numbers) > 1:
            raise DataError(
                _(
                    "The file has lists for {count} folds, but experiment '{experiment}' has one test set. Upload the "
                    "lists of one fold, or remove the column."
                ).format(count=len(numbers), **values)
            )
        return [lists]
    if lists.fold is None:
        raise DataError(
            _(
                "Experiment '{experiment}' has {total} test sets (folds or time windows), and one list per user cannot "
                "be judged on all of them. Add a column 'fold' with the number of the test set of each row, from 0 to "
                "{last}, or use an experiment with one train/test split."
            ).format(**values)
        )
    first = 1 if numbers == set(range(1, len(splits) + 1)) else 0
    wanted = set(range(first, first + len(splits)))
    if others := sorted(numbers - wanted):
        raise DataError(
            _(
                "Experiment '{experiment}' has {total} test sets, numbered from 0 to {last}, but the file names "
                "'{other}' as well."
            ).format(other=others[0], **values)
        )
    if missing := sorted(wanted - numbers):
        raise DataError(
            _(
                "Experiment '{experiment}' has {total} test sets, numbered from 0 to {last}, but the file has no "
                "usable row for '{missing}'. It must cover all of them."
            ).format(missing=missing[0], **values)
        )
    return [lists.of_fold(split.fold + first) for split in splits]


def _judged(run: Run, lists: GivenLists, split: Split, ctx: RunContext) -> tuple[JudgedFold, dict[str, int]]:
    """Judge the lists for one test set; return the fold, and what became of their rows."""
    spec = run.spec
    evaluation, not_judged = evaluate_lists(
        lists,
        split,
        cutoffs=spec.cutoffs,
        relevant_from=spec.relevant_from,
        ctx=ctx,
        fallback=fallback_scores(spec.fallback, split.train),
    )
    left = asdict(not_judged)
    listed = int(np.isin(evaluation.users, lists.user).sum())
    account = left | {
        "judged": len(lists.user) - sum(left.values()),
        "users": len(evaluation.users),
        "listed": listed,
    }
    return JudgedFold(0, split, None, evaluation, float("nan"), []), account


def remove_list(run: Run, list_id: str) -> None:
    """Remove an uploaded list with its result, which may be damaged.

    Raises:
        StoreError: The experiment has no such list, or a disk error.
    """
    if list_id not in (*run.uploaded(), *run.damaged_lists()):
        raise StoreError(
            _("Experiment '{run_name}' has no uploaded list '{list_id}'.").format(run_name=run.name, list_id=list_id)
        )
    with locked(run.path / LOCK), disk_errors_in_words(run.path):
        gone = run.path / UPLOADED / f".gone-{uuid4().hex[:8]}"
        (run.path / UPLOADED / list_id).rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def accounts(run: Run) -> dict[str, ListAccount]:
    """Return the account of each uploaded list and each finished program of an experiment."""
    notes = {one: result.notes[ACCOUNT] for one, result in run.results().items() if ACCOUNT in result.notes}
    known = ListAccount.__dataclass_fields__
    return {
        one: ListAccount(**{"order": "file", "rows": 0} | {name: note[name] for name in note if name in known})
        for one, note in notes.items()
    }


def _spec_of(run: Run, name: str, file: str, sha256: str) -> ModelSpec:
    name = valid_name(name)
    if len(name) > LONGEST_NAME:
        raise ConfigError(
            _("The name of a list has at most {longest_name} characters.").format(longest_name=LONGEST_NAME)
        )
    if not (run.path / SPLIT).exists():
        raise DataError(
            _("Experiment '{run_name}' has no finished model yet; add lists to it when one has finished.").format(
                run_name=run.name
            )
        )
    chosen = ModelSpec(key=LIST, config={"name": name, "file": file[:200], "sha256": sha256})
    others = [one for one in run.uploaded() if one != chosen.id]
    if any(run.model_spec(one).config["name"] == name for one in others):
        raise ConfigError(
            _("This experiment has another list named '{name}'; choose another name, or remove that one.").format(
                name=name
            )
        )
    if len(others) >= MOST_LISTS:
        raise ConfigError(
            _("An experiment holds at most {most_lists} uploaded lists; remove one first.").format(
                most_lists=MOST_LISTS
            )
        )
    return chosen


def _nothing_judged(account: ListAccount, known: int) -> str:
    if account.unknown_user_rows and not known and not account.unknown_item_rows:
        why = "none of its users is in the data"
    elif account.unknown_item_rows and not known:
        why = "no row names a user and an item of the data"
    else:
        why = "no row names a test user with an item that can be recommended to that user"
    return _(
        "The list cannot be judged: {why}. It must use the identifiers of the data set, for "
        "the test users of this experiment."
    ).format(why=why)


def _store(run: Run, list_id: str, write: Callable[[Path], None]) -> None:
    aside = run.path / UPLOADED / f".new-{uuid4().hex[:8]}"
    target = run.path / UPLOADED / list_id
    try:
        with disk_errors_in_words(target):
            aside.parent.mkdir(exist_ok=True)  # not its parents: the experiment may have been deleted meanwhile
            aside.mkdir()
            write(aside)
            with locked(run.path / LOCK):
                if target.exists():
                    target.rename(aside.with_name(f".gone-{uuid4().hex[:8]}"))
                aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        for gone in (run.path / UPLOADED).glob(".gone-*"):
            shutil.rmtree(gone, ignore_errors=True)
