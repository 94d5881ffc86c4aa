"""`compare --strategy`: the price tags of a strategy on the models of a new or a stored experiment."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from recsys_core.cli.arguments import parse_weights
from recsys_core.cli.output import make_folder
from recsys_core.cli.sources import Sources
from recsys_core.configs import problems
from recsys_core.contracts import RunContext
from recsys_core.data.dataset import Dataset
from recsys_core.data.workspace import default_workspace
from recsys_core.engine.settings import usable_cores
from recsys_core.errors import ConfigError, StoreError
from recsys_core.evaluation.sentences import decimals_for, interval_text
from recsys_core.experiments.candidates import candidates_of, models_of_mix
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.leaderboard import model_titles
from recsys_core.experiments.priced_part import priced_part
from recsys_core.experiments.resources import limited_threads
from recsys_core.experiments.store import ResultStore
from recsys_core.storage.files import write_json
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.files import read_strategy
from recsys_core.strategy.lint import check
from recsys_core.strategy.metric_titles import metric_title
from recsys_core.strategy.prices import WHOLE, Prices, Pricing, View
from recsys_core.strategy.value import ValueModel, amounts, unpriced
from recsys_core.text import _, percent, whole

VIEWS: tuple[View, ...] = ("whole", "alone", "left_out", "in_order")
VIEW_TITLES = {"whole": "whole strategy", "alone": "alone", "left_out": "left out", "in_order": "in order"}
FILE = "prices.json"


def price_stored(arguments: argparse.Namespace) -> int:
    """Price a strategy on the finished models of a stored experiment; see `price`.

    Returns:
        0.

    Raises:
        RecscopeError: An argument is invalid, or the experiment cannot be read.
    """
    if arguments.data is not None:
        raise ConfigError(_("--run and --data exclude each other: name a stored experiment, or data for a new one."))
    if arguments.strategy is None:
        raise ConfigError(_("--run needs --strategy FILE: compare prices the strategy on that experiment."))
    run = ResultStore(default_workspace().root).open(arguments.run)
    asked = {key.strip() for key in (arguments.models or "").split(",") if key.strip()}
    models = [job for job in run.with_scores() if not asked or run.model_spec(job).key in asked or job in asked]
    if not models:
        raise StoreError(
            _("Experiment '{run}' has no finished model among {asked}.").format(
                run=arguments.run, asked=", ".join(sorted(asked)) or "any"
            )
        )
    strategy = read_strategy(arguments.strategy)
    if arguments.out is not None:
        make_folder(arguments.out)
    price(run, models, strategy, Sources(), arguments)
    return 0


def require_priceable(strategy: Strategy, dataset: Dataset, arguments: argparse.Namespace) -> None:
    """Refuse a strategy, or fields and worth of its price tags, that do not fit the data; nothing is trained for it.

    Raises:
        ConfigError: A card, field or weight does not fit.
    """
    facts = Facts(dataset)
    check(strategy, facts)
    if arguments.exposure_of is not None:
        facts.require_field(arguments.exposure_of)
    value = _value(arguments)
    if value is not None:
        amounts(value, facts)


def price(run: Run, models: Sequence[str], strategy: Strategy, sources: Sources, arguments: argparse.Namespace) -> None:
    """Print the price tags of a strategy on each of several finished models, and write them to `prices.json`.

    Raises:
        RecscopeError: A card does not fit the data, or candidates cannot be ranked.
    """
    dataset = sources.open(run.spec.data)
    test_data = sources.open(run.spec.split.test_data) if run.spec.split.test_data else None
    titles, ctx = model_titles(run.spec.models), RunContext(run.spec.seed, threads=usable_cores())
    value = _value(arguments)
    written = {}
    for sentence in priced_part(run.spec):
        sys.stdout.write(f"\n{sentence}\n")
    for job in models:
        with limited_threads(ctx.threads):
            pool, mix = max(strategy.pool, strategy.k), models_of_mix(run, strategy)
            own = candidates_of(run, job, pool, dataset, mix=mix, test_data=test_data, ctx=ctx)
            pricing = Pricing(own, k=strategy.k, exposure_of=arguments.exposure_of, value=value, ctx=ctx)
            prices = pricing.price(strategy)
        sys.stdout.write(table(prices, titles[job], len(own.users)))
        if value is not None and (gap := unpriced(value, own)).interactions:
            sys.stdout.write(
                f"Value leaves out {whole(gap.interactions)} of {whole(gap.of)} test interactions: the amount of "
                f"{whole(gap.items)} items is unknown.\n"
            )
        written[job] = to_json(prices)
    if arguments.out is not None:
        write_json(arguments.out / FILE, written)


def _value(arguments: argparse.Namespace) -> ValueModel | None:
    if not arguments.value and arguments.price is None:
        return None
    try:
        return ValueModel(weights=parse_weights(arguments.value, "--value"), price=arguments.price)
    except ValidationError as error:
        raise ConfigError(_("--value: {faults}.").format(faults=problems(error))) from error


def table(prices: Prices, model: str, users: int) -> str:
    """Return the price tags as text: one block for the strategy, one per card and view."""
    name = f" '{prices.strategy.name}'" if prices.strategy.name else ""
    lines = [
        "",
        f"Price of the strategy{name} on {model}: {whole(users)} test users, 95% interval of each change.",
    ]
    for card in [WHOLE, *sorted(set(prices.table["card"]) - {WHOLE})]:
        for view in VIEWS:
            lines += _block(prices, view, card)
    if len(set(prices.table["card"])) == 1:
        lines.append("No card is on: the lists are the raw ones.")
    return "\n".join(lines) + "\n"


def _block(prices: Prices, view: View, card: int) -> list[str]:
    rows = prices.of(view, card).to_dict("records")
    if not rows:
        return []
    title = VIEW_TITLES[view]
    if card != WHOLE:
        title = f"card {card + 1} ({prices.strategy.cards[card].kind}), {title}"
    lines = ["", f"{title:<38}{'before':>10}{'after':>10}{'change':>10}  interval"]
    for row in rows:
        if row["users"] == 0:
            lines.append(f"  {metric_title(row['metric']):<36}{'undefined for all users':>30}")
            continue
        decimals = decimals_for(row["low"], row["high"]) + 1
        numbers = "".join(f"{row[name]:>{10}.{decimals}f}" for name in ("before", "after"))
        interval = interval_text(row["low"], row["high"], decimals)
        lines.append(f"  {metric_title(row['metric']):<36}{numbers}{row['difference']:>+10.{decimals}f}  {interval}")
    return [*lines, _affected_line(prices, view, card)]


def _affected_line(prices: Prices, view: View, card: int) -> str:
    hit = prices.affected[(prices.affected["view"] == view) & (prices.affected["card"] == card)].iloc[0]
    if not hit["users"]:
        return "  no user has relevant items, so it is unknown who is worse off"
    worse, better = (
        f"{percent(hit[side])} ({percent(hit[f'{side}_low'])} to {percent(hit[f'{side}_high'])})"
        for side in ("worse", "better")
    )
    return f"  of {whole(hit['users'])} users, {worse} are worse off, {better} better off"


def to_json(prices: Prices) -> dict[str, Any]:
    """Return `strategy`, `tags` and `affected` as plain values; undefined numbers are None."""
    frames = {"tags": prices.table, "affected": prices.affected}
    return {"strategy": prices.strategy.model_dump(mode="json"), "confidence": prices.confidence} | {
        name: frame.astype(object).where(frame.notna(), None).to_dict("records") for name, frame in frames.items()
    }
