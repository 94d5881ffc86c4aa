"""Texts of pages: numbers, durations, sizes, and untrusted text that must stay text."""

import re
from pathlib import Path

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
    ("share", "decimals", "words"),
    [
        (0, None, "0%"),
        (0.0002, None, "< 0.1%"),
        (0.034, None, "3.4%"),
        (0.5, None, "50%"),
        (0.957, None, "95.7%"),
        (6379 / 6380, None, "> 99.9%"),
        (1, None, "100%"),
        (1.2, None, "120%"),
        (0.0002, 0, "< 1%"),
        (0.996, 0, "> 99%"),
        (0.123, 1, "12.3%"),
        (0.00004, 2, "< 0.01%"),
        (0.99996, 2, "> 99.99%"),
        (-0.0001, 1, "0.0%"),
    ],
)
def test_a_part_reads_neither_as_nothing_nor_as_all(share: float, decimals: int | None, words: str) -> None:
    assert text.percent(share, decimals) == words


def test_shares_are_formatted_by_one_function() -> None:
    """Exempt are the ticks of an axis, and a change, which has a sign."""
    root = Path(core_text.__file__).parent.parent
    others = [
        f"{path.relative_to(root)}: {line.strip()}"
        for part in ("pages", "recsys_core")
        for path in (root / part).rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r":,?\.\d%", line) and "tickformat" not in line
    ]
    assert not others


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


@pytest.mark.parametrize("title", ["\u05d7\u05ea\u05d5\u05dc", "Film \u0645\u062f\u064a\u0646\u0629 7"])
def test_titles_from_right_to_left_leave_the_numbers_beside_them_in_place(title: str) -> None:
    assert text.safe(title) == f"\u2068{title}\u2069"
    assert text.safe("\u5343\u3068\u5343\u5c0b 7") == "\u5343\u3068\u5343\u5c0b 7"


@pytest.mark.parametrize(
    ("score", "said"), [(9.0, "9.00"), (0.2, "0.200"), (3428.0, "3,428"), (99.96, "100"), (-0.0912, "-0.0912")]
)
def test_scores_of_a_list_have_the_same_digits_and_no_exponent(score: float, said: str) -> None:
    assert text.score_text(score) == said


def test_an_unknown_language_falls_back_to_english() -> None:
    with core_text.in_language("xx"):
        assert core_text.language() == core_text.ENGLISH
        assert core_text._("Home") == "Home"
