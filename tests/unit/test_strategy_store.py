"""Stored strategies: versions, states, log, rollback, damage, and the differences between two strategies."""

import json
import os
from pathlib import Path

import pytest

from recsys_core.cli import main
from recsys_core.data.dataset_folders import data_sets_aside
from recsys_core.errors import ConfigError, StoreError
from recsys_core.strategy import store as store_module
from recsys_core.strategy.changes import diff
from recsys_core.strategy.store import RECORD, StrategyStore, version_of
from tests.records import flip_bit, rewrite
from tests.shops import BOOST, CAP, CHEAP, MMR, strategy

ONE = strategy(CHEAP, MMR, name="Autumn")
OTHER = strategy(CHEAP, MMR | {"weight": 0.9})


@pytest.fixture
def store(tmp_path: Path) -> StrategyStore:
    return StrategyStore(tmp_path)


def versions_of(tmp_path: Path) -> list[Path]:
    return sorted(tmp_path.glob("strategies/*/versions/*.json"), key=lambda path: path.stat().st_mtime_ns)


def test_a_strategy_is_stored_with_immutable_versions_and_a_log(store: StrategyStore, tmp_path: Path) -> None:
    first = store.save(ONE, note="for October")
    assert (first.name, first.state, first.versions) == ("Autumn", "draft", (version_of(ONE),))
    before = versions_of(tmp_path)[0].read_bytes()
    second = store.save(OTHER, key=first.id)
    assert second.versions == (version_of(ONE), version_of(OTHER))
    assert second.current == version_of(OTHER)
    assert versions_of(tmp_path)[0].read_bytes() == before
    assert store.strategy(first.id) == OTHER.model_copy(update={"name": "Autumn"})
    assert store.strategy(first.id, version_of(ONE)) == ONE
    assert [(entry.action, entry.note) for entry in second.log] == [("saved", "for October"), ("saved", "")]
    assert StrategyStore(tmp_path).all() == [second]


def test_a_name_is_not_part_of_the_version_but_every_setting_is() -> None:
    assert version_of(ONE) == version_of(ONE.model_copy(update={"name": "Spring"}))
    assert len({version_of(one) for one in (ONE, OTHER, strategy(MMR, CHEAP), strategy(CHEAP, MMR, k=6))}) == 4


def test_states_belong_to_versions_and_are_logged_with_their_reason(store: StrategyStore) -> None:
    key = store.save(ONE).id
    store.set_state(key, "trusted", note="NDCG is kept")
    assert store.save(OTHER, key=key).state == "draft"
    store.set_state(key, "retired")
    stored = store.rollback(key, version_of(ONE), note="complaints")
    assert (stored.current, stored.state) == (version_of(ONE), "trusted")
    assert stored.states == {version_of(ONE): "trusted", version_of(OTHER): "retired"}
    assert [entry.action for entry in stored.log] == ["saved", "state", "saved", "state", "rollback"]
    assert (stored.log[1].note, stored.log[-1].state) == ("NDCG is kept", "trusted")
    assert store.save(ONE, key=key).state == "trusted"  # the same version again


def test_renaming_keeps_versions(store: StrategyStore) -> None:
    key = store.save(ONE).id
    stored = store.rename(key, "  Winter ")
    assert (stored.name, stored.versions) == ("Winter", (version_of(ONE),))
    assert store.strategy(key).name == "Winter"


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201])
def test_invalid_names_are_refused(store: StrategyStore, name: str) -> None:
    key = store.save(ONE).id
    with pytest.raises(ConfigError, match="name of a strategy"):
        store.rename(key, name)


def test_unknown_strategies_versions_and_states_are_refused(store: StrategyStore) -> None:
    key = store.save(ONE).id
    for unknown in ("", "..", "nothing", f"../strategies/{key}"):
        with pytest.raises(StoreError, match="no stored strategy"):
            store.open(unknown)
    with pytest.raises(StoreError, match="has no version"):
        store.rollback(key, "0" * 16)
    with pytest.raises(StoreError, match="has no version"):
        store.strategy(key, "0" * 16)
    with pytest.raises(ConfigError, match="not a state"):
        store.set_state(key, "live")  # type: ignore[arg-type]


def test_a_damaged_version_is_set_aside_and_takes_down_only_itself(store: StrategyStore, tmp_path: Path) -> None:
    key = store.save(ONE).id
    store.save(OTHER, key=key)
    flip_bit(tmp_path / "strategies" / key / "versions" / f"{version_of(OTHER)}.json")
    stored = store.open(key)
    assert (stored.versions, stored.current, stored.name) == ((version_of(ONE),), version_of(ONE), "Autumn")
    damaged = store.damaged()
    assert [one.kind for one in damaged] == ["strategy"]
    assert version_of(OTHER) in damaged[0].name
    assert "checksum" in damaged[0].reason
    assert data_sets_aside(tmp_path) == []
    assert store.save(OTHER, key=key).current == version_of(OTHER)


def test_a_damaged_record_loses_name_and_log_but_no_version(store: StrategyStore, tmp_path: Path) -> None:
    key = store.save(ONE).id
    store.save(OTHER, key=key)
    store.set_state(key, "trusted")
    flip_bit(tmp_path / "strategies" / key / RECORD)
    stored = store.open(key)
    assert stored.versions == (version_of(ONE), version_of(OTHER))
    assert (stored.current, stored.state) == (version_of(OTHER), "draft")
    assert [entry.action for entry in stored.log] == ["recovered"]
    assert len(store.damaged()) == 1
    assert StrategyStore(tmp_path).open(key) == stored


def test_a_version_under_another_name_is_damaged(store: StrategyStore, tmp_path: Path) -> None:
    key = store.save(ONE).id
    store.save(OTHER, key=key)
    path = tmp_path / "strategies" / key / "versions" / f"{version_of(ONE)}.json"
    rewrite(path, lambda values: values | {"strategy": OTHER.model_dump(mode="json")})
    assert store.open(key).versions == (version_of(OTHER),)
    assert "another strategy" in store.damaged()[0].reason


def test_a_strategy_without_a_readable_version_hides_no_other(store: StrategyStore, tmp_path: Path) -> None:
    lost, kept = store.save(ONE).id, store.save(OTHER, name="Kept").id
    flip_bit(tmp_path / "strategies" / lost / "versions" / f"{version_of(ONE)}.json")
    assert [one.id for one in store.all()] == [kept]
    assert len(store.damaged()) == 1


def said(*pair: object) -> list[str]:
    return [str(change.sentence) for change in diff(*pair)]  # type: ignore[arg-type]


def test_an_unchanged_version_is_read_once_and_a_changed_one_again(
    store: StrategyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    original = store_module.read_record
    monkeypatch.setattr(store_module, "read_record", lambda path: read.append(path.name) or original(path))
    stored = store.save(ONE)
    name = f"{version_of(ONE)}.json"
    store.all()
    store.all()
    assert read.count(name) >= 2  # just written: the clock of the file system may be too coarse to tell of a change
    monkeypatch.setattr(store_module, "SETTLED_NS", 0)
    store.all()
    read.clear()
    assert StrategyStore(tmp_path).all() == [stored]
    assert store.strategy(stored.id) == ONE
    assert name not in read
    path = versions_of(tmp_path)[0]
    before = path.stat().st_mtime_ns
    flip_bit(path)
    os.utime(path, ns=(before, before + 1))
    assert store.all() == []
    assert name in read
    assert [one.key for one in store.damaged()]


def test_the_difference_of_two_strategies_names_each_card() -> None:
    assert diff(ONE, ONE.model_copy(update={"name": "other"})) == ()
    assert said(ONE, OTHER) == ["Card 2 (Diversity (MMR)): weight 0.5 → 0.9."]
    assert said(ONE, strategy(CHEAP, BOOST, MMR)) == ["Card 2 (Boost or bury) is added."]
    assert said(strategy(CHEAP, BOOST, MMR), ONE) == ["Card 2 (Boost or bury) is removed."]
    assert said(strategy(CHEAP, BOOST, MMR), strategy(MMR, CHEAP, BOOST)) == [
        "Card 3 (Diversity (MMR)) moves to place 1."
    ]
    both = diff(strategy(CHEAP, CAP, MMR), strategy(MMR | {"weight": 0.1}, CHEAP, CAP))
    assert [(change.kind, change.before, change.after, change.values) for change in both] == [
        ("moved", 2, 0, {"weight": (0.5, 0.1)})
    ]
    assert said(ONE, strategy(CHEAP, MMR, k=6)) == ["k 5 → 6."]
    assert said(ONE, strategy(CHEAP, MMR | {"on": False})) == ["Card 2 (Diversity (MMR)): on True → False."]


def test_two_cards_of_one_kind_are_told_apart() -> None:
    one, other = strategy(CAP, CAP | {"most": 3}), strategy(CAP | {"most": 3}, CAP)
    assert [change.kind for change in diff(one, other)] == ["moved"]
    assert said(one, strategy(CAP, CAP | {"most": 4})) == ["Card 2 (Cap): most 3 → 4."]


def test_the_command_line_lists_strategies_and_removes_what_was_set_aside(
    own_workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = StrategyStore(own_workspace)
    key = store.save(ONE).id
    store.save(OTHER, key=key)
    flip_bit(own_workspace / "strategies" / key / "versions" / f"{version_of(OTHER)}.json")
    assert main(["workspace"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["strategies"] == [{"id": key, "name": "Autumn", "version": version_of(ONE), "state": "draft"}]
    assert [one["kind"] for one in found["damaged"]] == ["strategy"]
    assert main(["workspace", "--remove", found["damaged"][0]["folder"]]) == 0
    assert json.loads(capsys.readouterr().out)["damaged"] == []
