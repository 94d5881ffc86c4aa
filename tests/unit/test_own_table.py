"""A teacher's table: both layouts, every refusal, and the code for links."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_core.errors import DataError
from recsys_core.lessons.own.table import MOST_BYTES, decode_table, encode_table, read_table
from recsys_core.lessons.worlds import RatedWorld

USERS, ITEMS = ("Ana", "Ben", "Cleo"), ("Comet", "Dunes", "Ember")
CELLS = ((5, 4, None), (3, None, 2), (None, 1, 5))
LONG = "Ana,Comet,5\nAna,Dunes,4\nBen,Comet,3\nBen,Ember,2\nCleo,Dunes,1\nCleo,Ember,5\n"
WIDE = "user,Comet,Dunes,Ember\nAna,5,4,\nBen,3,-,2\nCleo,,1,5\n"
HOSTILE = ("<b>x</b>", "*a*;$y$,{me}", "[l](http://a.b)")


@pytest.mark.parametrize(
    "text",
    [
        "user,item,rating\n" + LONG,
        LONG,
        "note;user_id;item_id;rating\n" + "".join(f"n;{line.replace(',', ';')}\n" for line in LONG.split()),
        WIDE,
        WIDE.replace("user,", ""),
        WIDE.replace(",", "\t").replace("\n", "\r\n"),
        WIDE.replace("3,-", "3.0,n/a"),
        "\n" + WIDE.replace("\n", "\n\n"),
    ],
    ids=["long", "no header", "other columns", "wide", "no corner", "tabs", "decimals and gaps", "empty lines"],
)
def test_both_layouts_are_read(text: str) -> None:
    assert read_table(text.encode()) == RatedWorld(USERS, ITEMS, CELLS, 5, own=True)


def test_other_encodings_and_a_scale_to_nine_are_read() -> None:
    text = WIDE.replace("Ana", "Änne").replace("5", "7")
    for encoding in ("utf-16", "utf-8-sig", "latin-1"):
        world = read_table(text.encode(encoding))
        assert (world.users[0], world.high) == ("Änne", 9), encoding


@pytest.mark.parametrize("titles", ["Film 1,Film 2,Film 3", "Item A,Movie B,Product C", "Product X,Comet,Dunes"])
def test_titles_that_begin_with_the_word_for_an_item_are_items(titles: str) -> None:
    assert read_table(WIDE.replace("Comet,Dunes,Ember", titles).encode()).items == tuple(titles.split(","))


def test_one_rating_per_line_with_a_time_is_no_matrix() -> None:
    text = "user,item,rating,timestamp\n" + "".join(f"{line},{at}\n" for at, line in enumerate(LONG.split()))
    assert read_table(text.encode()).items == ITEMS


def test_numbers_as_titles_need_the_layout() -> None:
    assert read_table(b",1,2,3\n10,5,,4\n11,1,2,\n12,,3,5\n", "wide").items == ("1", "2", "3")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has 0 lines"),
        ("a,b\n1,2\n", "Line 1 has 2 columns; user, item and rating are needed"),
        ("user,item,rating\n" + LONG + "Ana,Comet,3\n", "Lines 2 and 8 rate 'Comet' for 'Ana'"),
        (LONG + "Dev,Comet,4.5\n", "Line 7, 'Comet': '4.5' is not a rating"),
        (LONG + "Dev,Comet,great\n", "'great' is not a rating"),
        (LONG + "Dev,Comet,10\n", "whole numbers from 1 to 9"),
        (LONG + ",Comet,4\n", "Line 7: user number 4 has no name"),
        ("place,color,sound\n" + "\n".join("a,b,c d" for _line in range(4)), "is not a rating"),
        (WIDE.replace("3,-", "0,-"), "Line 3, 'Comet': '0' is not a rating"),
        (WIDE.replace("Cleo,,1,5\n", ""), "has 2 users; a lesson needs at least 3"),
        (WIDE + "".join(f"u{n},1,2,3\n" for n in range(6)), "has 9 users; a lesson shows at most 8"),
        (WIDE.replace("Ben", "Ana"), "The user 'Ana' stands in the table twice"),
        (WIDE.replace("Ember", "Comet"), "The item 'Comet' stands in the table twice"),
        (WIDE.replace("Ember", "E" * 25), "has a name of 25 characters; shorten it to 24"),
        (WIDE.replace("Ember", "Em\u202eber"), "invisible characters"),
        (WIDE.replace("Ben,3", "Ben,B,3"), "Line 3 has 5 cells, the header has 4"),
        ("user,A,B,C\nX,,,\nY,,,\nZ,,,\n", "no rating at all"),
        (WIDE + " " * MOST_BYTES, "a lesson takes at most 20,000"),
    ],
)
def test_what_is_refused_and_where(text: str, words: str) -> None:
    with pytest.raises(DataError, match=re.escape(words)):
        read_table(text.encode())


NAME = st.text(st.characters(exclude_categories=("C",)), min_size=1, max_size=24)
CELL = st.one_of(st.none(), st.integers(1, 9))


@st.composite
def worlds(draw: st.DrawFn) -> RatedWorld:
    users = draw(st.lists(NAME, min_size=3, max_size=8, unique=True))
    items = draw(st.lists(NAME, min_size=3, max_size=8, unique=True))
    row = st.lists(CELL, min_size=len(items), max_size=len(items)).map(tuple)
    cells = draw(st.lists(row, min_size=len(users), max_size=len(users)).map(tuple))
    given_cells = [cell for line in cells for cell in line if cell is not None]
    high = 9 if max(given_cells, default=1) > 5 else 5
    return RatedWorld(
        tuple(users), tuple(items), cells if given_cells else ((1, *cells[0][1:]), *cells[1:]), high, True
    )


@given(worlds())
def test_the_code_of_a_link_gives_the_same_matrix(world: RatedWorld) -> None:
    assert decode_table(encode_table(world)) == world


def test_a_code_is_short_and_readable() -> None:
    world = RatedWorld(USERS, HOSTILE, CELLS, own=True)
    code = encode_table(world)
    assert code == "Ana,Ben,Cleo;<b>x</b>,*a*%3B$y$%2C{me},[l](http://a.b);54-3-2-15"
    assert decode_table(code) == world


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", "no complete matrix"),
        ("a,b,c;x,y,z", "no complete matrix"),
        ("a,b,c;x,y,z;12345678", "damaged"),
        ("a,b,c;x,y,z;12345678x", "damaged"),
        ("a,b,c;x,y,z;123456780", "damaged"),
        ("a,b;x,y,z;123456", "at least 3"),
        ("a,b,b;x,y,z;123456789", "twice"),
        ("a,b,%00;x,y,z;123456789", "invisible"),
        ("a,b,c;x,y,z;---------", "no rating at all"),
    ],
)
def test_a_damaged_code_is_refused(code: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        decode_table(code)
