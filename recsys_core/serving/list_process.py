"""`python -m recsys_core.serving.list_process FOLDER`: reads and judges an uploaded list within limits.

A file that crashes or exhausts its reader only causes an error message. The process stores the result beside the
experiment and leaves the id of the list, or the error, as `answer.json`.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from recsys_core.data.workspace import Workspace
from recsys_core.errors import DataError, RecscopeError
from recsys_core.evaluation.list_file import read_list_file
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.uploaded_lists import add_list
from recsys_core.serving.process_limits import confine, process_limits, watch
from recsys_core.storage.checksums import file_sum
from recsys_core.storage.processes import start_python

REQUEST, ANSWER = "request.json", "answer.json"


def judge_in_process(content: bytes, file: str, name: str, root: Path, run_id: str) -> str:
    """Read and judge an uploaded list in a process of its own; return its id.

    Args:
        content: The bytes of the file.
        file: Name of the file, whose ending may tell the format.
        name: Name of the list in the leaderboard.
        root: The workspace.
        run_id: The experiment.

    Raises:
        DataError: It cannot be read or judged, or needs more resources than allowed.
    """
    with TemporaryDirectory(prefix="recscope-list-") as temporary:
        folder = Path(temporary)
        path = folder / f"upload{Path(file).suffix[:20]}"
        path.write_bytes(content)
        request = {"path": path.name, "file": Path(file).name, "name": name, "root": str(root), "run": run_id}
        (folder / REQUEST).write_text(json.dumps(request), encoding="utf-8")
        words = watch(start_python(["-m", __name__, str(folder)]), process_limits())
        if words or not (folder / ANSWER).exists():
            raise DataError(words or f"'{Path(file).name}' could not be read: its reader ended without a result.")
        answer: dict[str, str] = json.loads((folder / ANSWER).read_text(encoding="utf-8"))
    if "error" in answer:
        raise DataError(answer["error"].replace(path.name, Path(file).name))
    return answer["id"]


def main(folder: Path) -> None:
    """Read and judge the file of a folder."""
    request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    path, root = folder / request["path"], Path(request["root"])
    try:
        table = read_list_file(path)
        run = ResultStore(root).open(request["run"])
        found = add_list(
            run,
            table,
            name=request["name"],
            file=request["file"],
            sha256=file_sum(path).sha256,
            workspace=Workspace(root),
        )
        answer = {"id": found}
    except RecscopeError as error:
        answer = {"error": str(error)}
    (folder / ANSWER).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    confine(process_limits())
    main(Path(sys.argv[1]))
