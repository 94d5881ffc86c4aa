"""`python -m recsys_core.serving.card_process CARD WORKSPACE ANSWER`: opens a run card in a process with limits.

A card that crashes or exhausts its reader only causes an error message.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from recsys_core.errors import DataError, RecscopeError
from recsys_core.experiments.card_reader import open_card
from recsys_core.experiments.store import ResultStore
from recsys_core.serving.process_limits import confine, process_limits, watch
from recsys_core.storage.processes import start_python


def open_in_process(content: bytes, root: Path) -> str:
    """Open a run card in a process of its own, and return the id of its experiment.

    Args:
        content: The bytes of the card.
        root: The workspace.

    Raises:
        DataError: It is not a run card, was changed, or needs more resources than allowed.
    """
    with TemporaryDirectory(prefix="recscope-card-") as folder:
        card, answer = Path(folder) / "card.zip", Path(folder) / "answer.json"
        card.write_bytes(content)
        process = start_python(["-m", __name__, str(card), str(root), str(answer)])
        words = watch(process, process_limits())
        if words or not answer.exists():
            raise DataError(words or "The run card could not be opened: its reader ended without a result.")
        found: dict[str, str] = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in found:
        raise DataError(found["error"])
    return found["run"]


def main(card: Path, root: Path, answer: Path) -> None:
    """Open a card and write the id of its experiment or the error as JSON."""
    try:
        found = {"run": open_card(card, ResultStore(root)).id}
    except RecscopeError as error:
        found = {"error": str(error)}
    answer.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    confine(process_limits())
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
