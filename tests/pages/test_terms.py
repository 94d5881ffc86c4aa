"""Terms where they stand: each is reachable, its word is on the page, and its popover says what it means."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.proto.Markdown_pb2 import Markdown
from streamlit.testing.v1 import AppTest

from pages.ui import terms, user_picker
from recsys_core.evaluation.metric_info import METRICS
from recsys_core.lessons.glossary import TERMS
from recsys_core.lessons.registry import lesson
from tests.pages.finished import Finished, finished, finished_shared, finished_template, no_exception, open_page

__all__ = ["finished", "finished_shared", "finished_template", "open_page"]
Open = Callable[..., AppTest]
NAMES = [term.name for term in TERMS]
WORDS = {
    "Association rule": "association rule",
    "Average precision (AP, MAP)": r"\bMAP\b",
    "Beam search": r"\bbeam",
    "Calibration (of a list)": "calibrat",
    "Cold start": "cold.start",
    "Confidence interval": "interval|certain",
    "Content-based model": "content-based",
    "Duplicate timestamps": "duplicate timestamp",
    "Event weight": "weight of",
    "Fold-in": "fold-in",
    "Gate": r"\b(gate|gated|GRU)",
    "Holm correction": r"\bHolm",
    "Attention weight": r"\bweight",
    "Implicit feedback": "implicit",
    "Long tail": "long tail|head",
    "Nearest neighbors (k)": "neighbors",
    "Negative sampling": "negative",
    "Pearson correlation": "pearson",
    "Propensity": "propensit",
    "Regularization": "regulariz",
    "Significant difference": "significan",
    "Temporal leakage": "temporal leak|later than",
    "Train/test split": "split",
    "Validation share": "validation",
}
"""Name of a term -> how pages write it, where it is not the name itself."""

HAVE_SETTINGS = ("item_knn", "biased_mf", "seq2seq")
"""Models in whose settings the terms of settings occur."""
PAGES = {
    "home": ("home",),
    "data": ("data",),
    "explore": ("explore",),
    "users": ("users",),
    "items": ("items",),
    "train": ("protocol", "models", "settings", "tuning"),
    "compare": ("verdict", "leaderboard"),
    "experiments": ("experiments",),
    "recommend": ("recommend",),
    "inside": ("inside",),
    "attention": ("attention",),
    "learn": ("learn",),
}
"""Page -> rows of terms that it shows at first; Strategy has a test of its own."""


def blocks(app: AppTest, *, rows: bool = True) -> Iterator[Any]:
    """Return the messages of all elements and containers; without `rows`, not those of rows of terms."""

    def walk(block: Any) -> Iterator[Any]:
        for child in getattr(block, "children", {}).values():
            proto = getattr(child, "proto", None)
            if not rows and "terms_" in getattr(proto, "id", ""):
                continue
            yield proto
            yield from walk(child)

    yield from walk(app._tree[0])


def popovers(app: AppTest) -> dict[str, bool]:
    """Return key -> whether it is open, of all popovers of terms."""
    boxes = [proto.popover for proto in blocks(app) if hasattr(proto, "popover")]
    found = [(re.search(r"term_\w+$", box.id), box.open) for box in boxes]
    return {match[0]: is_open for match, is_open in found if match}


def opened(app: AppTest, keys: Iterable[str]) -> dict[str, str]:
    """Open terms and return what stands in each popover."""
    for key in keys:
        app.session_state[key] = True
    no_exception(app.run())
    found: dict[str, str] = {}

    def walk(block: Any) -> None:
        for child in getattr(block, "children", {}).values():
            popover = getattr(getattr(child, "proto", None), "popover", None)
            if popover is not None and (match := re.search(r"term_\w+$", popover.id)):
                found[match[0]] = "\n".join(str(one.proto) for one in child.children.values())
            walk(child)

    walk(app._tree[0])
    return found


def check(app: AppTest, shown: dict[str, list[str]]) -> None:
    """Check that these rows are on the page, with terms whose words stand beside them, and open all of them."""
    keys = {terms.key_of(place, name): name for place, names in shown.items() for name in names}
    assert popovers(app) == dict.fromkeys(keys, False)
    page = "\n".join(str(proto) for proto in blocks(app, rows=False))
    missing = [name for name in keys.values() if not re.search(WORDS.get(name, re.escape(name)), page, re.IGNORECASE)]
    assert not missing
    whole = "\n".join(str(proto) for proto in blocks(app))
    assert not any(as_sent(terms.term(name).meaning) in whole for name in keys.values())
    found = opened(app, keys)
    assert popovers(app) == dict.fromkeys(keys, True)
    for key, name in keys.items():
        term = terms.term(name)
        assert as_sent(term.meaning) in found[key], name
        assert not term.lesson or as_sent(lesson(term.lesson).title) in found[key], name


def as_sent(text: str) -> str:
    """Return a text as a message prints it."""
    return Markdown(body=text).__str__().removeprefix("body: ").strip().strip('"')


@pytest.mark.parametrize("name", PAGES)
def test_terms_stand_on_the_page_and_open(open_page: Open, finished_shared: Finished, name: str) -> None:
    view = {} if name in ("inside", "explore", "train") else {"view": "plain"}
    app = open_page(name, HAVE_SETTINGS if name == "train" else (), **finished_shared.address(**view))
    shown = {place: list(terms.PLACES.get(place, ())) for place in PAGES[name]}
    if name == "compare":
        shown["leaderboard"] = ["NDCG", "Recall", "Precision", "Baseline", "Relevant"]
    if name == "inside":
        shown["inside"] = ["Epoch"]
    if name == "recommend":
        shown["recommend"] = ["Cold start"]
    check(app, shown)


def test_terms_of_the_sections_of_strategy(open_page: Open, finished: Finished) -> None:
    app = open_page("strategy", **finished.address(view="plain"))
    check(app, {"cards": list(terms.PLACES["cards"])})
    for section, place in (("off_policy", "off_policy"), ("ab", "ab_test")):
        no_exception(app.button_group(key="strategy_section").set_value(section).run())
        check(app, {place: list(terms.PLACES[place])})


def test_a_selected_metric_brings_its_term(open_page: Open, finished_shared: Finished) -> None:
    app = open_page("compare", **finished_shared.address(view="plain"))
    app.multiselect(key="leaderboard_columns").set_value(["mrr@5", "map@5", "coverage@5"]).run()
    names = ["NDCG", "MRR", "Average precision (AP, MAP)", "Coverage", "Baseline", "Relevant"]
    assert list(popovers(app))[5:] == [terms.key_of("leaderboard", name) for name in names]


def test_every_term_is_reachable_and_every_place_is_on_a_page() -> None:
    tables = (*terms.PLACES.values(), terms.METRICS.values(), *terms.VIEWS.values())
    assert {name for table in tables for name in table} == set(NAMES)
    assert set(terms.METRICS) <= set(METRICS)
    code = "\n".join(file.read_text() for file in Path(terms.__file__).parent.parent.rglob("*.py"))
    unused = [place for place in terms.PLACES if f'terms.row("{place}"' not in code]
    assert unused == ["users"]
    assert 'terms.PLACES["users"]' in code


def test_terms_of_views_stand_in_their_explanations() -> None:
    from recsys_core.viz.inside_views import PICTURES

    for view, names in terms.VIEWS.items():
        text = f"{PICTURES[view].question} {PICTURES[view].reading}"
        assert all(re.search(WORDS.get(name, name), text, re.IGNORECASE) for name in names), view


def test_a_custom_history_brings_the_term_of_its_badge(open_page: Open, finished_shared: Finished) -> None:
    app = open_page("recommend", **finished_shared.address(view="plain"))
    app.radio(key="recommend_kind").set_value(user_picker.CUSTOM).run()
    no_exception(app.radio(key="recommend_show_True").set_value("lists").run())
    check(app, {"recommend": ["Fold-in", "Cold start"]})


def test_a_projector_shows_no_terms(open_page: Open, finished_shared: Finished) -> None:
    assert popovers(open_page("explore", **finished_shared.address(view="demo"))) == {}


def test_a_term_links_to_its_lesson_without_the_values_of_another(open_page: Open) -> None:
    """Streamlit's session keeps the values of the lesson before; they do not fit the linked one."""
    app = open_page("learn", lesson="neighbors.shrinkage", values="shrinkage:2")
    app.query_params["lesson"] = "gradient"
    no_exception(app.run())
    assert not app.warning
    assert "values" not in app.query_params
