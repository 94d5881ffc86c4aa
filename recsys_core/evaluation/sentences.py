"""Formats of numbers in sentences that state a finding, and the sentences of verdicts and protocol checks."""

import math
from collections.abc import Iterable

from recsys_core.text import Template, _, whole

MOST_DECIMALS = 12
"""What is smaller is a rounding error of sums."""


def decimals_for(low: float, high: float) -> int:
    """Return how many decimals an interval supports: down to the first digit of its half-width, between 0 and 12.

    Returns 3 without an interval (equal or undefined ends).
    """
    half = (high - low) / 2
    if not math.isfinite(half) or half <= 0:
        return 3
    return min(MOST_DECIMALS, max(0, -math.floor(math.log10(half))))


def first_decimal(value: float) -> int:
    """Return the number of decimals down to the first digit of a number above 0 that is not 0."""
    return max(0, -math.floor(math.log10(value)))


def metric_text(value: float, *, decimals: int = 3, sign: bool = False) -> str:
    """Format a metric with three decimals, or one significant digit where it would read as 0: 0.372; 0.0004; 0.000.

    Args:
        value: A number.
        decimals: Used where it does not read as 0.
        sign: Whether a positive number has its sign: differences.
    """
    if round(value, MOST_DECIMALS) and not float(f"{value:.{decimals}f}"):
        decimals = first_decimal(abs(value))
    return f"{value:{'+' if sign else ''}z,.{decimals}f}"


def rounded(value: float, low: float, high: float) -> str:
    """Format `value` with the decimals that its interval supports.

    A value that would read as 0, of an interval without 0, gets one significant digit, as the ends do.
    """
    text = f"{value:z.{decimals_for(low, high)}f}"
    if value and not float(text) and not low <= 0 <= high:
        return f"{value:.{first_decimal(abs(value))}f}"
    return text


def interval_text(low: float, high: float, decimals: int | None = None) -> str:
    """Format an interval for a sentence: `0.412 to 0.437`, or `no interval`.

    Args:
        low: Lower end; NaN where there is none.
        high: Upper end.
        decimals: Defaults to those that the interval supports.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return _("no interval")
    least, most = ends(low, high, decimals)
    return _("{low} to {high}").format(low=least, high=most)


def ends(low: float, high: float, decimals: int | None = None) -> tuple[str, str]:
    """Format the ends of an interval, by default with the decimals that it supports.

    An end that would read as 0, of an interval without 0, gets one significant digit: 0.0004 and 0.03. In an interval
    with 0 it reads as 0, without a sign.
    """
    decimals = decimals_for(low, high) if decimals is None else decimals
    least, most = f"{low:z.{decimals}f}", f"{high:z.{decimals}f}"
    if low > 0 and not float(least):
        least = significant(low)
    if high < 0 and not float(most):
        most = f"-{significant(-high)}"
    return least, most


def at_least(low: float, decimals: int) -> str:
    """Format a bound above 0, rounded down so that the text does not overclaim; more decimals where it would be 0."""
    while decimals < MOST_DECIMALS and math.floor(low * 10**decimals) == 0:
        decimals += 1
    return f"{math.floor(low * 10**decimals) / 10**decimals:.{decimals}f}"


def signed(value: float, decimals: int) -> str:
    """Format a change with its sign; without one if it reads as 0."""
    text = f"{value:+.{decimals}f}"
    return text if float(text) else text[1:]


def significant(value: float) -> str:
    """Format a number with one significant digit; a dash for NaN and infinity."""
    if not math.isfinite(value):
        return "-"
    return f"{value:.{first_decimal(value) if value > 0 else 0}f}"


def listed(names: Iterable[object]) -> str:
    """Join names for a sentence: A, B and C."""
    words = [str(name) for name in names]
    if len(words) == 1:
        return words[0]
    return _("{names} and {last}").format(names=", ".join(words[:-1]), last=words[-1])


def about(users: float) -> str:
    """Format a number of users, rounded up to three significant digits: 412, 1,230, 48,100."""
    digits = max(0, math.floor(math.log10(users)) - 2) if users >= 1 else 0
    return whole(math.ceil(users / 10**digits) * 10**digits)


LEADS = Template("{model} leads on {metric}: {mean} ({interval}).")
HIGHEST = Template("{model} has the highest {metric}: {mean} ({interval}).")
SAME_FIRST = Template("{models} are first on {metric}, with exactly the same mean: {mean} ({interval}).")
SAME_HIGHEST = Template("{models} have the highest {metric}, with exactly the same mean: {mean} ({interval}).")
RANKS_FIRST = Template("{model} is first on {metric}, with unequal tuning: {mean} ({interval}).")
TIED = Template(
    "No significant difference from {model} ({level}, sign-flip test, Holm). Detecting one with 80% power takes about "
    "{fewest} to {needed} users, if the true difference is between {upper}, the end of its interval, and the observed "
    "{observed}."
)
TIED_FAR = Template(
    "No significant difference from {model} ({level}, sign-flip test, Holm). Detecting one with 80% power takes about "
    "{fewest} users if the true difference is {upper}, the end of its interval, and far more if it is the observed "
    "{observed}."
)
TIED_NOISE = Template(
    "No significant difference from {model} ({level}, sign-flip test, Holm): a true difference of {detectable} would "
    "have been detected with 80% power, a smaller one less often."
)
TIED_PLAIN = Template("No significant difference from {model} ({level}, sign-flip test, Holm).")
TIED_MORE = Template(
    "No significant difference from {models} either.",
    "No significant difference from {count} more models either: {models}.",
)
SELECTED = Template(
    "{model} has the best mean of {count} models that do not differ significantly, so its mean is probably "
    "overestimated (selection)."
)
FIRST_OF_TIED = Template(
    "{model} is first of {count} models that do not differ significantly, so its mean is probably overestimated "
    "(selection)."
)
UNEQUAL_BUDGETS = Template(
    "{models} was not tuned like the other models, as far as is known (budget, data and metric), so the order of the "
    "models may reflect tuning instead of the algorithms.",
    "{count} models were not tuned like the other models, as far as is known (budget, data and metric), so the order "
    "of the models may reflect tuning instead of the algorithms: {models}.",
)
EXPLORATORY = Template(
    "This is not the primary metric of the experiment: the tests are corrected for {count} exploratory metrics."
)
ONE_TRAINING = Template("One training per model: variation between trainings is not included.")
NEXT_BEST = Template("{model} is behind by {difference} ({interval}).")
BEATS_BASELINE = Template("{leader} beats {baseline} by {difference} ({interval}).")
BOTH_BEAT_BASELINE = Template("Both beat {baseline} by at least {low}, the lower end of the {level} intervals.")
ALL_BEAT_BASELINE = Template(
    "{leader} beats {baseline} by at least {low}, the lower end of the {level} interval.",
    "All {count} beat {baseline} by at least {low}, the lowest end of the {level} intervals.",
)
NOTHING_BEATS_BASELINE = Template("No model is significantly better than {baseline} ({level}, sign-flip test, Holm).")
OTHERS_BEAT_BASELINE = Template(
    "{models} is significantly better than {baseline} ({level}, sign-flip test, Holm); {first} is not.",
    "{models} are significantly better than {baseline} ({level}, sign-flip test, Holm); {first} is not.",
)
ONLY_ONE = Template(
    "{model} is the only model with a value of {metric}: {mean} ({interval}). Train a second one to compare it with."
)

NO_COMMON_USERS = Template(
    "No user has a value for every model, so the models cannot be compared ({count} user was evaluated in total). "
    "Evaluate all models on the same split.",
    "No user has a value for every model, so the models cannot be compared ({count} users were evaluated in total). "
    "Evaluate all models on the same split.",
)
TUNED_ON_TEST = Template(
    "{models} was tuned on this same test set: the best of many settings chosen on test data is biased upwards. "
    "Tune on the validation set instead.",
    "{count} models ({models}) were tuned on this same test set: the best of many settings chosen on test data is "
    "biased upwards. Tune on the validation set instead.",
)
DIFFERENT_USERS = Template(
    "{count} user has no value for some model and is left out; users compared: {common}.",
    "{count} users have no value for some model and are left out; users compared: {common}.",
)
LATER_TRAINING = Template(
    "Temporal leakage in {count} of {total} test cases ({share}): the training data contain later interactions. "
    "A global time split avoids this.",
)
UNBORN_ITEMS = Template(
    "Temporal leakage in {count} of {total} test cases ({share}): the first training interaction of the item is later.",
)
COLD_ITEMS = Template(
    "{count} of {total} test cases ({share}) has an item without training interactions; most models cannot "
    "recommend it.",
    "{count} of {total} test cases ({share}) have an item without training interactions; most models cannot "
    "recommend them.",
)
SEEN_IN_TRAINING = Template(
    "{count} test case is excluded from the ranking: its user has the same item in the training data.",
    "{count} test cases are excluded from the ranking: their users have the same items in the training data.",
)
TIME_UNKNOWN = Template("The data have no timestamps, so temporal leakage cannot be checked.")
ORDER_OF_FILE = Template("The data have no timestamps: the last interaction is the last one in the file.")
UNKNOWN_TEST_USERS = Template(
    "{count} row of the uploaded test set is excluded: its user is not in the training data.",
    "{count} rows of the uploaded test set are excluded: their users are not in the training data.",
)
UNKNOWN_TEST_ITEMS = Template(
    "{count} row of the uploaded test set is excluded: its item is not in the training data.",
    "{count} rows of the uploaded test set are excluded: their items are not in the training data.",
)
NO_HISTORY = Template(
    "{count} of {total} test users ({share}) has no training history: the verdict covers the other {judged}, and "
    "this user is reported separately.",
    "{count} of {total} test users ({share}) have no training history: the verdict covers the other {judged}, and "
    "these users are reported separately.",
)
ABOUT_NEW_USERS = Template(
    "The verdict covers the {count} of {total} test users ({share}) without training history.",
)
ABOUT_ALL_USERS = Template(
    "The verdict covers all {total} test users, {count} of them ({share}) without training history.",
)
NO_NEW_USERS = Template(
    "The only test user has training history, so the verdict covers this user.",
    "All {count} test users have training history, so the verdict covers all of them.",
)
NO_USER_HAS_HISTORY = Template(
    "The only test user has no training history, so the verdict covers this user: it compares what models recommend "
    "without any user history.",
    "None of the {count} test users has a training history, so the verdict covers all of them: it compares what "
    "models recommend without any user history.",
)
EMPTY_LISTS = Template(
    "{model} cannot score any item for {count} of {total} users ({share}): this user's list is empty and counts as 0.",
    "{model} cannot score any item for {count} of {total} users ({share}): their lists are empty and count as 0.",
)
BY_FALLBACK = Template(
    "{model} has no score for {count} of {total} users ({share}): this user gets the list of the fallback.",
    "{model} has no score for {count} of {total} users ({share}): they get the list of the fallback.",
)
EMPTY_LISTS_UNCOUNTED = Template(
    "{model} cannot score any item for {count} of {total} users ({share}): this user's list is empty.",
    "{model} cannot score any item for {count} of {total} users ({share}): their lists are empty.",
)
EMPTY_LISTS_ONE_RATING = Template(
    "{model} cannot score any item for {count} of {total} users ({share}): this user's list is empty and counts as 0. "
    "All training ratings are {rating}, so similarities based on rating differences are undefined.",
    "{model} cannot score any item for {count} of {total} users ({share}): their lists are empty and count as 0. All "
    "training ratings are {rating}, so similarities based on rating differences are undefined.",
)
CONSTANT_SCORES = Template(
    "{models} gives each user the same score for all items, so the order of its lists is random.",
    "{count} models ({models}) give each user the same score for all items, so the order of their lists is random.",
)
USERS_LEFT_OUT = Template(
    "{count} of {total} users ({share}) has no relevant test item and is excluded.",
    "{count} of {total} users ({share}) have no relevant test item and are excluded.",
)
USERS_WITHOUT_TEST = Template("{count} user has no test case.", "{count} users have no test case.")
FOLDS_SHARE = Template(
    "The {count} folds share training data, so a user's values in different folds are not independent. Each user "
    "counts once, with the mean over the folds; the intervals do not include the variation between different "
    "assignments to folds (Nadeau and Bengio 2003).",
)
WINDOWS_SHARE = Template(
    "Each user counts once, with the mean over the {count} time windows in which the user has a test case. Later "
    "windows train on the test cases of earlier ones, so their values are not independent.",
)
TOO_FEW = Template(
    "{count} user has no test case: too few interactions for this split.",
    "{count} users have no test case: they have too few interactions for this split.",
)
NOT_IN_PERIOD = Template(
    "{count} user has no test case: no interaction in the test period.",
    "{count} users have no test case: they have no interaction in the test period.",
)
UNKNOWN_TIME = Template(
    "{count} user has no test case: none of the interactions has a timestamp, so all of them are training data.",
    "{count} users have no test case: none of their interactions has a timestamp, so all of them are training data.",
)
NOT_HELD_OUT = Template(
    "{count} user has no test case: not among the held-out users, so all interactions are training data.",
    "{count} users have no test case: they are not among the held-out users, so all their interactions are training "
    "data.",
)
NO_HELD_ITEM = Template(
    "{count} user has no test case: no interaction with a held-out item.",
    "{count} users have no test case: they have no interaction with a held-out item.",
)
NOT_UPLOADED = Template(
    "{count} user has no test case: not in the uploaded test set.",
    "{count} users have no test case: they are not in the uploaded test set.",
)
UNKNOWN_ITEMS_ONLY = Template(
    "{count} user has no test case: all items of this user in the uploaded test set are missing from the training "
    "data.",
    "{count} users have no test case: all their items in the uploaded test set are missing from the training data.",
)
NO_TARGET = Template(
    "{count} user has no test case: no interaction of the events to predict.",
    "{count} users have no test case: they have no interaction of the events to predict.",
)
BELOW_THRESHOLD = Template(
    "{count} of {total} users ({share}) has no relevant test item and is excluded: no test rating reaches {threshold}.",
    "{count} of {total} users ({share}) have no relevant test item and are excluded: none of their test ratings "
    "reaches {threshold}.",
)
ALL_SEEN = Template(
    "{count} of {total} users ({share}) is excluded: all relevant test items are in the user's training history.",
    "{count} of {total} users ({share}) are excluded: all their relevant test items are in their training history.",
)
FEW_USERS = Template(
    "Only {count} user is compared; no difference can be tested.",
    "Only {count} users are compared; true differences between two models below about {difference} (median over pairs) "
    "would be detected with less than 80% power.",
)
FEW_USERS_ALONE = Template("Only {count} user is compared.", "Only {count} users are compared.")
VERY_FEW_USERS = Template(
    "Only {count} user is compared: one user says nothing about others, and no difference can be tested.",
    "Only {count} users are compared: intervals are wide, and true differences between two models below about "
    "{difference} (median over pairs) would be detected with less than 80% power. Treat this as a trial run, not as a "
    "basis for a decision.",
)
NOTHING_SIGNIFICANT = Template(
    "Only {count} users are compared: the sign-flip test cannot be significant ({level}), however large the "
    "difference. Treat this as a trial run, not as a basis for a decision."
)
VERY_FEW_USERS_ALONE = Template(
    "Only {count} user is compared. Treat this as a trial run, not as a basis for a decision.",
    "Only {count} users are compared. Treat this as a trial run, not as a basis for a decision.",
)
POPULARITY_CLOSE = Template(
    "{baseline} reaches {share} of the first model ({best}): personalization gains little here. "
    "Check tail items and other metrics before choosing.",
)
POPULARITY_LEADS = Template(
    "No model is significantly better than {baseline} ({level}, sign-flip test, Holm): no gain from personalization is "
    "shown for the {users} users compared."
)
IDENTICAL = Template("{first} and {second} have the same value for every user; they may be the same model.")
NO_BETTER_THAN_RANDOM = Template(
    "{models} does not differ significantly from random recommendations.",
    "{count} models ({models}) do not differ significantly from random recommendations.",
)
SAME_FOR_ALL_USERS = Template(
    "{models} ranks the items in the same order for all users; check its settings.",
    "{count} models ({models}) rank the items in the same order for all users; check their settings.",
)
NO_BASELINE = Template("Popularity has no result, so the gain from personalization is unknown.")
WITHOUT_RESULT = Template(
    "{models} has no result and is missing from the comparison.",
    "{count} models ({models}) have no result and are missing from the comparison.",
)
