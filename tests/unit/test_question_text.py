"""The question of an experiment in sentences: each choice is named with its value."""

from typing import Any

import pytest

from recsys_core.experiments.question_text import question_sentences
from recsys_core.experiments.spec import ExperimentSpec

BOTH = "Predicted: buy. Models learn from view (weight 1) and buy (weight 5)."


def text(**values: Any) -> str:
    spec = ExperimentSpec.model_validate({"data": "x", "models": ({"key": "ease"},), **values})
    return " ".join(str(sentence) for sentence in question_sentences(spec))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "Predicted: all interactions, which models also learn from."),
        ({"target": ("buy",), "learn_from": {"view": 1.0, "buy": 5.0}}, BOTH),
        ({"target": ("buy", "rent")}, "Predicted: buy and rent. Models learn from all interactions."),
        ({"learn_from": {"buy": 2.5}}, "Predicted: buy. Models learn from buy (weight 2.5)."),
        ({"relevant_from": 3.5}, "relevant if its test interaction has a rating of at least 3.5."),
        ({"relevant_from": 4, "train_on": "relevant"}, "Ranking models learn from ratings of at least 4 only."),
        ({"split": {"kind": "ratio", "test_fraction": 0.25}}, "a random 25% of each user's interactions."),
        ({"split": {"kind": "leave_last_out"}}, "each user's latest interaction."),
        ({"split": {"kind": "leave_last_out", "last": 3}}, "each user's 3 latest interactions."),
        ({"split": {"kind": "global_time", "test_fraction": 0.1}}, "the latest 10% of the interactions; models learn"),
        ({"split": {"kind": "global_time", "windows": 3}}, "in 3 consecutive time windows"),
        (
            {"split": {"kind": "global_time", "windows": 2, "window_training": "fixed", "gap_days": 1.5}},
            "Each window has a training period of the same length. 1.5 days before each test period are not used.",
        ),
        ({"split": {"kind": "k_fold", "folds": 4}}, "Each interaction is a test case once, in 4 folds."),
        ({"split": {"kind": "user_holdout"}}, "20% of the users are held out of training"),
        ({"split": {"kind": "item_holdout"}}, "20% of the items are held out of training"),
        ({"users": "without_history"}, "about test users without training history."),
        ({"users": "all"}, "about all test users."),
        ({"seed": 7}, "Each model is trained with one seed, 7."),
        ({"seed": 7, "seeds": 3}, "is trained with 3 seeds, 7 to 9."),
        ({"k": 20}, "is NDCG@20."),
        ({"primary": "recall@5"}, "is Recall@5."),
    ],
)
def test_each_choice_is_named_with_its_value(values: dict[str, Any], said: str) -> None:
    assert said in text(**values)


def test_what_was_not_chosen_is_not_said() -> None:
    plain = text()
    assert "windows" not in plain
    assert "rating" not in plain
    assert "days" not in plain
