"""The glossary: two sentences a term, and lessons that exist."""

import re

from recsys_core.lessons.glossary import TERMS
from recsys_core.lessons.registry import LESSONS


def test_every_term_has_two_sentences_and_a_lesson_that_exists() -> None:
    names = [term.name for term in TERMS]
    assert names == sorted(names, key=str.casefold)
    assert len(set(names)) == len(names)
    for term in TERMS:
        sentences = re.split(r"(?<=[.])\s+(?=[A-Z0-9])", term.meaning)
        assert len(sentences) == 2, term.name
        assert term.lesson in ("", *LESSONS), term.name


def test_every_lesson_teaches_a_term_of_the_glossary() -> None:
    without = set(LESSONS) - {term.lesson for term in TERMS}
    assert without <= {"document_formula", "convergence"}, "lessons on departures of the document"
