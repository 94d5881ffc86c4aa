"""Layouts of exports: separators at the end of rows, repeated headers, several sheets, JSON documents."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from recsys_core.columns import ITEM_ID, RATING, USER_ID
from recsys_core.data.ingest import inspect_files
from recsys_core.errors import DataError
from tests.corpus.tables import item, stars, table, user
from tests.corpus.test_exports import column, guessed
from tests.corpus.test_values import take, warned, wrote


@pytest.mark.parametrize("head", ["movie{s}rating{s}customer", "movie{s}rating{s}customer{s}"])
@pytest.mark.parametrize(("separator", "spare"), [(",", 1), (";", 1), (",", 3)])
def test_separators_at_the_end_of_each_row_leave_the_header(
    head: str, separator: str, spare: int, tmp_path: Path
) -> None:
    body = table({"movie": item, "rating": stars, "customer": user}, separator=separator, header=False)
    text = head.format(s=separator) + "\n" + body.replace("\n", separator * spare + "\n")
    guess = guessed(tmp_path, text)
    assert guess.header
    assert [column(guess, role) for role in (USER_ID, ITEM_ID, RATING)] == ["customer", "movie", "rating"]


@pytest.mark.parametrize(
    "columns",
    [{"user": user, "item": item}, {"item_id": item, "user_id": user, "event": lambda r: r.one_of("view", "buy")}],
)
def test_a_header_that_joined_exports_repeat_is_no_interaction(columns: dict[str, Any], tmp_path: Path) -> None:
    dataset, report = take(tmp_path, [wrote(tmp_path, table(columns) * 3)])
    assert report.reasons == {"the header again": 2}
    assert not {"user", "user_id"} & set(dataset.user_vocabulary.ids)
    assert report.rows_read == 3 * 240 + 2


def workbook(folder: Path, sheets: dict[str, Sequence[Sequence[object]]]) -> Path:
    memory = io.BytesIO()
    with pd.ExcelWriter(memory) as book:
        for name, rows in sheets.items():
            pd.DataFrame(rows).to_excel(book, sheet_name=name, index=False, header=False)
    path = folder / "sales.xlsx"
    path.write_bytes(memory.getvalue())
    return path


def test_the_first_sheet_with_a_table_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    year = [["Kunde", "Artikel"], *([f"K{n % 5}", f"A{n % 7}"] for n in range(30))]
    path = workbook(tmp_path, {"Info": [["exported by the shop"]], "2023": year, "2024": year, "empty": [[]]})
    _, report = take(tmp_path, [path])
    assert report.rows_accepted == 30
    assert warned(report, "other_sheets") == "1 Only sheet '2023' is read; 1 other sheet holds a table as well: 2024."
    (alone,) = inspect_files([workbook(tmp_path, {"2023": year, "empty": [[]]})])
    assert not alone.notes


@pytest.mark.parametrize(
    "document",
    [
        {"data": [{"user": 1, "item": 2}], "total": 1},
        {"user": {"0": 1, "1": 2}, "item": {"0": 5, "1": 6}},
        {"user": [1, 2, 3], "item": [4, 5, 6]},
        {"columns": ["user", "item"], "data": [[1, 2], [2, 3]]},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_document_is_refused_as_one(document: dict[str, object], indent: int | None, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="looks like a single JSON document"):
        guessed(tmp_path, json.dumps(document, indent=indent), "export.json")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("views.csv", "purchases.csv"), {"view": 1.0, "purchase": 5.0}),
        (("shop-clicks.csv", "shop-buys.csv"), {"click": 1.0, "buy": 5.0}),
        (("2023_orders.csv", "2023_returns.csv"), {"order": 5.0, "return": 0.0}),
        (("sales_2023.csv", "sales_2024.csv"), {}),
        (("views.csv", "train.csv"), {}),
    ],
)
def test_files_with_different_events_in_their_names_are_told_apart(
    names: tuple[str, str], expected: dict[str, float], tmp_path: Path
) -> None:
    paths = [wrote(tmp_path, table({"user_id": user, "item_id": item}), name) for name in names]
    guesses = inspect_files(paths)
    assert {guess.event: guess.event_weight for guess in guesses if guess.event} == expected
    _, report = take(tmp_path, paths, duplicates="keep")
    assert [warning.rule for warning in report.warnings].count("file_events") == len(expected)


def test_files_with_an_event_column_or_ratings_keep_their_own(tmp_path: Path) -> None:
    views = wrote(tmp_path, table({"user_id": user, "item_id": item}), "views.csv")
    for name, cell in {"event": lambda r: r.one_of("buy", "view"), "rating": stars}.items():
        other = wrote(tmp_path, table({"user_id": user, "item_id": item, name: cell}), "purchases.csv")
        assert [guess.event for guess in inspect_files([views, other])] == [None, None]


@pytest.mark.parametrize(
    "heads",
    [
        [f"Film {n}" for n in range(8)],
        ["Alien", "Heat", "Jaws", "Up", "Brazil", "Vertigo"],
        [f"Movie {n}" for n in range(20)],
    ],
)
@pytest.mark.parametrize("empty", ["", "0"])
def test_a_survey_with_one_column_per_item_is_refused(heads: list[str], empty: str, tmp_path: Path) -> None:
    body = [
        [f"User {n}", *((empty, "1", "3", "5", "4")[(n * 7 + k * k) % 5] for k in range(len(heads)))] for n in range(30)
    ]
    text = "\n".join(",".join(row) for row in [["", *heads], *body]) + "\n"
    with pytest.raises(DataError, match="looks like a user-item matrix"):
        guessed(tmp_path, text, "survey.csv")


def test_ratings_of_several_aspects_are_no_matrix(tmp_path: Path) -> None:
    columns = {
        "user": user,
        "hotel": item,
        "rooms": stars,
        "service": stars,
        "location": stars,
        "value": stars,
        "rating": stars,
    }
    assert column(guessed(tmp_path, table(columns)), RATING) == "rating"
    users = {"user_id": lambda r: r.n, "a": stars, "b": stars, "c": stars, "d": stars, "hotel_id": item}
    assert guessed(tmp_path, table(users)).column_names[0] == "user_id"


@pytest.mark.parametrize("separator", ["^", "\x01"])
def test_separators_of_databases_are_read(separator: str, tmp_path: Path) -> None:
    columns = {"user_id": user, "item_id": item, "rating": stars, "title": lambda r: f"Chair {r.item}, large"}
    path = wrote(tmp_path, table(columns, separator=separator))
    (guess,) = inspect_files([path])
    assert (guess.separator, guess.column_names) == (separator, tuple(columns))
    assert take(tmp_path, [path], duplicates="keep")[1].rows_accepted == 240
