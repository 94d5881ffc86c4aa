"""Responses of the convolutional filters of a CNN to the last items, and their contributions to a score.

The score of item i is v_i . (A [z; m] + a) with z = relu(W [o; v] + b); o are the max-pooled responses of the
horizontal
filters, v the outputs of the vertical filters, m the mean embedding of the history. The layer is linear where z > 0, so
with u = A_z^T v_i, set to 0 where z is 0, the score decomposes exactly:

    W_k . u  o_k       each horizontal filter k, split into  W_k . u  F_k[j] . e_(p + j)  for each item in its window
    W_j . u  v_j       each vertical filter j, split into the last items by their weights
    A_m^T v_i . m      the long-term part
    b . u + a . v_i    the rest, plus W_k . u b_k of the filters with a positive response

Everything is computed from the stored weights by the equations of `nets.cnn`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.columns import ITEM, TITLE, WEIGHT
from recsys_core.contracts import FloatArray, IntArray
from recsys_core.data.labels import titles_of
from recsys_core.errors import CannotScore
from recsys_core.explain.view import ViewData, ViewRequest
from recsys_core.text import _

if TYPE_CHECKING:
    from recsys_core.models.cnn import Cnn

FILTER, KIND, ITEMS, PLACE, RESPONSE, ADDS = "filter", "kind", "items", "place", "response", "adds"
PATTERN, SUM = "pattern", "sum"
SHOWN = 14
"""Number of filters shown, those with the largest effect on the score."""


class Fired(NamedTuple):
    """The contribution of one filter.

    `kind` is "pattern" (horizontal) or "sum" (vertical); `number` counts filters of one height, or vertical filters,
    from 1; `first` is the position in the window (0..L - 1) of its strongest response, `response` o_k (NaN for a
    vertical filter, whose output is a vector), `adds` its part of the score including its bias, `shares` (h,) the parts
    of the covered items without the bias.
    """

    kind: str
    height: int
    number: int
    first: int
    response: float
    adds: float
    shares: FloatArray


class Looked(NamedTuple):
    """The parts of one score; `patterns`, `sums`, `long_term` and `rest` sum to `score`."""

    fired: list[Fired]
    patterns: float
    sums: float
    long_term: float
    rest: float
    score: float
    silent: int
    """Horizontal filters whose response was 0."""


def filters(request: ViewRequest) -> ViewData:
    """Return the strongest filters with the items in their windows and the contribution of each item to the score.

    Returns:
        One row per filter and covered item: columns `filter` (rank, 1 for the strongest), `kind` ("pattern":
        horizontal,
        "sum": vertical), `items` (height), `place` (from 1, the oldest of the last items), `item`, `title`, `response`
        (of a horizontal filter), `weight` (contribution of the item through the filter), `adds` (contribution of the
        whole filter). Facts: `item` (title), `titles` (of the last items, oldest first), `score`, `patterns`, `sums`,
        `long_term`, `rest` (these four sum to the score), `fired` and `of` (horizontal filters), `span`.

    Raises:
        CannotScore: The history is empty.
    """
    model: Cnn = request.model  # type: ignore[assignment]
    history = request.query.history[0].astype(np.int64)
    if not len(history):
        raise CannotScore(_("The history is empty, so no filter responds; select a user with interactions."))
    looked = looked_at(model, history, request.item)
    last = history[-min(model.config.span, model.config.max_length) :]
    titles = titles_of(request.dataset, last)
    empty = model.config.span - len(last)  # padding before the first item
    strongest = sorted(looked.fired, key=lambda one: -abs(one.adds))[:SHOWN]
    rows = [
        {
            FILTER: rank,
            KIND: one.kind,
            ITEMS: one.height,
            PLACE: one.first + at - empty + 1,
            ITEM: int(last[one.first + at - empty]),
            TITLE: titles[one.first + at - empty],
            RESPONSE: one.response,
            WEIGHT: float(share),
            ADDS: one.adds,
        }
        for rank, one in enumerate(strongest, start=1)
        for at, share in enumerate(one.shares)
        if one.first + at >= empty
    ]
    patterns = [one for one in looked.fired if one.kind == PATTERN]
    facts = {
        "item": request.item_title,
        "titles": titles,
        **{name: getattr(looked, name) for name in ("score", "patterns", "sums", "long_term", "rest")},
        "fired": len(patterns),
        "of": len(patterns) + looked.silent,
        "span": len(last),
    }
    return ViewData(pd.DataFrame(rows), facts)


def looked_at(model: "Cnn", history: IntArray, item: int) -> Looked:
    """Return the parts of the score of `item` after `history` (n,), n at least 1."""
    arrays = {
        name.removeprefix("net."): np.asarray(values, dtype=np.float64)
        for name, values in model.state().items()
        if name.startswith("net.")
    }
    vectors, span, embedding_dim = arrays["items.weight"], model.config.span, model.config.embedding_dim
    read = vectors[history[-model.config.max_length :]]
    window = np.zeros((span, embedding_dim))
    window[max(0, span - len(read)) :] = read[-span:]
    responses, places = _responses(arrays, window)
    sums = arrays["down.weight"] @ window  # (vertical, D)
    mixed = arrays["mix.weight"] @ np.concatenate([responses, sums.ravel()]) + arrays["mix.bias"]
    target = vectors[item]
    reached = arrays["out.weight"][:, :embedding_dim].T @ target * (mixed > 0)  # u (D,)
    slopes = arrays["mix.weight"].T @ reached  # gradient of the score with respect to [o; v]
    fired = _patterns(arrays, window, responses, places, slopes) + _sums(arrays, window, slopes[len(responses) :])
    long_term = 0.0
    if model.config.long_term:
        long_term = float(target @ arrays["out.weight"][:, embedding_dim:] @ read.mean(axis=0))
    parts = {kind: float(sum(one.adds for one in fired if one.kind == kind)) for kind in (PATTERN, SUM)}
    rest = float(arrays["mix.bias"] @ reached + arrays["out.bias"] @ target)
    score = parts[PATTERN] + parts[SUM] + long_term + rest
    return Looked(fired, parts[PATTERN], parts[SUM], long_term, rest, score, int((responses == 0).sum()))


def _responses(arrays: Mapping[str, NDArray[Any]], window: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return (L x filters,) the max-pooled response of each horizontal filter, and the position of its maximum."""
    responses, places = [], []
    for height in range(1, len(window) + 1):
        weight, bias = arrays[f"across.{height - 1}.weight"], arrays[f"across.{height - 1}.bias"]  # (filters, D, h)
        seen = np.stack([window[first : first + height].T for first in range(len(window) - height + 1)])  # (P, D, h)
        values = np.maximum(np.tensordot(weight, seen, axes=([1, 2], [1, 2])) + bias[:, None], 0.0)  # (filters, P)
        responses.append(values.max(axis=1))
        places.append(values.argmax(axis=1))
    return np.concatenate(responses), np.concatenate(places)


def _patterns(
    arrays: Mapping[str, NDArray[Any]],
    window: FloatArray,
    responses: FloatArray,
    places: IntArray,
    slopes: FloatArray,
) -> list[Fired]:
    """Return the horizontal filters with a positive response."""
    each = len(responses) // len(window)
    found = []
    for number in np.flatnonzero(responses > 0):
        height, first = int(number) // each + 1, int(places[number])
        weight = arrays[f"across.{height - 1}.weight"][int(number) % each]  # (D, h)
        shares = slopes[number] * (weight.T * window[first : first + height]).sum(axis=1)
        response = float(responses[number])
        adds = float(slopes[number] * response)
        found.append(Fired(PATTERN, height, int(number) % each + 1, first, response, adds, shares))
    return found


def _sums(arrays: Mapping[str, NDArray[Any]], window: FloatArray, slopes: FloatArray) -> list[Fired]:
    """Return the vertical filters; `slopes` (vertical x D,) is the gradient of the score with respect to their
    outputs.
    """
    weights = arrays["down.weight"]  # (vertical, L)
    pulls = window @ slopes.reshape(len(weights), -1).T  # (L, vertical)
    shares = weights * pulls.T  # (vertical, L)
    return [
        Fired(SUM, len(window), number, 0, float("nan"), float(share.sum()), share)
        for number, share in enumerate(shares, start=1)
    ]
