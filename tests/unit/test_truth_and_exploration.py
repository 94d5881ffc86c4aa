"""Truth mode compares estimates with true values, and policies that explore find the best items."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from recsys_core.contracts import FloatArray, IntArray, RunContext
from recsys_core.data.synthetic.shop import make_truth
from recsys_core.data.synthetic.shop_config import ShopConfig
from recsys_core.data.synthetic.shop_truth import Reward, ShopTruth
from recsys_core.errors import ConfigError, DataError
from recsys_core.evaluation.off_policy.exploration import explore
from recsys_core.evaluation.off_policy.truth import POLICY, TRUE, truth_sentences, truth_table
from recsys_core.experiments.truth_mode import example_log, is_shop, shop_truth

SHOP = ShopConfig(users=80, items=20, places=2)


@pytest.fixture(scope="module")
def truth() -> ShopTruth:
    return make_truth(SHOP, 3)


def test_true_values_are_those_of_the_shop_and_ordered_as_they_must_be(truth: ShopTruth) -> None:
    users = np.arange(10, 60)
    best = np.argsort(-truth.reward("click")[users], axis=1)
    lists = {"good": (users, best[:, :3]), "bad": (users, best[:, ::-1][:, :3])}
    made = truth_table(truth, lists, reward="click", visitors=300)
    value = made.table.set_index(POLICY)[TRUE]
    assert_allclose(value["good"], value["best possible lists"])
    assert value["bad"] < value["random lists"] < value["logging policy"] < value["good"]
    weights = truth.activity[users]
    shown = truth.click[users[:, None], best[:, :2]] @ truth.examination
    assert_allclose(value["good"], weights @ shown / weights.sum())
    assert made.users == 50
    row = made.table.iloc[0]
    assert row["ips_low"] < row["ips"] < row["ips_high"]
    told = [str(one) for one in truth_sentences(made, {"good": 0.1, "bad": 0.2}, "NDCG@10")]
    assert told[0].startswith("bad has the highest NDCG@10, good the highest true value.")
    assert "order the 2 policies alike" in str(truth_sentences(made, {"good": 0.2, "bad": 0.1}, "NDCG@10")[0])


def test_blocks_of_users_bound_the_memory_and_change_no_value(
    truth: ShopTruth, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = np.arange(SHOP.users)
    lists = {"some": (users, np.tile(np.arange(3), (SHOP.users, 1)))}
    whole = truth_table(truth, lists, visitors=60).table[TRUE]
    cells: list[int] = []
    value = truth.value

    def measured(users: IntArray, item: IntArray, probability: FloatArray, kind: Reward) -> float:
        cells.append(probability.size)
        return value(users, item, probability, kind)

    monkeypatch.setattr(ShopTruth, "value", lambda _self, *arguments: measured(*arguments))
    monkeypatch.setattr("recsys_core.evaluation.off_policy.truth.BLOCK_CELLS", 7 * SHOP.places * SHOP.items)
    assert_allclose(truth_table(truth, lists, visitors=60).table[TRUE], whole, rtol=1e-12)
    assert max(cells[1:]) == 7 * SHOP.places * SHOP.items


def test_policies_are_judged_on_the_users_that_all_of_them_cover(truth: ShopTruth) -> None:
    one = (np.array([0, 1, 2]), np.array([[1, 2], [3, 4], [-1, -1]]))
    other = (np.array([1, 2]), np.array([[1, 2], [3, 4]]))
    assert truth_table(truth, {"one": one, "other": other}, visitors=60).users == 1
    with pytest.raises(DataError, match="No user has a list of every model"):
        truth_table(truth, {"one": one, "other": (np.array([5]), np.array([[1, 2]]))})
    with pytest.raises(DataError, match="no list to evaluate"):
        truth_table(truth, {})


def certain() -> ShopTruth:
    """One segment, three items that are clicked with probability 0, 1 and 0."""
    return ShopTruth(
        examination=np.ones(1),
        click=np.array([[0.0, 1.0, 0.0]]),
        purchase=np.ones((1, 3)),
        price=np.ones(3),
        profit=np.ones(3),
        activity=np.ones(1),
        segment=np.zeros(1, dtype=np.int64),
        logits=np.zeros((1, 3)),
    )


def test_regret_by_hand() -> None:
    """Greedy without exploration finds the only clicked item after at most two misses, and stays."""
    found = explore(certain(), "epsilon", strength=0.0, steps=50, seeds=8)
    assert set(found.regret[:, -1]) <= {0.0, 1.0, 2.0}
    assert_allclose(found.reward[:, -1] + found.regret[:, -1], 50)
    random = explore(certain(), "random", steps=3000, seeds=8)
    mean, low, high = random.interval(random.regret)
    assert abs(mean[-1] - 2000) < 100
    assert low[-1] < mean[-1] < high[-1]


def test_learning_policies_lose_less_than_random_ones(truth: ShopTruth) -> None:
    ends = {
        name: explore(truth, name, strength=0.05, steps=2500, seeds=6).regret[:, -1].mean()  # type: ignore[arg-type]
        for name in ("epsilon", "softmax", "thompson", "random")
    }
    assert max(ends["epsilon"], ends["softmax"], ends["thompson"]) < 0.7 * ends["random"]


def test_the_same_seed_gives_the_same_curve_and_settings_are_checked(truth: ShopTruth) -> None:
    one, again = (explore(truth, "thompson", steps=40, seeds=2, ctx=RunContext(5)) for _ in range(2))
    assert_allclose(one.regret, again.regret)
    assert (np.diff(one.regret, axis=1) >= 0).all()
    single = explore(truth, "random", steps=5, seeds=1)
    assert np.isnan(single.interval(single.regret)[1]).all()
    for settings in (
        {"strategy": "greedy"},
        {"strategy": "epsilon", "strength": 2.0},
        {"strategy": "softmax", "strength": 0.0},
    ):
        with pytest.raises(ConfigError):
            explore(truth, **settings)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="seeds from 1 to 200"):
        explore(truth, "random", seeds=0)


def test_the_example_log_is_one_of_the_bundled_shop() -> None:
    log = example_log(visitors=50)
    assert log["item_id"].str.startswith("p").all()
    assert (log.groupby("impression_id").size() == shop_truth().places).all()
    assert not is_shop("other")
