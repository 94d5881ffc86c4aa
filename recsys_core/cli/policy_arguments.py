"""Arguments of `off-policy` and `ab`."""

import argparse

from recsys_core.cli.argument_types import path


def add_off_policy(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `off-policy`."""
    parser.add_argument("log", type=path, metavar="LOG", help="file with user, item, position, reward, propensity")
    parser.add_argument(
        "--policy",
        required=True,
        metavar="FILE|uniform|target",
        help="lists (user_id, item_id, rank), as `recommend` writes them; uniform: items in random order; target: "
        "probabilities in the log's column 'target'",
    )
    parser.add_argument(
        "--show",
        choices=["deterministic", "epsilon", "softmax"],
        default="deterministic",
        help="how the lists of a file are shown (default: deterministic)",
    )
    parser.add_argument(
        "--strength", type=float, help="with --show: epsilon, or the temperature in places (default: 0.1)"
    )
    parser.add_argument("--clip", type=float, default=10.0, help="largest weight of the clipped estimator")
    parser.add_argument("--columns", help="columns by role, such as reward=click,propensity=pscore (default: by name)")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out", type=path, metavar="FILE", help="JSON file (default: standard output)")


def add_ab(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ab plan` and `ab read`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=type(parser))
    _add_plan(actions.add_parser("plan", help="users needed, smallest detectable difference, gain of CUPED"))
    _add_read(actions.add_parser("read", help="read a finished test from its counts"))


def _add_plan(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--values", type=path, metavar="FILE", help="one row per user")
    source.add_argument("--run", metavar="ID", help="a stored experiment, whose values per user are used")
    parser.add_argument("--column", metavar="NAME", help="with --values: column of the value")
    parser.add_argument("--covariate", metavar="NAME", help="with --values: column known before the test, for CUPED")
    parser.add_argument("--model", metavar="ID", help="with --run: model, by key or id (default: the first finished)")
    parser.add_argument("--metric", metavar="METRIC", help="with --run: metric (default: the primary one)")
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument("--difference", type=float, help="difference of means to detect")
    size.add_argument("--relative", type=float, help="difference as a share of the mean, such as 0.02")
    parser.add_argument("--level", type=float, default=0.05, help="two-sided level (default: 0.05)")
    parser.add_argument("--power", type=float, default=0.8, help="power (default: 0.8)")
    parser.add_argument("--treatment", type=float, default=0.5, help="share of users in the treatment (default: 0.5)")
    parser.add_argument("--replays", type=int, default=0, help="also run this many A/A replays on the values")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out", type=path, metavar="FILE", help="JSON file (default: standard output)")


def _add_read(parser: argparse.ArgumentParser) -> None:
    numbers = "users,conversions or users,mean,standard deviation"
    parser.add_argument("--control", required=True, metavar="NUMBERS", help=numbers)
    parser.add_argument(
        "--treatment", required=True, action="append", metavar="[NAME=]NUMBERS", help=f"{numbers}; repeatable"
    )
    parser.add_argument("--shares", metavar="SHARES", help="planned shares, control first, such as 0.5,0.25,0.25")
    parser.add_argument("--level", type=float, default=0.05, help="two-sided level (default: 0.05)")
    parser.add_argument("--out", type=path, metavar="FILE", help="JSON file (default: standard output)")
