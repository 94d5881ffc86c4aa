"""`runs`, `export-card`, `export-model`, `open-card`, `rerun` and `diff`: stored experiments and what leaves them."""

import argparse
import math
import sys
from dataclasses import asdict
from typing import Any

from recsys_core.cli.output import refuse_unwritable, write_json_to
from recsys_core.cli.sources import finished_model
from recsys_core.data.workspace import default_workspace
from recsys_core.engine.settings import usable_cores
from recsys_core.errors import ConfigError
from recsys_core.experiments.card_reader import CardFacts, open_card, verify_card
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment_cards import RunCard
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.model_export import export_model
from recsys_core.experiments.rerun import ModelDifference, RunDifference, difference, repetition_of, require_data
from recsys_core.experiments.run_card import export_card
from recsys_core.experiments.search import matching
from recsys_core.experiments.store import ResultStore
from recsys_core.storage.processes import own_mark
from recsys_core.text import _


def runs(arguments: argparse.Namespace) -> int:
    """Print the stored experiments as JSON, favorites first, then the latest."""
    store = ResultStore(default_workspace().root)
    found = matching(store.runs(), arguments.search, archived=arguments.archived)
    write_json_to(None, [_listed(card) for card in found])
    return 0


def export(arguments: argparse.Namespace) -> int:
    """Write the run card of an experiment.

    Raises:
        RecscopeError: There is no such experiment, it has no results, or the file cannot be written.
    """
    refuse_unwritable(arguments.out)
    store = ResultStore(default_workspace().root)
    export_card(store.open(arguments.run), arguments.out)
    return 0


def export_trained(arguments: argparse.Namespace) -> int:
    """Write a trained model of an experiment into one file, as *Download model* does on the pages.

    Raises:
        RecscopeError: There is no such experiment or finished model, only its lists are known, the experiment is from a
            run card, its data are not in the workspace, or the file cannot be written.
    """
    refuse_unwritable(arguments.out)
    workspace = default_workspace()
    run = ResultStore(workspace.root).open(arguments.run)
    model_id = finished_model(run, arguments.model)
    require_data(workspace, run)
    export_model(run, model_id, workspace.open(run.spec.data), arguments.out)
    return 0


def open_(arguments: argparse.Namespace) -> int:
    """Verify a run card, store its experiment in the workspace, and print what was opened as JSON.

    Raises:
        RecscopeError: The file is not a run card or was changed.
    """
    facts = verify_card(arguments.file)
    opened = _facts(facts)
    if not arguments.verify_only:
        opened["run"] = open_card(arguments.file, ResultStore(default_workspace().root)).id
    write_json_to(None, opened)
    return 0


def rerun(arguments: argparse.Namespace) -> int:
    """Train an experiment again in this process, and print the differences of the results as JSON.

    Returns:
        0 if all results are the same or within their band, 1 if one is outside, unknown or missing.

    Raises:
        RecscopeError: There is no such experiment, or its data are not available.
    """
    refuse_unwritable(arguments.out)
    workspace = default_workspace()
    store = ResultStore(workspace.root)
    run = store.open(arguments.run)
    require_data(workspace, run)
    again = store.create(repetition_of(store, run.spec), run.data_name, name=run.name, owner=own_mark())
    for model_id in again.model_ids:
        status = execute(store, again.id, model_id, workspace, usable_cores())
        if status.state is not JobState.DONE:
            sys.stderr.write(f"recscope: {status.key} {status.state.value}: {status.reason or 'no reason given.'}\n")
    return _write_difference(difference(run, again), arguments)


def diff(arguments: argparse.Namespace) -> int:
    """Print the differences between the results of two stored runs of the same experiment; see `rerun`."""
    refuse_unwritable(arguments.out)
    if arguments.run == arguments.other:
        raise ConfigError(_("--run and --other name the same run; `rerun` makes another one."))
    store = ResultStore(default_workspace().root)
    return _write_difference(difference(store.open(arguments.run), store.open(arguments.other)), arguments)


def _write_difference(outcome: RunDifference, arguments: argparse.Namespace) -> int:
    write_json_to(arguments.out, difference_json(outcome))
    return 0 if not outcome.missing and all(model.within_band for model in outcome.models) else 1


def difference_json(outcome: RunDifference) -> dict[str, Any]:
    """Return the difference between two runs as JSON values; what is unknown or infinite is null."""
    return {
        "first": outcome.first,
        "second": outcome.second,
        "identical": outcome.identical,
        "missing": list(outcome.missing),
        "environment": outcome.environment.to_dict("records"),
        "models": [_model(model) for model in outcome.models],
    }


def _model(model: ModelDifference) -> dict[str, Any]:
    differ = (model.metrics["difference"] != 0) | (model.metrics["users"] > 0)
    rows = model.metrics[differ].to_dict("records")
    return {
        "model": model.model_id,
        "deterministic": model.deterministic,
        "trainings": model.trainings,
        "identical": model.identical,
        "within_band": model.within_band,
        "largest_difference": _finite(model.largest),
        "users_that_differ": int(model.users["user_id"].nunique()),
        "lists": model.lists,
        "lists_that_differ": model.lists_differ,
        "metrics": len(model.metrics),
        "metrics_that_differ": [{str(name): _finite(value) for name, value in row.items()} for row in rows],
    }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _facts(facts: CardFacts) -> dict[str, Any]:
    return asdict(facts) | {"verified": True}


def _listed(card: RunCard) -> dict[str, Any]:
    return {
        "id": card.id,
        "name": card.name,
        "created": card.created.isoformat(),
        "data": card.data,
        "data_name": card.data_name,
        "split": card.split,
        "models": list(card.models),
        "states": {model: state.value for model, state in card.states.items()},
        "metric": card.metric,
        "best": card.best,
        "value": card.best_value,
        "interval": list(card.interval) or None,
        "recscope": list(card.versions),
        "imported": card.imported,
        "repetition": card.repetition,
        "tags": list(card.tags),
        "note": card.note,
        "favorite": card.favorite,
        "archived": card.archived,
    }
