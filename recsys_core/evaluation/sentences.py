"""Sentences that state a finding: English templates with named places, and the values that fill them.

A page passes `one` and `many` through its catalogue (`ngettext(one, many, count)`) and fills the translation with
`values`; `str(sentence)` is the English text.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sentence:
    """A sentence for a person.

    Args:
        one: Template for a count of one, and where nothing is counted.
        many: Template for all other counts.
        count: What decides between the two.
        values: Text for each named place of the template.
    """

    one: str
    many: str
    count: int
    values: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return (self.one if self.count == 1 else self.many).format(**self.values)


@dataclass(frozen=True)
class Template:
    """A sentence whose places are still empty.

    Args:
        one: With named places, for a count of one.
        many: For other counts; empty if the wording does not depend on a count.
    """

    one: str
    many: str = ""

    def fill(self, count: int = 1, /, **values: str) -> Sentence:
        """Return the sentence about `count` things; `{count}` is filled in with thousands set apart."""
        return Sentence(self.one, self.many or self.one, count, {"count": whole(count), **values})


def whole(number: float) -> str:
    """Return a number of things with thousands set apart: 25,000,095."""
    return f"{number:,.0f}"


def percent(share: float) -> str:
    """Return a share (0..1) in whole per cent; small and nearly full ones with one decimal."""
    return f"{share:.1%}" if 0 < share < 0.1 or 0.9 < share < 1 else f"{share:.0%}"


def decimals_for(low: float, high: float) -> int:
    """Return how many decimals an interval supports: the first digit of its half width, between 0 and 6.

    Without an interval (equal or undefined ends) three.
    """
    half = (high - low) / 2
    if not math.isfinite(half) or half <= 0:
        return 3
    return min(6, max(0, -math.floor(math.log10(half))))


def rounded(value: float, low: float, high: float) -> str:
    """Return `value` with the decimals that its interval supports."""
    return f"{value:.{decimals_for(low, high)}f}"


def interval_text(low: float, high: float, decimals: int | None = None) -> str:
    """Return an interval as a sentence holds it, `0.412 to 0.437`, or that there is none.

    Args:
        low: Lower end; NaN where there is none.
        high: Upper end.
        decimals: By default those that the interval supports.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return "no interval"
    decimals = decimals_for(low, high) if decimals is None else decimals
    return f"{low:.{decimals}f} to {high:.{decimals}f}"


def at_least(low: float, decimals: int) -> str:
    """Return a bound above 0, rounded down, so that the text claims no more; with more decimals where it would be 0."""
    while decimals < 12 and math.floor(low * 10**decimals) == 0:
        decimals += 1
    return f"{math.floor(low * 10**decimals) / 10**decimals:.{decimals}f}"


def significant(value: float) -> str:
    """Return a number in one significant digit; a dash where there is none."""
    if not math.isfinite(value):
        return "-"
    decimals = max(0, -math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:.{decimals}f}"


def listed(names: Iterable[object]) -> str:
    """Return names as a sentence holds them: A, B and C."""
    words = [str(name) for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def about(users: float) -> str:
    """Return a number of users in three digits: 412, 1,230, 48,100."""
    digits = max(0, math.floor(math.log10(users)) - 2) if users >= 1 else 0
    return whole(math.ceil(users / 10**digits) * 10**digits)


LEADS = Template("{model} leads on {metric}: {mean} ({interval}).")
HIGHEST = Template("{model} has the highest {metric}: {mean} ({interval}).")
TIED = Template(
    "No significant difference to {model} ({level}, Holm): about {needed} users are needed to detect one, "
    "if the true difference is as large as the observed one."
)
TIED_ALIKE = Template("{model} reaches exactly the same mean.")
TIED_FAR = Template(
    "No significant difference to {model} ({level}, Holm): more than {needed} users are needed to detect one, "
    "if the true difference is as large as the observed one."
)
TIED_PLAIN = Template("No significant difference to {model} ({level}, Holm).")
TIED_MORE = Template(
    "No significant difference to {models} either.",
    "No significant difference to {count} more models either: {models}.",
)
NEXT_BEST = Template("{model} is behind by {difference} ({interval}).")
BEATS_BASELINE = Template("It beats {baseline} by {difference} ({interval}).")
BOTH_BEAT_BASELINE = Template("Both beat {baseline} by at least {low}, the lower end of the {level} intervals.")
ALL_BEAT_BASELINE = Template(
    "It beats {baseline} by at least {low}, the lower end of the {level} interval.",
    "All {count} beat {baseline} by at least {low}, the lowest end of the {level} intervals.",
)
NOTHING_BEATS_BASELINE = Template("No model is significantly better than {baseline} ({level}, Holm).")
OTHERS_BEAT_BASELINE = Template(
    "{models} is significantly better than {baseline} ({level}, Holm); the leader is not.",
    "{models} are significantly better than {baseline} ({level}, Holm); the leader is not.",
)
ONLY_ONE = Template("{model} stands alone: {metric} {mean} ({interval}). Train a second model to compare it with.")

NO_COMMON_USERS = Template(
    "No user has a value for every model, so nothing can be compared ({count} user was judged in all). "
    "Judge all models on one split.",
    "No user has a value for every model, so nothing can be compared ({count} users were judged in all). "
    "Judge all models on one split.",
)
TUNED_ON_TEST = Template(
    "{models} was judged with many settings on this same test part: chosen that way, the best of them is too good. "
    "Choose settings by a validation part.",
    "{count} models ({models}) were judged with many settings on this same test part: chosen that way, the best of "
    "them are too good. Choose settings by a validation part.",
)
DIFFERENT_USERS = Template(
    "{count} user was not judged for every model; only the {common} common users are compared.",
    "{count} users were not judged for every model; only the {common} common users are compared.",
)
LATER_TRAINING = Template(
    "{count} of {total} test cases ({share}) is older than some of the training data: models know its future. "
    "A split by global time has no such leak.",
    "{count} of {total} test cases ({share}) are older than some of the training data: models know their future. "
    "A split by global time has no such leak.",
)
UNBORN_ITEMS = Template(
    "{count} of {total} test cases ({share}) is of an item that nobody in the training data had at that time.",
    "{count} of {total} test cases ({share}) are of items that nobody in the training data had at that time.",
)
COLD_ITEMS = Template(
    "{count} of {total} test cases ({share}) is of an item that does not stand in the training data; "
    "most models cannot find it.",
    "{count} of {total} test cases ({share}) are of items that do not stand in the training data; "
    "most models cannot find them.",
)
SEEN_IN_TRAINING = Template(
    "{count} test case is left out of the ranking: its user had the same item in training, so it is no recommendation.",
    "{count} test cases are left out of the ranking: their users had the same items in training, "
    "so they are no recommendations.",
)
TIME_UNKNOWN = Template("The time of interactions is not known, so nobody can say what the split leaks of the future.")
ORDER_OF_FILE = Template("The time of interactions is not known: the last interaction is the last one in the file.")
UNKNOWN_TEST_USERS = Template(
    "{count} row of the uploaded test part is left out: its user does not stand in the training data.",
    "{count} rows of the uploaded test part are left out: their users do not stand in the training data.",
)
UNKNOWN_TEST_ITEMS = Template(
    "{count} row of the uploaded test part is left out: its item does not stand in the training data.",
    "{count} rows of the uploaded test part are left out: their items do not stand in the training data.",
)
NO_HISTORY = Template(
    "{count} of {total} test users ({share}) has no training history: the verdict is about the other {judged}, and "
    "this user is reported apart.",
    "{count} of {total} test users ({share}) have no training history: the verdict is about the other {judged}, and "
    "these users are reported apart.",
)
NOBODY_HAS_HISTORY = Template(
    "The only test user has no training history, so the verdict is about this user: it compares what models recommend "
    "without knowing anything about a user.",
    "None of the {count} test users has any training history, so the verdict is about all of them: it compares what "
    "models recommend without knowing anything about a user.",
)
EMPTY_LISTS = Template(
    "{model} can score no item for {count} of {total} users ({share}): this user's list is empty and counts as 0.",
    "{model} can score no item for {count} of {total} users ({share}): their lists are empty and count as 0.",
)
EMPTY_LISTS_ONE_RATING = Template(
    "{model} can score no item for {count} of {total} users ({share}): this user's list is empty and counts as 0. All "
    "training ratings are {rating}, so similarities that compare differences between ratings are undefined.",
    "{model} can score no item for {count} of {total} users ({share}): their lists are empty and count as 0. All "
    "training ratings are {rating}, so similarities that compare differences between ratings are undefined.",
)
CONSTANT_SCORES = Template(
    "{models} gives each user the same score for all items, so its lists are in random order.",
    "{count} models ({models}) give each user the same score for all items, so their lists are in random order.",
)
USERS_LEFT_OUT = Template(
    "{count} of {total} test users ({share}) has no relevant test item and is left out.",
    "{count} of {total} test users ({share}) have no relevant test item and are left out.",
)
USERS_WITHOUT_TEST = Template("{count} user has no test case.", "{count} users have no test case.")
FOLDS_SHARE = Template(
    "The {count} folds share training data, so a user's values in different folds are not independent. Each user "
    "counts once, with the mean over the folds; intervals do not include what another deal of the folds would change "
    "(Nadeau and Bengio 2003).",
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
    "{count} user has no test case: no interaction of known time, so all of them are training data.",
    "{count} users have no test case: they have no interaction of known time, so all of them are training data.",
)
NOT_HELD_OUT = Template(
    "{count} user has no test case: the split drew other users to be held out, and this one is training data.",
    "{count} users have no test case: the split drew other users to be held out, and these are training data.",
)
NO_HELD_ITEM = Template(
    "{count} user has no test case: no interaction with a held-out item.",
    "{count} users have no test case: they have no interaction with a held-out item.",
)
NOT_UPLOADED = Template(
    "{count} user has no test case: not in the uploaded test part.",
    "{count} users have no test case: they are not in the uploaded test part.",
)
UNKNOWN_ITEMS_ONLY = Template(
    "{count} user has no test case: the uploaded test part holds only items that the training data do not have.",
    "{count} users have no test case: the uploaded test part holds only items for them that the training data do not "
    "have.",
)
BELOW_THRESHOLD = Template(
    "{count} of {total} test users ({share}) has no relevant test item and is left out: no test rating reaches "
    "{threshold}.",
    "{count} of {total} test users ({share}) have no relevant test item and are left out: none of their test ratings "
    "reaches {threshold}.",
)
ALL_SEEN = Template(
    "{count} of {total} test users ({share}) is left out: all relevant test items were in the user's training history.",
    "{count} of {total} test users ({share}) are left out: all their relevant test items were in their training "
    "history.",
)
FEW_USERS = Template(
    "Only {count} user is compared; no difference can be shown.",
    "Only {count} users are compared; true differences below about {difference} would mostly go unnoticed.",
)
VERY_FEW_USERS = Template(
    "Only {count} user is compared: one user says nothing about others, and no difference can be shown.",
    "Only {count} users are compared: intervals are wide, one more user can change the order of the models, and true "
    "differences below about {difference} would mostly go unnoticed. Take this as a trial run, not as a decision.",
)
POPULARITY_CLOSE = Template(
    "{baseline} reaches {share} of the best model ({best}): personalization gains little here. "
    "Look at the tail and at other metrics before choosing.",
)
POPULARITY_LEADS = Template(
    "No model is significantly better than {baseline} ({level}, Holm): no gain from personalization is shown for the "
    "{users} users compared."
)
IDENTICAL = Template("{first} and {second} have the same value for every user; perhaps they are the same model.")
NO_BETTER_THAN_RANDOM = Template(
    "{models} does not differ significantly from random recommendations.",
    "{count} models ({models}) do not differ significantly from random recommendations.",
)
SAME_FOR_EVERYBODY = Template(
    "{models} ranks the items in one and the same order for everybody; check its settings.",
    "{count} models ({models}) rank the items in one and the same order for everybody; check their settings.",
)
NO_BASELINE = Template("Popularity is not among the models, so the gain from personalization is unknown.")
WITHOUT_RESULT = Template(
    "{models} has no result and is missing from the comparison.",
    "{count} models ({models}) have no result and are missing from the comparison.",
)
