"""Fields that conditions can name, and the trail of an item in words."""

import numpy as np
import pandas as pd
import pytest

from recsys_core.contracts import Ragged, TopK
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import ConfigError
from recsys_core.strategy import facts as facts_module
from recsys_core.strategy.apply import apply
from recsys_core.strategy.candidates import Candidates
from recsys_core.strategy.cards import Boost, Condition, Filter, Pin, Strategy
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.fields import fields_of
from recsys_core.strategy.trail import trail_table
from recsys_core.strategy.versus import differences_between


def shop() -> Dataset:
    frame = pd.DataFrame({"user": [0, 0, 1, 1], "item": [0, 1, 1, 2]}).astype("int32")
    items = pd.DataFrame(
        {
            "title": list("abcd"),
            "brand": ["x", "y", "y", "y"],
            "price": [1.0, 2.0, 4.0, np.nan],
            "categories": ["p|q", "p", "p", None],
        }
    )
    users = pd.DataFrame({"city": ["u", "v"]})
    return dataset_from_frames(frame, name="shop", items=items, users=users, item_ids=list("abcd"))


def rows(*items: list[int]) -> Ragged:
    keys = np.repeat(np.arange(len(items)), [len(row) for row in items])
    return Ragged.from_keys(keys, np.concatenate(items), len(items))


def test_fields_know_their_kind_usual_values_and_whether_they_form_groups() -> None:
    fields = fields_of(Facts(shop()))
    assert fields["brand"].values == ("y", "x")
    assert fields["brand"].groups
    assert not fields["title"].groups
    assert fields["categories"].many
    assert fields["categories"].values == ("p", "q")
    assert (fields["price"].numeric, fields["price"].median) == (True, 2.0)
    assert fields["user.city"].values == ("u", "v")
    assert not fields["user.city"].of_items
    assert not fields["interacted_days"].of_items


def test_the_trail_names_every_card_that_moved_an_item() -> None:
    data = shop()
    facts = Facts(data)
    lists = TopK(np.array([[0, 1, 2]]), np.array([[3.0, 2.0, 1.0]], dtype=np.float32))
    dear, first = Condition(field="price", op=">", value=3.0), Condition(field="id", op="=", value="a")
    strategy = Strategy(
        cards=(Boost(when=dear, places=1), Filter(when=first, action="drop"), Pin(item="d")), k=2, pool=3
    )
    users = np.array([0])
    outcome = apply(strategy, lists, users, facts)
    relevant, history = rows([2]), rows([0])
    table = trail_table(outcome, 0, Candidates(users, lists, relevant, history, data, data, facts), data)
    assert table["title"].tolist() == ["d", "c", "a", "b"]
    assert table["place"].tolist() == [1, 2, 0, 0]
    assert table["hit"].tolist() == [False, True, False, False]
    trails = dict(zip(table["title"], table["trail"], strict=True))
    assert trails["c"] == "model 3 → Boost or bury 2 → Filter 1 → Pin 2"
    assert trails["a"] == "model 1 → Filter left out"
    assert trails["d"] == "not a candidate → Pin 1"


def test_two_strategies_differ_as_their_lists_do() -> None:
    from recsys_core.strategy.prices import Pricing

    data = shop()
    users = np.arange(2)
    lists = TopK(np.array([[2, 3], [0, 3]]), np.array([[2.0, 1.0], [2.0, 1.0]], dtype=np.float32))
    relevant = rows([2], [3])
    history = rows([0], [1])
    pricing = Pricing(Candidates(users, lists, relevant, history, data, data, Facts(data)), k=1)
    raw, pinned = Strategy(k=1, pool=2), Strategy(cards=(Pin(item="d"),), k=1, pool=2)
    row = differences_between(pricing, raw, pinned).set_index("metric").loc["hit_rate@1"]
    assert (row["before"], row["after"], row["difference"]) == (0.5, 0.5, 0.0)
    assert (differences_between(pricing, raw, raw)["difference"].dropna() == 0).all()


def test_columns_with_the_names_of_computed_fields_are_kept_beside_them() -> None:
    frame = pd.DataFrame({"user": [0, 0, 1], "item": [0, 1, 1]}).astype("int32")
    items = pd.DataFrame(
        {"popularity": [70.0, 80.0], "id": ["sku1", "sku2"], "age_days": [5, 6], "id (data)": ["p", "q"]}
    )
    users = pd.DataFrame({"id": ["m", "n"], "interactions": [900, 901], "inactive_days": [1.5, 2.5]})
    facts = Facts(dataset_from_frames(frame, items=items, users=users, item_ids=["a", "b"], user_ids=["x", "y"]))
    assert facts.table[["id", "popularity"]].to_numpy().tolist() == [["a", 1], ["b", 2]]
    kept = facts.table[["id (data)", "id (data) (data)", "popularity (data)", "age_days (data)"]]
    assert kept.to_numpy().tolist() == [["p", "sku1", 70, 5], ["q", "sku2", 80, 6]]
    assert facts.user_table[["id", "interactions"]].to_numpy().tolist() == [["x", 2], ["y", 1]]
    own = facts.user_table[["id (data)", "interactions (data)", "inactive_days (data)"]]
    assert own.to_numpy().tolist() == [["m", 900, 1.5], ["n", 901, 2.5]]
    popular = Condition(field="popularity (data)", op=">", value=75.0)
    assert popular.of_items(facts).tolist() == [False, True]
    assert {"popularity (data)", "user.interactions (data)"} <= set(fields_of(facts))


def test_too_many_items_and_categories_are_refused_before_they_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_module, "MOST_CELLS", 7)  # shop: 4 items x 2 categories
    for of in (lambda facts: facts.shares, lambda facts: facts.vectors, lambda facts: facts.interests(np.arange(2))):
        with pytest.raises(ConfigError, match=r"'shop' has 2 categories, too many for 4 items: 8 shares.*Merge rare"):
            of(Facts(shop()))
    monkeypatch.setattr(facts_module, "MOST_CELLS", 8)
    facts = Facts(shop())
    assert facts.interests(np.arange(2)).shape == (2, 2)
    with pytest.raises(ConfigError, match=r"too many for 5 users: 10 shares.*use fewer users at once"):
        facts.interests(np.array([0, 1, 0, 1, 0]))
