"""Making the first click fast: load libraries and compile loops before anybody needs them.

`python -m recsys_core.engine.warmup` compiles everything once, for instance when an image is built.
"""

import logging
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.columns import CATEGORIES, ITEM, RATING, SOURCE, TARGET, TIMESTAMP, TITLE, USER, WEIGHT
from recsys_core.contracts import RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.splits import SplitSpec, make_splits
from recsys_core.errors import RecscopeError
from recsys_core.evaluation.evaluate import evaluate
from recsys_core.experiments.resources import limited_threads
from recsys_core.models.registry import MODELS, make_model, model_class

logger = logging.getLogger(__name__)
USERS, ITEMS, ROWS = 30, 40, 400
EPOCHS = "epochs"


def warm_up_model(key: str) -> None:
    """Train and judge an algorithm on a few made-up interactions; one that cannot is left for the real job to say.

    A network goes through them once: what takes its time is loading torch, and a second pass loads nothing more.
    """
    ctx = RunContext(seed=0)
    split = make_splits(_made_up(), SplitSpec(), seed=0)[0]
    try:
        with limited_threads(1):
            model = make_model(key, _briefly(key))
            model.fit(split.train, ctx)
            evaluate(model, split, cutoffs=(1, 5), ctx=ctx)
    except RecscopeError as error:
        logger.info("Warming up '%s' ended early: %s", key, error)


def _briefly(key: str) -> dict[str, Any]:
    """Return the settings with which a network is trained for one epoch; nothing for other algorithms."""
    found = model_class(key)
    return {EPOCHS: 1} if found.info.runtime == "torch" and EPOCHS in found.config_type.model_fields else {}


def _made_up() -> Dataset:
    """Return a data set of a few users with ratings and times, attributes and links."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            USER: rng.integers(0, USERS, ROWS, dtype=np.int32),
            ITEM: rng.integers(0, ITEMS, ROWS, dtype=np.int32),
            RATING: rng.integers(1, 6, ROWS).astype(np.float32),
            TIMESTAMP: np.arange(ROWS, dtype=np.int64) * 1000,
        }
    ).drop_duplicates([USER, ITEM], ignore_index=True)
    people, things = np.arange(USERS), np.arange(ITEMS)
    users = pd.DataFrame({"age": 20.0 + people, "sex": np.where(people % 2, "f", "m")})
    items = pd.DataFrame({TITLE: [f"film {item}" for item in things], CATEGORIES: np.where(things % 3, "A|B", "B")})
    social = pd.DataFrame({SOURCE: people, TARGET: (people + 1) % USERS, WEIGHT: 1.0})
    return dataset_from_frames(frame, name="warm-up", users=users, items=items, social=social)


if __name__ == "__main__":
    for name in MODELS:
        warm_up_model(name)
