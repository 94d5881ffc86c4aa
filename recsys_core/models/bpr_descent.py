"""Stochastic gradient descent on the BPR loss, in parallel and reproducible.

One step takes an observed pair (u, i) and samples an item j that the user has not seen. With x = s_ui - s_uj and
e = sigma(-x), the gradient step of -ln sigma(x) plus the L2 penalty of the parameters involved is

    p_u += learning_rate (e (q_i - q_j) - regularization p_u)
    q_i += learning_rate (e p_u - regularization q_i)         b_i += learning_rate (e - regularization b_i)
    q_j -= learning_rate (e p_u + regularization q_j)         b_j -= learning_rate (e + regularization b_j)

A pair of weight w, relative to the mean weight, has w steps per epoch on average, each with its own j: the integer part
of w plus a uniform random number. Multiplying the step by w instead would let it diverge for large weights.

Threads that update the same rows without locks (Hogwild) would make results depend on their timing. Here users and
items are divided into B blocks each, items anew in every epoch, and an epoch has B rounds: in round r, user block b is
trained with item block b + r (modulo B), and negatives come from the same item block. The B cells of a round share no
parameters, so they run in parallel, and the result does not depend on the number of threads. The parameters of a cell
fit the cache of a core, too, which makes even a single thread faster.

Source: Rendle et al. 2009, "BPR: Bayesian Personalized Ranking from Implicit Feedback", figure 4; blocks as in Gemulla
et al. 2011, "Large-Scale Matrix Factorization with Distributed Stochastic Gradient Descent", section 4.
"""

from typing import NamedTuple

import numpy as np

from recsys_core.contracts import FloatArray, IntArray
from recsys_core.models.compiled import compiled, compiled_fast
from recsys_core.models.observed import Rows

CACHE_BYTES = 512 * 1024
"""Parameters of a cell: half of the second-level cache of a current core."""
LEAST_ITEMS, LEAST_PAIRS = 64, 1000
"""Minimum mean number of items in a block, and of pairs in a cell: enough to sample negatives from."""
BITS_PER_PAIR = 256
"""Maximum size of the table of seen items of a cell, relative to its pairs; without a table the history is searched."""
ATTEMPTS = 16
"""Draws of a negative before the step is skipped, for users who have seen nearly all items of a block."""
ONE, LARGEST = np.float32(1.0), np.float32(30.0)
"""1, and the bound of x, beyond which e is 0 or 1 in single precision."""


class Parameters(NamedTuple):
    """The trained parameters: factors (U, D) and (I, D), item biases (I,), all float32."""

    user_factors: FloatArray
    item_factors: FloatArray
    item_bias: FloatArray


class Blocks(NamedTuple):
    """A division of users or items into B blocks.

    Args:
        order: (R,) uint32 positions by block.
        first: (B + 1,) first entry of each block in `order`.
        block: (R,) int32 block of each position.
        place: (R,) uint32 number of each position within its block.
    """

    order: IntArray
    first: IntArray
    block: IntArray
    place: IntArray


class Cells(NamedTuple):
    """The pairs of an epoch, grouped by user block and item block.

    Args:
        start: (B^2 + 1,) first pair of each cell, user block by user block.
        user: (N,) uint32.
        item: (N,) uint32.
        weight: (N,) float32 weight relative to the mean; (0,) if all are 1.
    """

    start: IntArray
    user: IntArray
    item: IntArray
    weight: FloatArray


class Pace(NamedTuple):
    """Step size, L2 regularization, and whether negatives are drawn by popularity instead of uniformly."""

    learning_rate: np.float32
    regularization: np.float32
    by_popularity: bool


def block_count(users: int, items: int, pairs: int, factors: int) -> int:
    """Return B: a power of 2 for which a cell fits the cache, or fewer if the data are small; 4 or more if possible."""
    wanted = max(4.0, 4.0 * factors * (users + items) / CACHE_BYTES)
    possible = min(wanted * 2 - 1, items / LEAST_ITEMS, users, (pairs / LEAST_PAIRS) ** 0.5, 256)
    return int(2 ** max(0, int(np.log2(max(1.0, possible)))))


def blocks_of(size: int, blocks: int, rng: np.random.Generator) -> Blocks:
    """Divide positions 0..size - 1 into random blocks of nearly equal size."""
    order = rng.permutation(size).astype(np.uint32)
    first = np.arange(blocks + 1) * size // blocks
    block, place = np.empty(size, dtype=np.int32), np.empty(size, dtype=np.uint32)
    block[order] = np.repeat(np.arange(blocks, dtype=np.int32), np.diff(first))
    place[order] = np.arange(size) - np.repeat(first[:-1], np.diff(first))
    return Blocks(order, first, block, place)


@compiled
def cells_of(rows: Rows, users: Blocks, items: Blocks) -> Cells:
    """Return the pairs of all rows, sorted by cell."""
    blocks = len(items.first) - 1
    start = np.zeros(blocks * blocks + 1, np.int64)
    for user in range(len(rows.start) - 1):
        for entry in range(rows.start[user], rows.start[user + 1]):
            start[users.block[user] * blocks + items.block[rows.column[entry]] + 1] += 1
    for cell in range(blocks * blocks):
        start[cell + 1] += start[cell]
    place = start[:-1].copy()
    cells = Cells(
        start,
        np.empty(len(rows.column), np.uint32),
        np.empty(len(rows.column), np.uint32),
        np.empty(len(rows.weight), np.float32),
    )
    for user in range(len(rows.start) - 1):
        for entry in range(rows.start[user], rows.start[user + 1]):
            item = rows.column[entry]
            cell = users.block[user] * blocks + items.block[item]
            cells.user[place[cell]], cells.item[place[cell]] = user, item
            if len(cells.weight) > 0:
                cells.weight[place[cell]] = rows.weight[entry]
            place[cell] += 1
    return cells


@compiled
def _next(state: IntArray) -> np.uint64:
    """Return the next 64 random bits (SplitMix64) and advance the state (1,), uint64."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    bits = state[0]
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.uint64 = bits ^ (bits >> np.uint64(31))
    return mixed


@compiled
def _below(state: IntArray, size: int) -> int:
    """Return a random integer from 0 to size - 1, for sizes below 2^32."""
    return int(((_next(state) >> np.uint64(32)) * np.uint64(size)) >> np.uint64(32))


@compiled
def visits(weight: np.float32, state: IntArray) -> int:
    """Return a random number of steps with the mean `weight`: its integer part or one more; 0 if it is negative."""
    if weight == ONE:
        return 1
    return int(max(weight, np.float32(0.0)) + (_next(state) >> np.uint64(11)) * 2.0**-53)


@compiled
def has(row: IntArray, item: int) -> bool:
    """Return whether increasing positions (n,) contain an item."""
    low, high = 0, len(row)
    while low < high:
        middle = (low + high) // 2
        if row[middle] < item:
            low = middle + 1
        else:
            high = middle
    return low < len(row) and row[low] == item


@compiled
def seen_in_cell(cells: Cells, first: int, end: int, users: Blocks, items: Blocks, size: int, columns: int) -> IntArray:
    """Return a table of bits, one per user and item of a cell, of the pairs first..end; (0,) if it would be large.

    Args:
        cells: The pairs.
        first: First pair of the cell.
        end: One past its last pair.
        users: User blocks.
        items: Item blocks.
        size: Number of users of the cell.
        columns: Number of items of the cell.
    """
    if size * columns > BITS_PER_PAIR * (end - first):
        return np.zeros(0, np.uint8)
    bits = np.zeros((size * columns + 7) // 8, np.uint8)
    for pair in range(first, end):
        bit = np.int64(users.place[cells.user[pair]]) * columns + np.int64(items.place[cells.item[pair]])
        bits[bit >> 3] |= np.uint8(1 << (bit & 7))
    return bits


@compiled
def negative(seen: IntArray, candidates: IntArray, state: IntArray) -> int:
    """Return an unseen item drawn from the candidates (n,), in which items may be repeated; -1 if none was found.

    Args:
        seen: (m,) increasing positions.
        candidates: Positions to draw from.
        state: Random state.
    """
    for _ in range(ATTEMPTS):
        item = candidates[_below(state, len(candidates))]
        if not has(seen, item):
            return int(item)
    return -1


@compiled
def negative_by_bits(
    bits: IntArray, user: np.int64, columns: int, candidates: IntArray, items: Blocks, state: IntArray
) -> int:
    """Return the same from a table of bits.

    Args:
        bits: Table of `seen_in_cell`.
        user: Number of the user within the block.
        columns: Number of items of the cell.
        candidates: Positions to draw from.
        items: Item blocks.
        state: Random state.
    """
    for _ in range(ATTEMPTS):
        item = candidates[_below(state, len(candidates))]
        bit = user * columns + np.int64(items.place[item])
        if not (bits[bit >> 3] >> np.uint8(bit & 7)) & np.uint8(1):
            return int(item)
    return -1


@compiled
def shuffle(cells: Cells, first: int, end: int, state: IntArray) -> None:
    """Shuffle the pairs first..end (Fisher-Yates)."""
    for place in range(end - 1, first, -1):
        other = first + _below(state, place - first + 1)
        cells.user[place], cells.user[other] = cells.user[other], cells.user[place]
        cells.item[place], cells.item[other] = cells.item[other], cells.item[place]
        if len(cells.weight) > 0:
            cells.weight[place], cells.weight[other] = cells.weight[other], cells.weight[place]


@compiled_fast
def descend(
    cells: Cells,
    rows: Rows,
    users: Blocks,
    items: Blocks,
    parameters: Parameters,
    pace: Pace,
    block: int,
    turn: int,
    seed: int,
) -> tuple[float, float]:
    """Make one step for each pair of a cell, in random order.

    Args:
        cells: The pairs; those of the cell are shuffled in place.
        rows: The items of each user.
        users: User blocks.
        items: Item blocks.
        parameters: Updated in place.
        pace: Settings of the descent.
        block: User block.
        turn: Item block.
        seed: Seed of this cell.

    Returns:
        The sum of -ln sigma(x) before each step, and the number of steps.
    """
    state = np.full(1, seed, np.uint64)
    cell = block * (len(items.first) - 1) + turn
    first, end = cells.start[cell], cells.start[cell + 1]
    shuffle(cells, first, end, state)
    candidates = items.order[items.first[turn] : items.first[turn + 1]]
    columns, size = len(candidates), users.first[block + 1] - users.first[block]
    if pace.by_popularity:
        candidates = cells.item[first:end].copy()
    bits = seen_in_cell(cells, first, end, users, items, size, columns)
    difference = np.empty(parameters.user_factors.shape[1], np.float32)
    before = np.empty(parameters.user_factors.shape[1], np.float32)
    loss, steps = 0.0, 0
    for pair in range(first, end):
        user = cells.user[pair]
        for _ in range(visits(cells.weight[pair], state) if len(cells.weight) > 0 else 1):
            if len(bits) > 0:
                other = negative_by_bits(bits, np.int64(users.place[user]), columns, candidates, items, state)
            else:
                other = negative(rows.column[rows.start[user] : rows.start[user + 1]], candidates, state)
            if other >= 0:
                loss += step(parameters, user, cells.item[pair], other, pace, difference, before)
                steps += 1
    return loss, steps


@compiled_fast
def step(
    parameters: Parameters,
    user: int,
    positive: int,
    other: int,
    pace: Pace,
    difference: FloatArray,
    before: FloatArray,
) -> float:
    """Make the step of the module for one pair and its negative, and return the loss before it.

    Args:
        parameters: Updated in place.
        user: u.
        positive: i.
        other: j, not i.
        pace: Settings of the descent.
        difference: (D,) buffer.
        before: (D,) buffer.
    """
    p, q, bias = parameters
    size, rate, penalty = p.shape[1], pace.learning_rate, pace.regularization
    x = bias[positive] - bias[other]
    for d in range(size):
        before[d] = p[user, d]
        difference[d] = q[positive, d] - q[other, d]
        x += before[d] * difference[d]
    x = min(max(x, -LARGEST), LARGEST)
    odds = np.exp(x)
    error = ONE / (ONE + odds)
    for d in range(size):
        p[user, d] += rate * (error * difference[d] - penalty * before[d])
    for d in range(size):
        q[positive, d] += rate * (error * before[d] - penalty * q[positive, d])
    for d in range(size):
        q[other, d] -= rate * (error * before[d] + penalty * q[other, d])
    bias[positive] += rate * (error - penalty * bias[positive])
    bias[other] -= rate * (error + penalty * bias[other])
    loss: float = np.log(ONE + odds) - x
    return loss


@compiled_fast
def fold_in(
    seen: IntArray, weight: FloatArray, parameters: Parameters, candidates: IntArray, pace: Pace, epochs: int
) -> FloatArray:
    """Return the factors (D,) of a user with this history, by the steps of the module with the items fixed.

    The step size decreases linearly to 0. The random numbers are always the same, so equal histories get equal
    factors.

    Args:
        seen: (n,) increasing positions.
        weight: (n,) float32 weights relative to the mean.
        parameters: The trained parameters; those of users are not read.
        candidates: Items to draw negatives from, see `negative`.
        pace: Settings of the descent.
        epochs: Number of passes over the history.
    """
    size, state = parameters.item_factors.shape[1], np.zeros(1, np.uint64)
    factors, q, bias = np.zeros(size, np.float32), parameters.item_factors, parameters.item_bias
    total = epochs * len(seen)
    for number in range(total):
        rate = pace.learning_rate * np.float32((total - number) / total)
        place = _below(state, len(seen))
        positive = seen[place]
        for _ in range(visits(weight[place], state)):
            other = negative(seen, candidates, state)
            if other < 0:
                continue
            x = bias[positive] - bias[other]
            for d in range(size):
                x += factors[d] * (q[positive, d] - q[other, d])
            error = ONE / (ONE + np.exp(min(x, LARGEST)))
            for d in range(size):
                change = error * (q[positive, d] - q[other, d]) - pace.regularization * factors[d]
                factors[d] += rate * change
    return factors
