"""Every sentence of verdict, protocol and question is true: checked against numbers that are computed independently.

Each run is made by the real store. A sentence is recognized by the wording of its template; one whose template has no
check fails the test.
"""

from pathlib import Path

import pytest

from recsys_core.errors import DataError
from recsys_core.experiments.analysis import compare_run, findings, users_of
from recsys_core.experiments.audience import Audience
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.question_text import question_sentences
from recsys_core.experiments.store import ResultStore
from recsys_core.text import Sentence
from tests.said import protocol_checks, question_checks, verdict_checks
from tests.said.cases import CASES, SAYS
from tests.said.reading import CHECKS, Said, wordings
from tests.said.runs import Case, run_of
from tests.said.truth import Truth

MODULES = (verdict_checks, protocol_checks, question_checks)
NAMES = wordings()
NOT_COVERED = {
    "ALL_BEAT_BASELINE", "DIFFERENT_USERS", "EMPTY_LISTS_ONE_RATING", "NO_COMMON_USERS", "OTHERS_BEAT_BASELINE",
    "POPULARITY_CLOSE", "SAME_FOR_ALL_USERS", "SAME_HIGHEST", "TIED_FAR", "USERS_LEFT_OUT", "USERS_WITHOUT_TEST",
}  # fmt: skip
"""Sentences that no run must produce; those that one happens to produce are checked all the same."""


def sentences_of(run: Run, metric: str, users: Audience) -> list[Sentence]:
    """Return all that is said about a run by a metric."""
    try:
        comparison = compare_run(run, metric, users=users)
    except DataError:
        comparison = None
    found = findings(run, users, metric=metric, comparison=comparison)
    return [*(comparison.verdict if comparison else ()), *(finding.sentence for finding in found)]


def name_of(sentence: Sentence) -> str:
    return NAMES[sentence.one, sentence.many]


def faults_of(said: Said) -> list[str]:
    """Return what is wrong with a sentence: its form for one and many, or its check."""
    sentence = said.sentence
    try:
        form = sentence.one if sentence.count == 1 else sentence.many
        assert str(sentence) == form.format(**sentence.values), "the wrong form for this count"
        used = {value for name, value in sentence.values.items() if f"{{{name}}}" in form}
        assert not {"-", "", "nan", "inf"} & used, "a number is missing"
        CHECKS[said.name](said)
    except (AssertionError, ValueError, KeyError) as error:
        return [f"{said.name}: '{sentence}' is not true: {error!r}"]
    return []


def check(case: Case, store: ResultStore) -> tuple[set[str], list[str]]:
    """Return the names of the sentences about a run, and what is wrong with them."""
    run = run_of(case, store)
    rows, users = run.per_user(), users_of(run)
    faults: list[str] = []
    names: set[str] = set()
    for metric in (run.spec.metric, case.other):
        truth = Truth(case, run, metric, rows)
        said = sentences_of(run, metric, users) + (question_sentences(run.spec) if truth.primary else [])
        for sentence in said:
            name = name_of(sentence)
            names.add(name)
            faults += [f"{case.name}, {metric}: {fault}" for fault in faults_of(Said(sentence, name, truth))]
    return names, faults


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_what_is_said_of_a_run_is_true(case: Case, tmp_path: Path) -> None:
    names, faults = check(case, ResultStore(tmp_path))
    assert not faults, "\n".join(faults)
    assert set(SAYS.get(case.name, ())) <= names


def test_the_runs_are_many_and_cover_the_sentences() -> None:
    assert len(CASES) >= 30
    assert set(SAYS) <= {case.name for case in CASES}
    covered = {name for names in SAYS.values() for name in names}
    assert covered <= set(CHECKS)
    assert set(NAMES.values()) - covered == NOT_COVERED
