"""Results of an ingest: positions, tables, merged values, and agreement of the two readers."""

import gzip
import os
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest

from recsys_core.contracts import Progress, RatingScale, RunContext
from recsys_core.data.dataset import NO_TIMESTAMP, Dataset
from recsys_core.data.ingest import check, ingest, inspect_files, load_file, reading, suggest_rules
from recsys_core.data.ingest.cleaning import repeated_pairs
from recsys_core.data.ingest.cleaning_rules import IngestRules
from recsys_core.data.ingest.limits import DEFAULT_LIMITS
from recsys_core.data.ingest.schema import with_changes
from recsys_core.data.report import IngestReport
from recsys_core.data.sql import connect
from recsys_core.data.tables import PairCache
from recsys_core.data.workspace import Workspace
from recsys_core.errors import Cancelled, ConfigError, DataError

PUBLIC = Path(os.environ.get("RECSCOPE_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_public_data = pytest.mark.skipif(not PUBLIC.is_dir(), reason=f"public data are not in {PUBLIC}")


def take(folder: Path, files: dict[str, str | bytes], **rules: object) -> tuple[Dataset, IngestReport]:
    paths = []
    for name, content in files.items():
        paths.append(folder / name)
        paths[-1].write_bytes(content.encode() if isinstance(content, str) else content)
    guesses = inspect_files(paths)
    chosen = IngestRules.parse(suggest_rules(guesses).model_dump() | rules)
    return ingest(guesses, chosen, Workspace(folder / "workspace"), "data")


def by_id(dataset: Dataset, column: str) -> dict[tuple[str, str], float]:
    frame = dataset.interactions
    users, items = dataset.user_vocabulary.ids, dataset.item_vocabulary.ids
    return {(users[u], items[i]): v for u, i, v in zip(frame["user"], frame["item"], frame[column], strict=True)}


def test_positions_follow_first_appearance_and_rows_the_file(tmp_path: Path) -> None:
    data, _ = take(tmp_path, {"r.csv": "user,item,rating,time\nb,y,1,1500000001\na,y,2,1500000000\nb,x,3,1500000002\n"})
    assert data.user_vocabulary.ids == ["b", "a"]
    assert data.item_vocabulary.ids == ["y", "x"]
    assert data.interactions["user"].tolist() == [0, 1, 0]
    assert data.interactions["timestamp"].tolist() == [1500000001000, 1500000000000, 1500000002000]
    assert [str(kind) for kind in data.interactions.dtypes] == ["int32", "int32", "float32", "int64"]


REPEATED = "user,item,rating,time\nu,i,1,1500000005\nu,i,4,1500000009\nu,i,2,1500000000\nv,i,3,1500000000\n"


@pytest.mark.parametrize(("rule", "rating"), [("last", 4.0), ("mean", 7 / 3), ("sum", 7.0)])
def test_repeated_pairs_become_one(rule: str, rating: float, tmp_path: Path) -> None:
    data, report = take(tmp_path, {"r.csv": REPEATED}, duplicates=rule)
    assert by_id(data, "rating") == pytest.approx({("u", "i"): rating, ("v", "i"): 3.0})
    assert report.rows_rejected == 2
    assert by_id(data, "timestamp")["u", "i"] == 1500000009000


def test_sums_of_weights_for_counts(tmp_path: Path) -> None:
    data, _ = take(tmp_path, {"r.csv": "user,item,plays\nu,i,3\nu,i,4\nv,i,1\n"}, duplicates="sum")
    assert by_id(data, "weight") == {("u", "i"): 7.0, ("v", "i"): 1.0}


def test_the_core_is_repeated_until_nothing_changes(tmp_path: Path) -> None:
    rows = "".join(f"u{n},i{m},3\n" for n in range(3) for m in range(3)) + "u3,i0,3\nu3,j,3\nu4,j,3\n"
    data, report = take(tmp_path, {"r.csv": "user,item,rating\n" + rows}, min_user=2, min_item=3)
    assert data.user_vocabulary.ids == ["u0", "u1", "u2"]
    assert data.item_vocabulary.ids == ["i0", "i1", "i2"]
    assert (report.rows_accepted, report.rows_rejected) == (9, 3)
    assert [line.line for line in report.rejected] == [11, 12, 13]


def test_several_files_become_events_with_weights(tmp_path: Path) -> None:
    (tmp_path / "views.csv").write_text("user,item\na,x\nb,y\n", encoding="utf-8")
    (tmp_path / "buys.csv").write_text("user,item\na,x\n", encoding="utf-8")
    views, buys = inspect_files([tmp_path / "views.csv", tmp_path / "buys.csv"])
    guesses = [with_changes(views, event="view"), with_changes(buys, event="purchase", event_weight=5.0)]
    data, report = ingest(guesses, IngestRules(), Workspace(tmp_path / "w"), "shop")
    assert data.interactions["event"].tolist() == ["view", "view", "purchase"]
    assert data.interactions["weight"].tolist() == [1.0, 1.0, 5.0]
    assert report.rows_rejected == 0


def test_a_column_of_events_gets_the_weights_of_the_rules(tmp_path: Path) -> None:
    text = "user,item,event\na,x,view\na,x,buy\nb,y,view\nb,z,\n"
    data, report = take(tmp_path, {"r.csv": text}, event_weights={"buy": 3.0})
    assert data.interactions["weight"].tolist() == [1.0, 3.0, 1.0, 1.0]
    assert data.interactions["event"].tolist() == ["view", "buy", "view", "unknown"]
    assert report.rows_rejected == 0


def test_users_items_and_links_stand_beside_the_interactions(tmp_path: Path) -> None:
    data, report = take(
        tmp_path,
        {
            "ratings.csv": "user_id,item_id,rating\nu1,i1,3\nu2,i1,4\n",
            "users.csv": "user_id,age,city\nu2,30,Rome\nu9,40,\nu2,50,Oslo\n",
            "items.csv": 'item_id,title,genres\ni1,"One, the first","drama, war"\ni7,Seven,\n',
            "friends.csv": "user_id,friend_id\nu1,u2\nu1,u1\nu1,u8\nu1,u2\n",
        },
    )
    assert data.user_vocabulary.ids == ["u1", "u2", "u9", "u8"]
    assert data.item_vocabulary.ids == ["i1", "i7"]
    assert data.users is not None
    assert data.users["age"].tolist()[1:3] == [30, 40]
    assert data.items is not None
    assert data.items["categories"].tolist()[0] == "drama|war"
    assert data.titles() == ["One, the first", "Seven"]
    assert data.social is not None
    assert data.social[["source", "target"]].to_numpy().tolist() == [[0, 1], [0, 3]]
    assert report.rows_read == 2 + 3 + 2 + 4
    assert report.rows_rejected == 3
    assert {"social_without_interactions"} <= {warning.rule for warning in report.warnings}


def test_attributes_of_removed_users_are_rejected_with_them(tmp_path: Path) -> None:
    data, report = take(
        tmp_path,
        {
            "ratings.csv": "user_id,item_id,rating\nu1,i1,3\nu1,i2,3\nu2,i1,4\n",
            "users.csv": "user_id,age\nu1,30\nu2,40\nu3,50\n",
        },
        min_user=2,
    )
    assert data.user_vocabulary.ids == ["u1"]
    assert report.rows_rejected == 3


def test_unreadable_times_can_be_kept_as_unknown(tmp_path: Path) -> None:
    text = "user,item,rating,time\na,x,1,1500000000\nb,x,1,never\n"
    data, _ = take(tmp_path, {"r.csv": text}, bad_timestamps="keep")
    assert data.interactions["timestamp"].tolist() == [1500000000000, NO_TIMESTAMP]


def test_ratings_are_moved_to_the_end_of_the_scale(tmp_path: Path) -> None:
    text = "user,item,rating\na,x,1\nb,x,9\nc,x,-3\n"
    data, _ = take(tmp_path, {"r.csv": text}, out_of_range="clip", rating_low=1, rating_high=5)
    assert data.interactions["rating"].tolist() == [1.0, 5.0, 1.0]
    assert data.rating_scale == RatingScale(1.0, 5.0)


def test_the_fast_and_the_careful_reader_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file with invalid lines throughout, both give the same rows, rejected lines and messages."""
    random.seed(7)
    lines = []
    for number in range(60_000):
        kind = random.random()
        line = f"{number % 701},{number % 997},{number % 5 + 1},{1_500_000_000 + number}"
        line = (
            "1,2"
            if kind < 0.001
            else line + ",9"
            if kind < 0.002
            else line.replace(",", ",,", 1)
            if kind < 0.003
            else line
        )
        lines.append(line if kind < 0.999 else f"{number},1,x,1500000000")
    path = tmp_path / "r.csv"
    path.write_text("user,item,rating,time\n" + "\n".join(lines) + "\n", encoding="utf-8")
    guesses = inspect_files([path])
    rules = IngestRules(duplicates="keep")
    fast, fast_report = ingest(guesses, rules, Workspace(tmp_path / "fast"), "data")

    def careful(guess: object, folder: object, limits: object, **how: object) -> object:
        return original(guess, folder, limits, careful=True)

    original = reading.open_source
    monkeypatch.setattr("recsys_core.data.ingest.build.open_source", careful)
    slow, slow_report = ingest(guesses, rules, Workspace(tmp_path / "slow"), "data")
    assert fast.interactions.equals(slow.interactions)
    assert fast.user_vocabulary.ids == slow.user_vocabulary.ids
    assert [(line.line, line.text) for line in fast_report.rejected] == [
        (line.line, line.text) for line in slow_report.rejected
    ]
    assert fast_report.rows_rejected > 100


def test_large_files_are_searched_for_repeated_pairs_in_ranges_of_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "user,item,rating\n" + "".join(f"u{n % 10},i{n % 7},3\n" for n in range(100))
    data, _ = take(tmp_path, {"r.csv": text}, duplicates="keep")
    path = tmp_path / "workspace" / "datasets" / data.fingerprint / "interactions.parquet"
    with connect() as connection:
        whole = repeated_pairs(connection, path, 10, PairCache(0))
        monkeypatch.setattr("recsys_core.data.ingest.cleaning.ROWS_AT_ONCE", 25)
        parts = repeated_pairs(connection, path, 10, PairCache(0))
    assert len(whole) == 30
    assert whole.sort_values(["user", "item"]).equals(parts.sort_values(["user", "item"]))


def test_progress_is_reported_and_a_wish_to_stop_is_followed(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("user,item,rating\na,x,1\n", encoding="utf-8")
    guesses = inspect_files([tmp_path / "r.csv"])
    seen: list[Progress] = []
    check(guesses, IngestRules(), RunContext(report=seen.append))
    assert any(progress.stage == "read r.csv" for progress in seen)
    workspace = Workspace(tmp_path / "w")
    with pytest.raises(Cancelled):
        ingest(guesses, IngestRules(), workspace, "data", RunContext(stop_requested=lambda: True))
    assert workspace.datasets() == []
    assert list((workspace.root / "staging").iterdir()) == []


def test_changes_of_a_guess(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("a;b;c\n1;2;3\n4;5;6\n", encoding="utf-8")
    (guess,) = inspect_files([tmp_path / "r.csv"])
    changed = with_changes(guess, roles={"user_id": "c", "item_id": 0, "rating": None})
    assert changed.roles["user_id"] == 2
    assert changed.roles["item_id"] == 0
    assert "rating" not in changed.roles
    assert with_changes(guess, header=False).skip_lines == 0
    assert with_changes(guess, table="items").table == "items"
    for wrong in (
        {"table": "x"},
        {"roles": {"x": 0}},
        {"roles": {"user_id": "z"}},
        {"timestamp_unit": "moons"},
        {"x": 1},
    ):
        with pytest.raises(DataError):
            with_changes(guess, **wrong)


def test_a_column_can_be_named_for_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("5 x u1 99\n4 y u1 98\n3 x u2 97\n", encoding="utf-8")
    data = load_file(tmp_path / "r.txt", {"user_id": 2, "item_id": 1, "rating": 0})
    assert data.user_vocabulary.ids == ["u1", "u2"]
    assert data.interactions["rating"].tolist() == [5.0, 4.0, 3.0]
    assert not data.has_timestamps
    with pytest.raises(DataError, match="no column"):
        load_file(tmp_path / "r.txt", {"user_id": 9, "item_id": 1})


def test_odd_characters_in_the_path_are_no_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "a[1]*?'; DROP"
    folder.mkdir()
    (folder / "r[0-9].csv").write_text("user,item,rating\na,x,1\n", encoding="utf-8")
    assert load_file(folder / "r[0-9].csv").n_interactions == 1


def test_an_archive_is_unpacked_once_into_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "r.csv.gz").write_bytes(gzip.compress(b"user,item,rating\na,x,1\n"))
    first = inspect_files([tmp_path / "r.csv.gz"], folder=tmp_path / "unpacked")
    second = inspect_files([tmp_path / "r.csv.gz"], folder=tmp_path / "unpacked")
    assert first[0].path == second[0].path
    assert first[0].name == "r.csv.gz/r.csv"


def test_a_rule_out_of_bounds_is_refused_in_words() -> None:
    with pytest.raises(ConfigError, match="min_user"):
        IngestRules.parse({"min_user": -1})
    with pytest.raises(ConfigError, match="low must be below high"):
        IngestRules.parse({"rating_low": 5, "rating_high": 1})


def test_the_report_survives_json(tmp_path: Path) -> None:
    _, report = take(tmp_path, {"r.csv": "user,item,rating\na,x,1\nb,,1\n"})
    values = report.to_json()
    names = {
        "rows_read",
        "rows_accepted",
        "rows_rejected",
        "rejected",
        "guesses",
        "warnings",
        "fingerprint",
        "users",
        "items",
    }
    assert names <= set(values)
    assert set(values["rejected"][0]) >= {"line", "column", "reason", "text"}
    assert IngestReport.from_json(values) == report


@pytest.mark.slow
@pytest.mark.public_data
@needs_public_data
@pytest.mark.parametrize(
    ("folder", "files", "counts", "scale", "parts"),
    [
        ("ml-100k", None, (943, 1682, 100_000), RatingScale(1, 5), {"users", "items"}),
        ("ml-latest-small", None, (610, 9742, 100_836), RatingScale(0.5, 5), {"items"}),
        ("lastfm-2k", None, (1892, 17_632, 92_834), None, {"items", "social"}),
        ("filmtrust", None, (1642, 2071, 35_494), RatingScale(0.5, 4), {"social"}),
        (
            "movietweetings-100k",
            ("ratings.dat", "movies.dat"),
            (16_554, 10_506, 100_000),
            RatingScale(0, 10),
            {"items"},
        ),
    ],
)
def test_published_sets_are_recognised_whole(
    folder: str,
    files: tuple[str, ...] | None,
    counts: tuple[int, int, int],
    scale: RatingScale | None,
    parts: set[str],
    *,
    tmp_path: Path,
) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in (PUBLIC / folder).iterdir():
            if files is None or path.name in files:
                archive.write(path, f"{folder}/{path.name}")
    guesses = inspect_files([tmp_path / "set.zip"])
    data, report = ingest(guesses, suggest_rules(guesses), Workspace(tmp_path / "w"), folder)
    assert (data.n_users, data.n_items, data.n_interactions) == counts
    assert data.rating_scale == scale
    assert {part for part in ("users", "items", "social") if getattr(data, f"load_{part}") is not None} == parts
    assert report.rows_accepted + report.rows_rejected == report.rows_read


@pytest.mark.public_data
@needs_public_data
def test_movielens_100k_has_its_titles_and_genres(tmp_path: Path) -> None:
    guesses = inspect_files([PUBLIC / "ml-100k" / name for name in ("u.data", "u.item", "u.user")])
    data, _ = ingest(guesses, suggest_rules(guesses), Workspace(tmp_path / "w"), "ml")
    assert data.items is not None
    assert data.users is not None
    item = data.items.iloc[data.item_vocabulary.position("1")]
    assert (item["title"], item["categories"]) == ("Toy Story (1995)", "Animation|Children's|Comedy")
    assert "Misérables, Les (1995)" in set(data.items["title"])
    assert data.users.iloc[data.user_vocabulary.position("1")].to_dict() == {
        "age": 24, "gender": "M", "occupation": "technician", "zip_code": "85711",
    }  # fmt: skip


@pytest.mark.public_data
@needs_public_data
def test_a_published_split_is_read_as_it_is() -> None:
    data = load_file(PUBLIC / "ml-100k" / "u1.base")
    assert (data.n_users, data.n_items, data.n_interactions) == (943, 1650, 80_000)
    assert data.rating_scale == RatingScale(1, 5)
    assert data.has_timestamps
    assert np.isclose(data.interactions["rating"].mean(), 3.52835)


def test_a_failed_cast_is_no_rejected_line(tmp_path: Path) -> None:
    """DuckDB may read a column directly as the type that it is cast to; then `try_cast` no longer gives NULL."""
    (tmp_path / "r.csv").write_text("a,1\nb,x\n", encoding="utf-8")
    columns = "columns={'c0': 'VARCHAR', 'c1': 'VARCHAR'}, auto_detect=false, delim=',', header=false"
    relation = f"read_csv('{tmp_path}/r.csv', {columns}, store_rejects=true)"
    with connect() as connection:
        rows = connection.execute(f"SELECT c0, try_cast(c1 AS DOUBLE) FROM {relation}").fetchall()
    assert rows == [("a", 1.0), ("b", None)]


def test_memory_is_bounded_by_default() -> None:
    with connect() as connection:
        (limit,) = connection.execute("SELECT current_setting('memory_limit')").fetchall()[0]
    assert limit == "2.0 GiB"
    assert DEFAULT_LIMITS.memory_bytes == 2 * 1024**3
