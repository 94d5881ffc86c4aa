"""Exports of streaming, learning and travel services: look-alike names, a single person, dates in parts."""

from pathlib import Path

import pytest

from recsys_core.columns import EVENT, PRICE, RATING, TITLE, USER_ID, WEIGHT
from recsys_core.data.ingest import check, ingest, inspect_files, suggest_rules
from recsys_core.data.ingest.column_names import LIKELY, evidence_of_name
from recsys_core.data.ingest.table_schema import TableGuess
from recsys_core.data.workspace import Workspace
from recsys_core.errors import DataError
from tests.corpus.tables import Cell, Row, item, item_number, price, stars, table, title, user


def read(tmp_path: Path, columns: dict[str, Cell], name: str = "export.csv") -> TableGuess:
    path = tmp_path / name
    path.write_text(table(columns), encoding="utf-8")
    return inspect_files([path])[0]


def named(guess: TableGuess) -> dict[str, str]:
    return {role: guess.column_names[column] for role, column in guess.roles.items()}


def warned(guess: TableGuess) -> dict[str, str]:
    return {warning.rule: warning.message for warning in check([guess], suggest_rules([guess])).warnings}


@pytest.mark.parametrize(
    ("head", "role"),
    [
        ("started", RATING),
        ("sessionStart", RATING),
        ("hotel_market", RATING),
        ("moderated", RATING),
        ("point_of_sale", RATING),
        ("operating_system", RATING),
        ("contact", USER_ID),
        ("context", USER_ID),
        ("social", USER_ID),
        ("important", PRICE),
        ("custom", PRICE),
        ("active", EVENT),
        ("discount", WEIGHT),
    ],
)
def test_a_word_that_only_resembles_a_known_one_says_nothing(head: str, role: str) -> None:
    assert evidence_of_name(head).get(role, 0.0) <= 0


@pytest.mark.parametrize(
    ("head", "role"),
    [
        ("produktu", "item_id"),
        ("id_фильма", "item_id"),
        ("knihy", "item_id"),
        ("view", WEIGHT),
        ("filmrating", RATING),
        ("Stammkunde", USER_ID),
    ],
)
def test_inflected_and_compound_words_are_known(head: str, role: str) -> None:
    assert evidence_of_name(head).get(role, 0.0) >= LIKELY - 2.0


def test_a_flag_beside_a_single_user_does_not_become_the_user(tmp_path: Path) -> None:
    columns: dict[str, Cell] = {
        "username": lambda _: "me",
        "track": item,
        "skipped": lambda r: r.one_of("true", "false"),
        "offline": lambda r: r.one_of(0, 1),
    }
    guess = read(tmp_path, columns)
    assert named(guess)[USER_ID] == "username"
    assert warned(guess)["one_user"] == "All interactions belong to a single user: 'me'."


def test_a_history_of_one_person_is_refused_by_name(tmp_path: Path) -> None:
    guess = read(tmp_path, {"Title": title, "Date": lambda r: r.when("%m/%d/%y")}, "NetflixViewingHistory.csv")
    with pytest.raises(DataError, match="history of a single user"):
        check([guess], suggest_rules([guess]))


def test_titles_name_the_items_where_nothing_else_does(tmp_path: Path) -> None:
    guess = read(tmp_path, {"User": user, "Title": title, "Date": lambda r: r.when("%Y-%m-%d")})
    assert named(guess) == {"user_id": "User", "item_id": "Title", "timestamp": "Date"}
    assert TITLE not in guess.roles
    assert [question.role for question in guess.questions] == ["item_id"]


def test_a_column_of_missing_values_is_no_obstacle(tmp_path: Path) -> None:
    columns: dict[str, Cell] = {"user": user, "affected": lambda _: "-", "item": item, "rating": stars}
    assert named(read(tmp_path, columns)) == {"user_id": "user", "item_id": "item", "rating": "rating"}


def test_numbers_among_words_are_no_times(tmp_path: Path) -> None:
    def reference(row: Row) -> object:
        return row.one_of(item_number(row), item_number(row), "Newtown")

    columns: dict[str, Cell] = {"user_id": user, "session_id": lambda r: f"x{r.n // 5}", "reference": reference}
    assert named(read(tmp_path, columns)) == {"user_id": "user_id", "item_id": "reference"}


def test_the_parts_of_a_date_are_no_timestamps(tmp_path: Path) -> None:
    columns: dict[str, Cell] = {
        "user": user,
        "item": item,
        "year": lambda r: r.one_of(2021, 2022),
        "month": lambda r: r.chance.randint(1, 12),
        "day": lambda r: r.chance.randint(1, 28),
    }
    guess = read(tmp_path, columns)
    found = warned(guess)
    assert "timestamp" not in guess.roles
    assert "columns 'year', 'month', 'day' hold the parts of a date and are not read." in found["unread_date_parts"]
    assert "unread_times" not in found


@pytest.mark.parametrize(("head", "form"), [("date", "%Y%m"), ("month", "%Y%m"), ("date", "%m/%Y"), ("month", "%Y-%m")])
def test_months_are_times(head: str, form: str, tmp_path: Path) -> None:
    guess = read(tmp_path, {"user": user, "item": item, head: lambda r: r.when(form)})
    dataset, report = ingest([guess], suggest_rules([guess]), Workspace(tmp_path / "workspace"), "months")
    assert report.rows_rejected == 0
    assert set(dataset.interactions["timestamp"]) == {1_569_888_000_000}


def test_progress_is_no_item_where_titles_are(tmp_path: Path) -> None:
    columns: dict[str, Cell] = {"User": user, "Title": title, "Percent complete": lambda r: r.chance.randint(1, 100)}
    assert named(read(tmp_path, columns)) == {"user_id": "User", "item_id": "Title"}


VARIED: dict[str, tuple[dict[str, Cell], dict[str, str]]] = {
    "likes": (
        {"user": user, "item": item, "vote": lambda r: r.one_of("like", "dislike")},
        {"user_id": "user", "item_id": "item", "event": "vote"},
    ),
    "thumbs": (
        {"user": user, "item": item, "thumb": lambda r: r.one_of("up", "down")},
        {"user_id": "user", "item_id": "item", "event": "thumb"},
    ),
    "names_of_people": (
        {"First name": lambda r: f"Ann{r.user}", "Surname": lambda r: f"Lee{r.user}", "user": user, "item": item},
        {"user_id": "user", "item_id": "item"},
    ),
    "letters": (
        {"u": user, "i": item_number, "new": lambda r: r.one_of(0, 1)},
        {"user_id": "u", "item_id": "i"},
    ),
    "sales_of_sap": (
        {"Sold-to party": user, "Material Number": item},
        {"user_id": "Sold-to party", "item_id": "Material Number"},
    ),
    "net_value": (
        {"Auftraggeber": user, "Bezeichnung": title, "Nettowert": price},
        {"user_id": "Auftraggeber", "item_id": "Bezeichnung", "price": "Nettowert"},
    ),
}


@pytest.mark.parametrize("case", VARIED)
def test_a_column_is_what_its_name_and_cells_say(case: str, tmp_path: Path) -> None:
    columns, roles = VARIED[case]
    assert named(read(tmp_path, columns)) == roles


def test_the_average_rating_of_an_item_is_no_rating_of_a_user(tmp_path: Path) -> None:
    average: dict[str, Cell] = {"user": user, "item": item, "average_rating": lambda r: 3 + r.item % 10 / 8}
    own: dict[str, Cell] = {"user": user, "item": item, "rating": stars}
    assert "ratings_of_items" in warned(read(tmp_path, average))
    assert "ratings_of_items" not in warned(read(tmp_path, own))


def test_a_column_without_repeated_values_is_no_user(tmp_path: Path) -> None:
    columns: dict[str, Cell] = {
        "Const": lambda r: f"tt{r.n:07d}",
        "Your Rating": stars,
        "Title": lambda r: f"Film {r.n}",
    }
    assert USER_ID not in read(tmp_path, columns).roles
