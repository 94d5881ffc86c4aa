"""One catalogue of sentences for the library and the pages, in the language of a context variable.

English is the source language, so an untranslated message is its own translation. Threads and processes start in
English; what is stored, logged or printed by the command line therefore stays English. A page calls `use` at the start
of each script run; background work inherits the language of its caller.

A message is a literal, since the template of all messages (`locale/recscope.pot`) is extracted from the source code by
`tools.texts`. Values are filled in after translation:

    _("{model} leads on {metric}.").format(model=title, metric=name)
    n_("{n} user", "{n} users", number)
"""

import gettext
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

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
    return either(singular, plural, number).format(n=f"{number:,.0f}")


def percent(share: float, decimals: int | None = None) -> str:
    """Format a share (0..1) in per cent; a part never reads as nothing or as all: < 0.1%, > 99.9%.

    Args:
        share: Parts as well as 0 and 1; of other numbers, such as a ratio above 1, the rounded percentage.
        decimals: Defaults to one below 10% and above 90%, and to none between.
    """
    if decimals is None:
        decimals = int(0 < share < 0.1 or 0.9 < share < 1)
    text = f"{share:.{decimals}%}"
    if 0 < share < 1 and float(text[:-1]) in (0, 100):
        least = 10.0**-decimals
        return f"< {least:.{decimals}f}%" if share < 0.5 else f"> {100 - least:.{decimals}f}%"
    return text


def later(message: str) -> str:
    """Mark a message that is translated by `_` where it is shown."""
    return message
