"""The ready-made worlds that come with the product, and how they are written and read.

A sample is a folder: `meta.json`, `interactions.parquet`, `users.parquet`, `items.parquet`, `social.parquet` where
there are friends, and `truth.npz` with what is true in it.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recsys_core.columns import EVENT, INTERACTIONS, ITEM_ID, ITEMS, RATING, SOCIAL, TIMESTAMP, USER_ID, USERS
from recsys_core.contracts import RatingScale
from recsys_core.data.dataset import Dataset
from recsys_core.data.vocabulary import Vocabulary
from recsys_core.data.world_config import WorldConfig
from recsys_core.data.world_truth import WorldTruth
from recsys_core.data.worlds import World
from recsys_core.errors import ConfigError, DataError

FOLDER = Path(__file__).resolve().parents[2] / "data" / "samples"
META, TRUTH = "meta.json", "truth.npz"


@dataclass(frozen=True)
class SampleInfo:
    """A ready-made world.

    Args:
        key: Name of its folder.
        title: What people call it.
        idea: What can be seen in it, in one or two sentences.
        config: Its laws.
        seed: Start of its chance.
    """

    key: str
    title: str
    idea: str
    config: WorldConfig
    seed: int


SAMPLES = {
    sample.key: sample
    for sample in (
        SampleInfo(
            "tiny",
            "Film club (tiny)",
            "Thirty people and twenty-four films: small enough to read every rating and to follow each step by eye.",
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
            "Eight hundred people with tastes of their own: personal models clearly beat popularity, and friends help.",
            WorldConfig(
                users=800, items=1000, visits_per_user=50, taste_strength=3, popularity_bias=1.6, friends_per_user=10,
                homophily=0.8,
            ),
            2,
        ),
        SampleInfo(
            "ordered",
            "Film marathons (strong order)",
            "Views, clicks and purchases in long sessions, where the film just seen decides what comes next.",
            WorldConfig(
                users=500, items=300, visits_per_user=45, feedback="events", taste_strength=0.8, popularity_bias=0.3,
                session_length=10, order=0.9, friends_per_user=0, late_items=0,
            ),
            3,
        ),
    )
}  # fmt: skip
"""Key -> sample, from the smallest lesson up."""


def load_sample(key: str) -> Dataset:
    """Return a ready-made world as a data set; its tables are read when they are asked for.

    Raises:
        ConfigError: There is no such sample.
        DataError: Its folder is missing or not whole.
    """
    return read_world(sample_folder(key))


def sample_truth(key: str) -> WorldTruth:
    """Return what is true in a ready-made world.

    Raises:
        ConfigError: There is no such sample.
        DataError: The file is missing or not whole.
    """
    return WorldTruth.load(sample_folder(key) / TRUTH)


def sample_folder(key: str) -> Path:
    """Return where a sample is stored.

    Raises:
        ConfigError: There is no such sample.
    """
    if key not in SAMPLES:
        raise ConfigError(f"There is no sample '{key}'. Known: {', '.join(SAMPLES)}.")
    return FOLDER / key


def write_world(world: World, folder: Path) -> None:
    """Write a world into a folder, in the layout of the samples."""
    folder.mkdir(parents=True, exist_ok=True)
    data = world.dataset
    tables = {
        INTERACTIONS: data.interactions,
        USERS: _with_ids(data.users, USER_ID, data.user_vocabulary),
        ITEMS: _with_ids(data.items, ITEM_ID, data.item_vocabulary),
        SOCIAL: data.social,
    }
    for name, table in tables.items():
        if table is not None:
            table.to_parquet(folder / f"{name}.parquet", compression="zstd", index=False)
    world.truth.save(folder / TRUTH)
    (folder / META).write_text(json.dumps(_meta(data), indent=2) + "\n", encoding="utf-8")


def read_world(folder: Path) -> Dataset:
    """Return the data set in a folder that `write_world` made.

    Raises:
        DataError: The folder is missing or not whole.
    """
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        users, items = (
            pd.read_parquet(folder / f"{table}.parquet", columns=[column])[column]
            for table, column in ((USERS, USER_ID), (ITEMS, ITEM_ID))
        )
        scale = meta["rating_scale"]
        return Dataset(
            name=meta["name"],
            fingerprint=meta["fingerprint"],
            user_vocabulary=Vocabulary(users),
            item_vocabulary=Vocabulary(items),
            load_interactions=_reader(folder, INTERACTIONS),
            rating_scale=RatingScale(*scale) if scale else None,
            load_users=_reader(folder, USERS, USER_ID),
            load_items=_reader(folder, ITEMS, ITEM_ID),
            load_social=_reader(folder, SOCIAL) if meta["has_social"] else None,
            columns=frozenset(meta["columns"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"The sample in '{folder.name}' is missing or not whole; run 'make samples'.") from error


def _reader(folder: Path, table: str, identifier: str = "") -> Callable[[], pd.DataFrame]:
    def read() -> pd.DataFrame:
        frame = pd.read_parquet(folder / f"{table}.parquet")
        return frame.drop(columns=identifier) if identifier else frame

    return read


def _with_ids(table: pd.DataFrame | None, column: str, vocabulary: Vocabulary) -> pd.DataFrame:
    frame = pd.DataFrame({column: list(vocabulary.ids)})
    return frame if table is None else pd.concat([frame, table.reset_index(drop=True)], axis=1)


def _meta(data: Dataset) -> dict[str, object]:
    return {
        "name": data.name,
        "fingerprint": _fingerprint(data),
        "n_users": data.n_users,
        "n_items": data.n_items,
        "n_interactions": data.n_interactions,
        "rating_scale": [data.rating_scale.low, data.rating_scale.high] if data.rating_scale else None,
        "columns": sorted(data.columns),
        "has_ratings": RATING in data.columns,
        "has_timestamps": TIMESTAMP in data.columns,
        "has_events": EVENT in data.columns,
        "has_users": data.users is not None,
        "has_items": data.items is not None,
        "has_social": data.social is not None,
    }


def _fingerprint(data: Dataset) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of all identifiers and values."""
    digest = hashlib.sha256("\0".join([*data.user_vocabulary.ids, *data.item_vocabulary.ids]).encode())
    for table in (data.interactions, data.users, data.items, data.social):
        for name, column in table.items() if table is not None else ():
            numeric = pd.api.types.is_numeric_dtype(column)
            content = column.to_numpy().astype(np.float64).tobytes() if numeric else "\0".join(column).encode()
            digest.update(str(name).encode() + content)
    return digest.hexdigest()[:16]
