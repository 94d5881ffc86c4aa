"""The lists of many strategies over the same candidates: every prefix of cards is applied once, every list judged once.

Price tags apply the same cards again and again, and so does a user who moves a slider. Cards before the one that
changes are not applied again.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from recsys_core.contracts import TopK
from recsys_core.evaluation.list_metrics import ListEvaluator, ListMetrics
from recsys_core.strategy.apply import finish, start, step
from recsys_core.strategy.candidates import Candidates
from recsys_core.strategy.cards import Card, Strategy
from recsys_core.strategy.pool import Pool

POOLS, LISTS = 10, 96
"""Number of prefixes and of judged lists that are kept; a pool of 6,000 users and 200 candidates has 19 MB."""
Value = TypeVar("Value")
Cards = tuple[Card, ...]


class _Recent(Generic[Value]):
    """Keeps the most recently used values."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the value of a key, made if it is not kept."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = self._values[key] = make()
        while len(self._values) > self._most:
            self._values.popitem(last=False)
        return value


class Variants:
    """Lists and metrics of strategies over the same candidates; safe to use from several threads, one at a time.

    Args:
        candidates: Candidates of the users.
        evaluator: Computes the metrics.
    """

    def __init__(self, candidates: Candidates, evaluator: ListEvaluator) -> None:
        self.candidates, self.evaluator = candidates, evaluator
        self._pools: _Recent[Pool] = _Recent(POOLS)
        self._judged: _Recent[tuple[TopK, ListMetrics]] = _Recent(LISTS)
        self._lock = threading.RLock()

    def judged(self, strategy: Strategy, cards: Cards) -> tuple[TopK, ListMetrics]:
        """Return the final lists of a strategy with other cards, and their metrics.

        Args:
            strategy: Gives length of the lists and number of candidates.
            cards: The cards applied, in order, whether on or not.

        Raises:
            ConfigError: A card does not fit the data.
        """

        def judge() -> tuple[TopK, ListMetrics]:
            lists = finish(self._pool(strategy, cards))
            return lists, self.evaluator.evaluate(lists)

        with self._lock:
            return self._judged.get((strategy.k, strategy.pool, cards), judge)

    def _pool(self, strategy: Strategy, cards: Cards) -> Pool:
        """Return the candidates after the cards."""
        own = self.candidates

        def make() -> Pool:
            if not cards:
                return start(strategy, own.sources, own.users)
            return step(cards[-1], self._pool(strategy, cards[:-1]), own.facts)

        return self._pools.get((strategy.k, strategy.pool, cards), make)
