"""Queries of the Strategy page: candidates of a model, and what strategies make of them."""

import time
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui import services
from pages.ui.queries import model_queries
from pages.ui.text import language

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from recsys_core.contracts import RunContext
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.leaderboard import Contender
    from recsys_core.serving.background import Ticket
    from recsys_core.strategy.apply import Outcome
    from recsys_core.strategy.cards import Strategy
    from recsys_core.strategy.decision import Decision, Goal
    from recsys_core.strategy.facts import Facts
    from recsys_core.strategy.fields import FieldInfo
    from recsys_core.strategy.frontier import Frontier
    from recsys_core.strategy.guardrails import Guardrail
    from recsys_core.strategy.lint import Finding
    from recsys_core.strategy.presets import Preset
    from recsys_core.strategy.prices import Prices, Pricing
    from recsys_core.strategy.rank_change import RankChange
    from recsys_core.strategy.value import Unpriced


@dataclass(frozen=True)
class Basis:
    """What strategies are judged on: candidates of a trained model, and what is priced besides accuracy.

    Args:
        root: Folder of the workspace.
        run: The experiment.
        model: Id of the model.
        key: Its algorithm.
        others: Id and algorithm of further models, which a mix reads.
        pool: Candidates per user.
        k: Length of the lists.
        exposure_of: Item field whose values' exposure is priced; empty for none.
        value: What an interaction is worth, as JSON; empty for none.
    """

    root: str
    run: str
    model: str
    key: str
    others: tuple[tuple[str, str], ...]
    pool: int
    k: int
    exposure_of: str = ""
    value: str = ""


def named_strategies() -> "dict[str, Strategy]":
    """Return the current versions of the saved strategies by name; equal names are followed by an id."""
    stored = services.strategies().all()
    names = [one.name for one in stored]
    return {
        one.name if names.count(one.name) == 1 else f"{one.name} ({one.id[:4]})": services.strategies().strategy(one.id)
        for one in stored
    }


def priced_strategies() -> "dict[str, Strategy]":
    """Return the current versions of the saved strategies by name, with every campaign running."""
    from recsys_core.strategy.campaigns import as_running

    return {name: as_running(strategy) for name, strategy in named_strategies().items()}


def fields(fingerprint: str) -> "Ticket[Mapping[str, FieldInfo]]":
    """Return the ticket of the fields of a data set that conditions can name."""
    from recsys_core.strategy.fields import fields_of

    facts = _facts(str(services.root()), fingerprint)
    return services.ask(lambda _ctx: fields_of(facts()), "strategy fields", fingerprint)


@st.cache_resource(max_entries=4, show_spinner=False)
def _facts(root: str, fingerprint: str) -> "Callable[[], Facts]":
    """Return a function that gives the facts of a data set, which are computed once, at its first call."""
    from recsys_core.strategy.facts import Facts

    return cache(lambda: Facts(services.dataset(fingerprint)))


@st.cache_resource(max_entries=8, show_spinner=False)
def events(fingerprint: str) -> dict[str, int]:
    """Return the events of a data set with their number of interactions, most frequent first."""
    from recsys_core.experiments.suggestion import event_counts

    return {name: event.count for name, event in event_counts(services.dataset(fingerprint)).items()}


def basis(run: "Run", model: "Contender", others: "list[Contender]", strategy: "Strategy", **priced: str) -> Basis:
    """Return what a strategy is judged on.

    Args:
        run: The experiment.
        model: The model whose lists the strategy reads.
        others: Further finished models, of which those are taken that a mix names, in a saved strategy, too.
        strategy: The strategy.
        **priced: `exposure_of` and `value` of `Basis`.
    """
    from recsys_core.strategy.cards import Mix

    compared = [strategy, *named_strategies().values()]
    cards = [card for one in compared for card in one.cards]
    named = {part.model for card in cards if isinstance(card, Mix) for part in card.models}
    mixed = tuple((one.id, one.key) for one in others if one.id in named and one.id != model.id)
    return Basis(str(services.root()), run.id, model.id, model.key, mixed, strategy.pool, strategy.k, **priced)


def pricing(basis: Basis) -> "Ticket[Pricing]":
    """Return the ticket of the candidates; models rank them once, and store them."""
    return services.ask(lambda ctx: _pricing(basis, ctx), "candidates", basis)


def prices(basis: Basis, strategy: "Strategy") -> "Ticket[Prices]":
    """Return the ticket of the price tags of a strategy."""
    judged = pricing(basis)
    return _ticket("prices", basis, strategy, lambda _ctx: judged.result().price(strategy))


def unpriced(basis: Basis) -> "Unpriced | None":
    """Return the test interactions that the value cannot count; None without a value. The candidates are known."""
    from recsys_core.strategy.value import ValueModel
    from recsys_core.strategy.value import unpriced as compute

    if not basis.value:
        return None
    return compute(ValueModel.model_validate_json(basis.value), pricing(basis).result().candidates)


def frontier(bases: "dict[str, Basis]", strategy: "Strategy", card: int, floor: float) -> "Ticket[Frontier]":
    """Return the ticket of what other values of a card's weight give.

    Args:
        bases: Title of each model -> its candidates.
        strategy: The strategy.
        card: Place of the card.
        floor: Share of the NDCG of the raw lists that a guardrail asks for.
    """
    from recsys_core.strategy.frontier import frontier as compute
    from recsys_core.strategy.frontier import grid_of
    from recsys_core.strategy.guardrails import Guardrail

    judged = {title: pricing(basis) for title, basis in bases.items()}
    return services.ask(
        lambda ctx: compute(
            {title: one.result() for title, one in judged.items()},
            grid_of(strategy, card),
            guardrails=[Guardrail(bound=floor)],
            ctx=ctx,
        ),
        "frontier", tuple(bases.items()), strategy.model_dump_json(exclude={"name"}), card, floor,
    )  # fmt: skip


def outcome(basis: Basis, strategy: "Strategy") -> "Ticket[Outcome]":
    """Return the ticket of the final lists of all test users, with the way of every item."""
    judged = pricing(basis)
    return _ticket("outcome", basis, strategy, lambda _ctx: judged.result().outcome(strategy))


def decision(
    basis: Basis, strategy: "Strategy", goal: "Goal", guardrails: "tuple[Guardrail, ...]"
) -> "Ticket[Decision]":
    """Return the ticket of the decision about a strategy."""
    from recsys_core.strategy.decision import decide

    judged = pricing(basis)
    wanted = (goal.model_dump_json(), *(one.model_dump_json() for one in guardrails))
    return services.ask(
        lambda _ctx: decide(judged.result(), strategy, goal, guardrails),
        "decision", basis, strategy.model_dump_json(exclude={"name"}), wanted,
    )  # fmt: skip


def difference(basis: Basis, one: "Strategy", other: "Strategy") -> "Ticket[pd.DataFrame]":
    """Return the ticket of the paired differences of all metrics between two strategies."""
    from recsys_core.strategy.versus import differences_between

    judged = pricing(basis)
    return services.ask(
        lambda _ctx: differences_between(judged.result(), one, other),
        "difference of strategies", basis, *(each.model_dump_json(exclude={"name"}) for each in (one, other)),
    )  # fmt: skip


def presets(fingerprint: str) -> "Ticket[list[Preset]]":
    """Return the ticket of the presets, those that the data allow with a strategy."""
    from recsys_core.strategy.presets import presets_for

    facts = _facts(str(services.root()), fingerprint)
    return services.ask(lambda _ctx: list(presets_for(facts())), "strategy presets", fingerprint)


def findings(basis: Basis, strategy: "Strategy") -> "Ticket[list[Finding]]":
    """Return the ticket of what a check of the rules finds on the candidates; campaigns count as on this day."""
    from recsys_core.strategy.campaigns import as_running
    from recsys_core.strategy.facts import Facts
    from recsys_core.strategy.lint import check

    judged = pricing(basis)

    def compute() -> "list[Finding]":
        own = judged.result()
        today = Facts(own.candidates.train, int(time.time() * 1000))
        found = [one for one in check(strategy, today) if one.kind == "date"]
        running = as_running(strategy)
        return found + check(running, own.candidates.facts, own.candidates.sources, own.candidates.users)

    return _ticket("findings", basis, strategy, lambda _ctx: compute())


def rank_changes(basis: Basis, strategy: "Strategy") -> "Ticket[dict[int, RankChange]]":
    """Return the ticket of how far the cards with a condition move its items: place of the card -> change."""
    from recsys_core.strategy.rank_change import median_rank_change

    ticket = pricing(basis)

    def compute() -> "dict[int, RankChange]":
        judged = ticket.result()
        outcome = judged.outcome(strategy)
        on = [place for place, card in enumerate(strategy.cards) if card.on]
        return {
            place: median_rank_change(outcome, step, judged.candidates.facts)
            for step, place in enumerate(on, start=1)
            if strategy.cards[place].kind == "boost"
        }

    return _ticket("rank changes", basis, strategy, lambda _ctx: compute())


def slices(basis: Basis, strategies: "dict[str, Strategy]", attributes: tuple[str, ...] = ()) -> "Ticket[pd.DataFrame]":
    """Return the ticket of the differences of strategies to the raw lists, by group and attribute of users."""
    from recsys_core.strategy.slices import strategy_slices

    judged = pricing(basis)
    names = tuple((name, strategy.model_dump_json()) for name, strategy in strategies.items())
    return services.ask(
        lambda _ctx: strategy_slices(judged.result(), strategies, attributes=attributes),
        "slices",
        basis,
        names,
        attributes,
    )


def _ticket(name: str, basis: Basis, strategy: "Strategy", work: Any) -> "Ticket[Any]":
    """Return the ticket of work on the strategy being edited; work on its earlier states in this session is dropped."""
    ctx = get_script_run_ctx(suppress_warning=True)
    key = (basis, strategy.model_dump_json(exclude={"name"}), language())
    return services.background("strategies").ask(("strategy", name, ctx and ctx.session_id), key, work)


def _pricing(basis: Basis, ctx: "RunContext") -> "Pricing":
    from recsys_core.contracts import RunContext
    from recsys_core.engine.settings import usable_cores
    from recsys_core.experiments.candidates import candidates_of, depth_of
    from recsys_core.strategy.prices import Pricing
    from recsys_core.strategy.value import ValueModel

    run = services.store().open(basis.run)
    dataset = services.dataset(run.spec.data)
    test = services.dataset(run.spec.split.test_data) if run.spec.split.test_data else None
    candidates = {}
    for model, key in ((basis.model, basis.key), *basis.others):
        named = model_queries.Named(basis.root, basis.run, model, key)
        if named.is_elsewhere and depth_of(run, model) < basis.pool:
            model_queries.ask(named, "candidates", ctx, pool=basis.pool)
        candidates[model] = candidates_of(run, model, basis.pool, dataset, test_data=test, ctx=ctx)
    others = {model: one.lists for model, one in candidates.items() if model != basis.model}
    return Pricing(
        replace(candidates[basis.model], name=basis.model, others=others),
        k=basis.k,
        ctx=RunContext(threads=usable_cores()),  # not that of the ticket, which may be cancelled
        exposure_of=basis.exposure_of or None,
        value=ValueModel.model_validate_json(basis.value) if basis.value else None,
    )
