"""The bundled sample data sets, and how they are written and loaded.

A sample is a folder like any stored data set, plus `truth.npz` with its true parameters.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recsys_core.columns import INTERACTIONS
from recsys_core.data.dataset import Dataset
from recsys_core.data.folder import open_folder, write_side_tables
from recsys_core.data.meta import DatasetCard
from recsys_core.data.synthetic.config import WorldConfig
from recsys_core.data.synthetic.shop import Shop, make_shop
from recsys_core.data.synthetic.shop_config import ShopConfig
from recsys_core.data.synthetic.world import World, make_world
from recsys_core.errors import ConfigError
from recsys_core.text import _

FOLDER = Path(__file__).resolve().parents[3] / "data" / "samples"
TRUTH = "truth.npz"
MADE = "2026-01-01T00:00:00+00:00"
"""Fixed creation time of all samples, so that the same settings and seed give identical files."""


@dataclass(frozen=True)
class SampleInfo:
    """A bundled sample data set.

    Args:
        key: Name of its folder.
        title: Display name.
        idea: What it demonstrates, in one or two sentences.
        config: Its settings.
        seed: Its random seed.
    """

    key: str
    title: str
    idea: str
    config: WorldConfig | ShopConfig
    seed: int


SAMPLES = {
    sample.key: sample
    for sample in (
        SampleInfo(
            "tiny",
            "Film club (tiny)",
            "Thirty users and twenty-four films: small enough to inspect every rating and follow each step by hand.",
            WorldConfig(
                users=30, items=24, visits_per_user=10, rating_share=1, rating_noise=0.3, taste_strength=2.5,
                hidden_traits=0, attribute_signal=0.8, popularity_bias=0.5, drift=0, late_items=0, order=0,
                friends_per_user=4, homophily=1, days=90,
            ),
            1,
        ),
        SampleInfo(
            "small",
            "Film nights (small)",
            "Eight hundred users with distinct tastes: personalized models clearly beat popularity, and friends help.",
            WorldConfig(
                users=800, items=1000, visits_per_user=50, taste_strength=3, popularity_bias=1.6, friends_per_user=10,
                homophily=0.8,
            ),
            2,
        ),
        SampleInfo(
            "ordered",
            "Film marathons (strong order)",
            "Views, clicks and purchases in long sessions, where the previous film largely determines the next one.",
            WorldConfig(
                users=500, items=300, visits_per_user=45, feedback="events", taste_strength=0.8, popularity_bias=0.3,
                session_length=10, order=0.9, friends_per_user=0, late_items=0,
            ),
            3,
        ),
        SampleInfo(
            "shop",
            "Home goods shop",
            "Clicks and purchases with prices, margins, stock and providers. The logging policy and the true reward of "
            "any list are known, so off-policy estimates can be checked.",
            ShopConfig(),
            4,
        ),
    )
}  # fmt: skip
"""Key -> sample, from smallest and simplest up."""


def load_sample(key: str) -> Dataset:
    """Return a sample as a data set; its tables are loaded lazily.

    Raises:
        ConfigError: There is no such sample.
        StoreError: Its folder is missing or incomplete; `make samples` generates it again.
    """
    return open_folder(sample_folder(key))


def sample_folder(key: str) -> Path:
    """Return the folder of a sample.

    Raises:
        ConfigError: There is no such sample.
    """
    if key not in SAMPLES:
        raise ConfigError(
            _("There is no sample '{key}'. Known: {samples}.").format(key=key, samples=", ".join(SAMPLES))
        )
    return FOLDER / key


def make_sample(sample: SampleInfo) -> World | Shop:
    """Generate a sample."""
    if isinstance(sample.config, ShopConfig):
        return make_shop(sample.config, sample.seed, sample.title)
    return make_world(sample.config, sample.seed, sample.title)


def write_world(world: World | Shop, folder: Path) -> None:
    """Write a synthetic data set into a folder, with its true parameters in `truth.npz`."""
    folder.mkdir(parents=True, exist_ok=True)
    data = world.dataset
    data.interactions.to_parquet(folder / f"{INTERACTIONS}.parquet", compression="zstd", index=False)
    write_side_tables(folder, data)
    world.truth.save(folder / TRUTH)
    DatasetCard.of(data, fingerprint=_fingerprint(data), created=MADE).write(folder)


def _fingerprint(data: Dataset) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of all identifiers and values."""
    digest = hashlib.sha256("\0".join([*data.user_vocabulary.ids, *data.item_vocabulary.ids]).encode())
    for table in (data.interactions, data.users, data.items, data.social):
        for name, column in table.items() if table is not None else ():
            numeric = pd.api.types.is_numeric_dtype(column)
            content = column.to_numpy().astype(np.float64).tobytes() if numeric else "\0".join(column).encode()
            digest.update(str(name).encode() + content)
    return digest.hexdigest()[:16]
