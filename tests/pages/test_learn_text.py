"""The source document on Learn: chapters, passages with links, both languages, and models that pages open with."""

import re
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from recsys_core.lessons.document import SECTIONS
from recsys_core.lessons.source import text
from recsys_core.lessons.source.parts import PARTS
from recsys_core.lessons.source.passage import Passage
from recsys_core.text import in_language
from tests.pages.finished import (
    Finished,
    finished_shared,
    finished_template,
    no_engine_process,
    no_exception,
    open_page,
    words,
)

__all__ = ["finished_shared", "finished_template", "no_engine_process", "open_page"]
Open = Callable[..., AppTest]


def bare(markdown: str) -> str:
    """What a reader sees of a text: without marks of Markdown and formulas, escapes, and spaces."""
    return re.sub(r"[\s\\\\\u200b*$]|&emsp;", "", markdown)


def written(passage: Passage) -> str:
    """A passage as the document writes it, with its formulas typeset."""
    lines = text.original()[passage.key]
    return bare("".join(piece.latex or piece.raw for line in lines for piece in line.pieces))


def address(app: AppTest, name: str) -> str:
    return "".join(app.query_params.get(name, []))


def test_every_passage_is_shown_once_and_in_order(open_page: Open) -> None:
    """All chapters, by the button to the next one; beside each passage stands what Recscope does with it."""
    app = no_exception(open_page("learn", section=PARTS[0].key, text="original"))
    for part in PARTS:
        assert app.header[0].value == f"{part.number} · {part.title}"
        shown = [bare(one.value) for one in app.markdown]
        expected = [written(passage) for passage in part.passages]
        assert [one for one in shown if one in expected] == expected
        for passage in part.passages:
            beside = shown[shown.index(written(passage)) + 1]
            assert all(bare(one) in beside for one in (passage.does, passage.reading, passage.departure))
        if part is not PARTS[-1]:
            app = no_exception(app.button(key="learn_after_above").click().run())
    assert app.button(key="learn_after_above").disabled


def test_the_map_leads_to_a_section_and_back(open_page: Open) -> None:
    app = no_exception(open_page("learn"))
    assert {f"learn_read_{section.key.replace('.', '_')}" for section in SECTIONS} <= {one.key for one in app.button}
    app = no_exception(app.button(key="learn_read_2_6").click().run())
    assert address(app, "section") == "2.6"
    assert app.header[0].value == "2 (1–7) · Concepts"
    assert "召回率和准确率" in words(app)
    app = no_exception(app.button(key="learn_after_above").click().run())
    assert address(app, "section") == "steps"
    app = no_exception(app.selectbox(key="learn_chapter").set_value("3.2").run())
    assert address(app, "section") == "3.2"
    app = no_exception(app.button(key="learn_map").click().run())
    assert "section" not in app.query_params
    assert app.title[0].value == "Learn"


def test_the_english_text_is_shown_unless_it_is_switched_off(open_page: Open) -> None:
    app = no_exception(open_page("learn", section="1.2"))
    assert "it cannot capture the real interest of users" in words(app)
    app = no_exception(app.toggle(key="learn_english").set_value(False).run())
    assert address(app, "text") == "original"
    assert "it cannot capture the real interest of users" not in words(app)
    assert "无法捕捉到用户的真实兴趣" in words(app)


def test_a_passage_leads_to_its_lesson(open_page: Open) -> None:
    app = no_exception(open_page("learn", section="2.2"))
    app = no_exception(app.button(key="learn_to_rounds_convergence").click().run())
    assert address(app, "lesson").startswith("convergence.")
    assert "section" not in app.query_params


def test_a_section_that_does_not_exist_is_explained(open_page: Open) -> None:
    assert "no such section" in words(no_exception(open_page("learn", section="9")))


def test_train_opens_with_the_model_of_a_link(
    open_page: Open, finished_shared: Finished, no_engine_process: None
) -> None:
    pick = "user_knn:similarity=pearson,iterations=10"
    app = no_exception(open_page("train", pick=pick, split="leave_last_out", **finished_shared.address()))
    assert "Selected below: **User kNN** (`similarity=pearson`, `iterations=10`)." in words(app)
    assert app.checkbox(key="algorithm_user_knn_use").value
    assert app.selectbox(key="protocol_split").value == "leave_last_out"
    assert app.session_state["settings"]["algorithm_user_knn"] == {"similarity": "pearson", "iterations": 10}
    app = no_exception(app.checkbox(key="algorithm_user_knn_use").uncheck().run())
    assert not app.checkbox(key="algorithm_user_knn_use").value
    assert app.checkbox(key="algorithm_ease_use").value


def test_train_says_what_the_data_lack(open_page: Open, finished_shared: Finished) -> None:
    app = no_exception(open_page("train", pick="social_knn", **finished_shared.address()))
    assert "This data set does not have what **Social kNN** needs." in words(app)


def test_two_configurations_of_a_model_are_filled_in(open_page: Open, finished_shared: Finished) -> None:
    app = no_exception(open_page("train", pick="item_knn:similarity=pearson;item_knn", **finished_shared.address()))
    settings = app.session_state["settings"]
    assert settings["algorithm_item_knn"] == {"similarity": "pearson"}
    assert settings["algorithm_item_knn_2"] == {}
    assert "Trained as:" in words(app)


def test_a_link_that_names_no_model_is_explained(open_page: Open, finished_shared: Finished) -> None:
    app = no_exception(open_page("train", pick="nothing", **finished_shared.address()))
    assert "There is no algorithm 'nothing'" in words(app)


def test_inside_opens_with_the_trained_model_of_a_link(open_page: Open, finished_shared: Finished) -> None:
    app = no_exception(open_page("inside", pick="item_knn:similarity=pearson", data=finished_shared.data))
    assert address(app, "model").startswith("item_knn-")
    assert "pick" not in app.query_params


def test_inside_says_that_the_model_is_not_trained(open_page: Open, finished_shared: Finished) -> None:
    app = no_exception(open_page("inside", pick="rnn", data=finished_shared.data))
    assert "**GRU / LSTM / RNN** is not trained on this data set yet." in words(app)
    assert not address(app, "model").startswith("rnn")


def test_recommend_opens_with_the_trained_model_of_a_link(open_page: Open, finished_shared: Finished) -> None:
    app = no_exception(open_page("recommend", pick="biased_mf", data=finished_shared.data))
    chosen = next(one for one in app.multiselect if one.label == "Models").value
    assert [one.rpartition("-")[0] for one in chosen] == ["biased_mf"]


def test_attention_opens_the_finished_example_of_a_model_that_is_not_trained(
    open_page: Open, finished_shared: Finished
) -> None:
    app = no_exception(open_page("attention", pick="seq2seq", data=finished_shared.data))
    assert address(app, "example") == "seq2seq"


def test_a_chinese_page_needs_no_translation(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    from pages.learn_parts import document_text

    monkeypatch.setattr(document_text, "language", lambda: "zh")
    with in_language("en"):
        app = no_exception(open_page("learn", section="1.2"))
    assert "it cannot capture the real interest of users" not in words(app)
    assert "learn_english" not in [one.key for one in app.toggle]
