"""Every setting that tuning may vary has an effect: other values give other scores or other lists."""

from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from recsys_core.configs import FieldSpec, ModelConfig, field_specs
from recsys_core.contracts import RunContext
from recsys_core.models.base import Recommender
from recsys_core.models.registry import make_model, model_class
from tests.contract.cases import BESIDE, ITEMS, KEYS, NUMBERS, QUICK, TEXTS, USERS, is_network, tastes

ENOUGH = {"epochs": 12}
"""Settings whose maximum would only take long."""
WHOLE = {"patience", "batch_size"}
"""Settings of networks without effect on very few interactions."""
KNOBS = [(key, field) for key in KEYS for field in field_specs(model_class(key).config_type) if field.searched]


@pytest.mark.parametrize(("key", "field"), KNOBS, ids=[f"{key}-{field.name}" for key, field in KNOBS])
def test_every_knob_changes_the_answers(key: str, field: FieldSpec) -> None:
    size = (24, 60) if is_network(key) and field.name not in WHOLE else (USERS, ITEMS)
    train = tastes(*size)
    given = TEXTS.get(f"{key}.{field.name}", ()) or NUMBERS.get(field.name, ())
    values = given or field.choices or tuple(int(v) if field.kind == "int" else v for v in (field.low, _highest(field)))
    beside = BESIDE.get(field.name, {}) | BESIDE.get(f"{key}.{field.name}", {})
    known = model_class(key).config_type.model_fields
    settings = QUICK.get(key, {}) | {name: value for name, value in beside.items() if name in known}
    models = {value: once(key, make_model(key, settings | {field.name: value}).config, size) for value in values}
    scores = {value: model.score(train.queries()) for value, model in models.items()}
    for one, two in combinations(values, 2):
        if np.allclose(scores[one], scores[two], rtol=1e-6, equal_nan=True):
            lists = [models[value].recommend(train.queries(), 10).item for value in (one, two)]
            assert not np.array_equal(*lists), f"{field.name}: {one} and {two}"


@cache
def once(key: str, config: ModelConfig, size: tuple[int, int]) -> Recommender[Any]:
    """Return a model fitted once per process: each model with default settings takes part in several tests."""
    model = make_model(key, config.model_dump())
    model.fit(tastes(*size), RunContext())
    return model


def _highest(field: FieldSpec) -> float:
    assert field.high is not None
    return min(field.high, ENOUGH.get(field.name, field.high))
