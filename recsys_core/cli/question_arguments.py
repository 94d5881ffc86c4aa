"""Arguments of the commands that ask a question of data: split, target events, relevance, seed; and those of tuning."""

import argparse


def add_question(parser: argparse.ArgumentParser, *, k: bool) -> None:
    """Add the arguments of the question.

    Args:
        parser: Parser of the command.
        k: Whether the list length is an argument.
    """
    _add_split(parser)
    _add_events(parser)
    parser.add_argument(
        "--users",
        choices=["with-history", "without-history", "all"],
        default="with-history",
        help="test users that the verdict is about",
    )
    parser.add_argument(
        "--fallback",
        choices=["none", "popularity", "recent-popularity"],
        default="none",
        help="list of users for whom a model has no score",
    )
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each model that depends on the seed")
    parser.add_argument("--relevant-from", type=float, help="relevance threshold: minimum rating of a relevant item")
    parser.add_argument(
        "--train-on",
        choices=["all", "relevant"],
        default="all",
        help="training interactions: all, or only relevant ones",
    )
    if k:
        parser.add_argument("--k", type=int, default=10, help="list length of the leaderboard metric")
    parser.add_argument("--seed", type=int, default=42)


def _add_split(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--split",
        default="",
        help="ratio:0.2, leave_last_out, global_time, k_fold:5, user_holdout, item_holdout, or uploaded:NAME "
        "(default: chosen from the data, as on the Train page, and printed with the reason)",
    )
    parser.add_argument("--windows", type=int, default=1, help="number of consecutive test windows of global_time")
    parser.add_argument(
        "--window-training",
        choices=["expanding", "fixed"],
        default="expanding",
        help="training data of a window: everything before it, or a period of fixed length",
    )
    parser.add_argument("--gap-days", type=float, default=0.0, help="days left out before each test window")


def _add_events(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--target",
        default="",
        metavar="EVENTS",
        help="comma-separated events to predict, or 'all' (default: chosen from the data, and printed with the reason)",
    )
    parser.add_argument(
        "--learn-from",
        default="",
        metavar="EVENT=WEIGHT,...",
        help="events to learn from and their weights, such as view=1,cart=3,purchase=5 "
        "(default: all events, weighted as in the data)",
    )


def add_tuning(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `tune`, except its folder."""
    parser.add_argument("--data", required=True, metavar="NAME|FILE", help="a stored data set, a sample, or a file")
    parser.add_argument("--models", required=True, metavar="KEYS", help="comma-separated keys of the tuned models")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--trials", type=int, help="budget of each model: number of settings that are tried")
    budget.add_argument("--seconds", type=float, help="budget of each model: seconds of training and evaluation")
    parser.add_argument("--metric", default="ndcg@10", help="metric on the validation data (default: ndcg@10)")
    parser.add_argument(
        "--validation", type=float, default=0.1, help="validation share of the training data (default: 0.1)"
    )
    parser.add_argument(
        "--test", action="store_true", help="then train the tuned models and evaluate them once on the test part"
    )
    add_question(parser, k=False)
