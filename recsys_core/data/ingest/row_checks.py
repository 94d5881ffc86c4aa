"""Check and read the rows of interactions in SQL: the reason to reject an invalid row, else identifiers and values.

`faults_of` lists all reasons that depend on the content of a row. Lines that cannot be split into cells are rejected by
`reading` and `record_reader`, rows of side tables by `side_tables`, and rows that break a rule over several rows by
`cleaning`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from recsys_core.columns import EVENT, INTERACTIONS, ITEM, ITEM_ID, RATING, TIMESTAMP, USER, USER_ID, WEIGHT
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.data.ingest.cleaning_rules import IngestRules
from recsys_core.data.ingest.identifiers import (
    NO_IDENTIFIER_REASON,
    NO_IDENTIFIERS,
    ROUNDED,
    ROUNDED_REASON,
    trimmed_sql,
)
from recsys_core.data.ingest.number_formats import NumberFormat, number_sql
from recsys_core.data.ingest.reading import Native, Source
from recsys_core.data.ingest.reasons import ABOVE, BELOW, EMPTY, NUMBER, OUTSIDE, TIME
from recsys_core.data.ingest.table_schema import TableGuess
from recsys_core.data.ingest.timestamps import (
    FORMAT_NAMES,
    NUMBERS,
    finer_sql,
    form_number_sql,
    milliseconds_sql,
    raw_time_sql,
)
from recsys_core.data.sql import text_literal
from recsys_core.data.tables import FINER
from recsys_core.text import later

NO_EVENT = "unknown"
"""Event type of rows with an empty event cell."""
_NO_IDS = ", ".join(map(text_literal, NO_IDENTIFIERS))
_NOT_STORED = later("number cannot be stored (too large, infinite or NaN)")


@dataclass(frozen=True)
class Fault:
    """A reason to reject a row: SQL condition, column at fault, and message."""

    condition: str
    column: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """Columns of the interactions over all files.

    Args:
        columns: Column names of the Parquet file, in order.
        numeric: Whether identifiers are read as integers.
        rules: The user's rules.
    """

    columns: tuple[str, ...]
    numeric: bool
    rules: IngestRules

    @classmethod
    def of(cls, guesses: Sequence[TableGuess], rules: IngestRules, *, numeric: bool) -> "Plan":
        """Return the plan for several interactions files."""
        roles = {role for guess in guesses for role in guess.roles}
        kinds = {guess.event for guess in guesses}
        events = (
            EVENT in roles or WEIGHT in roles or len(kinds) > 1 or any(guess.event_weight != 1 for guess in guesses)
        )
        columns = [
            USER,
            ITEM,
            *(role for role in (RATING, TIMESTAMP) if role in roles),
            *((FINER,) if any(TIMESTAMP in guess.roles and guess.finer for guess in guesses) else ()),
            *((EVENT, WEIGHT) if events else ()),
        ]
        return cls(tuple(columns), numeric, rules)

    @property
    def values(self) -> tuple[str, ...]:
        """Names of the columns after user and item."""
        return self.columns[2:]


def native_columns(guess: TableGuess, rules: IngestRules) -> dict[int, Native]:
    """Return the columns that the CSV reader may parse as numbers: those where a non-number rejects the row."""
    if guess.table != INTERACTIONS:
        return {}
    plain = [role for role in (RATING, WEIGHT) if role in guess.roles and guess.number_format(role).plain]
    found = {guess.roles[role]: Native("FLOAT", _no_number(guess, role)) for role in plain}
    numbers = TIMESTAMP in guess.roles and guess.timestamp_unit in NUMBERS and not guess.finer
    if numbers and rules.bad_timestamps == "reject" and not guess.missing_times:
        found[guess.roles[TIMESTAMP]] = Native("DOUBLE", _no_time(guess))
    return found


def faults_of(guess: TableGuess, plan: Plan) -> list[Fault]:
    """Return the faults that reject an interaction row, most basic first, over the columns of `select_sql`.

    Only user and item are required; any other empty cell is a missing value.
    """
    rules, faults = plan.rules, []
    for role in (USER_ID, ITEM_ID):
        text = _cell(guess, role) if plan.numeric else f"{role}_text"
        faults.append(Fault(f"trim(coalesce({text}::VARCHAR, '')) = ''", guess.column_of(role), EMPTY))
        if not plan.numeric:
            faults.append(Fault(f"{text} IN ({_NO_IDS})", guess.column_of(role), NO_IDENTIFIER_REASON))
            faults.append(Fault(f"regexp_matches({text}, '{ROUNDED}')", guess.column_of(role), ROUNDED_REASON))
    if repeated := _repeated_header(guess, plan):
        faults.append(Fault(repeated, "", later("the header again")))
    for role in (RATING, WEIGHT):
        if role in guess.roles:
            column, missing = guess.column_of(role), _no_cell(guess, role, guess.number_format(role).missing)
            faults.append(Fault(f"{role}_number IS NULL AND NOT ({missing})", column, _no_number(guess, role)))
            faults.append(Fault(f"NOT isfinite({role}_number)", column, _NOT_STORED))
    if WEIGHT in guess.roles:
        faults.append(Fault("NOT isfinite(weight_value)", guess.column_of(WEIGHT), _NOT_STORED))
    if RATING in guess.roles and rules.out_of_range == "reject" and (outside := _outside(rules)):
        faults.append(Fault(outside.condition, guess.column_of(RATING), outside.reason))
    if TIMESTAMP in guess.roles and rules.bad_timestamps == "reject":
        unread = f"time_number IS NULL AND NOT ({_no_cell(guess, TIMESTAMP, guess.missing_times)})"
        faults.append(Fault(unread, guess.column_of(TIMESTAMP), _no_time(guess)))
    return faults


def select_sql(source: Source, plan: Plan, faults: Sequence[Fault]) -> str:
    """Return the query for identifiers, values and fault number (0: none) of each row.

    Each cell is converted once, in the inner query. Faults are tested one by one only in rows that fail a fast check.
    """
    guess = source.guess
    cells = sorted({f"c{column}" for column in guess.roles.values()})
    inner = [*cells, *(["line"] if source.has_lines else []), *_conversions(guess, plan)]
    cases = " ".join(f"WHEN {fault.condition} THEN {number}" for number, fault in enumerate(faults, start=1))
    outer = [f"(CASE WHEN {_clear(guess, plan)} THEN 0 ELSE (CASE {cases} ELSE 0 END) END)::UTINYINT AS fault"]
    outer += ["line"] if source.has_lines else []
    outer += [*_flags(guess, plan.rules), *_identifiers(guess, plan)]
    converted = f"SELECT *{_second_step(guess, plan)} FROM (SELECT {', '.join(inner)} FROM {source.relation})"
    return f"SELECT {', '.join([*outer, *_values(guess, plan)])} FROM ({converted})"


def _conversions(guess: TableGuess, plan: Plan) -> Iterator[str]:
    for role in (USER_ID, ITEM_ID):
        if plan.numeric:
            yield f"try_cast({_cell(guess, role)} AS INTEGER) AS {role}_number"
        else:
            yield f"{trimmed_sql(_cell(guess, role), pointed=role in guess.pointed_ids)} AS {role}_text"
    for role in (RATING, WEIGHT):
        if role in guess.roles:
            form = guess.number_format(role)
            number = number_sql(_cell(guess, role), form)
            missing = any(word.lower() == "nan" for word in form.missing)  # a word that casts to a number
            yield f"{_without_nan(number) if missing else number} AS {role}_number"
    if TIMESTAMP in guess.roles:
        read = finer_sql if FINER in plan.columns else raw_time_sql
        yield f"{read(_cell(guess, TIMESTAMP), str(guess.timestamp_unit), guess.time_forms)} AS raw_time"


def _without_nan(number: str) -> str:
    return f"nullif({number}, 'nan'::FLOAT)"


def _second_step(guess: TableGuess, plan: Plan) -> str:
    """Return the columns derived from converted cells."""
    found = ""
    if TIMESTAMP in guess.roles:
        unit = "ns" if FINER in plan.columns else str(guess.timestamp_unit)
        found += f", {milliseconds_sql('raw_time', unit)} AS time_number"
    if WEIGHT in guess.roles:
        found += f", {_as_float(_weight(guess, plan.rules.event_weights))} AS weight_value"
    return found


def _as_float(number: str) -> str:
    return f"CASE WHEN abs({number}) < 3.4e38 THEN ({number})::FLOAT ELSE 'inf'::FLOAT END"


def _flags(guess: TableGuess, rules: IngestRules) -> Iterator[str]:
    """Yield flags that are counted over accepted rows."""
    if RATING in guess.roles and rules.out_of_range == "clip" and (outside := _outside(rules)):
        yield f"coalesce({outside.condition}, false) AS clipped"
    if RATING in guess.roles and rules.missing_ratings:
        yield f"coalesce({_is_missing(rules)}, false) AS not_rated"
    if WEIGHT in guess.roles:
        yield f"{WEIGHT}_number IS NULL AS no_weight"
    if EVENT in guess.roles:
        yield f"{_no_cell(guess, EVENT)} AS no_event"
    if TIMESTAMP in guess.roles and len(guess.time_forms) > 1:
        yield f"{form_number_sql(_cell(guess, TIMESTAMP), guess.time_forms)}::UTINYINT AS time_form"


def _identifiers(guess: TableGuess, plan: Plan) -> Iterator[str]:
    for role in (USER_ID, ITEM_ID):
        if plan.numeric:
            yield f"coalesce({role}_number, -1) AS {role}"
            yield f"coalesce(least(strlen({_cell(guess, role)}), 255), 0)::UTINYINT AS {role}_length"
        else:
            yield f"{role}_text AS {role}"


def _clear(guess: TableGuess, plan: Plan) -> str:
    """Return a fast sufficient condition for a row without faults."""
    parts = []
    for role in (USER_ID, ITEM_ID):
        text = f"{role}_text"
        letters = (
            f"ascii({text}) > 32 AND {text} NOT IN ({_NO_IDS}) "
            f"AND NOT contains({text}, 'E+') AND NOT contains({text}, 'e+')"
        )
        parts.append(f"{role}_number IS NOT NULL" if plan.numeric else letters)
    if repeated := _repeated_header(guess, plan):
        parts.append(f"NOT ({repeated})")
    parts += [f"isfinite({role}_number)" for role in (RATING, WEIGHT) if role in guess.roles]
    parts += ["isfinite(weight_value)"] if WEIGHT in guess.roles else []
    rules = plan.rules
    if RATING in guess.roles and rules.out_of_range == "reject" and (outside := _outside(rules)):
        parts.append(f"NOT ({outside.condition})")
    if TIMESTAMP in guess.roles:
        parts.append("time_number IS NOT NULL")
    return " AND ".join(parts)


def _repeated_header(guess: TableGuess, plan: Plan) -> str:
    """Return the condition that a row is the header again, as in joined exports; empty if no row can be."""
    if plan.numeric or not guess.header or guess.format not in {"text", "excel"}:
        return ""
    return " AND ".join(f"{role}_text = {text_literal(guess.column_of(role))}" for role in (USER_ID, ITEM_ID))


def _values(guess: TableGuess, plan: Plan) -> Iterator[str]:
    for name in plan.values:
        if name == RATING:
            yield f"{_rating(guess, plan.rules)} AS {RATING}"
        elif name == TIMESTAMP:
            none = f"'{NO_TIMESTAMP}'::BIGINT"  # unquoted, it would parse as the negation of a number beyond BIGINT
            yield f"{'time_number' if TIMESTAMP in guess.roles else none} AS {TIMESTAMP}"
        elif name == FINER:
            rest = "coalesce(raw_time % 1000000, 0)::INTEGER" if TIMESTAMP in guess.roles else "0::INTEGER"
            yield f"{rest} AS {FINER}"
        elif name == EVENT:
            yield f"{_event(guess)} AS {EVENT}"
        else:
            weight = "weight_value" if WEIGHT in guess.roles else _as_float(_weight(guess, plan.rules.event_weights))
            yield f"{weight} AS {WEIGHT}"


def _event(guess: TableGuess) -> str:
    if EVENT not in guess.roles:
        return text_literal(guess.event or ("rating" if RATING in guess.roles else "interaction"))
    return f"CASE WHEN {_no_cell(guess, EVENT)} THEN '{NO_EVENT}' ELSE trim({_cell(guess, EVENT)}) END"


def _weight(guess: TableGuess, weights: Mapping[str, float]) -> str:
    """Return the SQL of a row's weight; an empty cell gets the default weight of the file."""
    one = f"{float(guess.event_weight)}::DOUBLE"
    own = f"coalesce({WEIGHT}_number, {one})" if WEIGHT in guess.roles else one
    if EVENT not in guess.roles or not weights:
        return own
    cases = " ".join(f"WHEN {text_literal(kind)} THEN {float(weight)}" for kind, weight in weights.items())
    return f"({own}) * CASE trim({_cell(guess, EVENT)}) {cases} ELSE 1 END"


def _rating(guess: TableGuess, rules: IngestRules) -> str:
    if RATING not in guess.roles:
        return "'nan'::FLOAT"
    number = f"{RATING}_number"
    if rules.out_of_range == "clip":
        low, high = rules.ends
        number = number if low is None else f"greatest({number}, {low}::FLOAT)"
        number = number if high is None else f"least({number}, {high}::FLOAT)"
    unknown = f"{RATING}_number IS NULL" + (f" OR {_is_missing(rules)}" if rules.missing_ratings else "")
    return f"CASE WHEN {unknown} THEN 'nan'::FLOAT ELSE {number} END"


def _is_missing(rules: IngestRules) -> str:
    values = ", ".join(f"{float(value)}::FLOAT" for value in rules.missing_ratings)
    return f"({RATING}_number IN ({values}))"


def _outside(rules: IngestRules) -> Fault | None:
    """Return the fault of a rating outside the scale; None if the scale is unbounded."""
    low, high = rules.ends
    bounds = [f"{RATING}_number < {low}::FLOAT"] if low is not None else []
    bounds += [f"{RATING}_number > {high}::FLOAT"] if high is not None else []
    if not bounds:
        return None
    reason = BELOW if high is None else ABOVE if low is None else OUTSIDE
    ends = {name: f"{end:g}" for name, end in (("low", low), ("high", high)) if end is not None}
    beyond = " OR ".join(bounds)
    if rules.missing_ratings:
        beyond = f"({beyond}) AND NOT {_is_missing(rules)}"
    return Fault(beyond, "", reason.one.format(**ends))


def _no_number(guess: TableGuess, role: str) -> str:
    name = guess.number_format(role).name
    return later("not a number") if name == NumberFormat().name else NUMBER.one.format(format=name)


def _no_time(guess: TableGuess) -> str:
    return TIME.one.format(format=FORMAT_NAMES[str(guess.timestamp_unit)])


def _no_cell(guess: TableGuess, role: str, words: Sequence[str] = ()) -> str:
    """Return the condition that a cell is empty or a missing-value word."""
    known = ", ".join(map(text_literal, ("", *words)))
    return f"trim(coalesce({_cell(guess, role)}::VARCHAR, '')) IN ({known})"


def _cell(guess: TableGuess, role: str) -> str:
    return f"c{int(guess.roles[role])}"
