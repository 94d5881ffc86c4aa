"""Strategies: each card by hand, the trail, what never breaks, and the command line."""

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_core.cli import main
from recsys_core.contracts import PAD, TopK
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import ConfigError
from recsys_core.strategy.apply import Outcome, apply
from recsys_core.strategy.cards import Condition, Strategy
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.files import read_strategy

ITEMS = 12


def shop(items: int = ITEMS) -> Dataset:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"user": rng.integers(0, 6, 90), "item": rng.integers(0, items, 90)}).astype("int32")
    frame["timestamp"] = rng.integers(0, 10**11, 90)
    table = pd.DataFrame(
        {
            "title": [f"Item {number}" for number in range(items)],
            "price": [float(number) if number else np.nan for number in range(items)],
            "brand": [f"b{number % 3}" for number in range(items)],
            "categories": [["wool", "silk", "wool|silk"][number % 3] for number in range(items)],
        }
    )
    return dataset_from_frames(
        frame, name="shop", fingerprint="shop", items=table, item_ids=[f"i{number}" for number in range(items)]
    )


FACTS = Facts(shop())
RAW = TopK(
    np.arange(ITEMS)[None].repeat(2, axis=0), np.arange(ITEMS, 0, -1.0, dtype=np.float32)[None].repeat(2, axis=0)
)
USERS = np.array([0, 1])


def outcome(*cards: dict[str, Any], k: int = 5, lists: TopK = RAW) -> Outcome:
    strategy = Strategy.model_validate({"cards": cards, "k": k, "pool": ITEMS})
    return apply(strategy, lists, USERS, FACTS)


def first(*cards: dict[str, Any], k: int = 5) -> list[int]:
    found: list[int] = outcome(*cards, k=k).lists.item[0].tolist()
    return found


def test_with_all_cards_off_the_lists_are_the_raw_ones_byte_for_byte() -> None:
    found = outcome({"kind": "mmr", "on": False}, {"kind": "cap", "field": "brand", "on": False})
    assert found.lists.item.tobytes() == RAW.item[:, :5].tobytes()
    assert found.lists.score.tobytes() == RAW.score[:, :5].tobytes()
    assert len(found.trail) == 1


def test_each_simple_card_by_hand() -> None:
    cheap = {"field": "price", "op": "<", "value": 4}
    assert first({"kind": "filter", "when": cheap}) == [1, 2, 3, PAD, PAD]  # item 0 has no price
    assert first({"kind": "filter", "when": cheap, "action": "drop"}) == [0, 4, 5, 6, 7]
    seventh = {"field": "price", "op": "=", "value": 7}
    assert first({"kind": "boost", "when": seventh, "places": 5}) == [0, 1, 7, 2, 3]
    assert first({"kind": "boost", "when": {"field": "price", "op": "=", "value": 1}, "places": -2}) == [0, 2, 3, 1, 4]
    assert first({"kind": "cap", "field": "brand", "most": 1}, k=4) == [0, 1, 2, PAD]
    assert first({"kind": "cap", "field": "brand", "most": 1, "window": 2}) == [0, 1, 2, 3, 4]
    assert first({"kind": "pin", "item": "i9", "place": 2}) == [0, 9, 1, 2, 3]
    assert first({"kind": "pin", "item": "i1", "place": 1}) == [1, 0, 2, 3, 4]
    silk = {"field": "brand", "op": "=", "value": "b1"}
    assert first({"kind": "fair_ratio", "when": silk, "share": 0.0}) == [0, 1, 2, 3, 4]


def test_a_pinned_item_that_the_model_did_not_recommend_has_no_score() -> None:
    short = TopK(RAW.item[:, :3], RAW.score[:, :3])
    found = outcome({"kind": "pin", "item": "i9", "place": 9}, lists=short)
    assert found.lists.item[0].tolist() == [0, 1, 2, 9, PAD]
    assert np.isnan(found.lists.score[0, 3:]).all()


def test_the_trail_names_the_place_after_each_card_and_ends_in_the_list() -> None:
    found = outcome(
        {"kind": "boost", "when": {"field": "price", "op": "=", "value": 7}, "places": 5},
        {"kind": "filter", "when": {"field": "price", "op": ">", "value": 1}},
        {"kind": "pin", "item": "i11", "place": 1},
    )
    assert found.places(0, 7) == [8, 3, 1, 2]
    assert found.places(0, 0) == [1, 1, 0, 0]
    assert found.places(0, 11) == [12, 12, 10, 1]
    for user in range(2):
        for place, item in enumerate(found.lists.item[user], start=1):
            assert found.places(user, int(item))[-1] == place


@given(st.integers(0, 100_000))
def test_whatever_the_cards_lists_hold_each_item_once_and_caps_hold(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kinds: list[dict[str, Any]] = [
        {"kind": "boost", "when": {"field": "price", "op": ">", "value": 5.0}, "places": int(rng.integers(-4, 5))},
        {"kind": "decay", "by": "popularity", "half_life": 5.0},
        {"kind": "mmr", "weight": float(rng.random())},
        {"kind": "dpp", "sharpness": 2.0},
        {"kind": "calibration", "weight": float(rng.random())},
        {"kind": "xquad", "weight": float(rng.random())},
        {"kind": "fair_ratio", "when": {"field": "brand", "op": "=", "value": "b1"}, "share": 0.4},
        {"kind": "filter", "when": {"field": "price", "op": "<", "value": float(rng.integers(3, 12))}},
    ]  # fmt: skip
    cards = [kinds[number] for number in rng.permutation(len(kinds))[: rng.integers(0, 5)]]
    most, window = int(rng.integers(1, 4)), int(rng.integers(0, 5))
    found = outcome(*cards, {"kind": "cap", "field": "brand", "most": most, "window": window}, k=6)
    brands = FACTS.table["brand"].to_numpy()
    for row in found.lists.item:
        listed = row[row != PAD]
        assert len(set(listed)) == len(listed)
        assert (row[len(listed) :] == PAD).all()
        own = brands[listed]
        span = window or len(own)
        for start in range(len(own)):
            assert max(pd.Series(own[start : start + span]).value_counts(), default=0) <= most
    again = outcome(*cards, {"kind": "cap", "field": "brand", "most": most, "window": window}, k=6)
    np.testing.assert_array_equal(again.lists.item, found.lists.item)


@given(st.integers(0, 11), st.integers(1, 12))
def test_a_boost_never_lowers_an_item(item: int, places: int) -> None:
    when = {"field": "title", "op": "=", "value": f"Item {item}"}
    found = outcome({"kind": "boost", "when": when, "places": places}, k=ITEMS)
    before, after = found.places(0, item)
    assert after == max(1, before - places)


OPERATORS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])


@given(OPERATORS, st.integers(0, 12), st.sampled_from(["price", "popularity", "age_days"]))
def test_a_condition_equals_the_sql_that_it_prints(op: str, value: int, field: str) -> None:
    condition = Condition.model_validate({"field": field, "op": op, "value": float(value)})
    assert by_sql(condition) == np.flatnonzero(condition.of_items(FACTS)).tolist()


def by_sql(condition: Condition) -> list[int]:
    """Return the items that meet the printed condition in DuckDB."""
    connection = duckdb.connect()
    connection.register("item_table", FACTS.table.assign(position=range(ITEMS)).replace({np.nan: None}))
    query = f"SELECT position FROM item_table AS item WHERE {condition.sql()} ORDER BY position"
    return [row[0] for row in connection.execute(query).fetchall()]


def test_text_conditions_and_their_sql() -> None:
    for op, value in (("=", "b1"), ("!=", "b1"), ("contains", "1"), ("=", "it's")):
        condition = Condition.model_validate({"field": "brand", "op": op, "value": value})
        assert by_sql(condition) == np.flatnonzero(condition.of_items(FACTS)).tolist()


def test_what_does_not_fit_the_data_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no item field 'stock'\. Known: title, price"):
        outcome({"kind": "filter", "when": {"field": "stock", "op": ">", "value": 0}})
    with pytest.raises(ConfigError, match="'price' holds numbers, which cannot be compared with 'cheap'"):
        outcome({"kind": "filter", "when": {"field": "price", "op": "=", "value": "cheap"}})
    with pytest.raises(ConfigError, match="no item 'i99' to pin"):
        outcome({"kind": "pin", "item": "i99"})
    path = tmp_path / "strategy.json"
    path.write_text('{"cards": [{"kind": "mmr", "weight": 2}]}')
    with pytest.raises(ConfigError, match="cards 0 mmr weight: Input should be less than or equal to 1"):
        read_strategy(path)
    path.write_text('{"pool": 5}')
    with pytest.raises(ConfigError, match="a pool of 5 candidates cannot fill lists of 10"):
        read_strategy(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_strategy(tmp_path / "none.json")


def test_the_command_line_applies_a_strategy_to_the_lists_of_a_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"user_id": rng.integers(0, 30, 400), "item_id": rng.integers(0, 25, 400)})
    frame.drop_duplicates().to_csv(tmp_path / "train.csv", index=False)
    (tmp_path / "strategy.json").write_text(json.dumps({"cards": [{"kind": "pin", "item": "7", "place": 2}]}))
    words = ["recommend", "--train", str(tmp_path / "train.csv"), "--model", "ease", "--k", "4"]
    assert main([*words, "--out", str(tmp_path / "raw.csv")]) == 0
    assert main([*words, "--strategy", str(tmp_path / "strategy.json"), "--out", str(tmp_path / "pinned.csv")]) == 0
    raw, pinned = (pd.read_csv(tmp_path / name) for name in ("raw.csv", "pinned.csv"))
    assert (pinned[pinned["rank"] == 2]["item_id"] == 7).all()
    for user, rows in pinned.groupby("user_id"):
        own = raw[raw["user_id"] == user]["item_id"].tolist()
        rest = [item for item in rows["item_id"] if item != 7]
        assert rest == [item for item in own if item != 7][:3]


def test_decay_lowers_popular_and_old_items_and_needs_what_it_halves_by() -> None:
    amounts = FACTS.table["popularity"].to_numpy()
    found = outcome({"kind": "decay", "by": "popularity", "half_life": 0.05}, k=ITEMS).lists.item[0]
    assert amounts[found].tolist() == sorted(amounts)
    with pytest.raises(ValueError, match="Input should be 'rank' or 'minmax'"):
        Strategy.model_validate({"cards": [{"kind": "decay", "scaling": "z"}]})
    timeless = Facts(dataset_from_frames(shop().interactions[["user", "item"]], name="shop", fingerprint="t"))
    with pytest.raises(ConfigError, match="by age_days needs timestamps, which 'shop' does not have"):
        apply(Strategy.model_validate({"cards": [{"kind": "decay", "by": "age_days"}]}), RAW, USERS, timeless)
