"""Models and settings in links."""

import pytest

from recsys_core.errors import ConfigError
from recsys_core.lessons.registry import lessons
from recsys_core.models.choice import ModelChoice, decoded_choices, encoded_choices

TWO = (ModelChoice("user_knn", {"similarity": "pearson", "iterations": 10, "tolerance": 0.01}), ModelChoice("ease"))


def test_choices_have_a_code() -> None:
    code = "user_knn:similarity=pearson,iterations=10,tolerance=0.01;ease"
    assert encoded_choices(TWO) == code
    assert decoded_choices(code) == TWO
    assert ModelChoice("lfm", {"use_attributes": False}).encode() == "lfm:use_attributes=false"
    assert ModelChoice.decode("lfm:use_attributes=false").settings == {"use_attributes": False}


@pytest.mark.parametrize("code", ["nothing", "user_knn:nothing=1", "user_knn:neighbors=0", "user_knn:pearson"])
def test_a_code_that_names_nothing_is_refused(code: str) -> None:
    with pytest.raises(ConfigError):
        decoded_choices(code)


def test_lessons_open_pages_with_their_model_and_the_learners_values() -> None:
    """Every lesson about a model selects it, with settings that the model takes."""
    picks = {}
    for of in lessons():
        address = of.own_data.address(of.starts())
        picks[of.key] = [choice.key for choice in decoded_choices(address.get("pick", ""))]
    assert {key: keys for key, keys in picks.items() if keys} == {
        "document_formula": ["content_mean", "content_mean"], "neighbors": ["user_knn"], "prediction": ["user_knn"],
        "convergence": ["user_knn"], "gradient": ["biased_mf"], "closed_form": ["ease"],
        "baskets": ["association_rules"], "friends": ["social_knn"], "gates": ["rnn"],
        "attention": ["interest_attention"], "decoding": ["seq2seq"],
    }  # fmt: skip
    neighbors = next(of for of in lessons() if of.key == "neighbors")
    changed = neighbors.starts() | {"measure": "adjusted_cosine", "shrinkage": 8}
    assert neighbors.own_data.address(changed) == {"pick": "user_knn:similarity=adjusted_cosine,shrinkage=8"}
    split = next(of for of in lessons() if of.key == "time_split")
    assert split.own_data.address(split.starts() | {"split": "global_time"}) == {"split": "global_time"}
