"""Search for the k most similar items of every item, without a step for each of the I^2 pairs.

Items that share no user have similarity 0, so only those that do are visited where they are few (at most one in
`SCANNED` of the catalog): the work is that of the shared ratings, and not of the square of the catalog. Where they are
many, all items are scanned in order, which is faster per item.

The plain cosine is symmetric, and computed once per pair, from the item that comes first: item i is compared with the
later items j of its users. Each thread keeps lists of k neighbors for all items, and enters the pair in those of i and
j; at the end the lists of all threads are merged. Neighbors are ordered by similarity, then by position, so neither
threads nor the order of pairs have any influence. Sums run over the shared users in their order from either side.
"""

from queue import SimpleQueue
from typing import NamedTuple

import numpy as np

from recsys_core.contracts import BoolArray, FloatArray, IntArray, RunContext
from recsys_core.models.compiled import Sparse, compiled
from recsys_core.models.most_similar import top_similar
from recsys_core.models.similarity import (
    COSINE,
    DENOMINATOR,
    Measure,
    Rows,
    add_sums,
    similarity_of,
    sums_buffer,
)
from recsys_core.training.blocks import run_in_blocks

BLOCK = 64
"""Number of items whose neighbors a thread searches at a time."""
SCANNED = 4
"""The items are scanned in order if more than one in this number shares a user with the item, counted repeatedly."""
STEP = 64
"""Number of items that are checked at a time for one that is similar enough."""
SLACK = 1.0 - 1e-12
"""Factor of a bound on products, so that rounding never excludes a neighbor."""
LISTS_BYTES = 512 * 2**20
"""Maximum bytes of the lists of all threads; fewer threads are used beyond it."""


class Nearest(NamedTuple):
    """The most similar items of each item: `item` and `strength` (I, K), most similar first; strength 0 ends a row."""

    item: IntArray
    strength: FloatArray


class Lists(NamedTuple):
    """Lists of neighbors that one thread fills, and its buffers, which are 0 between two items.

    Args:
        item: (I, K) int32 neighbors, most similar first; ties by position.
        strength: (I, K) their similarities, float64: rounding would reorder ties.
        size: (I,) length of each list.
        floor: (I,) a product of more than the floor times both norms may enter the list.
        product: (I,) sums of products with one item.
        touched: (I,) items with such a sum.
    """

    item: IntArray
    strength: FloatArray
    size: IntArray
    floor: FloatArray
    product: FloatArray
    touched: IntArray


def nearest_items(measure: Measure, compared: Rows, vectors: Sparse, size: int, ctx: RunContext) -> Nearest:
    """Return the `size` most similar items of every item, those of positive similarity; strengths are float32.

    Args:
        measure: Similarity and its shrinkage.
        compared: All I items.
        vectors: (I, U) the same items as rows.
        size: Maximum number of neighbors, at most I.
        ctx: Threads, progress and cancellation.

    Raises:
        Cancelled: The run was cancelled; checked between blocks.
    """
    items = len(compared.size)
    nearest = Nearest(np.zeros((items, size), dtype=np.int32), np.zeros((items, size), dtype=np.float32))
    if is_plain_cosine(measure) and len(vectors.column) == len(compared.row):
        _once_per_pair(measure, compared, vectors, nearest, ctx)
        return nearest

    def find(first: int, end: int) -> None:
        search(measure, compared, vectors, first, end, nearest)

    run_in_blocks(find, items, BLOCK, ctx, stage="compare items")
    return nearest


def is_plain_cosine(measure: Measure) -> bool:
    """Return whether the similarity is a cosine that depends on the products and norms alone."""
    unshrunk = measure.shrinkage <= 0.0 or measure.form == DENOMINATOR
    return measure.kind == COSINE and unshrunk and measure.min_overlap <= 1


def _once_per_pair(measure: Measure, compared: Rows, vectors: Sparse, nearest: Nearest, ctx: RunContext) -> None:
    items, size = nearest.item.shape
    free: SimpleQueue[Lists] = SimpleQueue()
    after = places_after(compared, vectors)
    used = max(1, min(ctx.threads, LISTS_BYTES // (12 * items * size)))
    made = [_empty_lists(items, size) for _ in range(used)]
    for one in made:
        free.put(one)

    def find(first: int, end: int) -> None:
        own = free.get()
        try:
            search_later_items(measure, compared, vectors, after, first, end, own)
        finally:
            free.put(own)

    run_in_blocks(find, items, BLOCK, ctx, stage="compare items")
    for one in made[1:]:
        merge(one, made[0])
    nearest.item[:], nearest.strength[:] = made[0].item, made[0].strength


def _empty_lists(items: int, size: int) -> Lists:
    return Lists(
        item=np.zeros((items, size), dtype=np.int32),
        strength=np.zeros((items, size)),
        size=np.zeros(items, dtype=np.int64),
        floor=np.zeros(items),
        product=np.zeros(items),
        touched=np.zeros(items, dtype=np.int64),
    )


@compiled
def places_after(compared: Rows, vectors: Sparse) -> IntArray:
    """Return (N,) for each entry of the items, in their order, the place in `compared` after that of the entry."""
    place, after = compared.start.copy(), np.empty(len(vectors.column), dtype=np.int64)
    for entry in range(len(after)):
        user = vectors.column[entry]
        place[user] += 1
        after[entry] = place[user]
    return after


@compiled
def search_later_items(
    measure: Measure, compared: Rows, vectors: Sparse, after: IntArray, first: int, end: int, lists: Lists
) -> None:
    """Enter the pairs of the items first..end with all later items in both lists, for the plain cosine.

    Args:
        measure: The cosine.
        compared: All items.
        vectors: (I, U) the same items as rows.
        after: Where the later items of the user of each entry of `vectors` start in `compared`, see `places_after`.
        first: First item.
        end: One past the last item.
        lists: Lists of this thread.
    """
    items = len(compared.size)
    for item in range(first, end):
        users = vectors.column[vectors.start[item] : vectors.start[item + 1]]
        values = vectors.value[vectors.start[item] : vectors.start[item + 1]]
        behind = after[vectors.start[item] : vectors.start[item + 1]]
        later = 0
        for entry in range(len(users)):
            later += compared.start[users[entry] + 1] - behind[entry]
        if SCANNED * later < items - item:
            for place in range(_add_few(compared, users, values, behind, lists)):
                other = lists.touched[place]
                if lists.product[other] > 0.0:
                    _enter(measure, compared, item, other, lists)
                lists.product[other] = 0.0
        else:
            _add_many(compared, users, values, behind, lists.product)
            _scan(measure, compared, item, lists)


@compiled
def _add_many(compared: Rows, users: IntArray, values: FloatArray, after: IntArray, product: FloatArray) -> None:
    """Add the products of the item with the later items of its users."""
    for entry in range(len(users)):
        x, first, end = values[entry], after[entry], compared.start[users[entry] + 1]
        others, other_values = compared.row[first:end], compared.value[first:end]
        for place in range(len(others)):
            product[others[place]] += x * other_values[place]


@compiled
def _add_few(compared: Rows, users: IntArray, values: FloatArray, after: IntArray, lists: Lists) -> int:
    """Do the same, note the items in `touched`, and return their number; one whose sum returns to 0 is noted twice."""
    number = 0
    for entry in range(len(users)):
        x, first, end = values[entry], after[entry], compared.start[users[entry] + 1]
        for place in range(first, end):
            other = compared.row[place]
            if lists.product[other] == 0.0:
                lists.touched[number] = other
                number += 1
            lists.product[other] += x * compared.value[place]
    return number


@compiled
def _scan(measure: Measure, compared: Rows, item: int, lists: Lists) -> None:
    """Enter all later items whose product is above 0, and reset the products."""
    items, length, own = len(compared.size), compared.length[item], lists.floor
    for first in range(item + 1, items, STEP):
        last = min(first + STEP, items)
        products, lengths, floors = lists.product[first:last], compared.length[first:last], own[first:last]
        lowest, count = own[item], 0
        for place in range(len(products)):  # vectorized by the compiler
            bound = length * lengths[place]
            count += (products[place] > floors[place] * bound) | (products[place] > lowest * bound)
        for place in range(len(products) if count else 0):
            bound = length * lengths[place]
            if products[place] > floors[place] * bound or products[place] > lowest * bound:
                _enter(measure, compared, item, first + place, lists)
        products[:] = 0.0


@compiled
def _enter(measure: Measure, compared: Rows, item: int, other: int, lists: Lists) -> None:
    """Compute the cosine of a pair with a positive product, and enter it in the lists of both items."""
    bound = compared.length[item] * compared.length[other]
    if not lists.product[other] > min(lists.floor[item], lists.floor[other]) * bound:
        return
    added = measure.shrinkage if measure.form == DENOMINATOR else 0.0
    strength = lists.product[other] / (bound + added)
    insert_neighbor(lists, item, other, strength)
    insert_neighbor(lists, other, item, strength)


@compiled
def insert_neighbor(lists: Lists, item: int, other: int, strength: float) -> None:
    """Insert a neighbor in the list of an item; equal similarities are ordered by position."""
    best, strengths, size = lists.item[item], lists.strength[item], lists.size[item]
    k = len(best)
    place = size
    if size == k:
        place = k - 1
        if not _precedes(strength, other, strengths[place], best[place]):
            return
    while place > 0 and _precedes(strength, other, strengths[place - 1], best[place - 1]):
        strengths[place], best[place] = strengths[place - 1], best[place - 1]
        place -= 1
    strengths[place], best[place] = strength, other
    lists.size[item] = min(size + 1, k)
    if lists.size[item] == k:
        lists.floor[item] = strengths[k - 1] * SLACK


@compiled
def _precedes(strength: float, item: int, than: float, place: int) -> bool:
    """Return whether a neighbor stands before another one of similarity `than` at position `place`."""
    return strength > than or (strength == than and item < place)


@compiled
def merge(part: Lists, whole: Lists) -> None:
    """Enter the neighbors of one thread in the lists of another."""
    for item in range(len(part.size)):
        for place in range(part.size[item]):
            insert_neighbor(whole, item, part.item[item, place], part.strength[item, place])


@compiled
def search(measure: Measure, compared: Rows, vectors: Sparse, first: int, end: int, nearest: Nearest) -> None:
    """Fill the rows first..end of `nearest`, whose strengths are 0, for any similarity."""
    sums = sums_buffer(measure, compared, False)
    items, size = nearest.item.shape
    strength, best = np.empty(size), np.empty(size, dtype=np.int32)
    sharing, marked = np.empty(items, dtype=np.int64), np.zeros(items, dtype=np.bool_)
    similarity = np.empty(items)
    everybody: IntArray = np.arange(items)
    for item in range(first, end):
        entries = slice(vectors.start[item], vectors.start[item + 1])
        columns, values = vectors.column[entries], vectors.value[entries]
        others = everybody
        products = 0
        for column in columns:
            products += compared.start[column + 1] - compared.start[column]
        if SCANNED * products < items:
            others = _sharing(compared, columns, marked, sharing)
        if len(others) == items:
            sums[:] = 0.0
        for other in others[: 0 if len(others) == items else len(others)]:
            sums[other] = 0.0
        add_sums(measure, compared, columns, values, sums)
        length = np.sqrt(np.sum(values**2))
        for place in range(len(others)):
            other = others[place]
            own = 0.0 if other == item else similarity_of(measure, compared, sums[other], length, len(columns), other)
            similarity[place] = own
        found = top_similar(similarity[: len(others)], best, strength)
        for place in range(found):
            nearest.item[item, place] = others[best[place]]
            nearest.strength[item, place] = strength[place]


@compiled
def _sharing(compared: Rows, columns: IntArray, marked: BoolArray, sharing: IntArray) -> IntArray:
    """Return the rows that share one of the columns, increasing; `marked` is False before and after."""
    number = 0
    for column in columns:
        for place in range(compared.start[column], compared.start[column + 1]):
            row = compared.row[place]
            if not marked[row]:
                marked[row] = True
                sharing[number] = row
                number += 1
    found = np.sort(sharing[:number])
    for row in found:
        marked[row] = False
    return found
