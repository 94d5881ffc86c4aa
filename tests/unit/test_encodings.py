"""Encodings of texts that tell little about them."""

import pytest

from recsys_core.data.ingest.encodings import guess_encoding


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("word", ["caf\xe9", "Malm\xf6", "ol\xe9", "\xe0"])
def test_an_accented_letter_at_the_end_of_a_line_is_not_the_begin_of_a_letter_of_utf8(word: str, end: str) -> None:
    """All rows of such a file were rejected."""
    text = "user,item,city" + end + "".join(f"u{number},i{number},{word}{end}" for number in range(50))
    assert guess_encoding(text.encode("latin-1")) == "latin-1"
    assert guess_encoding(text.encode()) == "utf-8"


def test_a_letter_that_the_sample_cuts_off_is_tolerated() -> None:
    assert guess_encoding("a,b\n1,caf\xe9".encode()[:-1]) == "utf-8"
