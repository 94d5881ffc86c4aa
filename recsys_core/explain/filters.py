"""Which filters of a convolutional network fired at which of the last items, and what that did to a score.

The score of item i is v_i . (A [z; m] + a) with z = relu(W [o; v] + b); o are the responses of the horizontal filters,
v what the vertical ones sum up, m the mean vector of the history. Where z is above 0 the layer is linear, so with
u = A_z^T v_i, set to 0 where z is 0, the score falls into parts that add up:

    W_k . u  o_k       each horizontal filter k, and in it  W_k . u  F_k[j] . e_(p + j)  each item that it fired at
    W_j . u  v_j       each vertical filter j, and in it each of the last items by its weight
    A_m^T v_i . m      the long term
    b . u + a . v_i    the rest, together with the W_k . u b_k of the filters that fired

All of it is computed here from the stored weights, by the equations of `nets.cnn`.
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

if TYPE_CHECKING:
    from recsys_core.models.cnn import Cnn

FILTER, KIND, ITEMS, PLACE, RESPONSE, ADDS = "filter", "kind", "items", "place", "response", "adds"
PATTERN, SUM = "pattern", "sum"
SHOWN = 14
"""So many filters are listed, those that move the score most."""


class Fired(NamedTuple):
    """What one filter did.

    `kind` is "pattern" (horizontal) or "sum" (vertical); `number` counts filters of one height, or sums, from 1;
    `first` is the place of the window (0..L - 1) where it stood, `response` o_k (NaN for a sum, which is a vector),
    `adds` its part of the score with its own bias, `shares` (h,) the parts of the items under it, without the bias.
    """

    kind: str
    height: int
    number: int
    first: int
    response: float
    adds: float
    shares: FloatArray


class Looked(NamedTuple):
    """All parts of one score; `patterns`, `sums`, `long_term` and `rest` add up to `score`."""

    fired: list[Fired]
    patterns: float
    sums: float
    long_term: float
    rest: float
    score: float
    silent: int
    """Horizontal filters whose response was 0."""


def filters(request: ViewRequest) -> ViewData:
    """Return for each of the strongest filters the items that it looked at, and what each added to the score.

    Returns:
        A row for each filter and item under it: columns `filter` (a number, the strongest is 1), `kind` ("pattern" or
        "sum"), `items` (how many in a row it looks at), `place` (from 1, the oldest of the last items), `item`,
        `title`, `response` (of a pattern), `weight` (what the item added through the filter), `adds` (what the whole
        filter added). Facts: `item` (title), `titles` (of the last items, oldest first), `score`, `patterns`, `sums`,
        `long_term`, `rest` (these four add up to the score), `fired` and `of` (patterns), `span`.

    Raises:
        CannotScore: There is no history.
    """
    model: Cnn = request.model  # type: ignore[assignment]
    history = request.query.history[0].astype(np.int64)
    if not len(history):
        raise CannotScore("There is no history, so no filter saw anything; choose somebody who did something.")
    looked = looked_at(model, history, request.item)
    last = history[-min(model.config.span, model.config.window) :]
    titles = titles_of(request.dataset, last)
    empty = model.config.span - len(last)  # places before the beginning
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
        "item": titles_of(request.dataset, np.array([request.item]))[0],
        "titles": titles,
        "score": looked.score,
        "patterns": looked.patterns,
        "sums": looked.sums,
        "long_term": looked.long_term,
        "rest": looked.rest,
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
    vectors, span, width = arrays["items.weight"], model.config.span, model.config.width
    read = vectors[history[-model.config.window :]]
    window = np.zeros((span, width))
    window[max(0, span - len(read)) :] = read[-span:]
    responses, places = _responses(arrays, window)
    sums = arrays["down.weight"] @ window  # (vertical, D)
    mixed = arrays["mix.weight"] @ np.concatenate([responses, sums.ravel()]) + arrays["mix.bias"]
    target = vectors[item]
    reached = arrays["out.weight"][:, :width].T @ target * (mixed > 0)  # u (D,)
    slopes = arrays["mix.weight"].T @ reached  # what one more of each number in [o; v] would add
    fired = _patterns(arrays, window, responses, places, slopes) + _sums(arrays, window, slopes[len(responses) :])
    long_term = 0.0
    if model.config.long_term:
        long_term = float(target @ arrays["out.weight"][:, width:] @ read.mean(axis=0))
    parts = {kind: float(sum(one.adds for one in fired if one.kind == kind)) for kind in (PATTERN, SUM)}
    rest = float(arrays["mix.bias"] @ reached + arrays["out.bias"] @ target)
    score = parts[PATTERN] + parts[SUM] + long_term + rest
    return Looked(fired, parts[PATTERN], parts[SUM], long_term, rest, score, int((responses == 0).sum()))


def _responses(arrays: Mapping[str, NDArray[Any]], window: FloatArray) -> tuple[FloatArray, IntArray]:
    """(L x filters,) the strongest response of each horizontal filter, and the place of the window where it begins."""
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
    """Return the horizontal filters that fired."""
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
    """Return the vertical filters; `slopes` (vertical x D,) is what each number that they make adds to the score."""
    weights = arrays["down.weight"]  # (vertical, L)
    pulls = window @ slopes.reshape(len(weights), -1).T  # (L, vertical)
    shares = weights * pulls.T  # (vertical, L)
    return [
        Fired(SUM, len(window), number, 0, float("nan"), float(share.sum()), share)
        for number, share in enumerate(shares, start=1)
    ]
