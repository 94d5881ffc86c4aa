"""Every setting of every model does something: other values give other scores."""

from itertools import combinations

import numpy as np
import pytest

from recsys_core.contracts import FieldSpec, field_specs
from recsys_core.models.registry import model_class
from tests.contract.cases import BESIDE, KEYS, fitted, tastes

KNOBS = [(key, field) for key in KEYS for field in field_specs(model_class(key).config_type)]


@pytest.mark.parametrize(("key", "field"), KNOBS, ids=[f"{key}-{field.name}" for key, field in KNOBS])
def test_every_knob_changes_the_scores(key: str, field: FieldSpec) -> None:
    train = tastes()
    values = field.choices or tuple(int(v) if field.kind == "int" else v for v in (field.low, field.high))
    beside = BESIDE.get(field.name, {}) | BESIDE.get(f"{key}.{field.name}", {})
    scores = {v: fitted(key, train, beside | {field.name: v}).score(train.queries()) for v in values}
    for one, two in combinations(values, 2):
        assert not np.allclose(scores[one], scores[two], rtol=1e-6, equal_nan=True), f"{field.name}: {one} and {two}"
