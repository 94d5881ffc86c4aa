"""`ingest`: files into the workspace."""

import argparse
import json
import sys

from recsys_core.cli.arguments import parse_columns
from recsys_core.cli.settings import split_settings, typed_values


def ingest(arguments: argparse.Namespace) -> int:
    """Take files in and print the report as JSON; rejected rows are listed there and do not make it fail.

    Raises:
        DataError: A file that cannot be taken at all.
        ConfigError: A rule or column that does not exist.
    """
    from recsys_core.data.ingest import ingest as take_in
    from recsys_core.data.ingest import inspect_files, suggest_rules, with_interaction_columns
    from recsys_core.data.rules import IngestRules
    from recsys_core.data.workspace import default_workspace

    guesses = inspect_files(arguments.files)
    columns = parse_columns(arguments.columns)
    if columns is not None:
        guesses = with_interaction_columns(guesses, columns)
    asked = typed_values(IngestRules, split_settings(arguments.rule))
    rules = IngestRules.parse(suggest_rules(guesses).model_dump() | asked)
    dataset, report = take_in(guesses, rules, default_workspace(), arguments.name)
    if arguments.name and dataset.name != arguments.name:
        sys.stderr.write(f"recscope: stored as '{dataset.name}': '{arguments.name}' is taken, or no name.\n")
    found = report.to_json() | {"fingerprint": dataset.fingerprint, "name": dataset.name}
    sys.stdout.write(json.dumps(found, indent=1, ensure_ascii=False, default=str) + "\n")
    return 0
