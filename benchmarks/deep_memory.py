"""Peak memory of training each network on ML-1M, in a process with the environment of an engine worker."""

from benchmarks.deep import AT_RANDOM, LAST_OUT, Task, Trained, train
from benchmarks.table import Row

MOST = 3 * 2**30
EPOCHS = 2
"""Memory peaks in the second epoch, after the first validation."""
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
    """Train each network with its default settings for `EPOCHS` epochs."""
    rows = []
    for key, split in MODELS.items():
        task = Task("ML-1M with tables", split, key, {"epochs": EPOCHS}, tested=False)
        rows.append(memory_row(task, train(task)))
    return rows


def memory_row(task: Task, trained: Trained) -> Row:
    """Return the row of the peak memory of a training run."""
    return Row(
        f"peak memory of training {task.model} on ML-1M, {len(trained.epochs)} epochs",
        "under 3 GiB",
        f"{trained.peak / 2**30:.2f} GiB",
        trained.peak < MOST,
    )
