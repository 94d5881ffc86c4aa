"""Price tags: equal to an evaluation from scratch, zero without cards, sums, and intervals that cover."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import PAD, IntArray, RunContext, TopK
from recsys_core.data.splits import Split
from recsys_core.errors import ConfigError
from recsys_core.evaluation.beyond_accuracy import coverage, exposure, gini, weighted_exposure
from recsys_core.evaluation.comparison import paired_difference
from recsys_core.evaluation.evaluate import Evaluation, evaluate
from recsys_core.evaluation.intervals import score_interval
from recsys_core.evaluation.pseudo_values import coverage_values, gini_values, share_values
from recsys_core.strategy import variants
from recsys_core.strategy.apply import step
from recsys_core.strategy.candidates import Candidates
from recsys_core.strategy.cards import AnyCard, Strategy
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.metric_titles import metric_title
from recsys_core.strategy.pool import Pool
from recsys_core.strategy.prices import WHOLE, Prices, Pricing
from recsys_core.strategy.value import ValueModel
from tests.shops import BOOST, CAP, CHEAP, MMR, SIX, Fixed, candidates, shop, split_of, strategy

K = 5


@pytest.fixture(scope="module")
def split() -> Split:
    return split_of(shop())


@pytest.fixture(scope="module")
def own(split: Split) -> Candidates:
    return candidates(split)


@pytest.fixture(scope="module")
def pricing(own: Candidates) -> Pricing:
    return Pricing(own, k=K, exposure_of="brand", value=ValueModel(price="price"))


@pytest.fixture(scope="module")
def prices(pricing: Pricing) -> Prices:
    return pricing.price(strategy(*SIX))


def from_scratch(lists: TopK, own: Candidates, split: Split) -> Evaluation:
    model = Fixed(own.users, lists)
    model.fit(split.train, RunContext())
    return evaluate(model, split, cutoffs=(K,))


def test_every_metric_equals_an_evaluation_of_the_final_lists_from_scratch(
    pricing: Pricing, prices: Prices, own: Candidates, split: Split
) -> None:
    cards = strategy(*SIX)
    after, before = (from_scratch(found[0], own, split) for found in (pricing.judged(cards), pricing.raw(cards)))
    tag = prices.of("whole").set_index("metric")
    assert {"ndcg@5", "recall@5", "hit_rate@5", "diversity@5", "novelty@5", "calibration@5"} < set(tag.index)
    for name in (name for name in tag.index if name in after.per_user):
        assert_array_equal(pricing.judged(cards)[1].values[name], after.per_user[name])
        pair = paired_difference(after.per_user, before.per_user, name)
        assert [tag[key][name] for key in pair] == pytest.approx([*pair.values()])
        assert tag["after"][name] == pytest.approx(after.per_user[name].mean())
    for name in ("coverage@5", "gini@5"):
        assert [tag["before"][name], tag["after"][name]] == pytest.approx([before.overall[name], after.overall[name]])
    assert pricing.judged(cards)[0].item.tobytes() == pricing.outcome(cards).lists.item.tobytes()


def test_exposure_shares_are_those_of_the_final_lists(pricing: Pricing, prices: Prices, own: Candidates) -> None:
    lists = pricing.judged(strategy(*SIX))[0]
    exposed = weighted_exposure(lists.item, K, own.train.n_items)
    tag = prices.of("whole").set_index("metric")["after"]
    for brand in range(3):
        assert tag[f"exposure@5:brand=b{brand}"] == pytest.approx(exposed[brand::3].sum() / exposed.sum())


def test_with_all_cards_off_every_difference_is_exactly_zero(pricing: Pricing) -> None:
    found = pricing.price(strategy(MMR | {"on": False}, CAP | {"on": False}))
    assert set(found.table["view"]) == {"whole"}
    assert (found.table[["difference", "low", "high"]] == 0.0).all(axis=None)
    assert (found.table["before"] == found.table["after"]).all()
    assert found.affected[["worse", "better", "changed"]].to_numpy().tolist() == [[0.0, 0.0, 0.0]]


def test_a_card_that_changes_no_list_changes_nothing_by_exactly_zero(pricing: Pricing) -> None:
    never = {"kind": "filter", "when": {"field": "price", "op": "<", "value": -1.0}, "action": "drop"}
    found = pricing.price(strategy(never))
    assert set(found.table["view"]) == {"whole", "alone", "left_out", "in_order"}
    assert (found.table[["difference", "low", "high"]] == 0.0).all(axis=None)
    assert (found.table["users"] > 0).all()
    changed = pricing.price(strategy(BOOST)).of("whole").set_index("metric")
    assert changed.loc["ndcg@5", "low"] < changed.loc["ndcg@5", "high"]


def test_the_steps_in_order_sum_to_the_whole(prices: Prices) -> None:
    rows = prices.table[prices.table["view"] == "in_order"]
    assert sorted(set(rows["card"])) == list(range(len(SIX)))
    sums = rows.groupby("metric", sort=False)["difference"].sum()
    whole = prices.of("whole").set_index("metric")["difference"]
    assert_allclose(sums, whole[sums.index], atol=1e-12)


def test_alone_left_out_and_in_order_are_the_strategies_they_say(pricing: Pricing) -> None:
    cards = strategy(CHEAP, CAP | {"on": False}, MMR, BOOST)
    found = pricing.price(cards)
    assert sorted(set(found.table["card"])) == [WHOLE, 0, 2, 3]

    def metric(*cards: dict) -> float:  # type: ignore[type-arg]
        return pricing.judged(strategy(*cards))[1].means()["ndcg@5"]

    expected = {
        "alone": metric(MMR) - metric(),
        "left_out": metric(CHEAP, MMR, BOOST) - metric(CHEAP, BOOST),
        "in_order": metric(CHEAP, MMR) - metric(CHEAP),
    }
    for view, difference in expected.items():
        tag = found.of(view, 2).set_index("metric")  # type: ignore[arg-type]
        assert tag.loc["ndcg@5", "difference"] == pytest.approx(difference)


def test_users_who_are_worse_off_are_counted_with_wilsons_interval(pricing: Pricing, prices: Prices) -> None:
    before, after = (found[1].values["ndcg@5"] for found in (pricing.raw(strategy()), pricing.judged(strategy(*SIX))))
    known = ~np.isnan(before)
    worse = (after < before)[known]
    row = prices.affected.iloc[0]
    low, high = score_interval(worse[:, None].astype(float))
    assert row[["worse", "worse_low", "worse_high"]].tolist() == pytest.approx([worse.mean(), low[0], high[0]])
    assert (row["view"], row["card"], row["users"]) == ("whole", WHOLE, known.sum())
    assert 0 < row["worse"] < 1


def test_lists_that_became_short_and_changed_lists_are_counted(pricing: Pricing) -> None:
    few = {"kind": "filter", "when": {"field": "price", "op": "<", "value": 8.0}}
    row = pricing.price(strategy(few)).affected.iloc[0]
    lists = pricing.judged(strategy(few))[0].item
    assert row["short"] == (lists == PAD).any(axis=1).mean() > 0
    assert row["changed"] == (lists != pricing.raw(strategy())[0].item).any(axis=1).mean()


def test_a_changed_last_card_applies_no_earlier_card_again(own: Candidates, monkeypatch: pytest.MonkeyPatch) -> None:
    applied: list[str] = []

    def counted(card: AnyCard, pool: Pool, facts: Facts) -> Pool:
        applied.append(card.kind)
        return step(card, pool, facts)

    monkeypatch.setattr(variants, "step", counted)
    monkeypatch.setattr(variants, "FIRST_USERS", len(own.users))  # one block of users
    fresh = Pricing(own, k=K)
    fresh.price(strategy(CHEAP, BOOST, MMR))
    assert len(applied) == 3 + 2 + 2  # the prefixes; the second and third alone; without the first or second
    applied.clear()
    fresh.price(strategy(CHEAP, BOOST, MMR | {"weight": 0.9}))
    assert applied == ["mmr"] * 4  # in order, alone, and without each of the others


@pytest.mark.parametrize("threads", [1, 2])
def test_blocks_of_users_give_the_lists_of_all_at_once(
    threads: int, own: Candidates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variants, "USERS_AT_ONCE", 16)
    blocks = Pricing(own, k=K, ctx=RunContext(threads=threads))
    exposure = {"kind": "exposure", "each": "brand", "most": 0.4}
    for cards in (strategy(*SIX), strategy(MMR, exposure), strategy(exposure, CAP)):
        assert blocks.judged(cards)[0].item.tobytes() == blocks.outcome(cards).lists.item.tobytes()
        assert blocks.judged(cards)[0].score.tobytes() == blocks.outcome(cards).lists.score.tobytes()


def test_strategies_are_judged_at_the_length_of_the_pricing(pricing: Pricing) -> None:
    longer = strategy(MMR, k=9)
    assert pricing.judged(longer)[0].item.shape[1] == K
    assert pricing.price(longer).metrics[0] == "ndcg@5"


def test_an_unknown_field_is_refused(own: Candidates) -> None:
    with pytest.raises(ConfigError, match="no item field 'colour'"):
        Pricing(own, k=K, exposure_of="colour")


def test_metrics_have_titles() -> None:
    assert [metric_title(name) for name in ("ndcg@5", "exposure@5:brand=b1", "value@5")] == [
        "NDCG@5",
        "Exposure@5: brand=b1",
        "Value@5",
    ]


def without(item: IntArray, user: int) -> IntArray:
    return np.delete(item, user, axis=0)


def test_pseudo_values_of_coverage_are_those_of_leaving_out_each_user() -> None:
    item = np.array([[0, 1], [1, 2], [1, PAD], [4, 0]])

    def covered(lists: IntArray) -> float:
        return coverage(exposure(lists, 2, 6))

    found = coverage_values(item, 2, 6)
    assert found.mean() == pytest.approx(covered(item)) == pytest.approx(4 / 6)
    left = np.array([covered(without(item, user)) for user in range(4)])
    assert_allclose(found - found.mean(), 3 * (left.mean() - left), atol=1e-12)


def test_pseudo_values_of_gini_are_its_derivatives_by_the_weight_of_each_user() -> None:
    rng = np.random.default_rng(0)
    item = np.array([rng.choice(12, 4, replace=False, p=np.arange(12, 0, -1) / 78) for _ in range(300)])
    item[::3, 2:] = PAD  # lists of different lengths
    found = gini_values(item, 4, 12)
    index = gini(exposure(item, 4, 12))
    assert found.mean() == pytest.approx(index)
    for user in (0, 17, 230):
        heavier = exposure(item, 4, 12).astype(float)
        heavier[item[user][item[user] != PAD]] += 1e-6
        assert found[user] - index == pytest.approx(300 * (gini(heavier) - index) / 1e-6, rel=1e-3)


def test_pseudo_values_of_a_share_by_hand() -> None:
    found = share_values(np.array([1.0, 0.0]), np.array([2.0, 1.0]))
    assert_allclose(found, [1 / 3 + (1 - 2 / 3) * 2 / 3, 1 / 3 - 1 / 3 * 2 / 3])
    assert np.isnan(share_values(np.zeros(2), np.zeros(2))).all()


@pytest.mark.parametrize("metric", ["coverage", "gini"])
def test_intervals_of_coverage_and_gini_cover_the_true_difference(metric: str) -> None:
    """Two strategies on samples of 150 from a population of 6,000 users: a nominal 95 % covers 93 % or more."""
    rng = np.random.default_rng(5)
    weights = 1.0 / np.arange(1, 121)
    lists = [np.argsort(-np.log(rng.random((6000, 120))) / weights**power)[:, :5] for power in (1.0, 0.8)]
    values = {"coverage": coverage_values, "gini": gini_values}[metric]
    number = {"coverage": coverage, "gini": gini}[metric]
    found = []
    samples = [rng.choice(6000, 150, replace=False) for _ in range(300)]
    for users in samples:
        one, other = (values(part[users], 5, 120) for part in lists)
        difference = other - one
        half = 1.976 * float(difference.std(ddof=1)) / 150**0.5
        found.append((difference.mean(), half))
        first, second = (number(exposure(part[users], 5, 120)) for part in lists)
        assert difference.mean() == pytest.approx(second - first)
    true = np.mean([mean for mean, _half in found])  # of samples of this size: both metrics depend on it
    hits = sum(abs(mean - true) <= half for mean, half in found)
    assert hits >= 0.93 * len(samples)


def test_a_strategy_file_prices_like_its_cards(pricing: Pricing) -> None:
    cards = strategy(*SIX)
    again = Strategy.model_validate_json(cards.model_dump_json())
    assert pricing.price(again).table.equals(pricing.price(cards).table)
