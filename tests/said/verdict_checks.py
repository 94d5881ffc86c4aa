"""Checks of the sentences of a verdict."""

import math

from recsys_core.experiments.spec import BASELINES
from tests.said.numbers import Numbers
from tests.said.reading import Said, checks, interval, models_in, same, unit, users_around, whole_number

NOISE, MOST_USERS, FEWEST_USERS = 0.3, 10_000_000, 6


def tied_with_leader(said: Said) -> None:
    """Assert that the named model does not differ from the leader, unless that is too near to the threshold."""
    truth = said.truth
    assert said.sentence.values.get("level", "95%") == "95%"
    assert truth.numbers.differ(leader_of(said), said.model()) is not True


def leader_of(said: Said) -> str:
    """Return a best model that is not the named one."""
    return next(model for model in said.truth.ranked if model != said.model())


def gap(numbers: Numbers, first: str, second: str) -> float:
    return abs(numbers.difference(first, second))


@checks("LEADS", "HIGHEST", "RANKS_FIRST")
def check_leader(said: Said) -> None:
    numbers, model = said.truth.numbers, said.model()
    best = min(numbers.means.values()) if numbers.lower_is_better else max(numbers.means.values())
    assert math.isclose(numbers.means[model], best, abs_tol=1e-12), "another model is better"
    assert (said.name == "HIGHEST") == (said.truth.info.direction == "neither")
    assert (said.name == "RANKS_FIRST") == bool(behind(said) and said.truth.info.direction != "neither")
    check_mean(said)


@checks("ONLY_ONE")
def check_only_one(said: Said) -> None:
    assert said.truth.models == [said.model()], "other models have a value too"
    check_mean(said)


def check_mean(said: Said) -> None:
    low, high, slack = said.truth.numbers.own_interval(said.model())
    mean = said.truth.numbers.means[said.model()]
    same(said["mean"], mean)
    interval(said["interval"], low, high, slack, mean)
    key, _, rest = said.truth.metric.partition("@")
    expected = said.truth.info.title + (f"@{rest.partition(':')[0]}" if rest else "")
    part = said.truth.metric.partition(":")[2]
    assert said["metric"] == expected + (f" ({part})" if part else ""), key


@checks("SAME_FIRST", "SAME_HIGHEST")
def check_alike(said: Said) -> None:
    named = models_in(said["models"], said.truth)
    assert len(named) > 1
    assert all(gap(said.truth.numbers, model, said.truth.ranked[0]) < 1e-12 for model in named)
    assert (said.name == "SAME_HIGHEST") == (said.truth.info.direction == "neither")
    check_mean(said)


@checks("TIED_PLAIN")
def check_plain(said: Said) -> None:
    tied_with_leader(said)


@checks("TIED_NOISE", "TIED", "TIED_FAR")
def check_power(said: Said) -> None:
    tied_with_leader(said)
    numbers, pair = said.truth.numbers, (leader_of(said), said.model())
    assert numbers.users >= FEWEST_USERS
    if said.name == "TIED_NOISE":
        expected = numbers.detectable(*pair)
        same(said["detectable"], expected, 0.06 * expected)
        return
    assert numbers.p(*pair) < NOISE * 1.1, "a difference that is noise is no basis for a number of users"
    same(said["observed"], gap(numbers, *pair))
    low, high, slack = numbers.interval(*pair)
    same(said["upper"], max(abs(low), abs(high)), slack)
    assert float(said["upper"]) >= float(said["observed"])
    upper, step = float(said["upper"]), unit(said["upper"]) / 2
    fewest = [numbers.users_needed(*pair, upper + step * sign) for sign in (1, -1)]
    users_around(said["fewest"], min(max(float(said["fewest"].replace(",", "")), fewest[0]), fewest[1]))
    needed = numbers.users_needed(*pair, gap(numbers, *pair))
    if said.name == "TIED":
        users_around(said["needed"], needed, 0.2)
        assert float(said["fewest"].replace(",", "")) <= float(said["needed"].replace(",", ""))
    else:
        assert needed > 0.8 * MOST_USERS


@checks("TIED_MORE")
def check_more(said: Said) -> None:
    named = models_in(said["models"], said.truth)
    assert said.count == len(named)
    whole_number(said["count"], len(named))
    assert all(said.truth.numbers.differ(said.truth.ranked[0], model) is not True for model in named)


@checks("SELECTED", "FIRST_OF_TIED")
def check_selected(said: Said) -> None:
    truth, leader = said.truth, said.model()
    found = [truth.numbers.differ(leader, model) for model in truth.models if model != leader]
    fewest, most = 1 + sum(one is False for one in found), 1 + sum(one is not True for one in found)
    assert fewest <= said.count <= most
    whole_number(said["count"], said.count)
    assert (said.name == "FIRST_OF_TIED") == bool(behind(said))
    check_leader_is_best(said, leader)


def behind(said: Said) -> set[str]:
    """Return the models with settings that were not tuned, in a run in which others were."""
    with_settings = {model for model in said.truth.models if said.truth.keys[model] not in BASELINES}
    tuned = set(said.truth.spec.tuned)
    return with_settings - tuned if tuned else set()


@checks("UNEQUAL_BUDGETS")
def check_unequal_budgets(said: Said) -> None:
    assert set(models_in(said["models"], said.truth)) == behind(said)
    assert said.count == len(behind(said)) > 0


def check_leader_is_best(said: Said, leader: str) -> None:
    numbers = said.truth.numbers
    assert gap(numbers, leader, said.truth.ranked[0]) < 1e-12


@checks("EXPLORATORY")
def check_exploratory(said: Said) -> None:
    assert not said.truth.primary
    assert said.count == len(said.truth.exploratory)


@checks("ONE_TRAINING")
def check_one_training(said: Said) -> None:
    truth = said.truth
    varying = [m for m in truth.models if truth.stochastic(m) and truth.keys[m] not in BASELINES]
    assert any(set(truth.rows[model]["training"]) == {0} for model in varying)


def significant(said: Said, better: str, worse: str) -> None:
    """Assert that one model is significantly better than another, with the named difference and interval."""
    numbers = said.truth.numbers
    assert (numbers.difference(better, worse) > 0) != numbers.lower_is_better, f"{better} is not better"
    assert numbers.differ(better, worse) is not False
    if "difference" in said.sentence.values:
        low, high, slack = numbers.interval(better, worse)
        difference = gap(numbers, better, worse)
        same(said["difference"], difference)
        near, far = sorted((abs(low), abs(high)))
        interval(said["interval"], near, far, slack, difference)


@checks("NEXT_BEST")
def check_next_best(said: Said) -> None:
    ranked = said.truth.ranked
    assert ranked[1] == said.model()
    significant(said, ranked[0], said.model())


@checks("BEATS_BASELINE")
def check_beats(said: Said) -> None:
    check_leader_is_best(said, said.model("leader"))
    assert said.truth.keys[said.model("baseline")] == "popular"
    significant(said, said.model("leader"), said.model("baseline"))


@checks("BOTH_BEAT_BASELINE", "ALL_BEAT_BASELINE")
def check_all_beat(said: Said) -> None:
    truth, baseline = said.truth, said.model("baseline")
    assert truth.keys[baseline] == "popular"
    assert said.count == 2 if said.name == "BOTH_BEAT_BASELINE" else said.count > 2
    leader, *others = truth.ranked
    leading = [leader, *(m for m in others if m != baseline and truth.numbers.differ(leader, m) is not True)][
        : said.count
    ]
    assert len(leading) == said.count
    bounds = []
    for model in leading:
        significant(said, model, baseline)
        low, high, slack = truth.numbers.interval(model, baseline)
        bounds.append((min(abs(low), abs(high)), slack))
    lowest, slack = min(bounds)
    assert 0 < float(said["low"]) <= lowest + slack, f"{said['low']} is above the lower end {lowest}"
    assert float(said["low"]) >= lowest - unit(said["low"]) - slack


@checks("NOTHING_BEATS_BASELINE")
def check_nothing_beats(said: Said) -> None:
    nothing_beats(said, said.model("baseline"))


def nothing_beats(said: Said, baseline: str) -> None:
    numbers = said.truth.numbers
    for model in said.truth.models:
        better = (numbers.difference(model, baseline) > 0) != numbers.lower_is_better
        assert model == baseline or not better or numbers.differ(model, baseline) is not True, f"{model} is better"


@checks("OTHERS_BEAT_BASELINE")
def check_others_beat(said: Said) -> None:
    named, baseline = models_in(said["models"], said.truth), said.model("baseline")
    assert said.count == len(named)
    for model in named:
        significant(said, model, baseline)
    assert said.truth.ranked[0] not in named
    assert said.model("first") == said.truth.ranked[0]
