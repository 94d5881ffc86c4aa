"""Evidence for column roles from column names, in many languages and spellings.

`user_id`, `UserID`, `Kundennr.`, `id_usuario`, `用户编号` and `user_id:token` all name the user. A name is split into
words; the combination of word classes decides, since `user_rating` is a rating and `item_name` is a title.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

from recsys_core.columns import (
    CATEGORIES,
    EVENT,
    INTERACTION_ROLES,
    ITEM_ID,
    PRICE,
    RATING,
    SOURCE_ID,
    TARGET_ID,
    TIMESTAMP,
    TITLE,
    USER_ID,
    WEIGHT,
)
from recsys_core.data.ingest.column_words import EVENT_VALUES, WORDS, Word

SURE, LIKELY, WEAK = 6.0, 4.0, 1.5
"""Strength of name evidence, in the units of `column_roles`."""
_TYPES = frozenset(
    ["token", "float", "token_seq", "float_seq", "int", "str", "string", "integer", "double", "datetime"]
)
_UNITS = re.compile(r"[(\[{（【][^)\]}）】]*[)\]}）】]")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_LETTERS = str.maketrans("łøıđ", "loid")
_SPLIT = re.compile(r"[\W_\d]+")


def _by_word() -> dict[str, frozenset[str]]:
    classes: dict[str, set[str]] = {}
    for name, words in WORDS.items():
        for word in words:
            classes.setdefault(_folded(word), set()).add(name)
    return {word: frozenset(names) for word, names in classes.items()}


def _folded(text: str) -> str:
    """Return a text in lower case, without accents."""
    apart = unicodedata.normalize("NFKD", text)
    joined = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return unicodedata.normalize("NFC", joined).casefold().translate(_LETTERS)


_BY_WORD = _by_word()
_WIDE = {word: names for word, names in _BY_WORD.items() if any(ord(letter) > 0x2E7F for letter in word)}
_LONG = {word for word in _BY_WORD if len(word) >= 4}
_ENDINGS = {word for word in _BY_WORD if len(word) >= 2}
_STEMS = sorted((word for word in _BY_WORD if len(word) >= 5), key=lambda word: (-len(word), word))
"""Words that may be inflected or end a compound, longest first, so that the choice is the same in every process."""
_LONG_STEMS = frozenset(_STEMS)
_INFLECTIONS = frozenset(["a", "e", "i", "o", "u", "y", "ow", "om", "em", "ie", "ia", "ov"])
"""Case and plural endings of languages in Latin script. Others would make 'start' a form of 'stars'."""
_BY_CHANCE = frozenset([
    "action", "actor", "actors", "added", "count", "event", "events", "lector", "liked", "mark", "marks", "member",
    "place", "played", "plays", "points", "rated", "rating", "source", "thing", "version",
])  # fmt: skip
"""Words that end unrelated English words, such as 'moderated', 'discount' or 'something'."""
_DENIED = frozenset(["not", "no", "non", "un", "nicht", "kein", "keine", "pas", "never"])
"""Words after which an undone action did happen."""
_MEASURES = frozenset(["ratio", "rate", "share", "pct", "percent", "percentage", "progress", "ms", "sec", "secs"])
"""Words that make a number of what comes before them, as in `play_ratio`."""
_FEWEST_BEFORE = 3
"""Fewest letters before the last word of a compound: 'history' is no 'story'."""


def bare_head(head: str) -> str:
    """Return a column name without a type suffix (`rating:float`) and without units in brackets."""
    if has_type(head):
        head = head.strip().rpartition(":")[0]
    return _UNITS.sub(" ", head).strip() or head.strip()


def has_type(head: str) -> bool:
    """Return whether a column name has a type suffix, as in RecBole's atomic files."""
    name, colon, kind = head.strip().rpartition(":")
    return bool(colon and name and kind.strip().lower() in _TYPES)


def event_weight(value: str) -> float | None:
    """Return the suggested weight of an event type, None if it is unknown."""
    plain = _folded(value.strip()).replace(" ", "_")
    known = EVENT_VALUES.get(plain, EVENT_VALUES.get(plain.replace("_", "")))
    if known is None and len(parts := _SPLIT.split(plain)) > 1 and not _DENIED & set(parts):
        return 0.0 if Word.UNDONE in _BY_WORD.get(parts[-1], ()) else None  # wc-cancelled, Order Refunded
    return known


@lru_cache(maxsize=10_000)
def words_of(head: str) -> frozenset[str]:
    """Return the classes of the words in a column name; see `column_words`."""
    bare = bare_head(head)
    whole = _SPLIT.sub("", _folded(bare))
    if whole in _BY_WORD:
        return _BY_WORD[whole]
    child = bare.rpartition(".")[2]  # of the path of a nested value, such as event_properties.song_id
    if child != bare and len(_tokens(child)) > 1 and (inner := words_of(child)) - {Word.ID}:
        return inner
    found: set[str] = set()
    tokens = _tokens(bare)
    for token in tokens:
        found |= _of_token(token)
    if len(tokens) > 1 and _only_describes(tokens):
        found.discard(Word.COUNT)
    if not found:
        found |= _of_token(whole)
    return frozenset(found)


def _tokens(head: str) -> list[str]:
    return [token for token in _SPLIT.split(_folded(_CAMEL.sub(" ", head))) if token]


def _only_describes(tokens: Sequence[str]) -> bool:
    """Return whether the only word for a count is a singular that describes a later word, as in click_environment."""
    counts = [token for token in tokens if Word.COUNT in _of_token(token)]
    last = tokens[-1]
    measured = last in _MEASURES or _of_token(last) & {Word.COUNT, Word.TIME, Word.VALUE}
    return not measured and all(token not in _BY_WORD and f"{token}s" in _BY_WORD for token in counts)


def _of_token(token: str) -> frozenset[str]:
    """Return the classes of one word: a known word, its plural, or a compound of known words."""
    for word in (token, token.removesuffix("s"), token.removesuffix("en"), token.removesuffix("n")):
        if word in _BY_WORD:
            return _BY_WORD[word]
    if Word.COUNT in _BY_WORD.get(f"{token}s", ()) and EVENT_VALUES.get(token, 1.0) == 1.0:  # view, click, unit
        return _BY_WORD[f"{token}s"]
    if any(ord(letter) > 0x2E7F for letter in token):
        return _of_wide(token)
    return _of_compound(token)


def _of_wide(token: str) -> frozenset[str]:
    """Return the classes of the longest known words in a text without spaces."""
    found: set[str] = set()
    rest = token
    for word in sorted(_WIDE, key=len, reverse=True):
        if word in rest:
            found |= _WIDE[word]
            rest = rest.replace(word, " ")
    if "id" in rest:
        found.add(Word.ID)
    return frozenset(found)


def _of_compound(token: str) -> frozenset[str]:
    """Return the classes of a compound such as `kundennummer` or `artikelname`; empty if a component is unknown."""
    for cut in range(len(token) - 1, 2, -1):
        front, back = token[:cut], token[cut:]
        if back not in _ENDINGS:
            continue
        for linked in (front, front.removesuffix("s"), front.removesuffix("n"), front.removesuffix("en")):
            if linked in _LONG:
                return _BY_WORD[linked] | _BY_WORD[back]
    known = _uninflected(token) or _last_word(token)
    return _BY_WORD[known] if known else frozenset()


def _uninflected(token: str) -> str:
    """Return the longest known word of which a token is an inflected form, as in id_фильма or nazwa_produktu."""
    if not token.isascii():
        return next((word for word in _STEMS if token.startswith(word[:-1]) and len(token) - len(word) <= 2), "")
    cuts = [cut for cut in (len(token) - 1, len(token) - 2) if token[cut:] in _INFLECTIONS]
    return next((word for cut in cuts for word in (token[:cut], f"{token[:cut]}a") if word in _LONG_STEMS), "")


def _last_word(token: str) -> str:
    """Return the longest known word at the end of a compound whose first word is unknown, as in `lieblingsfilme`."""
    ends = (token[cut:] for cut in range(_FEWEST_BEFORE, len(token)))
    return next((end for end in ends if end in _LONG_STEMS and end not in _BY_CHANCE), "")


def is_known_name(head: str) -> bool:
    """Return whether a cell looks like a column name."""
    return has_type(head) or bool(words_of(head))


@lru_cache(maxsize=10_000)
def evidence_of_name(head: str) -> Mapping[str, float]:
    """Return the evidence of a column name for (positive) or against (negative) each role."""
    words = words_of(head)
    found = (decide(words) for decide in _RULES) if words else ()
    return next((evidence for evidence in found if evidence is not None), {})


def _done(words: frozenset[str]) -> dict[str, float] | None:
    """A participle alone, such as 'rated' or 'purchased', is a time, a number or a flag: the cells decide."""
    if Word.DONE not in words or words - {Word.DONE, Word.RATING}:
        return None
    told = {RATING: SURE} if Word.RATING in words else {WEIGHT: WEAK + 1}
    return {**_against(TIMESTAMP, EVENT, *told), **told}


def _undone(words: frozenset[str]) -> dict[str, float] | None:
    """Refunded quantities are no quantities, and the date of a return counts only if there is no other."""
    if words & {Word.UNDONE, Word.DUE} and Word.TIME in words:
        return {TIMESTAMP: WEAK, **_against(TIMESTAMP)}
    return _against() if Word.UNDONE in words and Word.EVENT not in words else None


def _time(words: frozenset[str]) -> dict[str, float] | None:
    if not words & {Word.TIME, Word.PART_OF_DAY} or (Word.USER in words and Word.ID in words):
        return None
    if Word.PART_OF_DAY in words:
        return _against(TIMESTAMP)
    if Word.COUNT in words:
        return {WEIGHT: WEAK, TIMESTAMP: WEAK}
    return {TIMESTAMP: SURE, **_against(TIMESTAMP)}


def _rating(words: frozenset[str]) -> dict[str, float] | None:
    if Word.RATING not in words:
        return None
    if Word.ID in words or Word.COUNT in words:
        return _against()
    return {RATING: SURE, **_against(RATING)}


def _row(words: frozenset[str]) -> dict[str, float] | None:
    """Order, receipt and row numbers are neither user nor item."""
    if Word.INDEX in words:
        return _against()
    if Word.ORDER not in words:
        return None
    if Word.ITEM in words:
        return {ITEM_ID: WEAK if Word.ID in words else LIKELY, **_against(ITEM_ID)}
    if Word.USER in words:
        return {USER_ID: WEAK}
    return {**_against(), USER_ID: -2.0}


def _quantity(words: frozenset[str]) -> dict[str, float] | None:
    if words == {Word.VALUE}:
        return {RATING: WEAK, PRICE: WEAK, WEIGHT: WEAK, **_against(RATING, PRICE, WEIGHT)}
    total = Word.TOTAL in words and Word.COUNT not in words
    if (Word.PRICE in words or total) and not (words & {Word.ID, Word.USER}):
        return {PRICE: SURE, **_against(PRICE)}
    if Word.COUNT in words and not (words & {Word.ID}) and (not words & {Word.ITEM, Word.USER} or len(words) > 1):
        return {WEIGHT: LIKELY if words == {Word.COUNT} or Word.EVENT in words else WEAK + 1, **_against(WEIGHT)}
    return None


def _category(words: frozenset[str]) -> dict[str, float] | None:
    if Word.CATEGORY not in words:
        return None
    return {EVENT: SURE, **_against(EVENT)} if Word.EVENT in words else {CATEGORIES: LIKELY, **_against(CATEGORIES)}


def _description(words: frozenset[str]) -> dict[str, float] | None:
    if words & {Word.PLACE, Word.LINK} and not words & {Word.ID}:
        return _against()
    if Word.TEXT in words:
        return _against() if words & {Word.ID, Word.ORDER} else {TITLE: 1.0, **_against(TITLE)}
    if Word.NAME in words:
        if Word.USER in words:
            return {USER_ID: WEAK, **_against(USER_ID)}
        return {TITLE: SURE if Word.ITEM in words or words == {Word.NAME} else LIKELY, ITEM_ID: -1.0, USER_ID: -2.0}
    if words & {Word.PERSONAL, Word.FEATURE}:
        return _against()
    return _against(TIMESTAMP) if Word.PERIOD in words else None


def _event(words: frozenset[str]) -> dict[str, float] | None:
    if Word.EVENT not in words:
        return None
    return _against() if Word.ID in words else {EVENT: SURE, **_against(EVENT)}


def _members(words: frozenset[str]) -> dict[str, float] | None:
    if Word.CONTACT in words:
        return {USER_ID: LIKELY - 0.5, **_against(USER_ID)}
    if Word.SESSION in words:
        return {USER_ID: LIKELY - 1, **_against(USER_ID)}
    ends = {SOURCE_ID: SURE} if Word.SOURCE in words else {TARGET_ID: SURE} if Word.TARGET in words else {}
    return ends or _user_or_item(words)


def _user_or_item(words: frozenset[str]) -> dict[str, float] | None:
    if Word.USER in words and Word.ITEM in words:
        return {USER_ID: WEAK, ITEM_ID: WEAK}
    if Word.USER in words:
        return {USER_ID: SURE if Word.ID in words or words <= {Word.USER, Word.AUTHOR} else LIKELY, **_against(USER_ID)}
    if Word.ITEM in words:
        return {ITEM_ID: SURE if Word.ID in words or len(words) == 1 else LIKELY, **_against(ITEM_ID)}
    return {ITEM_ID: 0.5, USER_ID: 0.5, **_against(ITEM_ID, USER_ID)} if Word.ID in words else None


def _against(*but: str) -> dict[str, float]:
    """Return evidence against all interaction roles except these."""
    return {role: -5.0 for role in INTERACTION_ROLES if role not in but}


_RULES = (_done, _undone, _time, _rating, _quantity, _category, _event, _description, _row, _members)
