"""What a card says about the training of a model: early stopping, and whether the number of cores matters."""

import pytest

from pages.train_parts.algorithm_settings import training_notes
from recsys_core.experiments.validation import FEWEST_USERS
from recsys_core.models.network_model import VALIDATION_USERS
from recsys_core.models.registry import MODELS, model_class
from recsys_core.training.plan import TrainingPlan


@pytest.mark.parametrize("key", list(MODELS))
def test_the_card_tells_of_early_stopping_and_of_cores_where_they_matter(key: str) -> None:
    kind = model_class(key)
    text = " ".join(training_notes(kind.info))
    assert ("Early stopping" in text) == ("patience" in kind.config_type.model_fields)
    assert ("Number of cores" in text) == (not kind.info.same_on_any_cores)


def test_the_numbers_on_the_card_are_those_of_the_training() -> None:
    text = training_notes(model_class("rnn").info)[0]
    assert f"sample of at least {FEWEST_USERS:,}" in text
    assert f"up to {VALIDATION_USERS:,} users" in text
    assert f"factor {TrainingPlan(1, 1, 0.1).smoothing}" in text
