# ruff: noqa: E501 (one layout a line reads as a table)
"""Files of publishers and shops: the right column for each role, a question, or a refusal with the reason."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from recsys_core.data.ingest import check, ingest, inspect_files, suggest_rules
from recsys_core.data.ingest.schema import with_changes
from recsys_core.data.ingest.table_schema import TableGuess
from recsys_core.data.workspace import Workspace
from recsys_core.errors import DataError
from tests.corpus.tables import (
    aisle,
    city,
    epoch,
    halves,
    item,
    item_number,
    price,
    stars,
    table,
    title,
    user,
    user_number,
)

FILES = Path(__file__).parent / "files"


@dataclass(frozen=True)
class Layout:
    """A file and the expected columns of its roles.

    Args:
        name: Name of the case.
        text: The file.
        roles: Column name of each role.
        asks: Roles that must lead to a question.
        items: Names of item attributes.
        users: Names of user attributes.
        file: Name of the file.
        notes: Rules of notes on the layout.
    """

    name: str
    text: str
    roles: Mapping[str, str]
    asks: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    file: str = "export.csv"
    notes: tuple[str, ...] = ()


def of(user_id: str, item_id: str, **others: str) -> dict[str, str]:
    return {"user_id": user_id, "item_id": item_id} | others


def published(folder: str) -> list[TableGuess]:
    return inspect_files(sorted((FILES / folder).iterdir()))


def named(guess: TableGuess) -> dict[str, str]:
    return {role: guess.column_names[column] for role, column in guess.roles.items()}


PUBLISHED = {
    "d01_pandas_index": of("userId", "movieId", rating="rating", timestamp="timestamp"),
    "d01b_r_rownames": of("user", "item", rating="rating"),
    "d02_yoochoose": of("column_1", "column_3", timestamp="column_2"),
    "d02c_gowalla": of("column_1", "column_5", timestamp="column_2"),
    "d03_recbole_inter": of("user_id", "item_id", rating="rating", timestamp="timestamp"),
    "d03b_recbole_order": of("user_id", "item_id", rating="rating", timestamp="timestamp"),
    "d05_amazon2018": of("column_2", "column_1", rating="column_3", timestamp="column_4"),
    "d09_taobao": of("column_1", "column_2", timestamp="column_5", event="column_4", categories="column_3"),
    "d24_backslash_quotes": of("user_id", "item_id", rating="rating"),
    "d25_units_header": of("User ID", "Item ID", rating="Rating (1-5)", timestamp="Time (UTC)"),
    "d25e_twice": of("user_id", "item_id", rating="rating"),
    "f02": of("column_1", "column_2", rating="column_3"),
    "shop": of(
        "Kunde", "Artikelnr", timestamp="Zeitpunkt", event="Ereignis", title="Artikelname",
        categories="Warengruppe", price="Betrag",
    ),
}  # fmt: skip


@pytest.mark.parametrize("folder", PUBLISHED)
def test_a_published_layout_gets_its_columns(folder: str) -> None:
    (guess,) = published(folder)
    assert guess.table == "interactions"
    assert named(guess) == PUBLISHED[folder]


@pytest.mark.parametrize("folder", ["d02_yoochoose", "d02c_gowalla", "d05_amazon2018", "d09_taobao", "d25e_twice"])
def test_what_is_not_certain_is_asked(folder: str) -> None:
    (guess,) = published(folder)
    assert guess.questions
    assert guess.confidence < 0.8
    report = check([guess], suggest_rules([guess]))
    assert {warning.rule for warning in report.warnings} & {"uncertain_user_id", "uncertain_item_id"}


def test_swapping_user_and_item_is_one_step_and_ends_the_question() -> None:
    (guess,) = published("d05_amazon2018")
    swapped = with_changes(guess, roles={**dict.fromkeys(guess.roles), **guess.questions[0].roles})
    assert named(swapped) == named(guess) | {"user_id": "column_1", "item_id": "column_2"}
    assert not swapped.questions


def test_a_choice_by_hand_ends_the_questions_and_takes_the_column_from_attributes() -> None:
    (guess,) = published("d02c_gowalla")
    assert guess.item_attributes == (2, 3)
    chosen = with_changes(guess, roles={"rating": "column_3"})
    assert chosen.item_attributes == (3,)
    assert not chosen.questions


def test_the_messy_shop_file_needs_no_correction(tmp_path: Path) -> None:
    guesses = published("shop")
    dataset, report = ingest(guesses, suggest_rules(guesses), Workspace(tmp_path), "shop")
    assert (report.rows_read, report.rows_rejected) == (1510, 22)
    broken = {"empty": 6, "9 columns instead of 7": 4, "2 columns instead of 7": 4}
    counted = Counter(line.reason for line in report.rejected)
    assert {reason: counted[reason] for reason in broken} == broken
    assert all(
        "31.02.2025" in line.text or "#N/A" in line.text for line in report.rejected if line.reason not in broken
    )
    assert {kind: values["count"] for kind, values in report.events.items()} == {"click": 1121, "purchase": 367}
    assert report.events["purchase"]["weight"] > report.events["click"]["weight"]
    assert not dataset.has_ratings
    assert dataset.has_timestamps
    assert dataset.items is not None
    place = dataset.item_vocabulary.ids.index("SKU-1167")
    assert dataset.items["title"][place] == "高山丝袜167号"
    assert dataset.items["categories"][place] == "服饰"
    years = pd.to_datetime(dataset.interactions["timestamp"], unit="ms").dt.year
    assert set(years) == {2025}


def test_a_json_lines_pair_is_interactions_and_items() -> None:
    businesses, reviews = published("d12_yelp")
    assert (businesses.table, reviews.table) == ("items", "interactions")
    assert named(businesses) == {"item_id": "business_id", "title": "name", "categories": "categories"}
    assert named(reviews) == of("user_id", "business_id", rating="stars", timestamp="date")


@pytest.mark.parametrize(("folder", "word"), [("d06_jester", "matrix"), ("d16_lightgcn", "adjacency lists")])
def test_files_of_another_shape_are_refused_by_name(folder: str, word: str) -> None:
    with pytest.raises(DataError, match=word):
        published(folder)


def test_a_first_row_that_is_too_long_is_one_rejected_row() -> None:
    guesses = published("f02")
    report = check(guesses, suggest_rules(guesses))
    assert (report.rows_read, report.rows_rejected, report.rejected[0].line) == (5, 1, 1)


def test_backslashes_before_quotes_are_no_part_of_identifiers(tmp_path: Path) -> None:
    guesses = published("d24_backslash_quotes")
    dataset, report = ingest(guesses, suggest_rules(guesses), Workspace(tmp_path), "quotes")
    assert report.rows_rejected == 0
    assert 'The "1" film' in dataset.item_vocabulary.ids


def test_lists_with_their_length_first_are_adjacency_lists(tmp_path: Path) -> None:
    path = tmp_path / "users.dat"
    path.write_text("".join(f"{n % 5 + 2} {' '.join(str(n * 7 + m) for m in range(n % 5 + 2))}\n" for n in range(40)))
    with pytest.raises(DataError, match="adjacency lists"):
        inspect_files([path])


HEADS_RATING_ITEM_USER = (
    "note,livre,lecteur", "Bewertung,Artikel,Kunde", "nota,filme,usuario", "评价,影片,观众", "Punkte,Lied,Hörer",
    "stars_given,beer,patron", "ocena,film,widz", "оценка,фильм,зритель", "skor,barang,orang", "pontos,vinho,provador",
    "betyg,bok,läsare", "評価,作品,ユーザー", "arvio,kirja,lukija", "Hodnocení,Kniha,Čtenář", "puntaje,obra,socio",
    "myrating,what,who", "grade,course,pupil", "평점,영화,사용자", "Valutazione,Libro,Lettore", "cijfer,boek,gebruiker",
    "puan,kitap,kullanıcı", "Score (0-10),Song ID,Listener No.", "βαθμολογία,ταινία,χρήστης", "التقييم,فيلم,مستخدم",
)  # fmt: skip


@pytest.mark.parametrize("heads", HEADS_RATING_ITEM_USER)
@pytest.mark.parametrize("numbers", [False, True], ids=["letters", "numbers"])
def test_heads_in_any_language_and_order(heads: str, numbers: bool, tmp_path: Path) -> None:
    rating, thing, person = heads.split(",")
    cells = (halves, item_number, user_number) if numbers else (stars, item, user)
    path = tmp_path / "export.csv"
    path.write_text(table(dict(zip((rating, thing, person), cells, strict=True))), encoding="utf-8")
    (guess,) = inspect_files([path])
    assert named(guess) == of(person, thing, rating=rating)


def shop_cells(**more: Any) -> dict[str, Any]:
    return {"user": user, "item": item} | more


def comma(text: str) -> str:
    return text.replace(".", ",")


LAYOUTS = [
    Layout(
        "rees46",
        table({
            "event_time": lambda r: r.when("%Y-%m-%d %H:%M:%S UTC"), "event_type": lambda r: r.one_of("view", "view", "cart", "purchase"),
            "product_id": item_number, "category_id": lambda r: 2053013555631882655 + r.item % 7, "category_code": aisle,
            "brand": lambda r: ("samsung", "apple", "sony", "lg")[r.item % 4], "price": price, "user_id": user_number,
            "user_session": lambda r: f"72d76fde-8bb3-4e00-8c23-{r.user:06x}{r.n // 50:06x}",
        }),
        of("user_id", "product_id", timestamp="event_time", event="event_type", categories="category_code", price="price"),
        items=("category_id", "brand"),
    ),
    Layout(
        "online_retail",
        table({
            "InvoiceNo": lambda r: 536365 + r.n // 7, "StockCode": lambda r: f"{85123 + r.item}A", "Description": title,
            "Quantity": lambda r: r.one_of(1, 2, 6, 12, 48), "InvoiceDate": lambda r: r.when("%m/%d/%Y %H:%M"),
            "UnitPrice": price, "CustomerID": user_number, "Country": city,
        }),
        of("CustomerID", "StockCode", timestamp="InvoiceDate", weight="Quantity", title="Description", price="UnitPrice"),
        users=("Country",),
    ),
    Layout(
        "retailrocket",
        table({
            "timestamp": lambda r: epoch(r) * 1000, "visitorid": user_number, "event": lambda r: r.one_of("view", "view", "addtocart", "transaction"),
            "itemid": item_number, "transactionid": lambda r: r.one_of("", "", "", r.n),
        }),
        of("visitorid", "itemid", timestamp="timestamp", event="event"),
    ),
    Layout(
        "steam_without_header",
        table({
            "a": user_number, "b": title, "c": lambda r: r.one_of("purchase", "play"),
            "d": lambda r: r.one_of("1.0", "273.0", "87.4", "5.6", "12.3"), "e": lambda r: 0,
        }, header=False),
        of("column_1", "column_2", event="column_3", weight="column_4"),
    ),
    Layout(
        "lastfm_360k_without_header",
        table({
            "a": lambda r: f"{r.user:08x}abcdef0123456789abcdef0123456789", "b": lambda r: f"3bd73256-3905-4f3a-97e2-{r.item:012x}",
            "c": lambda r: f"band no {r.item}", "d": lambda r: int(r.chance.paretovariate(0.8) * 20),
        }, separator="\t", header=False),
        of("column_1", "column_2", weight="column_4", title="column_3"), asks=("user_id",), file="plays.tsv",
    ),
    Layout(
        "h_and_m",
        table({
            "t_dat": lambda r: r.when("%Y-%m-%d"), "customer_id": lambda r: f"{r.user:064x}", "article_id": lambda r: f"0{663713001 + r.item}",
            "price": lambda r: f"{0.05 * r.item + 0.0508:.6f}", "sales_channel_id": lambda r: r.one_of(1, 2),
        }),
        of("customer_id", "article_id", timestamp="t_dat", price="price"),
    ),
    Layout(
        "tmall",
        table({
            "user_id": user_number, "item_id": item_number, "cat_id": lambda r: r.item % 9, "seller_id": lambda r: r.item % 11,
            "brand_id": lambda r: r.item % 13, "action_type": lambda r: r.one_of(0, 0, 0, 2, 3),
        }),
        of("user_id", "item_id", categories="cat_id", event="action_type"), items=("seller_id", "brand_id"),
    ),
    Layout(
        "french_shop",
        table({
            "Client": user, "Réf.": item, "Désignation": title, "Rayon": aisle, "Date d'achat": lambda r: r.when("%d/%m/%Y"),
            "Montant TTC": lambda r: comma(price(r)), "Ville": city,
        }, separator=";"),
        of("Client", "Réf.", title="Désignation", categories="Rayon", timestamp="Date d'achat", price="Montant TTC"), users=("Ville",),
    ),
    Layout(
        "spanish_shop_in_capitals",
        table({"FECHA": lambda r: r.when("%d-%m-%Y"), "ID_PRODUCTO": item, "ID_CLIENTE": user, "PRECIO": price, "CANTIDAD": lambda r: r.one_of(1, 1, 2, 9)}, separator="|"),
        of("ID_CLIENTE", "ID_PRODUCTO", timestamp="FECHA", price="PRECIO", weight="CANTIDAD"),
    ),
    Layout(
        "japanese_shop",
        table({"注文日時": lambda r: r.when("%Y/%m/%d %H:%M"), "会員ID": user, "商品コード": item, "商品名": title, "金額": price}),
        of("会員ID", "商品コード", timestamp="注文日時", title="商品名", price="金額"),
    ),
    Layout(
        "russian_ratings",
        table({"дата": lambda r: r.when("%d.%m.%Y %H:%M"), "оценка": stars, "id_фильма": item_number, "id_пользователя": user_number}),
        of("id_пользователя", "id_фильма", rating="оценка", timestamp="дата"),
    ),
    Layout("book_crossing", table({"User-ID": user_number, "ISBN": lambda r: f"{r.item:09d}X", "Book-Rating": lambda r: r.chance.randint(0, 10)}, separator=";"), of("User-ID", "ISBN", rating="Book-Rating")),
    Layout("recbole_with_tabs", table({"timestamp:float": epoch, "item_id:token": item, "user_id:token": user, "genre:token_seq": aisle}, separator="\t"), of("user_id", "item_id", timestamp="timestamp", categories="genre"), file="x.inter"),
    Layout("index_and_blank_second_head", table({"": lambda r: r.n, " ": lambda r: 240 - r.n, "user": user, "item": item, "rating": stars}), of("user", "item", rating="rating")),
    Layout("unnamed_index_of_pandas", table({"Unnamed: 0": lambda r: r.n, "customer": user, "sku": item}), of("customer", "sku")),
    Layout("index_with_a_mark_of_order", "\ufeff" + table({"": lambda r: r.n + 1, "Nutzer": user, "Film": item, "Wertung": stars}, separator=";"), of("Nutzer", "Film", rating="Wertung")),
    Layout("head_of_row_names_left_out", "user item rating\n" + table({"n": lambda r: f'"{r.n}"', "u": user, "i": item, "r": stars}, separator=" ", header=False), of("user", "item", rating="rating")),
    Layout("title_line", "Sales report, October\n\n" + table({"client": user, "article": item, "note": stars}), of("client", "article", rating="note"), notes=("lines_above_table",)),
    Layout("title_line_in_cells", "Bericht;;;\nvom 1.10.2019;;;\nKunde;Artikel;Menge;Ort\n" + table({"k": user, "a": item, "m": lambda r: r.one_of(1, 2, 30), "o": city}, separator=";", header=False), of("Kunde", "Artikel", weight="Menge"), users=("Ort",), notes=("lines_above_table",)),
    Layout("comments", "# exported by a tool\n# 2019-10-01\n" + table({"user": user, "item": item, "rating": stars}), of("user", "item", rating="rating"), notes=("lines_above_table",)),
    Layout("header_in_a_comment", "# from a paper\n#user\titem\trating\n" + table({"u": user, "i": item, "r": stars}, separator="\t", header=False), of("user", "item", rating="rating"), notes=("lines_above_table",)),
    Layout("comments_without_header", "% a graph\n% 40 50\n" + table({"u": user_number, "i": item_number, "r": stars}, separator=" ", header=False), of("column_1", "column_2", rating="column_3"), asks=("user_id",), notes=("lines_above_table",)),
    Layout("hash_tags_are_no_comments", table({"u": lambda r: f"#tag{r.user}", "i": item, "r": stars}, header=False), of("column_1", "column_2", rating="column_3"), asks=()),
    Layout("matrix_market", "%%MatrixMarket matrix coordinate real general\n% ratings\n300 1400 240\n" + table({"u": user_number, "i": item_number, "r": stars}, separator=" ", header=False), of("row", "column", rating="value"), file="ratings.mtx"),
    Layout("matrix_market_pattern", "%%MatrixMarket matrix coordinate pattern general\n300 1400 240\n" + table({"u": user_number, "i": item_number}, separator=" ", header=False), of("row", "column"), file="links.mtx"),
    Layout("units_in_brackets", table({"customer [no]": user, "article [SKU]": item, "price [EUR]": price, "stars (1-5)": stars, "when (local)": lambda r: r.when("%Y-%m-%dT%H:%M:%S")}), of("customer [no]", "article [SKU]", price="price [EUR]", rating="stars (1-5)", timestamp="when (local)")),
    Layout("camel_case", table({"ratedByUserId": user, "ratedMovieId": item, "ratingValue": halves, "ratedAt": epoch}), of("ratedByUserId", "ratedMovieId", rating="ratingValue", timestamp="ratedAt")),
    Layout("latitude_and_longitude", table({"user": user, "lat": lambda r: f"{48 + r.item * 0.0131:.6f}", "lon": lambda r: f"{11 + r.item * 0.0111:.6f}", "place": item}), of("user", "place"), items=("lat", "lon")),
    Layout("coordinates_without_header", table({"a": user_number, "b": lambda r: f"{-33.8 - r.item * 0.0131:.5f}", "c": lambda r: f"{151 + r.item * 0.0111:.5f}", "d": item_number, "e": epoch}, header=False), of("column_1", "column_4", timestamp="column_5"), asks=("user_id",), items=("column_2", "column_3")),
    Layout("time_first_without_header", table({"a": epoch, "b": user, "c": item, "d": stars}, header=False), of("column_2", "column_3", timestamp="column_1", rating="column_4")),
    Layout("addresses_of_mail", table({"mail": lambda r: f"user{r.user}@example.org", "thing": lambda r: f"/p/{r.item}", "n": stars}, header=False), of("column_1", "column_2", rating="column_3")),
    Layout("amounts_are_no_ratings", table({"buyer": user, "good": item, "amount": price}), of("buyer", "good", price="amount")),
    Layout("a_value_that_is_a_rating", table({"wert": stars, "produkt": item, "kunde": user}), of("kunde", "produkt", rating="wert")),
    Layout("a_value_that_is_a_price", table({"valor": price, "producto": item, "cliente": user}), of("cliente", "producto", price="valor")),
    Layout("reviews_with_text", table({"review_id": lambda r: f"r{r.n}", "reviewer": user, "restaurant": item, "stars": stars, "useful": lambda r: r.one_of(0, 0, 1, 3), "text": lambda r: f"it was good {r.n}"}), of("reviewer", "restaurant", rating="stars")),
    Layout("two_times", table({"user_id": user, "item_id": item, "order_date": lambda r: r.when("%Y-%m-%d"), "weekday": lambda r: r.n % 7}), of("user_id", "item_id", timestamp="order_date")),
    Layout("unknown_heads", table({"x": stars, "y": item, "z": user}), {"item_id": "y", "user_id": "z", "rating": "x"}),
    Layout("unknown_heads_of_numbers", table({"x": stars, "y": item_number, "z": user_number}), of("y", "z", rating="x"), asks=("user_id",)),
    Layout("orders_only", table({"order_id": lambda r: 900 + r.n // 5, "product_id": item_number, "reordered": lambda r: r.one_of(0, 1)}), of("order_id", "product_id"), asks=("user_id",)),
    Layout("sessions", table({"SessionId": lambda r: 100 + r.n // 4, "ItemId": item_number, "Time": epoch}), of("SessionId", "ItemId", timestamp="Time")),
    Layout("korean_clicks", table({"사용자": user, "상품": item, "이벤트": lambda r: r.one_of("조회", "조회", "장바구니", "구매"), "시간": epoch}), of("사용자", "상품", event="이벤트", timestamp="시간")),
    Layout("chinese_behavior_without_header", table({"a": user_number, "b": item_number, "c": lambda r: 4_000_000 + r.item % 5, "d": lambda r: r.one_of("浏览", "浏览", "购买"), "e": epoch}, header=False), of("column_1", "column_2", categories="column_3", event="column_4", timestamp="column_5"), asks=("user_id",)),
    Layout("analytics_export", table({"event_date": lambda r: r.when("%Y%m%d"), "event_timestamp": lambda r: epoch(r) * 1_000_000, "event_name": lambda r: r.one_of("view_item", "view_item", "add_to_cart", "purchase"), "user_pseudo_id": user, "item_id": item, "item_name": title, "item_category": aisle, "price": price}), of("user_pseudo_id", "item_id", timestamp="event_timestamp", event="event_name", title="item_name", categories="item_category", price="price")),
    Layout("orders_by_mail", table({"Name": lambda r: f"#{1000 + r.n // 3}", "Email": lambda r: f"user{r.user}@example.org", "Paid at": lambda r: r.when("%Y-%m-%d %H:%M:%S"), "Lineitem quantity": lambda r: r.one_of(1, 2), "Lineitem name": title, "Lineitem price": price, "Lineitem sku": item, "Billing City": city}), of("Email", "Lineitem sku", timestamp="Paid at", weight="Lineitem quantity", title="Lineitem name", price="Lineitem price"), users=("Billing City",)),
    Layout("check_ins_without_header", table({"a": user_number, "b": lambda r: f"49bbd6c0f964a520f4531f{r.item:02x}", "c": lambda r: f"4bf58dd8d48988d127951{r.item % 9:03d}", "d": aisle, "e": lambda r: f"{40.7 + r.item * 0.01:.6f}", "f": lambda r: f"{-74 - r.item * 0.01:.6f}"}, separator="\t", header=False), of("column_1", "column_2", categories="column_3"), asks=("user_id",), items=("column_4", "column_5", "column_6"), file="checkins.txt"),
    Layout("table_of_a_terminal", " user_id | item_id | rating \n---------+---------+--------\n" + table({"u": lambda r: f" {user(r)} ", "i": lambda r: f" {item(r)} ", "r": lambda r: f" {stars(r)} "}, separator="|", header=False) + "(240 rows)\n", of("user_id", "item_id", rating="rating")),
    Layout("numbered_heads", "0,1,2\n" + table({"u": user, "i": item, "r": stars}, header=False), of("0", "1", rating="2")),
    Layout("totals_below", "Отчёт по продажам;;;;\n" + table({"Покупатель": user, "Товар": item, "Наименование": title, "Цена": lambda r: comma(price(r)), "Дата": lambda r: r.when("%d.%m.%Y")}, separator=";") + "Итого;;;123456,00;\n", of("Покупатель", "Товар", title="Наименование", price="Цена", timestamp="Дата"), notes=("lines_above_table",)),
    Layout("ratings_with_words_for_missing", table({"user": user, "item": item, "rating": lambda r: r.one_of("NULL", 1, 2, 5), "price": lambda r: r.one_of("n/a", price(r))}), of("user", "item", rating="rating", price="price")),
    Layout("ratings_that_overflow", table({"user": user, "item": item, "rating": lambda r: r.one_of(1, 2, 4, 5, "1e400")}), of("user", "item", rating="rating")),
    Layout("vietnamese_ratings", table({"Mã khách hàng": user, "Sản phẩm": item, "Đánh giá": stars}), of("Mã khách hàng", "Sản phẩm", rating="Đánh giá")),
    Layout("polish_shop", table({"ID klienta": user, "Kod produktu": item, "Nazwa produktu": title, "Cena": price, "Data zamówienia": lambda r: r.when("%d.%m.%Y"), "Ilość": lambda r: r.one_of(1, 2, 30)}, separator=";"), of("ID klienta", "Kod produktu", title="Nazwa produktu", price="Cena", timestamp="Data zamówienia", weight="Ilość")),
]  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_variant_gets_its_columns(layout: Layout, tmp_path: Path) -> None:
    path = tmp_path / layout.file
    path.write_text(layout.text, encoding="utf-8")
    (guess,) = inspect_files([path])
    assert named(guess) == layout.roles
    assert {guess.column_names[column] for column in guess.item_attributes} == set(layout.items)
    assert {guess.column_names[column] for column in guess.user_attributes} == set(layout.users)
    assert set(layout.asks) <= {question.role for question in guess.questions}
    assert {note.rule for note in guess.notes} == set(layout.notes)
    report = check([guess], suggest_rules([guess]))
    assert report.rows_accepted + report.rows_rejected == report.rows_read
