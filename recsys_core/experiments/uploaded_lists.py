"""Lists that a user uploads to a finished experiment: judged on its test users like a model, and stored beside it.

They are in `uploaded/<list id>/` of the experiment's folder, with the same files as a job except the model, are part of
its leaderboard, and change neither its spec nor its id. Run cards and re-runs do not include them.
"""

import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from uuid import uuid4

import numpy as np

from recsys_core.contracts import RunContext
from recsys_core.data.splits import make_splits
from recsys_core.errors import ConfigError, DataError, StoreError
from recsys_core.evaluation.fallback import fallback_scores
from recsys_core.evaluation.given_lists import evaluate_lists
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
        run: An experiment with a finished model and one train/test split.
        table: The rows of the file.
        name: Name in the leaderboard.
        file: Name of the file.
        sha256: Checksum of the file; the same file under the same name replaces its earlier result.
        workspace: Opens the data by fingerprint.
        ctx: Progress and cancellation.

    Returns:
        The id of the list, which stands for a model id of the experiment.

    Raises:
        ConfigError: The name is invalid or taken.
        DataError: The experiment has several test sets, or no row of the file names one of its test users and items.
        StoreError: A disk error.
    """
    chosen = _spec_of(run, name, file, sha256)
    spec, ctx = run.spec, replace(ctx or RunContext(), seed=run.spec.seed)
    for _unused in ctx.track(range(1), stage="load and split the data"):
        dataset = workspace.open(spec.data)
        test_data = workspace.open(spec.split.test_data) if spec.split.test_data else None
        splits = make_splits(dataset, spec.split, spec.seed, test_data, spec.task)
    if len(splits) > 1:
        raise DataError(
            _(
                "Experiment '{run_name}' has {n_splits} test sets (folds or time windows), and one "
                "list per user cannot be judged on all of them. Use an experiment with one "
                "train/test split."
            ).format(run_name=run.name, n_splits=len(splits))
        )
    require_same_split(run, splits[0])
    lists, account = known_rows(table, dataset.user_vocabulary, dataset.item_vocabulary)
    evaluation, not_judged = evaluate_lists(
        lists,
        splits[0],
        cutoffs=spec.cutoffs,
        relevant_from=spec.relevant_from,
        ctx=ctx,
        fallback=fallback_scores(spec.fallback, splits[0].train),
    )
    judged = len(lists.user) - sum(asdict(not_judged).values())
    if judged == 0:
        raise DataError(_nothing_judged(account, len(lists.user)))
    listed = int(np.isin(evaluation.users, lists.user).sum())
    account = replace(account, **asdict(not_judged), judged=judged, users=len(evaluation.users), listed=listed)
    fold = JudgedFold(0, splits[0], None, evaluation, float("nan"), [])
    per_user = user_rows(dataset, fold)
    result = result_of(chosen, dataset, [fold], per_user, float("nan"), ctx.threads, spec)
    result = replace(result, notes=result.notes | {ACCOUNT: asdict(account)})
    _store(run, chosen.id, lambda folder: save_job(
        folder, result, JobTables(per_user, list_rows(fold), history_of_folds([fold])), None
    ))  # fmt: skip
    return chosen.id


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
            aside.mkdir(parents=True)
            write(aside)
            with locked(run.path / LOCK):
                if target.exists():
                    target.rename(aside.with_name(f".gone-{uuid4().hex[:8]}"))
                aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        for gone in (run.path / UPLOADED).glob(".gone-*"):
            shutil.rmtree(gone, ignore_errors=True)
