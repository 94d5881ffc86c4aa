"""The stored lists of a finished experiment as arrays: hits for other conventions, and the overlap between models."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys_core.columns import FOLD, ITEM, RANK, TRAINING, USER
from recsys_core.contracts import PAD, IntArray
from recsys_core.evaluation.conventions import JudgedLists
from recsys_core.evaluation.evaluate import N_RELEVANT
from recsys_core.evaluation.overlap import list_overlap
from recsys_core.experiments.audience import Audience
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.held_out_users import HIT


def rows_of(run: Run, model_id: str, users: Audience) -> pd.DataFrame:
    """Return the stored rows that the verdict covers, one per user and fold, of the first training.

    Lists are stored for the first training only.
    """
    frame = run.per_user_of(model_id)
    if TRAINING in frame:
        frame = frame[frame[TRAINING] == frame[TRAINING].min()]
    return frame[users.covers(frame)].reset_index(drop=True)


def judged_lists(run: Run, model_id: str, rows: pd.DataFrame) -> JudgedLists:
    """Return hits, relevant items and lengths of the stored lists.

    Args:
        run: The experiment.
        model_id: A finished job.
        rows: R rows of users and folds; see `rows_of`.
    """
    lists, place = _placed(run, model_id, rows)
    hits = np.zeros((len(rows), _longest(run)), dtype=np.bool_)
    hits[place, lists[RANK].to_numpy() - 1] = lists[HIT].to_numpy(np.bool_)
    relevant = rows[N_RELEVANT].to_numpy(np.int64)
    return JudgedLists(hits, relevant, np.bincount(place, minlength=len(rows)))


def overlaps(run: Run, models: Sequence[str], users: Audience, k: int) -> pd.DataFrame:
    """Return the mean share of the items of one model's lists that another model recommends to the same user.

    Args:
        run: The experiment.
        models: M finished jobs.
        users: Its test users.
        k: Length of the lists.

    Returns:
        M rows and M columns by job: the share of the row's items that are in the list of the column; NaN where no user
        has a list of the row's model.
    """
    rows = rows_of(run, models[0], users)
    items = {model: _items(run, model, rows) for model in models}
    table = pd.DataFrame(index=list(models), columns=list(models), dtype=np.float64)
    for one, first in items.items():
        for other, second in items.items():
            shares = list_overlap(first, second, k)
            table.loc[one, other] = float(np.nanmean(shares)) if (~np.isnan(shares)).any() else np.nan
    return table


def _items(run: Run, model_id: str, rows: pd.DataFrame) -> IntArray:
    """Return (R, K) the recommended items, padded with `PAD`."""
    lists, place = _placed(run, model_id, rows)
    items = np.full((len(rows), _longest(run)), PAD, dtype=np.int64)
    items[place, lists[RANK].to_numpy() - 1] = lists[ITEM].to_numpy()
    return items


def _longest(run: Run) -> int:
    return max(run.spec.cutoffs)


def _placed(run: Run, model_id: str, rows: pd.DataFrame) -> tuple[pd.DataFrame, IntArray]:
    """Return the recommendations of the rows' users and folds, and the row of each."""
    lists = run.lists(model_id)
    index = pd.MultiIndex.from_frame(rows[[USER, FOLD]])
    place = index.get_indexer(pd.MultiIndex.from_frame(lists[[USER, FOLD]]))
    return lists[place != PAD], place[place != PAD]
