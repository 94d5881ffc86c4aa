"""Train RecTools' SASRec on stored sequences; print the seconds of its epochs, store the top 10 items of each user.

Arguments: a file of arrays (`train_user`, `train_item`, `later_user`, `later_item`: positions, oldest first; `later`
are the validation interactions, which follow the training data), the output file of the lists, and settings as JSON:
`embedding_dim`, `n_layers`, `n_heads`, `max_length`, `dropout`, `batch_size`, `learning_rate`, `epochs`, `every`,
`seed`, `threads`.

With checkpoints after each `every` epochs (0: none), two arrays of lists are stored, (S, U, 10) for S checkpoints:
`validation`, whose history is the training data, and `test`, whose history also has the validation interactions. The
caller selects a checkpoint by the first.
"""

import json
import logging
import sys
import time
from typing import Any

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

K = 10


class Watch(Callback):  # type: ignore[misc]  # RecTools is not installed where types are checked
    """Measures the time of each epoch, and keeps the weights of checkpoints."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.seconds: list[float] = []
        self.kept: list[dict[str, torch.Tensor]] = []

    def on_train_epoch_start(self, trainer: Trainer, module: Any) -> None:
        self.started = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, module: Any) -> None:
        self.seconds.append(time.perf_counter() - self.started)
        if self.every and len(self.seconds) % self.every == 0:
            self.kept.append({name: value.clone() for name, value in module.torch_model.state_dict().items()})


def table(user: np.ndarray, item: np.ndarray) -> Dataset:
    """Return interactions in the format of RecTools; the position of a row is its timestamp."""
    moments = pd.Timestamp("2000-01-01") + pd.to_timedelta(np.arange(len(user)), unit="s")
    columns = {Columns.User: user, Columns.Item: item, Columns.Weight: 1.0, Columns.Datetime: moments}
    return Dataset.construct(pd.DataFrame(columns))


def lists_of(model: SASRecModel, history: Dataset, n_users: int) -> np.ndarray:
    """Return (U, 10) item positions, best first, -1 where there are fewer or the user has no history."""
    table = model.recommend(history.user_id_map.external_ids, history, K, filter_viewed=True)
    lists = np.full((n_users, K), -1, dtype=np.int64)
    lists[table[Columns.User], table[Columns.Rank] - 1] = table[Columns.Item]
    return lists


def main(data: str, lists: str, settings: dict[str, Any]) -> None:
    torch.set_num_threads(settings["threads"])
    seed_everything(settings["seed"], verbose=False)
    stored = np.load(data)
    train = table(stored["train_user"], stored["train_item"])
    users, items = (np.concatenate([stored[f"train_{what}"], stored[f"later_{what}"]]) for what in ("user", "item"))
    watch = Watch(settings["every"])
    model = SASRecModel(
        n_factors=settings["embedding_dim"],
        n_blocks=settings["n_layers"],
        n_heads=settings["n_heads"],
        session_max_len=settings["max_length"],
        dropout_rate=settings["dropout"],
        batch_size=settings["batch_size"],
        lr=settings["learning_rate"],
        epochs=settings["epochs"],
        loss="softmax",
        get_trainer_func=lambda: Trainer(
            max_epochs=settings["epochs"],
            min_epochs=settings["epochs"],
            accelerator="cpu",
            devices=1,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            callbacks=[watch],
        ),
    )
    model.fit(train)
    watch = next(one for one in model.fit_trainer.callbacks if isinstance(one, Watch))  # RecTools trains with a copy
    print(json.dumps({"seconds": watch.seconds}))
    if not watch.kept:
        return
    n_users = int(users.max()) + 1
    checkpoints: dict[str, list[np.ndarray]] = {"validation": [], "test": []}
    for weights in watch.kept:
        model.torch_model.load_state_dict(weights)
        checkpoints["validation"].append(lists_of(model, train, n_users))
        checkpoints["test"].append(lists_of(model, table(users, items), n_users))
    stacked: dict[str, Any] = {name: np.stack(one) for name, one in checkpoints.items()}
    np.savez(lists, **stacked)


logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
