"""The lists of many strategies over the same candidates: every prefix of cards is applied once, every list judged once.

Price tags apply the same cards again and again, and so does a user who moves a slider. Cards before the one that
changes are not applied again. Users are handled in blocks, whose candidates stay in the cache of a core, on all cores;
strategies in which the list of a user depends on those of others are applied to all users at once.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

import numpy as np

from recsys_core.contracts import IntArray, RunContext, TopK
from recsys_core.evaluation.list_metrics import ListEvaluator, ListMetrics
from recsys_core.strategy.apply import finish, start, step
from recsys_core.strategy.candidates import Candidates
from recsys_core.strategy.cards import Card, Strategy
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.pool import Pool
from recsys_core.text import later
from recsys_core.training.blocks import run_in_blocks

USERS_AT_ONCE = 512
FIRST_USERS = 32
"""Users of the first block, which runs alone, so that facts and compiled loops are made once."""
POOLS, LISTS = 10, 96
"""Number of prefixes and of judged lists that are kept; a pool of 6,000 users and 200 candidates has 19 MB."""
Value = TypeVar("Value")
Cards = tuple[Card, ...]
Judged = tuple[TopK, ListMetrics]


class _Recent(Generic[Value]):
    """Keeps the most recently used values."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        """Return the value of a key, None if it is not kept."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: Hashable, value: Value) -> Value:
        """Keep a value and return it; the one that was not used for longest is dropped."""
        self._values[key] = value
        while len(self._values) > self._most:
            self._values.popitem(last=False)
        return value


@dataclass(frozen=True, eq=False)
class _Block:
    """Users whose lists are made together, with the candidates after prefixes of cards."""

    users: IntArray
    sources: TopK | Mapping[str, TopK]
    facts: Facts
    pools: _Recent[Pool]

    @classmethod
    def of(cls, candidates: Candidates, rows: slice) -> "_Block":
        """Return the block of some rows."""
        sources = candidates.sources
        if isinstance(sources, TopK):
            own: TopK | Mapping[str, TopK] = _taken(sources, rows)
        else:
            own = {name: _taken(lists, rows) for name, lists in sources.items()}
        return cls(candidates.users[rows], own, candidates.facts, _Recent(POOLS))

    def pool(self, strategy: Strategy, cards: Cards) -> Pool:
        """Return the candidates after the cards."""
        key = (strategy.k, strategy.pool, cards)
        known = self.pools.get(key)
        if known is not None:
            return known
        if not cards:
            return self.pools.put(key, start(strategy, self.sources, self.users))
        return self.pools.put(key, step(cards[-1], self.pool(strategy, cards[:-1]), self.facts))

    def lists(self, strategy: Strategy, cards: Cards) -> TopK:
        """Return the final lists."""
        return finish(self.pool(strategy, cards))


def _taken(lists: TopK, rows: slice) -> TopK:
    return TopK(lists.item[rows], lists.score[rows])


class Variants:
    """Lists and metrics of strategies over the same candidates; safe to use from several threads, one at a time.

    Args:
        candidates: Candidates of the users.
        evaluator: Computes the metrics.
        ctx: Threads.
    """

    def __init__(self, candidates: Candidates, evaluator: ListEvaluator, ctx: RunContext) -> None:
        users = len(candidates.users)
        self._evaluator, self._ctx = evaluator, ctx
        self._whole = _Block.of(candidates, slice(0, users))
        borders = [0, *range(min(users, FIRST_USERS), users, USERS_AT_ONCE), users]
        self._blocks = [_Block.of(candidates, slice(*border)) for border in pairwise(borders)]
        self._judged: _Recent[Judged] = _Recent(LISTS)
        self._lock = threading.RLock()

    def judged(self, strategy: Strategy, wanted: Sequence[Cards]) -> list[Judged]:
        """Return the final lists and their metrics for a strategy with other cards.

        Args:
            strategy: Gives length of the lists and number of candidates.
            wanted: The cards of each variant, in order, whether on or not.

        Raises:
            ConfigError: A card does not fit the data.
        """
        with self._lock:
            known = {cards: self._judged.get((strategy.k, strategy.pool, cards)) for cards in wanted}
            missing = [cards for cards, judged in known.items() if judged is None]
            lists = self._lists(strategy, missing)
            with ThreadPoolExecutor(max_workers=self._ctx.threads) as pool:
                metrics = list(pool.map(self._evaluator.evaluate, lists))
            made = dict(zip(missing, zip(lists, metrics, strict=True), strict=True))
            for cards, judged in made.items():
                self._judged.put((strategy.k, strategy.pool, cards), judged)
            return [known[cards] or made[cards] for cards in wanted]

    def _lists(self, strategy: Strategy, wanted: Sequence[Cards]) -> list[TopK]:
        """Return the final lists of all users for each variant."""
        whole = [strategy.model_copy(update={"cards": cards}).is_global for cards in wanted]
        parts: list[list[TopK | None]] = [[None] * len(self._blocks) for _ in wanted]

        def fill(first: int, end: int) -> None:
            for place in range(first, end):
                for variant, cards in enumerate(wanted):
                    if not whole[variant]:
                        parts[variant][place] = self._blocks[place].lists(strategy, cards)

        fill(0, 1)
        following = len(self._blocks) - 1
        run_in_blocks(lambda first, end: fill(first + 1, end + 1), following, 1, self._ctx, stage=later("apply cards"))
        return [
            self._whole.lists(strategy, cards) if is_whole else _joined(own)
            for cards, is_whole, own in zip(wanted, whole, parts, strict=True)
        ]


def _joined(parts: Sequence[TopK | None]) -> TopK:
    lists = [part for part in parts if part is not None]
    return TopK(np.concatenate([one.item for one in lists]), np.concatenate([one.score for one in lists]))
