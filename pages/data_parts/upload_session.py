"""Upload sessions as the Data page uses them: begin, read, change, store."""

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
    from recsys_core.data.ingest.table_schema import TableGuess
    from recsys_core.data.report import IngestReport
    from recsys_core.serving.reader_pool import Readers
    from recsys_core.serving.uploads import Draft, Intake


def begin(name: str, *, uploads: Iterable[Any] = (), paths: Iterable[str] = (), catalogue: str = "") -> str:
    """Create an upload session from files and return its id; a public data set is downloaded first.

    Args:
        name: Name of the future data set.
        uploads: Files from the browser.
        paths: Files in the server's data folder.
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
    """Return the upload session with this id, None if there is none."""
    from recsys_core.serving.uploads import Intake

    try:
        found = Intake(services.root(), identifier)
    except RecscopeError:
        return None
    return found if found.exists else None


def change_draft(taking: "Intake", **values: Any) -> None:
    """Change the settings of an upload session."""
    taking.save(replace(taking.draft(), **values))


def change_table(taking: "Intake", number: int, what: str, value: Any, **more: Any) -> None:
    """Change the format of one table; roles are inferred again when its columns or kind may change."""
    draft = taking.draft()
    changes = draft.changes.get(str(number), {}) | {what: value} | more
    if what in ("table", "separator", "encoding", "header"):
        for name in ("roles", "item_attributes", "user_attributes"):
            changes.pop(name, None)
    change_draft(taking, changes=draft.changes | {str(number): changes})


def change_role(taking: "Intake", number: int, guess: "TableGuess", column: int, role: str | None) -> None:
    """Set the role of a column, make it an attribute, or neither; a role moves from its previous column."""
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
    """Fix the roles of all columns of a table, which answers all questions about it."""
    change_table(taking, number, "roles", dict.fromkeys(roles(guess.table)) | dict(chosen))


def change_rule(taking: "Intake", name: str, value: Any) -> None:
    """Change one rule; an empty minimum of interactions is 0."""
    draft = taking.draft()
    value = 0 if value is None and name in ("min_user", "min_item") else value
    change_draft(taking, rules=draft.rules | {name: value})


def roles(table: str) -> tuple[str, ...]:
    """Return the possible roles of a column of a table."""
    from recsys_core.data.ingest.table_roles import ROLES

    return ROLES[table]


def store(taking: "Intake") -> None:
    """Start the process that stores; processes that still read these files are ended.

    Raises:
        RecscopeError: The disk refused.
    """
    readers().stop(taking)
    taking.start("store")


def leave(taking: "Intake") -> None:
    """Delete the upload session."""
    readers().stop(taking)
    taking.discard()


def undo_changes(taking: "Intake", number: int | None = None) -> None:
    """Restore the inferred format of one table, or of all."""
    draft = taking.draft()
    kept = {} if number is None else {name: value for name, value in draft.changes.items() if name != str(number)}
    change_draft(taking, changes=kept)


@st.cache_resource(show_spinner=False)
def readers() -> "Readers":
    """Return the processes that read files."""
    from recsys_core.serving.reader_pool import Readers

    return Readers()


def change_event_weight(taking: "Intake", rules: "IngestRules", kind: str, weight: float) -> None:
    """Change the weight of an event type."""
    change_rule(taking, "event_weights", rules.event_weights | {kind: weight})


def rules(draft: "Draft", tables: "list[TableGuess]") -> "IngestRules":
    """Return the cleaning rules: the suggested ones with the user's changes.

    Raises:
        ConfigError: A value outside its bounds.
    """
    from recsys_core.serving.upload_tables import rules_of

    return rules_of(draft, tables)


def rejected_frame(report: "IngestReport") -> "pd.DataFrame":
    """Return the rejected rows of a report as a table."""
    import pandas as pd

    return pd.DataFrame([asdict(line) for line in report.rejected])


def reason(phrase: str) -> str:
    """Return a reason of a rejected row, with or without its column, in the session's language."""
    from recsys_core.data.ingest.reasons import reason_sentence

    column, colon, cause = phrase.rpartition(": ")
    return f"{column}{colon}{reason_sentence(cause)}"


@st.cache_resource(show_spinner=False)
def catalogue() -> "dict[str, CatalogueEntry]":
    """Return the public data sets."""
    from recsys_core.data.catalogue import catalogue as read

    return read()


def server_files() -> list[str]:
    """Return the files in the server's data folder (`RECSCOPE_DATA_ROOT`), none without one."""
    from recsys_core.serving.uploads import server_files as listed

    return listed()


def upload_limit() -> int:
    """Return the maximum upload size in bytes."""
    return int(st.get_option("server.maxUploadSize")) << 20
