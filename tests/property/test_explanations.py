"""For any data and user: contributions sum to the score, for every model that declares them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from recsys_core.contracts import PAD, Ability, QueryBatch, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import CannotScore, DataError
from recsys_core.models.registry import MODELS, make_model, model_class

EXPLAINING = [key for key in MODELS if Ability.EXPLAINS_ITEMS in model_class(key).info.abilities]
USERS, ITEMS = 6, 8
WORDS = ("red", "blue", "old", "new", "loud")
"""Words of titles and categories."""


@st.composite
def rated_worlds(draw: st.DrawFn) -> Dataset:
    """Few users and items with ratings, timestamps, attributes and links, so that every model can be trained."""
    row = st.tuples(st.integers(0, USERS - 1), st.integers(0, ITEMS - 1), st.integers(1, 10))
    drawn = draw(st.lists(row, min_size=8, max_size=40))
    frame = pd.DataFrame(drawn, columns=["user", "item", "rating"]).astype({"user": "int32", "item": "int32"})
    frame["rating"] = (frame["rating"] / 2).astype("float32")
    frame["timestamp"] = np.arange(len(frame), dtype=np.int64) * 86_400_000
    frame["event"] = pd.Categorical(np.where(np.arange(len(frame)) % 3, "view", "buy"))
    words = draw(st.lists(st.sampled_from(WORDS), min_size=ITEMS, max_size=ITEMS))
    pairs = st.tuples(st.integers(0, USERS - 1), st.integers(0, USERS - 1)).filter(lambda pair: pair[0] != pair[1])
    links = draw(st.lists(pairs, min_size=1, max_size=10, unique=True))
    return dataset_from_frames(
        frame,
        user_ids=[f"u{user}" for user in range(USERS)],
        item_ids=[f"i{item}" for item in range(ITEMS)],
        users=pd.DataFrame({"age": np.arange(USERS) * 7.0 + 20, "city": [WORDS[user % 3] for user in range(USERS)]}),
        items=pd.DataFrame({"title": [f"{word} thing {item}" for item, word in enumerate(words)], "categories": words}),
        social=pd.DataFrame(links, columns=["source", "target"]).assign(weight=1.0),
    )


@pytest.mark.parametrize("key", EXPLAINING)
@settings(max_examples=10)
@given(world=rated_worlds(), user=st.integers(0, USERS - 1), seed=st.integers(0, 3))
def test_parts_add_up_to_the_score(key: str, world: Dataset, user: int, seed: int) -> None:
    model = make_model(key, {"epochs": 10} if key == "lightgcn" else {})  # the longest training; any gives exact sums
    try:
        model.fit(world, RunContext(seed=seed))
    except DataError:
        reject()
    for one in (user, (user + 1) % USERS):  # training takes longer than scoring, so each world is scored four times
        query = world.queries(np.array([one]))
        check_parts(model, query)
        check_parts(model, QueryBatch(np.array([PAD]), query.history, query.values, query.timestamps))


def check_parts(model: Any, query: QueryBatch) -> None:
    scores = model.score(query)[0]
    for item in range(ITEMS):
        if np.isnan(scores[item]):
            with pytest.raises(CannotScore):
                model.explain(query, item)
            continue
        found = model.explain(query, item)
        assert found.item == item
        assert found.score == pytest.approx(scores[item], abs=1e-9)
        assert abs(found.weights.sum() + found.remainder - scores[item]) < 1e-6
        assert len(found.sources) == len(found.weights)
        assert len(found.labels) in (0, len(found.sources))
        if not found.labels:
            size = USERS if found.kind in ("neighbours", "friends") else ITEMS
            assert np.all((found.sources >= 0) & (found.sources < size))
