"""For any data: the parts of a split are disjoint and complete, and no kind leaks what it promises not to leak."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.leaks import count_leaks
from recsys_core.data.split_spec import SplitKind, SplitSpec
from recsys_core.data.splits import Split, make_splits
from recsys_core.errors import DataError

KINDS = st.sampled_from(["ratio", "leave_last_out", "global_time", "k_fold", "user_holdout", "item_holdout"])


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    """Few users, items and timestamps, so that repeated pairs and ties are common."""
    row = st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 12))
    drawn = draw(st.lists(row, min_size=6, max_size=60))
    frame = pd.DataFrame(drawn, columns=["user", "item", "timestamp"])
    frame = frame.astype({"user": "int32", "item": "int32"}).assign(row=np.arange(len(frame)))
    if draw(st.integers(0, 9)) == 9:
        frame = frame.drop(columns="timestamp")
    return dataset_from_frames(frame)


@st.composite
def specs(draw: st.DrawFn) -> SplitSpec:
    return SplitSpec(
        kind=draw(KINDS),
        test_fraction=draw(st.floats(0.01, 0.99)),
        validation_fraction=draw(st.just(0.0) | st.floats(0.05, 0.9)),
        last=draw(st.integers(1, 3)),
        folds=draw(st.integers(2, 5)),
    )


def parted(data: Dataset, spec: SplitSpec, seed: int) -> tuple[Split, ...]:
    """Return the splits; reject the example if the data are refused with a message."""
    try:
        return make_splits(data, spec, seed)
    except DataError:
        reject()


def rows(part: Dataset | None) -> list[int]:
    return [] if part is None else part.interactions["row"].tolist()


@given(datasets(), specs(), st.integers(0, 99))
def test_parts_are_disjoint_and_complete(data: Dataset, spec: SplitSpec, seed: int) -> None:
    splits = parted(data, spec, seed)
    for split in splits:
        judged = rows(split.train) + rows(split.validation) + rows(split.test)
        shown = rows(split.history) + rows(split.validation_history) if spec.kind == "user_holdout" else []
        everything = judged + shown
        assert sorted(everything) == list(range(data.n_interactions))
        assert split.train.n_interactions
        assert split.test.n_interactions
        for part in (split.train, split.test, split.history):
            assert part.interactions.columns.equals(data.interactions.columns)
            assert rows(part) == sorted(rows(part))
    if spec.kind == "k_fold":
        assert sorted(row for split in splits for row in rows(split.test)) == list(range(data.n_interactions))


@given(datasets(), specs(), st.integers(0, 99))
def test_a_query_never_shows_a_row_it_is_judged_by(data: Dataset, spec: SplitSpec, seed: int) -> None:
    for split in parted(data, spec, seed):
        assert not set(rows(split.history)) & set(rows(split.test))
        assert not set(rows(split.validation_history)) & set(rows(split.validation) + rows(split.test))
        users = split.test_users()
        shown = split.history.interactions["user"].value_counts()
        lengths = split.queries(users).history.lengths
        assert lengths.tolist() == [int(shown.get(user, 0)) for user in users]


@pytest.mark.parametrize("kind", ["ratio", "leave_last_out", "global_time", "user_holdout", "item_holdout"])
@given(data=datasets(), spec=specs(), seed=st.integers(0, 99))
def test_each_kind_keeps_its_promise(kind: SplitKind, data: Dataset, spec: SplitSpec, seed: int) -> None:
    spec = spec.model_copy(update={"kind": kind})
    for split in parted(data, spec, seed):
        train, test = split.train.interactions, split.test.interactions
        if spec.kind == "global_time":
            report = count_leaks(split)
            assert (report.tests_with_later_training, report.tests_of_unborn_items) == (0, 0)
        elif spec.kind == "user_holdout":
            assert not set(train["user"]) & set(test["user"])
        elif spec.kind == "item_holdout":
            assert not set(split.history.interactions["item"]) & set(test["item"])
            assert set(split.candidates()) == set(test["item"])
        elif spec.kind in ("ratio", "leave_last_out"):
            assert set(test["user"]) <= set(train["user"])
        if spec.kind == "leave_last_out":
            clock = "timestamp" if data.has_timestamps else "row"
            for user, latest in test.groupby("user"):
                own = split.history.interactions[split.history.interactions["user"] == user]
                assert len(latest) == spec.last
                assert own[clock].max() <= latest[clock].min()
