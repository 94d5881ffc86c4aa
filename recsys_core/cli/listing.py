"""Short commands: list models, write the report of a stored experiment, run the engine in the foreground."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from recsys_core.models.registry import MODELS, model_class


def models(_: argparse.Namespace) -> int:
    """Print `key`, `title`, `family`, `needs`, `abilities`, `weights`, `config` (JSON schema) of all models."""
    found: list[dict[str, Any]] = []
    for key in MODELS:
        kind = model_class(key)
        found.append(
            {
                "key": key,
                "title": kind.info.title,
                "family": kind.info.family,
                "idea": kind.info.idea,
                "formula": kind.info.formula,
                "source": kind.info.source,
                "needs": sorted(kind.info.needs),
                "abilities": sorted(kind.info.abilities),
                "weights": kind.info.weights,
                "config": kind.config_type.model_json_schema(),
            }
        )
    sys.stdout.write(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    return 0


def report(arguments: argparse.Namespace) -> int:
    """Write an HTML report of a stored experiment.

    Raises:
        StoreError: There is no such experiment, or the file cannot be written.
    """
    from recsys_core.data.workspace import default_workspace
    from recsys_core.experiments.store import ResultStore
    from recsys_core.viz.report import write_report

    run = ResultStore(default_workspace().root).open(arguments.run)
    write_report(run, arguments.out, metric=arguments.metric)
    return 0


def serve_engine(arguments: argparse.Namespace) -> int:
    """Run the job engine of the workspace in this process."""
    from recsys_core.data.workspace import default_workspace
    from recsys_core.engine.process import main

    root: Path = arguments.workspace or default_workspace().root
    return main(root)
