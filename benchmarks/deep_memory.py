"""The most memory that a training of each network on ML-1M has in use, in a process set up as the engine's workers."""

from benchmarks.deep import AT_RANDOM, LAST_OUT, Task, Trained, train
from benchmarks.table import Row

MOST = 3 * 2**30
EPOCHS = 2
"""Memory is at its peak when the second epoch has begun, after the first measurement on the validation part."""
MODELS = {
    "sasrec": LAST_OUT,
    "rnn": LAST_OUT,
    "cnn": LAST_OUT,
    "seq2seq": LAST_OUT,
    "interest_attention": LAST_OUT,
    "recursive": LAST_OUT,
    "mlp": AT_RANDOM,
}


def run() -> list[Row]:
    """Train each with its defaults for some epochs."""
    rows = []
    for key, split in MODELS.items():
        task = Task("ML-1M with tables", split, key, {"epochs": EPOCHS}, judged=False)
        rows.append(memory_row(task, train(task)))
    return rows


def memory_row(task: Task, trained: Trained) -> Row:
    """Return the row of a training's peak."""
    return Row(
        f"memory of a training of {task.model} on ML-1M, {len(trained.epochs)} epochs",
        "under 3 GiB",
        f"{trained.peak / 2**30:.2f} GiB",
        trained.peak < MOST,
    )
