"""Presets are built from the fields that the data have, and say what is missing where they cannot be."""

import numpy as np
import pytest

from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.presets import Preset, presets_for
from recsys_core.strategy.prices import Pricing
from tests.shops import candidates, shop, split_of


def stocked(data: Dataset) -> Dataset:
    """Half of the items are in stock; cotton sells in the last days only; one brand has the popular items."""
    items = data.items
    assert items is not None
    stock = np.where(np.arange(data.n_items) % 2, 50.0, 0.0)
    frame = data.interactions.copy()
    cotton = items["categories"].to_numpy()[frame["item"]] == "cotton"
    frame["timestamp"] = np.where(cotton, 9 * 10**9, frame["timestamp"])
    return dataset_from_frames(
        frame,
        name="shop",
        items=items.assign(Stock=stock, brand=np.where(np.arange(data.n_items) < 25, "b0", items["brand"])),
        users=data.users,
        item_ids=list(data.item_vocabulary.ids),
        user_ids=list(data.user_vocabulary.ids),
    )


def found(data: Dataset) -> dict[str, Preset]:
    return {one.key: one for one in presets_for(Facts(data), k=5, pool=20)}


def test_presets_are_built_from_the_fields_of_the_data() -> None:
    presets = found(stocked(shop()))
    assert [key for key, one in presets.items() if one.strategy is None] == []
    cards = {key: one.strategy.cards for key, one in presets.items() if one.strategy}
    assert cards["season"][0].when.model_dump(include={"field", "op", "value"}) == {  # type: ignore[union-attr]
        "field": "categories",
        "op": "has",
        "value": "cotton",
    }
    assert [card.kind for card in cards["clearance"]] == ["filter", "boost"]
    assert cards["clearance"][1].when.value == 50.0  # type: ignore[union-attr]
    assert cards["new_items"][0].least == 1  # type: ignore[union-attr]
    assert [card.kind for card in cards["provider_fairness"]] == ["cap", "exposure"]
    assert cards["churn_risk"][0].when.field == "user.inactive_days"  # type: ignore[union-attr]


@pytest.mark.parametrize("key", ["season", "clearance", "new_items", "provider_fairness", "churn_risk"])
def test_every_preset_moves_lists_and_can_be_priced_with_its_metrics(key: str) -> None:
    own = candidates(split_of(stocked(shop())))
    preset = {one.key: one for one in presets_for(own.facts, k=5, pool=20)}[key]
    assert preset.strategy is not None
    prices = Pricing(own, k=5, exposure_of="brand").price(preset.strategy)
    assert prices.affected.iloc[0]["changed"] > 0
    known = {name.partition("@")[0] for name in prices.metrics} | {"value"}
    assert set(preset.moves) <= known


def test_a_numeric_season_is_not_searched_for_entries() -> None:
    data = stocked(shop())
    assert data.items is not None
    numbered = dataset_from_frames(
        data.interactions, name="numbered", items=data.items.assign(season=np.arange(data.n_items) % 4)
    )
    own = candidates(split_of(numbered))
    strategy = {one.key: one for one in presets_for(own.facts, k=5, pool=20)}["season"].strategy
    assert strategy is not None
    assert strategy.cards[0].when.field == "categories"  # type: ignore[union-attr]
    Pricing(own, k=5).price(strategy)
    alone = dataset_from_frames(
        data.interactions,
        name="alone",
        items=numbered.items[["season"]],  # type: ignore[index]
    )
    assert found(alone)["season"].missing == ("a text field of the items named season, campaign or categories",)


def test_what_is_missing_is_said() -> None:
    data = shop()
    bare = dataset_from_frames(data.interactions[["user", "item"]], name="bare")
    presets = found(bare)
    assert all(one.strategy is None for one in presets.values())
    assert presets["clearance"].missing == ("a numeric field of the items named stock, inventory or quantity",)
    assert presets["new_items"].missing == presets["churn_risk"].missing == ("timestamps of the interactions",)
    assert "provider" in presets["provider_fairness"].missing[0]
    assert "season" in presets["season"].missing[0]


def test_one_provider_has_no_fairness() -> None:
    data = shop()
    assert data.items is not None
    alone = dataset_from_frames(data.interactions, name="alone", items=data.items.assign(brand="b"))
    assert found(alone)["provider_fairness"].strategy is None
