"""The networks that read a history in order, on ML-100K: each above popularity and above the neighbours of items."""

from typing import Any

from benchmarks.deep import END, LAST_OUT, METRIC, Task, above, train
from benchmarks.table import Row

MODELS: dict[str, dict[str, Any]] = {"rnn": {"cell": "gru"}, "cnn": {}, "seq2seq": {}, "sasrec": {}}
BASELINES = ("popular", "item_knn")
MOST_SECONDS = 1200


def run() -> list[Row]:
    """Measure on the small data."""
    return rows_on("ML-100K")


def rows_on(data: str) -> list[Row]:
    """Train all with their defaults, each once; the last item of each user is to be found among all unseen ones."""
    frames = {key: train(Task(data, LAST_OUT, key, validated=False)).judged[END] for key in BASELINES}
    rows = []
    for key, config in MODELS.items():
        trained = train(Task(data, LAST_OUT, key, config, limit=MOST_SECONDS))
        frames[key] = trained.judged[END]
        what = (
            f"{key} on {data}, last item of each user, NDCG@10; epoch {trained.looks[END]['epoch']:.0f} of "
            f"{len(trained.epochs)}, {trained.seconds / 60:.1f} minutes"
        )
        chosen = {name: frames[name] for name in (key, *BASELINES)}
        rows.append(above(what, chosen, key, BASELINES))
        print(f"{key} on {data}: {frames[key][METRIC].mean():.4f}", flush=True)
    return rows
