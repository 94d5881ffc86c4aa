"""Presets of tuned settings: names, and two people who rename and delete at the same time."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recsys_core.errors import ConfigError, RecscopeError, StoreError
from recsys_core.experiments.spec import ModelSpec
from recsys_core.experiments.tuning.presets import Preset, PresetStore
from tests.records import flip_bit
from tests.tunings import tuning_spec


def preset(name: str, *, key: str = "ease", trials: int = 5) -> Preset:
    model = ModelSpec(key=key, config={"regularization": 20.0} if key == "ease" else {})
    return Preset(name=name, model=model, tuning=tuning_spec("f" * 16, key, trials=trials), value=0.4, created=0.0)


@pytest.fixture
def store(tmp_path: Path) -> PresetStore:
    """A preset of EASE, another one, and one of the biases."""
    made = PresetStore(tmp_path)
    for one in (preset("Morning", trials=3), preset("Evening"), preset("Evening", key="bias")):
        made.save(one)
    return made


def names(store: PresetStore) -> list[str]:
    return sorted(one.name for one in store.presets("ease"))


def test_a_renamed_preset_keeps_its_name_when_its_tuning_goes_on(store: PresetStore) -> None:
    renamed = store.rename(preset("Evening").id, "  **Best** $x$ :red[1]  ", before="Evening")
    assert renamed.name == "**Best** $x$ :red[1]"
    store.save(preset("Evening").model_copy(update={"value": 0.5}))
    assert names(store) == ["**Best** $x$ :red[1]", "Morning"]
    assert {one.value for one in store.presets("ease")} == {0.4, 0.5}


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "two\nlines", "back\x1bspace", "hidden\u202eorder"])
def test_a_name_is_printable_and_neither_empty_nor_endless(store: PresetStore, name: str) -> None:
    with pytest.raises(ConfigError, match="The name of a preset must have 1 to 200 printable characters"):
        store.rename(preset("Evening").id, name, before="Evening")
    assert names(store) == ["Evening", "Morning"]


def test_two_presets_of_a_model_have_different_names(store: PresetStore) -> None:
    with pytest.raises(ConfigError, match="Another preset of this model is named 'Morning'"):
        store.rename(preset("Evening").id, "MORNING", before="Evening")
    store.rename(preset("Evening").id, "EVENING", before="Evening")  # that of another model does not count
    assert names(store) == ["EVENING", "Morning"]


def test_what_another_user_renamed_is_neither_overwritten_nor_deleted(store: PresetStore) -> None:
    store.rename(preset("Evening").id, "Hers", before="Evening")
    for action in (
        lambda: store.rename(preset("Evening").id, "His", before="Evening"),
        lambda: store.delete(preset("Evening").id, before="Evening"),
    ):
        with pytest.raises(StoreError, match="'Evening' was renamed to 'Hers' meanwhile; nothing was changed"):
            action()
    assert names(store) == ["Hers", "Morning"]
    assert store.rename(preset("Evening").id, "Hers", before="Evening").name == "Hers"  # both want the same name
    store.delete(preset("Evening").id, before="Hers")
    for action in (
        lambda: store.rename(preset("Evening").id, "His", before="Hers"),
        lambda: store.delete(preset("Evening").id, before="Hers"),
    ):
        with pytest.raises(StoreError, match="'Hers' is not in this workspace any more"):
            action()


def test_of_many_renames_at_once_one_succeeds(store: PresetStore) -> None:
    def rename(number: int) -> bool:
        try:
            store.rename(preset("Evening").id, f"Name {number}", before="Evening")
        except RecscopeError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(rename, range(8)))
    assert sum(done) == 1
    assert names(store) == ["Morning", f"Name {done.index(True)}"]


def test_a_damaged_preset_is_left_out_and_replaced_by_its_tuning(store: PresetStore, tmp_path: Path) -> None:
    flip_bit(tmp_path / "presets" / f"{preset('Evening').id}.json")
    assert names(store) == ["Morning"]
    store.save(preset("Evening"))
    assert names(store) == ["Evening", "Morning"]


def test_without_presets_there_is_nothing_to_rename(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not in this workspace any more"):
        PresetStore(tmp_path).rename("0" * 16, "x", before="y")
    assert not (tmp_path / "presets").exists()
