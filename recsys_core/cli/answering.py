"""`recommend` and `predict`: train one model and write its recommendations or predictions."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from recsys_core.cli.arguments import parse_columns, positive
from recsys_core.cli.output import Account, Cell, refuse_unwritable, some, write_rows
from recsys_core.cli.settings import model_settings, split_settings
from recsys_core.cli.sources import Sources
from recsys_core.cli.strategies import AppliedStrategy
from recsys_core.cli.users import ChosenUsers, chosen_users
from recsys_core.columns import ITEM, ITEM_ID, PROPENSITY, RANK, SCORE, USER, USER_ID
from recsys_core.contracts import PAD, BoolArray, FloatArray, IntArray, QueryBatch, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.engine.settings import usable_cores
from recsys_core.errors import ConfigError
from recsys_core.evaluation.pairs import answers_of_pairs
from recsys_core.experiments.resources import limited_threads
from recsys_core.models.base import Recommender
from recsys_core.models.registry import make_model
from recsys_core.text import _

USERS_AT_ONCE = 4096


def recommend(arguments: argparse.Namespace) -> int:
    """Write `user_id`, `item_id`, `rank` (from 1) and `score` of the top unseen items of each user.

    A strategy that explores adds `propensity`, the probability of each item at its place given those before it.

    Users not in the training data get no row. They are reported on standard error, as are rejected rows and users
    without any item to recommend.

    Raises:
        RecscopeError: An argument or a file is invalid.
    """
    refuse_unwritable(arguments.out)
    k = positive(arguments.k, "--k")
    if arguments.at is not None and not arguments.strategy:
        raise ConfigError(_("--at needs --strategy: it is the day on which a strategy is applied."))
    strategy = AppliedStrategy.of_arguments(arguments, k) if arguments.strategy else None
    model = _model(arguments)
    sources = Sources(parse_columns(arguments.columns))
    train = sources.open(arguments.train)
    sources.refuse_idle_columns()
    users = chosen_users(arguments.users, train.user_vocabulary)
    account = Account()
    account.rows_of(arguments.train, sources.reports.get(arguments.train))
    users.tell(account)
    if strategy is not None:
        strategy.require_fit(train)
    _fit(model, train, arguments.seed)
    model.require_scores(train)
    model.require_candidates(train.queries())
    if strategy is not None:
        strategy.prepare(arguments.model, model, train, lambda other: _fit(other, train, arguments.seed))
    write_lists(model, train, users, k, arguments.out, account, strategy)
    account.write()
    return 0


def write_lists(
    model: Recommender[Any],
    data: Dataset,
    users: ChosenUsers,
    k: int,
    path: Path,
    account: Account,
    strategy: AppliedStrategy | None = None,
) -> None:
    """Write recommendation lists to a CSV file, and report counts and users without a list.

    Args:
        model: A trained model.
        data: Histories of the users; items in them are not recommended.
        users: Users to recommend to.
        k: Length of the lists.
        path: The CSV file.
        account: Collects the messages.
        strategy: Re-ranks the lists.

    Raises:
        ConfigError: A card of the strategy does not fit the data.
        StoreError: Writing failed.
    """
    lists = _Lists(model, data, users, k, strategy)
    drawn = [PROPENSITY] if strategy is not None and strategy.explores else []
    rows = write_rows(path, [USER_ID, ITEM_ID, RANK, SCORE, *drawn], lists.rows())
    account.say(
        f"{len(users.ids) - len(lists.empty):,} users with a list, {len(lists.empty):,} without, "
        f"{len(users.unknown):,} unknown; {rows:,} rows in {path}."
    )
    if lists.empty:
        cause = "the model cannot score any item that they have not seen"
        if strategy is not None:
            cause += ", or the strategy drops all of them"
        account.say(f"No list for {some(lists.empty)}: {cause}.")
    if lists.short:
        account.say(f"{len(lists.short):,} lists are shorter than {k}: {some(lists.short)}.")
    for sentence in strategy.sentences() if strategy is not None else ():
        account.say(sentence)


def predict(arguments: argparse.Namespace) -> int:
    """Write `user_id`, `item_id`, `score` of each pair in a file; the score is a rating if the model predicts ratings.

    Users and items that occur only in the test file are added to the vocabularies without interactions. A pair that
    cannot be scored has an empty score; such pairs and rejected rows are reported on standard error.

    Raises:
        RecscopeError: An argument or a file is invalid.
    """
    refuse_unwritable(arguments.out)
    model = _model(arguments)
    sources = Sources(parse_columns(arguments.columns))
    test = sources.open(arguments.test)
    train = with_identifiers_of(sources.open(arguments.train), test)
    sources.refuse_idle_columns()
    account = Account()
    for name in dict.fromkeys((arguments.train, arguments.test)):
        account.rows_of(name, sources.reports.get(name))
    _fit(model, train, arguments.seed)
    pairs = test.interactions
    users = train.user_vocabulary.positions(test.user_vocabulary.ids)[pairs[USER].to_numpy()]
    items = train.item_vocabulary.positions(test.item_vocabulary.ids)[pairs[ITEM].to_numpy()]
    scores = answers_of_pairs(model, _queries(train), users, items)
    user_ids, item_ids = train.user_vocabulary.ids, train.item_vocabulary.ids
    rows = ((user_ids[u], item_ids[i], float(s)) for u, i, s in zip(users, items, scores, strict=True))
    written = write_rows(arguments.out, [USER_ID, ITEM_ID, SCORE], rows)
    _report_pairs(account, train, users, items, scores)
    account.say(f"{written:,} pairs in {arguments.out}, {int(np.isnan(scores).sum()):,} without a score.")
    account.write()
    return 0


def with_identifiers_of(train: Dataset, test: Dataset) -> Dataset:
    """Return the training data with the users and items of the test data added to its vocabularies."""
    users, items = (
        _joined(train.user_vocabulary.ids, test.user_vocabulary.ids),
        _joined(train.item_vocabulary.ids, test.item_vocabulary.ids),
    )
    return dataset_from_frames(
        train.interactions,
        name=train.name,
        user_ids=users,
        item_ids=items,
        users=None if train.users is None else train.users.reindex(range(len(users))),
        items=None if train.items is None else train.items.reindex(range(len(items))),
        social=train.social,
        rating_scale=train.rating_scale,
    )


def _model(arguments: argparse.Namespace) -> Recommender[Any]:
    return make_model(arguments.model, model_settings(arguments.model, split_settings(arguments.set)))


def _fit(model: Recommender[Any], train: Dataset, seed: int) -> None:
    threads = usable_cores()
    with limited_threads(threads):
        model.fit(train, RunContext(seed=seed, threads=threads))


def _queries(train: Dataset) -> QueryBatch:
    """Return the queries of all users; users without training rows are unknown to the model."""
    queries = train.queries()
    known = queries.history.lengths > 0
    return replace(queries, user=np.where(known, queries.user, PAD))


@dataclass
class _Lists:
    """Recommendation lists, computed block by block while they are written.

    Args:
        model: A trained model.
        train: Its training data.
        users: Users to recommend to.
        k: Length of the lists.
        strategy: Re-ranks the lists, None for those of the model.
        empty: Users without any item, filled during iteration.
        short: Users with fewer than k items, filled during iteration.
    """

    model: Recommender[Any]
    train: Dataset
    users: ChosenUsers
    k: int
    strategy: AppliedStrategy | None = None
    empty: list[str] = field(default_factory=list)
    short: list[str] = field(default_factory=list)

    def rows(self) -> Iterator[Sequence[Cell]]:
        """Yield the rows of the lists."""
        queries, item_ids = _queries(self.train), self.train.item_vocabulary.ids
        together = self.strategy is not None and self.strategy.strategy.is_global
        size = max(len(self.users.ids), 1) if together else USERS_AT_ONCE
        for start in range(0, len(self.users.ids), size):
            block = slice(start, start + size)
            users = self.users.positions[block]
            own = queries.take(users)
            outcome = None if self.strategy is None else self.strategy.outcome(own, users)
            top = self.model.recommend(own, self.k, threads=usable_cores()) if outcome is None else outcome.lists
            propensity = None if outcome is None else outcome.propensity
            for row, (user_id, items) in enumerate(zip(self.users.ids[block], top.item, strict=True)):
                self._count(user_id, int((items != PAD).sum()))
                for place, item in enumerate(items[items != PAD]):
                    drawn = () if propensity is None else (float(propensity[row, place]),)
                    yield user_id, item_ids[item], place + 1, float(top.score[row, place]), *drawn

    def _count(self, user_id: str, length: int) -> None:
        if length == 0:
            self.empty.append(user_id)
        elif length < self.k:
            self.short.append(user_id)


def _report_pairs(account: Account, train: Dataset, users: IntArray, items: IntArray, scores: FloatArray) -> None:
    """Report the number of pairs without a score, by cause."""
    missing = np.isnan(scores)
    if not missing.any():
        return
    frame = train.interactions
    no_user, no_item = (
        missing & (np.bincount(frame[name], minlength=size)[positions] == 0)
        for name, size, positions in ((USER, train.n_users, users), (ITEM, train.n_items, items))
    )
    found: list[tuple[str, BoolArray]] = [
        ("user without training data", no_user & ~no_item),
        ("item without training data", no_item & ~no_user),
        ("neither has training data", no_user & no_item),
        ("no basis for a score", missing & ~no_user & ~no_item),
    ]
    reasons = "; ".join(f"{int(which.sum()):,} {why}" for why, which in found if which.any())
    places = np.flatnonzero(missing)
    names = [f"{train.user_vocabulary.ids[users[one]]}, {train.item_vocabulary.ids[items[one]]}" for one in places]
    account.say(f"{len(places):,} of {len(scores):,} pairs cannot be scored ({reasons}): {some(names)}.")


def _joined(first: Sequence[str], second: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))
