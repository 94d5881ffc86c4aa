# ruff: noqa: E501 (one case a line reads as a table)
"""Exports of shops, publishers and services whose meaning is easy to miss: what is read, and what is said."""

import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from recsys_core.columns import ITEM_ID, RATING, TIMESTAMP, USER_ID, WEIGHT
from recsys_core.data.ingest import inspect_files
from recsys_core.data.ingest.identifiers import trimmed, trimmed_sql
from recsys_core.data.ingest.table_schema import TableGuess
from recsys_core.errors import DataError
from recsys_core.text import percent
from tests.corpus.tables import Row, item, price, stars, table, user
from tests.corpus.test_values import take, warned, wrote


def guessed(folder: Path, text: str, name: str = "export.csv") -> TableGuess:
    (guess,) = inspect_files([wrote(folder, text, name)])
    return guess


def column(guess: TableGuess, role: str) -> str | None:
    return guess.column_of(role) or None


def json_lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


# ---- columns that are no rating, quantity or time


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("Verlängerungen", lambda r: r.one_of(0, 1, 2)),
        ("renewals", lambda r: r.one_of(0, 1, 2)),
        ("add_to_cart_order", lambda r: r.n % 4 + 1),
        ("order_dow", lambda r: r.n % 7),
        ("order_hour_of_day", lambda r: r.n % 24),
        ("step", lambda r: r.n % 6 + 1),
    ],
)
def test_a_column_about_the_row_is_no_rating(name: str, cell: Callable[[Row], object], tmp_path: Path) -> None:
    guess = guessed(tmp_path, table({"customer_id": user, "product_id": item, name: cell}))
    assert {role: column(guess, role) for role in guess.roles} == {USER_ID: "customer_id", ITEM_ID: "product_id"}


def test_a_rating_whose_name_says_nothing_is_asked_for(tmp_path: Path) -> None:
    guess = guessed(tmp_path, table({"customer_id": user, "product_id": item, "zone": stars}))
    assert [(question.role, question.alternative) for question in guess.questions] == [(RATING, None)]
    known = guessed(tmp_path, table({"customer_id": user, "product_id": item, "stars": stars}))
    assert not known.questions


def test_points_are_a_rating_and_the_taster_is_the_user(tmp_path: Path) -> None:
    columns = {"taster_name": user, "wine_id": item, "points": lambda r: 80 + r.chance.randrange(20), "price": price}
    guess = guessed(tmp_path, table(columns))
    assert [column(guess, role) for role in (USER_ID, ITEM_ID, RATING)] == ["taster_name", "wine_id", "points"]


@pytest.mark.parametrize(
    ("taken_back", "ordered"),
    [("qty_refunded", "qty_ordered"), ("returned_qty", "quantity"), ("Menge storniert", "Menge"), ("退货数量", "数量")],
)
def test_a_refunded_quantity_is_no_quantity(taken_back: str, ordered: str, tmp_path: Path) -> None:
    columns = {
        "customer": user,
        "article": item,
        taken_back: lambda _: "0.0000",
        ordered: lambda r: f"{r.n % 3 + 1}.0000",
    }
    assert column(guessed(tmp_path, table(columns)), WEIGHT) == ordered


@pytest.mark.parametrize(
    ("back", "out"),
    [("Rückgabedatum", "Ausleihdatum"), ("归还日期", "借出日期"), ("返却日", "貸出日"), ("due_date", "loan_date")],
)
def test_a_loan_has_the_time_of_lending(back: str, out: str, tmp_path: Path) -> None:
    day: Callable[[Row], object] = lambda r: r.when("%Y-%m-%d")  # noqa: E731
    both = guessed(tmp_path, table({"Leser": user, "Mediennummer": item, back: day, out: day}))
    assert column(both, TIMESTAMP) == out
    assert TIMESTAMP not in {question.role for question in both.questions}
    alone = guessed(tmp_path, table({"Leser": user, "Mediennummer": item, back: day}))
    assert column(alone, TIMESTAMP) == back


def test_of_two_times_the_filled_one_is_read(tmp_path: Path) -> None:
    paid: Callable[[Row], object] = lambda r: "" if r.n % 2 else r.when("%Y-%m-%d %H:%M:%S -0500")  # noqa: E731
    columns = {
        "Email": user,
        "Lineitem sku": item,
        "Paid at": paid,
        "Created at": lambda r: r.when("%Y-%m-%d %H:%M:%S -0500"),
    }
    assert column(guessed(tmp_path, table(columns)), TIMESTAMP) == "Created at"


# ---- several values in one cell

GA4 = [
    {
        "user_pseudo_id": f"{n % 7}.{n % 5}",
        "event_timestamp": 1_600_000_000_000_000 + n,
        "items": [{"item_id": f"S{n % 9}"}],
    }
    for n in range(60)
]
NESTED = {
    "objects in a list": (json_lines(*GA4), "a.jsonl", ITEM_ID, "items"),
    "an object": (table({"user": lambda r: f'{{"id": {r.user}}}', "item": item, "when": lambda r: r.when("%Y-%m-%d")}), "a.csv", USER_ID, "user"),
    "a list of numbers": (json_lines(*({"user": f"u{n}", "items": [n, n + 1]} for n in range(60))), "a.jsonl", ITEM_ID, "items"),
    "events of a session": (json_lines(*({"session": n, "events": [{"aid": n % 9, "type": "clicks"}]} for n in range(60))), "a.jsonl", USER_ID, "events"),
    "news in one cell": (table({"a": lambda r: r.n, "b": user, "c": lambda r: " ".join(f"N{5000 + k}" for k in range(1 + r.n % 4))}, separator="\t", header=False), "a.tsv", ITEM_ID, "column_3"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NESTED)
def test_a_cell_with_several_values_is_no_identifier(kind: str, tmp_path: Path) -> None:
    text, name, missing, where = NESTED[kind]
    path = wrote(tmp_path, text, name)
    (guess,) = inspect_files([path])
    assert missing not in guess.roles
    assert [note.rule for note in guess.value_notes] == ["nested_cells"]
    with pytest.raises(
        DataError, match=f"has no '{missing}' column: each cell of column '{where}' holds several values"
    ):
        take(tmp_path, [path])


def test_numbers_with_spaces_and_lists_of_tags_stay(tmp_path: Path) -> None:
    columns = {
        "customer": user,
        "gtin": lambda r: f"4 0{r.item:05d} 123457",
        "tags": lambda r: f"a{r.item % 3}|b{r.item % 4}",
    }
    guess = guessed(tmp_path, table(columns))
    assert column(guess, ITEM_ID) == "gtin"
    assert not guess.value_notes


# ---- actions that were undone


@pytest.mark.parametrize(
    ("name", "cell", "example"),
    [
        ("Financial Status", lambda r: r.one_of("paid", "paid", "refunded"), "refunded"),
        ("type", lambda r: r.one_of("sale", "sale", "return"), "return"),
        ("Vorgangsart", lambda r: r.one_of("Verkauf", "Verkauf", "Storno"), "Storno"),
        ("is_returned", lambda r: r.one_of("false", "false", "true"), "true"),
        ("qty_refunded", lambda r: r.one_of("0", "0", "2"), "2"),
        ("liked", lambda r: r.one_of("true", "false"), "false"),
        ("isClicked", lambda r: r.one_of(0, 0, 1), "0"),
        ("purchased", lambda r: r.one_of("yes", "no"), "no"),
    ],
)
def test_undone_interactions_are_said_aloud(
    name: str, cell: Callable[[Row], object], example: str, tmp_path: Path
) -> None:
    text = table({"customer_id": user, "sku": item, "qty": lambda r: r.one_of(1, 2, 30), name: cell})
    _, report = take(tmp_path, [wrote(tmp_path, text)])
    said = warned(report, "undone_interactions")
    assert f"'{name}'" in said
    assert f"such as '{example}'" in said


def test_event_types_and_columns_without_undone_cells_raise_no_warning(tmp_path: Path) -> None:
    columns = {
        "customer_id": user, "sku": item, "event": lambda r: r.one_of("purchase", "purchase", "refund"),
        "status": lambda r: r.one_of("paid", "sent"), "qty_refunded": lambda _: 0, "paid": lambda _: "yes", "released": lambda r: r.n % 2,
    }  # fmt: skip
    assert not [note for note in guessed(tmp_path, table(columns)).value_notes if note.rule == "undone_interactions"]


# ---- returns, unknown users, periods


def test_returned_quantities_are_said_aloud(tmp_path: Path) -> None:
    text = table({"customer": user, "sku": item, "Menge": lambda r: r.one_of(1, 2, 30, -1)})
    dataset, report = take(tmp_path, [wrote(tmp_path, text)])
    negative = int((dataset.interactions[WEIGHT] < 0).sum())
    assert (
        warned(report, "negative_weights")
        == f"{negative} {negative} interactions have negative weights; the lowest is -1."
    )
    bought = table({"customer": user, "sku": item, "Menge": lambda r: r.one_of(1, 2, 30)})
    _, report = take(tmp_path, [wrote(tmp_path, bought)])
    assert "negative_weights" not in {warning.rule for warning in report.warnings}


def test_weights_of_zero_are_said_aloud(tmp_path: Path) -> None:
    text = table({"user_id": user, "item_id": item, "click": lambda r: int(r.n % 4 == 0)})
    dataset, report = take(tmp_path, [wrote(tmp_path, text)])
    zero = int((dataset.interactions[WEIGHT] == 0).sum())
    share = percent(zero / len(dataset.interactions))
    assert warned(report, "zero_weights") == f"{zero} {zero} interactions ({share}) have the weight 0."
    clicked = table({"user_id": user, "item_id": item, "clicks": lambda r: r.one_of(1, 2, 30)})
    _, report = take(tmp_path, [wrote(tmp_path, clicked)])
    assert "zero_weights" not in {warning.rule for warning in report.warnings}


@pytest.mark.parametrize(
    "name", ["guest", "Anonymous", "None", "(not set)", "undefined", "匿名", "00000000-0000-0000-0000-000000000000"]
)
def test_a_placeholder_for_unknown_users_is_said_aloud(name: str, tmp_path: Path) -> None:
    text = table({"user_id": lambda r: name if r.n % 4 == 0 else user(r), "item_id": item})
    _, report = take(tmp_path, [wrote(tmp_path, text)])
    assert (
        warned(report, "placeholder_users")
        == f"60 60 interactions belong to '{name}', which looks like a placeholder for unknown users."
    )


def test_a_placeholder_for_unknown_items_is_said_aloud(tmp_path: Path) -> None:
    text = table({"user_id": user, "item_id": lambda r: "null" if r.n % 4 == 0 else item(r)})
    assert warned(take(tmp_path, [wrote(tmp_path, text)])[1], "placeholder_items").startswith("60 ")


@pytest.mark.parametrize(("every", "expected"), [(3, True), (30, False)])
@pytest.mark.parametrize("number", [0, -1])
def test_a_number_is_a_placeholder_only_far_above_all_users(
    number: int, every: int, expected: bool, tmp_path: Path
) -> None:
    text = table({"user_id": lambda r: r.user + 1 if r.n % every else number, "item_id": item})
    _, report = take(tmp_path, [wrote(tmp_path, text)])
    assert ("placeholder_users" in {warning.rule for warning in report.warnings}) == expected


@pytest.mark.parametrize(
    ("name", "form"), [("month", "%Y-%m"), ("Monat", "%b %Y"), ("week", "%G-W%V"), ("月份", "%Y年%m月")]
)
def test_a_month_or_week_is_a_time(name: str, form: str, tmp_path: Path) -> None:
    written = table({"user_id": user, "item_id": item, name: lambda r: r.when(form)})
    assert column(guessed(tmp_path, written), TIMESTAMP) == name
    numbered = table({"user_id": user, "item_id": item, name: lambda r: r.n % 12 + 1})
    assert TIMESTAMP not in guessed(tmp_path, numbered).roles


def test_identifiers_that_spreadsheets_keep_as_text_meet_the_items(tmp_path: Path) -> None:
    rated = wrote(
        tmp_path, table({"user_id": user, "isbn": lambda r: f'"=""0{r.item:08d}"""', "stars": stars}), "ratings.csv"
    )
    books = wrote(tmp_path, "isbn,title\n" + "".join(f'="0{n:08d}",Book {n}\n' for n in range(50)), "books.csv")
    dataset, report = take(tmp_path, [rated, books])
    assert set(map(len, dataset.item_vocabulary.ids)) == {9}
    assert dataset.items is not None
    assert dataset.items["title"].notna().all()
    assert report.rows_accepted > 0


@pytest.mark.parametrize("text", ['="007"', ' ="007" ', '="a ""b"', "=1+1", '=""', '="', "x=1", '="a"b"'])
def test_both_readers_of_identifiers_agree_on_formulas(text: str) -> None:
    literal = "'" + text.replace("'", "''") + "'"
    assert duckdb.sql(f"SELECT {trimmed_sql(literal)}").fetchall() == [(trimmed(text),)]


@pytest.mark.parametrize(("clock", "example"), [("%H:%M:%S", "00:00:00"), ("%I:%M %p", "12:00 AM")])
def test_times_of_day_beside_the_dates_are_said_aloud(clock: str, example: str, tmp_path: Path) -> None:
    columns = {"date": lambda r: r.when("%Y-%m-%d"), "time": lambda r: r.when(clock), "user": user, "item": item}
    _, report = take(tmp_path, [wrote(tmp_path, table(columns))])
    assert f"column 'time' holds times of day, such as '{example}'" in warned(report, "unread_clock")


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M", "%Y%m%dT%H%M%S", "%s"])
def test_a_duration_beside_whole_times_raises_no_warning(form: str, tmp_path: Path) -> None:
    whole = {"at": lambda r: r.when(form), "length": lambda r: r.when("%H:%M"), "user": user, "item": item}
    guess = guessed(tmp_path, table(whole))
    assert column(guess, TIMESTAMP) == "at"
    assert not guess.value_notes
