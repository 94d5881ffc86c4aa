"""`ingest`: store files in the workspace."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

from recsys_core.cli.arguments import parse_columns
from recsys_core.cli.output import Account
from recsys_core.cli.settings import split_settings, typed_values
from recsys_core.columns import TIMESTAMP

if TYPE_CHECKING:
    from recsys_core.data.ingest.table_schema import TableGuess


def ingest(arguments: argparse.Namespace) -> int:
    """Store files and print the report as JSON; rejected rows are listed there and are not an error.

    Raises:
        DataError: A file cannot be read.
        ConfigError: A rule or column does not exist.
    """
    from recsys_core.data.ingest import ingest as take_in
    from recsys_core.data.ingest import inspect_files, suggest_rules, with_interaction_columns
    from recsys_core.data.ingest.cleaning_rules import IngestRules
    from recsys_core.data.workspace import default_workspace

    guesses = inspect_files(arguments.files)
    columns = parse_columns(arguments.columns)
    if columns is not None:
        guesses = with_interaction_columns(guesses, columns)
    guesses = [with_forms(guess, arguments.time_unit, split_settings(arguments.number_format)) for guess in guesses]
    asked = typed_values(IngestRules, split_settings(arguments.rule))
    if arguments.missing_rating:
        asked["missing_ratings"] = tuple(arguments.missing_rating)
    rules = IngestRules.parse(suggest_rules(guesses).model_dump() | asked)
    dataset, report = take_in(guesses, rules, default_workspace(), arguments.name)
    account = Account()
    account.warnings_of(report)
    account.write()
    if arguments.name and dataset.name != arguments.name:
        sys.stderr.write(f"recscope: stored as '{dataset.name}': '{arguments.name}' is taken or invalid.\n")
    for alarm in report.alarms:
        sys.stderr.write(f"recscope: {alarm.message} {alarm.remedy}\n")
    found = report.to_json() | {"fingerprint": dataset.fingerprint, "name": dataset.name}
    sys.stdout.write(json.dumps(found, indent=1, ensure_ascii=False, default=str) + "\n")
    return 0


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
