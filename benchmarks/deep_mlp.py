"""`mlp` against popularity and a dot product on ML-1M with its tables, 20 % of each user's ratings held out."""

from benchmarks.deep import AT_RANDOM, END, METRIC, Task, above, gain_over, train
from benchmarks.table import Row

DATA = "ML-1M with tables"
MOST_SECONDS = 1200


def run() -> list[Row]:
    """Train NeuMF with MLP and with dot product, with equal settings, and evaluate both on the test data."""
    popular = train(Task(DATA, AT_RANDOM, "popular", validated=False)).per_user[END]
    layers = train(Task(DATA, AT_RANDOM, "mlp", limit=MOST_SECONDS))
    product = train(Task(DATA, AT_RANDOM, "mlp", {"score": "dot"}, limit=MOST_SECONDS))
    frames = {"popular": popular, "mlp": layers.per_user[END], "dot product": product.per_user[END]}
    words, _, _ = gain_over("dot product", frames, "mlp")
    what = f"mlp on ML-1M, 20 % of each user's ratings held out, NDCG@10; trained in {layers.seconds / 60:.1f} minutes"
    return [
        above(what, {name: frames[name] for name in ("popular", "mlp")}, "mlp", ("popular",)),
        Row(
            f"a dot product of the same size; trained in {product.seconds / 60:.1f} minutes",
            "no target",
            f"{product.mean(METRIC):.4f}; mlp {words}",
            True,
        ),
    ]
