"""`sasrec` on the ML-1M file used in the literature: quality after ten minutes and at the end, and peak memory.

Protocol of Klenitskiy and Vasilev 2023 ("Turning Dross Into Gold Loss", whose published code sets `filter_seen`):
leave-last-out with full ranking of all unseen items. The last item of each user is for testing, the one before it for
validation; at test time the validation item is part of the history, but the model is not trained on it. No user has an
item twice in this file, so ranking seen items too can only lower the test item's rank; those metrics are also reported.
"""

from benchmarks.deep import END, LAST_OUT, METRIC, SASREC_FILE, Task, Trained, train
from benchmarks.deep_memory import memory_row
from benchmarks.table import Row

FIRST_MARK, MOST_SECONDS = 600, 2400
SKETCH = {"hit_rate@10": 0.306, METRIC: 0.175}
PUBLISHED = {"hit_rate@10": 0.3152, METRIC: 0.1821}


def run() -> list[Row]:
    """Train once with the default settings, which were tuned on the validation data."""
    task = Task(SASREC_FILE, LAST_OUT, "sasrec", marks=(FIRST_MARK,), limit=MOST_SECONDS)
    trained = train(task)
    return [
        _row(trained, str(FIRST_MARK), "within 10 minutes", SKETCH, 3),
        _row(trained, END, "within 40 minutes", PUBLISHED, 4),
        memory_row(task, trained),
    ]


def _row(trained: Trained, mark: str, when: str, target: dict[str, float], digits: int) -> Row:
    """Return the row of a checkpoint; values are rounded to the digits of the target before the comparison."""
    what = f"sasrec on ML-1M, leave-last-out, HR@10 and NDCG@10 of the best checkpoint on validation {when}"
    aim = " and ".join(f"{value}" for value in target.values())
    if mark not in trained.checkpoints:
        return Row(what, aim, "the first epoch had not finished by then", False)
    means = {metric: trained.mean(metric, mark) for metric in target}
    checkpoint = trained.checkpoints[mark]
    epoch = sorted(trained.epochs)[len(trained.epochs) // 2]
    return Row(
        what,
        aim,
        f"{means['hit_rate@10']:.4f} and {means[METRIC]:.4f} (epoch {checkpoint['epoch']:.0f}, after "
        f"{checkpoint['seconds'] / 60:.1f} minutes; training took {trained.seconds / 60:.1f}, an epoch {epoch:.1f} s; "
        f"with seen items as candidates {checkpoint['hit_rate@10_with_seen']:.4f} and "
        f"{checkpoint[f'{METRIC}_with_seen']:.4f})",
        all(round(means[metric], digits) >= value for metric, value in target.items()),
    )
