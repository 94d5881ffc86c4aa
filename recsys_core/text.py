"""One catalogue of sentences for the library and the pages, in the language of a context variable.

English is the source language, so an untranslated message is its own translation. Threads and processes start in
English; what is stored, logged or printed by the command line therefore stays English. A page calls `use` at the start
of each script run; background work inherits the language of its caller.

A message is a literal, since the template of all messages (`locale/recscope.pot`) is extracted from the source code by
`tools.texts`. Values are filled in after translation:

    _("{model} leads on {metric}.").format(model=title, metric=name)
    n_("{n} user", "{n} users", number)

A sentence that is stored, cached or sent elsewhere keeps its template and its values, and has no language:

    Template("{model} leads on {metric}.").fill(model=title, metric=name)
"""

import gettext
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

CATALOGUES = Path(__file__).resolve().parent / "locale"
"""Folder of the template and of one folder per language, `<language>/LC_MESSAGES/recscope.mo`."""
DOMAIN = "recscope"
ENGLISH = "en"

_language: ContextVar[str] = ContextVar("language", default=ENGLISH)


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """Return the languages with a catalogue, English first."""
    found = sorted(path.parent.parent.name for path in CATALOGUES.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))
    return (ENGLISH, *found)


@lru_cache(maxsize=8)
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, CATALOGUES, [language], fallback=True)


def language() -> str:
    """Return the language of this thread or task."""
    return _language.get()


def use(language: str) -> None:
    """Set the language of this thread or task; English if there is no catalogue for it."""
    _language.set(language if language in languages() else ENGLISH)


@contextmanager
def in_language(language: str) -> Iterator[None]:
    """Set the language inside a `with` block."""
    token = _language.set(language if language in languages() else ENGLISH)
    try:
        yield
    finally:
        _language.reset(token)


def _(message: str) -> str:
    """Return a message in the current language."""
    return _catalogue(_language.get()).gettext(message) if message else ""


def either(singular: str, plural: str, number: int) -> str:
    """Return the form of a message for a number in the current language, with its placeholders unfilled."""
    if singular == plural:
        return _(singular)
    return _catalogue(_language.get()).ngettext(singular, plural, number)


def n_(singular: str, plural: str, number: int) -> str:
    """Return the form of a message for a number, with `{n}` replaced by the number: 25,000,095."""
    return either(singular, plural, number).format(n=whole(number))


def percent(share: float, decimals: int | None = None) -> str:
    """Format a share (0..1) in per cent; a part never reads as nothing or as all: < 0.1%, > 99.9%.

    Args:
        share: Parts as well as 0 and 1; of other numbers, such as a ratio above 1, the rounded percentage.
        decimals: Defaults to one below 10% and above 90%, and to none between.
    """
    if decimals is None:
        decimals = int(0 < share < 0.1 or 0.9 < share < 1)
    text = f"{share:z.{decimals}%}"
    if 0 < share < 1 and float(text[:-1]) in (0, 100):
        least = 10.0**-decimals
        return f"< {least:.{decimals}f}%" if share < 0.5 else f"> {100 - least:.{decimals}f}%"
    return text


def later(message: str) -> str:
    """Mark a message that is translated by `_` where it is shown."""
    return message


def whole(number: float) -> str:
    """Format a count with thousands separators: 25,000,095."""
    return f"{number:,.0f}"


@dataclass(frozen=True)
class Sentence:
    """A sentence with its values; `str` is its text in the current language.

    Args:
        one: Template for a count of one, and for sentences without a count.
        many: Template for all other counts.
        count: Selects between the two.
        values: Text, or a phrase that is translated with the sentence, for each named placeholder of the template.
    """

    one: str
    many: str
    count: int
    values: Mapping[str, "str | Sentence"] = field(default_factory=dict)

    def __str__(self) -> str:
        filled = {name: str(value) for name, value in self.values.items()}
        return either(self.one, self.many, self.count).format(**filled)

    @classmethod
    def from_json(cls, stored: str | Mapping[str, Any]) -> "Sentence":
        """Return a sentence stored as its fields, or as a text, which is the same in every language."""
        if isinstance(stored, str):
            return cls("{text}", "{text}", 1, {"text": stored})
        values = {
            name: value if isinstance(value, str) else cls.from_json(value) for name, value in stored["values"].items()
        }
        return cls(stored["one"], stored["many"], stored["count"], values)


@dataclass(frozen=True)
class Template:
    """A sentence with unfilled placeholders.

    Args:
        one: Wording for a count of one, with named placeholders.
        many: Wording for other counts; empty if it does not depend on the count.
    """

    one: str
    many: str = ""

    def fill(self, count: int = 1, /, **values: str | Sentence) -> Sentence:
        """Return the sentence for `count`; `{count}` is formatted with thousands separators."""
        return Sentence(self.one, self.many or self.one, count, {"count": whole(count), **values})


def series(phrases: Sequence[Sentence]) -> Sentence:
    """Return one or more phrases as a list: A, B, C."""
    half = len(phrases) // 2
    if not half:
        return phrases[0]
    return Template("{before}, {last}").fill(before=series(phrases[:half]), last=series(phrases[half:]))
