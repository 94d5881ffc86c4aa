"""The synthetic shop: reproducible, and its true values are those of long simulations."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import make_splits
from recsys_core.data.synthetic.samples import TRUTH, load_sample, sample_folder
from recsys_core.data.synthetic.shop import Shop, make_shop, make_truth
from recsys_core.data.synthetic.shop_config import ShopConfig
from recsys_core.data.synthetic.shop_items import SEGMENTS
from recsys_core.data.synthetic.shop_log import sample_log
from recsys_core.data.synthetic.shop_truth import REWARDS, ShopTruth
from recsys_core.data.task import Task
from recsys_core.errors import ConfigError
from recsys_core.evaluation.off_policy.shop_feedback import feedback_of

SMALL = ShopConfig(users=40, items=24, places=3, sessions_per_user=3)


@pytest.fixture(scope="module")
def shop() -> Shop:
    return make_shop(SMALL, 1)


def test_the_same_seed_gives_the_same_shop_and_another_seed_another(shop: Shop) -> None:
    again, other = make_shop(SMALL, 1), make_shop(SMALL, 2)
    assert_frame_equal(shop.log, again.log)
    assert_frame_equal(shop.dataset.interactions, again.dataset.interactions)
    assert not shop.dataset.interactions.equals(other.dataset.interactions)
    assert_allclose(make_truth(SMALL, 1).click, shop.truth.click)


def test_clicks_and_purchases_of_the_log_are_the_interactions(shop: Shop) -> None:
    events = shop.dataset.interactions["event"].value_counts()
    assert events["click"] == shop.log["click"].sum()
    assert events["purchase"] == shop.log["purchase"].sum()
    assert (shop.log["purchase"] <= shop.log["click"]).all()
    assert shop.dataset.interactions["timestamp"].is_monotonic_increasing
    assert set(shop.dataset.users["segment"]) <= set(SEGMENTS)
    assert {"title", "categories", "price", "margin", "stock", "provider"} <= set(shop.dataset.items)


def test_an_impression_shows_different_items_at_all_positions(shop: Shop) -> None:
    groups = shop.log.groupby("impression")
    assert (groups["item"].nunique() == 3).all()
    assert (groups["position"].agg(list).map(sorted) == [[1, 2, 3]] * len(groups)).all()
    assert (groups["timestamp"].max() - groups["timestamp"].min() < 60_000).all()


def test_what_is_out_of_stock_is_never_bought() -> None:
    empty = make_shop(SMALL.model_copy(update={"out_of_stock": 0.5, "sessions_per_user": 20}), 3)
    gone = empty.dataset.items["stock"].to_numpy() == 0
    assert 4 < gone.sum() < 20
    assert empty.truth.purchase[:, gone].max() == 0
    rows = gone[empty.log["item"].to_numpy()]
    assert empty.log.loc[rows, "purchase"].sum() == 0
    assert empty.log.loc[rows, "click"].sum() > 0


def test_propensities_are_the_frequencies_of_the_log() -> None:
    truth = make_truth(SMALL, 1)
    log = sample_log(truth, 6000, np.random.default_rng(2))
    segment = truth.segment[log["user"].to_numpy()]
    cell = log[(segment == 0) & (log["position"] == 2)]
    share = np.bincount(cell["item"], minlength=24) / len(cell)
    assert_allclose(share, truth.logging_policy()[0, 1], atol=0.012)  # 4 standard errors
    assert_allclose(cell["propensity"], truth.logging_policy()[0, 1, cell["item"].to_numpy()])


@pytest.mark.parametrize("kind", REWARDS)
def test_the_true_value_is_the_mean_of_a_long_log(kind: Any) -> None:
    truth = make_truth(SMALL, 1)
    users = np.arange(40)
    items = np.tile(np.arange(24), (40, 1))
    value = truth.value(users, items, truth.logging_policy()[truth.segment], kind)
    log = feedback_of(sample_log(truth, 12_000, np.random.default_rng(4)), truth, kind)
    per_impression = np.bincount(log.impression, weights=log.reward)
    error = per_impression.std() / np.sqrt(12_000)  # by visitors, each with several impressions
    assert abs(per_impression.mean() - value) < 4 * error


def test_a_shown_item_is_worth_its_clicks_times_the_examination() -> None:
    """Two users, the second twice as active: (0.5 + 2 * 0.2) / 3 per examined item, examination 1 and 0.5."""
    truth = ShopTruth(
        examination=np.array([1.0, 0.5]),
        click=np.array([[0.5, 0.1], [0.2, 0.4]]),
        purchase=np.array([[0.5, 0.5], [0.5, 1.0]]),
        price=np.array([10.0, 20.0]),
        profit=np.array([1.0, 2.0]),
        activity=np.array([1.0, 2.0]),
        segment=np.array([0, 0]),
        logits=np.zeros((1, 2)),
    )
    lists, exact = np.array([[0, 1], [0, -1]]), np.tile(np.eye(2), (2, 1, 1))
    assert_allclose(truth.value(np.arange(2), lists, exact, "click"), (0.5 + 0.05 + 2 * 0.2) / 3)
    assert_allclose(truth.value(np.arange(2), lists, exact, "revenue"), (2.5 + 0.5 * 0.1 * 0.5 * 20 + 2 * 1.0) / 3)
    with pytest.raises(ConfigError, match="Known: click, purchase, revenue, profit"):
        truth.reward("likes")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="3 places, but the shop shows 2"):
        truth.value(np.arange(2), lists, np.zeros((2, 3, 2)), "click")


def test_the_sample_trains_like_any_data_set_and_has_its_truth() -> None:
    data = load_sample("shop")
    truth = ShopTruth.load(sample_folder("shop") / TRUTH)
    assert truth.click.shape == (data.n_users, data.n_items)
    task = Task(target=("purchase",), learn_from={"click": 1.0, "purchase": 4.0})
    split = make_splits(data, SplitSpec.parse("global_time"), 1, task)[0]
    assert len(split.test_users()) > 100
    clicked = truth.reward("click")[data.interactions["user"], data.interactions["item"]]
    assert clicked.mean() > truth.reward("click").mean() * 1.3
