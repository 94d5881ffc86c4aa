"""Target policies: for each user, the probability of each candidate at each position.

Three policies follow from the list of a model or a strategy:

    deterministic  the list itself
    epsilon        the list with probability 1 - epsilon, else a uniformly random order of its candidates
    softmax        Plackett-Luce with weights exp(-rank / temperature), so the temperature is in places

Probabilities are exact, not simulated.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from recsys_core.contracts import PAD, BoolArray, FloatArray, IntArray
from recsys_core.data.plackett_luce import place_probabilities
from recsys_core.errors import ConfigError, DataError
from recsys_core.text import _

PolicyKind = Literal["deterministic", "epsilon", "softmax"]
KINDS: tuple[PolicyKind, ...] = ("deterministic", "epsilon", "softmax")
MOST_CELLS = 50_000_000
"""Largest number of probabilities of a policy, 400 MB."""


@dataclass(frozen=True, eq=False)
class Policy:
    """Probabilities of candidates: U users, R lists, N candidates, P positions.

    Args:
        item: (R, N) codes of the candidates, `PAD` where there is none; no item twice in a list.
        probability: (R, P, N) probability of each candidate at each position; a sum below 1 shows nothing else. Nothing
            is shown at later positions.
        row: (U,) list of each user, `PAD` for users without one; by default list u is that of user u.
    """

    item: IntArray
    probability: FloatArray
    row: IntArray | None = None

    @property
    def places(self) -> int:
        """P, the number of positions that the policy fills."""
        return int(self.probability.shape[1])

    @property
    def covered(self) -> BoolArray:
        """(U,) whether a user has candidates."""
        listed: BoolArray = (self.item != PAD).any(axis=1)
        if self.row is None:
            return listed
        found: BoolArray = (self.row != PAD) & listed[np.maximum(self.row, 0)]
        return found

    def rows(self, user: IntArray) -> IntArray:
        """Return the list of each user; the first for users without one, who are not covered."""
        return user if self.row is None else np.maximum(self.row[user], 0)

    def of(self, user: IntArray, item: IntArray, place: IntArray) -> FloatArray:
        """Return (R,) the probability of showing an item to a user at a place; 0 for what is not a candidate."""
        width = self.item.shape[1]
        if not width or not len(user):
            return np.zeros(len(user))
        size = max(int(self.item.max(initial=0)), int(item.max(initial=0))) + 2  # item codes shifted by one: PAD is 0
        keys = (np.arange(len(self.item))[:, None] * size + self.item + 1).ravel()
        order = np.argsort(keys, kind="stable")
        row = self.rows(user)
        wanted = row * size + item + 1
        at = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)]
        known = (keys[at] == wanted) & (item != PAD) & (place < self.places)
        found: FloatArray = np.where(known, self.probability[row, np.minimum(place, self.places - 1), at % width], 0.0)
        return found

    def mass(self, user: IntArray, place: IntArray) -> FloatArray:
        """Return (R,) the probability that the policy shows any candidate to a user at a place."""
        sums = self.probability.sum(axis=2)
        found: FloatArray = np.where(
            place < self.places, sums[self.rows(user), np.minimum(place, self.places - 1)], 0.0
        )
        return found


def policy_of(
    item: IntArray, kind: PolicyKind, places: int, *, strength: float = 0.1, row: IntArray | None = None
) -> Policy:
    """Return the policy that follows from lists.

    Args:
        item: (R, N) candidates, best first, padded with `PAD` at the end.
        kind: How they are shown.
        places: Number of positions of the log. P is smaller where the longest list is shorter, and `deterministic`
            keeps the first P candidates only.
        strength: epsilon (0..1), or the temperature in places (above 0); not used by `deterministic`.
        row: (U,) list of each user; see `Policy`.

    Raises:
        ConfigError: The strength is out of bounds, or there is no such policy.
        DataError: The policy has more than `MOST_CELLS` probabilities.
    """
    places = max(1, min(places, item.shape[1]))
    if kind == "deterministic":
        item = item[:, :places]
    users, width = item.shape
    _require_cells(users, places, width)
    listed = item != PAD
    exact = np.zeros((users, places, width))
    filled = np.arange(min(places, width))
    exact[:, filled, filled] = listed[:, filled]
    if kind == "deterministic":
        return Policy(item, exact, row)
    if kind == "epsilon":
        if not 0 <= strength <= 1:
            raise ConfigError(_("epsilon must be between 0 and 1, but it is {strength:g}.").format(strength=strength))
        counts = listed.sum(axis=1)
        even = np.divide(1.0, counts, out=np.zeros(users), where=counts > 0)[:, None] * listed
        exact *= 1.0 - strength
        for place in range(places):  # one position at a time: no second array of this size
            exact[:, place] += strength * even * (place < counts)[:, None]
        return Policy(item, exact, row)
    if kind == "softmax":
        if not 0 < strength <= 1000:
            raise ConfigError(
                _("The temperature must be above 0 and at most 1000 places, but it is {strength:g}.").format(
                    strength=strength
                )
            )
        logits = np.where(listed, -np.arange(width) / strength, -np.inf)
        return Policy(item, place_probabilities(logits, places), row)
    raise ConfigError(_("There is no policy '{kind}'. Known: {kinds}.").format(kind=kind, kinds=", ".join(KINDS)))


def _require_cells(lists: int, places: int, candidates: int) -> None:
    cells = lists * places * candidates
    if cells > MOST_CELLS:
        raise DataError(
            _(
                "The policy has {cells:,} probabilities ({lists:,} lists x {places:,} positions x "
                "{candidates:,} candidates); at most {most_cells:,} are possible. Shorten the lists, "
                "evaluate fewer users, or leave out the rows of the log with the highest positions."
            ).format(cells=cells, lists=lists, places=places, candidates=candidates, most_cells=MOST_CELLS)
        )
