"""`sasrec` on the file of ML-1M that the papers use: quality after ten minutes and at the end, and its memory.

Protocol of Klenitskiy and Vasilev 2023 ("Turning Dross Into Gold Loss", whose published code is set to `filter_seen`):
the last item of each user is the test part, the one before it the validation part, which is in the history when the
test is asked for and is not trained on; all items that the user has not seen are ranked, none is sampled. Nobody has
an item twice in this file, so ranking the seen ones too can only push the right one down; those numbers stand beside.
"""

from benchmarks.deep import END, LAST_OUT, METRIC, SASREC_FILE, Task, Trained, train
from benchmarks.deep_memory import memory_row
from benchmarks.table import Row

FIRST_MARK, MOST_SECONDS = 600, 2400
SKETCH = {"hit_rate@10": 0.306, METRIC: 0.175}
PUBLISHED = {"hit_rate@10": 0.3152, METRIC: 0.1821}


def run() -> list[Row]:
    """Train once with the default settings, which were chosen on the validation part."""
    task = Task(SASREC_FILE, LAST_OUT, "sasrec", marks=(FIRST_MARK,), limit=MOST_SECONDS)
    trained = train(task)
    return [
        _row(trained, str(FIRST_MARK), "within 10 minutes", SKETCH, 3),
        _row(trained, END, "within 40 minutes", PUBLISHED, 4),
        memory_row(task, trained),
    ]


def _row(trained: Trained, mark: str, when: str, target: dict[str, float], digits: int) -> Row:
    """Return the row of a mark; numbers are compared with as many digits as the target has."""
    what = f"sasrec on ML-1M, last item of each user, HR@10 and NDCG@10 of the state best on validation {when}"
    aim = " and ".join(f"{value}" for value in target.values())
    if mark not in trained.looks:
        return Row(what, aim, "the first epoch was not over by then", False)
    found = {metric: trained.mean(metric, mark) for metric in target}
    look = trained.looks[mark]
    epoch = sorted(trained.epochs)[len(trained.epochs) // 2]
    return Row(
        what,
        aim,
        f"{found['hit_rate@10']:.4f} and {found[METRIC]:.4f} (epoch {look['epoch']:.0f}, after "
        f"{look['seconds'] / 60:.1f} minutes; training took {trained.seconds / 60:.1f}, an epoch {epoch:.1f} s; "
        f"with seen items as candidates {look['hit_rate@10_with_seen']:.4f} and {look[f'{METRIC}_with_seen']:.4f})",
        all(round(found[metric], digits) >= value for metric, value in target.items()),
    )
