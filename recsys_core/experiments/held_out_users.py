"""The test users of an experiment: their histories, their test interactions, and the recommendations of each model.

The first job of an experiment writes two tables beside the spec, so that pages need neither the data nor the split:

- `people.parquet`: one row per test user and fold: `user`, `user_id`, `fold`, `n_history`, `taste` (mean popularity of
  the history's items as a share of training users; empty without a history), `known` (whether the user is in the
  training set);
- `hidden.parquet`: one row per test interaction: `user`, `fold`, `item`, `liked` (relevant).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recsys_core.columns import CATEGORIES, FOLD, ITEM, ITEM_ID, RANK, RATING, SCORE, TIMESTAMP, TITLE, USER, USER_ID
from recsys_core.contracts import PAD
from recsys_core.data import Dataset
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.data.labels import titles_of
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import Split
from recsys_core.data.summaries import user_history
from recsys_core.errors import DataError
from recsys_core.experiments.artifacts import load_table
from recsys_core.experiments.experiment import SPLIT, Run
from recsys_core.storage.files import written_aside
from recsys_core.text import Sentence, Template, _

USERS, HELD_OUT = "people.parquet", "hidden.parquet"
N_HISTORY, TASTE, KNOWN = "n_history", "taste", "known"
HIT, RELEVANT, LISTED_BY = "hit", "liked", "listed_by"
LONGEST_HISTORY = 1_000_000
ONE_OF_SEVERAL = {
    "k_fold": Template("Shown is fold {fold} of {folds}; values of users are means over their folds."),
    "global_time": Template("Shown is time window {fold} of {folds}; values of users are means over their windows."),
}
"""Kind of split with several test sets -> which of them is shown."""


@dataclass(frozen=True, eq=False)
class HeldOutUser:
    """A test user.

    Args:
        user: Position.
        user_id: Identifier.
        fold: The fold shown: of those in which the user is tested, the first with most relevant test items.
        history: Interactions known to the models, latest first; see `history_of`.
        held_out: Test interactions, those in most lists first, with `liked` (relevant) and `listed_by` (number of
            lists).
        lists: Model -> its list: `rank`, `item`, `item_id`, `title`, `score`, `hit` (relevant), `listed_by`.
        note: Which fold or time window is shown, None if there is only one.
    """

    user: int
    user_id: str
    fold: int
    history: pd.DataFrame
    held_out: pd.DataFrame
    lists: Mapping[str, pd.DataFrame]
    note: Sentence | None = None


def write_held_out(folder: Path, splits: Sequence[Split], relevant_from: float | None) -> None:
    """Write both tables of an experiment, each atomically.

    Raises:
        StoreError: A disk error.
    """
    users = pd.concat([_evaluated_users(split) for split in splits], ignore_index=True)
    rows = pd.concat([_held_out(split, relevant_from) for split in splits], ignore_index=True)
    for name, frame in ((HELD_OUT, rows), (USERS, users)):
        with written_aside(folder / name) as aside:
            frame.to_parquet(aside, index=False)


def evaluated_users(run: Run) -> pd.DataFrame:
    """Return the test users of an experiment: see `people.parquet`.

    Raises:
        StoreError: No job has written them yet.
    """
    return load_table(run.path / USERS, SPLIT)


def require_same_split(run: Run, split: Split) -> None:
    """Check that a split equals the one of a stored experiment.

    Raises:
        DataError: The test interactions differ: an earlier version drew them, or the data were changed.
    """
    stored = load_table(run.path / HELD_OUT, SPLIT)
    stored = stored[stored[FOLD] == split.fold]
    frames = (stored, split.test.interactions)
    before, now = (np.sort(one[USER].to_numpy(np.int64) * split.test.n_items + one[ITEM].to_numpy()) for one in frames)
    if not np.array_equal(before, now):
        raise DataError(
            _(
                "Experiment '{run_name}' was split by an earlier version, which drew other test "
                "cases, so its models may have been trained on the current test set. Train it again."
            ).format(run_name=run.name)
        )


def held_out(run: Run, user: int) -> pd.DataFrame:
    """Return the test interactions of a user: `user`, `fold`, `item`, `liked`.

    Raises:
        StoreError: No job has written them yet.
    """
    return load_table(run.path / HELD_OUT, SPLIT, user=user)


def held_out_user(run: Run, dataset: Dataset, models: Sequence[str], user_id: str, *, k: int) -> HeldOutUser:
    """Return history, test interactions and recommendations of a test user.

    Args:
        run: The experiment.
        dataset: Its data.
        models: Finished jobs whose lists to return.
        user_id: Identifier.
        k: Length of the lists.

    Raises:
        DataError: The user does not exist or has no test case.
        StoreError: A file of the experiment is missing.
    """
    user = dataset.user_vocabulary.position(user_id)
    lists = {model: run.lists(model, user) for model in models}
    kept = held_out(run, user)
    if kept.empty:
        raise DataError(
            _("'{user_id}' has no test case in this experiment; choose another user.").format(user_id=user_id)
        )
    relevant = kept.groupby(FOLD)[RELEVANT].sum()
    fold = int(relevant.index.to_numpy()[relevant.to_numpy().argmax()])
    kept = kept[kept[FOLD] == fold]
    tops = {model: _top(frame, fold, k) for model, frame in lists.items()}
    listed = listed_by(tops)
    found = described(kept, dataset)
    found[RELEVANT] = kept[RELEVANT].to_numpy()
    found[LISTED_BY] = listed.reindex(found[ITEM], fill_value=0).to_numpy()
    return HeldOutUser(
        user=user,
        user_id=user_id,
        fold=fold,
        history=_before_test(run, history_of(dataset, user), kept).reset_index(drop=True),
        held_out=found.sort_values([RELEVANT, LISTED_BY], ascending=False, kind="stable").reset_index(drop=True),
        lists={model: listing(frame, dataset, listed) for model, frame in tops.items()},
        note=_note(run.spec.split, fold),
    )


def _note(split: SplitSpec, fold: int) -> Sentence | None:
    """State which of several folds or time windows is shown."""
    if split.n_folds == 1:
        return None
    return ONE_OF_SEVERAL[split.kind].fill(fold=str(fold + 1), folds=str(split.n_folds))


def _before_test(run: Run, rows: pd.DataFrame, kept: pd.DataFrame) -> pd.DataFrame:
    """Return the interactions of a user that models learned from, given those held out in one fold."""
    spec, history = run.spec, run.spec.task.history(rows)
    border = next((one["border"] for one in (run.split_report() or {}).get("folds", ())
                   if one[FOLD] == kept[FOLD].iloc[0]), None)  # fmt: skip
    if border is not None:
        end = pd.Timestamp(border, unit="ms", tz="UTC") - pd.Timedelta(days=spec.split.gap_days)
    elif spec.target and TIMESTAMP in rows and spec.split.kind in ("leave_last_out", "user_holdout"):
        targets = spec.task.targets(rows)
        end = targets[targets[ITEM].isin(kept[ITEM])].groupby(ITEM)[TIMESTAMP].max().min()
    else:
        return history[~history[ITEM].isin(kept[ITEM])]
    return history[history[TIMESTAMP].isna() | (history[TIMESTAMP] < end)]


def listed_by(lists: Mapping[str, pd.DataFrame]) -> "pd.Series[int]":
    """Return the number of lists that contain each item, by item position."""
    if not lists:
        return pd.Series(dtype="int64")
    counted: pd.Series[int] = pd.concat([frame[ITEM] for frame in lists.values()]).value_counts()
    return counted


def listing(frame: pd.DataFrame, dataset: Dataset, listed: "pd.Series[int]") -> pd.DataFrame:
    """Return a list with item titles: `rank`, `item`, `item_id`, `title`, `score`, `hit`, `listed_by`.

    Args:
        frame: Columns `rank`, `item`, `score`, and optionally `hit`.
        dataset: Data set of the items.
        listed: See `listed_by`.
    """
    named = described(frame, dataset)[[ITEM, ITEM_ID, TITLE]]
    named.insert(0, RANK, frame[RANK].to_numpy())
    named[SCORE] = frame[SCORE].to_numpy()
    named[HIT] = frame[HIT].to_numpy(bool) if HIT in frame else False
    named[LISTED_BY] = listed.reindex(named[ITEM], fill_value=0).to_numpy()
    return named


def history_of(dataset: Dataset, user: int) -> pd.DataFrame:
    """Return the interactions of a user, latest first, without loading those of others.

    Returns:
        Columns `item`, `item_id`, `title`, and `rating`, `timestamp` (UTC), `event`, `weight` if available.
    """
    frame = user_history(dataset, user, limit=LONGEST_HISTORY)
    if TIMESTAMP in frame:
        known = frame[TIMESTAMP].mask(frame[TIMESTAMP] == NO_TIMESTAMP)
        frame[TIMESTAMP] = pd.to_datetime(known.to_numpy(), unit="ms", utc=True)
    return frame


def described(rows: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Return the items of rows with an `item` column: `item`, `item_id`, `title`, and `categories` if available."""
    items = rows[ITEM].to_numpy(np.int64)
    ids = dataset.item_vocabulary.ids
    shown = pd.DataFrame({ITEM: items, ITEM_ID: [ids[item] for item in items], TITLE: titles_of(dataset, items)})
    if dataset.items is not None and CATEGORIES in dataset.items:
        shown[CATEGORIES] = dataset.items[CATEGORIES].to_numpy()[items]
    return shown


def _top(frame: pd.DataFrame, fold: int, k: int) -> pd.DataFrame:
    return frame[(frame[FOLD] == fold) & (frame[RANK] <= k)].sort_values(RANK)


def _evaluated_users(split: Split) -> pd.DataFrame:
    users = split.test_users()
    queries = split.queries(users)
    matrix = split.train.matrix("binary")
    trained = max(1, int((np.diff(matrix.indptr) > 0).sum()))
    popularity = np.bincount(matrix.indices, minlength=split.train.n_items) / trained  # (I,)
    lengths = queries.history.lengths
    sums = np.bincount(queries.history.row_numbers(), popularity[queries.history.values], minlength=len(users))
    taste = np.divide(sums, lengths, out=np.full(len(users), np.nan), where=lengths > 0)
    ids = np.asarray(split.train.user_vocabulary.ids, dtype=object)[users]
    return pd.DataFrame(
        {
            USER: users,
            USER_ID: pd.array(ids, dtype="str"),
            FOLD: np.int16(split.fold),
            N_HISTORY: lengths,
            TASTE: taste,
            KNOWN: queries.user != PAD,
        }
    )


def _held_out(split: Split, relevant_from: float | None) -> pd.DataFrame:
    frame = split.test.interactions
    rated = relevant_from is not None and split.test.has_ratings
    relevant = frame[RATING].to_numpy() >= relevant_from if rated else np.ones(len(frame), dtype=bool)
    table = pd.DataFrame(
        {USER: frame[USER].to_numpy(), FOLD: np.int16(split.fold), ITEM: frame[ITEM].to_numpy(), RELEVANT: relevant}
    )
    return table.sort_values(USER, kind="stable", ignore_index=True)


def is_known(run: Run, user: int) -> bool:
    """Return whether a user is in the training set: all users without a test case, and those marked as known.

    Raises:
        StoreError: No job has written the test users yet.
    """
    rows = load_table(run.path / USERS, SPLIT, user=user)
    return bool(rows[KNOWN].any()) if len(rows) else True


def described_items(dataset: Dataset, items: Sequence[int]) -> pd.DataFrame:
    """Return `item`, `item_id`, `title` (and `categories`) of items, in the given order."""
    return described(pd.DataFrame({ITEM: list(items)}), dataset)
