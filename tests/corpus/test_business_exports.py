"""Exports of accounting and shop systems, and files of competitions: signs, missing numbers, test sets, receipts."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys_core.data.ingest import check, ingest, inspect_files, suggest_rules
from recsys_core.data.report import IngestReport
from recsys_core.data.workspace import Workspace
from tests.corpus.tables import epoch, item, item_number, stars, table, user, user_number


def checked(*paths: Path) -> IngestReport:
    guesses = inspect_files(list(paths))
    return check(guesses, suggest_rules(guesses))


def written(tmp_path: Path, text: str | bytes, name: str = "export.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_minus_after_the_number_is_a_return(tmp_path: Path) -> None:
    columns = {"Kunde": user, "Artikel": item, "Menge": lambda r: r.one_of("1", "2,000", "1.200,000-")}
    report = checked(written(tmp_path, table(columns, separator=";")))
    assert report.rows_rejected == 0
    assert "the lowest is -1200" in {warning.rule: warning.message for warning in report.warnings}["negative_weights"]


def _missing() -> dict[str, bytes]:
    ratings = np.arange(60) % 5 + 1.0
    ratings[::3] = np.nan
    frame = pd.DataFrame({"user": [f"u{n % 9}" for n in range(60)], "item": [f"i{n}" for n in range(60)]})
    parquet = io.BytesIO()
    pq.write_table(pa.table({**frame.to_dict("list"), "rating": ratings}), parquet)
    lines = [json.dumps({"user": f"u{n % 9}", "item": f"i{n}", "rating": ratings[n]}) for n in range(60)]
    csv = frame.assign(rating=ratings).to_csv(index=False, na_rep="nan")
    return {"x.parquet": parquet.getvalue(), "x.jsonl": "\n".join(lines).encode(), "x.csv": csv.encode()}


@pytest.mark.parametrize("name", ["x.parquet", "x.jsonl", "x.csv"])
def test_nan_is_a_missing_rating_in_every_format(name: str, tmp_path: Path) -> None:
    guesses = inspect_files([written(tmp_path, _missing()[name], name)])
    dataset, report = ingest(guesses, suggest_rules(guesses), Workspace(tmp_path / "workspace"), "nan")
    assert (report.rows_accepted, report.rows_rejected) == (60, 0)
    assert dataset.interactions["rating"].isna().sum() == 20


def test_a_test_set_beside_the_ratings_is_told_apart(tmp_path: Path) -> None:
    train = written(tmp_path, table({"user": user, "item": item, "rating": stars}), "train.csv")
    test = written(tmp_path, table({"user": user, "item": item}, rows=50), "test.csv")
    found = {warning.rule: warning for warning in checked(train, test).warnings}
    assert found["unrated_files"].count == 50
    assert "'test.csv'" in found["unrated_files"].message
    assert "unrated_files" not in {warning.rule for warning in checked(train).warnings}


def test_lines_of_a_receipt_without_its_customer_are_explained(tmp_path: Path) -> None:
    lines = [f"{'' if n % 3 else f'C{n % 20}'},P{n * 7 % 31},{n % 2 + 1}\n" for n in range(120)]
    (alarm,) = checked(written(tmp_path, "customer,product,qty\n" + "".join(lines))).alarms
    assert "stands for the value above it" in alarm.remedy


def test_joined_encodings_are_the_remedy_for_invalid_bytes(tmp_path: Path) -> None:
    lines = table({"user": user, "item": item, "title": lambda r: f"Café {r.item}"}).splitlines(keepends=True)
    joined = "".join(lines[:160]).encode() + "".join(lines[160:]).encode("latin-1")
    (alarm,) = checked(written(tmp_path, joined)).alarms
    assert alarm.remedy.startswith("Choose another encoding.")


def test_a_quantity_without_a_header_is_asked_about(tmp_path: Path) -> None:
    columns = {"a": user_number, "b": epoch, "c": item_number, "d": lambda r: r.one_of(1, 1, 1, 1, 1, 2, 2, 3)}
    (guess,) = inspect_files([written(tmp_path, table(columns, header=False), "buys.dat")])
    assert "rating" in {question.role for question in guess.questions}
