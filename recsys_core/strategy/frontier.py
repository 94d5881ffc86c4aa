"""The frontier: settings of a card, and models, on a plane of accuracy and another metric.

Each point is the whole strategy with one setting of one card, over the candidates of one model. A point is on the
Pareto front if no other one is at least as good on both axes and better on one, by their means; points whose intervals
overlap may change places in another sample of users.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.contracts import BoolArray, FloatArray, RunContext
from recsys_core.errors import ConfigError
from recsys_core.evaluation.intervals import score_interval
from recsys_core.evaluation.list_metrics import ListMetrics, is_share, mean_of
from recsys_core.evaluation.paired import paired
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.guardrails import Guardrail, check, full_name
from recsys_core.strategy.prices import Pricing
from recsys_core.text import _, later

GRIDS: Mapping[str, tuple[str, tuple[float, ...]]] = {
    "mmr": ("weight", tuple(round(0.1 * step, 1) for step in range(11))),
    "calibration": ("weight", tuple(round(0.1 * step, 1) for step in range(11))),
    "xquad": ("weight", tuple(round(0.1 * step, 1) for step in range(11))),
    "dpp": ("sharpness", (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0)),
}
"""Kind of card -> its setting, and the values of the grid."""
LOWER_IS_BETTER = ("calibration", "gini", "popularity")
"""Metrics whose second axis points down; of all others more counts as better."""
POINTS = [
    "model", "setting", "strategy", "x", "x_low", "x_high", "y", "y_low", "y_high", "kept", "kept_low", "kept_high",
    "state", "pareto",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Frontier:
    """Points of strategies.

    Args:
        x: The metric of accuracy.
        y: The other metric.
        points: One row per model and setting: `model`, `setting` (NaN for the raw lists), `strategy` (its JSON), `x`,
            `x_low`, `x_high` (interval of the mean over users), `y`, ..., `kept` (x as a share of that of the reference
            lists), `kept_low`, `kept_high`, `state` (of all guardrails: kept, broken or undecided), `pareto`.
        reference: x and y of the raw lists of the first model, which guardrails refer to.
        lower_is_better: Whether less of y is better.
    """

    x: str
    y: str
    points: pd.DataFrame
    reference: tuple[float, float]
    lower_is_better: bool


def grid_of(strategy: Strategy, place: int, values: Sequence[float] | None = None) -> dict[float, Strategy]:
    """Return the strategies with each setting of one card, which is switched on.

    Args:
        strategy: The strategy.
        place: Place of the card.
        values: Settings; None for those of `GRIDS`.

    Raises:
        ConfigError: The card has no setting that trades accuracy for something else, or a value is not allowed.
    """
    if not 0 <= place < len(strategy.cards) or strategy.cards[place].kind not in GRIDS:
        raise ConfigError(_("A frontier needs the place of a card among: {grids}.").format(grids=", ".join(GRIDS)))
    name, own = GRIDS[strategy.cards[place].kind]
    return {float(value): _with(strategy, place, {name: value, "on": True}) for value in values or own}


def _with(strategy: Strategy, place: int, changes: Mapping[str, object]) -> Strategy:
    cards = [card.model_dump() for card in strategy.cards]
    cards[place] |= changes
    try:
        return Strategy.model_validate(strategy.model_dump() | {"cards": cards})
    except ValueError as error:
        raise ConfigError(f"{', '.join(f'{name} {value}' for name, value in changes.items())}: {error}") from error


def frontier(
    pricings: Mapping[str, Pricing],
    grid: Mapping[float, Strategy],
    *,
    x: str = "ndcg",
    y: str = "diversity",
    guardrails: Sequence[Guardrail] = (),
    confidence: float = 0.95,
    ctx: RunContext | None = None,
) -> Frontier:
    """Return the points of all models and settings, and of the raw lists of each model.

    Args:
        pricings: Name of the model -> pricing over its candidates, all of the same users.
        grid: Setting -> strategy, see `grid_of`.
        x: Metric of accuracy.
        y: The other metric.
        guardrails: Conditions relative to the raw lists of the first model.
        confidence: Nominal coverage of the intervals.
        ctx: Progress and cancellation.

    Raises:
        ConfigError: A metric is missing, a card does not fit the data, or the models have different users.
        Cancelled: The run was cancelled.
    """
    first = next(iter(pricings.values()))
    for name, pricing in pricings.items():
        if not np.array_equal(pricing.candidates.users, first.candidates.users) or pricing.k != first.k:
            raise ConfigError(
                _("'{name}' has candidates for other users, or another k, than the first model.").format(name=name)
            )
    some = next(iter(grid.values()))
    reference = first.raw(some)[1]
    names = full_name(x, reference), full_name(y, reference)
    settings = [(name, setting, strategy) for name in pricings for setting, strategy in _with_raw(grid, some)]
    rows = []
    for name, setting, strategy in (ctx or RunContext()).track(settings, stage=later("compute the frontier")):
        found = pricings[name].judged(strategy)[1]
        states = {check(one, reference, found, confidence).state for one in guardrails}
        kept = check(Guardrail(metric=names[0]), reference, found, confidence)
        rows.append(
            (
                name,
                setting,
                strategy.model_dump_json(),
                *_mean(found, names[0], confidence),
                *_mean(found, names[1], confidence),
                *(kept.ratio, kept.low, kept.high),
                next((state for state in ("broken", "undecided") if state in states), "kept"),
            )
        )
    points = pd.DataFrame(rows, columns=POINTS[:-1])
    down = names[1].partition("@")[0] in LOWER_IS_BETTER
    points["pareto"] = pareto(points["x"].to_numpy(), points["y"].to_numpy() * (-1.0 if down else 1.0))
    means = mean_of(reference.values[names[0]]), mean_of(reference.values[names[1]])
    return Frontier(names[0], names[1], points, means, down)


def pareto(x: FloatArray, y: FloatArray) -> BoolArray:
    """Return (N,) which points no other point dominates; more is better on both axes, NaN is never on the front."""
    better = (x[:, None] >= x) & (y[:, None] >= y) & ((x[:, None] > x) | (y[:, None] > y))
    front: BoolArray = ~better.any(axis=0) & ~np.isnan(x) & ~np.isnan(y)
    return front


def _with_raw(grid: Mapping[float, Strategy], some: Strategy) -> Iterator[tuple[float, Strategy]]:
    yield np.nan, some.model_copy(update={"cards": ()})
    yield from grid.items()


def _mean(metrics: ListMetrics, name: str, confidence: float) -> tuple[float, float, float]:
    """Return the mean over users with its interval: that of `compare` for shares, else Student's."""
    values = metrics.values[name]
    if is_share(name):
        low, high = score_interval(values[:, None], confidence)
        return mean_of(values), float(low[0]), float(high[0])
    found = paired(np.zeros(len(values)), values, share=False, confidence=confidence)
    return found.after, found.low, found.high
