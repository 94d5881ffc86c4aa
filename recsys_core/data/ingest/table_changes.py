"""Changes to how a file is read: roles and timestamp or number formats; dependent settings are inferred again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from recsys_core.columns import INTERACTIONS, ITEM_ID, RATING, TIMESTAMP, USER_ID
from recsys_core.data.ingest.column_roles import assign
from recsys_core.data.ingest.format_checks import format_warnings
from recsys_core.data.ingest.identifiers import are_pointed
from recsys_core.data.ingest.number_formats import (
    format_of_name,
    guess_number_format,
    read_number,
    with_points_of_thousands,
)
from recsys_core.data.ingest.table_roles import ROLES, guess_own_roles, guess_scale
from recsys_core.data.ingest.table_schema import LARGEST, NUMERIC_ROLES, TableGuess
from recsys_core.data.ingest.timestamps import UNITS, guess_time_format
from recsys_core.data.ingest.unread_columns import date_parts
from recsys_core.errors import DataError
from recsys_core.text import _

_CHANGEABLE = frozenset(
    [
        "timestamp_unit",
        "rating_scale",
        "event",
        "event_weight",
        "decimal_comma",
        "number_formats",
        "name",
        "quoted",
    ]
)


def changed(guess: TableGuess, **changes: Any) -> TableGuess:
    """Return the guess with changes that need no new sample; see `schema.with_changes` for all changes.

    `roles` maps a role to a column number or name, or to None to remove the role; other roles stay.

    Raises:
        DataError: A column, role or table does not exist.
    """
    guess = _with_choices(guess, changes)
    if (table := changes.pop("table", None)) is not None and table != guess.table:
        if table not in ROLES:
            raise DataError(
                _("There is no table '{table}'. Known: {roles}.").format(table=table, roles=", ".join(ROLES))
            )
        guess = with_roles(replace(guess, table=table))
    if (roles := changes.pop("roles", None)) is not None:
        guess = _without_questions(guess, roles=_changed_roles(guess, roles))
    for about in ("item_attributes", "user_attributes"):
        if (columns := changes.pop(about, None)) is not None:
            guess = _without_questions(guess, **{about: tuple(_column_number(guess, column) for column in columns)})
    if unknown := changes.keys() - _CHANGEABLE:
        raise DataError(_("'{unknown}' cannot be changed.").format(unknown=min(unknown)))
    if changes.get("timestamp_unit") not in {None, *UNITS}:
        raise DataError(
            _("Unknown timestamp format '{changes}'. Known: {units}.").format(
                changes=changes["timestamp_unit"], units=", ".join(UNITS)
            )
        )
    formats = changes.pop("number_formats", None)
    if (comma := changes.pop("decimal_comma", None)) is not None:
        formats = dict.fromkeys(guess.number_formats, "1.234,5" if comma else "1234.5")
    if formats is not None:
        named = {role: format_of_name(name) for role, name in formats.items()}
        guess = replace(guess, number_formats={**guess.number_formats, **named})
    if "timestamp_unit" in changes:
        guess = replace(guess, timestamp_unit=changes.pop("timestamp_unit"))
    return replace(with_values(guess), **changes)


def _with_choices(guess: TableGuess, changes: Mapping[str, Any]) -> TableGuess:
    """Return the guess with the user's choices recorded, so that they are not inferred again."""
    roles = changes.get("roles") or {}
    chosen = set(guess.chosen) | {role for role, column in roles.items() if column is not None}
    chosen -= {role for role, column in roles.items() if column is None}
    if TIMESTAMP in roles or "table" in changes:
        chosen.discard("timestamp_unit")
    if roles or "table" in changes:
        chosen.discard("number_formats")
    if changes.get("timestamp_unit") is not None:
        chosen.add("timestamp_unit")
    if {"number_formats", "decimal_comma"} & changes.keys():
        chosen.add("number_formats")
    return replace(guess, chosen=frozenset(chosen))


def _without_questions(guess: TableGuess, **changes: Any) -> TableGuess:
    """Return the guess with the user's choice applied, no open questions, and at most one use per column."""
    guess = replace(guess, **changes, questions=(), confidence=1.0)
    taken = set(guess.roles.values())
    return replace(
        guess,
        item_attributes=tuple(column for column in guess.item_attributes if column not in taken),
        user_attributes=tuple(
            column for column in guess.user_attributes if column not in taken | set(guess.item_attributes)
        ),
    )


def _changed_roles(guess: TableGuess, wanted: Mapping[str, int | str | None]) -> dict[str, int]:
    roles = dict(guess.roles)
    for role, column in wanted.items():
        if role not in ROLES[guess.table]:
            known = ", ".join(ROLES[guess.table])
            raise DataError(
                _("A column of '{table}' cannot have the role '{role}'. Known: {known}.").format(
                    table=guess.table, role=role, known=known
                )
            )
        roles.pop(role, None)
        if column is not None:
            roles[role] = _column_number(guess, column)
    taken: dict[int, str] = {}
    for role in [*(role for role in roles if role not in wanted), *(role for role in wanted if role in roles)]:
        if (other := taken.pop(roles[role], None)) is not None and other not in wanted:
            roles.pop(other)
        taken[roles[role]] = role
    return roles


def _column_number(guess: TableGuess, column: int | str) -> int:
    if isinstance(column, str) and column in guess.column_names:
        return guess.column_names.index(column)
    number = int(column) if str(column).isdigit() else -1
    if not 0 <= number < len(guess.column_names):
        raise DataError(
            _("'{guess_name}' has no column '{column}'. Columns: {column_names}.").format(
                guess_name=guess.name, column=column, column_names=", ".join(guess.column_names[:20])
            )
        )
    return number


def with_roles(guess: TableGuess) -> TableGuess:
    """Return the guess with column roles inferred for its table."""
    named = guess.header or guess.format != "text"
    if guess.table != INTERACTIONS:
        roles = guess_own_roles(guess.table, guess.column_names, guess.sample, named=named)
        return replace(guess, roles=roles, item_attributes=(), user_attributes=(), questions=(), confidence=1.0)
    found = assign(guess.column_names, guess.sample, named=named)
    return replace(guess, **vars(found))


def with_roles_of(guess: TableGuess, part: TableGuess) -> TableGuess:
    """Return the guess with the column roles and questions of another file with the same columns."""
    names = ("roles", "item_attributes", "user_attributes", "questions", "confidence")
    return with_values(replace(guess, **{name: getattr(part, name) for name in names}))


def with_values(guess: TableGuess) -> TableGuess:
    """Return the guess with rating scale, timestamp and number formats, and identifier type inferred from its columns.

    The user's choices stay.
    """
    values = {role: guess.sample[column] for role, column in guess.roles.items() if column < len(guess.sample)}
    guess = _with_times(guess, values.get(TIMESTAMP, ()))
    formats = {role: guess_number_format(values[role]) for role in NUMERIC_ROLES if role in values}
    formats = with_points_of_thousands(formats, values)
    if "number_formats" in guess.chosen:
        formats |= {role: form for role, form in guess.number_formats.items() if role in formats}
    ids = [*values.get(USER_ID, ()), *values.get(ITEM_ID, ())]
    ratings = [
        number
        for value in values.get(RATING, ())
        if (number := read_number(value, formats[RATING])) is not None and abs(number) < LARGEST
    ]
    return replace(
        guess,
        number_formats=formats,
        rating_scale=guess_scale(ratings) if RATING in guess.roles else None,
        pointed_ids=frozenset(role for role in (USER_ID, ITEM_ID) if are_pointed(values.get(role, ()))),
        value_notes=tuple(format_warnings(guess, values, formats)),
        whole_numbers=guess.table == INTERACTIONS
        and bool(ids)
        and all(_is_whole_number(value) for value in ids if value),
    )


def _with_times(guess: TableGuess, values: Sequence[str]) -> TableGuess:
    """Return the guess with its timestamp format; an inferred timestamp column without timestamps loses the role."""
    if TIMESTAMP not in guess.roles:
        return replace(guess, timestamp_unit=None, time_format=None)
    found = guess_time_format(values)
    if "timestamp_unit" in guess.chosen:
        return replace(guess, time_format=found)
    roles = dict(guess.roles)
    part = roles[TIMESTAMP] in date_parts(guess)  # a day of the month alone is no time
    if (found is None or part) and TIMESTAMP not in guess.chosen:
        roles.pop(TIMESTAMP)
        found = None
    return replace(guess, roles=roles, time_format=found, timestamp_unit=found.unit if found else None)


def _is_whole_number(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 9 and str(int(value)) == value
