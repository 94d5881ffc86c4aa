"""Place candidates under all rules at once: bounds, slots and pins, place by place, the best candidate that fits.

At each place, in this order of precedence:

1. Upper bounds: a candidate that would break one in any of the windows around the place, later pins included, is out.
2. Slots: a candidate that does not meet the condition of a slot at this place is out. Without any that fits, the best
   other one takes the place, or the list ends if the slot is strict.
3. Pins: an item stands at its place unless 1, 2 or an earlier card's pin prevents it there; then it competes as the
   candidate that it is. In a list that is too short for its place it moves up.
4. Lower bounds: each is a number of jobs with a deadline, the last place of its window. When the jobs due by a deadline
   are as many as the places left until then, only candidates of the groups that wait are placed (earliest deadline
   first), those of most groups first if there are more jobs than places.
5. The order of the candidates, or a draw (`exploration`).

Upper bounds hold always: a list gets shorter before it breaks one. With one lower bound, or several over groups without
common items and with the same places, the jobs are met whenever the candidates suffice; else the greedy order may miss
a list that an exhaustive search would find.

Source: deadlines as in Jackson 1955, "Scheduling a production line to minimize maximum tardiness"; the rest is ours.
"""

from dataclasses import replace

import numpy as np

from recsys_core.contracts import PAD, BoolArray, FloatArray, IntArray
from recsys_core.models.compiled import compiled
from recsys_core.strategy.exploration import NO_DRAW, Draw, drawn
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.pool import Pool
from recsys_core.strategy.relevance import NONE
from recsys_core.strategy.rules import Groups, PinTable, Rule, SlotTable, groups_of, pins_of, slots_of


def placed(pool: Pool, facts: Facts, draw: Draw | None = None, rules: tuple[Rule, ...] | None = None) -> Pool:
    """Return the pool with its first k places filled under the rules, and the other candidates behind.

    Args:
        pool: The candidates.
        facts: Facts of the data.
        draw: Chooses among the candidates that fit; None: the first.
        rules: Instead of those of the pool.
    """
    kept = pool.rules if rules is None else rules
    groups = groups_of(kept, pool.users, pool.item, pool.k, facts)
    slots, pins = slots_of(kept, pool.users, pool.item, facts), pins_of(kept, pool.item)
    users, width = pool.item.shape
    order = np.full((users, pool.k + width), NONE, dtype=np.int64)
    propensity = np.full((users, pool.k), np.nan)
    fill_all(pool.item != PAD, groups, slots, pins, NO_DRAW if draw is None else draw, order, propensity)
    used = (order != NONE).any(axis=0)
    last = int(used.nonzero()[0].max(initial=-1)) + 1
    found = pool.taking(order[:, : max(last, 1)])
    return found if draw is None else replace(found, propensity=propensity)


@compiled
def fill_all(
    valid: BoolArray,
    groups: Groups,
    slots: SlotTable,
    pins: PinTable,
    draw: Draw,
    order: IntArray,
    propensity: FloatArray,
) -> None:
    """Fill the lists of all users.

    Args:
        valid: (B, N) the candidates.
        groups: Groups of bounds.
        slots: Slots.
        pins: Pins.
        draw: The draw.
        order: (B, k + N) filled with columns: the list, then the other candidates in their old order.
        propensity: (B, k) filled with probabilities.
    """
    k = propensity.shape[1]
    for user in range(len(valid)):
        free = valid[user].copy()
        shown = np.full(k, -1)
        late = _pin(user, free, shown, groups, slots, pins)
        _fill(user, free, shown, late, groups, slots, draw, propensity)
        taken = np.zeros(len(free), dtype=np.bool_)
        for place in range(k):
            order[user, place] = shown[place]
            if shown[place] >= 0:
                taken[shown[place]] = True
        at = k
        for column in range(len(free)):
            if valid[user, column] and not taken[column]:
                order[user, at] = column
                at += 1


@compiled
def _pin(user: int, free: BoolArray, shown: IntArray, groups: Groups, slots: SlotTable, pins: PinTable) -> IntArray:
    """Put pinned items at their places; return the columns of those whose place is behind the list, else -1."""
    late = np.full(len(pins.place), -1)
    for pin in range(len(pins.place)):
        column, place = pins.column[pin, user], pins.place[pin]
        if column < 0 or not free[column]:
            continue
        if place >= len(shown):
            late[pin] = column
            free[column] = False
        elif shown[place] < 0 and in_slots(user, column, place, slots) and fits(user, column, place, shown, groups):
            shown[place] = column
            free[column] = False
    return late


@compiled
def _fill(
    user: int,
    free: BoolArray,
    shown: IntArray,
    late: IntArray,
    groups: Groups,
    slots: SlotTable,
    draw: Draw,
    propensity: FloatArray,
) -> None:
    """Fill the places that no pin holds."""
    k = len(shown)
    able = np.empty(len(free), np.int64)
    due = np.zeros((len(groups.needy), k), np.int64)
    supply = _supply(user, free, groups)
    for place in range(k):
        if shown[place] >= 0:
            propensity[user, place] = 1.0
            continue
        column, chance = _chosen(user, place, free, shown, due, supply, able, groups, slots, draw)
        if column < 0:
            column, chance = _moved_up(user, place, shown, late, groups, slots), 1.0
        if column < 0:
            shown[place:] = -1
            return
        shown[place] = column
        if free[column]:
            free[column] = False
            for number in range(len(groups.needy)):
                supply[number] -= is_in(user, column, groups.needy[number], groups)
        propensity[user, place] = chance


@compiled
def _chosen(
    user: int,
    place: int,
    free: BoolArray,
    shown: IntArray,
    due: IntArray,
    supply: IntArray,
    able: IntArray,
    groups: Groups,
    slots: SlotTable,
    draw: Draw,
) -> tuple[int, float]:
    """Return the column for a place and its probability; -1 if no candidate fits."""
    deadline, overdue = -1, False
    if len(groups.needy) > 0:
        deadline, overdue = _tight(user, place, shown, due, supply, groups)
    all_of_them = draw.method != 0 or deadline >= 0
    count = _able(user, place, free, shown, able, groups, slots, True, all_of_them)
    if count == 0:
        for slot in range(len(slots.first)):
            if slots.strict[slot] and slots.first[slot] <= place <= slots.last[slot]:
                return -1, 1.0
        count = _able(user, place, free, shown, able, groups, slots, False, all_of_them)
        if count == 0:
            return -1, 1.0
    if deadline >= 0:
        count = _waiting(user, able, count, due[:, deadline], groups, overdue)
    return drawn(user, place, able, count, draw)


@compiled
def _able(
    user: int,
    place: int,
    free: BoolArray,
    shown: IntArray,
    able: IntArray,
    groups: Groups,
    slots: SlotTable,
    slotted: bool,
    all_of_them: bool,
) -> int:
    """Write the candidates that fit at a place, or the first one only, and return their number."""
    count = 0
    for column in range(len(free)):
        if not free[column] or (slotted and not in_slots(user, column, place, slots)):
            continue
        if fits(user, column, place, shown, groups):
            able[count] = column
            count += 1
            if not all_of_them:
                break
    return count


@compiled
def _waiting(user: int, able: IntArray, count: int, due: IntArray, groups: Groups, overdue: bool) -> int:
    """Keep the candidates of groups with jobs due, of most groups if overdue; all where there is none."""
    best, kept = 0, 0
    covered = np.zeros(count, np.int64)
    for index in range(count):
        for number in range(len(due)):
            if due[number] > 0 and is_in(user, able[index], groups.needy[number], groups):
                covered[index] += 1
        best = max(best, covered[index])
    if best == 0:
        return count
    for index in range(count):
        if covered[index] >= (best if overdue else 1):
            able[kept] = able[index]
            kept += 1
    return kept


@compiled
def _moved_up(user: int, place: int, shown: IntArray, late: IntArray, groups: Groups, slots: SlotTable) -> int:
    """Return the next pinned item that fits at an earlier place, taken from its own; -1 if there is none."""
    for later in range(place + 1, len(shown)):
        column = shown[later]
        if column >= 0:
            shown[later] = -1
            if in_slots(user, column, place, slots) and fits(user, column, place, shown, groups):
                return int(column)
            shown[later] = column
    for pin in range(len(late)):
        column = late[pin]
        if column >= 0 and in_slots(user, column, place, slots) and fits(user, column, place, shown, groups):
            late[pin] = -1
            return int(column)
    return -1


@compiled
def is_in(user: int, column: int, group: int, groups: Groups) -> bool:
    """Return whether a candidate is in a group."""
    key = groups.key[user, column]
    for entry in range(groups.start[key], groups.start[key + 1]):  # noqa: SIM110 - compiled code has no generators
        if groups.group[entry] == group:
            return True
    return False


@compiled
def in_slots(user: int, column: int, place: int, slots: SlotTable) -> bool:
    """Return whether a candidate meets the conditions of all slots at a place."""
    for slot in range(len(slots.first)):
        if slots.first[slot] <= place <= slots.last[slot] and not slots.met[slot, user, column]:
            return False
    return True


@compiled
def fits(user: int, column: int, place: int, shown: IntArray, groups: Groups) -> bool:
    """Return whether a candidate at a place keeps all upper bounds, given what is shown before and pinned behind."""
    key = groups.key[user, column]
    for entry in range(groups.start[key], groups.start[key + 1]):
        group = groups.group[entry]
        most, width = groups.most[group], groups.places[group]
        if most >= len(shown) or (not groups.sliding[group] and place >= width):
            continue
        start = max(0, place - width + 1) if groups.sliding[group] else 0
        end = min(place, len(shown) - width) if groups.sliding[group] else 0
        count = 0
        for other in range(start, start + width):
            if other != place and shown[other] >= 0 and is_in(user, shown[other], group, groups):
                count += 1
        while count < most and start < end:  # slide the window
            if start != place and shown[start] >= 0 and is_in(user, shown[start], group, groups):
                count -= 1
            after = start + width
            if after != place and shown[after] >= 0 and is_in(user, shown[after], group, groups):
                count += 1
            start += 1
        if count >= most:
            return False
    return True


@compiled
def _supply(user: int, free: BoolArray, groups: Groups) -> IntArray:
    """Return (L,) the candidates of each group with a smallest count."""
    supply = np.zeros(len(groups.needy), np.int64)
    for column in range(len(free)):
        for number in range(len(supply)):
            supply[number] += free[column] and is_in(user, column, groups.needy[number], groups)
    return supply


@compiled
def _tight(user: int, place: int, shown: IntArray, due: IntArray, supply: IntArray, groups: Groups) -> tuple[int, bool]:
    """Fill (L, k) the items that each group still needs up to each place.

    Returns:
        The first place by which as many are due as places are left, -1 without one; and whether more are due.
    """
    due[:] = 0
    waiting = False
    for number in range(len(groups.needy)):
        group = groups.needy[number]
        width, sliding = groups.places[group], groups.sliding[group]
        for end in range(max(place, width - 1), min(place + width, len(shown)) if sliding else width):
            count = 0
            for other in range(end - width + 1, end + 1):
                if shown[other] >= 0 and is_in(user, shown[other], group, groups):
                    count += 1
            due[number, end] = max(0, min(groups.least[group] - count, supply[number]))
            waiting = waiting or due[number, end] > 0
        for end in range(place + 1, len(shown)):
            due[number, end] = max(due[number, end], due[number, end - 1])
    if waiting:
        left = 0
        for end in range(place, len(shown)):
            left += shown[end] < 0
            total = due[:, end].sum()
            if total > 0 and total >= left:
                return end, total > left
    return -1, False
