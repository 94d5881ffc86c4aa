"""Regenerate the bundled attention examples: `python -m data.samples.attention [MODEL ...]` (or `make example`).

Each model is trained on the tiny sample, and its traces for a few users are written as JSON. The same seed on the same
machine gives the same file. With model keys as arguments only these examples are regenerated.

The users shown are among the thirty training users, with small models and many epochs, so that patterns are visible:
the examples teach how to read the figures and do not represent a good recommender. Next-item hits are computed from the
trace where it is shown.
"""

import logging
import sys
from typing import Any

import numpy as np

from recsys_core.contracts import QueryBatch, Ragged, RunContext, TracesAttention
from recsys_core.data.dataset import Dataset
from recsys_core.data.labels import titles_of
from recsys_core.data.synthetic.samples import load_sample
from recsys_core.explain.attention import Attended, attended
from recsys_core.explain.attention_effects import Beside, beside
from recsys_core.explain.attention_file import Example, write_example
from recsys_core.explain.deletion import deletion_effects
from recsys_core.models.base import Recommender
from recsys_core.models.registry import model_class

logger = logging.getLogger(__name__)
SAMPLE, SEED, N_USERS, LENGTH = "tiny", 42, 3, 10
SMALL = {"embedding_dim": 32, "max_length": 20, "patience": 0, "learning_rate": 0.003, "batch_size": 16}
SETTINGS: dict[str, dict[str, Any]] = {
    "sasrec": SMALL | {"epochs": 80},
    "seq2seq": SMALL | {"epochs": 240, "share": 1.0, "dropout": 0.1, "decoding": "beam", "beam_width": 3},
    "interest_attention": SMALL | {"epochs": 80, "points": 3, "local_steps": 2, "memory": 20},
}
"""Model -> non-default settings for a data set of thirty users."""


def make(key: str) -> Example:
    """Train a model on the tiny sample and trace the users whose history length is closest to `LENGTH`."""
    dataset = load_sample(SAMPLE)
    kind = model_class(key)
    model = kind(kind.config_type(**SETTINGS[key]))
    model.fit(dataset, RunContext(seed=SEED))
    if not isinstance(model, TracesAttention):
        raise TypeError(f"{key} does not trace attention")
    users = np.argsort(np.abs(dataset.histories().lengths - LENGTH), kind="stable")[:N_USERS]
    ids = dataset.user_vocabulary.ids
    traces, influence = {}, {}
    for user in users:
        user_query = query(dataset, int(user))
        traces[ids[user]] = attended(model.trace(user_query), dataset)
        influence[ids[user]] = _beside(model, dataset, user_query, traces[ids[user]])
    facts = {"seed": SEED, "settings": model.config.model_dump(mode="json")}
    return Example(key, model.info.title, dataset.name, traces, facts, influence)


def query(dataset: Dataset, user: int) -> QueryBatch:
    """Return the query of one user with the full history."""
    history = Ragged.from_rows([dataset.histories()[user]])
    return QueryBatch(np.array([user]), history, np.ones(len(history.values), dtype=np.float32))


def _beside(model: Recommender[Any], dataset: Dataset, user_query: QueryBatch, attended: Attended) -> Beside:
    """Return attention and influence (leave-one-out effects) for the top recommended item."""
    first = model.recommend(user_query, 1).item[0]
    return beside(attended, deletion_effects(model, user_query, int(first[0])), titles_of(dataset, first)[0])


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for one in sys.argv[1:] or SETTINGS:
        logger.info("%s", write_example(make(one)))
