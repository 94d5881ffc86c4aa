"""The streamed generator keeps its promises on counts, popularity and taste, and streams whole users."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from recsys_core.columns import ITEM, RATING, TIMESTAMP, USER
from recsys_core.contracts import Progress, RunContext
from recsys_core.data.synthetic import stream
from recsys_core.data.synthetic.stream import StreamConfig, interactions, user_counts, write_parquet
from recsys_core.errors import Cancelled

CONFIG = StreamConfig(rows=6000, users=150, items=300, tastes=4)


@pytest.fixture(scope="module")
def drawn() -> pd.DataFrame:
    return pd.concat(interactions(CONFIG, RunContext(seed=3)), ignore_index=True)


def test_has_the_rows_users_and_items_that_were_asked_for(drawn: pd.DataFrame) -> None:
    assert len(drawn) == CONFIG.rows
    assert drawn[USER].nunique() == CONFIG.users
    assert drawn[ITEM].between(0, CONFIG.items - 1).all()
    assert not drawn.duplicated([USER, ITEM]).any()
    assert set(drawn[RATING]) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    assert drawn.groupby(USER)[TIMESTAMP].is_monotonic_increasing.all()


def test_popularity_follows_zipf() -> None:
    """With one taste and few rows per user, counts are in proportion to r ** -a up to sampling error."""
    config = StreamConfig(rows=40_000, users=20_000, items=200, tastes=1, taste_strength=0.0, popularity=0.8)
    frame = pd.concat(interactions(config, RunContext(seed=1)))
    counts = np.sort(np.bincount(frame[ITEM], minlength=200))[::-1]
    share = np.arange(1, 201) ** -0.8
    np.testing.assert_allclose(counts[:50] / counts[:50].sum(), share[:50] / share[:50].sum(), rtol=0.25)


def test_activity_is_log_normal_with_the_given_spread() -> None:
    config = StreamConfig(rows=4_000_000, users=20_000, items=100_000, activity=0.7)
    counts = user_counts(config, np.random.default_rng(0))
    assert counts.sum() == config.rows
    assert np.log(counts).std() == pytest.approx(0.7, rel=0.02)


def test_counts_stay_within_their_bounds() -> None:
    config = StreamConfig(rows=2000, users=100, items=40, activity=2.0)
    counts = user_counts(config, np.random.default_rng(0))
    assert counts.sum() == 2000
    assert counts.min() == counts.max() == 20


def test_users_of_one_taste_choose_alike(drawn: pd.DataFrame) -> None:
    """Less what activity and popularity explain, more of the matrix is in three axes than if there is one taste."""

    def share(frame: pd.DataFrame) -> float:
        cells = np.zeros((CONFIG.users, CONFIG.items))
        cells[frame[USER], frame[ITEM]] = 1.0
        expected = cells.sum(axis=1, keepdims=True) * cells.mean(axis=0) / cells.mean(axis=0).sum()
        squares = np.linalg.svd(cells - expected, compute_uv=False) ** 2
        return float(squares[:3].sum() / squares.sum())

    flat = pd.concat(interactions(CONFIG.model_copy(update={"taste_strength": 0.0}), RunContext(seed=3)))
    assert share(drawn) > 1.3 * share(flat)


def test_the_file_holds_the_blocks_and_the_same_seed_gives_the_same_rows(
    tmp_path: Path, drawn: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parquet(CONFIG, tmp_path / "one.parquet", RunContext(seed=3))
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "one.parquet"), drawn)
    monkeypatch.setattr(stream, "BLOCK_ROWS", 500)
    steps: list[Progress] = []
    blocks = list(interactions(CONFIG, RunContext(seed=3, report=steps.append)))
    assert len(blocks) == steps[-1].total > 5
    assert max(len(block) for block in blocks) < 1500
    whole = pd.concat(blocks)
    assert len(whole) == CONFIG.rows
    assert whole[USER].is_monotonic_increasing
    assert whole[USER].value_counts().equals(drawn[USER].value_counts())


def test_a_cancelled_file_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        write_parquet(CONFIG, tmp_path / "one.parquet", RunContext(stop_requested=lambda: True))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rows", [99, 100 * 20 + 1])
def test_sizes_that_exclude_each_other_are_refused(rows: int) -> None:
    with pytest.raises(ValidationError, match="change the number of users or items"):
        StreamConfig(rows=rows, users=100, items=40)
