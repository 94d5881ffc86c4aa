"""Export stored data as CSV for spreadsheets; cells and column names that could run as formulas are escaped."""

import tempfile
import zipfile
from pathlib import Path

import pyarrow as pa
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
from recsys_core.data.spreadsheet_cells import escaped_cell, escaped_sql
from recsys_core.data.sql import connect, file_literal, quoted_name, refusals_in_words, text_literal


def write_archive(folder: Path, target: Path) -> None:
    """Write the tables of a data set folder to a zip of CSV files."""
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
    """Return the query of each existing table."""
    files = {table: folder / f"{table}.parquet" for table in (INTERACTIONS, USERS, ITEMS, SOCIAL, "rejected")}
    read = {table: f"read_parquet({file_literal(path)}, file_row_number=true)" for table, path in files.items()}
    numbered = "SELECT *, file_row_number AS position FROM"
    users, items = f"({numbered} {read[USERS]})", f"({numbered} {read[ITEMS]})"
    shown = [f"{escaped_sql(f'u.{USER_ID}')} AS {USER_ID}", f"{escaped_sql(f'i.{ITEM_ID}')} AS {ITEM_ID}"]
    for field in pq.read_schema(files[INTERACTIONS]):
        if field.name == TIMESTAMP:
            shown.append(f"nullif({TIMESTAMP}, {NO_TIMESTAMP}) AS {TIMESTAMP}")
        elif field.name not in {USER, ITEM}:
            shown.append(_escaped_field(field, "x."))
    queries = {
        INTERACTIONS: f"SELECT {', '.join(shown)} FROM {read[INTERACTIONS]} x JOIN {users} u ON u.position = x.{USER} "
        f"JOIN {items} i ON i.position = x.{ITEM} ORDER BY x.file_row_number"
    }
    for table in (USERS, ITEMS, "rejected"):
        if files[table].exists():
            columns = ", ".join(_escaped_field(field) for field in pq.read_schema(files[table]))
            queries[table] = f"SELECT {columns} FROM {read[table]} ORDER BY file_row_number"
    if files[SOCIAL].exists():
        ends = f"{escaped_sql(f'a.{USER_ID}')} AS {SOURCE_ID}, {escaped_sql(f'b.{USER_ID}')} AS {TARGET_ID}, {WEIGHT}"
        queries[SOCIAL] = (
            f"SELECT {ends} FROM {read[SOCIAL]} s JOIN {users} a ON a.position = s.{SOURCE} "
            f"JOIN {users} b ON b.position = s.{TARGET} ORDER BY s.file_row_number"
        )
    return queries


def _escaped_field(field: pa.Field, table: str = "") -> str:
    """Return the SQL of a column with an escaped name and, for plain or categorical text, escaped cells."""
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    cell = f"{table}{quoted_name(field.name)}"
    return f"{escaped_sql(cell) if text else cell} AS {quoted_name(escaped_cell(field.name))}"
