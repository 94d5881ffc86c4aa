"""Checks of the sentences that state the question of an experiment."""

import numpy as np

from recsys_core.evaluation.metric_info import METRICS
from recsys_core.models.registry import model_class
from tests.said.reading import Said, checks, per_cent

HOURS_A_DAY = 24


@checks("TARGET", "TARGET_ALONE", "ALL_EVENTS")
def check_predicted(said: Said) -> None:
    truth, spec = said.truth, said.truth.spec
    tested = {event for split in truth.splits for event in split.test.interactions.get("event", ["any"])}
    trained = {event for split in truth.splits for event in split.train.interactions.get("event", ["any"])}
    events = set(truth.case.frame.get("event", ["any"]))
    if said.name == "ALL_EVENTS":
        assert tested == trained == events
        return
    assert set(said["target"].split(" and ")) == tested
    if said.name == "TARGET_ALONE":
        assert trained == events
        return
    weights = {f"{event} (weight {weight:g})" for event, weight in spec.learn_from.items()}
    assert set(said["learned"].split(" and ")) == weights
    assert trained == set(spec.learn_from)


@checks("PREDICTED_ONLY")
def check_predicted_only(said: Said) -> None:
    for split in said.truth.splits:
        assert set(split.test.interactions["event"]) == set(said.truth.spec.target)


@checks("RELEVANT", "ALL_RELEVANT", "ONLY_RELEVANT")
def check_relevance(said: Said) -> None:
    truth, spec = said.truth, said.truth.spec
    if said.name == "ONLY_RELEVANT":
        assert spec.train_on == "relevant"
    threshold = -np.inf if said.name == "ALL_RELEVANT" else float(said["threshold"])
    model = next(iter(truth.rows))
    rows = truth.rows[model]
    counts = dict(
        zip(zip(rows["user"], rows["fold"], strict=True), rows["n_relevant"] + rows["n_relevant_seen"], strict=True)
    )
    for split in truth.splits:
        test = split.test.interactions
        found = test[test["rating"] >= threshold] if np.isfinite(threshold) else test
        items = found.groupby("user")["item"].nunique()
        for user in set(test["user"]):
            assert counts[user, split.fold] == items.get(user, 0)


@checks("SPLIT ratio")
def check_ratio(said: Said) -> None:
    truth, spec = said.truth, said.truth.spec
    per_cent(said["share"], spec.split.test_fraction)
    counts, all_counts = truth.users_of_data(event=True), truth.users_of_data()
    if spec.learn_from:
        return
    test = truth.splits[0].test.interactions["user"].value_counts()
    for user, count in counts.items():
        assert test.get(user, 0) == min(int(count * spec.split.test_fraction + 0.5), all_counts[user] - 1)


@checks("SPLIT leave_last_out")
def check_last(said: Said) -> None:
    truth, last = said.truth, said.truth.spec.split.last
    assert said.count == last
    frame = truth.case.frame
    if truth.spec.target:
        frame = frame[frame["event"].isin(truth.spec.target)]
    by_time = frame.sort_values("timestamp", kind="stable") if "timestamp" in frame else frame
    latest = {user: rows.tail(last) for user, rows in by_time.groupby("user")}
    for user, rows in truth.splits[0].test.interactions.groupby("user"):
        assert sorted(rows["item"]) == sorted(latest[user]["item"])


@checks("SPLIT global_time")
def check_time(said: Said) -> None:
    truth, spec = said.truth, said.truth.spec.split
    per_cent(said["share"], spec.test_fraction)
    assert said.count == len(truth.splits) == spec.windows
    times = np.sort(truth.case.frame["timestamp"].to_numpy())
    shares = np.array([(times >= moment).mean() for moment in np.unique(times)[1:]])
    actual = truth.test_rows / len(times)
    assert abs(actual - spec.test_fraction) <= np.abs(shares - spec.test_fraction).min() + 1e-12
    for split in truth.splits:
        assert split.train.interactions["timestamp"].max() < split.test.interactions["timestamp"].min()


@checks("FIXED_WINDOWS")
def check_fixed(said: Said) -> None:
    truth = said.truth
    first = truth.case.frame["timestamp"].min()
    borders = [split.test.interactions["timestamp"].min() for split in truth.splits]
    for border, split in zip(borders, truth.splits, strict=True):
        assert split.train.interactions["timestamp"].min() >= border - (borders[0] - first)


@checks("GAP")
def check_gap(said: Said) -> None:
    days = float(said["days"])
    assert said.truth.spec.split.gap_days == days
    assert (said.count == 1) == (days == 1)
    for split in said.truth.splits:
        border, train = split.test.interactions["timestamp"].min(), split.train.interactions["timestamp"]
        assert border - train.max() > days * HOURS_A_DAY * 3_600_000 - 1


@checks("SPLIT k_fold")
def check_k_fold(said: Said) -> None:
    truth = said.truth
    assert said.count == len(truth.splits) == truth.spec.split.folds
    assert truth.test_rows == sum(truth.users_of_data(event=True).values())


@checks("SPLIT user_holdout")
def check_user_holdout(said: Said) -> None:
    truth, split = said.truth, said.truth.splits[0]
    per_cent(said["share"], truth.spec.split.test_fraction)
    counts = truth.users_of_data()
    able = sum(count > 1 for count in counts.values())
    assert abs(len(truth.in_test) - able * truth.spec.split.test_fraction) <= 0.5
    assert not truth.in_test & set(split.train.interactions["user"])
    tested, given = (part.interactions["user"].value_counts() for part in (split.test, split.history))
    for user in truth.in_test:
        assert tested[user] == max(int(0.2 * counts[user] + 0.5), 1)
        assert given[user] == counts[user] - tested[user]


@checks("SPLIT item_holdout")
def check_item_holdout(said: Said) -> None:
    truth, split = said.truth, said.truth.splits[0]
    per_cent(said["share"], truth.spec.split.test_fraction)
    held, present = set(split.test.interactions["item"]), set(truth.case.frame["item"])
    assert abs(len(held) - truth.spec.split.test_fraction * len(present)) <= 0.5
    assert not held & set(split.train.interactions["item"])
    for model in truth.rows:
        assert set(truth.run.lists(model)["item"]) <= held


@checks("SPLIT uploaded")
def check_uploaded(said: Said) -> None:
    assert said.truth.case.uploaded is not None
    assert said.truth.test_rows <= len(said.truth.case.uploaded)


@checks("USERS with_history", "USERS without_history", "USERS all")
def check_users(said: Said) -> None:
    asked = said.name.removeprefix("USERS ")
    assert said.truth.spec.users == asked


@checks("FALLBACK popularity", "FALLBACK recent_popularity")
def check_fallback(said: Said) -> None:
    """The first item of a served user is the most popular one of the part named that the user has not seen."""
    truth, [split] = said.truth, said.truth.splits
    kind = said.name.removeprefix("FALLBACK ")
    assert truth.spec.fallback == kind
    train = split.train.interactions.sort_values("timestamp")
    if kind == "recent_popularity":
        share = float(said["share"].removesuffix("%")) / 100
        train = train[train["timestamp"] >= train["timestamp"].quantile(1 - share, interpolation="higher")]
    counts = train["item"].value_counts()
    for model, rows in truth.rows.items():
        lists = truth.run.lists(model)
        for user in rows.loc[rows["by_fallback"] > 0, "user"]:
            own = lists[lists["user"] == user].sort_values("rank")["item"]
            assert counts.get(own.iloc[0], 0) == counts.max()


@checks("TRAININGS")
def check_trainings(said: Said) -> None:
    truth = said.truth
    assert int(said["seed"]) == truth.spec.seed
    assert int(said["last"]) == truth.spec.seed + said.count - 1
    for model, rows in truth.rows.items():
        varies = model_class(truth.keys[model]).info.stochastic
        assert set(rows["training"]) == set(range(said.count if varies else 1))


@checks("METRIC")
def check_metric(said: Said) -> None:
    key, _, cutoff = (said.truth.spec.primary or f"ndcg@{said.truth.spec.k}").partition("@")
    length, _, part = cutoff.partition(":")
    assert said["metric"] == METRICS[key].title + (f"@{length}" if length else "") + (f" ({part})" if part else "")
