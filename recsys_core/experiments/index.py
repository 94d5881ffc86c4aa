"""An SQLite index of all runs for fast listing, rebuilt from the folders if it is missing.

Each row has the `stamp` of its folder; a row with a different stamp is read again.
"""

import logging
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

logger = logging.getLogger(__name__)
SCHEMA = "CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, stamp TEXT NOT NULL, card TEXT NOT NULL)"
PUT = "INSERT INTO runs VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET stamp = excluded.stamp, card = excluded.card"
WAIT_SECONDS = 10.0


class RunIndex:
    """Cached cards of runs, by id.

    Database errors are logged as warnings and give an empty result: the folders are the source of truth.

    Args:
        path: The SQLite file; created on first write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, tuple[str, str]]:
        """Return stamp and card (JSON) of each run."""

        def rows(connection: sqlite3.Connection) -> dict[str, tuple[str, str]]:
            found = connection.execute("SELECT id, stamp, card FROM runs")
            return {str(run): (str(stamp), str(card)) for run, stamp, card in found}

        return self._with(rows) or {} if self.path.exists() else {}

    def update(self, changed: Mapping[str, tuple[str, str]], gone: frozenset[str] = frozenset()) -> None:
        """Insert or update changed cards and remove deleted ones."""

        def write(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany(PUT, [(run, stamp, card) for run, (stamp, card) in changed.items()])
                connection.executemany("DELETE FROM runs WHERE id = ?", [(run,) for run in gone])

        if changed or gone:
            self._with(write)

    def _with(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Run a function with an open connection; a damaged file is deleted."""
        connection = None
        try:
            connection = sqlite3.connect(self.path, timeout=WAIT_SECONDS)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(SCHEMA)
            return work(connection)
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR or self.path.is_dir():
                self._throw_away(error)  # not our table, or not a file
            else:
                logger.warning("The index of runs is not used this time: %s.", error)
        except sqlite3.DatabaseError as error:
            self._throw_away(error)
        finally:
            if connection is not None:
                connection.close()
        return None

    def _throw_away(self, error: sqlite3.Error) -> None:
        """Delete a damaged index; if that fails, the folders are read instead."""
        logger.warning("The index of runs is damaged (%s) and is rebuilt from the folders.", error)
        for end in ("", "-wal", "-shm"):
            path = self.path.with_name(self.path.name + end)
            try:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            except OSError as refusal:
                logger.warning("'%s' cannot be removed: %s", path, refusal)
