"""A data set as SQL tables: views of its Parquet files, or its frames if it is in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from recsys_core.columns import INTERACTIONS, ITEM_ID, ITEMS, SOCIAL, TITLE, USER_ID, USERS
from recsys_core.data.dataset import Dataset
from recsys_core.data.folder import StoredDataset, open_folder
from recsys_core.data.sql import file_literal, shared_cursor
from recsys_core.errors import Damaged
from recsys_core.text import _

Stored = Dataset | Path
"""A data set, or its folder."""


@contextmanager
def tables_of(
    data: Stored, within: duckdb.DuckDBPyConnection | None = None
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Dataset]]:
    """Yield a connection with the tables of a data set; users and items have a `position`, items a `title`.

    Args:
        data: The data set.
        within: Connection with limits of its own, which is closed at the end; a shared database by default.

    Raises:
        Damaged: The stored tables cannot be read, or differ from what was written.
    """
    dataset = open_folder(data) if isinstance(data, Path) else data
    with within or shared_cursor() as connection:
        if not isinstance(dataset, StoredDataset):
            _register(connection, dataset)
            yield connection, dataset
            return
        dataset.check()
        try:
            _view(connection, dataset)
            yield connection, dataset
        except (duckdb.IOException, duckdb.InvalidInputException, pa.ArrowException, OSError) as error:
            reason = str(error).splitlines()[0]
            raise Damaged(
                _("The data set '{dataset_name}' cannot be read: {reason}. Upload its files again.").format(
                    dataset_name=dataset.name, reason=reason
                )
            ) from error


def _view(connection: duckdb.DuckDBPyConnection, dataset: StoredDataset) -> None:
    for table in (INTERACTIONS, SOCIAL):
        path = dataset.folder / f"{table}.parquet"
        if path.exists():
            connection.execute(f"CREATE TEMP VIEW {table} AS SELECT * FROM read_parquet({file_literal(path)})")
    for table, id_column in ((USERS, USER_ID), (ITEMS, ITEM_ID)):
        file = f"read_parquet({file_literal(dataset.folder / f'{table}.parquet')}, file_row_number=true)"
        titled = table == ITEMS and dataset.items_have(TITLE)
        title = f"coalesce(nullif({TITLE}::VARCHAR, ''), {id_column})" if titled else id_column
        columns = f"file_row_number AS position, {id_column}, {title} AS {TITLE}"
        connection.execute(f"CREATE TEMP VIEW {table} AS SELECT {columns} FROM {file}")


def _register(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    connection.register(INTERACTIONS, dataset.interactions)
    if dataset.social is not None:
        connection.register(SOCIAL, dataset.social)
    users, items = list(dataset.user_vocabulary.ids), list(dataset.item_vocabulary.ids)
    connection.register(USERS, pd.DataFrame({"position": np.arange(len(users)), USER_ID: users}))
    titled = pd.DataFrame({"position": np.arange(len(items)), ITEM_ID: items, TITLE: dataset.titles()})
    connection.register(ITEMS, titled)
