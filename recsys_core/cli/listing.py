"""Short commands: list models, write the report of a stored experiment, run the engine in the foreground."""

import argparse
from pathlib import Path
from typing import Any

from recsys_core.cli.output import make_folder, refuse_unwritable, write_json_to
from recsys_core.models.registry import model_class, usable_models


def models(_: argparse.Namespace) -> int:
    """Print `key`, `title`, `family`, `needs`, `abilities`, `weights`, `config` (JSON schema) of all models."""
    found: list[dict[str, Any]] = []
    for kind in map(model_class, usable_models()):
        told = {name: getattr(kind.info, name) for name in ("key", "title", "family", "idea", "formula", "source")}
        needed = {"needs": sorted(kind.info.needs), "abilities": sorted(kind.info.abilities)}
        schema = {"weights": kind.info.weights, "config": kind.config_type.model_json_schema()}
        found.append(told | needed | schema)
    write_json_to(None, found)
    return 0


def report(arguments: argparse.Namespace) -> int:
    """Write an HTML report of a stored experiment.

    Raises:
        StoreError: There is no such experiment, or the file cannot be written.
    """
    refuse_unwritable(arguments.out)
    from recsys_core.data.workspace import default_workspace
    from recsys_core.experiments.store import ResultStore
    from recsys_core.viz.report import write_report

    run = ResultStore(default_workspace().root).open(arguments.run)
    write_report(run, arguments.out, metric=arguments.metric)
    return 0


def serve_engine(arguments: argparse.Namespace) -> int:
    """Run the job engine of the workspace in this process.

    Raises:
        StoreError: The workspace is not a folder, or cannot be written to.
    """
    from recsys_core.data.workspace import default_workspace
    from recsys_core.engine.process import main

    root: Path = arguments.workspace or default_workspace().root
    make_folder(root)
    return main(root)
