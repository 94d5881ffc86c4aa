"""Train RecTools' SASRec on stored sequences; print the seconds of its epochs, store the ten best items of everybody.

Arguments: a file of arrays (`train_user`, `train_item`, `later_user`, `later_item`: positions, oldest first; `later` is
what was done after the training part), the file that the lists go to, and settings as JSON: `width`, `blocks`, `heads`,
`window`, `dropout`, `batch_size`, `learning_rate`, `epochs`, `every`, `seed`, `threads`.

After each `every` epochs (0: never) two arrays of lists are made, (S, U, 10) for S looks: `validation`, asked with the
training part as history, and `test`, asked with the later part behind it. Which look counts is for the caller to
choose, by the first.
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
    """Takes the time of each epoch, and keeps the weights after some."""

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
    """Return interactions as RecTools wants them; a row's place in the arrays is its time."""
    moments = pd.Timestamp("2000-01-01") + pd.to_timedelta(np.arange(len(user)), unit="s")
    columns = {Columns.User: user, Columns.Item: item, Columns.Weight: 1.0, Columns.Datetime: moments}
    return Dataset.construct(pd.DataFrame(columns))


def lists_of(model: SASRecModel, history: Dataset, n_users: int) -> np.ndarray:
    """Return (U, 10) item positions, best first, -1 where there are fewer or the user has no history."""
    found = model.recommend(history.user_id_map.external_ids, history, K, filter_viewed=True)
    lists = np.full((n_users, K), -1, dtype=np.int64)
    lists[found[Columns.User], found[Columns.Rank] - 1] = found[Columns.Item]
    return lists


def main(data: str, lists: str, settings: dict[str, Any]) -> None:
    torch.set_num_threads(settings["threads"])
    seed_everything(settings["seed"], verbose=False)
    stored = np.load(data)
    train = table(stored["train_user"], stored["train_item"])
    users, items = (np.concatenate([stored[f"train_{what}"], stored[f"later_{what}"]]) for what in ("user", "item"))
    watch = Watch(settings["every"])
    model = SASRecModel(
        n_factors=settings["width"],
        n_blocks=settings["blocks"],
        n_heads=settings["heads"],
        session_max_len=settings["window"],
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
    looks: dict[str, list[np.ndarray]] = {"validation": [], "test": []}
    for weights in watch.kept:
        model.torch_model.load_state_dict(weights)
        looks["validation"].append(lists_of(model, train, n_users))
        looks["test"].append(lists_of(model, table(users, items), n_users))
    stacked: dict[str, Any] = {name: np.stack(found) for name, found in looks.items()}
    np.savez(lists, **stacked)


logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
