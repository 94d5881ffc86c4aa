"""Small worlds with a known right answer, and a negative control without any signal."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.contracts import FloatArray, IntArray, RatingScale
from recsys_core.data import Dataset, dataset_from_frames

SECOND = 1000


@dataclass(frozen=True, eq=False)
class KnownWorld:
    """Training data and the right answers.

    `withheld` (U,) is the one item of each user that is not in `train` and should be ranked first.
    `truth` (U, I) are the true ratings, or the true probabilities of the next item; None where only `withheld` is
    known.
    """

    train: Dataset
    withheld: IntArray
    truth: FloatArray | None = None


def checkerboard(users: int = 50, items: int = 50, withheld: str = "diagonal", seed: int = 0) -> KnownWorld:
    """Even users like all even items, odd users all odd ones; one item of the own half is withheld from each user.

    withheld: "diagonal": item u of user u (modulo the size of the board); "random": any of the own half.
    """
    rng = np.random.default_rng(seed)
    user = np.arange(users)
    half = items // 2
    if withheld == "diagonal":
        hidden = user % 2 + 2 * ((user // 2) % half)
    else:
        hidden = user % 2 + 2 * rng.integers(0, half, users)
    liked = (user[:, None] % 2) == (np.arange(items)[None, :] % 2)
    seen = liked.copy()
    seen[user, hidden] = False
    return KnownWorld(_from_board(seen, rng), hidden, liked.astype(np.float64))


def shuffled(world: KnownWorld, seed: int = 0) -> KnownWorld:
    """Negative control: each user keeps the number of items, but all items are random, including the withheld one.

    Every unseen item of a user is equally likely to be the withheld one, whatever the training data.
    """
    rng = np.random.default_rng(seed)
    seen = np.asarray(world.train.matrix("binary").toarray()) > 0
    marks = seen.astype(np.int8)
    marks[np.arange(len(marks)), world.withheld] = 2
    marks = rng.permuted(marks, axis=1)
    return KnownWorld(_from_board(marks == 1, rng), np.argmax(marks == 2, axis=1))


def low_rank(
    users: int = 80, items: int = 60, *, rank: int = 3, density: float = 0.4, noise: float = 0.0, seed: int = 0
) -> KnownWorld:
    """Ratings around 3 that are a product of `rank` factors; a share of them is in `train`, all are in `truth`.

    The withheld item is the best of those that a user has not rated.
    """
    rng = np.random.default_rng(seed)
    truth = 3.0 + rng.normal(size=(users, rank)) @ rng.normal(size=(rank, items)) / np.sqrt(rank) * 0.7
    seen = rng.random((users, items)) < density
    seen[np.arange(users), rng.integers(0, items, users)] = False
    seen[np.arange(users), rng.integers(0, items, users)] |= ~seen.any(axis=1)
    user, item = np.nonzero(seen)
    rating = (truth + noise * rng.normal(size=truth.shape))[seen]
    frame = _frame(user, item).assign(rating=rating.astype(np.float32))
    scale = RatingScale(float(min(truth.min(), rating.min())), float(max(truth.max(), rating.max())))
    train = dataset_from_frames(
        frame, name="low rank", user_ids=_names(users), item_ids=_names(items), rating_scale=scale
    )
    return KnownWorld(train, np.argmax(np.where(seen, -np.inf, truth), axis=1), truth)


def markov_chain(
    users: int = 100, items: int = 20, steps: int = 10, *, loyalty: float = 1.0, seed: int = 0
) -> KnownWorld:
    """Each user walks a ring of items in the same order; the withheld item is the next step.

    With `loyalty` below 1 a step may go to any item instead. Walks are shorter than the ring, so at loyalty 1 no item
    is repeated. `truth` contains each user's probabilities of the next item.
    """
    assert steps < items, "a walk must not come round"
    rng = np.random.default_rng(seed)
    follower = np.empty(items, dtype=np.int64)
    ring = rng.permutation(items)
    follower[ring] = np.roll(ring, -1)
    walk = np.empty((users, steps + 1), dtype=np.int64)
    walk[:, 0] = rng.integers(0, items, users)
    for step in range(1, steps + 1):
        strays = rng.random(users) >= loyalty
        walk[:, step] = np.where(strays, rng.integers(0, items, users), follower[walk[:, step - 1]])
    user = np.repeat(np.arange(users), steps)
    frame = _frame(user, walk[:, :-1].ravel())
    frame["timestamp"] = (np.tile(np.arange(steps), users) * 60 * SECOND).astype(np.int64) + user * SECOND
    train = dataset_from_frames(frame, name="Markov chain", user_ids=_names(users), item_ids=_names(items))
    truth = np.full((users, items), (1 - loyalty) / items)
    truth[np.arange(users), follower[walk[:, -2]]] += loyalty
    return KnownWorld(train, follower[walk[:, -2]], truth)


def _from_board(seen: np.ndarray, rng: np.random.Generator) -> Dataset:
    """Convert (U, I) marks to interactions in random order."""
    user, item = np.nonzero(seen)
    order = rng.permutation(len(user))
    users, items = seen.shape
    return dataset_from_frames(
        _frame(user[order], item[order]), name="board", user_ids=_names(users), item_ids=_names(items)
    )


def _frame(user: np.ndarray, item: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"user": user.astype(np.int32), "item": item.astype(np.int32)})


def _names(count: int) -> list[str]:
    return [str(position) for position in range(count)]
