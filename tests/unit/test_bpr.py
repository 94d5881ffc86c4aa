"""BPR: its steps against finite differences, negatives, the blocks of the parallel descent, and folding in."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from recsys_core.contracts import RunContext
from recsys_core.models.bpr_descent import (
    Pace,
    Parameters,
    block_count,
    blocks_of,
    cells_of,
    descend,
    fold_in,
    negative,
    negative_by_bits,
    seen_in_cell,
    shuffle,
    step,
    visits,
)
from recsys_core.models.observed import Rows, rows_of
from tests.contract.cases import as_unknown, asking, fitted, recording, tastes

USERS, ITEMS, FACTORS = 30, 40, 5


def random_rows(*, weighted: bool = False, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    seen = rng.random((USERS, ITEMS)) < 0.3
    return rows_of(csr_array(seen * (rng.uniform(0.5, 3, seen.shape) if weighted else 1.0)))


def random_parameters(seed: int = 1) -> Parameters:
    rng = np.random.default_rng(seed)
    sizes: list[tuple[int, ...]] = [(USERS, FACTORS), (ITEMS, FACTORS), (ITEMS,)]
    return Parameters(*(rng.normal(size=size).astype(np.float32) for size in sizes))


def pace(rate: float, penalty: float = 0.0, *, popular: bool = False) -> Pace:
    return Pace(np.float32(rate), np.float32(penalty), popular)


def test_a_step_follows_the_gradient() -> None:
    """The change of each parameter is minus the finite difference of the loss and its penalty."""
    user, liked, other, penalty, h = 3, 7, 11, 0.3, 1e-4
    start = [part.astype(np.float64) for part in random_parameters()]

    def objective(parts: list[np.ndarray]) -> float:
        p, q, b = parts
        x = b[liked] - b[other] + p[user] @ (q[liked] - q[other])
        norms = (p[user] ** 2).sum() + sum((q[i] ** 2).sum() + b[i] ** 2 for i in (liked, other))
        return float(np.log1p(np.exp(-x)) + penalty / 2 * norms)

    moved = random_parameters()
    buffers = np.empty(FACTORS, np.float32), np.empty(FACTORS, np.float32)
    loss = step(moved, user, liked, other, pace(1e-2, penalty), *buffers)
    unregularized = objective(start) - penalty / 2 * sum(
        (part[place] ** 2).sum() for part, place in zip(start, ([user], [liked, other], [liked, other]), strict=True)
    )
    assert loss == pytest.approx(unregularized, rel=1e-4)
    for name, part in enumerate(start):
        for place in np.ndindex(part.shape):
            above, below = ([one.copy() for one in start] for _ in range(2))
            above[name][place] += h
            below[name][place] -= h
            slope = (objective(above) - objective(below)) / (2 * h)
            assert (moved[name][place] - part[place]) / 1e-2 == pytest.approx(-slope, abs=1e-4), (name, place)


def test_very_different_scores_stay_finite() -> None:
    for sign in (-1.0, 1.0):
        parameters = Parameters(
            np.full((1, 2), 100.0, np.float32), np.array([[9, 9], [-9, -9]], np.float32) * sign, np.zeros(2, np.float32)
        )
        buffers = np.empty(2, np.float32), np.empty(2, np.float32)
        loss = step(parameters, 0, 0, 1, pace(0.1), *buffers)
        assert np.isfinite(loss)
        assert all(np.isfinite(part).all() for part in parameters)


def test_negatives_are_unseen_and_follow_the_candidates() -> None:
    seen, state = np.array([1, 4, 5], np.uint32), np.full(1, 3, np.uint64)
    uniform, popular = np.arange(8, dtype=np.uint32), np.array([0, 4, 4, 6, 6, 6], np.uint32)
    drawn = np.bincount([negative(seen, uniform, state) for _ in range(5000)], minlength=8)
    assert (drawn[seen] == 0).all()
    assert_allclose(drawn[[0, 2, 3, 6, 7]] / 5000, 0.2, atol=0.03)
    drawn = np.bincount([negative(seen, popular, state) for _ in range(5000)], minlength=8)
    assert_allclose(drawn / 5000, [0.25, 0, 0, 0, 0, 0, 0.75, 0], atol=0.03)
    assert negative(uniform, uniform, state) == -1


def test_a_pair_is_visited_in_proportion_to_its_weight() -> None:
    state = np.full(1, 3, np.uint64)
    for weight in (-1.0, 0.0, 0.25, 1.0, 3.7):
        drawn = [visits(np.float32(weight), state) for _ in range(4000)]
        assert np.mean(drawn) == pytest.approx(max(weight, 0.0), abs=0.03)
        assert max(drawn) - min(drawn) <= 1


@pytest.mark.parametrize("weighted", [False, True])
def test_cells_hold_every_pair_once_in_its_blocks(weighted: bool) -> None:
    rows, rng = random_rows(weighted=weighted), np.random.default_rng(0)
    users, items = blocks_of(USERS, 4, rng), blocks_of(ITEMS, 4, rng)
    cells = cells_of(rows, users, items)
    owner = np.repeat(np.arange(USERS), np.diff(rows.start))
    pairs = sorted(zip(owner, rows.column, rows.weight if weighted else owner, strict=True))
    for cell in range(16):
        first, end = cells.start[cell], cells.start[cell + 1]
        assert (users.block[cells.user[first:end]] == cell // 4).all()
        assert (items.block[cells.item[first:end]] == cell % 4).all()
        shuffle(cells, first, end, np.full(1, 9, np.uint64))
    found = sorted(zip(cells.user, cells.item, cells.weight if weighted else cells.user, strict=True))
    assert found == pairs
    for blocks, size in ((users, USERS), (items, ITEMS)):
        assert sorted(blocks.order) == list(range(size))
        for block in range(4):
            members = blocks.order[blocks.first[block] : blocks.first[block + 1]]
            assert_array_equal(blocks.block[members], block)
            assert_array_equal(blocks.place[members], np.arange(len(members)))


def test_the_table_of_bits_is_that_of_the_histories() -> None:
    rows, rng = random_rows(), np.random.default_rng(0)
    users, items = blocks_of(USERS, 2, rng), blocks_of(ITEMS, 2, rng)
    cells = cells_of(rows, users, items)
    bits = seen_in_cell(cells, cells.start[1], cells.start[2], users, items, 15, 20)
    candidates = items.order[items.first[1] :]
    for user in users.order[:15]:
        seen = rows.column[rows.start[user] : rows.start[user + 1]]
        one, two = np.full(1, user, np.uint64), np.full(1, user, np.uint64)
        for _ in range(50):
            place = np.int64(users.place[user])
            assert negative_by_bits(bits, place, 20, candidates, items, one) == negative(seen, candidates, two)
    assert len(seen_in_cell(cells, 0, 1, users, items, 15, 20)) == 0  # 300 bits for one pair


def test_a_cell_changes_its_own_rows_alone_and_steps_once_for_each_pair() -> None:
    rows, rng = random_rows(), np.random.default_rng(0)
    users, items = blocks_of(USERS, 2, rng), blocks_of(ITEMS, 2, rng)
    cells, parameters, start = cells_of(rows, users, items), random_parameters(), random_parameters()
    for popular in (False, True):
        _, steps = descend(cells, rows, users, items, parameters, pace(0.1, 0.1, popular=popular), 1, 0, 5)
        assert steps == cells.start[3] - cells.start[2]
    for moved, before, mine in zip(
        parameters, start, (users.block == 1, items.block == 0, items.block == 0), strict=True
    ):
        assert_array_equal(moved[~mine], before[~mine])
        assert (moved[mine] != before[mine]).mean() > 0.9


def test_blocks_grow_with_the_parameters_and_leave_enough_to_sample_from() -> None:
    assert block_count(60, 150, 1400, 64) == 1
    assert block_count(943, 1682, 80_000, 64) == 4
    assert block_count(6040, 3706, 800_000, 64) == 8
    assert block_count(160_000, 60_000, 25_000_000, 64) == 128
    assert block_count(10**6, 100, 10**8, 64) == 1


def test_the_loss_falls() -> None:
    ctx, reports = recording()
    fitted("bpr", tastes(), {"factors": 4, "epochs": 10}, ctx=ctx)
    losses = [report.values["loss"] for report in reports[1:]]
    assert losses[0] == pytest.approx(np.log(2), abs=0.02)
    assert losses[-1] < 0.95 * losses[0]


def test_validation_sees_a_model_that_answers_after_each_epoch() -> None:
    train = tastes()
    spreads: list[float] = []

    def validate(model: object) -> dict[str, float]:
        spreads.append(float(model.score(train.queries()).std()))  # type: ignore[attr-defined]
        return {"spread": spreads[-1]}

    ctx, reports = recording()
    fitted("bpr", train, {"epochs": 3}, ctx=RunContext(report=ctx.report, validate=validate))
    assert [report.values["spread"] for report in reports[1:]] == spreads
    assert len(set(spreads)) == 3


def test_popular_negatives_lower_popular_items() -> None:
    train = tastes()
    popularity = np.bincount(train.interactions["item"], minlength=train.n_items)
    slopes = [
        np.polyfit(popularity, fitted("bpr", train, {"negative_sampling": name}).item_bias, 1)[0]
        for name in ("uniform", "popularity")
    ]
    assert slopes[1] < 0.7 * slopes[0]


def test_folding_in_nears_the_least_loss_of_the_history() -> None:
    """With a small step the factors come close to the minimum over all pairs of a seen and an unseen item."""
    parameters, seen = random_parameters(), np.array([2, 3, 17, 30], np.uint32)
    every, weight = np.arange(ITEMS, dtype=np.uint32), np.ones(4, np.float32)
    found = fold_in(seen, weight, parameters, every, pace(0.05, 0.5), 2000).astype(np.float64)
    q, b = (part.astype(np.float64) for part in parameters[1:])
    others = np.setdiff1d(every, seen)

    def slope(p: np.ndarray) -> np.ndarray:
        scores = b + q @ p
        error = 1 / (1 + np.exp(scores[seen][:, None] - scores[others]))
        pulls = q[seen][:, None, :] - q[others]
        return (error[:, :, None] * pulls).mean(axis=(0, 1)) - 0.5 * p  # type: ignore[no-any-return]

    least = np.zeros(FACTORS)
    for _ in range(2000):
        least += 0.1 * slope(least)
    assert np.linalg.norm(found - least) < 0.15 * np.linalg.norm(least)


def test_a_folded_in_user_is_close_to_the_trained_one() -> None:
    train = tastes()
    model = fitted("bpr", train, {"factors": 8, "epochs": 100})
    known, unknown = (model.score(query) for query in (train.queries(), as_unknown(train.queries())))
    assert np.corrcoef(known.ravel(), unknown.ravel())[0, 1] > 0.9
    assert_allclose(model.score(asking([[]]))[0], model.item_bias, rtol=1e-6)


def test_an_explanation_names_the_bias_and_each_factor() -> None:
    train = tastes()
    model = fitted("bpr", train, {"factors": 3})
    parts = model.explain(train.queries(np.array([4])), 9)
    assert parts.labels == ("item bias", "factor 1", "factor 2", "factor 3")
    expected = [model.item_bias[9], *(model.user_factors[4].astype(np.float64) * model.item_factors[9])]
    assert_allclose(parts.weights, expected, rtol=1e-6)
