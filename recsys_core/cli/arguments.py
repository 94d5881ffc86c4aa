"""The words that the command line knows, and how settings are written in them."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from recsys_core.errors import ConfigError

COLUMNS_HELP = (
    "columns by number (from 0) or name, such as user_id=0,item_id=1,rating=2,timestamp=3; else they are guessed"
)


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong with the words in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the message and end with status 2."""
        self.exit(2, f"recscope: {message}. See --help.\n")


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
    engine = commands.add_parser("serve-engine", help="run the jobs of the workspace until idle or stopped")
    engine.add_argument("--workspace", type=Path, help="the workspace's folder (RECSCOPE_WORKSPACE)")
    return parser


def _add_ingest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--name", required=True, help="name of the data set in the workspace")
    parser.add_argument("--columns", help=COLUMNS_HELP)
    parser.add_argument("--rule", action="append", default=[], metavar="NAME=VALUE", help="such as duplicates=mean")


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


def _add_recommend(parser: argparse.ArgumentParser) -> None:
    _add_training(parser)
    parser.add_argument("--users", default="all", metavar="all|FILE", help="a file has one user_id a line")
    parser.add_argument("--k", type=int, default=10, help="length of the lists")


def _add_predict(parser: argparse.ArgumentParser) -> None:
    _add_training(parser)
    parser.add_argument("--test", required=True, metavar="FILE", help="pairs of users and items to score")


def parse_settings(texts: Sequence[str]) -> dict[str, Any]:
    """Return settings from texts such as `factors=64`: numbers, true, false and null as in JSON, else text.

    Raises:
        ConfigError: A text without a name or a value.
    """
    settings = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip() or not value.strip():
            raise ConfigError(f"'{text}' is no setting; write NAME=VALUE.")
        settings[name.strip()] = _value(value.strip())
    return settings


def parse_columns(text: str | None) -> dict[str, str | int] | None:
    """Return roles and their columns from a text such as `user_id=0,item_id=title`; None if there is no text.

    Raises:
        ConfigError: A part without a role or a column.
    """
    if text is None:
        return None
    columns: dict[str, str | int] = {}
    for part in text.split(","):
        role, sign, column = part.strip().partition("=")
        if not sign or not role or not column:
            raise ConfigError(f"--columns: '{part}' is no column; write ROLE=NUMBER or ROLE=NAME, such as user_id=0.")
        columns[role] = int(column) if column.isdigit() else column
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


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
