"""How the web process and the process that answers for it talk: messages over a private pipe between the two.

Messages are pickled. That is safe here and nowhere else: both ends are made by one process, the other end is handed to
its own child alone, nothing listens on the network, and what people upload or type travels as text and numbers inside
the messages and is never unpickled itself. What the child sends may hold no object of torch: reading it would load
torch in the web process.
"""

import io
import pickle
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

FORBIDDEN = "torch"


class Kind(StrEnum):
    """What a message of the answering process holds."""

    READY = "ready"
    ALIVE = "alive"
    """It works on a question and has no progress to tell."""
    PROGRESS = "progress"
    ANSWER = "answer"
    ERROR = "error"


@dataclass(frozen=True)
class Asked:
    """A question on its way.

    Args:
        number: Tells the questions of a pipe apart.
        root: The workspace's folder.
        run_id: The experiment.
        model_id: The finished model.
        question: Its name, see `requests.QUESTIONS`.
        arguments: By name.
    """

    number: int
    root: Path
    run_id: str
    model_id: str
    question: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class GivenUp:
    """Nobody wants the answer to the question of that number any more."""

    number: int


@dataclass(frozen=True)
class Said:
    """What the answering process has to say about a question; `content` is packed and read by whoever asked."""

    number: int
    kind: Kind
    content: bytes = b""


class Line:
    """One end of the pipe. Any thread may send; one thread receives.

    Args:
        connection: The end.
    """

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, message: Asked | GivenUp | Said) -> None:
        """Send a message.

        Raises:
            OSError: The other end is gone.
        """
        with self._lock:
            self._connection.send(message)

    def receive(self, seconds: float | None = None) -> Any:
        """Return the next message; None if there is none for so long.

        Raises:
            EOFError: The other end is gone.
            OSError: Likewise.
        """
        return self._connection.recv() if self._connection.poll(seconds) else None

    def close(self) -> None:
        """Close this end."""
        self._connection.close()


def packed(value: Any) -> bytes:
    """Return a value as bytes.

    Raises:
        TypeError: It holds an object of torch, or something that cannot travel.
    """
    buffer = io.BytesIO()
    try:
        _Packer(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    except (pickle.PicklingError, AttributeError) as error:
        raise TypeError(f"an answer cannot travel: {error}") from error
    return buffer.getvalue()


def unpacked(content: bytes) -> Any:
    """Return what was packed by the other end."""
    return pickle.loads(content)  # noqa: S301 - our own child packed it, see above


class _Packer(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        """Refuse what would load torch where it is read."""
        if type(value).__module__.partition(".")[0] == FORBIDDEN:
            raise TypeError(f"an answer holds a {type(value).__name__} of torch; turn it into an array")
        return NotImplemented
