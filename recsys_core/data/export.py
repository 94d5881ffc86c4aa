"""Stored data as CSV files, with cells that a spreadsheet would run as a formula made harmless."""

import tempfile
import zipfile
from pathlib import Path

import pyarrow.parquet as pq

from recsys_core.columns import (
    INTERACTIONS,
    ITEM,
    ITEM_ID,
    ITEMS,
    SOCIAL,
    SOURCE,
    SOURCE_ID,
    TARGET,
    TARGET_ID,
    TIMESTAMP,
    USER,
    USER_ID,
    USERS,
    WEIGHT,
)
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.data.sql import connect, file_literal, quoted_name, refusals_in_words, text_literal


def escaped(column: str) -> str:
    """Return the SQL of a text column whose cells that begin with = + - @ are preceded by a quote, unless they are
    numbers.
    """
    dangerous = f"left({column}, 1) IN ('=', '+', '-', '@', chr(9), chr(13)) AND try_cast({column} AS DOUBLE) IS NULL"
    return f"CASE WHEN {dangerous} THEN '''' || {column} ELSE {column} END"


def write_archive(folder: Path, target: Path) -> None:
    """Write the tables of a data set's folder to a zip of CSV files."""
    with (
        refusals_in_words(target.parent),
        tempfile.TemporaryDirectory(dir=target.parent, prefix="export-") as work,
        connect(Path(work)) as connection,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for table, query in _queries(folder).items():
            path = Path(work) / f"{table}.csv"
            connection.execute(f"COPY ({query}) TO {text_literal(str(path))} (FORMAT csv, HEADER true)")
            archive.write(path, f"{table}.csv")
            path.unlink()


def _queries(folder: Path) -> dict[str, str]:
    """Return the query of each table that exists."""
    files = {table: folder / f"{table}.parquet" for table in (INTERACTIONS, USERS, ITEMS, SOCIAL, "rejected")}
    read = {table: f"read_parquet({file_literal(path)}, file_row_number=true)" for table, path in files.items()}
    numbered = "SELECT *, file_row_number AS position FROM"
    users, items = f"({numbered} {read[USERS]})", f"({numbered} {read[ITEMS]})"
    shown = [escaped(f"u.{USER_ID}") + f" AS {USER_ID}", escaped(f"i.{ITEM_ID}") + f" AS {ITEM_ID}"]
    for name in pq.read_schema(files[INTERACTIONS]).names:
        if name not in {USER, ITEM}:
            shown.append(f"nullif({name}, {NO_TIMESTAMP}) AS {name}" if name == TIMESTAMP else name)
    queries = {
        INTERACTIONS: f"SELECT {', '.join(shown)} FROM {read[INTERACTIONS]} x JOIN {users} u ON u.position = x.{USER} "
        f"JOIN {items} i ON i.position = x.{ITEM} ORDER BY x.file_row_number"
    }
    for table in (USERS, ITEMS, "rejected"):
        if files[table].exists():
            columns = _all_escaped(files[table])
            queries[table] = f"SELECT {columns} FROM {read[table]} ORDER BY file_row_number"
    if files[SOCIAL].exists():
        ends = f"{escaped(f'a.{USER_ID}')} AS {SOURCE_ID}, {escaped(f'b.{USER_ID}')} AS {TARGET_ID}, {WEIGHT}"
        queries[SOCIAL] = (
            f"SELECT {ends} FROM {read[SOCIAL]} s JOIN {users} a ON a.position = s.{SOURCE} "
            f"JOIN {users} b ON b.position = s.{TARGET} ORDER BY s.file_row_number"
        )
    return queries


def _all_escaped(path: Path) -> str:
    schema = pq.read_schema(path)
    cells = []
    for field in schema:
        name = quoted_name(field.name)
        text = str(field.type) in {"string", "large_string"}
        cells.append(f"{escaped(name)} AS {name}" if text else name)
    return ", ".join(cells)
