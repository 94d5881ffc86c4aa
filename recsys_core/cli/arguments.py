"""Command-line arguments, and how settings are written in them."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from recsys_core.cli.argument_types import path
from recsys_core.cli.policy_arguments import add_ab, add_off_policy
from recsys_core.cli.question_arguments import add_question, add_tuning
from recsys_core.errors import ConfigError
from recsys_core.text import _

COLUMNS_HELP = (
    "columns by number (from 0) or name, such as user_id=0,item_id=1,rating=2,timestamp=3 (default: inferred)"
)


class OneLineParser(argparse.ArgumentParser):
    """Reports errors in one line; abbreviated options are disabled, since they could be names of settings."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**(options | {"allow_abbrev": False}))

    def error(self, message: str) -> NoReturn:
        """Print the message and exit with status 2."""
        self.exit(2, f"recscope: {message}. See --help.\n")


LARGEST_SEED = 2**31 - 1
TAKE_SETTINGS = ("compare", "recommend", "predict", "update", "replay")
"""Commands that accept model settings as options, such as `--factors 64`."""


def parse_words(words: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments of a command; unknown options become settings of its models.

    Raises:
        ConfigError: Such an option has no value, or the seed is out of bounds.
    """
    parser = make_parser()
    arguments, rest = parser.parse_known_args(list(words))
    if rest and (arguments.command not in TAKE_SETTINGS or not rest[0].startswith("--")):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.set = [*getattr(arguments, "set", []), *_as_settings(rest)]
    seed = getattr(arguments, "seed", None)
    if seed is not None and not 0 <= seed <= LARGEST_SEED:
        raise ConfigError(
            _("--seed must be from 0 to {value}, but it is {seed}.").format(value=LARGEST_SEED, seed=seed)
        )
    return arguments


def _as_settings(words: Sequence[str]) -> list[str]:
    """Convert each `--name value` or `--name=value` to `name=value`."""
    settings = []
    waiting = list(words)
    while waiting:
        name, sign, value = waiting.pop(0).partition("=")
        if not sign:
            value = waiting.pop(0) if waiting and not waiting[0].startswith("--") else ""
        if not name.startswith("--") or not value:
            raise ConfigError(
                _("'{name}' is not an option of this command; write settings as --NAME VALUE.").format(name=name)
            )
        settings.append(f"{name[2:].replace('-', '_')}={value}")
    return settings


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = OneLineParser(prog="python -m recsys_core", description="Train, evaluate and compare recommender systems.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=OneLineParser)
    commands.add_parser("models", help="print all models and their settings as JSON")
    _add_ingest(commands.add_parser("ingest", help="store files in the workspace and print the ingest report as JSON"))
    _add_compare(commands.add_parser("compare", help="train models on one split and compare them"))
    tuned = commands.add_parser("tune", help="tune the settings of models on validation data, all with the same budget")
    add_tuning(tuned)
    tuned.add_argument("--columns", help=COLUMNS_HELP)
    tuned.add_argument("--out", type=path, required=True, help="folder of the tuning; the same call goes on with it")
    _add_recommend(commands.add_parser("recommend", help="train a model and write top-k recommendations"))
    _add_predict(
        commands.add_parser("predict", help="train a model and write a score for each user-item pair of a file")
    )
    _add_strategy(commands.add_parser("strategy", help="check a strategy against data"))
    report = commands.add_parser("report", help="write an HTML report of a stored experiment")
    report.add_argument("--run", required=True, help="id of the experiment")
    report.add_argument("--out", type=path, required=True, help="the HTML file")
    report.add_argument("--metric", help="metric to compare by, such as ndcg@10")
    _add_experiments(commands)
    _add_people(commands.add_parser("people", help="recommend users to users, from social links and common items"))
    _add_update(
        commands.add_parser("update", help="update a trained model with newer data and evaluate it before and after")
    )
    _add_replay(
        commands.add_parser("replay", help="compare a stale, an updated and a refit model over the latest data")
    )
    add_off_policy(commands.add_parser("off-policy", help="evaluate a policy on a log of another one"))
    add_ab(commands.add_parser("ab", help="plan an A/B test, or read a finished one"))
    stored = commands.add_parser("workspace", help="print stored and damaged data as JSON")
    stored.add_argument(
        "--verify", action="store_true", help="verify the checksum of every file (about a second per gigabyte)"
    )
    _add_repeatable(stored, "--remove", "FOLDER", "remove a damaged folder")
    engine = commands.add_parser("serve-engine", help="run the jobs of the workspace until idle or interrupted")
    engine.add_argument("--workspace", type=path, help="workspace folder (default: RECSCOPE_WORKSPACE)")
    return parser


def _add_ingest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=path, metavar="FILE")
    parser.add_argument("--name", required=True, help="name of the data set in the workspace")
    parser.add_argument("--columns", help=COLUMNS_HELP)
    _add_repeatable(parser, "--rule", "NAME=VALUE", "ingest rule, such as duplicates=mean; repeatable")
    parser.add_argument("--time-unit", metavar="UNIT", help="timestamp format, such as ms or month-day-year")
    number_format = "number format of a role, such as weight=1.234,5; repeatable"
    _add_repeatable(parser, "--number-format", "ROLE=FORM", number_format)
    missing = "rating value that means 'not rated', such as -1; repeatable"
    _add_repeatable(parser, "--missing-rating", "VALUE", missing, type=float)


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="NAME|FILE", help="a stored data set, a sample, or a file")
    parser.add_argument(
        "--run", metavar="ID", help="a stored experiment to price a strategy on, instead of --data, --models and --out"
    )
    add_question(parser, k=True)
    parser.add_argument("--primary", default="", metavar="METRIC", help="primary metric (default: NDCG at --k)")
    parser.add_argument("--validation", type=float, default=0.0, help="validation share of the training data")
    parser.add_argument("--models", help="comma-separated keys; popular and random are added")
    listed = "recommended lists of another system (user, item, rank or score), judged like a model; repeatable"
    _add_repeatable(parser, "--list", "NAME=FILE", listed)
    setting = "model setting, such as ease.regularization=200; repeatable"
    _add_repeatable(parser, "--set", "KEY.NAME=VALUE", setting)
    parser.add_argument("--out", type=path, help="folder for results.json and per_user.parquet")
    _add_pricing(parser)
    parser.add_argument("--columns", help=COLUMNS_HELP)


def _add_pricing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--strategy", type=path, metavar="FILE", help="JSON file of a strategy, whose price tags are printed"
    )
    parser.add_argument("--exposure-of", metavar="FIELD", help="with --strategy: item field, for shares of exposure")
    parser.add_argument(
        "--value", default="", metavar="EVENT=WEIGHT,...", help="with --strategy: worth of test events, for value@k"
    )
    parser.add_argument("--price", metavar="FIELD", help="with --strategy: item field that multiplies the worth")


def _add_training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--train", required=True, metavar="FILE", help="training interactions")
    parser.add_argument("--model", required=True, metavar="KEY")
    _add_repeatable(parser, "--set", "NAME=VALUE", "model setting, such as factors=64")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--columns", help=COLUMNS_HELP)
    parser.add_argument("--out", type=path, required=True, help="the CSV file")


def _add_repeatable(parser: argparse.ArgumentParser, option: str, metavar: str, told: str, **how: Any) -> None:
    parser.add_argument(option, action="append", default=[], metavar=metavar, help=told, **how)


def _add_users(parser: argparse.ArgumentParser, *, length: str) -> None:
    parser.add_argument(
        "--users",
        default="all",
        metavar="all|FILE|IDS",
        help="all, a file with one user_id per line, or comma-separated ids",
    )
    parser.add_argument("--k", type=int, default=10, help=length)


def _add_recommend(parser: argparse.ArgumentParser) -> None:
    _add_training(parser)
    _add_users(parser, length="length of the lists")
    parser.add_argument(
        "--strategy",
        type=path,
        metavar="FILE",
        help="JSON file of a strategy, whose cards re-rank the lists; other models of a mix are trained with defaults",
    )
    _add_at(parser)


def _add_at(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--at",
        metavar="YYYY-MM-DD",
        help="day on which the strategy is applied, UTC (default: that of the last interaction; needed by campaigns)",
    )


def _add_strategy(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=OneLineParser)
    check = actions.add_parser(
        "check", help="print the cards, the SQL of filters, and faults: dead or contradictory cards"
    )
    check.add_argument("file", type=path, metavar="FILE", help="JSON file of the strategy")
    check.add_argument("--data", required=True, metavar="NAME|FILE", help="a stored data set, a sample, or a file")
    check.add_argument("--model", metavar="KEY", help="train this model and check its lists as well")
    check.add_argument("--seed", type=int, default=42)
    check.add_argument("--columns", help=COLUMNS_HELP)
    _add_at(check)


def _add_predict(parser: argparse.ArgumentParser) -> None:
    _add_training(parser)
    parser.add_argument("--test", required=True, metavar="FILE", help="user-item pairs to score")


def _add_experiments(commands: "argparse._SubParsersAction[OneLineParser]") -> None:
    runs = commands.add_parser("runs", help="print the stored experiments as JSON")
    runs.add_argument("--search", default="", metavar="WORDS", help="words in name, data, models, tags or note")
    runs.add_argument("--archived", action="store_true", help="include archived experiments")
    card = commands.add_parser(
        "export-card", help="write the run card of an experiment, one file to check it elsewhere"
    )
    card.add_argument("--run", required=True, help="id of the experiment")
    card.add_argument("--out", type=path, required=True, help="the zip file")
    model = commands.add_parser("export-model", help="write a trained model of an experiment, one file for Python")
    model.add_argument("--run", required=True, metavar="ID", help="id of the experiment")
    model.add_argument(
        "--model", required=True, metavar="KEY", help="key of a model, or its id if there are several with this key"
    )
    model.add_argument("--out", type=path, required=True, metavar="FILE", help="the zip file")
    opened = commands.add_parser("open-card", help="verify a run card and store its experiment")
    opened.add_argument("file", type=path, metavar="FILE")
    opened.add_argument("--verify-only", action="store_true", help="verify it and store nothing")
    again = commands.add_parser("rerun", help="train an experiment again and print the differences as JSON")
    again.add_argument("--run", required=True, help="id of the experiment")
    differ = commands.add_parser("diff", help="print the differences between two runs of one experiment as JSON")
    differ.add_argument("--run", required=True, help="id of a run")
    differ.add_argument("--other", required=True, help="id of a repetition")
    for parser in (again, differ):
        parser.add_argument("--out", type=path, help="JSON file (default: standard output)")


def _add_people(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, metavar="NAME|FILE", help="data with social links")
    parser.add_argument("--links", type=path, metavar="FILE", help="separate file with links (source, target)")
    parser.add_argument(
        "--method",
        default="people_mix",
        help="people_mix (default), adamic_adar, pagerank, interests, popular_people, random_people",
    )
    parser.add_argument(
        "--graph",
        choices=["social", "co_rating"],
        default="social",
        help="social links (default), or implicit links between users with similar ratings",
    )
    _add_users(parser, length="number of users recommended to each")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--columns", help=COLUMNS_HELP)
    parser.add_argument("--out", type=path, metavar="FILE", help="CSV file, or JSON for .json (default: print JSON)")


def _add_update(parser: argparse.ArgumentParser) -> None:
    old = parser.add_mutually_exclusive_group(required=True)
    old.add_argument("--run", metavar="ID", help="a stored experiment with the trained model")
    old.add_argument("--train", metavar="NAME|FILE", help="older data, on which the model is trained first")
    parser.add_argument(
        "--data", required=True, metavar="NAME|FILE", help="newer data with some of the same users or items"
    )
    parser.add_argument("--model", required=True, metavar="KEY", help="a model that updates incrementally")
    _add_repeatable(parser, "--set", "NAME=VALUE", "with --train: model setting, such as epochs=5")
    parser.add_argument("--split", help="with --train: train/test split (default: ratio:0.2)")
    parser.add_argument("--seed", type=int, help="with --train: random seed (default: 42)")
    parser.add_argument("--k", type=int, help="length of the lists (default: 10, with --run that of the experiment)")
    parser.add_argument("--lists", type=path, metavar="FILE", help="write recommendations of the updated model")
    parser.add_argument("--users", metavar="all|FILE|IDS", help="with --lists: users to recommend to (default: all)")
    parser.add_argument(
        "--freeze-embeddings", action="store_true", help="keep the embeddings of known users and items fixed"
    )
    parser.add_argument("--columns", help=COLUMNS_HELP)
    parser.add_argument("--out", type=path, metavar="FILE", help="CSV file, or JSON for .json (default: print JSON)")


def _add_replay(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--run", metavar="ID", help="a stored experiment; the replays are stored in it")
    what.add_argument("--data", metavar="NAME|FILE", help="data with timestamps")
    parser.add_argument("--models", metavar="KEYS", help="comma-separated models (default with --run: all of them)")
    _add_repeatable(parser, "--set", "NAME=VALUE", "with --data: model setting, such as sasrec.epochs=5")
    parser.add_argument("--steps", type=int, default=6, help="number of updates and refits (default: 6)")
    parser.add_argument(
        "--share", type=float, default=0.3, help="share of the test cases, the latest, that arrive in the steps (0.3)"
    )
    parser.add_argument("--k", type=int, help="with --data: length of the lists (default: 10)")
    parser.add_argument("--seed", type=int, help="with --data: random seed (default: 42)")
    parser.add_argument(
        "--keep", action="store_true", help="with --run: keep the updated models as models of the experiment"
    )
    parser.add_argument("--columns", help=COLUMNS_HELP)
    parser.add_argument("--out", type=path, metavar="FILE", help="CSV file, or JSON for .json (default: print JSON)")


def parse_columns(text: str | None) -> dict[str, str | int] | None:
    """Parse roles and columns from a text such as `user_id=0,item_id=title`; None stays None.

    Raises:
        ConfigError: A role or column is missing or given twice.
    """
    if text is None:
        return None
    columns: dict[str, str | int] = {}
    for part in text.split(","):
        role, sign, column = (piece.strip() for piece in part.partition("="))
        if not sign or not role or not column:
            raise ConfigError(
                _("--columns: '{part}' is invalid; write ROLE=NUMBER or ROLE=NAME, such as user_id=0.").format(
                    part=part
                )
            )
        place = int(column) if column.isascii() and column.isdigit() else column
        if role in columns or place in columns.values():
            twice = f"role '{role}'" if role in columns else f"column '{column}'"
            raise ConfigError(_("--columns: {twice} is given twice.").format(twice=twice))
        columns[role] = place
    return columns


def parse_weights(text: str, option: str) -> dict[str, float]:
    """Parse weights of events, such as `view=1,purchase=5`.

    Raises:
        ConfigError: A weight is missing or not a number, or an event is given twice; the message names the option.
    """
    weights: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        event, _unused, weight = (piece.strip() for piece in part.rpartition("="))
        if event in weights:
            raise ConfigError(_("{option}: event '{event}' is given twice.").format(option=option, event=event))
        try:
            weights[event] = float(weight)
        except ValueError as error:
            raise ConfigError(
                _("{option} '{part}': write EVENT=WEIGHT, such as purchase=5.").format(option=option, part=part)
            ) from error
        if not event:
            raise ConfigError(
                _("{option} '{part}': write EVENT=WEIGHT, such as purchase=5.").format(option=option, part=part)
            )
    return weights


def positive(value: int, name: str) -> int:
    """Return a list length.

    Raises:
        ConfigError: The value is not between 1 and 1000.
    """
    if not 1 <= value <= 1000:
        raise ConfigError(_("{name} must be from 1 to 1000, but it is {value}.").format(name=name, value=value))
    return value
