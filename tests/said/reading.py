"""Numbers in texts: what a rounded number may stand for, and the registry of checks."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from recsys_core.evaluation import protocol, sentences
from recsys_core.experiments import question_text
from recsys_core.text import Sentence, Template
from tests.said.truth import Truth


def wordings() -> dict[tuple[str, str], str]:
    """Return the name of each template by its wording."""
    found: dict[str, Template] = {}
    for module in (sentences, question_text):
        found |= {name: value for name, value in vars(module).items() if isinstance(value, Template)}
    groups: dict[str, Mapping[str, Template]] = {
        "SPLIT": question_text.SPLITS,
        "USERS": {str(users): template for users, template in question_text.USERS.items()},
        "FALLBACK": question_text.FALLBACKS,
    }
    for name, several in groups.items():
        found |= {f"{name} {key}": value for key, value in several.items()}
    assert set(protocol.WITHOUT_TEST.values()) <= set(found.values())
    names = {(template.one, template.many or template.one): name for name, template in found.items()}
    assert len(names) == len(found), "two templates have the same wording"
    return names


@dataclass(frozen=True)
class Said:
    """A sentence with the truth that it is about."""

    sentence: Sentence
    name: str
    truth: Truth

    def __getitem__(self, value: str) -> str:
        return self.sentence.values[value]

    @property
    def count(self) -> int:
        return self.sentence.count

    def model(self, value: str = "model") -> str:
        return self.truth.ids[self[value]]


Check = Callable[[Said], None]
CHECKS: dict[str, Check] = {}


def checks(*names: str) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        CHECKS.update(dict.fromkeys(names, check))
        return check

    return register


def unit(text: str) -> float:
    """Return the size of the last digit shown."""
    return 10.0 ** -len(text.partition(".")[2])


def same(text: str, number: float, slack: float = 0.0) -> None:
    """Assert that a text is this number, rounded to the digits that it shows."""
    assert abs(float(text.replace(",", "")) - number) <= unit(text) / 2 * (1 + 1e-6) + slack, f"{text} is not {number}"


def whole_number(text: str, number: int) -> None:
    assert text == f"{number:,}", f"{text} is not {number}"


def per_cent(text: str, share: float) -> None:
    assert text.endswith("%")
    same(text[:-1], 100 * share)


def count_of(said: Said, count: int, total: int) -> None:
    """Assert count, total and share."""
    assert said.count == count > 0, f"{said.count} is not {count}"
    whole_number(said["count"], count)
    whole_number(said["total"], total)
    per_cent(said["share"], count / total)


def interval(text: str, low: float, high: float, slack: float = 0.0, value: float | None = None) -> None:
    """Assert that a text is this interval, and contains a value."""
    if text == "no interval":
        assert not high - low > 1e-9, f"there is an interval: {low} to {high}"
        return
    first, last = text.split(" to ")
    assert float(first) <= float(last)
    same(first, low, slack)
    same(last, high, slack)
    if value is not None:
        assert float(first) - unit(first) / 2 <= value <= float(last) + unit(last) / 2


def users_around(text: str, expected: float, part: float = 0.15) -> None:
    """Assert that a number of users, rounded up to three digits, is the expected one within a part of it."""
    number = float(text.replace(",", ""))
    assert math.isfinite(expected), f"{text} users, but no number of users suffices"
    assert expected * (1 - part) <= number <= expected * (1 + part) * 1.01 + 1, f"{text} users, not {expected}"
    assert float(f"{number:.3g}") == number, f"{text} has more than three digits"


def models_in(text: str, truth: Truth) -> set[str]:
    """Return the models named in a list: `A, B and C`, or `A, B, C`."""
    found, rest = set(), text
    for title in sorted(truth.ids, key=len, reverse=True):
        if title in rest:
            found.add(truth.ids[title])
            rest = rest.replace(title, "", 1)
    assert not rest.replace(" and ", "").replace(", ", ""), f"unknown models in {text}"
    return found
