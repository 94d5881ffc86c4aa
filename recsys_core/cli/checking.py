"""`strategy check`: the cards of a strategy, the SQL of its filters, and its faults on some data."""

import argparse
import sys
from typing import Any

import numpy as np

from recsys_core.cli.arguments import parse_columns
from recsys_core.cli.sources import Sources
from recsys_core.cli.strategies import AppliedStrategy, milliseconds
from recsys_core.contracts import RunContext, TopK
from recsys_core.engine.settings import usable_cores
from recsys_core.experiments.resources import limited_threads
from recsys_core.models.base import Recommender
from recsys_core.models.registry import make_model
from recsys_core.strategy.cards import Card, Filter, Strategy
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.files import read_strategy
from recsys_core.strategy.lint import check

SETTINGS = {"kind", "on"}
"""Fields of a card that are not its settings."""


def check_strategy(arguments: argparse.Namespace) -> int:
    """Print the cards with the SQL of filters, and the findings; return 1 if one of them is an error.

    Raises:
        RecscopeError: The file is not a strategy, or it does not fit the data.
    """
    strategy, at = read_strategy(arguments.file), milliseconds(arguments.at)
    sources = Sources(parse_columns(arguments.columns))
    data = sources.open(arguments.data)
    sources.refuse_idle_columns()
    facts = Facts(data, at)
    lists: dict[str, TopK] | None = None
    users = np.arange(data.n_users)
    if arguments.model:
        applied = AppliedStrategy(strategy, at)
        applied.require_fit(data)
        threads = usable_cores()

        def fit(model: Recommender[Any]) -> None:
            with limited_threads(threads):
                model.fit(data, RunContext(seed=arguments.seed, threads=threads))

        model = make_model(arguments.model, {})
        fit(model)
        applied.prepare(arguments.model, model, data, fit)
        lists = applied.candidates(data.queries())
    findings = check(strategy, facts, lists, users)
    sys.stdout.write(_described(strategy))
    for one in findings:
        sys.stdout.write(f"{one.level}: {one}\n")
    if not findings:
        sys.stdout.write("No findings.\n")
    return int(any(one.level == "error" for one in findings))


def _described(strategy: Strategy) -> str:
    """Return the strategy in lines: one per card, and the SQL of filters below them."""
    name = f" '{strategy.name}'" if strategy.name else ""
    lines = [f"Strategy{name}: the {strategy.pool} best candidates to lists of {strategy.k}."]
    for number, card in enumerate(strategy.cards, start=1):
        lines.append(f"{number}. {card.kind}{'' if card.on else ' (off)'}: {_settings(card)}")
        if isinstance(card, Filter):
            lines += [f"     {line}" for line in card.sql().splitlines()]
    return "\n".join(lines) + "\n"


def _settings(card: Card) -> str:
    """Return the settings that a file would have: those that differ from the defaults."""
    names = [name for name in card.model_fields_set if name not in SETTINGS]
    ordered = [name for name in type(card).model_fields if name in names]
    return ", ".join(f"{name} {getattr(card, name)}" for name in ordered) or "default settings"
