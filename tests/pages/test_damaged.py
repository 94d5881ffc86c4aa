"""What is damaged on disk takes no page down: it is named with its reason, and can be removed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import navigation
from recsys_core.data.workspace import Workspace
from recsys_core.experiments.store import ResultStore
from tests.pages.finished import (
    Finished,
    finished,
    finished_template,
    no_exception,
    open_page,
    two_tastes,
    words,
)
from tests.records import flip_bit
from tests.tunings import created, tuning_spec

__all__ = ["finished", "finished_template", "open_page"]
Open = Callable[..., AppTest]
PAGES = tuple(info.key for info in navigation.PAGES)


def second_data(finished: Finished) -> Path:
    """Store another data set and return its folder."""
    workspace = Workspace(finished.root)
    made = two_tastes(seed=9)
    object.__setattr__(made, "name", "Second")
    return workspace.store(made).folder


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("shown", PAGES)
def test_an_empty_meta_file_and_an_empty_spec_break_no_page(open_page: Open, finished: Finished, shown: str) -> None:
    empty(second_data(finished) / "meta.json")
    other = finished.root / "runs" / ("a" * 16)
    other.mkdir()
    empty(other / "spec.json")
    text = words(open_page(shown, **finished.address()))
    if shown in ("home", "data", "compare"):
        assert "damaged and" in text
        assert "is empty" in text


def test_a_damaged_tuning_is_named_where_experiments_are_and_can_be_removed(
    open_page: Open, finished: Finished
) -> None:
    tuning = created(finished.root, tuning_spec(finished.data, trials=1), "Evening")
    empty(tuning.path / "spec.json")
    for shown in ("train", "experiments", "home"):
        text = words(open_page(shown, data=finished.data, tuning=tuning.id))
        assert "1 folder of the workspace is damaged" in text, shown
        assert "Tuning Evening" in text, shown
        assert "'spec.json' is empty" in text, shown
    app = open_page("train", data=finished.data)
    no_exception(app.button(key=f"damaged_remove_tunings/{tuning.id}").click().run())
    assert "damaged and" not in words(app)
    assert not tuning.path.exists()


def test_a_damaged_table_of_trials_leaves_the_forms_of_the_page_train(open_page: Open, finished: Finished) -> None:
    tuning = created(finished.root, tuning_spec(finished.data, trials=1))
    (tuning.job("ease").path / "trials.json").write_text("[{}", encoding="utf-8")
    text = words(open_page("train", data=finished.data))
    assert "'trials.json' in" in text
    assert "1. Evaluation protocol" in text


def test_a_damaged_folder_is_removed_with_two_clicks_and_nothing_else(open_page: Open, finished: Finished) -> None:
    folder = second_data(finished)
    empty(folder / "meta.json")
    app = open_page("home")
    assert f"Data set {folder.name}" in words(app)
    no_exception(app.button(key=f"damaged_remove_datasets/{folder.name}").click().run())
    assert "damaged and" not in words(app)
    assert not folder.exists()
    assert [card.name for card in Workspace(finished.root).datasets()] == ["Two tastes"]


@pytest.mark.parametrize("shown", ["explore", "users", "items", "train", "data"])
@pytest.mark.parametrize("table", ["interactions", "items"])
def test_a_flipped_bit_in_the_data_is_a_sentence_on_every_page(
    open_page: Open, finished: Finished, shown: str, table: str
) -> None:
    flip_bit(finished.root / "datasets" / finished.data / f"{table}.parquet")
    app = open_page(shown, **finished.address())
    assert f"'{table}.parquet' is not what was written" in words(app)
    text = words(open_page("data"))  # set apart by now, with the way to remove it
    assert "Two tastes" in text
    assert "is damaged and was set aside" in text


@pytest.mark.parametrize("name", ["result.json", "per_user.parquet"])
def test_one_damaged_model_leaves_the_comparison_of_the_others(open_page: Open, finished: Finished, name: str) -> None:
    run = finished.opened()
    ease = next(one for one in run.model_ids if one.startswith("ease"))
    flip_bit(run.job(ease).path / name)
    text = words(open_page("compare", **finished.address()))
    assert "Leaderboard" in text
    assert "4 done" in words(open_page("home"))
    shown = words(open_page("train", **finished.address()))
    assert "Its stored results are damaged: " in shown
    assert f"'{name}'" in shown


def test_a_damaged_split_is_a_sentence_on_compare(open_page: Open, finished: Finished) -> None:
    flip_bit(finished.root / "runs" / finished.run / "people.parquet")
    assert "'people.parquet' is not what was written" in words(open_page("compare", **finished.address()))
    assert ResultStore(finished.root).runs()[0].done == 5
