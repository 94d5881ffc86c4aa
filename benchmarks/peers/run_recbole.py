"""Train RecBole's MultiVAE or LightGCN on stored interactions; print the seconds of its epochs.

Arguments: a file of arrays (`user`, `item`: positions of the training interactions), and settings as JSON: `model`
(RecBole's name), `epochs`, and RecBole's own settings, in `settings`.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

K = 10


def main(data: str, settings: str) -> None:
    """Train for some epochs without evaluation, as RecBole's trainer does, and print the seconds of each."""
    asked = json.loads(settings)
    arrays = np.load(data)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        home = Path(folder) / "data" / "ml"
        home.mkdir(parents=True)
        rows = np.column_stack([arrays["user"], arrays["item"]])
        np.savetxt(home / "ml.inter", rows, fmt="%d", delimiter="\t", header="u:token\ti:token", comments="")
        from recbole.config import Config
        from recbole.data import create_dataset, data_preparation
        from recbole.utils import get_model, get_trainer, init_seed

        fixed = {
            "data_path": str(home.parent),
            "USER_ID_FIELD": "u",
            "ITEM_ID_FIELD": "i",
            "load_col": {"inter": ["u", "i"]},
            "use_gpu": False,
            "epochs": asked["epochs"],
            "show_progress": False,
            "state": "ERROR",
            "eval_args": {"split": {"RS": [1.0, 0.0, 0.0]}, "group_by": "user", "order": "RO", "mode": "full"},
        }
        sys.argv = sys.argv[:1]  # RecBole reads settings from the command line, too
        config = Config(model=asked["model"], dataset="ml", config_dict=fixed | asked["settings"])
        init_seed(config["seed"], config["reproducibility"])
        dataset = create_dataset(config)
        train, _, _ = data_preparation(config, dataset)
        model = get_model(config["model"])(config, train.dataset)
        trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
        seconds, losses = [], []
        for epoch in range(asked["epochs"]):
            started = time.perf_counter()
            losses.append(float(trainer._train_epoch(train, epoch)))
            seconds.append(time.perf_counter() - started)
    print(json.dumps({"seconds": seconds, "loss": losses, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
