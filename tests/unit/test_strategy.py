"""Strategies: each card by hand, the trail, what never breaks, and the command line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_core.cli import main
from recsys_core.contracts import PAD, TopK
from recsys_core.data import dataset_from_frames
from recsys_core.errors import ConfigError
from recsys_core.strategy.apply import apply
from recsys_core.strategy.cards import Condition, Strategy
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.files import read_strategy
from recsys_core.strategy.rank_change import RankChange, median_rank_change, rank_changes
from tests.strategies import FACTS, ITEMS, RAW, USERS, first, outcome, shop


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


@given(st.integers(0, 11), st.integers(1, 12))
def test_a_boost_by_places_moves_an_item_by_that_many(item: int, places: int) -> None:
    when = {"field": "title", "op": "=", "value": f"Item {item}"}
    found = outcome({"kind": "boost", "when": when, "places": places}, k=ITEMS)
    before, after = found.places(0, item)
    assert after == max(1, before - places)


CONDITIONS = st.sampled_from(
    [("price", ">", 4.0), ("brand", "=", "b1"), ("interacted_times", ">", 1.0), ("popularity", "<", 8.0)]
).map(lambda parts: dict(zip(("field", "op", "value"), parts, strict=True)))
MOVES = st.one_of(
    st.fixed_dictionaries({"places": st.integers(-12, 12)}),
    st.fixed_dictionaries(
        {"by": st.just("factor"), "factor": st.floats(0.05, 20), "scaling": st.sampled_from(["rank", "minmax"])}
    ),
)


@given(when=CONDITIONS, move=MOVES, seed=st.integers(0, 1000))
def test_a_boost_never_lowers_and_a_bury_never_raises(when: dict[str, Any], move: dict[str, Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    lists = TopK(rng.permuted(RAW.item, axis=1), -np.sort(-rng.random(RAW.item.shape)).astype(np.float32))
    card = {"kind": "boost", "when": when, **move}
    found = outcome({"kind": "mmr", "weight": 0.6}, card, k=ITEMS, lists=lists)
    up = move.get("places", 0) > 0 or move.get("factor", 0) > 1
    met = Condition.model_validate(when).holds(FACTS, USERS, found.trail[1][1])
    gained = rank_changes(found.trail[1][1], found.trail[2][1])
    assert (gained[met] >= 0).all() if up else (gained[met] <= 0).all()
    assert (gained[~met] <= 0).all() if up else (gained[~met] >= 0).all()
    change = median_rank_change(found, 2, FACTS)
    assert change.items == met.sum()
    assert change.items == 0 or change.median == np.median(gained[met])


def test_a_boost_by_a_factor_by_hand() -> None:
    """Ranks give 1, 11/12, ..., 1/12; item 6 (1/2) doubled ties with item 0, which stays first as before it."""
    sixth = {"kind": "boost", "when": {"field": "price", "op": "=", "value": 6}, "by": "factor"}
    assert first({**sixth, "factor": 2.0}) == [0, 6, 1, 2, 3]
    assert first({**sixth, "factor": 1.5}) == [0, 1, 2, 3, 6]  # 3/4, as item 3
    assert first({**sixth, "factor": 0.1}, k=ITEMS)[-2:] == [11, 6]  # 1/20 is less than 1/12
    found = outcome({**sixth, "factor": 2.0}, k=ITEMS)
    assert median_rank_change(found, 1, FACTS) == RankChange(5.0, 2, 2)


def test_repeat_exposure_halves_by_hand() -> None:
    """With a half-life of one interaction, 1 - r / 12 is halved once per earlier interaction of this user."""
    counts = FACTS.pairs.set_index(["user", "item"])["interacted_times"]
    value = {item: (1 - item / ITEMS) * 0.5 ** counts.get((0, item), 0) for item in range(ITEMS)}
    by_hand = sorted(range(ITEMS), key=lambda item: -value[item])
    assert first({"kind": "decay", "by": "interacted_times", "half_life": 1.0}, k=ITEMS) == by_hand
    assert by_hand != list(range(ITEMS))


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
    assert read_strategy(path, k=5).pool == 5
    path.write_text('{"pool": ')
    with pytest.raises(ConfigError, match="is not JSON: Expecting value"):
        read_strategy(path)
    path.write_text("[" * 100_000)
    with pytest.raises(ConfigError, match="nested more deeply"):
        read_strategy(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_strategy(tmp_path / "none.json")


def test_the_command_line_applies_a_strategy_to_the_lists_of_a_model(tmp_path: Path) -> None:
    shop_files(tmp_path)
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


def shop_files(folder: Path) -> Path:
    """Write interactions of 30 users with 25 items, and return the file."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"user_id": rng.integers(0, 30, 400), "item_id": rng.integers(0, 25, 400)})
    frame.drop_duplicates().to_csv(folder / "train.csv", index=False)
    return folder / "train.csv"


def test_the_command_line_mixes_models_and_reports_what_lists_lack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = shop_files(tmp_path)
    mix = {"kind": "mix", "method": "slots", "pattern": ["popular", "ease"],
           "models": [{"model": "ease"}, {"model": "popular"}]}  # fmt: skip
    never = {"kind": "quota", "when": {"field": "id", "op": "=", "value": "99"}, "least": 1}
    exposure = {"kind": "exposure", "when": {"field": "popularity", "op": "<", "value": 15}, "least": 0.4}
    (tmp_path / "mix.json").write_text(json.dumps({"cards": [mix]}))
    (tmp_path / "never.json").write_text(json.dumps({"cards": [exposure, never]}))
    words = ["recommend", "--train", str(train), "--k", "3"]
    for name, more in {
        "popular": ["--model", "popular"],
        "ease": ["--model", "ease"],
        "mixed": ["--model", "ease", "--strategy", str(tmp_path / "mix.json")],
        "lacking": ["--model", "ease", "--strategy", str(tmp_path / "never.json")],
    }.items():
        assert main([*words, *more, "--out", str(tmp_path / f"{name}.csv")]) == 0
    popular, ease, mixed, lacking = (
        pd.read_csv(tmp_path / f"{name}.csv").groupby("user_id")["item_id"].agg(list)
        for name in ("popular", "ease", "mixed", "lacking")
    )
    for user, items in mixed.items():
        assert items[0] == popular[user][0]
        assert items[1] == next(item for item in ease[user] if item != items[0])
    said = capsys.readouterr().err
    assert "Card 2: the minimum does not hold in the lists of 30 of 30 users. 30 of them have too few" in said
    counts = pd.read_csv(train)["item_id"].value_counts()
    weight = [1 / np.log2(1 + rank) for rank in (1, 2, 3)]
    rare = sum(share for items in lacking for item, share in zip(items, weight, strict=True) if counts[item] < 15)
    assert rare / (len(lacking) * sum(weight)) >= 0.4
    monkeypatch.setattr("recsys_core.cli.answering.USERS_AT_ONCE", 7)  # no matter for a pass over all users
    again = ["--model", "ease", "--strategy", str(tmp_path / "never.json"), "--out", str(tmp_path / "again.csv")]
    assert main([*words, *again]) == 0
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "lacking.csv").read_bytes()


def test_the_command_line_writes_the_propensities_of_drawn_lists(tmp_path: Path) -> None:
    train = shop_files(tmp_path)
    explore = {"kind": "explore", "method": "epsilon", "epsilon": 0.5}
    (tmp_path / "strategy.json").write_text(json.dumps({"cards": [{"kind": "pin", "item": "7"}, explore], "pool": 4}))
    words = ["recommend", "--train", str(train), "--model", "ease", "--k", "3", "--strategy"]
    assert main([*words, str(tmp_path / "strategy.json"), "--out", str(tmp_path / "drawn.csv")]) == 0
    drawn = pd.read_csv(tmp_path / "drawn.csv")
    assert (drawn[drawn["rank"] == 1][["item_id", "propensity"]] == [7, 1.0]).all(axis=None)
    second = drawn[drawn["rank"] == 2]["propensity"].round(9)  # of 3 or, if 7 was not among the best 4, 4 candidates
    assert set(second) <= {round(chance, 9) for n in (3, 4) for chance in (0.5 / n, 0.5 + 0.5 / n)}


def test_the_command_line_checks_a_strategy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, path = shop_files(tmp_path), tmp_path / "strategy.json"
    popular = {"field": "popularity", "op": ">", "value": 14}
    sound = [{"kind": "filter", "when": popular}, {"kind": "mmr", "weight": 0.5, "on": False}]
    words = ["strategy", "check", str(path), "--data", str(train)]
    path.write_text(json.dumps({"name": "season", "cards": sound, "pool": 20}))
    assert main(words) == 0
    assert capsys.readouterr().out == (
        "Strategy 'season': the 20 best candidates to lists of 10.\n"
        "1. filter: when popularity > 14\n"
        "     SELECT candidate.user, candidate.item FROM candidates AS candidate\n"
        "     JOIN items AS item ON item.position = candidate.item\n"
        '     JOIN users AS "user" ON "user".position = candidate.user\n'
        "     LEFT JOIN pairs AS pair ON pair.user = candidate.user AND pair.item = candidate.item\n"
        '     WHERE item."popularity" > CAST(14.0 AS DOUBLE)\n'
        "2. mmr (off): weight 0.5\n"
        "No findings.\n"
    )
    path.write_text(json.dumps({"cards": [*sound, {"kind": "pin", "item": "3", "end": "2026-03-01"}], "pool": 20}))
    assert main([*words, "--at", "2026-03-02"]) == 0
    assert "warning: Card 3 has no effect: its campaign ended on 2026-03-01.\n" in capsys.readouterr().out
    assert main([*words, "--at", "March"]) == 2
    assert "--at: 'March' is not a day; write YYYY-MM-DD." in capsys.readouterr().err
    again = {"kind": "quota", "when": {"field": "interacted_times", "op": ">", "value": 0}, "least": 1}
    path.write_text(json.dumps({"cards": [again], "pool": 20}))
    assert main(words) == 0  # that models leave out what a user has seen shows in lists only
    assert main([*words, "--model", "ease"]) == 1
    assert "error: Card 1: the minimum does not hold in the lists of 30 of 30 users." in capsys.readouterr().out


def test_decay_lowers_popular_and_old_items_and_needs_what_it_halves_by() -> None:
    amounts = FACTS.table["popularity"].to_numpy()
    found = outcome({"kind": "decay", "by": "popularity", "half_life": 0.05}, k=ITEMS).lists.item[0]
    assert amounts[found].tolist() == sorted(amounts)
    with pytest.raises(ValueError, match="Input should be 'rank' or 'minmax'"):
        Strategy.model_validate({"cards": [{"kind": "decay", "scaling": "z"}]})
    timeless = Facts(dataset_from_frames(shop().interactions[["user", "item"]], name="shop", fingerprint="t"))
    with pytest.raises(ConfigError, match="by age_days needs timestamps, which 'shop' does not have"):
        apply(Strategy.model_validate({"cards": [{"kind": "decay", "by": "age_days"}]}), RAW, USERS, timeless)
