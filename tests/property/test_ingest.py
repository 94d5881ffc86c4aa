# ruff: noqa: E501 (pieces of broken lines are kept whole)
"""Any table survives a round trip through a file, and any file is accounted for line by line."""

import csv
import io
import json
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from recsys_core.data.ingest import check, ingest, inspect_files
from recsys_core.data.ingest.cleaning_rules import IngestRules
from recsys_core.data.ingest.id_encoding import NotWholeNumbers, NumberCoder, TextCoder
from recsys_core.data.ingest.identifiers import NO_IDENTIFIERS
from recsys_core.data.ingest.schema import with_changes
from recsys_core.data.report import IngestReport
from recsys_core.data.workspace import Workspace
from recsys_core.errors import DataError

KEEP = IngestRules(duplicates="keep")
letters = st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp"), blacklist_characters="\ufeff\x85")
names = st.text(letters, min_size=1, max_size=8).filter(
    lambda text: bool(text.strip(" \t")) and text.strip() == text and text not in NO_IDENTIFIERS
)
numbers = st.integers(0, 10**12).map(str)
tables = st.lists(
    st.tuples(st.one_of(names, numbers), st.one_of(names, numbers), st.integers(1, 5), st.integers(10**9, 2 * 10**9)),
    min_size=1,
    max_size=20,
)
COLUMNS = ["user_id", "item_id", "rating", "timestamp"]
quick = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def stored(content: bytes, name: str) -> tuple[list[tuple[str, str, float, int]], IngestReport]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        data, report = ingest(inspect_files([path]), KEEP, Workspace(Path(folder) / "w"), "data")
        users, items = data.user_vocabulary.ids, data.item_vocabulary.ids
        rows = data.interactions.itertuples(index=False)
        return [(users[row.user], items[row.item], row.rating, row.timestamp // 1000) for row in rows], report


@quick
@given(
    tables,
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_separated_tables_come_back(
    rows: list[tuple[str, str, int, int]], separator: str, encoding: str, end: str
) -> None:
    memory = io.StringIO()
    writer = csv.writer(memory, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_MINIMAL)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    found, report = stored(memory.getvalue().encode(encoding), "table.csv")
    assert found == rows
    assert (report.rows_read, report.rows_rejected) == (len(rows), 0)


@quick
@given(tables)
def test_json_lines_come_back(rows: list[tuple[str, str, int, int]]) -> None:
    text = "".join(json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False) + "\n" for row in rows)
    found, report = stored(text.encode(), "table.jsonl")
    assert found == rows
    assert report.rows_rejected == 0


@quick
@given(tables)
def test_parquet_tables_come_back(rows: list[tuple[str, str, int, int]]) -> None:
    memory = io.BytesIO()
    pd.DataFrame(rows, columns=COLUMNS).to_parquet(memory)
    found, report = stored(memory.getvalue(), "table.parquet")
    assert found == rows
    assert report.rows_rejected == 0


pieces = st.sampled_from(
    ["u1,i1,3,1500000000", "u2,i2,4,1500000001", "u3,i3,x,1500000000", ",i1,3,1500000000", "u1,i1", "u1,i1,3,4,5", '"u1","i,1",3,1500000000',
     '"u1,i1,3,1500000000', 'u1,"i\n1",3,1500000000', 'u1,i"1,3,1500000000', 'u1,"i"1,3,1500000000', "u1,\x00,3,1500000000", "   ", "", '"', '""',
     "u1;i1;3;1500000000", "é,ü,3,1500000000", "u1,i1,3,never", "u1,i1,nan,1500000000", ",,,"]
)  # fmt: skip
broken = st.sampled_from([b"", b"\xff\xfe\xff", b"\xe9", b"u1,i\xff,3,1500000000"])


def records_of(lines: list[bytes]) -> int:
    """Count records of `test_every_line_is_accounted_for` independently: non-blank lines, one for a two-line cell."""
    text = b"\n".join(lines).split(b"\n")
    blank = sum(not line.strip(b" \t\r") for line in text)
    whole = sum(line == b'u1,"i\n1",3,1500000000' for line in lines)
    return len(text) - blank - whole


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(pieces.map(str.encode), broken), max_size=12), st.booleans())
@example([b"u1,\x00,3,1500000000"] * 4, False)
def test_every_line_is_accounted_for(middle: list[bytes], ends: bool) -> None:
    """Whatever is between a few valid lines: accepted and rejected lines add up to the lines of the file."""
    good = [b"a%d,b%d,3,1500000000" % (n, n) for n in range(12)]
    lines = [b"user_id,item_id,rating,timestamp", *good, *middle, *good[:1]]
    content = b"\n".join(lines) + (b"\n" if ends else b"")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(content)
        if content.count(0) > len(content) // 100:
            with pytest.raises(DataError, match="is a binary file"):
                inspect_files([path])
            return
        (guess,) = inspect_files([path])
        guess = with_changes(guess, separator=",", encoding="utf-8", header=True)
        report = check([guess], KEEP)
    assert report.rows_accepted + report.rows_rejected == report.rows_read
    assert len(report.rejected) == report.rows_rejected
    assert report.rows_read == records_of(lines) - 1
    assert len({line.line for line in report.rejected}) == report.rows_rejected


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300))
def test_no_bytes_whatever_end_in_anything_but_a_report_or_a_sentence(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(content)
        try:
            report = check(inspect_files([path]), KEEP)
        except DataError:
            return
        assert report.rows_accepted + report.rows_rejected == report.rows_read


@quick
@given(st.lists(st.lists(st.integers(0, 5000), max_size=30), max_size=5))
def test_numbers_get_the_positions_that_their_texts_get(blocks: list[list[int]]) -> None:
    import numpy as np
    import pyarrow as pa

    by_number, by_text = NumberCoder(), TextCoder()
    for block in blocks:
        texts = [str(number) for number in block]
        lengths = np.array([len(text) for text in texts], dtype=np.int32)
        one = by_number.code(np.array(block, dtype=np.int32), lengths)
        other = by_text.code(pa.array(texts, pa.string()))
        assert one.tolist() == other.tolist()
    assert by_number.ids() == by_text.ids()


@pytest.mark.parametrize(("number", "text"), [(7, "007"), (5, "+5"), (1, "1.0"), (-1, "-1"), (2**30, str(2**30))])
def test_a_number_written_otherwise_is_no_whole_number(number: int, text: str) -> None:
    import numpy as np

    with pytest.raises(NotWholeNumbers):
        NumberCoder().code(np.array([number], dtype=np.int32), np.array([len(text)], dtype=np.int32))
