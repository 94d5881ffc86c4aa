"""Sequential networks against popularity and item kNN on ML-100K."""

from typing import Any

from benchmarks.deep import END, LAST_OUT, METRIC, Task, above, train
from benchmarks.table import Row

MODELS: dict[str, dict[str, Any]] = {"rnn": {"cell": "gru"}, "cnn": {}, "seq2seq": {}, "sasrec": {}}
BASELINES = ("popular", "item_knn")
MOST_SECONDS = 1200


def run() -> list[Row]:
    """Run on ML-100K."""
    return rows_on("ML-100K")


def rows_on(data: str) -> list[Row]:
    """Train each network once with its defaults; evaluate leave-last-out with full ranking of unseen items."""
    frames = {key: train(Task(data, LAST_OUT, key, validated=False)).per_user[END] for key in BASELINES}
    rows = []
    for key, config in MODELS.items():
        trained = train(Task(data, LAST_OUT, key, config, limit=MOST_SECONDS))
        frames[key] = trained.per_user[END]
        what = (
            f"{key} on {data}, leave-last-out, NDCG@10; epoch {trained.checkpoints[END]['epoch']:.0f} of "
            f"{len(trained.epochs)}, {trained.seconds / 60:.1f} minutes"
        )
        chosen = {name: frames[name] for name in (key, *BASELINES)}
        rows.append(above(what, chosen, key, BASELINES))
        print(f"{key} on {data}: {frames[key][METRIC].mean():.4f}", flush=True)
    return rows
