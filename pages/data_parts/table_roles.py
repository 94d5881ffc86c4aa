"""The tables of an upload session: format, preview, and a role picker for each column."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.data_parts import upload_session
from pages.ui.show import select
from pages.ui.text import _, later, n_, safe

if TYPE_CHECKING:
    from recsys_core.data.ingest.table_schema import TableGuess
    from recsys_core.serving.uploads import Intake

TABLES = {
    "interactions": later("Interactions"),
    "users": later("Users"),
    "items": later("Items"),
    "social": later("Social links (user, friend)"),
    "ignored": later("Ignore this file"),
}
SEPARATORS = {
    ",": later("comma ,"),
    ";": later("semicolon ;"),
    "\t": later("tab"),
    "::": later("double colon ::"),
    "|": later("pipe |"),
    "^": later("caret ^"),
    "\x01": later("control character \\x01"),
    " ": later("spaces"),
}
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "gb18030", "latin-1", "cp1252", "cp1251", "shift_jis", "euc_kr", "big5")
UNITS = {
    "s": later("seconds since 1970"),
    "ms": later("milliseconds since 1970"),
    "us": later("microseconds since 1970"),
    "ns": later("nanoseconds since 1970"),
    "excel-day": later("Excel day numbers"),
    "iso": later("ISO 8601 (2021-03-31 12:00)"),
    "day-month-year": later("DD-MM-YYYY (31/03/2021)"),
    "month-day-year": later("MM-DD-YYYY (03/31/2021)"),
    "year-month-day": later("YY-MM-DD (21/03/31)"),
    "text-date": later("DD-Mon-YYYY (31-Mar-2021)"),
    "compact": later("YYYYMMDD or YYYYMM (20210331, 202103)"),
}
ROLES = {
    "user_id": later("user"),
    "item_id": later("item"),
    "rating": later("rating"),
    "timestamp": later("timestamp"),
    "event": later("event type"),
    "weight": later("weight"),
    "title": later("title"),
    "categories": later("categories"),
    "price": later("price"),
    "source_id": later("user"),
    "target_id": later("friend"),
}
ATTRIBUTES = {"item_attribute": later("item attribute"), "user_attribute": later("user attribute")}
NO_ROLE = "-"
COLUMNS_IN_A_ROW, COLUMNS_SHOWN, PREVIEW_ROWS = 6, 24, 5


def show(taking: "Intake", guesses: "list[TableGuess]", errors: Mapping[int, str]) -> None:
    """Show each table of the files; changes go into the draft immediately.

    Args:
        taking: The upload session.
        guesses: Inferred format of each table.
        errors: Why a table cannot be read, by its number; empty if it can.
    """
    left_aside = [guess for number, guess in enumerate(guesses) if not guess.column_names and not errors[number]]
    for number, guess in enumerate(guesses):
        if errors[number]:
            _unread(Sheet(taking, number, guess), errors[number])
        elif guess.column_names:
            _table(Sheet(taking, number, guess))
    if left_aside:
        with st.expander(n_("{n} ignored file", "{n} ignored files", len(left_aside))):
            st.markdown(", ".join(safe(guess.name) for guess in left_aside))


@dataclass(frozen=True)
class Sheet:
    """One table of the files: its number and inferred format."""

    taking: "Intake"
    number: int
    guess: "TableGuess"

    @property
    def key(self) -> str:
        """Suffix of its widget keys."""
        return f"{self.taking.id}_{self.number}"

    def save(self, what: str) -> Callable[[Any], None]:
        """Return a callback that writes a changed value to the draft."""
        return lambda value: upload_session.change_table(self.taking, self.number, what, value)


def _table(sheet: Sheet) -> None:
    guess = sheet.guess
    with st.container(border=True, key=f"table_{sheet.number}"):
        st.markdown(f"**{safe(guess.name)}**")
        with st.container(horizontal=True):
            _kind(sheet)
            if guess.format == "text":
                _text_format(sheet)
            if "timestamp" in guess.roles:
                known = UNITS if guess.timestamp_unit else {None: later("unknown")} | UNITS
                save = sheet.save("timestamp_unit")
                pick(_("Timestamp format"), f"unit_{sheet.key}", guess.timestamp_unit, known, save, width=270)
            _number_formats(sheet)
            if guess.table == "interactions" and "event" not in guess.roles:
                _event(sheet)
        _questions(sheet)
        if guess.table != "ignored":
            _columns(sheet)


def _number_formats(sheet: Sheet) -> None:
    """Show the number formats, where they are not plain."""
    from recsys_core.data.ingest.number_formats import NAMES

    formats = sheet.guess.number_formats
    names = {role: form.name for role, form in formats.items()}
    for role, form in formats.items():
        if form.plain and "number_formats" not in sheet.guess.chosen:
            continue
        pick(
            _("Number format of {column}").format(column=sheet.guess.column_of(role)),
            f"numbers_{role}_{sheet.key}",
            form.name,
            {name: name for name in (*NAMES, form.name)},
            _save_format(sheet, names, role),
            width=160,
        )


def _save_format(sheet: Sheet, names: dict[str, str], role: str) -> Callable[[str], None]:
    """Return a callback that writes the number format of one role to the draft."""
    return lambda chosen: sheet.save("number_formats")(names | {role: chosen})


def _questions(sheet: Sheet) -> None:
    """Ask about each uncertain role, in one line with the alternative one click away."""
    guess, names = sheet.guess, sheet.guess.column_names
    for number, question in enumerate(guess.questions):
        with st.container(horizontal=True, vertical_alignment="center", key=f"question_{sheet.key}_{number}"):
            words = _(":material/help: Does **{column}** hold the {role}?").format(
                column=safe(names[question.column]), role=_(ROLES[question.role])
            )
            if question.alternative is not None:
                words += " " + _("It could also be **{other}**.").format(other=safe(names[question.alternative]))
            st.markdown(words)
            for label, key, roles in (
                (_("Yes"), "yes", guess.roles),
                (_("Swap") if question.alternative is not None else _("No"), "swap", question.roles),
            ):
                st.button(
                    label,
                    key=f"{key}_{sheet.key}_{number}",
                    on_click=upload_session.answer,
                    args=(sheet.taking, sheet.number, guess, roles),
                )


def _kind(sheet: Sheet) -> None:
    pick(_("Content of this file"), f"kind_{sheet.key}", sheet.guess.table, TABLES, sheet.save("table"), width=260)


def _unread(sheet: Sheet, error: str) -> None:
    """Show why a file cannot be read, with the options to change its format, ignore it, or undo."""
    with st.container(border=True, key=f"table_{sheet.number}"):
        st.markdown(f"**{safe(sheet.guess.name)}**")
        st.error(safe(error))
        with st.container(horizontal=True, vertical_alignment="bottom"):
            _kind(sheet)
            if sheet.guess.format == "text":
                _text_format(sheet)
            if str(sheet.number) in sheet.taking.draft().changes and st.button(
                _("Undo changes"), key=f"undo_{sheet.key}"
            ):
                upload_session.undo_changes(sheet.taking, sheet.number)
                st.rerun()


def _text_format(sheet: Sheet) -> None:
    guess, key = sheet.guess, sheet.key
    separators = {guess.separator: guess.separator} | SEPARATORS
    pick(_("Separator"), f"separator_{key}", guess.separator, separators, sheet.save("separator"), width=160)
    encodings = {name: name for name in (*ENCODINGS, guess.encoding)}
    pick(_("Encoding"), f"encoding_{key}", guess.encoding, encodings, sheet.save("encoding"), width=140)
    lines = {True: later("column names"), False: later("data")}
    pick(_("First line"), f"header_{key}", guess.header, lines, sheet.save("header"), width=150)


def _event(sheet: Sheet) -> None:
    """Show the event type of a file's rows and its weight."""
    event, weight = f"event_{sheet.key}", f"weight_{sheet.key}"
    st.session_state[event] = sheet.guess.event or ""
    st.session_state[weight] = float(sheet.guess.event_weight)
    st.text_input(
        _("Event type"),
        key=event,
        max_chars=40,
        width=180,
        placeholder=_("view, click, …"),
        help=_(
            "You can upload several interaction files, each with its own event type. Leave empty for "
            "ratings or a single event type."
        ),
        on_change=lambda: sheet.save("event")(st.session_state[event].strip() or None),
    )
    if sheet.guess.event:
        st.number_input(
            _("Event weight"),
            min_value=0.0,
            max_value=1000.0,
            step=0.5,
            key=weight,
            width=140,
            on_change=lambda: sheet.save("event_weight")(st.session_state[weight]),
        )


def _columns(sheet: Sheet) -> None:
    """Show the first rows, with a role picker above each column."""
    names = sheet.guess.column_names[:COLUMNS_SHOWN]
    for start in range(0, len(names), COLUMNS_IN_A_ROW):
        places = range(start, min(start + COLUMNS_IN_A_ROW, len(names)))
        for column, place in zip(st.columns(min(len(names), COLUMNS_IN_A_ROW), gap="small"), places, strict=False):
            with column:
                _column(sheet, place)
    hidden = len(sheet.guess.column_names) - len(names)
    if hidden:
        st.markdown(
            n_(
                "{n} further column is not shown; its inferred role is kept.",
                "{n} further columns are not shown; their inferred roles are kept.",
                hidden,
            )
        )


def _column(sheet: Sheet, place: int) -> None:
    guess, key = sheet.guess, f"{sheet.key}_{place}"
    rest = later("attribute") if guess.table in ("users", "items") else later("not used")
    known = {NO_ROLE: rest} | {name: ROLES[name] for name in upload_session.roles(guess.table)}
    known |= ATTRIBUTES if guess.table == "interactions" else {}
    role = next((name for name, column in guess.roles.items() if column == place), NO_ROLE)
    role = "item_attribute" if place in guess.item_attributes else role
    role = "user_attribute" if place in guess.user_attributes else role
    pick(
        safe(guess.column_names[place]),
        f"role_{key}",
        role,
        known,
        lambda chosen: upload_session.change_role(
            sheet.taking, sheet.number, guess, place, None if chosen == NO_ROLE else chosen
        ),
    )
    st.dataframe(
        guess.preview.iloc[:PREVIEW_ROWS, [place]],
        hide_index=True,
        key=f"preview_{key}",
        alt=_("First values of column {name}").format(name=guess.column_names[place]),
    )


def pick(
    label: str, key: str, value: Any, words: Mapping[Any, str], save: Callable[[Any], None], *, width: Any = "stretch"
) -> None:
    """Show a select box bound to the draft."""
    st.session_state[key] = value
    names = {option: _(name) for option, name in words.items()}
    select(label, names, key, width=width, on_change=lambda: save(st.session_state[key]))
