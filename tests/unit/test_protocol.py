"""The protocol check: each rule reports its planted case with the right count, and nothing otherwise."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys_core.data.leaks import LeakReport
from recsys_core.data.splits import LeftOut
from recsys_core.evaluation.comparison import compare
from recsys_core.evaluation.protocol import Finding, JudgedModel, Protocol, check_protocol

CLEAN = LeakReport(
    train_rows=800,
    test_rows=200,
    tests_with_later_training=0,
    tests_of_unborn_items=0,
    tests_of_unseen_items=0,
    tests_seen_in_training=0,
    tests_without_time=0,
)
MODELS = {
    "ease": JudgedModel("EASE", "ease"),
    "knn": JudgedModel("Item kNN", "item_knn"),
    "popular": JudgedModel("Popularity", "popular", personal=False, order="same"),
    "random": JudgedModel("Random", "random"),
}
PROTOCOL = Protocol(models=MODELS, leaks=(CLEAN,), left_out=(LeftOut(),))


def frames(users: int = 400, **quality: float) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(0)
    level = {"ease": 0.4, "knn": 0.35, "popular": 0.2, "random": 0.02} | quality
    taste = rng.random(users)
    return {
        name: pd.DataFrame(
            {
                "user": np.arange(users),
                "ndcg@10": taste * value + rng.normal(0, 0.02, users),
                "n_relevant": 3,
            }
        )
        for name, value in level.items()
    }


def found(
    per_user: dict[str, pd.DataFrame], protocol: Protocol = PROTOCOL, *, compared: bool = True
) -> dict[str, Finding]:
    comparison = compare(per_user, metric="ndcg@10", samples=200) if compared else None
    findings = check_protocol(per_user, protocol, metric="ndcg@10", comparison=comparison)
    return {finding.rule: finding for finding in findings}


def test_a_sound_comparison_has_no_findings() -> None:
    assert found(frames()) == {}


def test_refuses_models_without_common_users() -> None:
    per_user = frames()
    per_user["knn"] = per_user["knn"].assign(user=np.arange(1000, 1400))
    finding = found(per_user, compared=False)["no_common_users"]
    assert (finding.severity, finding.count) == ("refusal", 800)
    assert finding.message.startswith("No user has a value for every model")


def test_refuses_settings_chosen_by_the_test_part() -> None:
    models = MODELS | {
        "ease": replace(MODELS["ease"], tuned_on="test"),
        "knn": replace(MODELS["knn"], tuned_on="validation"),
    }
    finding = found(frames(), replace(PROTOCOL, models=models))["tuned_on_test"]
    assert (finding.severity, finding.count) == ("refusal", 1)
    assert finding.message.startswith("EASE was tuned on this same test set")


def test_refusals_stand_first() -> None:
    models = MODELS | {"ease": replace(MODELS["ease"], tuned_on="test", order="same")}
    findings = check_protocol(frames(), replace(PROTOCOL, models=models, ordered_by_file=True), metric="ndcg@10")
    assert [finding.severity for finding in findings] == ["refusal", "warning", "info"]


@pytest.mark.parametrize(
    ("leak", "rule", "severity", "text"),
    [
        (
            {"tests_with_later_training": 50},
            "later_training",
            "warning",
            "Temporal leakage in 50 of 200 test cases (25%)",
        ),
        (
            {"tests_with_later_training": 1},
            "later_training",
            "warning",
            "Temporal leakage in 1 of 200 test cases (0.5%)",
        ),
        (
            {"tests_of_unborn_items": 7},
            "unborn_items",
            "warning",
            "Temporal leakage in 7 of 200 test cases (3.5%): the first",
        ),
        (
            {"tests_of_unseen_items": 5},
            "cold_items",
            "info",
            "5 of 200 test cases (2.5%) have an item without training interactions",
        ),
        ({"tests_of_unseen_items": 90}, "cold_items", "warning", "90 of 200 test cases (45%)"),
        ({"tests_seen_in_training": 3}, "seen_in_training", "info", "3 test cases are excluded from the ranking"),
        (
            {"tests_with_later_training": None, "tests_of_unborn_items": None},
            "time_unknown",
            "info",
            "The data have no timestamps",
        ),
    ],
)
def test_leaks_are_said_with_their_counts(leak: dict[str, int | None], rule: str, severity: str, text: str) -> None:
    findings = found(frames(), replace(PROTOCOL, leaks=(replace(CLEAN, **leak),)))  # type: ignore[arg-type]
    assert list(findings) == [rule]
    assert findings[rule].severity == severity
    assert findings[rule].message.startswith(text)


def test_leaks_of_folds_are_added_up() -> None:
    leaks = (replace(CLEAN, tests_with_later_training=10), replace(CLEAN, tests_with_later_training=20))
    finding = found(frames(), replace(PROTOCOL, leaks=leaks))["later_training"]
    assert finding.count == 30
    assert finding.message.startswith("Temporal leakage in 30 of 400 test cases (7.5%)")


def test_what_a_split_could_not_use_is_counted() -> None:
    left = (LeftOut(test_rows_of_unknown_users=4, test_rows_of_unknown_items=2, users_without_test=9),)
    findings = found(frames(), replace(PROTOCOL, left_out=left))
    assert {rule: finding.count for rule, finding in findings.items()} == {
        "unknown_test_users": 4,
        "unknown_test_items": 2,
        "users_without_test": 9,
    }


def test_users_that_not_all_models_were_judged_by_are_counted() -> None:
    per_user = frames()
    per_user["knn"] = per_user["knn"].iloc[:390]
    finding = found(per_user)["different_users"]
    assert finding.count == 10
    assert finding.message.endswith("left out; users compared: 390.")


def test_users_without_relevant_items_are_counted() -> None:
    per_user = frames()
    for frame in per_user.values():
        frame.loc[:29, "n_relevant"] = 0
        frame.loc[:29, "ndcg@10"] = math.nan
    finding = found(per_user)["users_left_out"]
    assert (finding.severity, finding.count) == ("info", 30)
    assert finding.message == "30 of 400 users (7.5%) have no relevant test item and are excluded."


def test_too_few_users_are_warned_of_with_the_difference_that_can_be_seen() -> None:
    finding = found(frames(users=80))["few_users"]
    assert finding.count == 80
    assert finding.message.startswith("Only 80 users are compared; true differences between two models below")
    assert "about 0.0" in finding.message
    assert "(median over pairs) would be detected" in finding.message


def test_under_50_users_the_warning_says_what_that_means() -> None:
    finding = found(frames(users=49))["few_users"]
    assert finding.message.startswith("Only 49 users are compared: intervals are wide, and true differences between")
    assert "Treat this as a trial run" in finding.message


@pytest.mark.parametrize("users", [2, 5])
def test_where_no_test_can_be_significant_no_detectable_difference_is_stated(users: int) -> None:
    """Five users whose differences have one sign have a p-value of 2 / 2^5, which is above 0.05."""
    finding = found(frames(users=users))["few_users"]
    assert finding.message.startswith(
        f"Only {users} users are compared: the sign-flip test cannot be significant (95%)"
    )
    assert "power" not in finding.message
    assert "80% power" in found(frames(users=6))["few_users"].message


def test_popularity_that_is_almost_as_good_is_warned_of() -> None:
    finding = found(frames(popular=0.38))["popularity_close"]
    assert finding.message.startswith("Popularity reaches 95.6% of the first model (EASE)")


def test_popularity_that_nothing_beats_is_warned_of() -> None:
    assert found(frames(popular=0.5))["popularity_leads"].count == 2


def test_models_no_better_than_chance_are_named() -> None:
    finding = found(frames(knn=0.02))["no_better_than_random"]
    assert finding.count == 1
    assert finding.message == "Item kNN does not differ significantly from random recommendations."


def test_a_model_with_constant_scores_is_said_to_list_at_random() -> None:
    models = MODELS | {"knn": replace(MODELS["knn"], order="constant")}
    finding = found(frames(), replace(PROTOCOL, models=models))["constant_scores"]
    assert (
        finding.message == "Item kNN gives each user the same score for all items, so the order of its lists is random."
    )


@pytest.mark.parametrize(
    ("rating", "end"), [(None, "count as 0."), (4.0, "All training ratings are 4, so similarities based on ")]
)
def test_empty_lists_are_counted_with_the_cause_if_it_is_known(rating: float | None, end: str) -> None:
    per_user = {name: frame.assign(n_listed=np.where(frame.index < 25, 0, 10)) for name, frame in frames().items()}
    per_user = {name: frame if name == "knn" else frame.assign(n_listed=10) for name, frame in per_user.items()}
    models = MODELS | {"knn": replace(MODELS["knn"], compares_ratings=True)}
    finding = found(per_user, replace(PROTOCOL, models=models, only_rating=rating))["empty_lists"]
    assert (finding.count, finding.severity) == (25, "warning")
    assert finding.message.startswith(
        "Item kNN cannot score any item for 25 of 400 users (6.2%): their lists are empty"
    )
    assert end in finding.message


def test_users_without_history_are_counted_and_the_verdict_is_about_the_others() -> None:
    finding = found(frames(users=109), replace(PROTOCOL, users=301, users_without_history=192))["no_history"]
    assert (finding.severity, finding.count) == ("warning", 192)
    assert finding.message == (
        "192 of 301 test users (64%) have no training history: the verdict covers the other 109, and these users are "
        "reported separately."
    )
    few = found(frames(), replace(PROTOCOL, users=403, users_without_history=3))["no_history"]
    assert few.severity == "info"


def test_where_nobody_has_a_history_nothing_is_said_about_personalization() -> None:
    findings = found(frames(popular=0.5), replace(PROTOCOL, users=400, users_without_history=400))
    assert "popularity_leads" not in findings
    assert findings["no_history"].message.startswith("None of the 400 test users has a training history")


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        ("too_few", "7 users have no test case: they have too few interactions for this split."),
        ("not_in_period", "7 users have no test case: they have no interaction in the test period."),
        ("unknown_time", "7 users have no test case: none of their interactions has a timestamp"),
        ("not_held_out", "7 users have no test case: they are not among the held-out users"),
        ("no_held_item", "7 users have no test case: they have no interaction with a held-out item."),
        ("not_uploaded", "7 users have no test case: they are not in the uploaded test set."),
        ("unknown_items", "7 users have no test case: all their items in the uploaded test set are missing"),
    ],
)
def test_users_without_a_test_case_are_counted_under_their_cause(cause: str, text: str) -> None:
    left = (LeftOut(users_without_test=7, causes={cause: 7}),)
    findings = found(frames(), replace(PROTOCOL, left_out=left))
    assert list(findings) == [f"users_without_test:{cause}"]
    assert findings[f"users_without_test:{cause}"].message.startswith(text)


def test_users_of_other_folds_are_not_said_to_have_no_test_case() -> None:
    left = (LeftOut(users_without_test=7, causes={"other_fold": 7}),) * 3
    assert found(frames(), replace(PROTOCOL, left_out=left)) == {}


def test_test_users_without_relevant_items_are_counted_under_their_cause() -> None:
    per_user = frames()
    for frame in per_user.values():
        frame["n_relevant_seen"] = 0
        frame.loc[:29, ["n_relevant", "ndcg@10"]] = [0, math.nan]
        frame.loc[:9, "n_relevant_seen"] = 2
    findings = found(per_user, replace(PROTOCOL, relevant_from=4.0))
    assert {rule: finding.count for rule, finding in findings.items()} == {"users_left_out": 20, "all_seen": 10}
    assert findings["users_left_out"].message.endswith("excluded: none of their test ratings reaches 4.")
    assert findings["all_seen"].message.endswith("all their relevant test items are in their training history.")


def test_a_personal_model_with_one_order_for_everybody_is_named_and_popularity_is_not() -> None:
    models = MODELS | {"knn": replace(MODELS["knn"], order="same")}
    finding = found(frames(), replace(PROTOCOL, models=models))["identical_lists"]
    assert finding.message == "Item kNN ranks the items in the same order for all users; check its settings."


def test_models_with_the_same_values_are_named() -> None:
    per_user = frames()
    per_user["knn"] = per_user["ease"].copy()
    assert "EASE and Item kNN have the same value for every user" in found(per_user)["identical_models"].message


def test_missing_baseline_and_missing_results_are_warned_of() -> None:
    models = {name: model for name, model in MODELS.items() if name != "popular"}
    per_user = {name: frame for name, frame in frames().items() if name != "popular"}
    findings = found(per_user, replace(PROTOCOL, models=models, without_result=("iALS", "BPR")))
    assert set(findings) == {"no_baseline", "without_result"}
    assert findings["without_result"].message.startswith("2 models (iALS, BPR) have no result")


def test_findings_turn_into_plain_values() -> None:
    finding = found(frames(users=40))["few_users"]
    assert finding.to_json() == {
        "severity": "warning",
        "rule": "few_users",
        "count": 40,
        "message": finding.message,
    }
