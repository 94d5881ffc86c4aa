"""`people` recommends users to users; `update` trains a model incrementally on newer data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys_core.cli import main
from recsys_core.data.synthetic.samples import load_sample
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.stored_replays import kept_models, load_kept
from recsys_core.models.friend_recommendation import FRIEND_METHODS, recommend_people

SIZES = ["--embedding_dim", "8", "--max_length", "8", "--n_layers", "1", "--n_heads", "1"]
NET = [*SIZES, "--epochs", "2", "--patience", "0"]


def run(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.fixture
def club(tmp_path: Path) -> tuple[Path, Path]:
    """Interactions, and links in a separate file: a and d follow b and c; e and its item are isolated."""
    taken = [("a", 1), ("a", 2), ("b", 2), ("b", 3), ("c", 1), ("c", 3), ("d", 4), ("d", 2), ("e", 9)]
    links = [("a", "b"), ("a", "c"), ("d", "b"), ("d", "c"), ("c", "zoe")]
    data, friends = tmp_path / "taken.csv", tmp_path / "links.csv"
    data.write_text("user_id,item_id\n" + "".join(f"{user},{item}\n" for user, item in taken), encoding="utf-8")
    friends.write_text("source_id,target_id\n" + "".join(f"{one},{two}\n" for one, two in links), encoding="utf-8")
    return data, friends


@pytest.mark.parametrize("method", list(FRIEND_METHODS))
def test_people_gives_the_lists_of_the_library(method: str, tmp_path: Path) -> None:
    out, data = tmp_path / "people.csv", load_sample("tiny")
    assert run("people", "--data", "tiny", "--method", method, "--k", 4, "--seed", 7, "--out", out) == 0
    found = pd.read_csv(out, dtype={"user_id": str, "recommended_user_id": str})
    assert list(found.columns) == ["user_id", "recommended_user_id", "rank", "score"]
    for position in (0, 11, 29):
        rows = found[found["user_id"] == data.user_vocabulary.ids[position]]
        top = recommend_people(data, position, method, 4, seed=7)
        items = top.item[0][top.item[0] >= 0]
        assert list(rows["recommended_user_id"]) == [data.user_vocabulary.ids[one] for one in items]
        assert list(rows["rank"]) == list(range(1, len(items) + 1))
        np.testing.assert_allclose(rows["score"], top.score[0][: len(items)])


def test_people_of_files_counts_those_without_a_list(
    club: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data, friends = club
    words = ["people", "--data", data, "--links", friends, "--k", 3, "--method", "adamic_adar", "--users"]
    assert run(*words, "a, e,stranger") == 0
    output = capsys.readouterr()
    found = json.loads(output.out)
    assert [(one["user_id"], one["recommended_user_id"], one["rank"]) for one in found][:1] == [("a", "d", 1)]
    assert found[0]["score"] == pytest.approx(1 / np.log(2) + 1 / np.log(3))  # b follows two users, c three
    assert "1 of 3 users in --users is not in the data and gets no row: 'stranger'." in output.err
    assert "1 users with a list, 1 without, 1 unknown." in output.err
    assert "No recommendation for 'e'" in output.err
    assert run(*words, "all") == 0
    assert {one["user_id"] for one in json.loads(capsys.readouterr().out)} == {"a", "b", "c", "d", "zoe"}


def test_people_without_links_takes_the_graph_of_those_who_rated_alike(
    club: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = club[0], tmp_path / "people.JSON"
    assert run("people", "--data", data) == 2
    assert "has no links" in capsys.readouterr().err
    assert run("people", "--data", data, "--graph", "co_rating", "--method", "adamic_adar", "--out", out) == 0
    assert capsys.readouterr().out == ""
    found = json.loads(out.read_text(encoding="utf-8"))
    assert ("c", "d") in {(one["user_id"], one["recommended_user_id"]) for one in found}  # both share items with a


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["people", "--data", "tiny", "--method", "magic"],
            "no method of friend recommendation 'magic'. Known: random_people",
        ),
        (["people", "--data", "tiny", "--k", "0"], "--k must be from 1"),
        (["people", "--data", "tiny", "--links", "x.csv"], "--links requires a file"),
        (["people", "--data", "absent.csv"], "no file or data set named 'absent.csv'"),
        (["people", "--data", "tiny", "--users", "nobody.txt"], "no file or user named 'nobody.txt'"),
        (["update", "--train", "tiny", "--data", "tiny", "--model", "ease"], "'ease' does not update incrementally"),
        (["update", "--train", "tiny", "--data", "tiny", "--model", "teapot"], "There is no algorithm 'teapot'"),
        (["update", "--run", "0" * 16, "--data", "tiny", "--model", "rnn"], "no experiment"),
        (["update", "--run", "0" * 16, "--data", "tiny", "--model", "rnn", "--seed", "0"], "--seed requires --train"),
        (["update", "--train", "tiny", "--data", "tiny", "--model", "rnn", "--cell", "cog"], "cell"),
        (["update", "--train", "tiny", "--data", "tiny", "--model", "rnn", "--seed", "-1"], "--seed must be from 0"),
        (["update", "--train", "tiny", "--data", "small", "--model", "rnn", "--users", "1"], "--users needs --lists"),
    ],
    ids=lambda value: "-".join(value)[:60] if isinstance(value, list) else None,
)
def test_what_cannot_be_done_is_said_in_one_line(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


def test_update_asks_for_either_an_experiment_or_older_data(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--run", "x", "--train", "y"]):
        with pytest.raises(SystemExit) as end:
            run("update", "--data", "tiny", "--model", "rnn", *words)
        assert end.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--data", "nowhere.csv"], "no file or data set named 'nowhere.csv'"),
        (["--data", "tiny"], "no interactions that are not in 'Film club (tiny)'"),
        (["--data", "small", "--k", "0"], "--k must be from 1"),
        (["--data", "small", "--lists", "lists.csv", "--users", "nobody"], "no file or user named 'nobody'"),
        (["--data", "small", "--columns", "user_id=0"], "--columns applies to files only"),
    ],
    ids=lambda value: "-".join(value)[:60] if isinstance(value, list) else None,
)
def test_update_refuses_before_it_trains(
    words: list[str],
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("recsys_core.cli.updating.execute", lambda *_: pytest.fail("a model was trained"))
    assert run("update", "--train", "tiny", "--model", "rnn", *words) == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


@pytest.fixture
def months(tmp_path: Path) -> tuple[Path, Path]:
    """Older and newer data: forty users walk round twenty items, then continue; ten new users and one new item."""
    rows = [(user, (3 * user + time) % 20, 1000 * time) for user in range(40) for time in range(8)]
    later = [(user, (3 * user + time) % 21, 1000 * time) for user in range(50) for time in range(8, 13)]
    old, newer = tmp_path / "old.csv", tmp_path / "newer.csv"
    for path, some in ((old, rows), (newer, rows + later)):
        lines = (f"u{user},i{item},{1_500_000_000 + time}\n" for user, item, time in some)
        path.write_text("user_id,item_id,timestamp\n" + "".join(lines), encoding="utf-8")
    return old, newer


def test_update_of_files_reports_both_parts_and_writes_lists(
    months: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, newer = months
    lists = tmp_path / "lists.csv"
    words = ["update", "--train", old, "--data", newer, "--model", "sasrec", *NET, "--split", "leave_last_out"]
    assert run(*words, "--k", 5, "--lists", lists, "--users", "u1, u45,stranger") == 0
    output = capsys.readouterr()
    found: dict[str, Any] = json.loads(output.out)
    assert found["metric"] == "ndcg@5"
    assert (found["new_users"], found["new_items"]) == (10, 1)
    assert [part["part"] for part in found["parts"]] == ["old", "new"]
    assert {"users", "before", "after", "difference", "low", "high", "different"} <= set(found["parts"][0])
    assert found["learned"] > 100
    assert f"{found['learned']} new interactions used" in output.err
    assert f"{newer}: 570 rows read, 570 accepted, 0 rejected." in output.err
    recs = pd.read_csv(lists)
    assert recs["user_id"].value_counts().to_dict() == {"u1": 5, "u45": 5}
    everything = pd.read_csv(newer)
    seen = set(zip(everything["user_id"], everything["item_id"], strict=True))
    assert not seen & set(zip(recs["user_id"], recs["item_id"], strict=True))
    assert "'stranger'" in output.err


@pytest.mark.slow
def test_update_of_a_stored_experiment_leaves_it_as_it_is(
    months: tuple[Path, Path], tmp_path: Path, own_workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, newer = months
    assert run("ingest", old, "--name", "old") == 0
    settings = [f"sasrec.{name[2:]}={value}" for name, value in zip(NET[::2], NET[1::2], strict=True)]
    words = ["compare", "--data", "old", "--models", "sasrec,ease", "--split", "leave_last_out", "--k", 5]
    assert run(*words, *(word for one in settings for word in ("--set", one)), "--out", tmp_path / "out") == 0
    (card,) = ResultStore(own_workspace).runs()
    stored = {path: path.read_bytes() for path in own_workspace.rglob("*.safetensors")}
    assert stored
    capsys.readouterr()
    table = tmp_path / "update.csv"
    words = ["update", "--run", card.id, "--model", "sasrec", "--data", newer, "--freeze-embeddings"]
    assert run(*words, "--out", table) == 0
    output = capsys.readouterr()
    assert output.out == ""
    assert "ndcg@5 changes by" in output.err
    assert list(pd.read_csv(table)["part"]) == ["old", "new"]
    assert {path: path.read_bytes() for path in own_workspace.rglob("*.safetensors")} == stored
    assert run("update", "--run", card.id, "--model", "rnn", "--data", newer) == 2
    assert "has no finished model 'rnn'. Finished: sasrec-" in capsys.readouterr().err
    assert run("update", "--run", card.id, "--model", "sasrec", "--data", "old") == 2
    assert "has no interactions that are not in" in capsys.readouterr().err


def test_replay_prints_a_row_for_each_step_and_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "replay.csv"
    assert run("replay", "--data", "tiny", "--models", "popular,item_knn", "--steps", 2, "--k", 5, "--out", out) == 0
    told = capsys.readouterr()
    assert told.out == ""
    table = pd.read_csv(out)
    assert len(table) == 2 * 3 * 2  # models, steps with the start, versions
    assert set(table["version"]) == {"stale", "refit"}
    assert set(table["metric"]) == {"ndcg@5"}
    assert table.loc[(table["version"] == "refit") & (table["step"] > 0), "difference"].notna().all()
    assert "Holm over the pairs, corrected for the steps" in told.err
    assert "it does not update incrementally" in told.err


@pytest.mark.slow
def test_replay_of_a_stored_experiment_keeps_the_updated_model(
    months: tuple[Path, Path], own_workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("ingest", months[0], "--name", "old") == 0
    settings = [f"sasrec.{name[2:]}={value}" for name, value in zip(NET[::2], NET[1::2], strict=True)]
    words = ["compare", "--data", "old", "--models", "sasrec", "--split", "leave_last_out", "--k", 5]
    assert run(*words, *(word for one in settings for word in ("--set", one)), "--out", tmp_path / "out") == 0
    (card,) = ResultStore(own_workspace).runs()
    capsys.readouterr()
    assert run("replay", "--run", card.id, "--models", "sasrec", "--steps", 1, "--keep") == 0
    output = capsys.readouterr()
    assert {row["version"] for row in json.loads(output.out)} == {"stale", "updated", "refit"}
    opened = ResultStore(own_workspace).open(card.id)
    (kept,) = kept_models(opened)
    assert f"{kept.id} is kept as a model of experiment {card.id}." in output.err
    assert load_kept(opened, kept.id).is_fitted
    for refused, says in (
        (["--run", card.id, "--models", "ease"], "has no model 'ease'"),
        (["--run", card.id, "--seed", "1"], "--seed requires --data"),
        (["--data", "tiny", "--models", "popular", "--keep"], "--keep requires --run"),
        (["--data", "tiny"], "--data requires --models"),
        (["--data", "tiny", "--models", "popular", "--steps", "0"], "number of steps must be from 1 to 19"),
    ):
        assert run("replay", *refused) == 2
        assert says in capsys.readouterr().err
