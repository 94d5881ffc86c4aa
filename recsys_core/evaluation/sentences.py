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


LEADS = Template("{model} leads on {metric}: {mean} ({low} to {high}).")
HIGHEST = Template("{model} has the highest {metric}: {mean} ({low} to {high}).")
TIED = Template("{model} cannot be told apart from it ({needed} users would decide).")
TIED_ALIKE = Template("{model} cannot be told apart from it: on average there is no difference at all.")
TIED_FAR = Template("{model} cannot be told apart from it (more than {needed} users would be needed).")
TIED_PLAIN = Template("{model} cannot be told apart from it.")
TIED_MIXED = Template(
    "{model} is behind on average, but the typical user does better with it: neither can be called the better one."
)
TIED_MORE = Template(
    "{models} cannot be told apart from it either.",
    "{count} more cannot be told apart from it either: {models}.",
)
NEXT_BEST = Template("{model} is behind by {difference} ({low} to {high}).")
BEATS_BASELINE = Template("It beats {baseline} by {difference} ({low} to {high}).")
BOTH_BEAT_BASELINE = Template("Both beat {baseline} by at least {difference}.")
ALL_BEAT_BASELINE = Template(
    "It beats {baseline} by {difference}.", "All {count} beat {baseline} by at least {difference}."
)
NOTHING_BEATS_BASELINE = Template("Nothing beats {baseline} for certain.")
ONLY_ONE = Template("{model} stands alone: {metric} {mean} ({low} to {high}). Train a second model to compare it with.")

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
USERS_LEFT_OUT = Template(
    "{count} of {total} test users ({share}) has no relevant test item and is left out.",
    "{count} of {total} test users ({share}) have no relevant test item and are left out.",
)
USERS_WITHOUT_TEST = Template(
    "{count} user has no test case, mostly for having too few interactions.",
    "{count} users have no test case, mostly for having too few interactions.",
)
FEW_USERS = Template(
    "Only {count} user is compared; no difference can be told from chance.",
    "Only {count} users are compared; differences below about {difference} cannot be told from chance.",
)
POPULARITY_CLOSE = Template(
    "{baseline} reaches {share} of the best model ({best}): being personal gains little here. "
    "Look at the tail and at other metrics before choosing.",
)
POPULARITY_LEADS = Template(
    "No model is better than {baseline} for certain: being personal gains nothing here that could be shown."
)
IDENTICAL = Template("{first} and {second} have the same value for every user; perhaps they are the same model.")
NO_BETTER_THAN_RANDOM = Template(
    "{models} cannot be told apart from random recommendations.",
    "{count} models ({models}) cannot be told apart from random recommendations.",
)
SAME_FOR_EVERYBODY = Template(
    "{models} ranks the items in one and the same order for everybody; check its settings.",
    "{count} models ({models}) rank the items in one and the same order for everybody; check their settings.",
)
NO_BASELINE = Template("There is no popularity among the models, so nobody can say what being personal gains.")
WITHOUT_RESULT = Template(
    "{models} has no result and is missing from the comparison.",
    "{count} models ({models}) have no result and are missing from the comparison.",
)


def templates() -> tuple[Template, ...]:
    """Return every template of this module, for those who translate them."""
    return tuple(value for value in globals().values() if isinstance(value, Template))
