"""Learn: the map, a lesson with prediction, reveal and self-check, its state in the URL, and dead links."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.queries import lesson_queries
from recsys_core.lessons.document import SECTIONS
from recsys_core.lessons.registry import LESSONS, lesson, lessons
from tests.pages.finished import no_exception, open_page

__all__ = ["open_page"]
Open = Callable[..., AppTest]


def words(app: AppTest) -> str:
    """Return the texts of the page without the backslashes and zero-width spaces of escaped ones."""
    shown = (*app.markdown, *app.title, *app.header, *app.warning, *app.success, *app.info)
    return plain("\n".join(one.value for one in shown))


def plain(text: str) -> str:
    return text.replace("\\", "").replace("\u200b", "")


def press(app: AppTest, key: str) -> AppTest:
    return no_exception(app.button(key=key).click().run())


def address(app: AppTest, name: str) -> str:
    return "".join(app.query_params.get(name, []))


def test_the_map_has_every_section_and_every_lesson(open_page: Open) -> None:
    app = no_exception(open_page("learn"))
    for section in SECTIONS:
        assert section.title in words(app)
    opened = {button.key for button in app.button if (button.key or "").startswith("learn_open_")}
    assert opened == {f"learn_open_{key}" for key in LESSONS}
    assert f"0 of {len(LESSONS)} lessons done" in words(app)
    app = press(app, "learn_start")
    assert app.title[0].value.endswith(lessons()[0].title)


@pytest.mark.parametrize("key", LESSONS)
def test_every_step_of_a_lesson_is_shown(open_page: Open, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lessons with networks compute in this process here; the browser tests ask the other one."""
    monkeypatch.setattr(lesson_queries, "numbers", lambda of, step, values: of.numbers(step, values))
    app = no_exception(open_page("learn", lesson=key))
    of = lesson(key)
    for step in of.steps:
        assert [one.value for one in app.header] == [step.title]
        assert not app.error
        app = press(app, "learn_next")
    assert app.header[0].value == "Check yourself"
    assert app.button(key="learn_next").disabled


def test_a_prediction_is_locked_before_the_answer_is_revealed(open_page: Open) -> None:
    app = no_exception(open_page("learn", lesson="neighbors.nearest"))
    assert app.button(key="learn_lock").disabled
    assert "Cosine: Cleo is nearest" not in words(app)
    app.radio(key="learn_predict_neighbors_nearest").set_value("Emi").run()
    app.radio(key="learn_predict_neighbors_nearest").set_value("Ben")  # arrives together with the press
    app = press(app, "learn_lock")
    assert "You predicted **Ben**. The answer is **Cleo**." in words(app)
    assert "Cosine: Cleo is nearest (0.713)." in words(app)
    assert address(app, "values") == "guess.nearest:Ben"
    app = press(app, "learn_again")
    assert "Cosine: Cleo is nearest" not in words(app)
    assert address(app, "values") == ""


def test_a_control_changes_picture_and_url(open_page: Open) -> None:
    app = no_exception(open_page("learn", lesson="neighbors.rows"))
    before = [one.value for one in app.latex]
    app.button_group(key="learn_neighbors_other").set_value("Cleo").run()
    assert address(app, "values") == "other:Cleo"
    after = [one.value for one in app.latex]
    assert before[0] == after[0]
    assert before[1] != after[1]
    app = press(app, "learn_reset")
    assert [one.value for one in app.latex] == before


def test_a_button_makes_the_list_ideal(open_page: Open) -> None:
    app = no_exception(open_page("learn", lesson="metrics.hits"))
    assert not any("0.75 =" in one.value for one in app.latex)
    app = press(app, "learn_metrics_order_named_0")
    assert address(app, "values") == "order:1.3.8.0.2.4.5.6.7.9"
    assert app.button(key="learn_metrics_order_named_0").disabled
    assert any("0.75 =" in one.value for one in app.latex), [one.value for one in app.latex]


def test_a_link_opens_values_and_predictions(open_page: Open) -> None:
    app = no_exception(open_page("learn", lesson="neighbors.shrinkage", values="shrinkage:2;guess.shrinkage:Ben"))
    assert "You predicted **Ben**. The answer is **Emi**." in words(app)
    assert app.select_slider(key="learn_neighbors_shrinkage").value == 2


def test_a_lesson_is_done_after_the_self_check(open_page: Open) -> None:
    app = no_exception(open_page("learn", lesson="gradient.check"))
    first, second = lesson("gradient").checks
    app.radio(key="learn_check_gradient_0").set_value(0).run()
    assert "Not this one." in words(app)
    assert plain(first.why) in words(app)
    app.radio(key="learn_check_gradient_0").set_value(first.right).run()
    app.radio(key="learn_check_gradient_1").set_value(second.right).run()
    assert "this lesson is done" in words(app)
    assert address(app, "learned") == "gradient.done"
    app = press(app, "learn_all")
    assert f"1 of {len(LESSONS)} lessons done" in words(app)


@pytest.mark.parametrize(
    ("link", "words_of_warning"),
    [({"lesson": "nothing"}, "no such lesson"), ({"lesson": "neighbors.rows", "values": "ratings:9"}, "does not take")],
)
def test_a_dead_link_is_explained(open_page: Open, link: dict[str, str], words_of_warning: str) -> None:
    app = no_exception(open_page("learn", **link))
    assert words_of_warning in words(app)


def test_projector_mode_hides_the_sidebar_and_can_be_left(open_page: Open) -> None:
    app = no_exception(open_page("learn", lesson="gradient.size"))
    app = press(app, "learn_projector")
    assert address(app, "view") == "demo"
    assert "Leave projector mode" in [button.label for button in app.button]
    app = press(app, "learn_projector")
    assert address(app, "view") == ""
