"""`python -m recsys_core.serving.log_process FOLDER`: reads an uploaded log, or values per user, within limits.

A file that crashes or exhausts its reader only causes an error message. The process leaves the table as
`table.parquet`, and what else was read, or the error, as `answer.json`.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from recsys_core.errors import DataError, RecscopeError
from recsys_core.evaluation.off_policy.log_file import read_lists, read_log, read_values
from recsys_core.evaluation.off_policy.log_table import LogTable
from recsys_core.serving.process_limits import confine, process_limits, watch
from recsys_core.storage.processes import start_python

REQUEST, ANSWER, TABLE = "request.json", "answer.json", "table.parquet"


def log_in_process(content: bytes, name: str, columns: Mapping[str, str] | None = None) -> LogTable:
    """Read an uploaded log in a process of its own.

    Args:
        content: The bytes of the file.
        name: Its name, whose ending may tell the format.
        columns: Column by role; by default found by name.

    Raises:
        DataError: It cannot be read, a role has no column, or it needs more resources than allowed.
    """
    frame, answer = _read(content, name, "log", columns or {})
    return LogTable(frame, answer["columns"], answer["unsplit"], answer["unreadable"])


def values_in_process(content: bytes, name: str, columns: Mapping[str, str]) -> pd.DataFrame:
    """Read values per user as `read_values` does, in a process of its own.

    Raises:
        DataError: The file cannot be read, has no such column, or needs more resources than allowed.
    """
    return _read(content, name, "values", columns)[0]


def lists_in_process(content: bytes, name: str) -> dict[str, list[str]]:
    """Read lists as `read_lists` does, in a process of its own.

    Raises:
        DataError: The file cannot be read, a column is missing, or it needs more resources than allowed.
    """
    frame, _ = _read(content, name, "lists", {})
    return {str(user): list(items) for user, items in frame.groupby("user", sort=False)["item"]}


def _read(content: bytes, name: str, kind: str, columns: Mapping[str, str]) -> tuple[pd.DataFrame, dict[str, Any]]:
    with TemporaryDirectory(prefix="recscope-log-") as temporary:
        folder = Path(temporary)
        file = folder / f"upload{Path(name).suffix[:20]}"
        file.write_bytes(content)
        request = {"file": file.name, "kind": kind, "columns": dict(columns)}
        (folder / REQUEST).write_text(json.dumps(request), encoding="utf-8")
        words = watch(start_python(["-m", __name__, str(folder)]), process_limits())
        if words or not (folder / ANSWER).exists():
            raise DataError(words or f"'{name}' could not be read: its reader ended without a result.")
        answer: dict[str, Any] = json.loads((folder / ANSWER).read_text(encoding="utf-8"))
        if "error" in answer:
            raise DataError(answer["error"].replace(file.name, Path(name).name))
        return pd.read_parquet(folder / TABLE), answer


def main(folder: Path) -> None:
    """Read the file of a folder."""
    request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    path = folder / request["file"]
    answer: dict[str, Any] = {}
    try:
        if request["kind"] == "log":
            table = read_log(path, request["columns"])
            frame = table.frame
            answer = {"columns": table.columns, "unsplit": table.unsplit, "unreadable": table.unreadable}
        elif request["kind"] == "lists":
            lists = read_lists(path)
            frame = pd.DataFrame([(user, item) for user, items in lists.items() for item in items])
            frame = frame.set_axis(["user", "item"], axis=1)
        else:
            frame = read_values(path, request["columns"])
        frame.to_parquet(folder / TABLE, index=False)
    except RecscopeError as error:
        answer = {"error": str(error)}
    (folder / ANSWER).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    confine(process_limits())
    main(Path(sys.argv[1]))
