"""Every text of a page goes through the catalogue: in a made-up language, no English word is left."""

import re
from collections.abc import Callable, Iterator
from html import unescape

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import navigation
from pages.ui.queries import lesson_queries
from recsys_core import text
from recsys_core.data.synthetic.samples import load_sample
from recsys_core.lessons.lesson import CHECK
from recsys_core.lessons.registry import LESSONS, lesson
from recsys_core.lessons.source.parts import PARTS
from recsys_core.lessons.source.text import original
from recsys_core.strategy.cards import Boost, Cap, Condition, Mmr, Pin, Strategy
from recsys_core.viz.report import report_content
from recsys_core.viz.report_html import report_html
from tests.pages.finished import Finished, finished_template, no_exception, open_page
from tests.pages.finished import finished as finished_copy
from tests.pages.finished import finished_shared as finished
from tests.pages.pseudo import LANGUAGE, accented, catalogues, english_words, untranslated

__all__ = ["finished", "finished_copy", "finished_template", "open_page"]
Open = Callable[..., AppTest]
PAGES = tuple(info.key for info in navigation.PAGES if info.key != "strategy")
"""Pages that change nothing; Strategy keeps candidates beside the experiment."""
FIELDS = "title popularity age days interacted times user interactions inactive id"
"""Names of fields, as conditions in strategy files have them."""
VIEWS = ("prices", "frontier", "groups", "exposure", "list", "decision")
NAMES = "two tastes film person evil link http example club tiny recscope english"
"""Names in the data sets and of the product."""
STORED = "ease item_knn biased_mf item knn biased mf popular random"
"""The name of the experiment, which is stored as it was written."""
LEFT = "january jan feb mar apr may jun jul aug sep oct nov dec kib validation rmse"
"""Months, units, and names of reported quantities, which have no message yet."""


IN_LESSONS = (
    "ana ben cleo dev emi finn gus hana comet dunes ember fjord grove haven inlet jungle karst lagoon pageup pagedown "
    "rectools lenskit irspack microsoft recpack ranx ndcg ndcgk divide achievable true "
    "bread butter jam milk tea eggs mug buy view adj conf supp lift"
)
"""Names of users, films, keys and libraries in lessons."""


def words_of(*texts: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", " ".join(texts).lower()))


@pytest.fixture(scope="module", autouse=True)
def pseudo_catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with catalogues(tmp_path_factory.mktemp("locale")):
        yield


@pytest.fixture(autouse=True)
def pseudo_language() -> Iterator[None]:
    text.use(LANGUAGE)  # AppTest formats options in the thread of the test when the page runs again
    yield
    text.use(text.ENGLISH)


def answered(app: AppTest) -> AppTest:
    for _ in range(60):
        if not app.get("progress"):
            break
        app.run()
    return no_exception(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_no_untranslated_word(open_page: Open, finished: Finished, page: str) -> None:
    items = load_sample("tiny").items
    assert items is not None
    known = words_of(NAMES, STORED, LEFT, *items["title"])
    app = answered(open_page(page, lang=LANGUAGE, **finished.address()))
    assert untranslated(app, known) == {}


@pytest.mark.parametrize("show", ["ladder", "shop"])
def test_a_part_of_recommend_shows_no_untranslated_word(open_page: Open, finished: Finished, show: str) -> None:
    address = finished.address(history="new.x2~5_x4~5", show=show)
    app = answered(open_page("recommend", lang=LANGUAGE, **address))
    assert untranslated(app, words_of(NAMES, STORED, LEFT)) == {}


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_of_strategy_shows_no_untranslated_word(open_page: Open, finished_copy: Finished, view: str) -> None:
    popular = Condition(field="popularity", op=">", value=15.0)
    strategy = Strategy(cards=(Mmr(), Boost(when=popular), Cap(field="title"), Pin(item="film-3")), k=5, pool=20)
    app = open_page("strategy", lang=LANGUAGE, **finished_copy.address())
    app.session_state["strategy_drafts"] = {finished_copy.data: strategy.model_dump_json()}
    app.session_state["strategy_selected"] = 1
    app.session_state["strategy_view"] = view
    app = answered(no_exception(app.run()))
    assert untranslated(app, words_of(NAMES, STORED, LEFT, FIELDS)) == {}


def test_the_report_has_no_untranslated_word(finished: Finished) -> None:
    """Up to the settings and the environment, which have their names in the files."""
    html = report_html(report_content(finished.opened()))
    shown = re.sub(r"<(script|style)\b.*?</\1>", "", html, flags=re.DOTALL).replace(finished.run, "")
    shown = shown.partition(f"<h2>{accented('Settings')}</h2>")[0]
    lines = unescape(re.sub(r"<[^<>]*>", "\n", shown)).splitlines()
    assert any(accented("Leaderboard") in line for line in lines)
    assert english_words(lines, words_of(NAMES, STORED, LEFT)) == {}


@pytest.mark.parametrize("key", LESSONS)
def test_a_lesson_shows_no_untranslated_word(open_page: Open, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step in which something goes wrong, after its reveal, and the self-check."""
    monkeypatch.setattr(lesson_queries, "numbers", lambda of, step, values: of.numbers(step, values))
    of = lesson(key)
    broken = next(step for step in of.steps if step.breaks)
    guess = f"guess.{broken.key}:{next(iter(broken.predict.options))}" if broken.predict else ""
    for step, values in ((broken.key, guess), (CHECK, "")):
        app = no_exception(open_page("learn", lang=LANGUAGE, lesson=f"{key}.{step}", values=values))
        left = untranslated(app, words_of(NAMES, STORED, LEFT, IN_LESSONS))
        assert {word: text for word, text in left.items() if not text.startswith("$$")} == {}


@pytest.mark.parametrize("key", ["steps", "1.2", "2.2", "3.2"])
def test_a_chapter_of_the_document_shows_no_untranslated_word(open_page: Open, key: str) -> None:
    """Up to the words of the document itself, and names of settings."""
    part = next(one for one in PARTS if one.key == key)
    document = [line.raw for passage in part.passages for line in original()[passage.key]]
    settings = [
        f"{name} {value}"
        for passage in part.passages
        for one in passage.literal.values()
        for name, value in one.items()
    ]
    app = no_exception(open_page("learn", lang=LANGUAGE, section=key, text="original"))
    left = untranslated(app, words_of(NAMES, "pageup pagedown", *document, *" ".join(settings).split("_")))
    assert {word: text for word, text in left.items() if "$$" not in text} == {}
