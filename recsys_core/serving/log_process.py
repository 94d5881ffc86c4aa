"""`python -m recsys_core.serving.log_process FOLDER`: reads an uploaded log in a process with limits.

A file that crashes or exhausts its reader only causes an error message. The process leaves the table as `log.parquet`,
and what else was read, or the error, as `answer.json`.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from recsys_core.errors import DataError, RecscopeError
from recsys_core.evaluation.off_policy.log_file import read_log
from recsys_core.evaluation.off_policy.log_table import LogTable
from recsys_core.serving.process_limits import confine, process_limits, watch
from recsys_core.storage.processes import start_python

REQUEST, ANSWER, TABLE = "request.json", "answer.json", "log.parquet"


def read_in_process(content: bytes, name: str, columns: Mapping[str, str] | None = None) -> LogTable:
    """Read an uploaded log in a process of its own.

    Args:
        content: The bytes of the file.
        name: Its name, whose ending may tell the format.
        columns: Column by role; by default found by name.

    Raises:
        DataError: It cannot be read, a role has no column, or it needs more resources than allowed.
    """
    with TemporaryDirectory(prefix="recscope-log-") as temporary:
        folder = Path(temporary)
        file = folder / f"upload{Path(name).suffix[:20]}"
        file.write_bytes(content)
        request = {"file": file.name, "columns": dict(columns or {})}
        (folder / REQUEST).write_text(json.dumps(request), encoding="utf-8")
        words = watch(start_python(["-m", __name__, str(folder)]), process_limits())
        if words or not (folder / ANSWER).exists():
            raise DataError(words or "The log could not be read: its reader ended without a result.")
        answer = json.loads((folder / ANSWER).read_text(encoding="utf-8"))
        if "error" in answer:
            raise DataError(answer["error"].replace(file.name, Path(name).name))
        frame = pd.read_parquet(folder / TABLE)
    return LogTable(frame, answer["columns"], answer["unsplit"], answer["unreadable"])


def main(folder: Path) -> None:
    """Read the log of a folder."""
    request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    try:
        table = read_log(folder / request["file"], request["columns"])
        table.frame.to_parquet(folder / TABLE, index=False)
        answer = {"columns": table.columns, "unsplit": table.unsplit, "unreadable": table.unreadable}
    except RecscopeError as error:
        answer = {"error": str(error)}
    (folder / ANSWER).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    confine(process_limits())
    main(Path(sys.argv[1]))
