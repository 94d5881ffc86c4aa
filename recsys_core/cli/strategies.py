"""Strategies on the command line: a file applied to the lists of one model, or of several for a mix."""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from recsys_core.contracts import IntArray, QueryBatch, TopK
from recsys_core.data import Dataset
from recsys_core.errors import ConfigError
from recsys_core.models.base import Recommender
from recsys_core.models.registry import make_model
from recsys_core.strategy.apply import Outcome, apply
from recsys_core.strategy.cards import Explore, Strategy
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.files import read_strategy
from recsys_core.strategy.lint import check
from recsys_core.strategy.shortfalls import Shortfall, summed
from recsys_core.text import _


def milliseconds(day: str | None) -> int | None:
    """Return the start of a day (YYYY-MM-DD, UTC) in Unix milliseconds; None stays None.

    Raises:
        ConfigError: It is not a day.
    """
    if day is None:
        return None
    try:
        start = date.fromisoformat(day)
    except ValueError as error:
        raise ConfigError(_("--at: '{day}' is not a day; write YYYY-MM-DD.").format(day=day)) from error
    return int(datetime(start.year, start.month, start.day, tzinfo=UTC).timestamp() * 1000)


@dataclass
class AppliedStrategy:
    """A strategy with the models whose lists it reads.

    Args:
        strategy: The strategy.
        at: When it is applied, Unix milliseconds; None: at the last interaction.
        models: Trained models by key, that of the command first; filled by `prepare`.
        facts: Facts of the training data; set by `prepare`.
        shortfalls: What the lists so far lack.
        users: Number of these lists.
    """

    strategy: Strategy
    at: int | None = None
    models: dict[str, Recommender[Any]] = field(default_factory=dict)
    facts: Facts | None = None
    shortfalls: list[Shortfall] = field(default_factory=list)
    users: int = 0

    @classmethod
    def of_arguments(cls, arguments: argparse.Namespace, k: int) -> "AppliedStrategy":
        """Return the strategy of `--strategy` and `--at`, with lists of k."""
        return cls(read_strategy(arguments.strategy, k), milliseconds(arguments.at))

    def require_fit(self, train: Dataset) -> None:
        """Refuse cards that do not fit the data, before a model is trained.

        Raises:
            ConfigError: The message names the card or the field.
        """
        check(self.strategy, Facts(train, self.at))

    def prepare(
        self, key: str, model: Recommender[Any], train: Dataset, fit: Callable[[Recommender[Any]], None]
    ) -> None:
        """Take over the trained model, and train the other models of a mix with default settings."""
        self.facts = Facts(train, self.at)
        self.models = {key: model}
        for other in self.strategy.mix.keys if self.strategy.mix else ():
            if other not in self.models:
                self.models[other] = make_model(other, {})
                fit(self.models[other])

    def candidates(self, queries: QueryBatch) -> dict[str, TopK]:
        """Return the best candidates of each model."""
        return {key: model.recommend(queries, self.strategy.pool) for key, model in self.models.items()}

    @property
    def explores(self) -> bool:
        """Whether lists are drawn, with a propensity of each item."""
        return any(isinstance(card, Explore) and card.on for card in self.strategy.cards)

    def outcome(self, queries: QueryBatch, users: IntArray) -> Outcome:
        """Return the lists of (B,) users, and their propensities."""
        assert self.facts is not None
        outcome = apply(self.strategy, self.candidates(queries), users, self.facts)
        self.shortfalls += outcome.shortfalls
        self.users += len(users)
        return outcome

    def sentences(self) -> Iterator[str]:
        """Yield what the lists lack."""
        yield from map(str, summed(self.shortfalls, self.users))
