"""Guardrails, the decision card, the frontier, slices and value: against hand-worked numbers and existing functions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

from recsys_core.contracts import Progress, Ragged, RunContext
from recsys_core.errors import ConfigError
from recsys_core.evaluation.evaluate import evaluate
from recsys_core.evaluation.list_metrics import ListMetrics
from recsys_core.evaluation.paired import Paired
from recsys_core.evaluation.significance import holm
from recsys_core.evaluation.slices import slice_differences
from recsys_core.strategy.candidates import Candidates
from recsys_core.strategy.decision import Decision, Goal, decide, power_of
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.frontier import frontier, grid_of, pareto
from recsys_core.strategy.guardrails import WORSE, Guardrail, check, ratio_interval
from recsys_core.strategy.prices import Pricing
from recsys_core.strategy.slices import slices_of, strategy_slices
from recsys_core.strategy.value import ValueModel, unpriced, worth_of
from tests.shops import CAP, CHEAP, MMR, Fixed, candidates, shop, split_of, strategy

K = 5
NDCG = "ndcg@5"


@pytest.fixture(scope="module")
def own() -> Candidates:
    return candidates(split_of(shop()))


@pytest.fixture(scope="module")
def pricing(own: Candidates) -> Pricing:
    return Pricing(own, k=K)


def metrics(**columns: np.ndarray) -> ListMetrics:
    values = {name.replace("_at_5", "@5"): column for name, column in columns.items()}
    return ListMetrics(values, np.full(len(next(iter(values.values()))), K))


def drawn(users: int, factor: float, noise: float = 0.02) -> tuple[ListMetrics, ListMetrics]:
    rng = np.random.default_rng(0)
    before = rng.uniform(0.2, 0.8, users)
    after = factor * before + rng.normal(0, noise, users)
    return metrics(ndcg_at_5=before), metrics(ndcg_at_5=after)


# ------------------------------------------------------------------------------------------------ guardrails


def test_fiellers_interval_is_every_ratio_that_a_paired_t_test_does_not_reject() -> None:
    before, after = (one.values[NDCG] for one in drawn(40, 0.97, 0.1))
    ratio, low, high = ratio_interval(before, after)
    assert ratio == pytest.approx(after.mean() / before.mean())
    for end in (low, high):
        assert stats.ttest_1samp(after - end * before, 0.0).pvalue == pytest.approx(0.05, abs=1e-9)
    assert low < ratio < high


def test_fiellers_interval_is_unbounded_where_the_mean_before_may_be_zero() -> None:
    before = np.array([-1.0, 1.0, 0.1, 0.0])
    assert ratio_interval(before, np.ones(4))[1:] == (-np.inf, np.inf)
    assert np.isnan(ratio_interval(np.zeros(4), np.ones(4))).all()
    assert ratio_interval(np.ones(4), np.ones(4)) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("factor", "users", "side", "state"),
    [
        (1.0, 400, "at_least", "kept"),
        (0.9, 400, "at_least", "broken"),
        (0.98, 400, "at_least", "undecided"),
        (1.0, 3, "at_least", "undecided"),
        (0.9, 400, "at_most", "kept"),
        (1.0, 400, "at_most", "broken"),
    ],
)
def test_a_guardrail_is_decided_by_the_whole_interval(factor: float, users: int, side: str, state: str) -> None:
    noise = 0.02 if users > 3 else 0.2
    found = check(Guardrail(metric="ndcg", bound=0.98, side=side), *drawn(users, factor, noise))  # type: ignore[arg-type]
    assert found.state == state
    assert state in str(found.sentence)
    assert ("98.0%" in str(found.sentence)) == np.isfinite(found.low)


def test_a_guardrail_on_users_who_are_worse_off_is_a_share_of_users() -> None:
    before, after = np.full(100, 0.5), np.where(np.arange(100) < 10, 0.4, 0.5)
    found = check(Guardrail(metric=WORSE, bound=0.3), metrics(ndcg_at_5=before), metrics(ndcg_at_5=after))
    assert (found.state, found.ratio) == ("kept", 0.1)
    assert str(found.sentence).startswith("10.0% of 100 users are worse off (5.5% to 17.4%)")
    assert check(Guardrail(metric=WORSE, bound=0.1), *(metrics(ndcg_at_5=one) for one in (before, after))).state == (
        "undecided"
    )


def test_unknown_metrics_are_refused(pricing: Pricing) -> None:
    with pytest.raises(ConfigError, match="no metric 'clicks'"):
        decide(pricing, strategy(MMR), Goal(metric="clicks"))


# -------------------------------------------------------------------------------------------------- decision


def said(decision: Decision) -> str:
    return " ".join(map(str, decision.evidence))


def test_a_strategy_is_promoted_held_or_rejected_with_its_evidence(pricing: Pricing) -> None:
    cards = strategy(MMR | {"weight": 0.2})
    free = decide(pricing, cards, Goal(metric="diversity"))
    assert (free.recommendation, free.checks) == ("promote", ())
    assert "There is no guardrail" in said(free)
    kept = Guardrail(metric="ndcg", bound=0.01)
    assert decide(pricing, cards, Goal(metric="diversity"), [kept]).recommendation == "promote"
    broken = decide(pricing, cards, Goal(metric="diversity"), [kept, Guardrail(metric="ndcg", bound=5.0)])
    assert broken.recommendation == "reject"
    assert [one.state for one in broken.checks] == ["kept", "broken"]
    assert said(broken).startswith("Reject: a guardrail is broken. Diversity@5 changes by +")
    wrong = decide(pricing, cards, Goal(metric="diversity", direction="lower"))
    assert wrong.recommendation == "reject"
    assert "wrong way" in said(wrong)
    ratio = decide(pricing, cards, Goal(), [kept]).checks[0]
    change = decide(pricing, cards, Goal(metric="ndcg")).goal
    assert ratio.ratio == pytest.approx(change.after / change.before)


def test_what_the_data_do_not_decide_is_held(pricing: Pricing) -> None:
    cards = strategy(MMR | {"weight": 0.95})
    change = decide(pricing, cards, Goal(metric="ndcg")).goal
    assert change.low < 0 < change.high
    held = decide(pricing, cards, Goal(metric="ndcg"))
    assert held.recommendation == "hold"
    assert "Hold: the goal is not reached" in said(held)
    ratio = decide(pricing, cards, Goal(), [Guardrail()]).checks[0].ratio
    rail = Guardrail(metric="ndcg", bound=ratio)  # the point estimate is in every interval
    found = decide(pricing, cards, Goal(metric="diversity"), [rail])
    assert (found.recommendation, found.checks[0].state) == ("hold", "undecided")
    assert "Hold: these data do not decide whether a guardrail is kept." in said(found)
    assert "takes a test with users" in said(held)


@pytest.mark.parametrize(
    ("mean", "words"),
    [
        (0.15, "takes about 65 to 349 users, if the true change is between 0.35, the end of its interval, and the"),
        (0.01, "A true change of 0.3 would have been detected with 80% power, a smaller one less often."),
    ],
)
def test_an_open_change_states_its_power_as_a_condition(mean: float, words: str) -> None:
    """100 changes with a standard deviation of 1: 1.5 standard errors from 0, and noise.

    ((1.96 + 0.8416) / 0.15)^2 = 349 users, and with 0.35, the end of the interval, 65.
    """
    values = np.tile([1.0, -1.0], 50)
    values = mean + values / values.std(ddof=1)
    change = Paired(0.5, 0.5 + mean, mean, mean - 0.198, mean + 0.198, 100)
    assert words in str(power_of(values, change)[0])
    assert power_of(values[:3], Paired(0.5, 0.5, 0.1, -1.0, 1.0, 3)) == []


def test_a_sentence_about_one_user_is_singular() -> None:
    one = metrics(ndcg_at_5=np.array([0.5]))
    assert "of 1 user is worse off" in str(check(Guardrail(metric=WORSE, bound=0.3), one, one).sentence)


def test_a_change_that_is_too_small_to_count_is_no_reason_to_promote(pricing: Pricing) -> None:
    cards = strategy(MMR | {"weight": 0.2})
    change = decide(pricing, cards, Goal()).goal
    assert decide(pricing, cards, Goal(least=change.low / 2)).recommendation == "promote"
    too_much = decide(pricing, cards, Goal(least=change.high * 2))
    assert too_much.recommendation == "hold"
    assert "smallest change that counts" in said(too_much)


def test_without_a_card_there_is_nothing_to_decide(pricing: Pricing) -> None:
    found = decide(pricing, strategy(MMR | {"on": False}), Goal(), [Guardrail()])
    assert found.recommendation == "hold"
    assert said(found).startswith("No card is on: the lists are the raw ones.")


def test_the_scope_counts_the_users_with_relevant_items_apart(own: Candidates) -> None:
    rows = [row.tolist() if number else [] for number, row in enumerate(own.relevant)]
    found = decide(Pricing(replace(own, relevant=Ragged.from_rows(rows)), k=5), strategy(MMR), Goal(metric="ndcg"))
    judged = int((own.relevant.lengths > 0).sum()) - 1
    assert found.goal.users == judged
    assert f"of {len(own.users)} test users ({judged} with relevant items)" in said(found)


# -------------------------------------------------------------------------------------------------- frontier


def test_the_pareto_front_by_hand() -> None:
    x, y = np.array([1.0, 2.0, 3.0, 2.0, 2.0, np.nan, 3.0]), np.array([3.0, 2.0, 1.0, 1.0, 2.0, 9.0, 0.5])
    assert_array_equal(pareto(x, y), [True, True, True, False, True, False, False])


def test_the_frontier_holds_the_strategies_of_the_grid(pricing: Pricing) -> None:
    cards = strategy(CAP, MMR)
    seen: list[Progress] = []
    found = frontier(
        {"one": pricing},
        grid_of(cards, 1, (0.0, 0.5, 1.0)),
        guardrails=[Guardrail(metric="ndcg", bound=0.9)],
        ctx=RunContext(report=seen.append),
    )
    points = found.points.set_index("setting")
    assert (found.x, found.y, found.lower_is_better) == (NDCG, "diversity@5", False)
    assert points.index.isna().tolist() == [True, False, False, False]
    assert seen[-1].total == 4
    for weight in (0.0, 0.5, 1.0):
        means = pricing.judged(strategy(CAP, MMR | {"weight": weight}))[1].means()
        assert points.loc[weight, ["x", "y"]].tolist() == pytest.approx([means[NDCG], means["diversity@5"]])
        assert points.loc[weight, "kept"] == pytest.approx(means[NDCG] / found.reference[0])
        row = points.loc[weight]
        assert row["x_low"] < row["x"] < row["x_high"]
    assert points.loc[0.0, "y"] > points.loc[1.0, "y"]
    assert set(points["state"]) <= {"kept", "broken", "undecided"}
    assert found.points.iloc[0]["state"] == "kept"
    assert_array_equal(found.points["pareto"], pareto(*found.points[["x", "y"]].to_numpy().T))


def test_an_axis_of_which_less_is_better_points_down(pricing: Pricing) -> None:
    found = frontier({"one": pricing}, grid_of(strategy(MMR), 0, (0.0, 1.0)), y="gini")
    assert found.lower_is_better
    assert_array_equal(found.points["pareto"], pareto(found.points["x"].to_numpy(), -found.points["y"].to_numpy()))


def test_a_card_without_a_trade_off_has_no_frontier() -> None:
    for place in (0, 5, -1):
        with pytest.raises(ConfigError, match="mmr, calibration, xquad, dpp"):
            grid_of(strategy(CHEAP), place)
    with pytest.raises(ConfigError, match="weight 2"):
        grid_of(strategy(MMR), 0, (2.0,))


def test_models_of_other_users_do_not_share_a_frontier(pricing: Pricing) -> None:
    others = Pricing(candidates(split_of(shop(users=50))), k=K)
    with pytest.raises(ConfigError, match="other users"):
        frontier({"one": pricing, "two": others}, grid_of(strategy(MMR), 0, (0.5,)))


# ---------------------------------------------------------------------------------------------------- slices


def test_slices_are_halves_of_the_users_parts_of_the_catalog_and_attributes(own: Candidates) -> None:
    found = {(one.kind, one.name): one for one in slices_of(own, ("city", "age"))}
    assert len(found["all", "all"].rows) == len(own.users)
    lengths = own.history.lengths
    assert_array_equal(np.sort(found["history", "new"].rows), np.flatnonzero(lengths <= np.median(lengths)))
    assert len(found["taste", "niche"].rows) + len(found["taste", "mainstream"].rows) == len(own.users)
    cities = own.train.users["city"].to_numpy()[own.users]  # type: ignore[index]
    for city in ("Rome", "Oslo", "Lima"):
        assert_array_equal(found["city", city].rows, np.flatnonzero(cities == city))
    bands = [one for one in found.values() if one.kind == "age"]
    assert sorted(np.concatenate([one.rows for one in bands])) == list(range(len(own.users)))
    assert len(bands) == 4
    with pytest.raises(ConfigError, match="no attribute 'shoe'"):
        slices_of(own, ("shoe",))


def test_differences_of_slices_are_those_of_the_comparison_with_holms_correction(pricing: Pricing) -> None:
    cards = {"mmr": strategy(MMR), "cap": strategy(CAP)}
    table = strategy_slices(pricing, cards, attributes=("city",))
    assert len(table) == 2 * (1 + 4 + 2 + 3)
    own = pricing.candidates

    lists = {name: pricing.judged(one)[1] for name, one in cards.items()} | {"raw": pricing.raw(strategy())[1]}
    frames = {name: pd.DataFrame({"user": own.users, NDCG: one.values[NDCG]}) for name, one in lists.items()}
    slices = {one.name: own.users[one.rows] for one in slices_of(own, ("city",)) if one.kind != "items"}
    expected = slice_differences(frames, slices, metrics=dict.fromkeys(slices, NDCG), baseline="raw")
    expected = expected.rename(columns={"model": "strategy"}).set_index(["slice", "strategy"])
    got = table[table["kind"] != "items"].set_index(["slice", "strategy"])
    for column in ("difference", "low", "high", "users"):
        assert got[column].to_numpy() == pytest.approx(expected[column].reindex(got.index).to_numpy(), nan_ok=True)
    assert table["p_holm"].to_numpy() == pytest.approx(holm(table["p"].to_numpy()))
    sure = table["p_holm"] < 0.05
    assert (table["verdict"] != "none").tolist() == sure.tolist()
    assert set(table.loc[sure, "verdict"]) <= {"better", "worse"}


def test_slices_of_items_are_the_metrics_of_head_and_tail(pricing: Pricing) -> None:
    own, cards = pricing.candidates, strategy(MMR)
    lists = pricing.judged(cards)[0]
    model = Fixed(own.users, lists)
    model.fit(own.train, RunContext())
    expected = evaluate(model, split_of(shop()), cutoffs=(K,)).per_user
    table = strategy_slices(pricing, {"mmr": cards}).set_index("slice")
    for part in ("head", "tail"):
        assert_array_equal(pricing.evaluator.ndcg_of_part(lists, head=part == "head"), expected[f"{NDCG}:{part}"])
        assert table.loc[part, "after"] == pytest.approx(expected[f"{NDCG}:{part}"].mean())


def test_metrics_of_all_lists_have_no_slices(pricing: Pricing) -> None:
    for metric in ("coverage", "gini"):
        with pytest.raises(ConfigError, match="no value per user"):
            strategy_slices(pricing, {"mmr": strategy(MMR)}, metric=metric)


def test_a_strategy_that_changes_nothing_wins_and_loses_nowhere(pricing: Pricing) -> None:
    table = strategy_slices(pricing, {"raw": strategy()})
    assert (table["difference"] == 0).all()
    assert set(table["verdict"]) == {"none"}


# ----------------------------------------------------------------------------------------------------- value


def test_value_at_k_by_hand(own: Candidates) -> None:
    model = ValueModel(weights={"purchase": 1.0, "cart": 0.25, "refund": -1.0}, price="price", margin="margin")
    pricing = Pricing(own, k=K, value=model)
    lists, found = pricing.judged(strategy(MMR))
    frame = own.test.interactions
    table = own.train.items
    assert table is not None
    weights = {"view": 0.0, **model.weights}
    for row in range(0, len(own.users), 7):
        rows = frame[(frame["user"] == own.users[row]) & frame["item"].isin(lists.item[row])]
        each = [
            weights[event] * table["price"][item] * table["margin"][item]
            for item, event in zip(rows["item"], rows["event"], strict=True)
            if item != 3  # of unknown price
        ]
        assert found.values["value@5"][row] == pytest.approx(sum(each))
    assert found.means()["value@5"] > 0


def test_interactions_of_unknown_price_are_counted(own: Candidates) -> None:
    found = unpriced(ValueModel(weights={"purchase": 1.0}, price="price"), own)
    frame = own.test.interactions
    bought = frame[frame["event"] == "purchase"]
    assert (found.interactions, found.of) == ((bought["item"] == 3).sum(), len(bought))
    assert unpriced(ValueModel(), own).interactions == 0


def test_interactions_of_negative_price_are_counted(own: Candidates) -> None:
    facts = Facts(own.train)
    facts.table["price"] = np.where(np.isin(np.arange(len(facts.table)), [0, 5]), -9.99, facts.table["price"])
    found = unpriced(ValueModel(weights={"purchase": 1.0}, price="price"), replace(own, facts=facts))
    frame = own.test.interactions
    bought = frame[frame["event"] == "purchase"]["item"]
    assert (found.negative, found.negative_items) == (bought.isin([0, 5]).sum(), bought[bought.isin([0, 5])].nunique())
    assert found.negative > 0
    assert unpriced(ValueModel(weights={"purchase": 1.0}, price="price"), own).negative == 0


def test_without_weights_every_interaction_counts_once(own: Candidates) -> None:
    worth = worth_of(ValueModel(), own)
    assert worth.values.sum() == len(own.test.interactions)
    assert isinstance(worth.items, Ragged)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (ValueModel(price="cost"), "no item field 'cost'"),
        (ValueModel(price="brand"), "does not hold numbers"),
        (ValueModel(margin=0.3), "needs a price"),
        (ValueModel(weights={"click": 1.0}), "None of click is among the test interactions"),
    ],
)
def test_values_that_the_data_cannot_give_are_refused(own: Candidates, model: ValueModel, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        worth_of(model, own)
