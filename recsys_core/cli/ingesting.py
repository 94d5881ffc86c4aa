"""`ingest`: store files in the workspace."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from recsys_core.cli.arguments import parse_columns
from recsys_core.cli.output import Account
from recsys_core.cli.settings import split_settings, typed_values
from recsys_core.columns import TIMESTAMP
from recsys_core.errors import ConfigError
from recsys_core.text import _

if TYPE_CHECKING:
    from recsys_core.data.ingest.table_schema import TableGuess


def ingest(arguments: argparse.Namespace) -> int:
    """Store files and print the report as JSON; rejected rows are listed there and are not an error.

    Raises:
        DataError: A file cannot be read.
        ConfigError: A rule or column does not exist, or a format applies to no column.
    """
    from recsys_core.data.ingest import ingest as take_in
    from recsys_core.data.ingest import inspect_files, suggest_rules, with_interaction_columns
    from recsys_core.data.ingest.cleaning_rules import IngestRules
    from recsys_core.data.workspace import default_workspace

    guesses = inspect_files(arguments.files)
    columns = parse_columns(arguments.columns)
    if columns is not None:
        guesses = with_interaction_columns(guesses, columns)
    formats = split_settings(arguments.number_format)
    refuse_idle_forms(guesses, arguments.time_unit, formats)
    guesses = [with_forms(guess, arguments.time_unit, formats) for guess in guesses]
    asked = typed_values(IngestRules, split_settings(arguments.rule))
    if arguments.missing_rating:
        asked["missing_ratings"] = tuple(arguments.missing_rating)
    rules = IngestRules.parse(suggest_rules(guesses).model_dump() | asked)
    workspace = default_workspace()
    former = {card.fingerprint: card.name for card in workspace.datasets()}
    dataset, report = take_in(guesses, rules, workspace, arguments.name)
    account = Account()
    account.warnings_of(report)
    account.write()
    if former.get(dataset.fingerprint, dataset.name) != dataset.name:
        sys.stderr.write(
            f"recscope: the same data were stored as '{former[dataset.fingerprint]}'; "
            f"their name is '{dataset.name}' from here on.\n"
        )
    if dataset.name != arguments.name:
        sys.stderr.write(f"recscope: stored as '{dataset.name}': '{arguments.name}' is taken or invalid.\n")
    found = report.to_json() | {"fingerprint": dataset.fingerprint, "name": dataset.name}
    sys.stdout.write(json.dumps(found, indent=1, ensure_ascii=False, default=str) + "\n")
    return 0


def refuse_idle_forms(guesses: "Sequence[TableGuess]", unit: str | None, formats: dict[str, str]) -> None:
    """Refuse a timestamp or number format that applies to no column of any file.

    Raises:
        ConfigError: There is such a format.
    """
    if unit is not None and not any(TIMESTAMP in guess.roles for guess in guesses):
        raise ConfigError(_("--time-unit: no file has a timestamp column; --columns chooses one."))
    numeric = sorted({role for guess in guesses for role in guess.number_formats})
    for role in formats:
        if role not in numeric:
            raise ConfigError(
                _(
                    "--number-format: no file has a column of numbers with the role '{role}'. Such roles: {known}."
                ).format(role=role, known=", ".join(numeric) or "none")
            )


def with_forms(guess: "TableGuess", unit: str | None, formats: dict[str, str]) -> "TableGuess":
    """Return a guess with the given timestamp and number formats, if it has such columns.

    Raises:
        DataError: There is no such format.
    """
    from recsys_core.data.ingest.table_changes import changed

    if unit is not None and TIMESTAMP in guess.roles:
        guess = changed(guess, timestamp_unit=unit)
    wanted = {role: name for role, name in formats.items() if role in guess.number_formats}
    return changed(guess, number_formats=wanted) if wanted else guess
