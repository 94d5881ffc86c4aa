"""The words that the command line knows, and how settings are written in them."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from recsys_core.errors import ConfigError

COLUMNS_HELP = (
    "columns by number (from 0) or name, such as user_id=0,item_id=1,rating=2,timestamp=3; else they are guessed"
)


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong with the words in one line; takes no shortened options, which could be names of settings."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**(options | {"allow_abbrev": False}))

    def error(self, message: str) -> NoReturn:
        """Print the message and end with status 2."""
        self.exit(2, f"recscope: {message}. See --help.\n")


TAKE_SETTINGS = ("compare", "recommend", "predict", "update")
"""Commands whose models may be given settings as options of their own, such as `--factors 64`."""


def parse_words(words: Sequence[str]) -> argparse.Namespace:
    """Return the arguments of a command; options that it does not have are settings of its models.

    Raises:
        ConfigError: Such an option has no value.
    """
    parser = make_parser()
    arguments, rest = parser.parse_known_args(list(words))
    if rest and (arguments.command not in TAKE_SETTINGS or not rest[0].startswith("--")):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.set = [*getattr(arguments, "set", []), *_as_settings(rest)]
    return arguments


def _as_settings(words: Sequence[str]) -> list[str]:
    """Return `name=value` for each `--name value` or `--name=value`."""
    settings = []
    waiting = list(words)
    while waiting:
        name, sign, value = waiting.pop(0).partition("=")
        if not sign:
            value = waiting.pop(0) if waiting and not waiting[0].startswith("--") else ""
        if not name.startswith("--") or not value:
            raise ConfigError(f"'{name}' is no option of this command; a setting is written --NAME VALUE.")
        settings.append(f"{name[2:].replace('-', '_')}={value}")
    return settings


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = OneLineParser(prog="python -m recsys_core", description="A laboratory for recommender systems.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=OneLineParser)
    commands.add_parser("models", help="print the algorithms and their settings as JSON")
    _add_ingest(commands.add_parser("ingest", help="take files into the workspace and print the report as JSON"))
    _add_compare(commands.add_parser("compare", help="train models on one split and say which is better"))
    _add_recommend(commands.add_parser("recommend", help="train a model and write a list for each user"))
    _add_predict(commands.add_parser("predict", help="train a model and write a score for each pair of a file"))
    report = commands.add_parser("report", help="write one HTML file about a stored experiment")
    report.add_argument("--run", required=True, help="id of the experiment")
    report.add_argument("--out", type=_path, required=True, help="the HTML file")
    report.add_argument("--metric", help="the metric to compare by, such as ndcg@10")
    _add_people(commands.add_parser("people", help="recommend users to users, from their links and common items"))
    _add_update(
        commands.add_parser("update", help="let a trained model learn from newer data, judged before and after")
    )
    stored = commands.add_parser("workspace", help="print what is stored and what is damaged as JSON")
    stored.add_argument("--verify", action="store_true", help="read every file, about a second a gigabyte")
    stored.add_argument("--remove", action="append", default=[], metavar="FOLDER", help="remove a damaged folder")
    engine = commands.add_parser("serve-engine", help="run the jobs of the workspace until idle or stopped")
    engine.add_argument("--workspace", type=Path, help="the workspace's folder (RECSCOPE_WORKSPACE)")
    return parser


def _add_ingest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--name", required=True, help="name of the data set in the workspace")
    parser.add_argument("--columns", help=COLUMNS_HELP)
    parser.add_argument("--rule", action="append", default=[], metavar="NAME=VALUE", help="such as duplicates=mean")
    parser.add_argument("--time-unit", metavar="UNIT", help="how times are written, such as ms or month-day-year")
    parser.add_argument(
        "--number-format",
        action="append",
        default=[],
        metavar="ROLE=FORM",
        help="how the numbers of a role are written, such as weight=1.234,5; can be repeated",
    )
    parser.add_argument(
        "--missing-rating",
        action="append",
        type=float,
        default=[],
        metavar="VALUE",
        help="a rating that means 'not rated', such as -1; can be repeated",
    )


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, metavar="NAME|FILE", help="a stored data set, or a file")
    parser.add_argument("--split", default="ratio:0.2", help="such as ratio:0.2, leave_last_out, global_time, k_fold:5")
    parser.add_argument("--validation", type=float, default=0.0, help="share of the training part for curves")
    parser.add_argument("--models", required=True, help="keys with commas between; popular and random are added")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY.NAME=VALUE", help="such as ease.regularization=200"
    )
    parser.add_argument("--relevant-from", type=float, help="smallest rating of a relevant item")
    parser.add_argument("--train-on", choices=["all", "relevant"], default="all", help="what models learn from")
    parser.add_argument("--k", type=int, default=10, help="length of the lists that the leaderboard is sorted by")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out", type=_path, required=True, help="folder for results.json and per_user.parquet")
    parser.add_argument("--columns", help=COLUMNS_HELP)


def _add_training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--train", required=True, metavar="FILE", help="interactions to learn from")
    parser.add_argument("--model", required=True, metavar="KEY")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="such as factors=64")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--columns", help=COLUMNS_HELP)
    parser.add_argument("--out", type=_path, required=True, help="the CSV file")


def _add_users(parser: argparse.ArgumentParser, *, length: str) -> None:
    parser.add_argument(
        "--users", default="all", metavar="all|FILE|IDS", help="a file with one user_id a line, or ids with commas"
    )
    parser.add_argument("--k", type=int, default=10, help=length)


def _add_recommend(parser: argparse.ArgumentParser) -> None:
    _add_training(parser)
    _add_users(parser, length="length of the lists")


def _add_predict(parser: argparse.ArgumentParser) -> None:
    _add_training(parser)
    parser.add_argument("--test", required=True, metavar="FILE", help="pairs of users and items to score")


def _add_people(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, metavar="NAME|FILE", help="data with links between users")
    parser.add_argument("--links", type=Path, metavar="FILE", help="links (source, target) in a file of their own")
    parser.add_argument(
        "--method",
        default="people_mix",
        help="people_mix (default), adamic_adar, pagerank, interests, popular_people, random_people",
    )
    parser.add_argument(
        "--graph",
        choices=["social", "co_rating"],
        default="social",
        help="the links of the data (default), or implicit links between users who rated alike",
    )
    _add_users(parser, length="number of users recommended to each")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--columns", help=COLUMNS_HELP)
    parser.add_argument(
        "--out", type=_path, metavar="FILE", help="a CSV, or JSON if called .json; else JSON is printed"
    )


def _add_update(parser: argparse.ArgumentParser) -> None:
    old = parser.add_mutually_exclusive_group(required=True)
    old.add_argument("--run", metavar="ID", help="a stored experiment with the trained model")
    old.add_argument("--train", metavar="NAME|FILE", help="older data; the model is trained on them first")
    parser.add_argument("--data", required=True, metavar="NAME|FILE", help="newer data of the same users or items")
    parser.add_argument("--model", required=True, metavar="KEY", help="an algorithm that updates incrementally")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="with --train: such as epochs=5"
    )
    parser.add_argument("--split", help="with --train: how it is judged (default ratio:0.2)")
    parser.add_argument("--seed", type=int, help="with --train: start of all random numbers (default 42)")
    parser.add_argument("--k", type=int, help="length of the lists (default 10, with --run that of the experiment)")
    parser.add_argument(
        "--lists", type=_path, metavar="FILE", help="write lists of the updated model, as recommend does"
    )
    parser.add_argument("--users", default="all", metavar="all|FILE|IDS", help="with --lists: whose lists")
    parser.add_argument("--freeze-embeddings", action="store_true", help="leave the vectors of known items unchanged")
    parser.add_argument("--columns", help=COLUMNS_HELP)
    parser.add_argument(
        "--out", type=_path, metavar="FILE", help="a CSV, or JSON if called .json; else JSON is printed"
    )


def parse_columns(text: str | None) -> dict[str, str | int] | None:
    """Return roles and their columns from a text such as `user_id=0,item_id=title`; None if there is no text.

    Raises:
        ConfigError: A part without a role or a column, or a role or column that is named twice.
    """
    if text is None:
        return None
    columns: dict[str, str | int] = {}
    for part in text.split(","):
        role, sign, column = (piece.strip() for piece in part.partition("="))
        if not sign or not role or not column:
            raise ConfigError(f"--columns: '{part}' is no column; write ROLE=NUMBER or ROLE=NAME, such as user_id=0.")
        place = int(column) if column.isascii() and column.isdigit() else column
        if role in columns or place in columns.values():
            twice = f"role '{role}'" if role in columns else f"column '{column}'"
            raise ConfigError(f"--columns: {twice} is named twice.")
        columns[role] = place
    return columns


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("it is empty; name where to write")
    return Path(text)


def positive(value: int, name: str) -> int:
    """Return a length of list.

    Raises:
        ConfigError: It is not between 1 and 1000.
    """
    if not 1 <= value <= 1000:
        raise ConfigError(f"{name} must be from 1 to 1000, but it is {value}.")
    return value
