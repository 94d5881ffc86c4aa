"""Each broken or unusual file gets its verdict, and every record of an accepted file is accounted for."""

import io
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from recsys_core.data.ingest import check, ingest, inspect_files, suggest_rules
from recsys_core.data.ingest.cleaning_rules import IngestRules
from recsys_core.data.ingest.limits import Limits
from recsys_core.data.ingest.reasons import reason_sentence
from recsys_core.data.ingest.schema import with_changes
from recsys_core.data.report import IngestReport
from recsys_core.data.workspace import Workspace
from recsys_core.errors import DataError
from recsys_core.text import Sentence
from tests.corpus.cases import Case, frames, static_cases
from tests.pages.pseudo import TEMPLATE

CASES = static_cases()


def test_the_corpus_has_at_least_sixty_files_with_names_of_their_own(tmp_path: Path) -> None:
    cases = [*CASES, *frames(tmp_path)]
    assert len({case.name for case in cases}) == len(cases) >= 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict(case: Case, tmp_path: Path) -> None:
    judge(case, tmp_path)


def test_verdicts_on_parquet_and_excel(tmp_path: Path) -> None:
    for case in frames(tmp_path):
        folder = tmp_path / case.name
        folder.mkdir()
        judge(case, folder)


def judge(case: Case, folder: Path) -> None:
    path = folder / case.file
    path.write_bytes(case.content)
    if case.refused:
        with pytest.raises(DataError, match=case.refused):
            take(case, path)
        return
    report = take(case, path)
    assert report.rows_accepted + report.rows_rejected == report.rows_read == case.read, report.to_json()
    assert report.rows_rejected == case.rejected, report.to_json()
    assert len(report.rejected) == report.rows_rejected
    assert all(line.reason and line.line > 0 for line in report.rejected)
    if case.lines is not None:
        assert tuple(line.line for line in report.rejected) == case.lines
    for part in case.reasons:
        assert any(part in f"{line.column}: {line.reason}" for line in report.rejected), report.rejected
    assert set(case.warnings) <= {warning.rule for warning in report.warnings}, report.warnings
    assert case.users is None or report.users == case.users
    assert set(templates_of(report)) <= messages()


@cache
def messages() -> frozenset[str]:
    """Return the messages of the catalogue, in their singular form."""
    found = (message.id for message in read_po(io.BytesIO(TEMPLATE.read_bytes())))
    return frozenset(one if isinstance(one, str) else one[0] for one in found)


def templates_of(report: IngestReport) -> Iterator[str]:
    """Yield the templates of all findings and reasons of a report, and of the phrases in them."""
    doubts = [*report.warnings, *report.alarms]
    waiting = [sentence for doubt in doubts for sentence in (doubt.finding, doubt.action)]
    waiting += [reason_sentence(line.reason) for line in report.rejected]
    while waiting:
        sentence = waiting.pop()
        yield sentence.one
        waiting += [value for value in sentence.values.values() if isinstance(value, Sentence)]


def take(case: Case, path: Path) -> IngestReport:
    limits = replace(Limits(), **case.limits)
    guesses = inspect_files([path], limits=limits)
    if case.changes:
        guesses = [with_changes(guess, **case.changes) for guess in guesses]
    for name, expected in case.guess.items():
        assert getattr(guesses[0], name) == expected, name
    rules = IngestRules.parse(suggest_rules(guesses).model_dump() | case.rules)
    if case.name.endswith("n"):  # both ways to request a report are covered
        return check(guesses, rules, limits=limits)
    return ingest(guesses, rules, Workspace(path.parent / "workspace"), case.name, limits=limits)[1]
