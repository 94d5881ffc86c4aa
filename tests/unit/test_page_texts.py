"""Texts of pages: numbers, durations, sizes, and untrusted text that must stay text."""

import pytest

from pages.ui import text
from recsys_core import text as core_text


@pytest.mark.parametrize(
    ("duration", "words"),
    [(0.42, "0.4 s"), (42.4, "42 s"), (59.9, "60 s"), (200, "3 min 20 s"), (3600, "1 h 0 min"), (7500, "2 h 5 min")],
)
def test_a_duration_is_said_as_people_say_it(duration: float, words: str) -> None:
    assert text.seconds(duration) == words


@pytest.mark.parametrize(
    ("n_bytes", "words"), [(0, "0 B"), (1023, "1023 B"), (2048, "2 KiB"), (5 << 20, "5 MiB"), (3 << 30, "3.0 GiB")]
)
def test_a_size_is_said_in_the_largest_unit_that_fits(n_bytes: int, words: str) -> None:
    assert text.size(n_bytes) == words


@pytest.mark.parametrize(
    "outside",
    [
        "[click](https://evil.example)",
        "![picture](https://evil.example/x.png)",
        "<img src=x onerror=alert(1)>",
        "**bold** _it_ ~~gone~~ `code`",
        "$x^2$",
        ":red[danger] :material/home: :smile:",
        "https://evil.example www.evil.example a@b.example",
        "&lt;b&gt;",
        "# Title",
        "two\nlines",
    ],
)
def test_text_from_outside_holds_no_markup_when_made_safe(outside: str) -> None:
    """Every character with a meaning in Markdown is escaped; nothing becomes a link or an icon."""
    safe = text.safe(outside)
    plain = safe.replace("\\\\", "").replace("&amp;", "")
    for character in "*_`[]<>$~#!":
        assert plain.count(character) == plain.count("\\" + character)
    assert "\n" not in safe
    assert not any(part in safe for part in (":material", ":red", ":smile", "https://", "www.e", "a@b"))


def test_an_unknown_language_falls_back_to_english() -> None:
    with core_text.in_language("xx"):
        assert core_text.language() == core_text.ENGLISH
        assert core_text._("Home") == "Home"
