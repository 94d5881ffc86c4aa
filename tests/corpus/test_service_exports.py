# ruff: noqa: E501 (one kind a line reads as a table)
"""Exports of shops, trackers and databases: nested records, further identifiers, joined tables, rounded times."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recsys_core.columns import (
    CATEGORIES,
    INTERACTIONS,
    ITEM_ID,
    ITEMS,
    PRICE,
    RATING,
    TIMESTAMP,
    TITLE,
    USER_ID,
    USERS,
    WEIGHT,
)
from recsys_core.data.ingest import check, inspect_files, load_file, suggest_rules
from recsys_core.data.ingest.column_names import event_weight
from recsys_core.data.ingest.table_schema import TableGuess
from recsys_core.errors import DataError
from tests.corpus.tables import Cell, Row, item, item_number, stars, table, title, user, user_number
from tests.corpus.test_values import wrote


def objects(make: Callable[[int, int], object], rows: int = 120) -> str:
    """Return JSON lines made from row number and item, of 11 users with 17 items."""
    return "".join(json.dumps(make(n, n * n % 17)) + "\n" for n in range(rows))


def named(guess: TableGuess) -> dict[str, str]:
    return {role: guess.column_names[column] for role, column in guess.roles.items()}


def notes(guess: TableGuess) -> dict[str, str]:
    return {note.rule: note.message for note in guess.value_notes}


def guess_of(folder: Path, columns: dict[str, Cell], name: str = "export.csv", **how: Any) -> TableGuess:
    return inspect_files([wrote(folder, table(columns, **how), name)])[0]


# ---- nested records

NESTED: dict[str, tuple[Callable[[int, int], object], dict[str, str]]] = {
    "events with properties": (
        lambda n, i: {"event": "Product Viewed", "properties": {"time": 1_600_000_000 + 60 * n, "distinct_id": f"d{n % 11}", "Product ID": f"p{i}"}},
        {USER_ID: "properties.distinct_id", ITEM_ID: "properties.Product ID", TIMESTAMP: "properties.time"},
    ),
    "further identifiers of the user": (
        lambda n, i: {"user_id": f"u{n % 11}", "amplitude_id": 700 + n % 11, "event_properties": {"song_id": f"s{i}"}},
        {USER_ID: "user_id", ITEM_ID: "event_properties.song_id"},
    ),
    "documents of a search engine": (
        lambda n, i: {"_index": "e", "_id": f"x{n}", "_source": {"user_id": f"u{n % 11}", "item_id": f"i{i}"}},
        {USER_ID: "_source.user_id", ITEM_ID: "_source.item_id"},
    ),
    "users, items and ratings as objects": (
        lambda n, i: {"customer": {"id": n % 11}, "product": {"id": i, "title": f"Oak chair {i}"}, "rating": {"value": n % 5 + 1}},
        {USER_ID: "customer.id", ITEM_ID: "product.id", RATING: "rating.value", TITLE: "product.title"},
    ),
    "types of a database": (
        lambda n, i: {"user": {"$oid": f"{n % 11:024x}"}, "item": {"$numberLong": str(i)}, "at": {"$date": f"2021-03-0{n % 9 + 1}T08:00:00Z"}},
        {USER_ID: "user", ITEM_ID: "item", TIMESTAMP: "at"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", NESTED)
@pytest.mark.parametrize("array", [False, True])
def test_keys_of_objects_in_objects_are_columns(kind: str, array: bool, tmp_path: Path) -> None:
    make, expected = NESTED[kind]
    text = objects(make)
    if array:
        text = "[" + ",".join(text.splitlines()) + "]"
    path = wrote(tmp_path, text, "events.json")
    assert expected.items() <= named(inspect_files([path])[0]).items()
    data = load_file(path)
    assert (len(data.interactions), data.n_users, data.n_items) == (120, 11, len({n * n % 17 for n in range(120)}))


def test_objects_stay_cells_where_the_keys_beside_them_suffice(tmp_path: Path) -> None:
    text = objects(lambda n, i: {"user": f"u{n % 11}", "item": f"i{i}", "device": {"user_id": n}})
    (guess,) = inspect_files([wrote(tmp_path, text, "a.jsonl")])
    assert guess.column_names == ("user", "item", "device")


# ---- which column names the user, the item and the title


def test_the_identifier_of_the_row_is_neither_user_nor_item(tmp_path: Path) -> None:
    columns: dict[str, Cell] = {
        "uuid": lambda r: f"018f-{r.n * 7919:08x}",
        "event": lambda r: r.one_of("view", "purchase"),
        "properties": lambda _: "{}",
        "distinct_id": user,
    }
    guess = guess_of(tmp_path, columns)
    assert "uuid" not in named(guess).values()


@pytest.mark.parametrize("name", ["product", "item_id", "title", "Artikel"])
def test_a_column_that_says_item_stays_the_item_where_each_user_has_a_single_one(name: str, tmp_path: Path) -> None:
    columns: dict[str, Cell] = {
        "customer": user,
        name: lambda r: f"thing {r.user % 13}",
        "date": lambda r: r.when("%Y-%m-%d"),
    }
    assert named(guess_of(tmp_path, columns))[ITEM_ID] == name


def test_the_title_of_a_review_is_no_title_of_the_item(tmp_path: Path) -> None:
    columns: dict[str, Cell] = {
        "rating": stars,
        "title": lambda r: f"{r.one_of('Great', 'Bad')} thing {r.n}",
        "asin": lambda r: f"B{r.item:09d}",
        "user_id": user,
    }
    assert TITLE not in named(guess_of(tmp_path, columns))


def test_an_artist_is_no_track(tmp_path: Path) -> None:
    columns: dict[str, Cell] = {
        "user": user,
        "artistName": lambda r: f"Artist {r.item % 7}",
        "trackName": title,
        "msPlayed": lambda r: r.n * 13,
    }
    guess = guess_of(tmp_path, columns)
    assert named(guess) == {USER_ID: "user", ITEM_ID: "trackName", WEIGHT: "msPlayed"}
    assert [guess.column_names[column] for column in guess.item_attributes] == ["artistName"]


@pytest.mark.parametrize("name", ["Device Type", "click_type"])
def test_what_differs_by_row_is_no_category_of_titles(name: str, tmp_path: Path) -> None:
    columns: dict[str, Cell] = {"profile": user, "Title": title, name: lambda r: f"kind {r.chance.randrange(9)}"}
    guess = guess_of(tmp_path, columns)
    assert named(guess)[ITEM_ID] == "Title"
    assert CATEGORIES not in guess.roles


LIBRARY: dict[str, Cell] = {
    "Title": lambda r: f"A tale {r.n}",
    "Author": lambda r: f"{r.one_of('Ann', 'Bob', 'Cy')} {r.one_of('Lee', 'Ray')}",
    "ISBN": lambda r: f'="{9780000000000 + r.n * 7}"',
}


def test_the_books_of_a_reader_have_no_user(tmp_path: Path) -> None:
    guess = guess_of(tmp_path, {**LIBRARY, "My Rating": stars, "Date Added": lambda r: r.when("%Y/%m/%d")})
    assert USER_ID not in guess.roles
    with pytest.raises(DataError, match="identifies the user"):
        check([guess], suggest_rules([guess]))


def test_authors_of_reviews_are_users(tmp_path: Path) -> None:
    assert named(guess_of(tmp_path, {"author": user, "product": item, "rating": stars}))[USER_ID] == "author"


@pytest.mark.parametrize(
    ("name", "columns", "kind"),
    [
        ("catalog.csv", LIBRARY, ITEMS),
        ("stock-2024.csv", LIBRARY, ITEMS),
        ("BX-Users.csv", {"User-ID": lambda r: r.n, "Location": lambda r: f"town {r.n % 9}"}, USERS),
        ("checkins.csv", {"User-ID": user, "Location": lambda r: f"town {r.n % 9}"}, INTERACTIONS),
    ],
)
def test_users_have_locations_and_books_have_authors(
    name: str, columns: dict[str, Cell], kind: str, tmp_path: Path
) -> None:
    assert guess_of(tmp_path, columns, name).table == kind


def test_friends_in_one_cell_are_no_links(tmp_path: Path) -> None:
    text = objects(lambda n, _: {"user_id": f"u{n}", "friends": "None" if n % 3 else f"u{n + 1}, u{n + 2}, u{n + 3}"})
    (guess,) = inspect_files([wrote(tmp_path, text, "yelp_user.json")])
    assert guess.table == USERS


# ---- counts, sums and codes


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("click_environment", lambda r: r.one_of(1, 2, 4)),
        ("click_referrer_type", lambda r: r.one_of(1, 2, 7)),
        ("view_mode", lambda r: r.one_of(1, 2, 3)),
    ],
)
def test_what_describes_a_click_is_no_number_of_clicks(name: str, cell: Cell, tmp_path: Path) -> None:
    guess = guess_of(tmp_path, {"user_id": user, "click_article_id": item_number, name: cell})
    assert WEIGHT not in guess.roles


@pytest.mark.parametrize("name", ["play_ratio", "unit_count", "clicks", "click_total_count", "view_duration"])
def test_what_measures_a_click_is_a_weight(name: str, tmp_path: Path) -> None:
    guess = guess_of(tmp_path, {"user_id": user, "item_id": item, name: lambda r: r.chance.randrange(1, 400)})
    assert named(guess)[WEIGHT] == name


@pytest.mark.parametrize(
    ("name", "role"), [("total_dur", WEIGHT), ("total_plays", WEIGHT), ("total", PRICE), ("total_price", PRICE)]
)
def test_a_total_is_of_what_its_name_says(name: str, role: str, tmp_path: Path) -> None:
    columns: dict[str, Cell] = {"user_id": user, "item_id": item, name: lambda r: r.chance.randrange(100, 9000) / 4}
    assert named(guess_of(tmp_path, columns)).get(role) == name


def test_a_column_for_each_event_is_said_aloud(tmp_path: Path) -> None:
    columns: dict[str, Cell] = {
        "user_id": user,
        "product_id": item,
        "views": lambda r: r.chance.randrange(1, 10),
        "carts": lambda r: r.one_of(0, 0, 1, 2),
        "purchases": lambda r: r.one_of(0, 0, 1),
    }
    guess = guess_of(tmp_path, columns)
    assert named(guess) == {USER_ID: "user_id", ITEM_ID: "product_id", WEIGHT: "views"}
    assert "column 'views'; columns 'carts', 'purchases' count events" in notes(guess)["unread_counts"]


def test_points_group_thousands_where_another_column_has_decimal_commas(tmp_path: Path) -> None:
    columns: dict[str, Cell] = {
        "Kunde": user,
        "Artikel": item,
        "Umsatz": lambda r: f"1.{r.item:03d},50 €",
        "Menge": lambda r: r.one_of("1", "2", "1.500"),
    }
    path = wrote(tmp_path, table(columns, separator=";"))
    assert set(load_file(path).interactions[WEIGHT]) == {1.0, 2.0, 1500.0}


# ---- undone orders, empty identifiers


@pytest.mark.parametrize(
    ("value", "weight"),
    [
        ("wc-cancelled", 0.0),
        ("Order Refunded", 0.0),
        ("not cancelled", None),
        ("wc-completed", None),
        ("scroll down", None),
    ],
)
def test_a_status_may_have_a_prefix(value: str, weight: float | None) -> None:
    assert event_weight(value) == weight


def test_a_date_of_cancellation_undoes_the_order(tmp_path: Path) -> None:
    columns: dict[str, Cell] = {
        "customer_id": user,
        "product_id": item,
        "created_at": lambda r: r.when("%Y-%m-%d"),
        "cancelled_at": lambda r: r.when("%Y-%m-%d") if r.n % 8 == 0 else "",
    }
    guess = guess_of(tmp_path, columns)
    assert named(guess)[TIMESTAMP] == "created_at"
    assert "'cancelled_at' has no role, but 30 of its first cells" in notes(guess)["undone_interactions"]


def test_an_empty_formula_is_no_identifier(tmp_path: Path) -> None:
    columns: dict[str, Cell] = {
        "reader": user,
        "ISBN": lambda r: '=""' if r.n % 6 == 0 else f'="{9780000000000 + r.item}"',
    }
    (guess,) = inspect_files([wrote(tmp_path, table(columns))])
    assert check([guess], suggest_rules([guess])).reasons == {"ISBN: empty": 40}


# ---- several files


def session(row: Row) -> str:
    return f"s{row.n}"


def test_parts_with_the_same_header_have_the_same_roles(tmp_path: Path) -> None:
    columns: dict[str, Cell] = {
        "session_id": lambda r: f"s{r.n // 3}",
        "item_id": item,
        "date": lambda r: r.when("%Y-%m-%d"),
    }
    views = wrote(tmp_path, table(columns), "train_sessions.csv")
    buys = wrote(tmp_path, table({**columns, "session_id": lambda r: r.n}, rows=80), "train_purchases.csv")
    first, second = inspect_files([views, buys])
    assert named(first) == named(second)
    assert second.timestamp_unit == "iso"


@pytest.mark.parametrize("basket", [lambda r: f"b{r.n // 3}", session])
def test_orders_and_their_lines_are_to_be_joined(basket: Cell, tmp_path: Path) -> None:
    orders = wrote(
        tmp_path, table({"order_id": session, "user_id": user_number, "hour": lambda r: r.n % 24}), "orders.csv"
    )
    lines = wrote(
        tmp_path, table({"order_id": basket, "product_id": item_number, "reordered": lambda r: r.n % 2}), "lines.csv"
    )
    guesses = inspect_files([orders, lines])
    with pytest.raises(DataError, match=r"users are in 'orders.csv' and the items in 'lines.csv'.*'order_id'"):
        check(guesses, suggest_rules(guesses))


# ---- times


@pytest.mark.parametrize(
    ("form", "seconds"), [("{:.6E}", "1,000"), ("{:.1e}", "100,000,000"), ("{:.9e}", ""), ("{:.12e}", "")]
)
def test_rounded_times_are_said_aloud(form: str, seconds: str, tmp_path: Path) -> None:
    columns: dict[str, Cell] = {
        "user": user,
        "item": item,
        "timestamp": lambda r: form.format(1_600_000_000 + r.n * 7919),
    }
    found = notes(guess_of(tmp_path, columns)).get("rounded_times", "")
    assert (f"rounded to {seconds} seconds" in found) if seconds else not found


def test_a_narrow_space_before_am_and_pm_is_read(tmp_path: Path) -> None:
    columns: dict[str, Cell] = {"user": user, "item": item, "when": lambda r: r.when("%m/%d/%Y, %I:%M:%S\u202f%p")}
    written = load_file(wrote(tmp_path, table(columns, separator=";"), "narrow.csv"))
    columns["when"] = lambda r: r.when("%Y-%m-%d %H:%M:%S")
    assert list(written.interactions[TIMESTAMP]) == list(
        load_file(wrote(tmp_path, table(columns))).interactions[TIMESTAMP]
    )


def test_the_cell_with_spaces_is_the_example_of_fixed_width(tmp_path: Path) -> None:
    rows = [f"{n:>7} {n % 9:>7} {'2024-01-02 10:00:00':>23}" for n in range(30)]
    text = "\n".join(["UserId  ItemId  CreatedAt              ", f"{'-' * 7} {'-' * 7} {'-' * 23}", *rows])
    with pytest.raises(DataError, match="spaces within its cells, such as '2024-01-02 10:00:00'"):
        inspect_files([wrote(tmp_path, text, "query.txt")])
