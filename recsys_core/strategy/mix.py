"""Mix: the lists of several models as one.

- weighted: sum_m w_m rel_m(i), each model's relevance on one scale per user (rank, min-max or z). An item that a model
  does not list counts 0; by z, as the lowest of that list (CombSUM).
- RRF, reciprocal rank fusion: sum_m w_m / (c + place_m(i)), places from 1; an item that is not listed counts 0.
- interleave: models take turns and place their best item that is not placed. The next turn goes to the model with the
  smallest (turns + 1) / w_m, the first of equals: in turn for equal weights.
- slots: place j belongs to the model that a repeated pattern names; where its list is used up, to the next model.

The score of an item is the weighted sum, that of RRF, or 1 / place for the two methods without a common scale.

Sources: Fox and Shaw 1994, "Combination of multiple searches", for CombSUM; Cormack, Clarke and Büttcher 2009,
"Reciprocal rank fusion outperforms Condorcet and individual rank learning methods", with c = 60; turns by weight are
the highest averages of D'Hondt 1882.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from recsys_core.contracts import PAD, FloatArray, IntArray, TopK
from recsys_core.errors import ConfigError
from recsys_core.models.compiled import compiled
from recsys_core.models.rank_fusion import reciprocal_rank
from recsys_core.strategy.card import Card
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.pool import Pool
from recsys_core.strategy.relevance import Scaling, scaled
from recsys_core.text import _


class Part(BaseModel):
    """A model of a mix."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    model: str
    """Key of the model."""
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0


class Mix(Card):
    """Lists of several models as one; the first card of a strategy."""

    kind: Literal["mix"] = "mix"
    models: Annotated[tuple[Part, ...], Field(min_length=2, max_length=20)]
    """Models and their weights; where two are equal, the first one counts."""
    method: Literal["weighted", "rrf", "interleave", "slots"] = "rrf"
    scaling: Scaling = "rank"
    """Weighted: scale of each model's relevance per user."""
    constant: Annotated[float, Field(ge=0, le=10_000)] = 60.0
    """RRF: c; the larger, the less the first places count."""
    pattern: tuple[str, ...] = ()
    """Slots: the model of each place, repeated to the end."""

    @model_validator(mode="after")
    def _consistent(self) -> "Mix":
        keys = self.keys
        if len(set(keys)) < len(keys):
            raise ValueError(_("a model is named twice"))
        if self.method == "slots" and not self.pattern:
            raise ValueError(_("slots need a pattern: the model of each place"))
        if unknown := sorted(set(self.pattern) - set(keys)):
            raise ValueError(
                _("the pattern names {unknown}, which the mix does not list").format(unknown=", ".join(unknown))
            )
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the models."""
        return tuple(part.model for part in self.models)

    def step(self, pool: Pool, facts: Facts) -> Pool:
        """Return the mixed candidates, as many as the pool had.

        Raises:
            ConfigError: The lists of a model are missing.
        """
        if missing := [key for key in self.keys if key not in pool.sources]:
            given = ", ".join(pool.sources) or "only one list per user"
            raise ConfigError(
                _("The mix needs the lists of {missing}; given: {given}.").format(
                    missing=", ".join(missing), given=given
                )
            )
        lists = [pool.sources[key] for key in self.keys]
        mixed = mix(self, lists, max([pool.item.shape[1], *(one.item.shape[1] for one in lists)]))
        return replace(pool, item=mixed.item, score=mixed.score)


def mix(card: Mix, lists: Sequence[TopK], length: int) -> TopK:
    """Return the lists of several models as one.

    Args:
        card: Settings of the mix.
        lists: (B, N_m) list of each model, for the same users.
        length: Length of the mixed lists, N.

    Returns:
        (B, N) items and scores, float64.
    """
    widest = max(one.item.shape[1] for one in lists)
    item = np.full((len(lists), len(lists[0]), widest), PAD, dtype=np.int64)
    for number, one in enumerate(lists):
        item[number, :, : one.item.shape[1]] = one.item
    weights = np.array([part.weight for part in card.models])
    if card.method in ("interleave", "slots"):
        turns = _turns(weights, length) if card.method == "interleave" else _pattern(card, length)
        found = np.full((item.shape[1], length), PAD, dtype=np.int64)
        take_turns(item, turns, found)
        return TopK(found, np.where(found == PAD, np.nan, 1.0 / np.arange(1, length + 1)))
    gain, absent = np.zeros(item.shape), np.zeros(item.shape[:2])
    for number, one in enumerate(lists):
        width = one.item.shape[1]
        if card.method == "rrf":
            gain[number] = reciprocal_rank(np.arange(1, widest + 1), card.constant, weights[number])
            continue
        present = one.item != PAD
        relevance = scaled(np.where(present, one.score.astype(np.float64), np.nan), card.scaling)
        gain[number, :, :width] = weights[number] * np.where(present, relevance, 0.0)
        if card.scaling == "z":
            absent[number] = np.min(gain[number, :, :width], axis=1, where=present, initial=0.0)
    return _summed(item, gain, absent, length)


def _summed(item: IntArray, gain: FloatArray, absent: FloatArray, length: int) -> TopK:
    """Return the items of the largest sums over models, the first listed of equals."""
    models, users, width = item.shape
    flat = np.moveaxis(item, 0, 1).reshape(users, models * width)
    extra = np.moveaxis(gain - absent[:, :, None], 0, 1).reshape(users, models * width)
    total = np.where(flat == PAD, -np.inf, 0.0)
    add_up(flat, extra, absent.sum(axis=0), total)
    order = np.argsort(-total, axis=1, kind="stable")[:, :length]
    value = np.take_along_axis(total, order, axis=1)
    found = np.where(np.isfinite(value), np.take_along_axis(flat, order, axis=1), PAD)
    short = max(0, length - found.shape[1])
    found = np.pad(found, ((0, 0), (0, short)), constant_values=PAD)
    value = np.pad(np.where(np.isfinite(value), value, np.nan), ((0, 0), (0, short)), constant_values=np.nan)
    return TopK(found, value)


@compiled
def add_up(item: IntArray, extra: FloatArray, absent: FloatArray, total: FloatArray) -> None:
    """Write the sum of each user's item at its first column, -inf at the others.

    Args:
        item: (B, C) the lists one after another.
        extra: (B, C) what each model adds to an item that it lists, beyond `absent`.
        absent: (B,) sum for an item that no model lists.
        total: (B, C) filled.
    """
    first = np.full(max(int(item.max()), 0) + 1, -1)
    for user in range(len(item)):
        for column in range(item.shape[1]):
            one = item[user, column]
            if one < 0:
                continue
            if first[one] < 0:
                first[one] = column
                total[user, column] = absent[user] + extra[user, column]
            else:
                total[user, first[one]] += extra[user, column]
                total[user, column] = -np.inf
        for column in range(item.shape[1]):
            if item[user, column] >= 0:
                first[item[user, column]] = -1


def _turns(weights: FloatArray, length: int) -> IntArray:
    """Return (N,) the model of each place, by highest averages."""
    taken = np.zeros(len(weights))
    turns = np.empty(length, dtype=np.int64)
    for place in range(length):
        turns[place] = int(np.argmin((taken + 1) / weights))
        taken[turns[place]] += 1
    return turns


def _pattern(card: Mix, length: int) -> IntArray:
    number = [card.keys.index(key) for key in card.pattern]
    return np.resize(np.array(number, dtype=np.int64), length)


@compiled
def take_turns(item: IntArray, turns: IntArray, mixed: IntArray) -> None:
    """Fill (B, N) lists: each place with the best item of its model that is not placed, else of the next model.

    Args:
        item: (M, B, W) lists of the models.
        turns: (N,) model of each place.
        mixed: (B, N) filled.
    """
    models, users, width = item.shape
    placed = np.zeros(max(int(item.max()), 0) + 1, dtype=np.bool_)
    for user in range(users):
        next_of = np.zeros(models, dtype=np.int64)
        for place in range(len(turns)):
            for shift in range(models):
                model = (turns[place] + shift) % models
                while next_of[model] < width:
                    one = item[model, user, next_of[model]]
                    if one >= 0 and not placed[one]:
                        break
                    next_of[model] += 1
                if next_of[model] < width:
                    mixed[user, place] = item[model, user, next_of[model]]
                    placed[mixed[user, place]] = True
                    break
        for place in range(len(turns)):
            if mixed[user, place] >= 0:
                placed[mixed[user, place]] = False
