"""Truth mode for a finished experiment on the bundled shop, and its stored lists as target policies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.columns import FOLD, ITEM, RANK, USER
from recsys_core.contracts import PAD, IntArray
from recsys_core.data.dataset import Dataset
from recsys_core.data.synthetic.samples import TRUTH, load_sample, sample_folder
from recsys_core.data.synthetic.shop_log import sample_log
from recsys_core.data.synthetic.shop_truth import Reward, ShopTruth
from recsys_core.errors import DataError
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.evaluation.off_policy.estimators import CLIP
from recsys_core.evaluation.off_policy.policy import PolicyKind
from recsys_core.evaluation.off_policy.truth import POLICY, TruthTable, truth_sentences, truth_table
from recsys_core.experiments.analysis import compare_run
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.leaderboard import model_titles
from recsys_core.text import Sentence, _

SHOP = "shop"
OFFLINE = "offline"


@dataclass(frozen=True, eq=False)
class RunTruth:
    """Models of an experiment on the shop, and strategies, with offline metric, estimates and true values.

    Args:
        table: The rows of `TruthTable.table` with `offline`, `offline_low` and `offline_high`; NaN for strategies and
            references.
        metric: The primary metric of the experiment.
        result: Counts of the simulated log.
        sentences: What the table shows.
    """

    table: pd.DataFrame
    metric: str
    result: TruthTable
    sentences: tuple[Sentence, ...]


def is_shop(fingerprint: str) -> bool:
    """Return whether a data set is the bundled shop, whose true behavior is known."""
    return fingerprint == load_sample(SHOP).fingerprint


def shop_truth() -> ShopTruth:
    """Return the true behavior of the bundled shop.

    Raises:
        DataError: Its file is missing or damaged.
    """
    return ShopTruth.load(sample_folder(SHOP) / TRUTH)


def stored_policy(run: Run, model_id: str) -> tuple[IntArray, IntArray]:
    """Return the test users (B,) of a model's first fold, and their stored lists (B, K), padded with `PAD`.

    Raises:
        DataError: No list is stored.
        StoreError: The model has not finished.
    """
    rows = run.lists(model_id)
    rows = rows[rows[FOLD] == rows[FOLD].min()]
    if not len(rows):
        raise DataError(_("'{model_id}' has no stored list.").format(model_id=model_id))
    users, place = np.unique(rows[USER].to_numpy(), return_inverse=True)
    items = np.full((len(users), int(rows[RANK].max())), PAD, dtype=np.int64)
    items[place, rows[RANK].to_numpy() - 1] = rows[ITEM].to_numpy()
    return users.astype(np.int64), items


def example_log(visitors: int = 1500, seed: int = 7) -> pd.DataFrame:
    """Return a log of the bundled shop as one would upload it: identifiers, propensities, clicks and purchases."""
    data = load_sample(SHOP)
    log = sample_log(shop_truth(), visitors, np.random.default_rng(seed))
    users, items = np.array(data.user_vocabulary.ids), np.array(data.item_vocabulary.ids)
    return pd.DataFrame(
        {
            "user_id": users[log[USER]],
            "impression_id": log["impression"],
            "position": log["position"],
            "item_id": items[log[ITEM]],
            "propensity": log["propensity"].round(8),
            "click": log["click"],
            "purchase": log["purchase"],
        }
    )


def lists_of_identifiers(users: IntArray, items: IntArray, data: Dataset) -> tuple[list[str], list[list[str]]]:
    """Return users and lists, such as those of `stored_policy`, as identifiers.

    Args:
        users: (B,) positions.
        items: (B, N) positions, `PAD` where a list is shorter.
        data: The data of the experiment.
    """
    user_ids, item_ids = data.user_vocabulary.ids, data.item_vocabulary.ids
    return [user_ids[one] for one in users], [[item_ids[one] for one in row if one != PAD] for row in items]


def truth_of_run(
    run: Run,
    models: Sequence[str] = (),
    *,
    strategies: Mapping[str, tuple[IntArray, IntArray]] | None = None,
    kind: PolicyKind = "deterministic",
    strength: float = 0.1,
    reward: Reward = "purchase",
    visitors: int = 2000,
    clip: float = CLIP,
    seed: int = 0,
) -> RunTruth:
    """Compare offline metric, off-policy estimate and true value of the models of an experiment.

    Args:
        run: An experiment on the bundled shop.
        models: Ids of finished jobs; all by default.
        strategies: Users (B,) and final lists (B, N) of strategies, by name.
        kind: How lists are shown.
        strength: epsilon or temperature.
        reward: What is estimated.
        visitors: Visitors of the simulated log.
        clip: Largest weight of the clipped estimator.
        seed: Seed of the log.

    Raises:
        DataError: The data are not the bundled shop, or nothing has finished.
    """
    if not is_shop(run.spec.data):
        raise DataError(
            _("The true values of '{data_name}' are not known. Train models on the sample '{shop}', whose are.").format(
                data_name=run.data_name, shop=SHOP
            )
        )
    titles = model_titles(run.spec.models)
    chosen = tuple(models) or run.finished()
    lists = {titles[model]: stored_policy(run, model) for model in chosen} | dict(strategies or {})
    result = truth_table(
        shop_truth(), lists, kind=kind, strength=strength, reward=reward, visitors=visitors, clip=clip, seed=seed
    )
    compared = compare_run(run).table
    compared = compared[compared["model"].isin(chosen)]
    names = [titles[model] for model in compared["model"]]
    offline = pd.DataFrame(
        {POLICY: names, OFFLINE: compared["mean"].to_numpy()}
        | {f"{OFFLINE}_{end}": compared[end].to_numpy() for end in ("low", "high")}
    )
    metric = MetricName.parse(run.spec.metric).title
    told = truth_sentences(result, dict(zip(offline[POLICY], offline[OFFLINE], strict=True)), metric)
    return RunTruth(result.table.merge(offline, how="left", on=POLICY), run.spec.metric, result, tuple(told))
