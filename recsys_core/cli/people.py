"""`people`: recommend users to users."""

import argparse

import pandas as pd

from recsys_core.cli.arguments import parse_columns, positive
from recsys_core.cli.output import Account, refuse_unwritable, some, write_table
from recsys_core.cli.sources import Sources
from recsys_core.cli.users import chosen_users
from recsys_core.columns import RANK, SCORE, USER_ID
from recsys_core.contracts import PAD, RunContext
from recsys_core.models.friend_recommendation import make_people_recommender
from recsys_core.models.friends import graph_of

RECOMMENDED_ID = "recommended_user_id"


def people(arguments: argparse.Namespace) -> int:
    """Write `user_id`, `recommended_user_id`, `rank` (from 1) and `score`, excluding the user and users they follow.

    Users not in the data, and users without recommendations, get no row; both are reported on standard error.

    Raises:
        RecscopeError: An argument or a file is invalid, or the data have no links.
    """
    refuse_unwritable(arguments.out)
    k = positive(arguments.k, "--k")
    sources = Sources(parse_columns(arguments.columns), links=arguments.links)
    data = sources.open(arguments.data)
    sources.refuse_idle_columns()
    users = chosen_users(arguments.users, data.user_vocabulary)
    graph = graph_of(arguments.graph, data)
    method = make_people_recommender(arguments.method, graph, data, RunContext(seed=arguments.seed))
    account = Account()
    account.rows_of(arguments.data, sources.reports.get(arguments.data))
    users.tell(account)
    top = method.recommend_people(users.positions, k)
    ids = data.user_vocabulary.ids
    rows = [
        (user_id, ids[other], rank, float(score))
        for user_id, others, scores in zip(users.ids, top.item, top.score, strict=True)
        for rank, (other, score) in enumerate(zip(others, scores, strict=True), start=1)
        if other != PAD
    ]
    write_table(pd.DataFrame(rows, columns=[USER_ID, RECOMMENDED_ID, RANK, SCORE]), arguments.out)
    alone = [user_id for user_id, others in zip(users.ids, top.item, strict=True) if (others == PAD).all()]
    account.say(
        f"{len(users.ids) - len(alone):,} users with a list, {len(alone):,} without, {len(users.unknown):,} unknown."
    )
    if alone:
        account.say(f"No recommendation for {some(alone)}: no link or common item leads to another user.")
    account.write()
    return 0
