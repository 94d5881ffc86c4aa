"""Items and users of a synthetic shop: attribute tables and true traits."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.columns import CATEGORIES, PRICE, TITLE
from recsys_core.contracts import FloatArray, IntArray
from recsys_core.data.synthetic.shop_config import ShopConfig

GOODS: dict[str, tuple[float, tuple[str, ...]]] = {
    "Kitchen": (28, ("Kettle", "Saucepan", "Chef's knife", "Teapot", "Cutting board", "Coffee grinder")),
    "Lighting": (46, ("Desk lamp", "Pendant", "Reading light", "Lantern", "Floor lamp", "Light strip")),
    "Garden": (34, ("Watering can", "Pruning shears", "Planter", "Hose reel", "Bird feeder", "Trowel")),
    "Sports": (55, ("Yoga mat", "Running belt", "Dumbbell", "Cycling helmet", "Swim goggles", "Backpack")),
    "Audio": (89, ("Headphones", "Speaker", "Microphone", "Record player", "Earbuds", "Radio")),
    "Books": (16, ("Novel", "Cookbook", "Atlas", "Field guide", "Biography", "Sketchbook")),
    "Toys": (24, ("Puzzle", "Building set", "Kite", "Board game", "Plush bear", "Marble run")),
    "Textiles": (38, ("Blanket", "Cushion", "Rug", "Bath towel", "Curtain", "Table runner")),
}
"""Category -> typical price, and names of its goods."""
LINES = (
    "Alder", "Basalt", "Cirrus", "Delta", "Ember", "Fjord", "Grove", "Heron", "Iris", "Juniper", "Kestrel", "Lumen",
    "Maple", "Nordlys", "Opal", "Pebble", "Quill", "Raven", "Sorrel", "Tundra",
)  # fmt: skip
PROVIDERS = (
    "Aldermann", "Bright & Sons", "Casa Verde", "Dovetail", "Eastmere Trading", "Foxglove", "Granite Works",
    "Hollin Home", "Iverson", "Jute & Co", "Karsk Supply", "Lantern House",
)  # fmt: skip
SEGMENTS: dict[str, tuple[float, float, float]] = {
    "bargain": (0.35, 1.1, 1.0),
    "regular": (0.40, 0.5, 1.0),
    "premium": (0.10, -0.3, 0.8),
    "gift": (0.15, 0.2, 0.4),
}
"""Segment -> share of users, log odds of a purchase that a standard deviation of log price costs, relative activity."""
HIDDEN_TRAITS = 3
"""Item traits that no table contains; only behavior reveals them."""


@dataclass(frozen=True, eq=False)
class Goods:
    """Items of one shop.

    Args:
        table: One row per item: `title`, `categories`, `price`, `margin` (share of the price), `stock` (units; bought
            units are replaced, so it does not change), `provider`.
        traits: (I, D) categories (centered) and hidden traits.
        appeal: (I,) appeal for all users, standard normal.
    """

    table: pd.DataFrame
    traits: FloatArray
    appeal: FloatArray


@dataclass(frozen=True, eq=False)
class Shoppers:
    """Users of one shop.

    Args:
        table: One row per user: `segment`, `city`.
        segment: (U,) position of the segment in `SEGMENTS`.
        taste: (U, D) preference for each trait.
        segment_taste: (S, D) mean preference of each segment.
        price_sensitivity: (U,) log odds of a purchase that a standard deviation of log price costs.
        activity: (U,) relative number of sessions, mean 1.
    """

    table: pd.DataFrame
    segment: IntArray
    taste: FloatArray
    segment_taste: FloatArray
    price_sensitivity: FloatArray
    activity: FloatArray


def make_goods(config: ShopConfig, rng: np.random.Generator) -> Goods:
    """Draw the items: every category has about the same number, and no two have the same title."""
    names = list(GOODS)
    category = rng.permutation(np.arange(config.items) % len(names))
    typical = np.array([GOODS[names[one]][0] for one in category])
    appeal = rng.normal(size=config.items)
    price = np.round(typical * np.exp(0.45 * rng.normal(size=config.items) + 0.1 * appeal)) - 0.01
    stock = np.where(rng.random(config.items) < config.out_of_stock, 0, 1 + rng.poisson(25, config.items))
    table = pd.DataFrame(
        {
            TITLE: _titles([names[one] for one in category], rng),
            CATEGORIES: [names[one] for one in category],
            PRICE: np.maximum(price, 1.99),
            "margin": np.round(rng.beta(4, 8, config.items), 2),
            "stock": stock.astype(np.int64),
            "provider": [_provider(number) for number in rng.integers(config.providers, size=config.items)],
        }
    )
    groups = np.eye(len(names))[category]
    traits = np.hstack([groups - groups.mean(axis=0), 0.35 * rng.normal(size=(config.items, HIDDEN_TRAITS))])
    return Goods(table, traits, appeal)


def make_shoppers(config: ShopConfig, rng: np.random.Generator) -> Shoppers:
    """Draw the users: half of the variance of their taste is that of their segment."""
    shares, costs, activity = np.array(list(SEGMENTS.values())).T
    segment = rng.choice(len(SEGMENTS), size=config.users, p=shares)
    width = len(GOODS) + HIDDEN_TRAITS
    segment_taste = np.sqrt(0.5) * rng.normal(size=(len(SEGMENTS), width))
    taste = segment_taste[segment] + np.sqrt(0.5) * rng.normal(size=(config.users, width))
    active = activity[segment] * rng.gamma(2.5, 1 / 2.5, size=config.users)
    cities = np.array(["Brunnmar", "Eastmere", "Karsk", "Dunvale", "Norrgate"])
    table = pd.DataFrame(
        {"segment": np.array(list(SEGMENTS))[segment], "city": cities[rng.integers(len(cities), size=config.users)]}
    )
    sensitivity = np.maximum(costs[segment] + 0.2 * rng.normal(size=config.users), -0.5)
    return Shoppers(table, segment, taste, segment_taste, sensitivity, active / active.mean())


def _provider(number: int) -> str:
    name = PROVIDERS[number % len(PROVIDERS)]
    return name if number < len(PROVIDERS) else f"{name} {number // len(PROVIDERS) + 1}"


def _titles(categories: list[str], rng: np.random.Generator) -> list[str]:
    """Return one title per item, such as `Heron desk lamp`; repeated ones get a number."""
    seen: dict[str, int] = {}
    titles = []
    for category in categories:
        nouns = GOODS[category][1]
        noun = nouns[int(rng.integers(len(nouns)))]
        title = f"{LINES[int(rng.integers(len(LINES)))]} {noun[0].lower()}{noun[1:]}"
        seen[title] = seen.get(title, 0) + 1
        titles.append(title if seen[title] == 1 else f"{title} {seen[title]}")
    return titles
