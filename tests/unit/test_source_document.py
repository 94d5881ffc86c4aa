"""The text of the source document: every line once, and every statement about the code points to code that exists."""

import hashlib
import re
from collections.abc import Sequence
from importlib import import_module

import pytest

from pages.ui.navigation import PAGES
from recsys_core.errors import ConfigError
from recsys_core.lessons.document import SECTIONS
from recsys_core.lessons.registry import LESSONS
from recsys_core.lessons.source import text
from recsys_core.lessons.source.parts import PARTS, part, passages
from recsys_core.lessons.source.passage import Passage
from recsys_core.models.choice import ModelChoice
from recsys_core.models.registry import MODELS

DIGEST = "a408752983a7b1339d064118f0c469745ca597ddb6ea46994f45a8080e008f55"
"""SHA-256 of the document."""
READINGS = {
    "kinds": ("support, confidence and lift", "best of them", "FP-growth"),
    "algorithms": ("linear support vector machines", "Platt scaling", "three levels", "mixture"),
    "formula": ("J and I are both P(u)", "U is R(i)", "mean rating of the user", "mean rating of the item"),
    "flaw": ("the sum does not depend on i", "items that few users rated"),
    "symbols": ("exponent of the similarities",),
    "engineering": ("mean, standard deviation and confidence", "n / (n + shrinkage)"),
    "use": ("weighted mean of the vectors of relevant items", "joined with the attributes"),
    "lfm": ("MF with biases", "stochastic gradient descent"),
    "expected": ("ridge regression",),
    "affinity": ("softmax", "from its attributes"),
    "pairs": (r"|P(u)|^{-1/2}", r"\lambda_i + b_i"),
    "error": ("squared error",),
    "sorting": ("unknown users are scored exactly like known ones",),
    "items_by_users": ("two views of one data set",),
    "pearson": ("items that both users rated",),
    "similarities": ("adjusted cosine", "minimum overlap and shrinkage"),
    "prediction": ("weighted by similarity", "centered by the mean", "standardized"),
    "rounds": ("missing ratings of the neighbors", "until no prediction changes", "in the training history"),
    "social": ("at most three links", "Adamic-Adar", "personalized PageRank", "held-out links", "implicit graph"),
    "network": ("one composition cell with shared weights", "leaves are items", "sessions"),
    "sequence_vector": ("dot product alone",),
    "fitting": ("validation score", "free or frozen"),
    "points": ("popular items", "similar to the most recent", "own history"),
    "score_of_attention": (r"\tanh",),
    "state_of_point": ("MLP", "LSTM"),
    "local": ("random walk", "REINFORCE", "rank of the next item"),
    "global": ("weighted sum", "dot product"),
    "attention": ("All of them are in its trace", "before and after each move"),
    "seq_start": ("zero", "state of the encoder"),
    "seq_alpha": ("H(t)", "softmax over the items of the history"),
    "seq_decode": ("masked", "Greedy", "beam search"),
    "seq_training": ("teacher forcing", "Scheduled sampling"),
    "seq_architecture": ("LSTM, a GRU, an MLP", "decoder an LSTM or GRU"),
    "seq_return": ("the decoded sequence is the recommendation",),
    "recall": ("standard definitions", "The wording is loose"),
    "tail": ("Metrics are computed for each of them", "exposure"),
    "collect": ("event types", "social links"),
    "clean": ("duplicates", "outside the scale", "robots", "outliers", "weights of events", "k-core"),
    "features": ("category", "TF-IDF", "truncated SVD", "images", "uploaded vectors"),
    "online": ("fold-in",),
    "update": ("tuned on validation data",),
    "strategy": ("cards",),
}
"""Passage -> what it must say: the interpretations that the project decided on, row by row."""


CHINESE = re.compile("[\u4e00-\u9fff]")


def words_of(lines: Sequence[text.Line]) -> str:
    return " ".join(line.raw for line in lines if not line.heading)


def all_text(passage: Passage) -> str:
    return " ".join((passage.does, passage.reading, passage.departure))


def test_the_document_is_unchanged() -> None:
    assert hashlib.sha256(text.DOCUMENT.read_bytes()).hexdigest() == DIGEST


def test_every_line_is_in_one_passage_and_shown_as_it_is_written() -> None:
    lines = [line for passage in passages() for line in text.original()[passage.key]]
    written = text.DOCUMENT.read_text(encoding="utf-8").splitlines()
    expected = [(number, raw) for number, raw in enumerate(written, start=1) if raw.strip()]
    assert [line.number for line in lines] == [number for number, _ in expected]
    for line, (_, raw) in zip(lines, expected, strict=True):
        assert "#" * line.heading + line.raw == re.sub(r"^(#+) ", r"\1", raw.strip())
        assert line.indent == len(raw) - len(raw.lstrip())


def test_formulas_are_typeset_once_each() -> None:
    """Every entry of the table is used, also in the English text, and nothing with a TeX command stays plain text."""
    for source in (text.original(), text.english()):
        pieces = [piece for lines in source.values() for line in lines for piece in line.pieces]
        assert {piece.raw for piece in pieces if piece.raw in text.TYPESET} == set(text.TYPESET)
        assert not [piece.raw for piece in pieces if not piece.latex and re.search(r"\\|\$", piece.raw)]
        assert sum(piece.is_alone for piece in pieces) == 3


def test_the_english_text_has_every_passage_of_the_chinese_one() -> None:
    chinese = {key for key, lines in text.original().items() if CHINESE.search(words_of(lines))}
    assert set(text.english()) == chinese
    for key, lines in text.english().items():
        original = [re.match(r"(\d+|[a-z])\.", line.raw) for line in text.original()[key]]
        english = [re.match(r"(\d+|[a-z])\.", line.raw) for line in lines]
        assert [mark.group() for mark in english if mark] == [mark.group() for mark in original if mark], key
        assert sum(line.heading > 0 for line in lines) == sum(line.heading > 0 for line in text.original()[key])


@pytest.mark.parametrize("passage", passages(), ids=lambda passage: passage.key)
def test_a_passage_names_what_exists(passage: Passage) -> None:
    assert passage.does
    assert passage.section in {section.key for section in SECTIONS}
    assert set(passage.models) <= set(MODELS)
    assert set(passage.lessons) <= set(LESSONS)
    assert set(passage.pages) <= {page.key for page in PAGES}
    assert set(passage.literal) <= set(passage.models)
    assert passage.pages or passage.models or passage.lessons
    assert all_text(passage).count("$") % 2 == 0
    for name in passage.code:
        resolve(name)


def resolve(name: str) -> None:
    module, _colon, path = name.partition(":")
    found = import_module(f"recsys_core.{module}")
    for attribute in filter(None, path.split(".")):
        found = getattr(found, attribute)


def test_literal_forms_are_settings_of_their_models() -> None:
    for passage in passages():
        for key, settings in passage.literal.items():
            choice = ModelChoice.decode(ModelChoice(key, settings).encode())
            assert {name: str(value).lower() for name, value in choice.settings.items()} == dict(settings)


def test_every_section_of_the_map_leads_to_its_text() -> None:
    keys = [passage.key for passage in passages()]
    assert len(set(keys)) == len(keys)
    for section in SECTIONS:
        assert any(passage.section == section.key for passage in part(section.key).passages)
    for one in PARTS:
        assert part(one.key) is one
    with pytest.raises(ConfigError, match="has no section '4'"):
        part("4")


def test_every_model_of_the_document_is_named() -> None:
    document = {
        "content_mean", "content_features", "svm_hierarchy", "association_rules", "lfm", "biased_mf", "user_knn",
        "item_knn", "social_knn", "social_mf", "trust_svd", "mlp", "rnn", "cnn", "recursive", "interest_attention",
        "seq2seq",
    }  # fmt: skip
    assert document <= {key for passage in passages() for key in passage.models}
    assert set(LESSONS) - {"closed_form"} <= {key for passage in passages() for key in passage.lessons}


@pytest.mark.parametrize("key", READINGS)
def test_a_reading_is_stated(key: str) -> None:
    passage = next(one for one in passages() if one.key == key)
    assert [words for words in READINGS[key] if words not in all_text(passage)] == []


def test_a_passage_that_does_not_begin_in_the_text_is_refused() -> None:
    first, second = Passage("a", "1", "One", "does"), Passage("b", "1", "Two", "does")
    assert [line.raw for line in text.split("# One\n\nmore\nTwo", [first, second])["a"]] == ["One", "more"]
    with pytest.raises(ConfigError, match="begins with 'Two'"):
        text.split("One", [first, second])
    with pytest.raises(ConfigError, match="No passage begins at line 1"):
        text.split("Zero\nOne", [first])
