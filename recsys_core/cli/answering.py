"""`recommend` and `predict`: train one model on a file and write what it says."""

import argparse
import csv
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from recsys_core.cli.arguments import parse_columns, parse_settings, positive
from recsys_core.cli.sources import Sources
from recsys_core.columns import ITEM, ITEM_ID, RANK, SCORE, USER, USER_ID
from recsys_core.contracts import PAD, IntArray, QueryBatch, Ragged, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.engine.settings import usable_cores
from recsys_core.errors import DataError
from recsys_core.evaluation.pairs import answers_of_pairs
from recsys_core.experiments.durable import written_aside
from recsys_core.experiments.resources import limited_threads
from recsys_core.models.base import Recommender
from recsys_core.models.registry import make_model

NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
FORMULA_STARTS = ("=", "+", "-", "@")
USERS_AT_ONCE = 4096


def recommend(arguments: argparse.Namespace) -> int:
    """Write `user_id`, `item_id`, `rank` from 1 and `score` of the best items that each user has not seen.

    Raises:
        RecscopeError: An argument or a file that cannot be used.
    """
    k = positive(arguments.k, "--k")
    model = make_model(arguments.model, parse_settings(arguments.set))
    train = Sources(parse_columns(arguments.columns)).open(arguments.train)
    wanted = list(train.user_vocabulary.ids) if arguments.users == "all" else read_users(Path(arguments.users))
    _fit(model, train, arguments.seed)
    positions = train.user_vocabulary.positions(wanted)
    unknown = int((positions == PAD).sum())
    if unknown:
        sys.stderr.write(f"recscope: {unknown} users have no training data; they are asked for without a history.\n")
    with written_aside(arguments.out) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        _write(file, [USER_ID, ITEM_ID, RANK, SCORE], _recommended(model, train, wanted, positions, k))
    return 0


def predict(arguments: argparse.Namespace) -> int:
    """Write `user_id`, `item_id`, `score` of each pair in a file: a rating, where the model can predict ratings.

    Users and items that stand in the test file only are part of the model's world, without any interaction.

    Raises:
        RecscopeError: An argument or a file that cannot be used.
    """
    model = make_model(arguments.model, parse_settings(arguments.set))
    sources = Sources(parse_columns(arguments.columns))
    test = sources.open(arguments.test)
    train = with_identifiers_of(sources.open(arguments.train), test)
    _fit(model, train, arguments.seed)
    pairs = test.interactions
    users = train.user_vocabulary.positions(test.user_vocabulary.ids)[pairs[USER].to_numpy()]
    items = train.item_vocabulary.positions(test.item_vocabulary.ids)[pairs[ITEM].to_numpy()]
    scores = answers_of_pairs(model, _queries(train), users, items)
    user_ids, item_ids = train.user_vocabulary.ids, train.item_vocabulary.ids
    rows = ((user_ids[u], item_ids[i], float(s)) for u, i, s in zip(users, items, scores, strict=True))
    with written_aside(arguments.out) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        _write(file, [USER_ID, ITEM_ID, SCORE], rows)
    return 0


def read_users(path: Path) -> list[str]:
    """Return the identifiers of a file with one a line, or in the first column of a CSV; a header `user_id` is skipped.

    Raises:
        DataError: The file is not there, is no text, or names nobody.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            ids = [row[0].strip() for row in csv.reader(file) if row and row[0].strip()]
    except FileNotFoundError as error:
        raise DataError(f"There is no file '{path}'; --users is 'all' or a file with one user_id a line.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"'{path}' is no text file with one user_id a line.") from error
    ids = ids[1:] if ids and ids[0] == USER_ID else ids
    if not ids:
        raise DataError(f"'{path}' names no user.")
    return list(dict.fromkeys(ids))


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


def safe_cell(text: str) -> str:
    """Return an identifier so that no spreadsheet takes it for a formula; numbers stay as they are."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) and not NUMBER.fullmatch(text) else text


def _fit(model: Recommender[Any], train: Dataset, seed: int) -> None:
    threads = usable_cores()
    with limited_threads(threads):
        model.fit(train, RunContext(seed=seed, threads=threads))


def _queries(train: Dataset) -> QueryBatch:
    """Return the question for everybody; whoever has no training row is unknown to the model."""
    queries = train.queries()
    known = queries.history.lengths > 0
    return replace(queries, user=np.where(known, queries.user, PAD))


def _recommended(
    model: Recommender[Any], train: Dataset, wanted: Sequence[str], positions: IntArray, k: int
) -> Iterator[tuple[str, str, int, float]]:
    """Yield the rows of the lists, block by block."""
    everybody = _queries(train)
    nobody = QueryBatch(np.array([PAD]), Ragged(np.empty(0, np.int64), np.zeros(2, np.int64)), np.empty(0))
    item_ids = train.item_vocabulary.ids
    for start in range(0, len(wanted), USERS_AT_ONCE):
        block = positions[start : start + USERS_AT_ONCE]
        known = model.recommend(everybody.take(block[block != PAD]), k)
        cold = model.recommend(nobody, k) if (block == PAD).any() else known
        row = 0
        for user_id, position in zip(wanted[start : start + USERS_AT_ONCE], block, strict=True):
            top, place = (cold, 0) if position == PAD else (known, row)
            row += position != PAD
            for rank, (item, score) in enumerate(zip(top.item[place], top.score[place], strict=True), start=1):
                if item != PAD:
                    yield user_id, item_ids[item], rank, float(score)


def _write(file: TextIO, header: list[str], rows: Iterable[tuple[str | float, ...]]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([safe_cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)


def _joined(first: Sequence[str], second: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))
