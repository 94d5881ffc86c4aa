"""Files on their way into the workspace, as the Data page asks for them: begin, read, change, store."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import services
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    import pandas as pd

    from recsys_core.data.catalogue import CatalogueEntry
    from recsys_core.data.ingest.cleaning_rules import IngestRules
    from recsys_core.data.ingest.schema import TableGuess
    from recsys_core.data.report import IngestReport
    from recsys_core.serving.reader_pool import Readers
    from recsys_core.serving.upload_tables import Reading
    from recsys_core.serving.uploads import Draft, Intake


def begin(name: str, *, uploads: Iterable[Any] = (), paths: Iterable[str] = (), catalogue: str = "") -> str:
    """Keep files to be taken in, in a folder of their own, and return its id; a public data set is fetched first.

    Args:
        name: What the data set will be called.
        uploads: Files from the browser.
        paths: Files in the folder on the server that the operator has opened.
        catalogue: Key of a public data set.

    Raises:
        RecscopeError: The disk refused, or a path leads out of that folder.
    """
    from recsys_core.data.ingest.server_path import resolve_server_path
    from recsys_core.serving.uploads import Intake

    taking = Intake.create(services.root(), name=name, catalogue=catalogue)
    kept = [str(taking.add(upload.name, upload)) for upload in uploads]
    kept += [str(resolve_server_path(path)) for path in paths]
    change_draft(taking, paths=tuple(kept))
    if catalogue:
        taking.start("download")
    return taking.id


def find(identifier: str) -> "Intake | None":
    """Return the files being taken in of that id, None if there are none."""
    from recsys_core.serving.uploads import Intake

    try:
        found = Intake(services.root(), identifier)
    except RecscopeError:
        return None
    return found if found.exists else None


def change_draft(taking: "Intake", **values: Any) -> None:
    """Change what was decided about files being taken in."""
    taking.save(replace(taking.draft(), **values))


def change_table(taking: "Intake", number: int, what: str, value: Any, **more: Any) -> None:
    """Change how one table is read; roles are guessed again when its columns or its kind may be others now."""
    draft = taking.draft()
    changes = draft.changes.get(str(number), {}) | {what: value} | more
    if what in ("table", "separator", "encoding", "header"):
        for name in ("roles", "item_attributes", "user_attributes"):
            changes.pop(name, None)
    change_draft(taking, changes=draft.changes | {str(number): changes})


def change_role(taking: "Intake", number: int, guess: "TableGuess", column: int, role: str | None) -> None:
    """Give a column a role, make it an attribute, or neither; a role that another column had moves."""
    kept = {name: place for name, place in guess.roles.items() if place != column and name != role}
    if role in roles(guess.table):
        kept[role] = column
    attributes = {
        f"{about}_attributes": [place for place in getattr(guess, f"{about}_attributes") if place != column]
        + ([column] if role == f"{about}_attribute" else [])
        for about in ("item", "user")
    }
    change_table(taking, number, "roles", dict.fromkeys(roles(guess.table)) | kept, **attributes)


def answer(taking: "Intake", number: int, guess: "TableGuess", chosen: "Mapping[str, int]") -> None:
    """Decide the roles of all columns of a table, so that nothing is left to ask about it."""
    change_table(taking, number, "roles", dict.fromkeys(roles(guess.table)) | dict(chosen))


def change_rule(taking: "Intake", name: str, value: Any) -> None:
    """Change one rule; an emptied number of interactions is none."""
    draft = taking.draft()
    value = 0 if value is None and name in ("min_user", "min_item") else value
    change_draft(taking, rules=draft.rules | {name: value})


def roles(table: str) -> tuple[str, ...]:
    """Return what a column of that table can be."""
    from recsys_core.data.ingest.schema import suggested_columns

    return suggested_columns(table)


def read(taking: "Intake", draft: "Draft") -> "Reading":
    """Return what reading the files gives; a process of its own reads them, unless that was done before."""
    return readers().ask(taking, draft)


def warm() -> None:
    """Have a process ready that can read files at once."""
    readers().warm()


def read_again(reading: "Reading") -> None:
    """Forget how a reading ended, so that it is tried again."""
    reading.forget()


def cancel(reading: "Reading") -> None:
    """End the process that reads."""
    readers().cancel(reading)


def store(taking: "Intake") -> None:
    """Start the process that stores; what still reads these files is ended.

    Raises:
        RecscopeError: The disk refused.
    """
    readers().stop(taking)
    taking.start("store")


def leave(taking: "Intake") -> None:
    """Drop the files."""
    readers().stop(taking)
    taking.discard()


def undo_changes(taking: "Intake", number: int | None = None) -> None:
    """Go back to what was guessed about one table, or about all of them."""
    draft = taking.draft()
    kept = {} if number is None else {name: value for name, value in draft.changes.items() if name != str(number)}
    change_draft(taking, changes=kept)


@st.cache_resource(show_spinner=False)
def readers() -> "Readers":
    """Return the processes that read files."""
    from recsys_core.serving.reader_pool import Readers

    return Readers()


def change_event_weight(taking: "Intake", rules: "IngestRules", kind: str, weight: float) -> None:
    """Change what one event of a kind weighs."""
    change_rule(taking, "event_weights", rules.event_weights | {kind: weight})


def rules(draft: "Draft", tables: "list[TableGuess]") -> "IngestRules":
    """Return the rules for doubtful rows: those that suit the files, with what the person changed.

    Raises:
        ConfigError: A value outside its bounds.
    """
    from recsys_core.serving.upload_tables import rules_of

    return rules_of(draft, tables)


def rejected_frame(report: "IngestReport") -> "pd.DataFrame":
    """Return the rejected lines that a report holds as a table."""
    import pandas as pd

    return pd.DataFrame([asdict(line) for line in report.rejected])


@st.cache_resource(show_spinner=False)
def catalogue() -> "dict[str, CatalogueEntry]":
    """Return the public data sets."""
    from recsys_core.data.catalogue import catalogue as read

    return read()


def server_files() -> list[str]:
    """Return the files in the folder that the operator has opened (`RECSCOPE_DATA_ROOT`), none without one."""
    from recsys_core.serving.uploads import server_files as listed

    return listed()


def upload_limit() -> int:
    """Return the largest file in bytes that the server takes from a browser."""
    return st.get_option("server.maxUploadSize") << 20
