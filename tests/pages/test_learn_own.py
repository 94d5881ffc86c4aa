"""Learn on a teacher's matrix: upload or paste, refusals, the link, lessons that fit or do not, and the way back."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from recsys_core.lessons.own.registry import OWN, WHY_NOT, own_lesson
from recsys_core.lessons.own.table import decode_table, encode_table, read_table
from recsys_core.lessons.registry import lesson
from tests.pages.finished import no_exception, open_page
from tests.pages.test_learn import address, press, words

__all__ = ["open_page"]
Open = Callable[..., AppTest]
TABLE = "user,*Tea*,Jam,Mug,Pen\n[Ana](http://a.b),5,4,1,\nBen,4,,2,1\nCleo,1,2,,5\nDev,,1,4,5\n"
WORLD = read_table(TABLE.encode())
CODE = encode_table(WORLD)


def test_a_pasted_table_is_used_and_left(open_page: Open) -> None:
    app = no_exception(open_page("learn"))
    app.text_area(key="learn_own_text").set_value(TABLE).run()
    app = press(app, "learn_own_use")
    assert not app.error
    assert decode_table(address(app, "matrix")) == WORLD
    assert "Your matrix**: 4 users × 4 items, 12 ratings. 6 lessons run on it" in words(app)
    marked = {button.key for button in app.button if "your matrix" in button.label}
    assert marked == {f"learn_open_{key}" for key in OWN}
    app = press(app, "learn_open_neighbors")
    assert "what [Ana](http://a.b) will like" in words(app)
    app = press(app, "learn_own_back")
    assert address(app, "matrix") == ""
    assert "what Ana will like" in words(app)


def test_an_uploaded_file_is_used(open_page: Open) -> None:
    rows = "user;item;rating\nAna;Tea;5\nAna;Jam;4\nBen;Tea;3\nBen;Mug;2\nCleo;Jam;1\n"
    app = no_exception(open_page("learn"))
    app.file_uploader[0].upload("ratings.csv", rows.encode("utf-16"), "text/csv").run()
    app = press(app, "learn_own_use")
    assert decode_table(address(app, "matrix")).users == ("Ana", "Ben", "Cleo")


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "Upload a file or paste a table, and not both"), ("user,A,B,C\nX,1,2,*six*\nY,1,2,3\nZ,1,2,3\n", "*six*")],
)
def test_a_refusal_says_why(open_page: Open, text: str, message: str) -> None:
    app = no_exception(open_page("learn"))
    app.text_area(key="learn_own_text").set_value(text).run()
    app = press(app, "learn_own_use")
    assert message in app.error[0].value.replace("\\", "")
    assert address(app, "matrix") == ""


@pytest.mark.parametrize("key", OWN)
def test_a_link_opens_every_step_on_the_matrix(open_page: Open, key: str) -> None:
    app = no_exception(open_page("learn", lesson=key, matrix=CODE))
    for _step in lesson(key).steps:
        assert "Your matrix" in words(app)
        assert not app.error
        app = press(app, "learn_next")
    assert app.header[0].value == "Check yourself"


def test_a_prediction_is_about_the_table(open_page: Open) -> None:
    of = own_lesson("neighbors", WORLD)
    values = of.values_in("nearest", of.starts())
    answer = of.scene("nearest", values, of.numbers("nearest", values)).answer
    app = no_exception(open_page("learn", lesson="neighbors.nearest", matrix=CODE))
    app.radio(key="learn_predict_neighbors_nearest").set_value(answer).run()
    app = press(app, "learn_lock")
    assert f"You predicted **{WORLD.users[WORLD.user(answer)]}**, and so it is." in words(app)
    assert address(app, "values") == f"guess.nearest:{answer}"


def test_another_matrix_of_the_same_size_has_numbers_of_its_own(open_page: Open) -> None:
    """Numbers are kept between script runs; they belong to a matrix, also if nothing was changed in it."""
    formulas = []
    for cells in ("5,4,1,", "1,2,5,"):
        code = encode_table(read_table(TABLE.replace("5,4,1,", cells).encode()))
        app = no_exception(open_page("learn", lesson="neighbors.rows", matrix=code))
        formulas.append([one.value for one in app.latex])
    assert formulas[0][0] == formulas[1][0]
    assert formulas[0][1] != formulas[1][1]


def test_a_step_without_a_point_asks_nothing(open_page: Open) -> None:
    app = no_exception(open_page("learn", lesson="document_formula.repair", matrix=CODE))
    assert "a rating matrix has none" in words(app)
    assert not app.radio
    assert "learn_lock" not in {button.key for button in app.button}


def test_a_lesson_that_does_not_fit_says_why(open_page: Open) -> None:
    app = no_exception(open_page("learn", lesson="metrics.hits", matrix=CODE))
    assert WHY_NOT["metrics"] in words(app)
    assert app.header[0].value == lesson("metrics").steps[0].title


def test_a_damaged_link_is_explained(open_page: Open) -> None:
    app = no_exception(open_page("learn", lesson="neighbors.rows", matrix="a,b,c;x,y,z;12"))
    assert "damaged matrix" in words(app)
    assert "what Ana will like" in words(app)
