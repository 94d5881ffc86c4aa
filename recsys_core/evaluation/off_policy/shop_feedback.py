"""The log of a synthetic shop as feedback for the estimators."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, USER
from recsys_core.contracts import FloatArray
from recsys_core.data.synthetic.shop_log import CLICK, IMPRESSION, POSITION, PROPENSITY, PURCHASE, VISITOR
from recsys_core.data.synthetic.shop_truth import Reward, ShopTruth
from recsys_core.errors import ConfigError
from recsys_core.evaluation.off_policy.feedback import LoggedFeedback
from recsys_core.text import _


def feedback_of(
    log: pd.DataFrame, truth: ShopTruth, kind: Reward, user_ids: Sequence[str] = (), item_ids: Sequence[str] = ()
) -> LoggedFeedback:
    """Return a log of the shop as feedback; visitors are independent, and user codes are positions in the shop.

    Args:
        log: As `shop_log.sample_log` returns it.
        truth: The shop.
        kind: The reward.
        user_ids: Identifiers of all users of the shop; numbers by default.
        item_ids: Identifiers of all items, likewise.
    """
    item = log[ITEM].to_numpy()
    return LoggedFeedback(
        user=log[USER].to_numpy(),
        item=item,
        place=log[POSITION].to_numpy() - 1,
        reward=_rewards(log, truth, kind),
        propensity=log[PROPENSITY].to_numpy(),
        impression=log[IMPRESSION].to_numpy(),
        cluster=log[VISITOR].to_numpy(),
        user_ids=tuple(user_ids) or tuple(str(number) for number in range(len(truth.activity))),
        item_ids=tuple(item_ids) or tuple(str(number) for number in range(len(truth.price))),
    )


def _rewards(log: pd.DataFrame, truth: ShopTruth, kind: Reward) -> FloatArray:
    item = log[ITEM].to_numpy()
    bought = log[PURCHASE].to_numpy(np.float64)
    rewards: dict[str, FloatArray] = {
        "click": log[CLICK].to_numpy(np.float64),
        "purchase": bought,
        "revenue": bought * truth.price[item],
        "profit": bought * truth.profit[item],
    }
    if kind not in rewards:
        raise ConfigError(
            _("There is no reward '{kind}'. Known: {rewards}.").format(kind=kind, rewards=", ".join(rewards))
        )
    return rewards[kind]
