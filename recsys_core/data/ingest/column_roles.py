"""Infer column roles: a joint assignment of roles to columns from names and cells.

Each (role, column) pair gets a score from the column name (`column_names`), from the cells (`column_cells`), and from
whether the item or the user of a row determines the cell (it does for a title, not for a rating). The assignment with
the highest total wins; its margin over the runner-up gives the confidence.
"""

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

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
from recsys_core.contracts import FloatArray
from recsys_core.data.ingest.column_cells import ColumnFacts, evidence_of_cells
from recsys_core.data.ingest.column_names import LIKELY, WEAK, evidence_of_name, words_of
from recsys_core.data.ingest.column_words import Word
from recsys_core.data.ingest.number_formats import MISSING

ITEM_ATTRIBUTE_ROLES = (TITLE, CATEGORIES, PRICE)
"""Roles of columns that describe the item of a row."""
SURE_FROM = 0.8
"""Confidence above which no question is raised."""
_ROW = {role: row for row, role in enumerate(INTERACTION_ROLES)}
"""Row of each role in the (roles, columns) scores."""
_REQUIRED = frozenset([USER_ID, ITEM_ID])
_NEVER = -20.0
_MISSING = -3.0
"""Score of leaving a required role unassigned; columns with a lower score do not get the role."""
_MOSTLY_EVENTS = 0.9
_UNIQUE, _ENOUGH_ROWS = 0.97, 30
"""Share of distinct values above which a column that is not named like a user is no user: no value repeats."""
_FOLLOWS, _ALWAYS = 0.95, 0.999
_VARIES = 0.5
_ABOVE_ZERO = 1000.0
"""Offset that makes all scores positive; every role gets exactly one place, so the optimum is unchanged."""
_CHANCE = 0.8
_UNSAID = 0.75
"""Greatest confidence in a role that the cells suggest, but not the column's name."""


@dataclass(frozen=True)
class Question:
    """An uncertain role assignment.

    Args:
        role: The uncertain role.
        column: The column currently assigned.
        alternative: The second-best column, None if the role would be unassigned.
        roles: The second-best assignment, which *Swap* applies.
        confidence: Confidence in the current assignment, above 0.5 and below 1.
    """

    role: str
    column: int
    alternative: int | None
    roles: Mapping[str, int]
    confidence: float


@dataclass(frozen=True)
class Assignment:
    """Roles of the columns of an interactions table.

    Args:
        roles: Column of each role.
        item_attributes: Columns with further item attributes.
        user_attributes: Columns with further user attributes.
        confidence: Confidence in the user and item columns, between 0.5 and 1.
        questions: Uncertain assignments.
    """

    roles: dict[str, int]
    item_attributes: tuple[int, ...] = ()
    user_attributes: tuple[int, ...] = ()
    confidence: float = 1.0
    questions: tuple[Question, ...] = field(default=())


def assign(names: Sequence[str], columns: Sequence[Sequence[str]], *, named: bool) -> Assignment:
    """Return the most likely roles of the columns of an interactions table.

    Args:
        names: Column names, or placeholders.
        columns: Sample values of each column, all from the same rows.
        named: Whether the names come from the file.
    """
    facts = [ColumnFacts.of(values) for values in columns]
    scores = _scores(names, facts, named=named)
    ways = [scores + more for more in _evidence_of_following(facts, _with_titles_as_items(_best(scores)))]
    scores = max(ways, key=lambda way: _total(way, _best(way)))
    roles, following = _corrected(names, facts, scores, named=named)
    free = [column for column in range(len(facts)) if column not in roles.values()]
    found = Assignment(
        roles,
        tuple(column for column in free if _tells(facts[column]) and following.item(column)),
        tuple(column for column in free if _tells(facts[column]) and following.user(column)),
    )
    item_first = roles.get(ITEM_ID, 0) < roles.get(USER_ID, 0)  # rare in files without a header
    unsaid = {column for column, name in enumerate(names) if named and not evidence_of_name(name)}
    if not named and RATING in roles and facts[roles[RATING]].falling:
        unsaid.add(roles[RATING])
    return _with_questions(found, scores, unusual=not named and item_first, unsaid=unsaid)


def _corrected(
    names: Sequence[str], facts: Sequence[ColumnFacts], scores: FloatArray, *, named: bool
) -> tuple[dict[str, int], "_Following"]:
    """Return the best roles without those that the rows contradict, and which columns follow from user and item.

    Args:
        names: Column names, or placeholders.
        facts: Facts of the columns.
        scores: (roles, columns) evidence; roles that are taken from a column get the score `_NEVER` here.
        named: Whether the names come from the file.
    """
    roles = _with_titles_as_items(_best(scores))
    following = _Following(facts, roles)
    while roles.keys() >= _REQUIRED and following.user_has_one_item() and not _says_item(names[roles[ITEM_ID]]):
        scores[_ROW[ITEM_ID], roles[ITEM_ID]] = _NEVER
        if roles[ITEM_ID] == _best(scores).get(TITLE):  # titles must not return as items
            scores[_ROW[TITLE], roles[ITEM_ID]] = _NEVER
        roles = _with_titles_as_items(_best(scores))
        following = _Following(facts, roles)
    if named and _titles_are_items(names, facts, roles, following):
        title = roles[TITLE]
        scores[_ROW[ITEM_ID]], scores[_ROW[ITEM_ID], title] = _NEVER, scores[_ROW[TITLE], title]
        scores[_ROW[TITLE]] = _NEVER  # the artist of a track is no title of it
        roles = _best(scores)
        following = _Following(facts, roles)
    elif named and following.title_varies():  # the title of a review, say
        scores[_ROW[TITLE], roles.pop(TITLE)] = _NEVER
    if named and (creators := _creators(names, facts, roles)):
        scores[_ROW[USER_ID], creators] = _NEVER
        roles = _with_titles_as_items(_best(scores))
        following = _Following(facts, roles)
    return roles, following


def _says_item(name: str) -> bool:
    """Return whether a column is named after items or their titles."""
    said = evidence_of_name(name)
    return max(said.get(ITEM_ID, 0.0), said.get(TITLE, 0.0)) >= LIKELY


def _titles_are_items(
    names: Sequence[str], facts: Sequence[ColumnFacts], roles: Mapping[str, int], following: "_Following"
) -> bool:
    """Return whether the titles name the items: the item column says nothing, or names what the items belong to.

    In `artist_name, track_name` both columns name items, and an artist has several tracks.
    """
    if not {ITEM_ID, TITLE} <= roles.keys():
        return following.title_varies()
    item, title = roles[ITEM_ID], roles[TITLE]
    if {Word.ITEM, Word.NAME} <= words_of(names[item]) & words_of(names[title]):
        return len(facts[title].counts) > len(facts[item].counts) and not following.item(title)
    return not evidence_of_name(names[item]) and following.title_varies()


def _creators(names: Sequence[str], facts: Sequence[ColumnFacts], roles: Mapping[str, int]) -> list[int]:
    """Return the columns named after authors if one is the user and no item repeats, as in the export of a reader."""
    if not roles.keys() >= _REQUIRED or not _never_repeats(facts[roles[ITEM_ID]]):
        return []
    found = [column for column, name in enumerate(names) if Word.AUTHOR in words_of(name)]
    return found if roles[USER_ID] in found else []


def _never_repeats(fact: ColumnFacts) -> bool:
    return fact.distinct >= _UNIQUE and len(fact.given) >= _ENOUGH_ROWS


def _with_titles_as_items(roles: dict[str, int]) -> dict[str, int]:
    """Return the roles with the titles as items if no other column names the items, as in viewing histories."""
    if ITEM_ID in roles or TITLE not in roles:
        return roles
    return {ITEM_ID if role == TITLE else role: column for role, column in roles.items()}


def _evidence_of_following(facts: Sequence[ColumnFacts], first: Mapping[str, int]) -> list[FloatArray]:
    """Return the dependency evidence for the current user and item columns, and for the swapped ones."""
    ways = [dict(first)]
    if first.keys() >= _REQUIRED:
        ways.append({**first, USER_ID: first[ITEM_ID], ITEM_ID: first[USER_ID]})
    return [_Following(facts, way).evidence(len(facts)) for way in ways]


def _scores(names: Sequence[str], facts: Sequence[ColumnFacts], *, named: bool) -> FloatArray:
    """(roles, columns) scores from names and cells and, without names, from column positions."""
    scores = np.zeros((len(INTERACTION_ROLES), len(facts)))
    for column, fact in enumerate(facts):
        said: Mapping[str, float] = evidence_of_name(names[column]) if named else {}
        shown = evidence_of_cells(fact)
        if fact.events > _MOSTLY_EVENTS and said.get(RATING, 0.0) > 0:  # a vote of 'like' or 'dislike'
            said = {**said, EVENT: 0.0}
        for role, row in _ROW.items():
            scores[row, column] = said.get(role, 0.0) + _tempered(said.get(role, 0.0), shown[role])
        if named and _never_repeats(fact) and 0 < said.get(ITEM_ID, 0.0) < WEAK:  # the identifier of the row
            scores[[_ROW[USER_ID], _ROW[ITEM_ID]], column] += _MISSING
        if not said:
            place = column / max(1, len(facts) - 1)
            unique = named and _never_repeats(fact)
            scores[_ROW[USER_ID], column] += -2.0 if unique else 0.6 * (1 - place)
            scores[_ROW[ITEM_ID], column] += 0.3 * (1 - place)
            scores[_ROW[WEIGHT], column] += 1.2 if not named and _is_amount(fact) else 0.0
            scores[_ROW[RATING], column] += 1.0 if not named and fact.binary and len(fact.counts) > 1 else 0.0
    return scores


def _tempered(said: float, shown: float) -> float:
    """Return the cell evidence, limited where a clear column name outweighs mild counter-evidence."""
    return max(shown, -2.5) if said >= LIKELY and shown > -5.5 else shown


def _is_amount(fact: ColumnFacts) -> bool:
    """Return whether the cells resemble counts or durations: non-negative numbers with a long tail."""
    if not fact.numeric or fact.scale or not fact.numbers:
        return False
    ordered = sorted(fact.numbers)
    return ordered[0] >= 0 and ordered[-1] >= 3 * max(ordered[len(ordered) // 2], 1)


def _best(scores: FloatArray) -> dict[str, int]:
    """Return the assignment of roles to columns with the highest total score.

    Each role has a dummy column as well, so a role that scores badly everywhere stays unassigned.
    """
    roles, columns = scores.shape
    none = np.where(np.eye(roles), 0.0, -np.inf)
    for role in _REQUIRED:
        none[_ROW[role], _ROW[role]] = _MISSING
    edges = coo_array(np.maximum(np.hstack([scores, none]) + _ABOVE_ZERO, 0.0))  # zeros are not stored as edges
    rows, places = min_weight_full_bipartite_matching(edges.tocsr(), maximize=True)
    return {INTERACTION_ROLES[row]: int(place) for row, place in zip(rows, places, strict=True) if place < columns}


def _total(scores: FloatArray, roles: Mapping[str, int]) -> float:
    missing = sum(_MISSING for role in _REQUIRED if role not in roles)
    return missing + sum(float(scores[_ROW[role], column]) for role, column in roles.items())


def _with_questions(assignment: Assignment, scores: FloatArray, *, unusual: bool, unsaid: Container[int]) -> Assignment:
    """Return the assignment with its confidence, and a question for each role with a close runner-up.

    Args:
        assignment: The best assignment.
        scores: (roles, columns) scores.
        unusual: Whether the item precedes the user in a file without a header.
        unsaid: Columns of a file with a header whose names suggest no role, and a rating that may be a quantity.
    """
    best = _total(scores, assignment.roles)
    questions, sure = [], 1.0
    for role in (USER_ID, ITEM_ID, RATING, TIMESTAMP, EVENT):
        if role not in assignment.roles:
            continue
        column = assignment.roles[role]
        without = scores.copy()
        without[_ROW[role], column] = -np.inf
        other = _best(without)
        confidence = 1 / (1 + exp(min(50.0, max(-50.0, _total(scores, other) - best))))
        if column in unsaid and role in {USER_ID, ITEM_ID, RATING}:
            confidence = min(confidence, _UNSAID)
        if role in _REQUIRED:
            own = float(scores[_ROW[role], column])
            confidence = max(0.5, min(confidence, 1 / (1 + exp(-own)), 0.75 if unusual else 1.0))
            sure = min(sure, confidence)
        if confidence < SURE_FROM:
            questions.append(Question(role, column, other.get(role), other, confidence))
    return replace(assignment, confidence=sure, questions=tuple(_one_for_each_answer(questions)))


def _one_for_each_answer(questions: Sequence[Question]) -> list[Question]:
    """Return the questions without those whose *Swap* leads to the same roles as an earlier one."""
    kept: list[Question] = []
    for question in sorted(questions, key=lambda one: one.confidence):
        if all(question.roles != other.roles for other in kept):
            kept.append(question)
    return kept


def _tells(fact: ColumnFacts) -> bool:
    """Return whether a column is worth keeping as an attribute: mostly filled and not constant."""
    return fact.filled >= 0.1 and len(fact.counts) > 1 and not fact.counter


class _Following:
    """Which columns are determined by the item or the user of their row.

    Args:
        facts: Facts of each column.
        roles: A preliminary assignment.
    """

    def __init__(self, facts: Sequence[ColumnFacts], roles: Mapping[str, int]) -> None:
        self._facts = facts
        self._roles = roles
        self._item = self._from(ITEM_ID)
        self._user = self._from(USER_ID)

    def item(self, column: int) -> bool:
        """Return whether the item determines the column's values."""
        return self._item.get(column, 0.0) >= _FOLLOWS

    def user(self, column: int) -> bool:
        """Return whether the user, but not the item, determines the column's values."""
        return self._user.get(column, 0.0) >= _FOLLOWS and not self.item(column)

    def title_varies(self) -> bool:
        """Return whether the items do not determine their titles, so that they are no items."""
        return self._item.get(self._roles.get(TITLE, -1), 1.0) < _VARIES

    def user_has_one_item(self) -> bool:
        """Return whether each user has a single item, so that the item column only names the user again."""
        return self._user.get(self._roles[ITEM_ID], 0.0) >= _ALWAYS

    def evidence(self, columns: int) -> FloatArray:
        """(roles, columns) evidence from these dependencies."""
        found = np.zeros((len(INTERACTION_ROLES), columns))
        for column in range(columns):
            if self.item(column) or self.user(column):
                for role in (RATING, WEIGHT, EVENT, TIMESTAMP):
                    found[_ROW[role], column] -= 3.0
            if self.item(column):
                for role, more in ((TITLE, 1.5), (CATEGORIES, 1.0), (PRICE, 0.5), (ITEM_ID, -1.5), (USER_ID, -3.0)):
                    found[_ROW[role], column] += more
                if self._is_coarse(column):
                    found[_ROW[TITLE], column] -= 2.0
            elif self._item.get(column, 1.0) < _VARIES:
                for role in (TITLE, CATEGORIES):
                    found[_ROW[role], column] -= 4.0
        return found

    def _is_coarse(self, column: int) -> bool:
        """Return whether the column has far fewer distinct values than there are items, like a category."""
        return 2 * len(self._facts[column].counts) < len(self._facts[self._roles[ITEM_ID]].counts)

    def _from(self, role: str) -> dict[int, float]:
        if role not in self._roles:
            return {}
        leader = self._roles[role]
        return {
            column: agreement(self._facts[leader], self._facts[column])
            for column in range(len(self._facts))
            if column != leader
        }


def agreement(leader: ColumnFacts, follower: ColumnFacts) -> float:
    """Return how consistently `leader` determines `follower`, 0 to 1.

    This is the share of rows whose follower is the most frequent one of their leader: NaN with too few repeated
    leaders, 0 if the agreement may be chance.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for key, value in zip(leader.values, follower.values, strict=False):
        if key and value and value.lower() not in MISSING:
            groups[key].append(value)
    several = [values for values in groups.values() if len(values) > 1]
    rows = sum(map(len, several))
    if len(several) < 5 or rows < 20:
        return float("nan")
    shares = [count / len(follower.given) for count in follower.counts.values()]
    if sum(share * share for share in shares) > _CHANCE:
        return 0.0
    same = sum(max(map(values.count, set(values))) for values in several) / rows
    # roughly the share of a group that would agree if values were drawn independently of the group
    chance = sum(max(1 / len(values), *shares) for values in several) / len(several)
    return same if same > chance + 0.1 else 0.0
