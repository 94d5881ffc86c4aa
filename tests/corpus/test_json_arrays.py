"""A JSON file that is one array of objects is read like JSON Lines, however it is laid out."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from recsys_core.columns import ITEM_ID, RATING, TIMESTAMP, USER_ID
from recsys_core.data.ingest import inspect_files
from recsys_core.errors import DataError
from tests.corpus.test_exports import column, guessed
from tests.corpus.test_values import take, wrote

PLAYS = [
    {
        "username": f"listener{n % 9}",
        "trackName": f"Song {n * n % 17}, \"live\"\nin Zürich",
        "ts": f"2023-05-{n % 28 + 1:02d}T10:00:{n % 60:02d}Z",
        "stars": n % 5 + 1,
        "tags": ["a", "b"],
    }
    for n in range(200)
]  # fmt: skip


def layouts() -> dict[str, str]:
    texts = {f"indent {indent}": json.dumps(PLAYS, indent=indent, ensure_ascii=False) for indent in (None, 0, 4)}
    lines = ",\n".join(json.dumps(play) for play in PLAYS)
    return texts | {"an object per line": f"[\n{lines}\n]\n", "byte order mark": "\ufeff" + texts["indent 4"]}


@pytest.mark.parametrize("layout", layouts())
def test_every_layout_is_read_like_json_lines(layout: str, tmp_path: Path) -> None:
    path = wrote(tmp_path, layouts()[layout], "StreamingHistory.json")
    guess = guessed(tmp_path, layouts()[layout], "again.json")
    assert [column(guess, role) for role in (USER_ID, ITEM_ID, TIMESTAMP, RATING)] == [
        "username", "trackName", "ts", "stars",
    ]  # fmt: skip
    dataset, report = take(tmp_path, [path], duplicates="keep")
    lines, _ = take(tmp_path, [wrote(tmp_path, "\n".join(map(json.dumps, PLAYS)), "lines.jsonl")], duplicates="keep")
    assert (report.rows_accepted, report.rows_rejected) == (200, 0)
    assert dataset.interactions.equals(lines.interactions)
    assert list(dataset.item_vocabulary.ids) == list(lines.item_vocabulary.ids)


def test_a_packed_array_is_read(tmp_path: Path) -> None:
    path = tmp_path / "plays.json.gz"
    path.write_bytes(gzip.compress(json.dumps(PLAYS).encode()))
    assert take(tmp_path, [path], duplicates="keep")[1].rows_accepted == 200


@pytest.mark.parametrize("odd", [5, "text", [1, 2], None])
def test_an_element_that_is_no_object_is_rejected_with_its_number(odd: Any, tmp_path: Path) -> None:
    elements = [*PLAYS[:50], odd, *PLAYS[50:]]
    _, report = take(tmp_path, [wrote(tmp_path, json.dumps(elements, indent=2), "plays.json")], duplicates="keep")
    (rejected,) = report.rejected
    assert (rejected.line, rejected.reason, rejected.text) == (
        51,
        "JSON value is not an object",
        json.dumps(odd, separators=(",", ":")),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (json.dumps(PLAYS)[:-30], "'plays.json' is not valid JSON: unexpected end of data"),
        (json.dumps(PLAYS).replace("}, {", "} {", 1), "'plays.json' is not valid JSON: unexpected character"),
        (json.dumps([{"days": [{"user": 1, "item": 2}]}]), "looks like a single JSON document"),
        (json.dumps([[1, 2], [3, 4]]), "looks like a single JSON document"),
    ],
    ids=["cut off", "no comma", "nested", "arrays"],
)
def test_what_is_no_array_of_rows_is_refused_without_naming_folders(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=sentence) as refused:
        take(tmp_path, [wrote(tmp_path, text, "plays.json")])
    assert str(tmp_path) not in str(refused.value)


def test_an_element_longer_than_a_line_is_rejected(tmp_path: Path) -> None:
    plays = [*PLAYS[:20], PLAYS[0] | {"trackName": "x" * 1_100_000}, *PLAYS[20:40]]
    _, report = take(tmp_path, [wrote(tmp_path, json.dumps(plays), "plays.json")], duplicates="keep")
    assert report.rows_accepted == 40
    assert [(one.line, one.reason) for one in report.rejected] == [(21, "line longer than 1,048,576 bytes")]


def test_an_element_longer_than_any_buffer_is_refused(tmp_path: Path) -> None:
    plays = [*PLAYS[:20], PLAYS[0] | {"trackName": "x" * 40_000_000}]
    with pytest.raises(DataError, match="objects of at most 1,048,576 bytes each"):
        take(tmp_path, [wrote(tmp_path, json.dumps(plays), "plays.json")])


def test_an_empty_array_holds_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        inspect_files([wrote(tmp_path, "[]", "plays.json")])
