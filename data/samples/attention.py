"""Makes the finished examples of attention again: `python -m data.samples.attention` (or `make example`).

Each model is trained on the tiny sample here and now, and its traces for a few people are written as JSON. The same
seed on the same machine gives the same file. Names of algorithms behind the command remake only these.

The people shown are among the thirty that the model was trained with, with small settings and many epochs, so that
there is something to see: a lesson in how to read the pictures, not a good recommender. How often it expected what came
next is read off the trace where it is shown.
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
SAMPLE, SEED, PEOPLE, LENGTH = "tiny", 42, 3, 10
SMALL = {"width": 32, "window": 20, "patience": 0, "learning_rate": 0.003, "batch_size": 16}
SETTINGS: dict[str, dict[str, Any]] = {
    "sasrec": SMALL | {"epochs": 80},
    "seq2seq": SMALL | {"epochs": 240, "share": 1.0, "dropout": 0.1, "decoding": "beam", "beam_width": 3},
    "interest_attention": SMALL | {"epochs": 80, "points": 3, "local_steps": 2, "memory": 20},
}
"""Algorithm -> what differs from its defaults, so that it suits thirty people."""


def make(key: str) -> Example:
    """Train one algorithm on the tiny sample and trace the people whose histories are about `LENGTH` items long."""
    dataset = load_sample(SAMPLE)
    kind = model_class(key)
    model = kind(kind.config_type(**SETTINGS[key]))
    model.fit(dataset, RunContext(seed=SEED))
    if not isinstance(model, TracesAttention):
        raise TypeError(f"{key} traces no attention")
    users = np.argsort(np.abs(dataset.histories().lengths - LENGTH), kind="stable")[:PEOPLE]
    ids = dataset.user_vocabulary.ids
    people, influence = {}, {}
    for user in users:
        asked = query(dataset, int(user))
        people[ids[user]] = attended(model.trace(asked), dataset)
        influence[ids[user]] = _beside(model, dataset, asked, people[ids[user]])
    facts = {"seed": SEED, "settings": model.config.model_dump(mode="json")}
    return Example(key, model.info.title, dataset.name, people, facts, influence)


def query(dataset: Dataset, user: int) -> QueryBatch:
    """Return one person with their whole history."""
    history = Ragged.from_rows([dataset.histories()[user]])
    return QueryBatch(np.array([user]), history, np.ones(len(history.values), dtype=np.float32))


def _beside(model: Recommender[Any], dataset: Dataset, asked: QueryBatch, found: Attended) -> Beside:
    """Return attention beside influence for the item that the model puts first."""
    first = model.recommend(asked, 1).item[0]
    return beside(found, deletion_effects(model, asked, int(first[0])), titles_of(dataset, first)[0])


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for one in sys.argv[1:] or SETTINGS:
        logger.info("%s", write_example(make(one)))
