"""Uploaded lists: read from most forms, judged exactly like a model, with an account of every row."""

from collections.abc import Callable
from copy import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from recsys_core.data import Dataset
from recsys_core.errors import ConfigError, DataError, StoreError
from recsys_core.evaluation.list_file import ListTable, read_list_file
from recsys_core.experiments.analysis import compare_run, findings, users_of
from recsys_core.experiments.budgets import unequal
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import UPLOADED, Run
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.leaderboard import contenders, leaderboard
from recsys_core.experiments.list_accounts import ListAccount
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.tuned_by import Budget, TunedBy
from recsys_core.experiments.uploaded_lists import accounts, add_list, remove_list
from tests.engine.support import Memory, little_data, spec_of

SHA = "a" * 64


def finished(folder: Path, spec: ExperimentSpec, data: Dataset) -> Run:
    store = ResultStore(folder)
    run = store.create(spec, "little")
    for model_id in run.model_ids:
        status = execute(store, run.id, model_id, Memory(data), 1)
        assert status.state is JobState.DONE, status.reason
    return run


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Run:
    spec = spec_of("ease", relevant_from=4, cutoffs=(1, 5, 10), k=5)
    return finished(tmp_path_factory.mktemp("lists"), spec, little_data())


@pytest.fixture
def run(template: Run) -> Run:
    """The experiment without lists."""
    for one in (*template.uploaded(), *template.damaged_lists()):
        remove_list(template, one)
    return template


def ease(run: Run) -> str:
    return next(one for one in run.model_ids if one.startswith("ease"))


def ids_of(run: Run, data: Dataset) -> pd.DataFrame:
    """The stored lists of EASE with outside identifiers, as another tool would write them."""
    rows = run.lists(ease(run))
    users, items = np.asarray(data.user_vocabulary.ids), np.asarray(data.item_vocabulary.ids)
    return pd.DataFrame(
        {"user_id": users[rows["user"]], "item_id": items[rows["item"]], "rank": rows["rank"], "score": rows["score"]}
    )


def add(run: Run, path: Path, name: str = "Mine", data: Dataset | None = None) -> str:
    table = read_list_file(path)
    return add_list(run, table, name=name, file=path.name, sha256=SHA, workspace=Memory(data or little_data()))


def written(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False)
    return path


def test_the_lists_of_a_model_get_the_metrics_of_that_model(run: Run, tmp_path: Path) -> None:
    """All columns but AUC, which needs scores of all items, and the costs, which nobody knows."""
    lists = ids_of(run, little_data()).sample(frac=1, random_state=0)
    one = add(run, written(lists, tmp_path / "mine.csv"))
    expected, found = run.per_user_of(ease(run)), run.per_user_of(one)
    assert [name for name in expected if name not in found] == ["auc", "auc:head", "auc:tail"]
    pd.testing.assert_frame_equal(found, expected[found.columns])
    assert run.result(one).overall == run.result(ease(run)).overall
    stored = run.lists(one)
    pd.testing.assert_frame_equal(stored.astype({"score": "float32"}), run.lists(ease(run)))
    assert np.isnan(run.result(one).fit_seconds)
    assert run.result(one).interval == run.result(ease(run)).interval


def test_a_list_is_in_the_leaderboard_and_leaves_it(run: Run, tmp_path: Path) -> None:
    one = add(run, written(ids_of(run, little_data()), tmp_path / "mine.csv"), name="My list")
    comparison = compare_run(run)
    board = leaderboard(contenders(run), comparison).set_index("model")
    assert board.loc[one, "title"] == "My list (uploaded list)"
    assert board.loc[one, "mean"] == board.loc[ease(run), "mean"]
    assert board.loc[one, "tied"] == board.loc[ease(run), "tied"]
    assert run.uploaded() == (one,)
    assert one not in run.finished()
    remove_list(run, one)
    assert run.uploaded() == ()
    assert one not in set(leaderboard(contenders(run), compare_run(run))["model"])
    assert list((run.path / UPLOADED).iterdir()) == []
    with pytest.raises(StoreError, match="no uploaded list"):
        remove_list(run, one)


def test_what_is_not_known_is_said(run: Run, tmp_path: Path) -> None:
    add(run, written(ids_of(run, little_data()), tmp_path / "mine.csv"))
    said = {finding.rule: str(finding.sentence) for finding in findings(run, users_of(run))}
    assert "nor whether the test data were among them" in said["uploaded_list"]
    assert "uploaded_unknown_users" not in said


def by_hand(run: Run, data: Dataset) -> tuple[pd.DataFrame, ListAccount]:
    """Rows with each fault, and their account."""
    lists = ids_of(run, data)
    tested = set(run.per_user_of(ease(run))["user_id"])
    user = lists["user_id"].iloc[0]
    other = next(one for one in data.user_vocabulary.ids if one not in tested)
    own = set(lists.loc[lists["user_id"] == user, "item_id"])
    held = data.interactions[data.interactions["user"] == data.user_vocabulary.position(user)]["item"]
    relevant = set(map(str, held)) & own
    seen = next(item for item in map(str, held) if item not in relevant and item not in own)
    rows = [
        (user, "no-such-item", 1),
        (user, "no-such-item", 2),
        ("nobody", "1", 1),
        (other, "1", 1),
        (user, next(iter(own)), 99),
        (user, seen, 3),
        ("", "1", 1),
        (user, "1", ""),
    ]
    frame = pd.concat([lists[["user_id", "item_id", "rank"]], pd.DataFrame(rows, columns=lists.columns[:3])])
    return frame, ListAccount(
        order="rank", rows=len(frame), without_id=1, unreadable=1, unknown_users=1, unknown_user_rows=1,
        tied=6, unknown_items=1, unknown_item_rows=2, no_test_user=1, repeated=1, seen=1, judged=len(lists),
        users=len(tested), listed=lists["user_id"].nunique(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Dataset]:
    """Only some users have a test case: those of the end of the time span."""
    data = little_data(rows=300)
    spec = spec_of("ease", split={"kind": "global_time", "test_fraction": 0.05}, cutoffs=(5,), k=5)
    return finished(tmp_path_factory.mktemp("newer"), spec, data), data


def test_every_row_of_a_file_is_accounted_for(newer: tuple[Run, Dataset], tmp_path: Path) -> None:
    run, data = newer
    frame, expected = by_hand(run, data)
    one = add(run, written(frame, tmp_path / "mine.csv"), data=data)
    assert accounts(run)[one] == expected
    pd.testing.assert_frame_equal(
        run.per_user_of(one), run.per_user_of(ease(run))[run.per_user_of(one).columns]
    )  # faults change nothing
    found = [finding for finding in findings(run, users_of(run)) if "uploaded" in finding.rule]
    said = {finding.rule: finding.count for finding in found}
    assert said["uploaded_unknown_items"] == 2
    assert any("name items that are not in the data (distinct items: 1);" in finding.message for finding in found)
    assert said["uploaded_unknown_users"] == said["uploaded_seen"] == said["uploaded_repeated"] == 1
    assert said["uploaded_invalid"] == 2
    assert said["uploaded_no_test_user"] == 1
    remove_list(run, one)


def test_the_unknown_budget_of_a_list_is_not_that_of_a_tuned_model(run: Run) -> None:
    tuned = TunedBy(tuning="0" * 16, budget=Budget(trials=20), metric="ndcg@5")
    spec = run.spec.model_copy(update={"tuned": {ease(run): tuned}})
    titles = {"list-00000000": "Mine", ease(run): "EASE", **{one: "other" for one in run.model_ids if one != ease(run)}}
    assert unequal(spec, titles) == ["Mine"]
    assert unequal(run.spec, titles) == []


def test_the_tuning_of_a_list_is_unknown_beside_tuned_models(run: Run, tmp_path: Path) -> None:
    one = add(run, written(ids_of(run, little_data()), tmp_path / "mine.csv"))
    tuned = TunedBy(tuning="0" * 16, budget=Budget(trials=20), metric="ndcg@5")
    again = copy(run)
    again.spec = run.spec.model_copy(update={"tuned": {ease(run): tuned}, "primary": "ndcg@5"})
    words = {found.id: found.tuning for found in contenders(again)}
    assert (words[ease(run)], words[one]) == ("20 trials", "unknown")
    assert {found.tuning for found in contenders(run)} == {""}
    remove_list(run, one)


def test_users_without_a_list_count_as_0(run: Run, tmp_path: Path) -> None:
    lists = ids_of(run, little_data())
    first = lists["user_id"].iloc[0]
    one = add(run, written(lists[lists["user_id"] == first], tmp_path / "mine.csv"))
    rows = run.per_user_of(one)
    others = rows[rows["user_id"] != first]
    assert others["hit_rate@5"].dropna().eq(0).all()
    assert others["n_listed"].eq(0).all()
    account = accounts(run)[one]
    assert (account.listed, account.users) == (1, len(rows))
    said = {finding.rule: finding for finding in findings(run, users_of(run))}
    assert said["uploaded_missing"].count == len(rows) - 1
    assert said["uploaded_missing"].message.endswith("test users. A missing list counts as 0.")
    assert "empty_lists" not in said
    said = {finding.rule: finding for finding in findings(run, users_of(run), metric="novelty@5")}
    assert said["uploaded_missing"].message.endswith("Without a list, Novelty@5 is undefined for a user.")


def test_the_fallback_of_the_experiment_applies_to_lists_too(tmp_path: Path) -> None:
    data = little_data()
    spec = spec_of("popular", fallback="popularity", cutoffs=(5,), k=5)
    run = finished(tmp_path / "store", spec, data)
    popular = next(one for one in run.model_ids if one.startswith("popular"))
    first = run.lists(popular)["user"].iloc[0]
    rows = run.lists(popular)
    kept = rows[rows["user"] == first]
    frame = pd.DataFrame({"user": f"u{first}", "item": kept["item"].astype(str), "rank": kept["rank"]})
    one = add(run, written(frame, tmp_path / "mine.csv"))
    assert_array_equal(run.lists(one)["item"], rows["item"])
    assert run.per_user_of(one)["by_fallback"].sum() == len(run.per_user_of(one)) - 1
    said = {finding.rule: finding for finding in findings(run, users_of(run))}
    assert said["uploaded_missing"].message.endswith("A missing list is replaced by that of the fallback.")


def test_names_are_unique_and_the_same_file_replaces_itself(run: Run, tmp_path: Path) -> None:
    path = written(ids_of(run, little_data()), tmp_path / "mine.csv")
    assert add(run, path) == add(run, path)
    table = read_list_file(path)
    with pytest.raises(ConfigError, match="another list named 'Mine'"):
        add_list(run, table, name="Mine", file="b.csv", sha256="b" * 64, workspace=Memory(little_data()))
    with pytest.raises(ConfigError, match="at most 60 characters"):
        add(run, path, name="x" * 61)
    assert len(run.uploaded()) == 1


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """EASE in three folds."""
    spec = spec_of("ease", split={"kind": "k_fold", "folds": 3}, relevant_from=4, cutoffs=(1, 5), k=5)
    return finished(tmp_path_factory.mktemp("folds"), spec, little_data())


def with_folds(run: Run) -> pd.DataFrame:
    return ids_of(run, little_data()).assign(fold=run.lists(ease(run))["fold"].to_numpy())


@pytest.mark.parametrize(("name", "first"), [("fold", 0), ("Fold ID", 1), ("window", 0)])
def test_lists_for_every_fold_get_the_metrics_of_the_model(folds: Run, tmp_path: Path, name: str, first: int) -> None:
    lists = with_folds(folds).sample(frac=1, random_state=0)
    lists["fold"] += first
    one = add(folds, written(lists.rename(columns={"fold": name}), tmp_path / "mine.csv"))
    expected, found = folds.per_user_of(ease(folds)), folds.per_user_of(one)
    pd.testing.assert_frame_equal(found, expected[found.columns])
    assert set(found["fold"]) == {0, 1, 2}
    assert accounts(folds)[one].judged == accounts(folds)[one].rows == len(lists)
    assert accounts(folds)[one].users == len(found)
    assert folds.result(one).metrics["ndcg@5"] == folds.result(ease(folds)).metrics["ndcg@5"]
    remove_list(folds, one)


def test_a_user_without_lists_is_missing_once_per_fold(folds: Run, tmp_path: Path) -> None:
    lists = with_folds(folds)
    first = lists["user_id"].iloc[0]
    one = add(folds, written(lists[lists["user_id"] != first], tmp_path / "mine.csv"))
    cases = folds.per_user_of(ease(folds))
    said = {finding.rule: finding.message for finding in findings(folds, users_of(folds))}
    assert said["uploaded_missing"] == (
        f"Mine (uploaded list) has no list for {(cases['user_id'] == first).sum()} of {len(cases)} test users, where a "
        "user counts once per test set. A missing list counts as 0."
    )
    remove_list(folds, one)


def test_equal_ranks_are_counted_since_the_file_orders_them(run: Run, tmp_path: Path) -> None:
    lists = ids_of(run, little_data())[["user_id", "item_id", "rank"]]
    tied = lists["rank"].isin([2, 3])
    add(run, written(lists.assign(rank=lists["rank"].mask(tied, 2)), tmp_path / "mine.csv"))
    said = {finding.rule: finding for finding in findings(run, users_of(run))}
    assert (said["uploaded_tied"].severity, said["uploaded_tied"].count) == ("warning", tied.sum())
    assert "have the same rank or score as another row of the same list" in said["uploaded_tied"].message


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda rows: rows.drop(columns="fold"),
            "Add a column 'fold' with the number of the test set of each row, from 0",
        ),
        (lambda rows: rows[rows["fold"] != 1], "no usable row for '1'. It must cover all of them"),
        (lambda rows: rows.assign(fold=rows["fold"].replace(2, 7)), "but the file names '7' as well"),
        (lambda rows: rows.assign(fold=rows["fold"] + 0.5), "'fold' is not a whole number"),
    ],
)
def test_lists_that_do_not_say_their_test_set_are_refused(
    folds: Run, tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], why: str
) -> None:
    with pytest.raises(DataError, match=why):
        add(folds, written(change(with_folds(folds)), tmp_path / "mine.csv"))
    assert folds.uploaded() == ()


def test_lists_of_one_fold_are_those_of_an_experiment_with_one_test_set(run: Run, tmp_path: Path) -> None:
    lists = ids_of(run, little_data())
    one = add(run, written(lists.assign(fold=3), tmp_path / "mine.csv"))
    found = run.per_user_of(one)
    pd.testing.assert_frame_equal(found, run.per_user_of(ease(run))[found.columns])
    with pytest.raises(DataError, match=r"has lists for 2 folds, but experiment 'little: .*' has one"):
        add(run, written(lists.assign(fold=np.arange(len(lists)) % 2), tmp_path / "two.csv"), "Two")


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([("stranger", "1")], "none of its users is in the data"),
        ([("stranger", "1"), ("u1", "nothing")], "no row names a user and an item of the data"),
    ],
)
def test_lists_of_other_data_are_refused(run: Run, rows: list[tuple[str, str]], why: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=why):
        add(run, written(pd.DataFrame(rows, columns=["user", "item"]), tmp_path / "mine.csv"))
    assert run.uploaded() == ()


def test_a_damaged_list_leaves_the_leaderboard_and_the_others_stay(run: Run, tmp_path: Path) -> None:
    one = add(run, written(ids_of(run, little_data()), tmp_path / "mine.csv"))
    (run.path / UPLOADED / one / "per_user.parquet").unlink()
    assert run.uploaded() == ()
    assert run.damaged_lists() == (one,)
    assert len(contenders(run)) == 3


def test_an_uploaded_list_is_no_model_to_train(run: Run) -> None:
    with pytest.raises(ValueError, match="no model to train"):
        spec_of("list")


TREC = "".join(f"{user} Q0 {item} {rank} {9 - rank} tag\n" for user in "ab" for rank, item in enumerate("xyz", 1))
FORMS: dict[str, tuple[str, str]] = {
    "trec.run": (TREC, "rank"),
    "ranks_all_0.run": (TREC.replace(" 1 ", " 0 ").replace(" 2 ", " 0 ").replace(" 3 ", " 0 "), "score"),
    "tabs.tsv": (TREC.replace(" ", "\t"), "rank"),
    "colons.dat": ("".join(f"{u}::{i}::{r}\n" for u in "ab" for r, i in enumerate("xyz", 1)), "rank"),
    "from_0.csv": ("".join(f"{u},{i},{r}\n" for u in "ab" for r, i in enumerate("xyz")), "rank"),
    "scores.csv": ("".join(f"{u},{i},{9 - r}.5\n" for u in "ab" for r, i in enumerate("xyz")), "score"),
    "shuffled_ranks.csv": ("a,z,3\na,x,1\nb,y,2\na,y,2\nb,x,1\nb,z,3\n", "rank"),
    "counts_down.csv": ("".join(f"{u},{i},{3 - r}\n" for u in "ab" for r, i in enumerate("xyz")), "score"),
    "named_scores.csv": ("user,item,score\na,z,1\na,x,3\na,y,2\nb,x,3\nb,y,2\nb,z,1\n", "score"),
    "pairs.csv": ("".join(f"{u},{i}\n" for u in "ab" for i in "xyz"), "file"),
    "names.csv": ("UserID;MovieID;Prediction\n" + "".join(
        f"{u};{i};{r},5\n" for u in "ab" for r, i in zip((3, 2, 1), "xyz", strict=True)), "score"),
    "shuffled.csv": ("rank,item,user\n3,z,a\n1,x,a\n2,y,a\n2,y,b\n3,z,b\n1,x,b\n", "rank"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_most_forms_are_read(name: str, tmp_path: Path) -> None:
    text, order = FORMS[name]
    (tmp_path / name).write_text(text)
    table = read_list_file(tmp_path / name)
    assert table.order == order
    assert "".join(table.frame["user"]) == "aaabbb"
    assert "".join(table.frame["item"]) == "xyzxyz"


def test_parquet_with_numbers_is_read(tmp_path: Path) -> None:
    frame = pd.DataFrame({"userId": [2, 2, 1], "itemId": [5, 7, 7], "score": [0.1, 0.4, 0.2]})
    frame.to_parquet(tmp_path / "a.parquet")
    table = read_list_file(tmp_path / "a.parquet")
    assert table.columns == {"user": "userId", "item": "itemId", "score": "score"}
    assert list(table.frame["item"][table.frame["user"] == "2"]) == ["7", "5"]


def test_identifiers_that_became_decimals_are_recognized(run: Run, tmp_path: Path) -> None:
    """Pandas writes 7 as 7.0 where a column has gaps."""
    lists = ids_of(run, little_data())
    plain = add(run, written(lists, tmp_path / "a.csv"), name="plain")
    lists["item_id"] += ".0"
    pointed = add(run, written(lists, tmp_path / "b.csv"), name="pointed")
    assert accounts(run)[pointed] == accounts(run)[plain]


HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty.csv": (b"", "is empty"),
    "one_column.csv": (b"u1\nu2\nu3\n", "single column"),
    "no_names.csv": (b"a,b\n1,2\n", "no column for the user"),
    "four.csv": (b"1,2,3,4\n1,3,4,5\n", "4 columns and no header"),
    "nothing_usable.csv": (b"user,item,rank\n1,,1\n,2,1\n3,4,x\n", "no usable row"),
    "utf32.csv": (("user,item,rank\n" + "a,b,1\n" * 9).encode("utf-32"), r"None of the rows .* \(10\)"),
    "infinite.csv": (b"user,item,score\n1,2,inf\n1,3,nan\n", "no usable row"),
    "zeros.parquet": (bytes(1000), "is empty"),
    "cut.parquet": (b"PAR1" + bytes(50), "cannot be read|is not|damaged"),
    "noise.csv": (bytes(range(256)) * 20, "."),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_get_a_sentence(name: str, tmp_path: Path) -> None:
    content, sentence = HOSTILE[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        read_list_file(tmp_path / name)


def test_too_many_rows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsys_core.evaluation.list_file.MOST_ROWS", 5)
    (tmp_path / "a.csv").write_text(FORMS["pairs.csv"][0])
    with pytest.raises(DataError, match="more than 5 rows"):
        read_list_file(tmp_path / "a.csv")


def test_a_read_table_names_its_columns(tmp_path: Path) -> None:
    read: Callable[[str], ListTable] = lambda name: read_list_file(tmp_path / name)  # noqa: E731
    (tmp_path / "trec.run").write_text(TREC)
    assert read("trec.run").columns == {
        "user": "column_1", "item": "column_3", "rank": "column_4", "score": "column_5",
    }  # fmt: skip
