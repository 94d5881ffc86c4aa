"""Evidence for column roles from cell values: statistics of a sample and the scores derived from them."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from recsys_core.columns import (
    CATEGORIES,
    EVENT,
    INTERACTION_ROLES,
    ITEM_ID,
    PRICE,
    RATING,
    TIMESTAMP,
    TITLE,
    USER_ID,
    WEIGHT,
)
from recsys_core.data.ingest.column_names import event_weight
from recsys_core.data.ingest.number_formats import MISSING, as_number
from recsys_core.data.ingest.timestamps import NUMERIC_UNITS, guess_unit

MOST_VALUES = 2000
"""Maximum number of values examined per column, taken from its beginning and end."""
_MOSTLY = 0.9
_URL = re.compile(r"(https?://|www\.)\S+$", re.IGNORECASE)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[a-z]{2,}$", re.IGNORECASE)
_CENTS = re.compile(r"[.,]\d\d\D{0,4}$")
_MONTH = re.compile(r"(19[7-9]|20\d)\d(0[1-9]|1[0-2])")
_PRECISE = re.compile(r"-?\d{1,3}\.\d{3,}$")
_LISTED = re.compile(r"^[\[{].*[\]}]$|[|]|[^\d\s][,;]\s*\D")
_NESTED = re.compile(r"\s*(\{.*\}|\[.*\])\s*$", re.DOTALL)
_OBJECT = re.compile(r"\s*\{.*\}\s*$", re.DOTALL)
_BARS = re.compile(r"\|")
_LISTING = re.compile(r"[|;]|[^\W\d_]")
_ONE_OF_LIST = re.compile(r"\w*\d[\w-]*")
_ASIN = re.compile(r"(B[0-9A-Z]{9}|\d{9}[\dX]|97[89]\d{10})$")
_REVIEWER = re.compile(r"A[0-9A-Z]{11,20}$")
_USER_SHAPE = re.compile(
    r"(u|usr|user|cust|customer|c|k|kd|kunde|client|cl|person|member|visitor|v)[-_ ]?\d+$", re.IGNORECASE
)
_ITEM_SHAPE = re.compile(
    r"(i|it|item|sku|art|artikel|prod|product|p|m|mv|movie|b|book|t|track|s|song|a|artist|g)[-_ ]?\d+$", re.IGNORECASE
)
TRUE = frozenset(["1", "1.0", "true", "t", "yes", "y", "ja", "j", "oui", "si", "sí", "sim", "да", "是", "はい"])
FALSE = frozenset(["0", "0.0", "false", "f", "no", "n", "nein", "non", "não", "нет", "否", "いいえ"])
_ENOUGH_TO_REPEAT = 30
"""Number of values from which identifiers are expected to repeat, and two of them are too few."""
_SIGNATURE = ((re.compile(r"\d+"), "9"), (re.compile(r"[^\W\d_]+"), "a"), (re.compile(r"(a )+a"), "a a"))


def thinned(values: Sequence[str], most: int = MOST_VALUES) -> list[str]:
    """Return at most `most` values, from the beginning and the end."""
    if len(values) <= most:
        return list(values)
    return [*values[: most // 2], *values[-(most - most // 2) :]]


def signature(value: str) -> str:
    """Return the shape of a value: runs of digits become 9, runs of letters a, the rest is unchanged."""
    for pattern, stand_in in _SIGNATURE:
        value = pattern.sub(stand_in, value)
    return value


@dataclass(frozen=True)
class ColumnFacts:
    """Sample values of a column and their statistics.

    Args:
        values: Cells as text, in row order, including empty ones.
    """

    values: tuple[str, ...]

    @classmethod
    def of(cls, values: Sequence[str]) -> "ColumnFacts":
        """Return the facts of a column, from a sample if it has many values."""
        return cls(tuple(value.strip() for value in thinned(values)))

    @cached_property
    def given(self) -> tuple[str, ...]:
        """Values that are neither empty nor a missing-value word."""
        return tuple(value for value in self.values if value and value.lower() not in MISSING)

    @cached_property
    def filled(self) -> float:
        """Share of rows that have a value."""
        return len(self.given) / len(self.values) if self.values else 0.0

    @cached_property
    def counts(self) -> Counter[str]:
        """Count of each value."""
        return Counter(self.given)

    @cached_property
    def distinct(self) -> float:
        """Distinct values per non-missing value; 1 if none repeats."""
        return len(self.counts) / len(self.given) if self.given else 0.0

    @cached_property
    def numbers(self) -> tuple[float, ...]:
        """Values that read as numbers."""
        return tuple(number for value in self.given if (number := as_number(value)) is not None)

    @cached_property
    def numeric(self) -> bool:
        """Whether nearly all values are numbers."""
        return bool(self.given) and len(self.numbers) >= _MOSTLY * len(self.given)

    @cached_property
    def partly_numeric(self) -> bool:
        """Whether at least half of the values are numbers, as in a numeric column with bad cells."""
        return bool(self.given) and len(self.numbers) >= 0.5 * len(self.given)

    @cached_property
    def whole(self) -> bool:
        """Whether all numbers are whole."""
        return self.numeric and all(number % 1 == 0 for number in self.numbers)

    @cached_property
    def counter(self) -> bool:
        """Whether the column is a row counter: whole numbers that increase by one."""
        numbers = self.numbers
        if not self.whole or len(numbers) != len(self.values) or len(numbers) < 3:
            return False
        steps = sum(after - before == 1 for before, after in pairwise(numbers))
        return steps >= 0.98 * (len(numbers) - 1)

    @cached_property
    def runs(self) -> float:
        """Share of rows that repeat the previous row's value; near 1 if rows are grouped by this column."""
        pairs = list(pairwise(self.values))
        return sum(before == after for before, after in pairs) / len(pairs) if pairs else 0.0

    @cached_property
    def is_time(self) -> bool:
        """Whether most values are dates, or plausible epoch times."""
        if not self.given or self.counter:
            return False
        if self.numeric:
            compact = self.whole and all(_compact_date(value) for value in self.given[:200])
            return compact or self.epoch
        unit = guess_unit(list(self.given[:500]))
        if unit in NUMERIC_UNITS:  # numbers among words, such as identifiers: times only if they are epoch times
            return _unit_of(sorted(self.numbers)[len(self.numbers) // 2]) > 0
        return unit is not None

    @cached_property
    def months(self) -> bool:
        """Whether the values are months such as 202305."""
        return self.whole and all(map(_MONTH.fullmatch, self.counts))

    @cached_property
    def epoch(self) -> bool:
        """Whether the numbers are epoch times: plausible years, spread out, and mostly distinct or whole hours."""
        ordered = sorted(self.numbers)
        unit = _unit_of(ordered[len(ordered) // 2]) if ordered else 0.0
        if not self.numeric or not unit or any(value.startswith("0") for value in self.given[:200]):
            return False
        spread = (ordered[-1] - ordered[0]) / unit >= 3600 or len(self.counts) < 20
        days = all(number / unit % 3600 == 0 for number in ordered[:200])
        return spread and (self.distinct >= 0.1 or days)

    @cached_property
    def events(self) -> float:
        """Share of values that are known event types."""
        if len(self.counts) > 40:
            return 0.0
        known = sum(count for value, count in self.counts.items() if event_weight(value) is not None)
        return known / len(self.given) if self.given else 0.0

    @cached_property
    def words(self) -> float:
        """Mean number of words per value."""
        return sum(len(value.split()) for value in self.given) / len(self.given) if self.given else 0.0

    @cached_property
    def coordinate(self) -> bool:
        """Whether the values resemble latitudes or longitudes in degrees."""
        return (
            self.numeric
            and not self.whole
            and all(-180 <= number <= 180 for number in self.numbers)
            and self.share(_PRECISE) >= 0.8
            and max(map(abs, self.numbers)) > 1
        )

    @cached_property
    def money(self) -> bool:
        """Whether the values resemble amounts of money: two decimals and many distinct values."""
        return self.numeric and self.share(_CENTS) >= 0.5 and len(self.counts) > 20

    @cached_property
    def scale(self) -> bool:
        """Whether the values resemble ratings: few distinct, evenly spaced, small numbers."""
        if not self.numeric or not 2 <= len(self.counts) <= 101:
            return False
        found = sorted(set(self.numbers))
        usual = sorted(self.numbers)
        high = usual[-1 - len(usual) // 100]
        if not usual[len(usual) // 100] >= -10 or high > 100:
            return False
        halves = all((value * 2) % 1 == 0 for value in found)
        if halves and high <= 10:
            return True
        if high <= 10 and len(self.counts) <= 101 and len(self.given) > 3 * len(self.counts):
            return all(abs(value * 10 - round(value * 10)) < 1e-6 for value in found)
        return self.whole and 10 < high <= 100 and all(value % 5 == 0 for value in found)

    @cached_property
    def nested(self) -> bool:
        """Whether most values are JSON objects or arrays, or lists of identifiers of varying length."""
        if not self.given or self._share(_NESTED.match) >= 0.5:
            return bool(self.given)
        listed = [len(parts) for value in self.given[:200] if (parts := _listed(value))]
        return len(listed) >= 0.5 * min(200, len(self.given)) and (len(set(listed)) > 1 or self.share(_BARS) >= 0.5)

    @cached_property
    def lists(self) -> bool:
        """Whether the longer half of the values are several words with commas, bars or semicolons between them."""
        longest = sorted(self.given[:200], key=len)[len(self.given[:200]) // 2 :]
        parts = [re.split(r"\s*[,;|]\s*", value.strip("[]{}")) for value in longest]
        return bool(parts) and sum(len(found) > 1 and all(found) for found in parts) >= 0.5 * len(parts)

    @cached_property
    def falling(self) -> bool:
        """Whether the smallest number is the most frequent by far and larger ones are rarer, as for quantities."""
        shares = [count for _, count in sorted(Counter(self.numbers).items())]
        fall = all(before >= after for before, after in pairwise(shares))
        return len(shares) > 1 and fall and shares[0] >= 0.5 * sum(shares)

    @cached_property
    def flag(self) -> bool:
        """Whether all values say yes or no."""
        return bool(self.given) and {value.casefold() for value in self.counts} <= TRUE | FALSE

    @property
    def binary(self) -> bool:
        """Whether all values are 0 or 1."""
        return self.numeric and set(self.numbers) <= {0.0, 1.0}

    def share(self, pattern: re.Pattern[str]) -> float:
        """Return the share of the first 200 values in which a pattern occurs."""
        return self._share(pattern.search)

    def _share(self, holds: Callable[[str], object]) -> float:
        some = self.given[:200]
        return sum(map(bool, map(holds, some))) / len(some) if some else 0.0

    def matching(self, pattern: re.Pattern[str]) -> bool:
        """Return whether at least 90 % of the first 200 values match a pattern at their start."""
        return self._share(pattern.match) >= _MOSTLY


def _unit_of(number: float) -> float:
    """Return units per second if a number is an epoch time between 1990 and 2100, else 0."""
    return next((unit for unit in (1.0, 1e3, 1e6, 1e9) if 6.3e8 * unit <= number <= 4.1e9 * unit), 0.0)


def _listed(value: str) -> list[str]:
    """Return the identifiers in a list such as `N5113 N4020` or `12|7|40`, none if it is something else.

    Digits with spaces or commas are no list: they group the digits of one number.
    """
    if not _LISTING.search(value):
        return []
    parts = re.split(r"[\s|,;]+", value)
    return parts if len(parts) > 1 and all(map(_ONE_OF_LIST.fullmatch, parts)) else []


def _compact_date(value: str) -> bool:
    return len(value) == 8 and value[:2] in {"19", "20"} and "01" <= value[4:6] <= "12" and "01" <= value[6:] <= "31"


def evidence_of_cells(facts: ColumnFacts) -> dict[str, float]:
    """Return the evidence of the cells for (positive) or against (negative) each interaction role."""
    if not facts.given:
        return dict.fromkeys(INTERACTION_ROLES, -6.0)
    if facts.nested:
        return dict.fromkeys(INTERACTION_ROLES, -20.0) | {CATEGORIES: _categories(facts)}
    identifier = _identifier(facts)
    return {
        USER_ID: identifier + _user(facts),
        ITEM_ID: identifier + _item(facts),
        RATING: _rating(facts),
        TIMESTAMP: 2.0 + facts.distinct + 2 * facts.filled if facts.is_time else 1.0 if facts.months else -5.0,
        EVENT: _event(facts),
        WEIGHT: _weight(facts),
        PRICE: _price(facts),
        TITLE: _title(facts),
        CATEGORIES: _categories(facts),
    }


def _identifier(facts: ColumnFacts) -> float:
    """Identifiers repeat, are present in every row, and are not measurements."""
    score = 0.0
    if facts.epoch:
        score -= 4.0
    elif facts.is_time or facts.coordinate or facts.counter or facts.events > 0.5:
        score -= 6.0
    if facts.numeric and not facts.whole:
        score -= 6.0
    if facts.scale and len(facts.given) > 4 * len(facts.counts):
        score -= 2.5
    if len(facts.counts) == 1 and len(facts.given) > 5:
        score -= 7.0
    elif facts.flag and len(facts.given) >= _ENOUGH_TO_REPEAT:
        score -= 9.0
    elif len(facts.given) >= _ENOUGH_TO_REPEAT:
        score += 1.5 if 0.002 < facts.distinct < 0.97 else -2.0 if facts.distinct >= 0.97 else -1.0
    if len(facts.counts) <= 12 < len(facts.given) // 8 and not facts.numeric:
        score -= 2.0
    if facts.filled < 0.9:
        score -= 2.0
    if facts.matching(_URL):
        score -= 2.0
    return score


def _user(facts: ColumnFacts) -> float:
    score = 1.0 if facts.runs > 0.5 and facts.distinct < 0.5 else 0.0
    score += 2.0 if facts.matching(_EMAIL) else 0.0
    score += 2.0 if facts.matching(_REVIEWER) else 1.5 if facts.matching(_USER_SHAPE) else 0.0
    score -= 1.5 if facts.words > 2.5 else 0.5 if facts.words > 1.5 else 0.0
    return score - (2.0 if facts.matching(_ASIN) and not facts.numeric else 0.0)


def _item(facts: ColumnFacts) -> float:
    score = 2.0 if facts.matching(_ASIN) and not facts.numeric else 0.0
    score += 1.5 if facts.matching(_ITEM_SHAPE) and not facts.matching(_USER_SHAPE) else 0.0
    score -= 1.0 if facts.matching(_REVIEWER) or facts.matching(_EMAIL) else 0.0
    return score - (1.0 if facts.words > 8 else 0.0)


def _of_bad_numbers(facts: ColumnFacts) -> float:
    """Return the evidence against rating, weight or price.

    It is milder if some cells are numbers, so that the name decides, and decisive if they are dates: 'rated' is when.
    """
    if facts.is_time and not facts.partly_numeric:
        return -20.0
    return -3.5 if facts.partly_numeric and not facts.numeric else -6.0


def _rating(facts: ColumnFacts) -> float:
    if not facts.numeric or facts.coordinate or facts.is_time or facts.counter:
        return _of_bad_numbers(facts)
    if facts.binary:
        return -0.5
    if facts.scale:
        return 2.5
    if max(map(abs, facts.numbers)) > 1000 or (facts.distinct > 0.5 and len(facts.given) > 50):
        return -4.0
    return -2.0 if facts.money else -1.0


def _event(facts: ColumnFacts) -> float:
    if facts.events > 0.5:
        return 4.0
    if facts.is_time or (facts.distinct > 0.5 and len(facts.given) > 10) or len(facts.counts) > 40:
        return -5.0
    return -2.0 if facts.numeric else -1.0


def _weight(facts: ColumnFacts) -> float:
    if not facts.numeric or facts.coordinate or facts.is_time or facts.counter:
        return _of_bad_numbers(facts)
    if facts.binary:
        return -3.0
    return -0.5 if not facts.scale and facts.distinct < 0.9 else -2.0


def _price(facts: ColumnFacts) -> float:
    if not facts.numeric or facts.coordinate or facts.is_time:
        return _of_bad_numbers(facts)
    return facts.filled if facts.money else -1.5 if facts.whole else -1.0


def _title(facts: ColumnFacts) -> float:
    if facts.numeric or facts.is_time or facts.events > 0.5:
        return -5.0
    return 0.5 if facts.words >= 1.5 and len(facts.counts) > 12 else -1.0


def _categories(facts: ColumnFacts) -> float:
    if facts.is_time or facts.events > 0.5 or (facts.numeric and not facts.whole):
        return -5.0
    if facts.matching(_OBJECT):
        return -5.0
    listed = facts.share(_LISTED) > 0.5
    return 2.0 if listed and not facts.numeric else -0.9 if facts.numeric else -0.5
