"""The candidates of a stored model for the test users of its experiment: more of them than its stored lists hold.

Lists are stored down to the largest cut-off of the metrics; a strategy reads 100 or 200 candidates. They are ranked
once by the stored model, as its lists were, and kept beside the experiment: `candidates/<model>.safetensors` with
`item` and `score`, and a record with their checksum and that of the model. If these files are damaged, or the model was
trained again, the candidates are ranked again.

With several folds or windows the candidates are those of the first, whose model is stored.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from recsys_core.columns import FOLD, ITEM, RANK, SCORE, USER
from recsys_core.contracts import PAD, BoolArray, IntArray, QueryBatch, RunContext, TopK
from recsys_core.data import Dataset
from recsys_core.data.splits import Split, make_splits
from recsys_core.errors import ConfigError, Damaged, DataError, StoreError
from recsys_core.evaluation.evaluate import relevant_items
from recsys_core.evaluation.fallback import fallback_scores
from recsys_core.evaluation.full_ranking import TestQueries, rank_all
from recsys_core.experiments.artifacts import MODEL, RESULT
from recsys_core.experiments.damage import sums_of
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.held_out_users import require_same_split
from recsys_core.storage.checksums import (
    FILES,
    file_sums,
    read_record,
    sums_from_json,
    sums_to_json,
    verify,
    write_record,
)
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.files import written_aside
from recsys_core.strategy.candidates import Candidates
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.facts import Facts
from recsys_core.text import _

logger = logging.getLogger(__name__)
FOLDER = "candidates"
SOURCE, POOL = "model", "pool"


def candidates_of(
    run: Run,
    model_id: str,
    pool: int,
    dataset: Dataset,
    *,
    mix: Mapping[str, str] | None = None,
    test_data: Dataset | None = None,
    ctx: RunContext | None = None,
) -> Candidates:
    """Return the candidates of a model for the test users that the verdict of the experiment is about.

    Args:
        run: The experiment.
        model_id: A finished job of it.
        pool: Number of candidates per user.
        dataset: The data of the experiment.
        mix: Name in a mix -> job, of all models that the mix reads; see `models_of_mix`.
        test_data: The test data of an uploaded split.
        ctx: Progress, cancellation and threads, if candidates must be ranked first.

    Raises:
        StoreError: Candidates must be ranked, but the experiment has no models, since it is from a run card.
        DataError: The split cannot be made again, or has no test users.
        Cancelled: The run was cancelled.
    """
    split = _split(run, dataset, test_data)
    queries = _queries(run, split)
    rows = np.flatnonzero(_judged(run, queries.query))
    mix = mix or {}

    def lists_of(job: str) -> TopK:
        if not run.model_spec(job).has_scores:
            raise StoreError(
                _("'{job}' has no scores for a strategy to work on: only its lists are known.").format(job=job)
            )
        lists = _stored_lists(run, job, queries.users, pool)
        if lists is None:
            lists = _kept(run, job, pool)
        if lists is None:
            lists = _ranked(run, job, pool, split, queries, ctx or RunContext())
        return TopK(lists.item[rows, :pool], lists.score[rows, :pool])

    return Candidates(
        users=queries.users[rows],
        lists=lists_of(model_id),
        relevant=queries.relevant.take(rows),
        history=queries.query.history.take(rows),
        train=split.train,
        test=split.test,
        facts=Facts(split.train),
        name=next((name for name, job in mix.items() if job == model_id), model_id),
        others={name: lists_of(job) for name, job in mix.items() if job != model_id},
    )


def models_of_mix(run: Run, strategy: Strategy) -> dict[str, str]:
    """Return the finished job of each model that the mix of a strategy names, by job or algorithm; empty without a mix.

    Raises:
        ConfigError: No finished model has this name, or several have it.
    """
    if strategy.mix is None:
        return {}
    finished, jobs = run.finished(), {}
    for name in strategy.mix.keys:
        found = [job for job in finished if name in (job, run.model_spec(job).key)]
        if len(found) != 1:
            many = "several models" if found else "no finished model"
            raise ConfigError(
                _("Experiment '{run_name}' has {many} named '{name}'. It has: {finished}.").format(
                    run_name=run.name, many=many, name=name, finished=", ".join(finished)
                )
            )
        jobs[name] = found[0]
    return jobs


def make_pool(
    run: Run,
    model_id: str,
    pool: int,
    dataset: Dataset,
    *,
    test_data: Dataset | None = None,
    ctx: RunContext | None = None,
) -> int:
    """Rank and keep the candidates of a model unless enough of them are kept; return how many there are per user.

    Raises:
        RecscopeError: See `candidates_of`.
    """
    if depth_of(run, model_id) < pool:
        split = _split(run, dataset, test_data)
        _ranked(run, model_id, pool, split, _queries(run, split), ctx or RunContext())
    return depth_of(run, model_id)


def depth_of(run: Run, model_id: str) -> int:
    """Return how many candidates per user are available without the model: in the stored lists, or kept."""
    return max(*run.spec.cutoffs, _kept_depth(run, model_id))


def _split(run: Run, dataset: Dataset, test_data: Dataset | None) -> Split:
    split = make_splits(dataset, run.spec.split, run.spec.seed, test_data, run.spec.task)[0]
    require_same_split(run, split)
    return split


def _queries(run: Run, split: Split) -> TestQueries:
    """Return all test users, as the evaluation of the job had them."""
    users = split.test_users()
    if not len(users):
        raise DataError(
            _("The test set of '{run_name}' is empty, so no strategy can be priced; choose another split.").format(
                run_name=run.name
            )
        )
    query = split.queries(users)
    relevant, seen = relevant_items(split.test, users, query.seen, run.spec.relevant_from)
    return TestQueries(users, query, split.test, relevant, seen, split.candidates())


def _judged(run: Run, query: QueryBatch) -> BoolArray:
    """Return (U,) which test users the verdict is about; all of them if there are none of that kind."""
    with_history: BoolArray = query.history.lengths > 0
    chosen = {"with_history": with_history, "without_history": ~with_history, "all": np.ones_like(with_history)}
    users = chosen[run.spec.users]
    return users if users.any() else np.ones_like(with_history)


def _stored_lists(run: Run, model_id: str, users: IntArray, pool: int) -> TopK | None:
    """Return the stored lists if they are long enough."""
    if max(run.spec.cutoffs) < pool:
        return None
    frame = run.lists(model_id)
    frame = frame[(frame[FOLD] == 0) & (frame[RANK] <= pool)]
    rows, places = np.searchsorted(users, frame[USER].to_numpy()), frame[RANK].to_numpy() - 1
    item, score = np.full((len(users), pool), PAD), np.full((len(users), pool), np.nan, dtype=np.float32)
    item[rows, places], score[rows, places] = frame[ITEM], frame[SCORE]
    return TopK(item, score)


def _ranked(run: Run, model_id: str, pool: int, split: Split, queries: TestQueries, ctx: RunContext) -> TopK:
    """Rank the candidates of all test users with the stored model, and keep them."""
    model = run.model(model_id)
    fallback = fallback_scores(run.spec.fallback, split.train)
    ranked = rank_all(model, queries, pool, replace(ctx, seed=run.spec.seed), fallback).lists
    lists = TopK(ranked.item, ranked.score.astype(np.float32))  # as stored
    try:
        _keep(run, model_id, lists)
    except StoreError as error:
        logger.warning("The candidates of %s could not be kept: %s", model_id, error)
    return lists


def _keep(run: Run, model_id: str, lists: TopK) -> None:
    from safetensors.numpy import save_file

    folder, name = run.path / FOLDER, f"{model_id}.safetensors"
    arrays = {ITEM: lists.item.astype(np.int32), SCORE: lists.score}
    with disk_errors_in_words(folder):
        folder.mkdir(exist_ok=True)
    with written_aside(folder / name) as aside:
        save_file(arrays, aside)
    with disk_errors_in_words(folder):
        sums = file_sums(folder, [name])
    write_record(
        folder / f"{model_id}.json",
        {SOURCE: _source(run, model_id), POOL: lists.item.shape[1], FILES: sums_to_json(sums)},
    )


def _source(run: Run, model_id: str) -> str:
    """Return what names the trained model: the checksum of its arrays; empty if they have none."""
    sums = sums_of(run.job(model_id).path / RESULT) or {}
    return sums[MODEL].sha256 if MODEL in sums else ""


def _kept_depth(run: Run, model_id: str) -> int:
    """Return the number of candidates kept for the current model; 0 if there are none."""
    record = run.path / FOLDER / f"{model_id}.json"
    if not record.exists():
        return 0
    try:
        values = read_record(record)
        return int(values[POOL]) if values[SOURCE] == _source(run, model_id) else 0
    except (Damaged, KeyError, TypeError, ValueError):
        return 0


def _kept(run: Run, model_id: str, pool: int) -> TopK | None:
    """Return the kept candidates; None if there are too few, or they are damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if _kept_depth(run, model_id) < pool:
        return None
    folder, name = run.path / FOLDER, f"{model_id}.safetensors"
    try:
        sums = sums_from_json(read_record(folder / f"{model_id}.json")[FILES]) or {}
        verify(folder / name, sums[name])
        arrays = load_file(folder / name)
        return TopK(arrays[ITEM].astype(np.int64), arrays[SCORE])
    except (Damaged, SafetensorError, OSError, KeyError, TypeError, AttributeError) as error:
        logger.warning("The candidates kept for %s cannot be read and are ranked again: %s", model_id, error)
        return None
