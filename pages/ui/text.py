"""Page texts: translation of sentences, number formats, and escaping of untrusted text for Markdown."""

import gettext
import re
from functools import lru_cache
from pathlib import Path

from pages.ui import state

CATALOGUES = Path(__file__).resolve().parent / "locale"
ENGLISH = "en"
NAMES = {"en": "English", "de": "Deutsch", "zh": "中文"}

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-!|<>$~^])")
_SHORTCODE = re.compile(r":(?=\w)")
_NOT_A_LINK = re.compile(r"(?<=\w)(?=\.[A-Za-z]{2})|(?<=\w)(?=@\w)|(?<=[a-z])(?=://)")
ZERO_WIDTH = "\u200b"


@lru_cache(maxsize=1)
def languages() -> list[str]:
    """Return the languages with a catalog, English first."""
    found = sorted(path.parent.parent.name for path in CATALOGUES.glob("*/LC_MESSAGES/recscope.mo"))
    return [ENGLISH, *found]


@lru_cache(maxsize=8)
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation("recscope", CATALOGUES, [language], fallback=True)


def language() -> str:
    """Return the language of this session: that of `?lang=` if there is a catalog for it."""
    requested = state.get("lang") or ENGLISH
    return requested if requested in languages() else ENGLISH


def _(message: str) -> str:
    """Return the sentence in the language of this session."""
    return _catalogue(language()).gettext(message)


def n_(singular: str, plural: str, number: int) -> str:
    """Return the singular or plural sentence for a number, with `{n}` replaced by the number."""
    return _catalogue(language()).ngettext(singular, plural, number).format(n=count(number))


def later(message: str) -> str:
    """Mark a sentence for translation at the place where it is shown."""
    return message


def count(number: float) -> str:
    """Return a count with thousands separators: 25,000,095."""
    return f"{number:,.0f}"


def percent(share: float, digits: int = 1) -> str:
    """Return a share (0..1) as a percentage."""
    return f"{share:.{digits}%}"


def seconds(duration: float) -> str:
    """Return a readable duration: 0.4 s, 42 s, 3 min 20 s, 2 h 5 min."""
    if duration < 10:
        return f"{duration:.1f} s"
    if duration < 60:
        return f"{duration:.0f} s"
    minutes, rest = divmod(round(duration), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(n_bytes: float) -> str:
    """Return a readable size in bytes, in powers of 1024."""
    for unit in ("B", "KiB", "MiB"):
        if n_bytes < 1024:
            return f"{n_bytes:.0f} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:.1f} GiB"


def safe(text: object) -> str:
    """Return untrusted text escaped so that Markdown shows it literally: no link, image, formula or icon."""
    escaped = _MARKDOWN.sub(r"\\\1", str(text).replace("\n", " ").replace("&", "&amp;"))
    return _NOT_A_LINK.sub(ZERO_WIDTH, _SHORTCODE.sub(":" + ZERO_WIDTH, escaped))


def safe_paragraphs(text: str) -> str:
    """Return longer untrusted text with its line breaks, escaped for Markdown like `safe`."""
    return "  \n".join(safe(line) for line in text.strip().splitlines())
