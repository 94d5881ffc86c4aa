"""Users of a synthetic data set: attributes, true tastes, and friendships."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.columns import LIST_SEPARATOR, SOURCE, TARGET, WEIGHT
from recsys_core.contracts import FloatArray, IntArray
from recsys_core.data.synthetic.films import GENRE_NAMES
from recsys_core.data.synthetic.words import CITIES, EDUCATIONS, HOBBIES, OCCUPATIONS

HOMOPHILY = 6.0
"""Log odds ratio of friendship between users of equal and of unrelated taste, at homophily 1."""
BLOCK = 1024


@dataclass(frozen=True, eq=False)
class SyntheticUsers:
    """Users of one synthetic data set.

    Args:
        table: One row per user: `sex`, `age`, `city`, `education`, `occupation`, `hobbies`.
        taste: (U, G + H) preference for each category and each latent film trait, rows of length 1.
    """

    table: pd.DataFrame
    taste: FloatArray


def make_people(count: int, hidden: int, signal: float, rng: np.random.Generator) -> SyntheticUsers:
    """Draw users whose hobbies and age explain a share `signal` of their category taste.

    Sex, city, education and occupation are independent of taste: a model that uses them fits noise.

    Args:
        count: Number of users, U.
        hidden: Number of latent film traits that no table contains, H.
        signal: 0..1, share of variance of the category taste that hobbies and age explain.
        rng: Random number generator.
    """
    age = np.clip(rng.gamma(6.0, 6.5, size=count), 12, 90).astype(np.int64)
    names = list(HOBBIES)
    amount = rng.choice([1, 2, 3, 4], size=count, p=[0.3, 0.4, 0.2, 0.1])
    chosen = np.argsort(rng.random((count, len(names))), axis=1)
    known = _taste_of_age(age)
    links = np.array([[float(genre in HOBBIES[name]) for genre in GENRE_NAMES] for name in names])
    for place in range(4):
        rows = np.flatnonzero(amount > place)
        known[rows] += links[chosen[rows, place]]
    known = _standard(known)
    genres = np.sqrt(signal) * known + np.sqrt(1 - signal) * _standard(rng.normal(size=known.shape))
    taste = np.hstack([genres, rng.normal(size=(count, hidden))])
    hobbies = [
        LIST_SEPARATOR.join(sorted(names[hobby] for hobby in row[:k])) for row, k in zip(chosen, amount, strict=True)
    ]
    table = pd.DataFrame(
        {
            "sex": rng.choice(["female", "male"], size=count),
            "age": age,
            "city": rng.choice(CITIES, size=count),
            "education": _education(age, rng),
            "occupation": _occupation(age, rng),
            "hobbies": hobbies,
        }
    )
    return SyntheticUsers(table, unit_rows(taste))


def make_friends(taste: FloatArray, mean: float, homophily: float, rng: np.random.Generator) -> pd.DataFrame:
    """Draw friendships, more likely between users of similar taste; each is stored in both directions, with weight 1.

    Args:
        taste: (U, D) rows of length 1.
        mean: Target number of friends per user; each user initiates half as many friendships on average.
        homophily: 0 (independent of taste) to 1.
        rng: Random number generator.
    """
    users = len(taste)
    wanted = np.minimum(rng.poisson(mean / 2, size=users), max(users - 1, 0))
    pairs = []
    for start in range(0, users, BLOCK):
        block = np.arange(start, min(start + BLOCK, users))
        appeal = HOMOPHILY * homophily * (taste[block] @ taste.T) + rng.gumbel(size=(len(block), users))
        appeal[np.arange(len(block)), block] = -np.inf
        ranked = np.argsort(-appeal, axis=1, kind="stable")[:, : int(wanted.max(initial=0))]
        kept = np.arange(ranked.shape[1])[None, :] < wanted[block][:, None]
        pairs.append(np.column_stack([np.repeat(block, kept.sum(axis=1)), ranked[kept]]))
    found = np.concatenate(pairs)
    both = np.unique(np.concatenate([found, found[:, ::-1]]), axis=0).astype(np.int32)
    return pd.DataFrame({SOURCE: both[:, 0], TARGET: both[:, 1], WEIGHT: np.ones(len(both), dtype=np.float32)})


def unit_rows(matrix: FloatArray) -> FloatArray:
    """Return the rows scaled to length 1; a row of zeros stays."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    scaled: FloatArray = matrix / np.where(lengths == 0, 1, lengths)
    return scaled


def _taste_of_age(age: IntArray) -> FloatArray:
    """(U, G) effect of age on taste: young users favor animation, fantasy, horror; old ones drama, documentary."""
    lean = np.clip((age - 38) / 20, -1.5, 1.5)
    signs = {"Animation": -1, "Fantasy": -1, "Horror": -1, "Drama": 1, "Documentary": 1, "Romance": 0.5}
    leanings: FloatArray = 0.6 * lean[:, None] * np.array([signs.get(genre, 0.0) for genre in GENRE_NAMES])[None, :]
    return leanings


def _standard(matrix: FloatArray) -> FloatArray:
    """Return the columns standardized to mean 0 and standard deviation 1."""
    deviation = matrix.std(axis=0)
    standard: FloatArray = (matrix - matrix.mean(axis=0)) / np.where(deviation == 0, 1, deviation)
    return standard


def _education(age: IntArray, rng: np.random.Generator) -> list[str]:
    level = rng.choice(len(EDUCATIONS), size=len(age), p=[0.05, 0.3, 0.2, 0.25, 0.17, 0.03])
    limit = np.select([age < 18, age < 22, age < 25], [1, 2, 3], len(EDUCATIONS) - 1)
    return [EDUCATIONS[step] for step in np.minimum(level, limit)]


def _occupation(age: IntArray, rng: np.random.Generator) -> list[str]:
    drawn = rng.choice(OCCUPATIONS, size=len(age))
    return [str(name) for name in np.select([age < 20, age >= 67], ["student", "retired"], drawn)]
