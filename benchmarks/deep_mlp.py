"""`mlp` on ML-1M with its tables, a fifth of each user's ratings hidden: above popularity, beside the dot product."""

from benchmarks.deep import AT_RANDOM, END, METRIC, Task, above, gain_over, train
from benchmarks.table import Row

DATA = "ML-1M with tables"
MOST_SECONDS = 1200


def run() -> list[Row]:
    """Train both forms with equal settings, and let them find the hidden items."""
    popular = train(Task(DATA, AT_RANDOM, "popular", validated=False)).judged[END]
    layers = train(Task(DATA, AT_RANDOM, "mlp", limit=MOST_SECONDS))
    product = train(Task(DATA, AT_RANDOM, "mlp", {"score": "dot"}, limit=MOST_SECONDS))
    frames = {"popular": popular, "mlp": layers.judged[END], "dot product": product.judged[END]}
    words, _, _ = gain_over("dot product", frames, "mlp")
    what = f"mlp on ML-1M, a fifth of each user's ratings, NDCG@10; trained in {layers.seconds / 60:.1f} minutes"
    return [
        above(what, {name: frames[name] for name in ("popular", "mlp")}, "mlp", ("popular",)),
        Row(
            f"the dot product of the same size beside it; trained in {product.seconds / 60:.1f} minutes",
            "reported, whichever way",
            f"{product.mean(METRIC):.4f}; mlp {words}",
            True,
        ),
    ]
