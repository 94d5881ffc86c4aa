"""`recommend` and `predict`: output files that join with the input, and a report of omissions."""

import csv
from pathlib import Path

import pandas as pd
import pytest

from recsys_core.cli import main

ODD_IDS = [
    "=1+1",
    "-5",
    "@x",
    "+49301234",
    "a,b",
    'say "hi"',
    "a\rb",
    "007",
    "中文",
    "'quoted",
    "x;y",
    "1e5",
    "#9",
    "ümlaut",
]


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """Twelve users and ten items with identifiers that a spreadsheet or a careless writer would change."""
    path = tmp_path / "ratings.csv"
    rows = [
        (ODD_IDS[user], ODD_IDS[-1 - item], 1 + (user + item) % 5)
        for user in range(12)
        for item in range(10)
        if (user + 2 * item) % 3
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("user_id", "item_id", "rating"), *rows])
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def run(*words: object) -> int:
    return main([str(word) for word in words])


def test_identifiers_of_lists_join_with_the_input(ratings: Path, tmp_path: Path) -> None:
    out = tmp_path / "recs.csv"
    assert run("recommend", "--train", ratings, "--model", "popular", "--k", 4, "--out", out) == 0
    before, after = read(ratings), read(out)
    assert {row["user_id"] for row in after} == {row["user_id"] for row in before} > {"=1+1", "-5", "@x", "a\rb"}
    assert {row["item_id"] for row in after} <= {row["item_id"] for row in before}
    assert out.read_bytes().count(b"\n") == len(after) + 1


def test_identifiers_of_predictions_join_with_the_input(ratings: Path, tmp_path: Path) -> None:
    out = tmp_path / "predictions.csv"
    assert run("predict", "--train", ratings, "--test", ratings, "--model", "bias", "--out", out) == 0
    before, after = read(ratings), read(out)
    assert [(row["user_id"], row["item_id"]) for row in after] == [(row["user_id"], row["item_id"]) for row in before]
    frame = pd.read_csv(ratings, dtype=str).merge(pd.read_csv(out, dtype=str), on=["user_id", "item_id"])
    assert len(frame) == len(before)


@pytest.fixture
def club(tmp_path: Path) -> Path:
    """Users a to e and items 1 to 6; e has seen every item, two rows are invalid."""
    rows = [
        (user, item, 1 + (place + item) % 5) for place, user in enumerate("abcd") for item in range(1, 4 + place % 3)
    ]
    rows += [("e", item, 5) for item in range(1, 7)]
    path = tmp_path / "club.csv"
    lines = [",".join(map(str, row)) for row in rows]
    path.write_text("\n".join(["user_id,item_id,rating", *lines, "a,1,five", ",2,3"]) + "\n", encoding="utf-8")
    return path


def test_recommend_counts_rejected_rows_unknown_users_and_users_without_a_list(
    club: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "recs.csv"
    users = "a, e,stranger, nobody,x1,x2 ,a"
    words = ["recommend", "--train", club, "--model", "popular", "--k", 3, "--out", out, "--users"]
    assert run(*words, users) == 0
    told = capsys.readouterr().err.splitlines()
    assert all(line.startswith("recscope: ") for line in told)
    assert any("rows read" in line and "2 rejected (" in line for line in told)
    assert (
        "recscope: 4 of 6 users in --users are not in the data and get no row: 'stranger', 'nobody', 'x1' and 1 "
        "more." in told
    )
    assert any(line.startswith("recscope: 1 users with a list, 1 without, 4 unknown; 3 rows in ") for line in told)
    assert any(line.startswith("recscope: No list for 'e'") for line in told)
    assert any("1 entry of --users is a duplicate" in line for line in told)
    assert {row["user_id"] for row in read(out)} == {"a"}
    listed = tmp_path / "users.txt"
    listed.write_text("\ufeffuserId\n a \ne\n\nstranger\nnobody\nx1\nx2\na\n", encoding="utf-8")
    assert run(*words, listed) == 0
    assert capsys.readouterr().err.splitlines() == told
    assert run(*words, "all") == 0
    assert "4 users with a list, 1 without, 0 unknown" in capsys.readouterr().err


def test_an_identifier_is_read_as_it_stands_in_the_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = tmp_path / "spaced.csv", tmp_path / "recs.csv"
    data.write_text(
        "user_id,item_id,rating\n" + "".join(f"u {n % 4},i{n % 5},{1 + n % 5}\n" for n in range(16)), encoding="utf-8"
    )
    assert run("recommend", "--train", data, "--model", "popular", "--users", "u 1 , u 2", "--k", 1, "--out", out) == 0
    assert [row["user_id"] for row in read(out)] == ["u 1", "u 2"]
    for text, says in (
        ("nobody.txt", "There is no file or user named 'nobody.txt'"),
        (" , ", "names no user"),
        (tmp_path / "empty.txt", "names no user"),
    ):
        (tmp_path / "empty.txt").write_text("user_id\n", encoding="utf-8")
        assert run("recommend", "--train", data, "--model", "popular", "--users", text, "--out", out) == 2
        assert says in capsys.readouterr().err


def test_lists_shorter_than_asked_are_counted(club: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "recs.csv"
    assert run("recommend", "--train", club, "--model", "popular", "--k", 3, "--out", out) == 0
    lengths = pd.read_csv(out)["user_id"].value_counts()
    short = int((lengths < 3).sum())
    assert short
    assert f"{short} lists are shorter than 3: " in capsys.readouterr().err


def test_predict_counts_rejected_rows_and_pairs_without_a_score(
    club: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """EASE has no score for a user without a history."""
    test, out = tmp_path / "test.csv", tmp_path / "predictions.csv"
    pairs = ["a,6,1", "new,2,5", "b,9,2", "new,9,3", "c,6,4", "d,5,oops"]
    test.write_text("\n".join(["user_id,item_id,rating", *pairs]) + "\n", encoding="utf-8")
    assert run("predict", "--train", club, "--test", test, "--model", "ease", "--out", out) == 0
    told = capsys.readouterr().err
    assert f"{test}: 6 rows read, 5 accepted, 1 rejected (1 rating: not a number)." in told
    scores = {(row["user_id"], row["item_id"]): row["score"] for row in read(out)}
    missing = [pair for pair, score in scores.items() if score == ""]
    assert f"5 pairs in {out}, {len(missing)} without a score." in told
    assert missing
    assert f"{len(missing)} of 5 pairs cannot be scored (" in told
    assert all(float(score) == float(score) for score in scores.values() if score)


def test_samples_are_data_by_name(tmp_path: Path, own_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()  # a folder of that name does not interfere
    out = tmp_path / "out.csv"
    assert run("recommend", "--train", "tiny", "--model", "popular", "--k", 2, "--users", "u01", "--out", out) == 0
    assert len(read(out)) == 2
    assert run("predict", "--train", "tiny", "--test", "tiny", "--model", "bias", "--out", out) == 0
    assert len(read(out)) > 200
    assert run("recommend", "--train", "Film club (tiny)", "--model", "popular", "--out", out) == 0
    assert run("compare", "--data", "tiny", "--models", "ease", "--out", tmp_path / "compared") == 0
    stored = list((own_workspace / "datasets").iterdir())
    assert len(stored) == 1  # beside its experiment, where the pages find both
    assert run("compare", "--data", "tiny", "--models", "ease", "--out", tmp_path / "again") == 0
    assert list((own_workspace / "datasets").iterdir()) == stored


def test_a_file_goes_before_a_stored_data_set_and_that_before_a_sample(
    club: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out.csv"
    assert run("ingest", club, "--name", "tiny") == 0
    words = ["recommend", "--train", "tiny", "--model", "popular", "--out", out]
    assert run(*words) == 0
    assert {row["user_id"] for row in read(out)} == set("abcd")
    (tmp_path / "tiny").write_text("user_id,item_id\n" + "".join(f"z{n % 3},{n % 4}\n" for n in range(9)))
    assert run(*words) == 0
    assert {row["user_id"][0] for row in read(out)} == {"z"}
    capsys.readouterr()
    assert run("recommend", "--train", "none", *words[3:]) == 2
    assert capsys.readouterr().err == (
        "recscope: There is no file or data set named 'none'. Stored: tiny. Samples: tiny, small, ordered, shop.\n"
    )
    (tmp_path / "folder").mkdir()
    assert run("recommend", "--train", "folder", *words[3:]) == 2
    assert "'folder' is a folder" in capsys.readouterr().err


def test_a_target_that_cannot_be_written_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recsys_core.cli.sources.Sources.open", lambda *_: pytest.fail("data were opened"))
    for out, says in ((tmp_path / "no" / "x.csv", "does not exist"), (tmp_path, "it is a folder")):
        for words in (
            ["recommend", "--train", "tiny", "--model", "popular"],
            ["predict", "--train", "tiny", "--test", "tiny", "--model", "bias"],
            ["people", "--data", "tiny"],
            ["update", "--train", "tiny", "--data", "tiny", "--model", "mlp"],
        ):
            assert run(*words, "--out", out) == 2
            assert says in capsys.readouterr().err
