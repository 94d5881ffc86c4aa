"""The rows of a file of lists as positions, and an account of what became of each."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.columns import FOLD, ITEM, SCORE, USER
from recsys_core.contracts import PAD, IntArray
from recsys_core.data.vocabulary import Vocabulary
from recsys_core.evaluation.given_lists import GivenLists
from recsys_core.evaluation.list_file import ListTable

FRACTION = ".0"


@dataclass(frozen=True)
class ListAccount:
    """What became of the rows of an uploaded file: each is counted once, besides `tied`.

    Args:
        order: What the order was taken from: "rank", "score" or "file".
        rows: Rows of the file.
        unsplit: Lines that could not be split into cells.
        without_id: Rows without a user or an item.
        unreadable: Rows whose rank or score is not a number.
        tied: Rows with the rank or score of another row of the same list.
        unknown_users: Distinct users that are not in the data.
        unknown_user_rows: Their rows.
        unknown_items: Distinct items that are not in the data, of known users.
        unknown_item_rows: Their rows.
        no_test_user: Rows of users without a test case.
        repeated: Rows with an item that stands higher in the same list.
        seen: Rows with an item that the user has seen in training.
        no_candidate: Rows with an item that is not a candidate of the experiment.
        beyond: Rows below the largest cut-off.
        judged: Rows that were judged.
        users: Test users; with several test sets those of each.
        listed: Those of them with a list.
    """

    order: str
    rows: int
    unsplit: int = 0
    without_id: int = 0
    unreadable: int = 0
    tied: int = 0
    unknown_users: int = 0
    unknown_user_rows: int = 0
    unknown_items: int = 0
    unknown_item_rows: int = 0
    no_test_user: int = 0
    repeated: int = 0
    seen: int = 0
    no_candidate: int = 0
    beyond: int = 0
    judged: int = 0
    users: int = 0
    listed: int = 0


def known_rows(table: ListTable, users: Vocabulary, items: Vocabulary) -> tuple[GivenLists, ListAccount]:
    """Return the rows whose user and item are in the data, and the account of the others."""
    frame = table.frame
    user, item = _positions(frame[USER], users), _positions(frame[ITEM], items)
    of_user, of_item = user == PAD, (user != PAD) & (item == PAD)
    account = ListAccount(
        order=table.order,
        rows=len(frame) + table.unsplit + table.without_id + table.unreadable,
        unsplit=table.unsplit,
        without_id=table.without_id,
        unreadable=table.unreadable,
        tied=table.tied,
        unknown_users=int(frame[USER][of_user].nunique()),
        unknown_user_rows=int(of_user.sum()),
        unknown_items=int(frame[ITEM][of_item].nunique()),
        unknown_item_rows=int(of_item.sum()),
    )
    kept = ~of_user & ~of_item
    fold = frame[FOLD].to_numpy(np.int64)[kept] if FOLD in frame else None
    return GivenLists(user[kept], item[kept], frame[SCORE].to_numpy(np.float64)[kept], fold), account


def _positions(ids: "pd.Series[str]", vocabulary: Vocabulary) -> IntArray:
    """Return positions; whole numbers that were written as decimals, such as 10.0, are recognized."""
    codes, distinct = pd.factorize(ids)
    names = [str(name) for name in distinct]
    found = vocabulary.positions(names)
    pointed = [place for place, name in enumerate(names) if found[place] == PAD and name.endswith(FRACTION)]
    if pointed:
        found[pointed] = vocabulary.positions([names[place].removesuffix(FRACTION) for place in pointed])
    return found[codes]
