"""Every setting of every model has an effect: other values give other scores or other lists."""

from itertools import combinations

import numpy as np
import pytest

from recsys_core.configs import FieldSpec, field_specs
from recsys_core.models.registry import model_class
from tests.contract.cases import BESIDE, KEYS, fitted, tastes

ENOUGH = {"epochs": 20}
"""Settings whose maximum would only take long."""
KNOBS = [(key, field) for key in KEYS for field in field_specs(model_class(key).config_type)]


@pytest.mark.parametrize(("key", "field"), KNOBS, ids=[f"{key}-{field.name}" for key, field in KNOBS])
def test_every_knob_changes_the_answers(key: str, field: FieldSpec) -> None:
    train = tastes()
    values = field.choices or tuple(int(v) if field.kind == "int" else v for v in (field.low, _highest(field)))
    beside = BESIDE.get(field.name, {}) | BESIDE.get(f"{key}.{field.name}", {})
    models = {value: fitted(key, train, beside | {field.name: value}) for value in values}
    scores = {value: model.score(train.queries()) for value, model in models.items()}
    for one, two in combinations(values, 2):
        if np.allclose(scores[one], scores[two], rtol=1e-6, equal_nan=True):
            lists = [models[value].recommend(train.queries(), 10).item for value in (one, two)]
            assert not np.array_equal(*lists), f"{field.name}: {one} and {two}"


def _highest(field: FieldSpec) -> float:
    assert field.high is not None
    return min(field.high, ENOUGH.get(field.name, field.high))
