"""The number format is inferred from all cells of a column, and Python and SQL read it equally."""

import duckdb
import pytest

from recsys_core.data.ingest.number_formats import (
    NAMES,
    as_number,
    format_of_name,
    guess_number_format,
    number_sql,
    read_number,
    with_points_of_thousands,
)

COLUMNS = [
    (["1,234,567", "4,936", "12"], "1,234.5", [1234567.0, 4936.0, 12.0]),
    (["1.234,56", "3,5"], "1.234,5", [1234.56, 3.5]),
    (["1'234", "5'000.5"], "1'234.5", [1234.0, 5000.5]),
    (["1’234", "12"], "1'234.5", [1234.0, 12.0]),
    (["1 234,5", "12"], "1 234,5", [1234.5, 12.0]),
    (["1\u00a0234", "5"], "1 234.5", [1234.0, 5.0]),
    (["1\u202f234,25"], "1 234,5", [1234.25]),
    (["€ 4,50", "€1.234,00"], "1.234,5", [4.5, 1234.0]),
    (["$1,234.50", "-$3.00"], "1,234.5", [1234.5, -3.0]),
    (["12,50 EUR", "3,00 EUR"], "1234,5", [12.5, 3.0]),
    (["85%", "90 %"], "1234.5", [85.0, 90.0]),
    (["4,5", "3"], "1234,5", [4.5, 3.0]),
    (["4.5", "3", "1e2"], "1234.5", [4.5, 3.0, 100.0]),
    (["0,125", "0,250"], "1234,5", [0.125, 0.25]),
    (["1234,567"], "1234,5", [1234.567]),
    (["1.234", "5.678"], "1234.5", [1.234, 5.678]),
    (["1.234.567", "5.678"], "1.234,5", [1234567.0, 5678.0]),
    (["-1,5", "+2,25"], "1234,5", [-1.5, 2.25]),
    (["3", "12-", "(2)"], "1234.5", [3.0, -12.0, -2.0]),
    (["1.234,50-", "3,5"], "1.234,5", [-1234.5, 3.5]),
    (["($3.20)", "$1.50"], "1234.5", [-3.2, 1.5]),
    (["٤", "٣٫٥"], "1234.5", [4.0, 3.5]),
    (["４", "３．５"], "1234.5", [4.0, 3.5]),
    (["४", "५"], "1234.5", [4.0, 5.0]),
    (["4/5", "3.5 / 5"], "4.5/5", [4.0, 3.5]),
    (["5.0 out of 5 stars", "1.0 out of 5 stars"], "4.5/5", [5.0, 1.0]),
    (["4,0 von 5 Sternen", "2,5 von 5 Sternen"], "4,5/5", [4.0, 2.5]),
    (["4,0 sur 5 étoiles", "5 de 5 estrellas"], "4,5/5", [4.0, 5.0]),
    (["8/10", "10/10"], "4.5/10", [8.0, 10.0]),
    (["4 stars", "1 star", "5"], "1234.5", [4.0, 1.0, 5.0]),
    (["3 Sterne", "1 Stern"], "1234.5", [3.0, 1.0]),
    (["4★", "4.5 ★"], "1234.5", [4.0, 4.5]),
    (["★★★☆☆", "★★★★★", "★½"], "★★★½", [3.0, 5.0, 1.5]),
    (["⭐⭐⭐", "⭐"], "★★★½", [3.0, 1.0]),
]


def by_sql(text: str, name: str) -> float | None:
    sql = number_sql("v", format_of_name(name), "DOUBLE")
    found = duckdb.connect().execute(f"SELECT {sql} FROM (SELECT ?::VARCHAR AS v)", [text]).fetchone()
    return found[0] if found else None


@pytest.mark.parametrize(("cells", "name", "numbers"), COLUMNS, ids=[" ".join(cells) for cells, *_ in COLUMNS])
def test_a_column_is_read_in_the_format_of_all_its_cells(cells: list[str], name: str, numbers: list[float]) -> None:
    form = guess_number_format(cells)
    assert (form.name, form.share, form.undecided) == (name, 1.0, False)
    assert [read_number(cell, form) for cell in cells] == numbers
    assert [by_sql(cell, name) for cell in cells] == numbers


def test_commas_before_three_digits_alone_are_undecided() -> None:
    form = guess_number_format(["4,936", "203,610", "61,700"])
    assert (form.name, form.undecided) == ("1,234.5", True)
    assert read_number("4,936", form) == 4936.0
    assert guess_number_format(["4,936", "203,61"]).name == "1234,5"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cell", ["1,5", "1.5", "1,234", "1.234", "12,34,567", "x", "1 2", "--1", "1,", "1e400", "inf"])
def test_sql_and_python_agree_on_every_cell(name: str, cell: str) -> None:
    form = format_of_name(name)
    assert by_sql(cell, name) == pytest.approx(read_number(cell, form)) or cell in {"1e400", "inf"}


def test_ratings_out_of_different_maxima_are_not_mixed() -> None:
    form = guess_number_format(["4/5", "3/5", "8/10"])
    assert (form.name, form.share) == ("4.5/5", pytest.approx(2 / 3))
    assert read_number("8/10", form) is by_sql("8/10", form.name) is None
    assert read_number("8", form) is by_sql("8", form.name) is None


@pytest.mark.parametrize("cell", ["10/5/20", "3/5/2024", "6/5", "1/2", "4/5/5", "★4☆", "star", "out of 5"])
def test_what_only_resembles_a_rating_is_no_number(cell: str) -> None:
    assert as_number(cell) is None


def test_a_cell_that_contradicts_the_format_is_no_number() -> None:
    assert by_sql("4.5", "1.234,5") is None
    assert by_sql("1,5", "1,234.5") is None


def test_words_for_nothing_count_only_where_they_are_repeated() -> None:
    assert guess_number_format(["n/a"] * 3 + ["4", "5"]).missing == ("n/a",)
    once = guess_number_format(["nan", "4", "5"])
    assert (once.missing, once.share) == ((), pytest.approx(2 / 3))
    assert guess_number_format(["x", "y"]).share == 0.0


def test_points_before_three_digits_follow_another_column_but_not_below_one() -> None:
    comma = guess_number_format(["4,5", "3,25"])
    for cell, mark in (("1.500", ","), ("0.125", ".")):
        values = {"price": ["4,5"], "weight": [cell, "2"]}
        formats = {"price": comma, "weight": guess_number_format(values["weight"])}
        assert with_points_of_thousands(formats, values)["weight"].decimal == mark
