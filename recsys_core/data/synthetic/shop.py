"""A synthetic shop: lists of items are shown to users, who click and buy; the value of any policy is known exactly.

    P(click | examined) = logistic(level + appeal + strength * fit)
    P(purchase | click) = logistic(level' + 0.7 * fit - sensitivity * log price),  0 without stock

Fit is the standardized product of taste and traits: the category of an item, which its table contains, and hidden
traits, which only behavior reveals. The logging policy knows segments, not users: it draws lists from Plackett-Luce
over the appeal of items in a segment.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from recsys_core.columns import EVENT, ITEM, PRICE, TIMESTAMP, USER, WEIGHT
from recsys_core.contracts import FloatArray, RunContext
from recsys_core.data.dataset import Dataset, dataset_from_frames
from recsys_core.data.synthetic.shop_config import ShopConfig
from recsys_core.data.synthetic.shop_items import Goods, Shoppers, make_goods, make_shoppers
from recsys_core.data.synthetic.shop_log import CLICK, PURCHASE, impressions_of, session_starts, stamped
from recsys_core.data.synthetic.shop_truth import ShopTruth

EVENT_WEIGHTS = {"click": 1.0, "purchase": 4.0}
"""Weight of each event; a purchased item is recorded as a click, then a purchase."""


@dataclass(frozen=True, eq=False)
class Shop:
    """A synthetic shop.

    Args:
        dataset: Clicks and purchases, items with price, margin, stock, provider and category, users with segment.
        truth: The parameters that generated them.
        log: One row per item shown, in time order; see `shop_log.impressions_of`, with `timestamp`.
    """

    dataset: Dataset
    truth: ShopTruth
    log: pd.DataFrame


def make_shop(config: ShopConfig, seed: int, name: str = "synthetic shop") -> Shop:
    """Generate a shop; the same config and seed give the same data.

    Args:
        config: The settings.
        seed: Random seed.
        name: Name of the data set.
    """
    ctx = replace(RunContext(), seed=seed)
    goods = make_goods(config, ctx.rng("shop", "goods"))
    shoppers = make_shoppers(config, ctx.rng("shop", "shoppers"))
    truth = _truth(config, goods, shoppers, ctx.rng("shop", "truth"))
    log = _visits(config, truth, ctx)
    dataset = dataset_from_frames(
        _interactions(log),
        name=name,
        user_ids=[f"c{number:05d}" for number in range(1, config.users + 1)],
        item_ids=[f"p{number:04d}" for number in range(1, config.items + 1)],
        users=shoppers.table,
        items=goods.table,
    )
    return Shop(dataset, truth, log)


def make_truth(config: ShopConfig, seed: int) -> ShopTruth:
    """Return the true behavior of `make_shop` alone."""
    ctx = replace(RunContext(), seed=seed)
    goods = make_goods(config, ctx.rng("shop", "goods"))
    shoppers = make_shoppers(config, ctx.rng("shop", "shoppers"))
    return _truth(config, goods, shoppers, ctx.rng("shop", "truth"))


def _truth(config: ShopConfig, goods: Goods, shoppers: Shoppers, rng: np.random.Generator) -> ShopTruth:
    fit = _standard(shoppers.taste @ goods.traits.T)
    segment_fit = _standard(shoppers.segment_taste @ goods.traits.T)
    price = goods.table[PRICE].to_numpy(np.float64)
    dearness = (np.log(price) - np.log(price).mean()) / np.log(price).std()
    click = _logistic(config.click_level + 0.5 * goods.appeal + config.taste_strength * fit)
    purchase = _logistic(config.purchase_level + 0.7 * fit - shoppers.price_sensitivity[:, None] * dearness)
    known = 0.6 * goods.appeal + 0.4 * segment_fit + 0.5 * rng.normal(size=segment_fit.shape)
    return ShopTruth(
        examination=np.arange(1, config.places + 1) ** -config.examination_decay,
        click=click,
        purchase=np.where(goods.table["stock"].to_numpy() > 0, purchase, 0.0),
        price=price,
        profit=price * goods.table["margin"].to_numpy(np.float64),
        activity=shoppers.activity,
        segment=shoppers.segment,
        logits=known / config.temperature,
    )


def _visits(config: ShopConfig, truth: ShopTruth, ctx: RunContext) -> pd.DataFrame:
    """Return the log of all users over the whole period, in time order."""
    rng = ctx.rng("shop", "visits")
    sessions = np.maximum(1, rng.poisson(config.sessions_per_user * truth.activity))
    users = rng.permutation(np.repeat(np.arange(config.users), sessions))
    counts = 1 + rng.poisson(config.impressions_per_session - 1, size=len(users))
    log = impressions_of(truth, users, np.arange(len(users)), counts, rng)
    return stamped(log, session_starts(len(users), config.days, rng), rng)


def _interactions(log: pd.DataFrame) -> pd.DataFrame:
    """Return clicks and purchases in time order; a purchase follows its click by three minutes."""
    parts = []
    for event, delay in ((CLICK, 0), (PURCHASE, 180_000)):
        rows = log.loc[log[event] == 1, [USER, ITEM, TIMESTAMP]].assign(**{EVENT: event})
        rows[TIMESTAMP] += delay
        parts.append(rows)
    frame = pd.concat(parts).sort_values([TIMESTAMP, USER, ITEM], kind="stable").reset_index(drop=True)
    frame[WEIGHT] = frame[EVENT].map(EVENT_WEIGHTS).astype(np.float32)
    return frame.astype({USER: np.int32, ITEM: np.int32})


def _standard(values: FloatArray) -> FloatArray:
    standard: FloatArray = (values - values.mean()) / values.std()
    return standard


def _logistic(value: FloatArray) -> FloatArray:
    return 1 / (1 + np.exp(-value))
