"""The fallback: who gets it, which items it ranks, and what is said of it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_core.contracts import RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import make_splits
from recsys_core.errors import DataError
from recsys_core.evaluation.evaluate import BY_FALLBACK, N_LISTED, evaluate
from recsys_core.evaluation.fallback import fallback_scores
from recsys_core.experiments.analysis import findings, users_of
from recsys_core.experiments.execution import execute
from recsys_core.experiments.question_text import question_sentences
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.models.registry import make_model
from tests.engine.support import Memory, spec_of

DAY = 86_400_000


@pytest.fixture
def data() -> Dataset:
    """Thirty users with a history and ten who come in the test period; item 0 is popular early, item 1 of late."""
    rng = np.random.default_rng(0)
    rows = [(user, item, int(rng.integers(2, 60))) for user in range(30) for item in rng.permutation(20)[:8]]
    rows += [(user, 0, 1) for user in range(30)] + [(user, 1, 79) for user in range(20)]
    rows += [(user, item, 90 + int(rng.integers(0, 9))) for user in range(25, 40) for item in rng.permutation(20)[:3]]
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"]).drop_duplicates(["user", "item"])
    frame = frame.assign(timestamp=frame["timestamp"] * DAY).astype({"user": "int32", "item": "int32"})
    return dataset_from_frames(frame, name="late", fingerprint="late")


def test_scores_count_all_or_the_latest_interactions(data: Dataset) -> None:
    [split] = make_splits(data, SplitSpec(kind="global_time", test_fraction=0.12), 1)
    assert fallback_scores("none", split.train) is None
    popular = fallback_scores("popularity", split.train)
    recent = fallback_scores("recent_popularity", split.train)
    assert popular is not None
    assert recent is not None
    assert popular.tolist() == np.bincount(split.train.interactions["item"], minlength=20).tolist()
    assert recent.argmax() == 1
    assert recent.sum() < 0.2 * popular.sum()
    timeless = dataset_from_frames(data.interactions[["user", "item"]], name="t", fingerprint="t")
    with pytest.raises(DataError, match="needs timestamps"):
        fallback_scores("recent_popularity", timeless)


def test_only_users_without_a_score_get_it(data: Dataset) -> None:
    [split] = make_splits(data, SplitSpec(kind="global_time", test_fraction=0.12), 1)
    model = make_model("ease", {})
    model.fit(split.train, RunContext())
    scores = fallback_scores("popularity", split.train)
    bare, served = evaluate(model, split), evaluate(model, split, fallback=scores)
    new = bare.per_user[N_LISTED].to_numpy() == 0
    assert 0 < new.sum() < len(new)
    assert (served.per_user[BY_FALLBACK].to_numpy() == new).all()
    assert (served.per_user[N_LISTED] > 0).all()
    np.testing.assert_array_equal(served.lists.item[~new], bare.lists.item[~new])
    assert scores is not None
    best = scores.argmax()
    assert (served.lists.item[new][:, 0] == best).all()
    assert served.order == bare.order


def test_users_with_scores_of_other_items_alone_get_it() -> None:
    """In an item cold-start split a model may score all known items and no candidate; uploaded lists get it as well."""
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"user": rng.integers(0, 12, 150), "item": rng.integers(0, 18, 150)}).astype("int32")
    [split] = make_splits(dataset_from_frames(rows), SplitSpec(kind="item_holdout", test_fraction=0.4), 1)
    model = make_model("item_knn", {})
    model.fit(split.train, RunContext())
    scores = fallback_scores("popularity", split.train)
    assert np.isfinite(model.score(split.queries(split.test_users()))).any(axis=1).all()
    candidates = split.candidates()
    assert candidates is not None
    bare, served = evaluate(model, split), evaluate(model, split, fallback=scores)
    assert (bare.per_user[N_LISTED] == 0).all()
    assert (served.per_user[BY_FALLBACK] == 1).all()
    assert served.per_user[N_LISTED].tolist() == [len(candidates)] * len(served.users)
    assert served.per_user["auc"].tolist() == pytest.approx([0.5] * len(served.users), nan_ok=True)  # all tied


def test_it_is_part_of_the_question_and_named_in_the_findings(data: Dataset, tmp_path: Path) -> None:
    split = {"kind": "global_time", "test_fraction": 0.12}
    spec = spec_of("ease", data="late", split=split, fallback="recent_popularity", users="all")
    assert "the latest 10% of the training data" in " ".join(map(str, question_sentences(spec)))
    store = ResultStore(tmp_path)
    run = store.create(spec, "late")
    for model_id in run.model_ids:
        execute(store, run.id, model_id, Memory(data), 1)
    said = [one.message for one in findings(run, users_of(run)) if one.rule == "by_fallback"]
    assert len(said) == 1
    assert "EASE has no score for 10 of 14 users" in said[0]
    plain = ExperimentSpec.model_validate(spec.model_dump() | {"fallback": "none"})
    assert plain.id != spec.id
