"""The model server with requests that misbehave in one known way each."""

import os
import signal
import time
from pathlib import Path

from recsys_core.contracts import QueryBatch, RunContext
from recsys_core.serving.requests import QUESTIONS, Priority, Question, Trained


def dawdle(trained: Trained, ctx: RunContext, *, steps: int, seconds: float = 0.05) -> int:
    """Take several steps and report them."""
    for _ in ctx.track(range(steps), stage="dawdle"):
        time.sleep(seconds)
    return os.getpid()


def stand(trained: Trained, ctx: RunContext, *, folder: str) -> int:
    """Report the process id at the gate, a file called `open`, and wait there."""
    (Path(folder) / str(os.getpid())).touch()
    while not (Path(folder) / "open").exists():
        ctx.note("stand", 0, 1)
        time.sleep(0.02)
    return os.getpid()


def crash(trained: Trained, ctx: RunContext) -> None:
    """End as by a segmentation fault."""
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(600)


def be_deaf(trained: Trained, ctx: RunContext) -> None:
    """Never respond."""
    time.sleep(600)


def fail(trained: Trained, ctx: RunContext) -> None:
    """Raise a programming error."""
    raise ZeroDivisionError("a test divides by zero")


def tensor(trained: Trained, ctx: RunContext, *, query: QueryBatch | None = None) -> object:
    """Respond with an object that would load torch when unpickled."""
    import torch

    return {"deep": [torch.zeros(2)]}


ODD_QUESTIONS = {
    "dawdle": Question(dawdle, priority=Priority.BATCH),
    "linger": Question(dawdle, priority=Priority.USER),
    "stand": Question(stand, priority=Priority.BATCH),
    "crash": Question(crash),
    "be_deaf": Question(be_deaf),
    "fail": Question(fail),
    "tensor": Question(tensor),
}

if __name__ == "__main__":
    from recsys_core.serving.model_process import main

    QUESTIONS.update(ODD_QUESTIONS)
    main()
