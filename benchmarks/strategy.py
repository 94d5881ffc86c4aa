"""Strategies on ML-1M: MMR and DPP of 100 candidates to lists of 10 against pyversity, and a strategy of ten cards."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.movielens import ROUNDS, THREADS, seconds_of, split_1m
from benchmarks.peers import ask
from benchmarks.table import Row
from recsys_core.contracts import IntArray, RunContext, TopK
from recsys_core.models.registry import make_model
from recsys_core.strategy.apply import apply
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.pool import Pool

POOL, K = 100, 10
WEIGHT = 0.7
TARGETS = {"mmr": 1.0, "dpp": 3.0}
"""Seconds for all users."""
PEER_TARGET = 0.3
TEN_CARDS: list[dict[str, Any]] = [
    {"kind": "filter", "when": {"field": "popularity", "op": ">=", "value": 20}},
    {"kind": "boost", "when": {"field": "age_days", "op": "<", "value": 600}, "places": 5},
    {"kind": "decay", "by": "popularity", "half_life": 3000},
    {"kind": "mmr", "weight": WEIGHT},
    {"kind": "fair_ratio", "when": {"field": "popularity", "op": "<", "value": 500}, "share": 0.2},
    {"kind": "cap", "field": "popularity", "most": 2},
    {"kind": "quota", "when": {"field": "popularity", "op": ">", "value": 1500}, "least": 2, "most": 6},
    {"kind": "slots", "when": {"field": "popularity", "op": "<", "value": 800}, "first": 3, "last": 4},
    {"kind": "pin", "item": "1", "place": 2},
    {"kind": "explore", "method": "softmax"},
]
TEN_CARDS_TARGET = 4.0


def run() -> list[Row]:
    """Re-rank the top 100 of EASE for all users."""
    split = split_1m()
    model = make_model("ease", {})
    model.fit(split.train, RunContext(threads=THREADS))
    users = np.arange(split.train.n_users)
    lists = model.recommend(split.train.queries(), POOL)
    facts = Facts(split.train)
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for method in TARGETS for row in against_pyversity(method, lists, users, facts, Path(folder))]
    return [*rows, ten_cards(lists, users, facts)]


def against_pyversity(method: str, lists: TopK, users: IntArray, facts: Facts, folder: Path) -> list[Row]:
    """Time a card and pyversity alternately on the same candidates, relevance and vectors."""
    card = {"kind": method, "weight": WEIGHT} if method == "mmr" else {"kind": method, "sharpness": 3.0}
    strategy = Strategy.model_validate({"cards": [card], "pool": POOL, "k": K})
    relevance = Pool(users, lists.item, lists.score.astype(np.float64), K).relevance("rank")
    np.savez(folder / "candidates.npz", item=lists.item, relevance=relevance, vectors=facts.vectors)
    files = str(folder / "candidates.npz"), str(folder / "order.npy")
    apply(strategy, lists, users, facts)  # compiles the loops
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(seconds_of(lambda: apply(strategy, lists, users, facts)))
        theirs.append(ask("pyversity", *files, method, str(K), f"{1 - WEIGHT:.1f}", threads=THREADS)["seconds"])
    name, ratio = method.upper(), min(ours) / min(theirs)
    what = f"{name} {POOL} -> {K} for {len(users):,} users of ML-1M"
    rows = [
        Row(what, f"under {TARGETS[method]:g} s", f"{min(ours):.2f} s", min(ours) < TARGETS[method]),
        Row(
            f"{name} against pyversity",
            f"at most {PEER_TARGET} times",
            f"{ratio:.2f} times ({min(ours):.2f} s against {min(theirs):.2f} s)",
            ratio <= PEER_TARGET,
        ),
    ]
    if method == "mmr":  # the same objective; pyversity's DPP has another kernel
        theirs_item = np.take_along_axis(lists.item, np.load(files[1]), axis=1)
        same = float((apply(strategy, lists, users, facts).lists.item == theirs_item).all(axis=1).mean())
        rows.append(
            Row("users with the same MMR list in pyversity (float32)", "at least 95 %", f"{same:.1%}", same >= 0.95)
        )
    return rows


def ten_cards(lists: TopK, users: IntArray, facts: Facts) -> Row:
    """Time a strategy of ten cards, four of them rules, without and with its shortfalls."""
    strategy = Strategy.model_validate({"cards": TEN_CARDS, "pool": POOL, "k": K})
    outcome = apply(strategy, lists, users, facts)
    seconds = min(seconds_of(lambda: apply(strategy, lists, users, facts)) for _ in range(ROUNDS))
    told = seconds_of(lambda: outcome.shortfalls)
    return Row(
        f"a strategy of {len(TEN_CARDS)} cards for {len(users):,} users",
        f"under {TEN_CARDS_TARGET:g} s",
        f"{seconds:.2f} s, and {told:.2f} s for its {len(outcome.shortfalls)} shortfalls",
        seconds < TEN_CARDS_TARGET,
    )
