"""What-if on the page Recommend: an edited history with undo and a link, the cold-start ladder, and the shop window."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from streamlit.testing.v1 import AppTest

from recsys_core.data.workspace import Workspace
from recsys_core.experiments.held_out_users import history_of
from recsys_core.serving import what_if
from recsys_core.serving.edited_history import BaseHistory, EditedHistory
from recsys_core.serving.recommendations import query_of
from recsys_core.strategy.cards import Pin, Strategy
from recsys_core.strategy.store import StrategyStore
from tests.pages.finished import Finished, finished_template, no_exception, open_page, until, words
from tests.pages.finished import finished_shared as finished

__all__ = ["finished", "finished_template", "open_page"]
Open = Callable[..., AppTest]


def shown(app: AppTest, model: str) -> list[int]:
    """The items in the list of a model."""
    keys = [str(button.key) for button in app.button]
    return [int(key.rpartition("_")[2]) for key in keys if key.startswith(f"item_{model}")]


def press(app: AppTest, key: str) -> AppTest:
    return no_exception(app.button(key=key).click().run())


def history(app: AppTest) -> str:
    """The edited history in the URL."""
    found = app.query_params.get("history") or ""
    return found if isinstance(found, str) else found[0]


def add(app: AppTest, item: int) -> AppTest:
    app = no_exception(app.selectbox(key="edit_added").set_value(item).run())
    return press(app, "edit_add_button")


def test_an_item_chosen_just_before_the_press_is_the_one_that_is_added(open_page: Open, finished: Finished) -> None:
    run = finished.opened()
    app = open_page("recommend", **finished.address(user="person-4", models=run.finished()[0]))
    seen = set(app.dataframe[0].value["item"])
    first, second = [int(key) for key in range(30) if key not in seen][:2]
    app = no_exception(app.selectbox(key="edit_added").set_value(first).run())
    app.selectbox(key="edit_added").set_value(second)
    app = press(app, "edit_add_button")
    assert history(app) == history(add(open_page("recommend", **finished.address(user="person-4")), second))


def test_every_model_answers_an_edit_with_the_list_of_the_library(open_page: Open, finished: Finished) -> None:
    run = finished.opened()
    app = open_page("recommend", **finished.address(user="person-4", models=".".join(run.finished())))
    seen = set(app.dataframe[0].value["item"])
    item = next(one for one in range(1, 30) if one not in seen and one % 2)
    app = add(app, item)
    assert history(app) == f"12.0-11_x{item}~5"
    base = BaseHistory(query_of(4, history_of(Workspace(finished.root).open(finished.data), 4), known=True))
    query = EditedHistory.unedited(base).added(item, 5.0).query()
    for model_id in run.finished():
        assert shown(app, model_id) == what_if.ranked(run.model(model_id), query, 5)["item"].head(5).tolist()
    text = words(app)
    assert text.count("Jaccard") == len(run.finished())
    for badge in ("Exact fold-in", "Approximate fold-in", "No fold-in", "13 items in the history"):
        assert badge in text


def test_to_undo_an_edit_gives_the_list_before_and_redo_the_one_after(open_page: Open, finished: Finished) -> None:
    app = open_page("recommend", **finished.address(user="person-4"))
    before = shown(app, "ease")
    app = press(app, "edit_drop")
    app = press(app, "edit_drop")
    after, code = shown(app, "ease"), history(app)
    assert code == "12.0-9"
    app = press(press(app, "edit_undo"), "edit_undo")
    assert (shown(app, "ease"), history(app)) == (before, "")
    app = press(press(app, "edit_redo"), "edit_redo")
    assert (shown(app, "ease"), history(app)) == (after, code)
    app = press(app, "edit_reset")
    assert (shown(app, "ease"), history(app)) == (before, "")


def test_to_rate_again_and_to_reorder_are_edits(open_page: Open, finished: Finished) -> None:
    app = open_page("recommend", **finished.address(user="person-4"))
    app = press(app, "edit_earlier")
    assert history(app) == "12.0-9_11_10"
    app = no_exception(app.number_input(key="edit_rating_10").set_value(1.0).run())
    assert history(app) == "12.0-9_11~1_10"
    app = press(app, "edit_later")
    assert history(app) == "12.0-10_11~1"


def test_a_link_opens_the_edited_history_and_one_that_does_not_fit_is_named(
    open_page: Open, finished: Finished
) -> None:
    app = open_page("recommend", **finished.address(user="person-4", history="12.0-4"))
    assert "5 items in the history" in words(app)
    assert not app.button(key="edit_undo").disabled
    app = open_page("recommend", **finished.address(user="person-4", history="11.0-4"))
    assert "belongs to another user or experiment" in words(app)
    assert history(app) == ""


def test_another_user_begins_without_edits(open_page: Open, finished: Finished) -> None:
    app = open_page("recommend", **finished.address(user="person-4", history="12.0-4"))
    app = no_exception(app.selectbox(key="recommend_user").set_value("person-6").run())
    assert history(app) == ""
    assert "12 items in the history" in words(app)


def test_why_an_item_moved_names_the_largest_change(open_page: Open, finished: Finished) -> None:
    app = open_page("recommend", **finished.address(user="person-4", history="12.6-11"))
    button = next(one for one in app.button if str(one.key).startswith("item_ease"))
    app = no_exception(button.click().run())
    app = until(app, lambda: "move?" in words(app))
    assert "The rank also depends on the scores of the other items" in words(app)
    assert "The largest change is that of" in words(app)


def test_an_approximate_fold_in_says_what_is_estimated(open_page: Open, finished: Finished) -> None:
    model = next(one for one in finished.opened().model_ids if one.startswith("biased_mf"))
    app = open_page("recommend", **finished.address(user="person-4", history="12.0-4", models=model))
    badge = next(one for one in app.markdown if "Approximate fold-in" in str(one.value))
    assert "ridge regression" in badge.help
    assert "A refit takes about" in badge.help
    assert "Without edits, the Jaccard similarity of the fold-in list" in badge.help


def test_the_ladder_states_its_condition_and_where_lists_settle(open_page: Open, finished: Finished) -> None:
    app = open_page("recommend", **finished.address(user="person-4", show="ladder"))
    text = words(app)
    assert "All 12 items of the history are excluded from every list" in text
    assert "EASE: " in text
    assert "settled" in text
    table = app.dataframe[1].value
    assert table.columns.tolist() == ["rank", "0", "1", "3", "5", "10", "12"]


def tiles(app: AppTest, prefix: str) -> list[int]:
    keys = [str(button.key) for button in app.button]
    return [int(key.split("_")[-2]) for key in keys if key.startswith(prefix) and key.endswith("_click")]


def test_a_new_user_opens_the_shop_window_and_a_click_is_an_interaction(open_page: Open, finished: Finished) -> None:
    app = open_page("recommend", **finished.address())
    app = no_exception(app.radio(key="recommend_kind").set_value("made_up").run())
    assert app.radio(key="recommend_show_True").value == "shop"
    first, second = [item for item in tiles(app, "shelf_") if item][:2]
    app = press(press(app, f"shelf_{first}_click"), f"shelf_{second}_click")
    assert history(app) == f"new.x{first}~5_x{second}~5"
    assert f"1 · Interaction: Film {first}" in words(app)
    assert "since the last edit: Jaccard" in words(app)
    listed = tiles(app, "row_ease")
    assert len(listed) == 6
    assert not {first, second} & set(listed)
    app = press(app, f"shelf_{second}_click")
    assert history(app) == f"new.x{first}~5"
    assert f"3 · Removed: Film {second}" in words(app)
    app = press(app, "shop_undo")
    assert tiles(app, "row_ease") == listed


def test_a_recommended_item_can_be_clicked_and_the_demo_view_shows_no_controls(
    open_page: Open, finished: Finished
) -> None:
    app = open_page("recommend", **finished.address(view="demo", history="new.x2~5"))
    assert not app.multiselect
    assert not app.text_input
    item = tiles(app, "row_ease")[0]
    key = next(str(one.key) for one in app.button if str(one.key).startswith("row_ease"))
    app = press(app, key)
    assert history(app) == f"new.x2~5_x{item}~5"


@pytest.fixture
def strategy(finished: Finished) -> Iterator[str]:
    """The name of a stored strategy that pins an item."""
    store = StrategyStore(finished.root)
    yield store.save(Strategy(cards=(Pin(item="film-29", place=1),)), name="Film 29 first").name
    shutil.rmtree(finished.root / "strategies")


def test_a_stored_strategy_is_switched_on_for_all_rows(open_page: Open, finished: Finished, strategy: str) -> None:
    app = open_page("recommend", **finished.address(history="new.x2~5"))
    assert tiles(app, "row_ease")[0] != 29
    app = no_exception(app.selectbox(key="shop_strategy").set_value(strategy).run())
    for model in ("ease", "item_knn"):
        assert tiles(app, f"row_{model}")[0] == 29
