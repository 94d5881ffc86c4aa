"""Metrics under the conventions of six libraries against values that these libraries computed for 200 random lists.

`metric_conventions/make.py` made the lists and the values. Both sides compute in float64 and the values are stored with
12 digits: tolerance 1e-9.
"""

import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from recsys_core.contracts import PAD, BoolArray, FloatArray, Ragged, TopK
from recsys_core.evaluation import beyond_accuracy as beyond
from recsys_core.evaluation.conventions import CONVENTIONS, LIBRARIES, Convention, JudgedLists, conventions_of
from recsys_core.evaluation.metrics import ACCURACY
from recsys_core.evaluation.overlap import list_overlap
from recsys_core.evaluation.weighted_accuracy import RelevantItems
from tests.golden.metric_conventions.make import CUTOFFS, FOLDER, ITEMS, LENGTH, USERS, make_lists

COMPARED = ("precision", "recall", "hit_rate", "mrr", "map", "ndcg")
OPTIONS = {
    "NDCG(divide_by_achievable=True)": "ndcg, divide_by_achievable",
    "MAP(divide_by_k=True)": "map, divide_by_k",
    "Precision(r_precision=True)": "precision, r_precision",
    "recall (recall_with_cutoff=True)": "recall, recall_with_cutoff",
    "map": "map_by_relevant",
    "CalibratedRecallK": "calibrated_recall",
}
"""Name of a definition that is not a library's default -> its name in the golden file."""


def stored(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return content


def values_of(library: str, name: str) -> FloatArray:
    content = stored(library)
    found = content["values"].get(name, content["others"].get(name))
    return np.array([np.nan if value is None else value for value in found])


def padded(lists: list[list[int]]) -> TopK:
    item = np.full((len(lists), LENGTH), PAD)
    for user, row in enumerate(lists):
        item[user, : len(row)] = row
    return TopK(item, np.zeros(item.shape))


@cache
def judged() -> JudgedLists:
    data = stored("lists")
    return JudgedLists.of(padded(data["lists"]), Ragged.from_rows([np.array(row, int) for row in data["relevant"]]))


def test_the_stored_lists_are_those_of_the_script_and_contain_the_edge_cases() -> None:
    assert stored("lists") == make_lists()
    lists = judged()
    assert len(lists.hits) == USERS == 200
    for cases in (
        lists.n_listed == 0,
        (lists.n_listed > 0) & (lists.n_listed < 5),
        lists.n_relevant == 0,
        lists.n_relevant == 1,
        lists.n_relevant > LENGTH,
        (lists.n_listed == 0) & (lists.n_relevant == 0),
    ):
        assert cases.any()


@pytest.mark.parametrize("k", CUTOFFS)
@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda one: f"{one.library}-{one.metric}-{one.name}")
def test_equals_what_the_library_computes(convention: Convention, k: int) -> None:
    golden = stored(convention.library)
    if convention.function is None:
        assert f"{convention.metric}@{k}" not in golden["values"]
        return
    name = f"{convention.metric if convention.default else OPTIONS[convention.name]}@{k}"
    expected = values_of(convention.library, name)
    values = convention.function(judged(), k)
    assert_allclose(values, expected, atol=1e-9)
    if convention.default and name in golden["means"]:  # the library itself decides whom its mean counts
        assert np.nanmean(values) == pytest.approx(golden["means"][name], abs=1e-9)


@pytest.mark.parametrize("metric", COMPARED)
def test_every_library_says_once_how_its_default_differs(metric: str) -> None:
    found = conventions_of(metric)
    assert [one.library for one in found if one.default] == list(LIBRARIES)
    for one in found:
        assert one.reason.endswith(".")
        if one.function is not None:
            ours = [ACCURACY[metric](judged(), k) for k in CUTOFFS]
            theirs = [one.function(judged(), k) for k in CUTOFFS]
            equal = all(np.array_equal(*pair, equal_nan=True) for pair in zip(ours, theirs, strict=True))
            assert equal == ("no difference" in one.reason), one


def test_the_versions_named_are_those_that_computed_the_values() -> None:
    for library, title in LIBRARIES.items():
        assert title.endswith(stored(library)["version"])


# Metrics that Recscope has in one convention only, against the library that defines the same.


@cache
def relevant_items(*, graded: bool = False) -> RelevantItems:
    data = stored("lists")
    relevant = Ragged.from_rows([np.array(row, int) for row in data["relevant"]])
    gains = np.array([grade for row in data["grades"] for grade in row], float) if graded else None
    return RelevantItems(padded(data["lists"]).item, judged().hits, relevant, gains, np.array(data["counts"]))


def all_counted() -> BoolArray:
    return np.ones(len(relevant_items().relevant.values), dtype=np.bool_)


@pytest.mark.parametrize("k", CUTOFFS)
@pytest.mark.parametrize("library", ["lenskit", "ranx", "microsoft"])
def test_graded_ndcg_equals_theirs(library: str, k: int) -> None:
    expected = values_of(library, f"ndcg_graded@{k}")
    found = relevant_items(graded=True).graded_ndcg(judged().hits, all_counted(), k)
    known = ~np.isnan(expected)  # Microsoft's has no value for users without a list
    assert known.sum() >= USERS - 40
    assert_allclose(found[known], expected[known], atol=1e-9)


@pytest.mark.parametrize("k", CUTOFFS)
def test_r_precision_equals_microsofts_and_ranx(k: int) -> None:
    found = ACCURACY["r_precision"](judged(), k)
    expected = values_of("microsoft", f"r_precision@{k}")
    hit = judged().at(k).any(axis=1)  # without a hit, Microsoft's is 0 for one user and left out of a mean over several
    known = ~np.isnan(expected) & hit
    assert_allclose(found[known], expected[known], atol=1e-9)
    short = (judged().n_relevant <= k) & (judged().n_relevant > 0)  # ranx does not cut the list
    assert_allclose(found[short], values_of("ranx", "r_precision")[short], atol=1e-9)


@pytest.mark.parametrize("k", CUTOFFS)
def test_serendipity_is_that_of_rectools_divided_by_k(k: int) -> None:
    expected = values_of("rectools", f"serendipity@{k}") * judged().length(k) / k
    found = relevant_items().serendipity(judged().hits, all_counted(), k)
    known = ~np.isnan(expected) & ~np.isnan(found)
    assert known.sum() >= USERS - 40
    assert_allclose(found[known], expected[known], atol=1e-9)
    assert found[known].any()


@pytest.mark.parametrize("k", CUTOFFS)
def test_ips_recall_is_recpacks_weighted_hits_as_a_share_of_all(k: int) -> None:
    share = values_of("recpack", f"ips_hits@{k}") / values_of("recpack", "ips_all")
    share[judged().n_listed == 0] = np.where(judged().n_relevant[judged().n_listed == 0] > 0, 0.0, np.nan)
    assert_allclose(relevant_items().ips_recall(judged().hits, all_counted(), k), share, atol=1e-9)


@pytest.mark.parametrize("k", CUTOFFS)
def test_gini_indices_equal_lenskits(k: int) -> None:
    item, others = padded(stored("lists")["lists"]).item, stored("lenskit")["others"]
    assert beyond.gini(beyond.exposure(item, k, ITEMS)) == pytest.approx(others[f"gini@{k}"], abs=1e-9)
    weighted = beyond.gini(beyond.weighted_exposure(item, k, ITEMS))
    assert weighted == pytest.approx(others[f"exposure_gini@{k}"], abs=1e-6)  # float32 there


@pytest.mark.parametrize("k", CUTOFFS)
def test_covered_users_and_overlap_equal_those_of_rectools(k: int) -> None:
    data, others = stored("lists"), stored("rectools")["others"]
    tested = judged().n_relevant > 0  # RecTools counts the users of the test set
    item = padded(data["lists"]).item
    covered = beyond.covered_users(item[tested], k, np.ones(ITEMS, dtype=np.bool_))
    assert covered == pytest.approx(others[f"covered_users@{k}"], abs=1e-9)
    shares = list_overlap(item, padded(data["other_lists"]).item, k)
    assert_allclose(shares, values_of("rectools", f"overlap@{k}"), atol=1e-9)
