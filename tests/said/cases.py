"""The experiments that the sentences are checked on."""

from recsys_core.experiments.spec import ModelSpec
from tests.said.runs import (
    UPLOADED,
    Case,
    against_popularity,
    cycle,
    implicit,
    late_users,
    one_long_history,
    only_late_users,
    repeated,
    taste,
    unknown_times,
    upload,
    whole_catalog,
    with_events,
)

LAST = {"kind": "leave_last_out"}
TIME = {"kind": "global_time"}
MF, LFM = ("biased_mf", {"epochs": 2}), ("lfm", {"epochs": 1})
ONE_RATING = taste(60).assign(rating=4.0).astype({"rating": "float32"})
TRAIN, TEST = upload(taste(40, seed=9))
COLD = late_users(taste(60, seed=5), 45)


def ease(*strengths: float) -> tuple[tuple[str, dict[str, float]], ...]:
    return tuple(("ease", {"regularization": strength}) for strength in strengths)


CASES = (
    Case("winner", taste(120, noise=0.02), ("ease", "item_knn")),
    Case("chance", taste(60, noise=1, skew=0), (*ease(1, 50, 500), "item_knn", LFM), other="novelty@10"),
    Case("tiny", taste(4, 6, (3, 4)), ("ease",), {"split": LAST}),
    Case("one user", one_long_history(), ("ease",), {"split": LAST}),
    Case("tied", taste(60, seed=2), ease(500, 500.01), {"split": LAST}),
    Case("rmse of one", taste(60), ("bias",), {"primary": "rmse"}),
    Case("rmse", taste(110), ("bias", MF, "item_knn"), {"primary": "rmse"}, other="mae"),
    Case("failed", implicit(taste(60)), ("bias", "ease"), {"split": LAST | {"last": 2}}),
    Case("two failed", implicit(taste(60), times=False), ("bias", MF, "ease"), {"split": LAST}),
    Case("no popularity", taste(60), ("ease", "item_knn"), cancelled=("popular",)),
    Case(
        "cold only", only_late_users(taste(60, seed=5), 48), ("ease", "bias"), {"split": TIME | {"test_fraction": 0.1}}
    ),
    Case("one cold", only_late_users(taste(12, seed=5), 11), ("ease",), {"split": TIME | {"test_fraction": 0.05}}),
    Case("some cold", COLD, ("ease", "item_knn"), {"split": TIME | {"test_fraction": 0.4}, "relevant_from": 4}),
    Case("about new", COLD, ("ease",), {"split": TIME | {"test_fraction": 0.4}, "users": "without_history"}),
    Case("about all", COLD, ("ease",), {"split": TIME | {"test_fraction": 0.4}, "users": "all"}),
    Case(
        "fallback",
        COLD,
        ("ease",),
        {"split": TIME | {"test_fraction": 0.4}, "users": "all", "fallback": "popularity"},
    ),
    Case("recent fallback", COLD, ("ease",), {"split": TIME | {"test_fraction": 0.4}, "fallback": "recent_popularity"}),
    Case("about none", taste(60), ("ease",), {"users": "without_history"}),
    Case("folds", taste(60, each=(1, 6)), ("ease", "bias"), {"split": {"kind": "k_fold", "folds": 3}}, other="rmse"),
    Case(
        "folds and seeds",
        taste(60),
        ("bias", MF),
        {"split": {"kind": "k_fold", "folds": 2}, "seeds": 2, "primary": "rmse"},
    ),
    Case(
        "folds of buys",
        with_events(taste(60)),
        ("ease",),
        {"split": {"kind": "k_fold", "folds": 3}, "target": ("buy",)},
    ),
    Case("windows", taste(60, each=(8, 12)), ("ease",), {"split": TIME | {"windows": 3, "test_fraction": 0.5}}),
    Case(
        "windows and gap",
        taste(60),
        ("ease",),
        {"split": TIME | {"windows": 2, "window_training": "fixed", "gap_days": 1}},
    ),
    Case("unknown times", unknown_times(taste(60), 8), ("ease",), {"split": TIME | {"gap_days": 2.5}}),
    Case("five seeds", taste(60), (LFM, "ease"), {"seeds": 5, "primary": "recall@5"}, other="ndcg@10"),
    Case(
        "held-out users",
        taste(60, each=(1, 8)),
        ("ease", MF),
        {"split": {"kind": "user_holdout", "test_fraction": 0.5}},
    ),
    Case(
        "held-out users again",
        repeated(taste(40)),
        ("ease",),
        {"split": {"kind": "user_holdout", "test_fraction": 0.5}},
    ),
    Case("held-out items", taste(60), ("item_knn", "bias"), {"split": {"kind": "item_holdout"}}),
    Case("upload", TRAIN, ("ease",), {"split": {"kind": "uploaded", "test_data": UPLOADED}}, uploaded=TEST),
    Case("threshold", taste(60, each=(5, 7)), ("ease",), {"relevant_from": 4.5, "train_on": "relevant"}, other="auc"),
    Case("one rating", ONE_RATING, (("item_knn", {"similarity": "pearson"}), "ease"), {"split": LAST}),
    Case(
        "one rating, cold",
        late_users(ONE_RATING, 45),
        ("item_knn",),
        {"split": TIME | {"test_fraction": 0.4}, "users": "all"},
    ),
    Case("learned buys", with_events(taste(60)), ("ease",), {"learn_from": {"buy": 2.5}}),
    Case(
        "weighted",
        with_events(taste(80)),
        ("ease",),
        {"target": ("buy",), "learn_from": {"view": 1, "buy": 5}, "split": LAST},
    ),
    Case("buys", with_events(taste(80)), ("ease",), {"target": ("buy",)}),
    Case("constant", cycle(), ("ease", "bias"), {"split": LAST}),
    Case("tuned", taste(60), tuple(("item_knn", {"neighbors": n}) for n in (2, 3, 4, 5, 6)), {"split": LAST}),
    Case(
        "unequal budgets",
        taste(60),
        ("ease", "item_knn", "bias"),
        {"tuned": {ModelSpec(key="ease").id: {"tuning": "1" * 16, "budget": {"trials": 20}, "metric": "ndcg@10"}}},
    ),
    Case("unpopular", against_popularity(), ("ease",), {"split": LAST, "primary": "recall@10"}),
    Case("again", repeated(taste(60)), ("ease",), {"split": {"validation_fraction": 0.2}}),
    Case("popular taste", taste(300, noise=1, skew=1.5), ("ease", "bias"), {"split": LAST}),
    Case("large", taste(2300, 12, (4, 6), noise=0.1), ("ease",), {"split": LAST}),
    Case("tail", taste(120), ("ease",), {"primary": "ndcg@10:tail"}, other="ndcg@10"),
    Case("whole catalog", whole_catalog(), ("ease", "item_knn"), {"split": LAST}, other="novelty@10"),
    Case(
        "empty lists and rmse",
        late_users(taste(60, seed=7), 40),
        ("item_knn", "bias"),
        {"split": TIME | {"test_fraction": 0.4}, "users": "all", "primary": "rmse"},
        other="auc",
    ),
)

SAYS = {
    "winner": (
        "LEADS",
        "TIED",
        "TIED_NOISE",
        "SELECTED",
        "BOTH_BEAT_BASELINE",
        "EXPLORATORY",
        "LATER_TRAINING",
        "UNBORN_ITEMS",
        "SPLIT ratio",
        "TRAININGS",
        "METRIC",
        "ALL_EVENTS",
        "ALL_RELEVANT",
        "USERS with_history",
    ),
    "chance": (
        "HIGHEST",
        "TIED_MORE",
        "NEXT_BEST",
        "ONE_TRAINING",
        "NO_BETTER_THAN_RANDOM",
        "POPULARITY_LEADS",
        "NOTHING_BEATS_BASELINE",
        "FEW_USERS",
    ),
    "tiny": (
        "TIED_PLAIN",
        "SAME_FIRST",
        "IDENTICAL",
        "COLD_ITEMS",
        "NOTHING_SIGNIFICANT",
        "VERY_FEW_USERS_ALONE",
        "SPLIT leave_last_out",
    ),
    "one user": (
        "TOO_FEW",
        "VERY_FEW_USERS",
    ),
    "tied": (
        "IDENTICAL",
        "SAME_FIRST",
        "BOTH_BEAT_BASELINE",
    ),
    "rmse of one": (
        "ONLY_ONE",
        "FEW_USERS_ALONE",
    ),
    "rmse": (
        "LEADS",
        "TIED",
        "ONE_TRAINING",
    ),
    "failed": (
        "WITHOUT_RESULT",
        "BEATS_BASELINE",
    ),
    "two failed": (
        "WITHOUT_RESULT",
        "ORDER_OF_FILE",
        "TIME_UNKNOWN",
    ),
    "no popularity": (
        "NO_BASELINE",
        "WITHOUT_RESULT",
    ),
    "cold only": ("NO_USER_HAS_HISTORY",),
    "one cold": (
        "NO_USER_HAS_HISTORY",
        "EMPTY_LISTS",
    ),
    "some cold": (
        "NO_HISTORY",
        "BELOW_THRESHOLD",
        "RELEVANT",
        "NOT_IN_PERIOD",
        "SPLIT global_time",
    ),
    "about new": (
        "ABOUT_NEW_USERS",
        "USERS without_history",
    ),
    "about all": (
        "ABOUT_ALL_USERS",
        "USERS all",
        "EMPTY_LISTS",
    ),
    "fallback": ("BY_FALLBACK", "FALLBACK popularity"),
    "recent fallback": ("FALLBACK recent_popularity",),
    "about none": ("NO_NEW_USERS",),
    "folds": (
        "FOLDS_SHARE",
        "SPLIT k_fold",
        "NO_HISTORY",
    ),
    "folds and seeds": (
        "FOLDS_SHARE",
        "TRAININGS",
        "NEXT_BEST",
    ),
    "folds of buys": (
        "NO_TARGET",
        "TARGET_ALONE",
        "PREDICTED_ONLY",
    ),
    "windows": ("WINDOWS_SHARE",),
    "windows and gap": (
        "WINDOWS_SHARE",
        "FIXED_WINDOWS",
        "GAP",
    ),
    "unknown times": (
        "UNKNOWN_TIME",
        "GAP",
    ),
    "five seeds": (
        "TRAININGS",
        "BEATS_BASELINE",
    ),
    "held-out users": (
        "NOT_HELD_OUT",
        "TOO_FEW",
        "SPLIT user_holdout",
    ),
    "held-out users again": (
        "SEEN_IN_TRAINING",
        "ALL_SEEN",
    ),
    "held-out items": (
        "NO_HELD_ITEM",
        "COLD_ITEMS",
        "SPLIT item_holdout",
    ),
    "upload": (
        "NOT_UPLOADED",
        "UNKNOWN_ITEMS_ONLY",
        "UNKNOWN_TEST_ITEMS",
        "UNKNOWN_TEST_USERS",
        "SPLIT uploaded",
    ),
    "threshold": (
        "ONLY_RELEVANT",
        "EMPTY_LISTS_UNCOUNTED",
    ),
    "learned buys": ("TARGET",),
    "weighted": (
        "TARGET",
        "PREDICTED_ONLY",
    ),
    "buys": ("TARGET_ALONE",),
    "constant": ("CONSTANT_SCORES",),
    "tuned": ("TUNED_ON_TEST",),
    "unequal budgets": ("RANKS_FIRST", "FIRST_OF_TIED", "UNEQUAL_BUDGETS"),
    "again": ("SEEN_IN_TRAINING",),
    "whole catalog": ("ALL_SEEN",),
    "empty lists and rmse": ("EMPTY_LISTS_UNCOUNTED",),
}
"""What must be said about a case, so that no check can become empty."""
