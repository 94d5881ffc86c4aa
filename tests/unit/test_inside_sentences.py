"""Sentences of the views of a model where values are equal, unknown or very small."""

import numpy as np
import pandas as pd

from recsys_core.explain.view import ViewData
from recsys_core.viz import inside_sentences as sentences

NAN = float("nan")


def shared(shares: list[float], measure: str = "cosine") -> str:
    table = pd.DataFrame({"title": list("ABCD")[: len(shares)], "share": shares})
    facts = {"neighbour": "v", "measure": measure, "similarity": sum(shares), "shares": sum(shares)}
    return str(sentences.shared(ViewData(table, facts)))


def effects(weights: list[float]) -> str:
    table = pd.DataFrame({"title": list("ABCD")[: len(weights)], "weight": weights})
    return str(sentences.effects(ViewData(table, {"item": "X", "score": 0.5, "folded": 0.4})))


def arithmetic(weights: list[float]) -> str:
    table = pd.DataFrame({"title": list("ABCD")[: len(weights)], "weight": weights})
    facts = {"item": "X", "score": sum(weights), "remainder": 0.0, "sources": len(weights)}
    return str(sentences.arithmetic(ViewData(table, facts)))


def test_equal_contributions_to_a_similarity_have_no_largest() -> None:
    """Without ratings each common item adds the same; 0.1 + 0.2 is 0.3 up to rounding."""
    assert shared([0.3, 0.2]).endswith("'A' contributes most: +0.300.")
    assert shared([0.1 + 0.2, 0.3, 0.3]).endswith("Each of them contributes +0.300.")
    assert shared([0.3, 0.3, 0.2]).endswith("'A' and 1 other item contribute most: +0.300 each.")


def test_equal_terms_of_a_score_have_no_largest() -> None:
    assert arithmetic([2.0, -1.0]).endswith("The largest term, 'A', adds +2.")
    assert arithmetic([2.0, 2.0, 1.0]).endswith("The 2 largest terms, such as 'A', add +2 each.")


def test_neighbors_and_pairs_that_are_as_near_are_counted() -> None:
    table = pd.DataFrame({"similarity": [0.5, 0.5, 0.5, 0.4]})
    assert str(sentences.as_near(ViewData(table))) == "2 other neighbors shown are as near."
    assert sentences.as_near(ViewData(table[2:])) is None
    matrix = np.array([[NAN, 0.5, 0.1], [0.5, NAN, 0.5], [0.1, 0.5, NAN]])
    pairs = ViewData(pd.DataFrame({"similarity": matrix.ravel()}), {"highest": 0.5})
    assert str(sentences.as_alike(pairs)) == "1 other pair is as similar."
    assert sentences.as_alike(ViewData(pairs.table, {"highest": 0.1})) is None


def test_influences_that_are_unknown_or_zero_are_no_changes() -> None:
    """Without the only item there is no score to compare with; a change of 0 has no sign."""
    assert effects([0.2, -0.1]).endswith("without it the score changes by -0.2.")
    assert effects([NAN]).endswith(
        "without 'A', the only item that it uses, the model has no score, so the influence is unknown."
    )
    assert effects([0.0]).endswith("without 'A' it stays the same.")
    assert effects([0.0, 0.0]).endswith("2 items were left out, one at a time, and the score stays the same.")


def test_small_factor_terms_do_not_read_as_zero() -> None:
    said = str(sentences.space(ViewData(pd.DataFrame(), {"history_mean": 2.3e-7, "rest_mean": -0.0156})))
    assert "is +2.3e-07 on average" in said
    assert "-0.0156 for other items, and - for the recommended items" in said
