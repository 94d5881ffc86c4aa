"""Coordinate descent of SLIM (`slim.py`) on the Gram matrix, column by column, on a set of active items."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import BoolArray, FloatArray, IntArray, RunContext
from recsys_core.models.compiled import Sparse, compiled, compiled_fast, sparse
from recsys_core.training.blocks import run_in_blocks

GRAM_ROWS = 64
"""Number of rows of the Gram matrix that a thread fills at a time."""
DENSE_FROM = 0.1
"""Density (or an upper bound of it) from which the Gram matrix is dense: a dense row is subtracted faster per entry."""
FIRST_ACTIVE = 64
"""Maximum number of items that become active at once; later, as many as are active already."""
EARLY = 0.02
"""While items are added, the descent is as accurate as this share of the largest change that they will make."""
MAX_SWEEPS, MAX_ROUNDS = 1000, 100
"""Bounds of loops that end earlier unless rounding errors prevent it."""


class Gram(NamedTuple):
    """The Gram matrix G, float32: `dense` (I, I), or `rows` (I, I) with an empty `dense`; `diagonal` (I,)."""

    dense: FloatArray
    rows: Sparse
    diagonal: FloatArray


class Penalty(NamedTuple):
    """Regularization lambda_1 and lambda_2, whether weights are >= 0, and the largest change of a weight at the end."""

    l1: float
    l2: float
    nonnegative: bool
    tolerance: float


class Column(NamedTuple):
    """One column of W during its descent.

    Args:
        weight: (I,) w.
        slope: (I,) G_j - G w.
        active: (I,) positions of active items, of which the first ones are in use.
        is_active: (I,) whether an item is active, or the item of the column itself.
    """

    weight: FloatArray
    slope: FloatArray
    active: IntArray
    is_active: BoolArray


def gram_of(interactions: csr_array, ctx: RunContext) -> Gram:
    """Return G = X^T X of a (U, I) matrix X: sparse if few items share users, else dense.

    Raises:
        Cancelled: The run was cancelled; checked between blocks.
    """
    items = interactions.shape[1]
    pairs = float(np.square(np.diff(interactions.indptr).astype(np.float64)).sum())
    diagonal = np.bincount(interactions.indices, np.square(interactions.data, dtype=np.float64), minlength=items)
    nothing = Sparse(np.zeros(1, np.int64), np.zeros(0, np.uint32), np.zeros(0, np.float32))
    if pairs < DENSE_FROM * items * items:
        for _ in ctx.track(range(1), stage="multiply items by items"):
            product = csr_array(interactions.T @ interactions, dtype=np.float32)
            product.sort_indices()
        # not by `sparse`, whose values are float64
        rows = Sparse(product.indptr.astype(np.int64), product.indices.astype(np.uint32), product.data)
        return Gram(np.zeros((0, 0), np.float32), rows, diagonal.astype(np.float32))
    gram = np.empty((items, items), dtype=np.float32)
    by_item, by_user = sparse(interactions.T.tocsr()), sparse(interactions)
    run_in_blocks(
        lambda first, end: _fill_rows(by_item, by_user, gram, first, end),
        items,
        GRAM_ROWS,
        ctx,
        stage="multiply items by items",
    )
    return Gram(gram, nothing, diagonal.astype(np.float32))


@compiled
def _fill_rows(by_item: Sparse, by_user: Sparse, gram: FloatArray, first: int, end: int) -> None:
    """Fill rows first..end of `gram`, each summed in float64 over the users of its item."""
    sums = np.empty(gram.shape[1])
    for item in range(first, end):
        sums[:] = 0.0
        for place in range(by_item.start[item], by_item.start[item + 1]):
            user, value = by_item.column[place], by_item.value[place]
            for entry in range(by_user.start[user], by_user.start[user + 1]):
                sums[by_user.column[entry]] += value * by_user.value[entry]
        for other in range(len(sums)):
            gram[item, other] = np.float32(sums[other])


@compiled
def descend_columns(gram: Gram, penalty: Penalty, first: int, weights: FloatArray) -> None:
    """Compute the columns of W of the items from `first` on; `weights` (n, I) is zero and gets one column per row."""
    items = weights.shape[1]
    active, is_active = np.empty(items, np.int64), np.empty(items, np.bool_)
    slope, gain = np.empty(items, np.float32), np.empty(items, np.float32)
    products = np.empty(4 * FIRST_ACTIVE * FIRST_ACTIVE, np.float32)
    place_of = np.full(items, -1, np.int64)
    for row in range(len(weights)):
        item = first + row
        is_active[:] = False
        is_active[item] = True
        slope[:] = 0.0
        _subtract_row(gram, item, np.float32(-1.0), slope)
        column = Column(weights[row], slope, active, is_active)
        number, accuracy = 0, np.float32(0.0)
        for _ in range(MAX_ROUNDS):
            added, largest = _activate(gram.diagonal, penalty, column, number, gain)
            if added == 0 and accuracy <= penalty.tolerance:
                break
            number += added
            accuracy = np.float32(max(penalty.tolerance, EARLY * float(largest)))
            if len(products) < number * number:
                products = np.empty(2 * number * number, np.float32)
            square = products[: number * number].reshape(number, number)
            _gather(gram, active[:number], place_of, square)
            number = _descend(gram, penalty, column, number, square, accuracy)


@compiled
def _activate(
    diagonal: FloatArray, penalty: Penalty, column: Column, number: int, gain: FloatArray
) -> tuple[int, np.float32]:
    """Add the items that violate their condition most, by the gain of the objective; return their number, and the
    largest weight that one of them would get.
    """
    l1, l2, tolerance = np.float32(penalty.l1), np.float32(penalty.l2), np.float32(penalty.tolerance)
    found, largest = 0, np.float32(0.0)
    for item in range(len(gain)):
        gain[item] = 0.0
        if column.is_active[item]:
            continue
        slope = column.slope[item]
        excess = (slope if penalty.nonnegative else abs(slope)) - l1
        curvature = diagonal[item] + l2
        if excess > tolerance * curvature:
            gain[item] = excess * excess / curvature
            largest = max(largest, excess / curvature)
            found += 1
    most = max(FIRST_ACTIVE, number)
    least = np.float32(0.0)
    if found > most:
        least = np.partition(gain, len(gain) - most)[len(gain) - most]
    added = 0
    for item in range(len(gain)):
        if gain[item] > 0.0 and gain[item] >= least:
            column.active[number + added] = item
            column.is_active[item] = True
            added += 1
    return added, largest


@compiled
def _gather(gram: Gram, active: IntArray, place_of: IntArray, square: FloatArray) -> None:
    """Fill `square` (n, n) with the products of the active items (n,); `place_of` (I,) is -1 before and after."""
    if len(gram.dense) > 0:
        for row in range(len(active)):
            products = gram.dense[active[row]]
            for column in range(len(active)):
                square[row, column] = products[active[column]]
        return
    for place in range(len(active)):
        place_of[active[place]] = place
    square[:] = 0.0
    for row in range(len(active)):
        for entry in range(gram.rows.start[active[row]], gram.rows.start[active[row] + 1]):
            place = place_of[gram.rows.column[entry]]
            if place >= 0:
                square[row, place] = gram.rows.value[entry]
    for place in range(len(active)):
        place_of[active[place]] = -1


@compiled_fast
def _descend(
    gram: Gram, penalty: Penalty, column: Column, number: int, square: FloatArray, accuracy: np.float32
) -> int:
    """Run coordinate descent on the active items, update the slope of all items, and deactivate items of weight 0.

    Returns:
        The number of items that are still active.
    """
    l1, l2, zero = np.float32(penalty.l1), np.float32(penalty.l2), np.float32(0.0)
    weight, slope = column.weight[column.active[:number]], column.slope[column.active[:number]]
    for _ in range(MAX_SWEEPS):
        largest = zero
        for place in range(number):
            products = square[place]
            target = slope[place] + products[place] * weight[place]
            shrunk = max(target - l1, zero)
            if not penalty.nonnegative:
                shrunk += min(target + l1, zero)
            change = shrunk / (products[place] + l2) - weight[place]
            if change != zero:
                weight[place] += change
                largest = max(largest, abs(change))
                for other in range(number):
                    slope[other] -= change * products[other]
        if largest <= accuracy:
            break
    kept = 0
    for place in range(number):
        item = column.active[place]
        change = weight[place] - column.weight[item]
        if change != zero:
            _subtract_row(gram, item, change, column.slope)
        column.weight[item] = weight[place]
        column.is_active[item] = weight[place] != zero
        if weight[place] != zero:
            column.active[kept] = item
            kept += 1
    return kept


@compiled_fast
def _subtract_row(gram: Gram, item: int, change: np.float32, slope: FloatArray) -> None:
    """Subtract `change` times a row of G from `slope` (I,)."""
    if len(gram.dense) > 0:
        products = gram.dense[item]
        for other in range(len(slope)):
            slope[other] -= change * products[other]
    else:
        for entry in range(gram.rows.start[item], gram.rows.start[item + 1]):
            slope[gram.rows.column[entry]] -= change * gram.rows.value[entry]
