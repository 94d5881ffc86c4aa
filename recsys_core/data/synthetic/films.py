"""Films of a synthetic data set and their attribute table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.columns import CATEGORIES, LIST_SEPARATOR, PRICE, TEXT, TITLE
from recsys_core.contracts import FloatArray, IntArray
from recsys_core.data.synthetic.words import GENRES, NAMES, PLACES, TURNS, Genre

GENRE_NAMES = tuple(GENRES)
FIRST_YEAR, LAST_YEAR = 1965, 2025


@dataclass(frozen=True, eq=False)
class Films:
    """Films of one synthetic data set.

    Args:
        table: One row per film: `title`, `categories`, `price`, `text` (the synopsis), `year`.
        genres: (I, G) share of each category in a film, rows sum to 1.
        quality: (I,) intrinsic quality, standard normal.
    """

    table: pd.DataFrame
    genres: FloatArray
    quality: FloatArray


def make_films(count: int, rng: np.random.Generator) -> Films:
    """Draw `count` films with one to three categories each and distinct titles."""
    amount = rng.choice([1, 2, 3], size=count, p=[0.35, 0.45, 0.2])
    order = np.argsort(rng.random((count, len(GENRE_NAMES))), axis=1)
    order[:, 0] = rng.permutation(np.arange(count) % len(GENRE_NAMES))  # every category leads the same number of films
    shares = np.zeros((count, len(GENRE_NAMES)))
    for place, weight in ((2, 1.0), (1, 2.0), (0, 4.0)):  # the leading one last: it overrides a duplicate
        rows = np.flatnonzero(amount > place)
        shares[rows, order[rows, place]] = weight
    quality = rng.normal(size=count)
    table = pd.DataFrame(
        {
            TITLE: _titles(order[:, 0], rng),
            CATEGORIES: [_named(row) for row in shares],
            PRICE: np.round(np.clip(7.5 + 1.5 * quality + 2.0 * rng.normal(size=count), 2, 18)) - 0.01,
            TEXT: [_synopsis(row, rng) for row in shares],
            "year": (LAST_YEAR - (LAST_YEAR - FIRST_YEAR) * rng.beta(1, 3, size=count)).astype(np.int64),
        }
    )
    return Films(table, shares / shares.sum(axis=1, keepdims=True), quality)


def _named(shares: FloatArray) -> str:
    """Return the categories of a film, leading one first."""
    ranked = np.argsort(-shares, kind="stable")
    return LIST_SEPARATOR.join(GENRE_NAMES[genre] for genre in ranked if shares[genre] > 0)


def _titles(leading: IntArray, rng: np.random.Generator) -> list[str]:
    """Return one title per film; duplicates get a subtitle."""
    titles: dict[str, None] = {}
    for genre in leading:
        title = _title(GENRES[GENRE_NAMES[genre]], rng)
        while title in titles:
            title = f"{_title(GENRES[GENRE_NAMES[genre]], rng)}: {_pick(PLACES, rng)}"
        titles[title] = None
    return list(titles)


def _title(genre: Genre, rng: np.random.Generator) -> str:
    adjective, noun, other = _pick(genre.adjectives, rng), _pick(genre.nouns, rng), _pick(genre.nouns, rng)
    patterns = (
        f"The {adjective} {noun}",
        f"The {noun} of {_pick(PLACES, rng)}",
        f"{_pick(NAMES, rng)} and the {adjective} {noun}",
        f"{adjective} {noun}" if noun == other else f"The {noun} and the {other}",
    )
    return _pick(patterns, rng)


def _synopsis(shares: FloatArray, rng: np.random.Generator) -> str:
    """Return two or three sentences: hero and plot of the leading category, an optional subplot, a twist."""
    ranked = [GENRES[GENRE_NAMES[genre]] for genre in np.argsort(-shares, kind="stable") if shares[genre] > 0]
    sentences = [_thread(_pick(ranked[0].heroes, rng), ranked[0], rng)]
    if len(ranked) > 1:
        sentences.append(_thread(f"Meanwhile {_pick(ranked[1].heroes, rng)}", ranked[1], rng))
    return " ".join([*sentences, _pick(TURNS, rng)])


def _thread(hero: str, genre: Genre, rng: np.random.Generator) -> str:
    plot = _pick(genre.plots, rng).format(place=_pick(PLACES, rng), name=_pick(NAMES, rng))
    return f"{hero[0].upper()}{hero[1:]} {plot}."


def _pick(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]
