# ruff: noqa: E501 (one case a line reads as a table)
"""Broken and unusual files, each with its expected verdict. The files are made here, byte by byte."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from recsys_core.data.ingest.number_formats import NumberFormat

HEADER = "user_id,item_id,rating,timestamp\n"
ROWS = "".join(f"u{n % 7},i{n % 11},{n % 5 + 1},{1_500_000_000 + n}\n" for n in range(40))
PLAIN = HEADER + ROWS
MANY = "user_id,item_id,rating\n" + "".join(f"{n},{n % 50},3\n" for n in range(1, 12_001))
"""More lines than a guess reads."""
TITLES = ("指环王", "卧虎藏龙", "英雄", "让子弹飞", "大话西游", "霸王别姬", "花样年华")


@dataclass(frozen=True)
class Case:
    """A file and its expected outcome.

    Args:
        name: Name of the case.
        file: Name of the file; its extension is part of the case.
        content: Its bytes.
        read: Number of data records, counted by hand; None if the file is refused.
        rejected: Number of rejected records.
        refused: Part of the message of the refusal.
        guess: Expected properties of the guess.
        reasons: Parts of reasons that must occur.
        lines: Line numbers of rejected records, if they are checked.
        warnings: Rules of warnings that must occur.
        rules: Rules that differ from the suggested ones.
        limits: Limits that differ from the defaults.
        users: Expected number of users.
        changes: Changes that the user makes to the guess.
    """

    name: str
    file: str
    content: bytes
    read: int | None = None
    rejected: int = 0
    refused: str = ""
    guess: dict[str, Any] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    lines: tuple[int, ...] | None = None
    warnings: tuple[str, ...] = ()
    rules: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    users: int | None = None
    changes: dict[str, Any] = field(default_factory=dict)


def taken(name: str, text: str | bytes, read: int, file: str = "", **expected: Any) -> Case:
    content = text.encode() if isinstance(text, str) else text
    return Case(name, file or "ratings.csv", content, read, **expected)


def refused(name: str, content: str | bytes, sentence: str, file: str = "ratings.csv", **expected: Any) -> Case:
    return Case(name, file, content.encode() if isinstance(content, str) else content, refused=sentence, **expected)


def zipped(**members: str | bytes) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return memory.getvalue()


def written(write: Callable[[Path], None], ending: str, folder: Path) -> bytes:
    path = folder / f"made.{ending}"
    write(path)
    return path.read_bytes()


def separated(separator: str, *, header: bool = True) -> str:
    return (PLAIN if header else ROWS).replace(",", separator)


def chinese(encoding: str) -> bytes:
    rows = "".join(f"用户{n % 5},{TITLES[n % 7]},{n % 5 + 1}\n" for n in range(35))
    return ("用户,电影,评分\n" + rows).encode(encoding)


def accented(encoding: str) -> bytes:
    names = ("Amélie", "Château", "Zoë", "Señor", "Grüße")
    return ("user_id,item_id,rating\n" + "".join(f"u{n},{names[n % 5]},{n % 5 + 1}\n" for n in range(30))).encode(
        encoding
    )


SEPARATORS = [
    taken("comma", PLAIN, 40, guess={"separator": ",", "header": True, "encoding": "utf-8", "timestamp_unit": "s"}),
    taken("tab", separated("\t"), 40, "ratings.tsv", guess={"separator": "\t"}),
    taken("semicolon", separated(";"), 40, guess={"separator": ";"}),
    taken("double_colon", separated("::", header=False), 40, "ratings.dat", guess={"separator": "::", "header": False}),
    taken("pipe", separated("|"), 40, guess={"separator": "|"}),
    taken("single_spaces", separated(" ", header=False), 40, "ratings.txt", guess={"separator": " ", "header": False}),
    taken("runs_of_spaces", separated("   ", header=False), 40, "ratings.txt", guess={"separator": " "}),
    taken("indented_lines", "".join("  " + line + "\n" for line in separated(" ", header=False).splitlines()), 40, "r.txt"),
    taken("decimal_comma", "user;item;rating\n" + "".join(f"u{n};i{n};{n % 5},5\n" for n in range(20)), 20, guess={"number_formats": {"rating": NumberFormat(decimal=",")}}),
    taken("sep_directive_of_excel", "sep=;\n" + separated(";"), 40, guess={"separator": ";", "header": True}),
    taken("a_few_lines_with_another_separator", PLAIN + "u1;i1;3;1500000000\nu2;i2;3;1500000000\n", 42, rejected=2, lines=(42, 43), reasons=("columns",)),
    taken("trailing_separator", "".join(f"u{n},i{n},3,\n" for n in range(9)), 9),
    taken("comma_within_quotes", 'user_id,item_id,rating\n' + "".join(f'u{n},"one, {n}",3\n' for n in range(9)), 9),
    taken("pipe_within_double_colon", "".join(f"u{n}::Action|War{n}::3\n" for n in range(9)), 9, "r.dat", guess={"separator": "::"}),
]  # fmt: skip

LINES = [
    taken("windows_line_ends", PLAIN.replace("\n", "\r\n"), 40),
    taken("old_macintosh_line_ends", PLAIN.replace("\n", "\r"), 40),
    taken("no_newline_at_the_end", PLAIN.rstrip("\n"), 40),
    taken("blank_lines_between", PLAIN.replace("\n", "\n\n"), 40),
    taken("blank_lines_at_the_start", "\n\n" + PLAIN, 40),
    taken("blank_lines_at_the_end", PLAIN + "\n\n\n", 40),
    taken("blank_lines_and_a_bad_row", PLAIN.replace("\n", "\n\n") + "u1,i1,bad,1500000000\n", 41, rejected=1, lines=(83,), reasons=("not a number",)),
    taken("lines_of_white_space", PLAIN + "   \n\t\n", 40),
    taken("one_row_without_header", "u1,i1,3\n", 1),
    taken("one_row_below_a_header", "user_id,item_id,rating\nu1,i1,3\n", 1),
    taken("too_few_columns", PLAIN + "u1,i1\n", 41, rejected=1, lines=(42,), reasons=("column",)),
    taken("too_many_columns", PLAIN + "u1,i1,3,1500000000,5,6\n", 41, rejected=1, lines=(42,), reasons=("column",)),
    taken("open_quote", PLAIN + 'u1,"i1,3,1500000000\n' + ROWS, 81, rules={"duplicates": "keep"}, rejected=1, lines=(42,), reasons=("quote",)),
    taken("two_open_quotes_far_apart", PLAIN + 'u1,"i1,3,1500000000\n' + ROWS + 'u1,"i1,3,1500000000\n', 82, rules={"duplicates": "keep"}, rejected=2),
    taken("line_break_within_quotes", 'user_id,item_id,rating\n' + "".join(f'u{n},"first\nsecond {n}",3\n' for n in range(9)), 9),
    taken("doubled_quotes", 'user_id,item_id,rating\n' + "".join(f'u{n},"the ""{n}""",3\n' for n in range(9)), 9),
    taken("text_after_a_quote", 'user_id,item_id,rating\n' + "".join(f'u{n},"Weird" Al {n},3\n' for n in range(9)), 9),
    taken("long_line_within", PLAIN + "u1," + "x" * 5000 + ",3,1500000000\n" + ROWS, 81, rules={"duplicates": "keep"}, rejected=1, limits={"line_bytes": 2000}, reasons=("longer",), lines=(42,)),
    refused("one_endless_line", b"u" * 10_000, "longer than", limits={"line_bytes": 2000}),
    taken("header_repeated_in_the_middle", PLAIN + PLAIN, 81, rules={"duplicates": "keep"}, rejected=1, lines=(42,), reasons=("not a number",)),
]  # fmt: skip

ENCODINGS = [
    taken("utf8", chinese("utf-8"), 35, guess={"encoding": "utf-8"}, users=5),
    taken("utf8_with_mark", chinese("utf-8-sig"), 35, guess={"encoding": "utf-8"}, users=5),
    taken("utf16", chinese("utf-16"), 35, guess={"encoding": "utf-16-le"}, users=5),
    taken("utf16_big_endian", b"\xfe\xff" + chinese("utf-16-be"), 35, guess={"encoding": "utf-16-be"}, users=5),
    taken("utf16_without_mark", PLAIN.encode("utf-16-le"), 40, guess={"encoding": "utf-16-le"}),
    taken("gb18030", chinese("gb18030"), 35, guess={"encoding": "gb18030"}, users=5),
    taken("latin1", accented("latin-1"), 30, guess={"encoding": "latin-1"}),
    taken("utf8_accents", accented("utf-8"), 30, guess={"encoding": "utf-8"}),
    taken("latin1_accent_only_near_the_end", (HEADER + ROWS * 50 + "é,i1,3,1500000000\n").encode("latin-1"), 2001, rules={"duplicates": "keep"}, guess={"encoding": "latin-1"}),
    taken("broken_bytes_in_utf8", chinese("utf-8") + b"u\xff\xfe,i,3\n", 36, rejected=1, lines=(37,), reasons=("bytes invalid",)),
    taken("wrong_encoding_chosen", chinese("utf-8"), 35, rejected=35, refused="single column", changes={"encoding": "utf-16-le", "separator": ",", "header": True}),
    taken("nul_bytes_in_a_line", PLAIN.encode() + b"u1,i\x001,3,1500000000\n", 41, rejected=1, lines=(42,), reasons=("NUL",)),
    refused("nothing_but_nul_bytes", b"\x00" * 5000, "empty"),
    refused("mostly_nul_bytes", b"a,b,3\n" + b"\x00\x00\x00,\x00\x00\x00\x00" * 500, "binary file"),
]  # fmt: skip

VALUES = [
    taken("empty_user", PLAIN + ",i1,3,1500000000\n", 41, rejected=1, lines=(42,), reasons=("user_id: empty",)),
    taken("blank_item", PLAIN + "u1,   ,3,1500000000\n", 41, rejected=1, reasons=("item_id: empty",)),
    taken("empty_rating", PLAIN + "u9,i1,,1500000000\n", 41, warnings=("unknown_values",)),
    taken("rating_in_words", PLAIN + "u1,i1,good,1500000000\n", 41, rejected=1, reasons=("rating: not a number",)),
    taken("rating_nan", PLAIN + "u1,i1,nan,1500000000\n", 41, rejected=1, reasons=("rating: number cannot be stored",)),
    taken("rating_infinite", PLAIN + "u1,i1,inf,1500000000\n", 41, rejected=1, reasons=("rating: number cannot be stored",)),
    taken("rating_outside_rejected", PLAIN + "u1,i1,99,1500000000\n", 41, rejected=1, rules={"rating_low": 1, "rating_high": 5}, reasons=("outside the scale 1 to 5",)),
    taken("rating_outside_clipped", PLAIN + "u9,i1,99,1500000000\n", 41, rules={"rating_low": 1, "rating_high": 5, "out_of_range": "clip"}, warnings=("clipped_ratings",)),
    taken("rating_outside_kept", PLAIN + "u9,i1,99,1500000000\n", 41, rules={"rating_low": 1, "rating_high": 5, "out_of_range": "keep"}),
    taken("time_unreadable_rejected", PLAIN + "u1,i1,3,yesterday\n", 41, rejected=1, reasons=("timestamp: timestamp does not match",)),
    taken("time_unreadable_kept", PLAIN + "u9,i9,3,yesterday\n", 41, rules={"bad_timestamps": "keep"}, warnings=("unknown_times",)),
    taken("time_beyond_year_9999", PLAIN + "u1,i1,3,99999999999999999999\n", 41, rejected=1, reasons=("timestamp",)),
    taken("milliseconds", PLAIN.replace(",15000000", ",15000000").replace("\n", "000\n").replace("timestamp000", "timestamp"), 40, guess={"timestamp_unit": "ms"}),
    taken("iso_times", "user_id,item_id,rating,when\n" + "".join(f"u{n},i{n},3,2020-01-{n + 1:02d}T10:00:00Z\n" for n in range(20)), 20, guess={"timestamp_unit": "iso"}),
    taken("iso_dates", "user_id,item_id,rating,date\n" + "".join(f"u{n},i{n},3,2020-01-{n + 1:02d}\n" for n in range(20)), 20, guess={"timestamp_unit": "iso"}),
    taken("days_first", "user_id,item_id,rating,date\n" + "".join(f"u{n},i{n},3,{n + 1:02d}/02/2020\n" for n in range(20)), 20, guess={"timestamp_unit": "day-month-year"}),
    taken("months_first", "user_id,item_id,rating,date\n" + "".join(f"u{n},i{n},3,02/{n + 1:02d}/2020\n" for n in range(20)), 20, guess={"timestamp_unit": "month-day-year"}),
    taken("dates_in_words", "user_id,item_id,rating,date\n" + "".join(f"u{n},i{n},3,{n + 1:02d}-Jan-1995\n" for n in range(20)), 20, guess={"timestamp_unit": "text-date"}),
    taken("leading_zeros_are_kept_apart", "user_id,item_id,rating\n" + "".join(f"{n},{n},3\n" for n in range(1, 10)) + "007,1,3\n", 10, users=10),
    taken("exponents_are_kept_apart", "user_id,item_id,rating\n" + "".join(f"{n},{n},3\n" for n in range(90, 110)) + "1e2,1,3\n", 21, users=21),
    taken("an_exponent_beyond_the_sample", MANY + "1e2,1,3\n", 12_001, users=12_001),
    taken("leading_zeros_beyond_the_sample", MANY + "007,1,3\n", 12_001, users=12_001),
    taken("letters_beyond_the_sample", MANY + "bob,1,3\n", 12_001, users=12_001),
    taken("a_user_in_letters_among_numbers", "user_id,item_id,rating\n" + "".join(f"{n},{n},3\n" for n in range(9)) + "bob,1,3\n", 10, users=10),
    taken("very_large_numbers", "user_id,item_id,rating\n" + "".join(f"{10**18 + n},{n},3\n" for n in range(9)), 9, users=9),
    taken("negative_numbers", "user_id,item_id,rating\n" + "".join(f"-{n},{n},3\n" for n in range(1, 9)) + "1,1,3\n", 9, users=9),
    taken("an_identifier_like_sql", "user_id,item_id,rating\n" + "".join(f"u{n},'); DROP TABLE x; --{n},3\n" for n in range(9)), 9),
    taken("an_identifier_like_a_formula", "user_id,item_id,rating\n" + "".join(f"u{n},=cmd|{n},3\n" for n in range(9)), 9),
    taken("no_row_can_be_read", "user_id,item_id,rating\nu1,i1,bad\nu2,i2,worse\n", 2, rejected=2, refused="No row was accepted"),
]  # fmt: skip

RULES = [
    taken("repeated_pairs_last", "user_id,item_id,rating,timestamp\nu1,i1,1,1500000000\nu1,i1,5,1500000009\nu2,i2,3,1500000000\n", 3, rejected=1, lines=(2,), reasons=("later row",)),
    taken("repeated_pairs_last_by_place", "user_id,item_id,rating\nu1,i1,1\nu1,i1,5\nu2,i2,3\n", 3, rejected=1, lines=(2,)),
    taken("repeated_pairs_mean", "user_id,item_id,rating\nu1,i1,1\nu1,i1,5\nu2,i2,3\n", 3, rejected=1, rules={"duplicates": "mean"}, reasons=("merged",)),
    taken("repeated_pairs_sum", "user_id,item_id,count\nu1,i1,1\nu1,i1,5\nu2,i2,3\n", 3, rejected=1, rules={"duplicates": "sum"}, reasons=("merged",)),
    taken("repeated_pairs_kept", "user_id,item_id,rating\nu1,i1,1\nu1,i1,5\nu2,i2,3\n", 3, rules={"duplicates": "keep"}, warnings=("repeated_pairs",)),
    taken("repeated_pairs_refused", "user_id,item_id,rating\nu1,i1,1\nu1,i1,5\nu2,i2,3\n", 3, rules={"duplicates": "refuse"}, refused="more than once"),
    taken("minimum_of_interactions", PLAIN + "lonely,i1,3,1500000000\nu1,rare,3,1500000000\n", 42, rejected=2, lines=(42, 43), rules={"min_user": 2, "min_item": 2}, reasons=("fewer than",)),
    taken("minimum_that_nobody_reaches", PLAIN, 40, rules={"min_user": 500}, refused="No interactions remain"),
]  # fmt: skip

WARNINGS = [
    taken("tied_times", "user_id,item_id,rating,timestamp\n" + "".join(f"u1,i{n},3,1500000000\n" for n in range(9)), 9, warnings=("tied_timestamps",)),
    taken("single_interactions", "user_id,item_id,rating\n" + "".join(f"u{n},i1,3\n" for n in range(9)), 9, warnings=("single_interaction_users",)),
    taken("identifiers_alike", "user_id,item_id,rating\nBob,i1,3\nbob,i2,3\nbo b,i3,3\nann,i1,3\n", 4, warnings=("similar_users",), users=4),
    taken("items_alike", "user_id,item_id,rating\nBob,The Film,3\nbob2,the film,3\n", 2, warnings=("similar_items",)),
    taken("robots_by_sameness", "user_id,item_id,rating\n" + "".join(f"r,i{n},5\n" for n in range(60)) + "u,i1,3\nu,i2,4\n", 62, warnings=("robot_like_users",)),
    taken("robots_by_number", "user_id,item_id,rating\n" + "".join(f"r,i{n},{n % 5}\n" for n in range(900)) + "".join(f"u{n},i1,3\nu{n},i2,4\n" for n in range(50)), 1000, warnings=("robot_like_users",)),
]  # fmt: skip

STRUCTURE = [
    refused("empty_file", b"", "empty"),
    refused("only_blank_lines", b"\n\n  \n", "empty"),
    refused("only_a_mark", b"\xef\xbb\xbf", "empty"),
    refused("header_only", "user_id,item_id,rating,timestamp\n", "header but no rows"),
    refused("one_column", "user_id\nu1\nu2\nu3\n", "single column"),
    refused("binary", bytes(range(256)) * 200 + b"\x00" * 9000, "binary file"),
    refused("a_json_document", json.dumps({"rows": [{"user_id": 1, "item_id": 2}]}), "JSON Lines", "ratings.json"),
    refused("a_table_of_items_only", "item_id,title\n1,One\n2,Two\n", "interactions", "items.csv"),
    refused("too_many_columns_altogether", ",".join("abc" for _ in range(60)) + "\n" + ",".join("1" for _ in range(60)) + "\n", "at most 50", limits={"columns": 50}),
]  # fmt: skip


def json_lines() -> list[Case]:
    rows = [{"user_id": f"u{n}", "item_id": n, "rating": n % 5 + 1, "timestamp": 1_500_000_000 + n} for n in range(20)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    return [
        taken("json_lines", text, 20, "ratings.jsonl", guess={"format": "jsonl", "timestamp_unit": "s"}, users=20),
        taken(
            "json_lines_broken",
            text + '{"user_id": \n[1, 2]\n',
            22,
            "ratings.jsonl",
            rejected=2,
            lines=(21, 22),
            reasons=("JSON",),
        ),
        taken(
            "json_lines_with_missing_values",
            text + '{"user_id": "u1"}\n',
            21,
            "ratings.jsonl",
            rejected=1,
            reasons=("empty",),
        ),
        taken(
            "json_lines_nested_deeply", text + "[" * 100_000 + "\n", 21, "ratings.jsonl", rejected=1, reasons=("JSON",)
        ),
    ]


def archives() -> list[Case]:
    bomb = zipped(**{"ratings.csv": b"u1,i1,3\n" * 6_000_000})
    slip = zipped(**{"../../outside.csv": PLAIN})
    return [
        taken("gzip", gzip.compress(PLAIN.encode()), 40, "ratings.csv.gz"),
        taken("zip_of_one", zipped(**{"data/ratings.csv": PLAIN}), 40, "ratings.zip"),
        taken("zip_of_interactions_and_items", zipped(**{"ratings.csv": PLAIN, "items.csv": "item_id,title\ni1,One\ni2,Two\n"}), 42, "both.zip"),
        taken("gzip_within_zip", zipped(**{"ratings.csv.gz": gzip.compress(PLAIN.encode())}), 40, "packed.zip"),
        refused("zip_within_zip", zipped(**{"inner.csv": zipped(**{"ratings.csv": PLAIN})}), "nested archive", "nested.zip"),
        refused("gzip_cut_off", gzip.compress((PLAIN * 50).encode())[:-200], "broken gzip", "ratings.csv.gz"),
        refused("zip_cut_off", zipped(**{"ratings.csv": PLAIN})[:-60], "broken", "ratings.zip"),
        refused("zip_bomb", bomb, "zip bomb", "bomb.zip"),
        refused("gzip_bomb", gzip.compress(b"u1,i1,3\n" * 6_000_000), "zip bomb", "bomb.csv.gz"),
        refused("zip_larger_than_allowed", zipped(**{"ratings.csv": PLAIN * 100}), "unpacks to more", "big.zip", limits={"unpacked_bytes": 9000}),
        refused("zip_with_too_many_files", zipped(**{f"{n}.csv": "a" for n in range(30)}), "at most 20", "many.zip", limits={"members": 20}),
        refused("zip_that_leaves_its_folder", slip, "outside", "slip.zip"),
        refused("zip_with_an_absolute_path", zipped(**{"/etc/outside.csv": PLAIN}), "outside", "slip.zip"),
        refused("zip_of_nothing_useful", zipped(**{"README": "hello", "image.png": b"1"}), "no table", "nothing.zip"),
        refused("zip_of_nothing", zipped(), "no table", "nothing.zip"),
    ]  # fmt: skip


def frames(folder: Path) -> list[Case]:
    frame = pd.DataFrame(
        {"user_id": [f"u{n % 7}" for n in range(40)], "item_id": range(40), "rating": [n % 5 + 1.0 for n in range(40)]}
    )
    timed = frame.assign(timestamp=pd.date_range("2020-01-01", periods=40, freq="h"))
    holes = frame.assign(rating=frame["rating"].where(frame.index != 3))
    names = frame.rename(columns={"user_id": 'user"; DROP', "item_id": "item'id"})
    return [
        Case("parquet", "r.parquet", written(frame.to_parquet, "parquet", folder), 40, guess={"format": "parquet"}, users=7),
        Case("parquet_with_times", "r.parquet", written(timed.to_parquet, "parquet", folder), 40, guess={"timestamp_unit": "iso"}),
        Case("parquet_with_holes", "r.parquet", written(holes.to_parquet, "parquet", folder), 40, warnings=("unknown_values",)),
        Case("parquet_with_names_like_sql", "r.parquet", written(names.to_parquet, "parquet", folder), 40),
        Case("parquet_cut_off", "r.parquet", written(frame.to_parquet, "parquet", folder)[:-30], refused="cannot be read as Parquet"),
        Case("excel", "r.xlsx", written(lambda p: frame.to_excel(p, index=False), "xlsx", folder), 40, guess={"format": "excel"}, users=7),
        Case("excel_with_dates", "r.xlsx", written(lambda p: timed.to_excel(p, index=False), "xlsx", folder), 40, guess={"timestamp_unit": "iso"}),
        Case("excel_with_holes", "r.xlsx", written(lambda p: holes.to_excel(p, index=False), "xlsx", folder), 40, warnings=("unknown_values",)),
        Case("excel_cut_off", "r.xlsx", written(lambda p: frame.to_excel(p, index=False), "xlsx", folder)[:900], refused="broken"),
        Case("excel_header_only", "r.xlsx", written(lambda p: frame.head(0).to_excel(p, index=False), "xlsx", folder), refused="header but no rows"),
    ]  # fmt: skip


NAMED = ("frames", "parquet", "excel")


def static_cases() -> list[Case]:
    return [*SEPARATORS, *LINES, *ENCODINGS, *VALUES, *RULES, *WARNINGS, *STRUCTURE, *json_lines(), *archives()]
