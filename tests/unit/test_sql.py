"""The database that short queries share: each cursor has views of its own, and a fatal error ends with its query."""

from concurrent.futures import ThreadPoolExecutor

import duckdb
import pandas as pd
import pytest

from recsys_core.data import dataset_from_frames
from recsys_core.data.queries import tables_of
from recsys_core.data.sql import shared_cursor


def count_of(rows: int) -> int:
    frame = pd.DataFrame({"user": range(rows), "item": [0] * rows}).astype("int32")
    with tables_of(dataset_from_frames(frame)) as (connection, _):
        found: int = connection.execute("SELECT count(*) FROM interactions").fetchall()[0][0]
        return found


def test_cursors_at_the_same_time_see_their_own_tables() -> None:
    sizes = list(range(1, 41))
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(count_of, sizes)) == sizes


def test_an_unusable_database_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unusable:
        def cursor(self) -> "Unusable":
            return self

        def execute(self, query: str) -> None:
            raise duckdb.FatalException("database has been invalidated")

    with monkeypatch.context() as broken:
        broken.setattr("recsys_core.data.sql.connect", lambda **_: Unusable())
        shared_cursor.__globals__["_shared"].cache_clear()
        shared_cursor.__globals__["_shared"]()
    assert count_of(3) == 3
