"""Messages between the web process and its model process, over a private pipe.

Messages are pickled, which is safe here only: both ends of the pipe are created by one process, the other end is passed
to its own child alone, nothing listens on the network, and user input travels as text and numbers inside the messages
and is never unpickled itself. Responses must not contain torch objects: unpickling one would load torch in the web
process.
"""

import io
import pickle
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection as PipeEnd
from pathlib import Path
from typing import Any

FORBIDDEN = "torch"


class Kind(StrEnum):
    """Kind of a response."""

    ALIVE = "alive"
    """The process is ready for requests, or the request is being processed and has no progress to report."""
    PROGRESS = "progress"
    ANSWER = "answer"
    ERROR = "error"


@dataclass(frozen=True)
class Request:
    """A question about a trained model.

    Args:
        number: Identifies the request on this connection.
        root: The workspace's folder.
        run_id: The experiment.
        model_id: The finished model.
        question: A name in `requests.QUESTIONS`.
        arguments: Arguments by name.
    """

    number: int
    root: Path
    run_id: str
    model_id: str
    question: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Cancel:
    """Cancels the request of that number."""

    number: int


@dataclass(frozen=True)
class Response:
    """A message about a request; `content` is packed, and unpacked by the requesting thread."""

    number: int
    kind: Kind
    content: bytes = b""


class Connection:
    """One end of the pipe. Any thread may send; one thread receives.

    Args:
        pipe_end: The open end.
    """

    def __init__(self, pipe_end: "PipeEnd[Any, Any]") -> None:
        self._pipe_end = pipe_end
        self._lock = threading.Lock()

    def send(self, message: Request | Cancel | Response) -> None:
        """Send a message.

        Raises:
            OSError: The other end is closed.
        """
        with self._lock:
            self._pipe_end.send(message)

    def receive(self, seconds: float | None = None) -> Any:
        """Return the next message, or None after a timeout of `seconds`.

        Raises:
            EOFError: The other end is closed.
            OSError: Likewise.
        """
        return self._pipe_end.recv() if self._pipe_end.poll(seconds) else None

    def close(self) -> None:
        """Close this end."""
        self._pipe_end.close()


def packed(value: Any) -> bytes:
    """Return a value as bytes.

    Raises:
        TypeError: It contains a torch object or cannot be pickled.
    """
    buffer = io.BytesIO()
    try:
        _Packer(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    except (pickle.PicklingError, AttributeError) as error:
        raise TypeError(f"an answer cannot be pickled: {error}") from error
    return buffer.getvalue()


def unpacked(content: bytes) -> Any:
    """Return the value that the other end packed."""
    return pickle.loads(content)  # noqa: S301 - packed by our own child, see the module's docstring


class _Packer(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        """Reject torch objects, which would load torch in the receiving process."""
        if type(value).__module__.partition(".")[0] == FORBIDDEN:
            raise TypeError(f"an answer contains a torch {type(value).__name__}; convert it to an array")
        return NotImplemented
