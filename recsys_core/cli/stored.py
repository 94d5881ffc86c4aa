"""`workspace`: list stored and damaged data, and remove damaged folders."""

import argparse
import sys
from typing import Any

from recsys_core.cli.output import write_json_to
from recsys_core.data.workspace import Workspace, default_workspace
from recsys_core.experiments.store import ResultStore, local_time
from recsys_core.experiments.tuning.store import TuningStore
from recsys_core.storage.damaged import DamagedFolder
from recsys_core.strategy.store import StrategyStore


def workspace(arguments: argparse.Namespace) -> int:
    """Print `data_sets`, `experiments`, `tunings`, `strategies` and `damaged` as JSON.

    A damaged folder has `kind`, `name`, `folder` and `reason`.

    Returns:
        0 if nothing is damaged, else 1.

    Raises:
        StoreError: The workspace cannot be opened, or a folder to remove is not damaged.
    """
    data = default_workspace()
    runs = ResultStore(data.root)
    strategies, tunings = StrategyStore(data.root), TuningStore(data.root)
    for key in arguments.remove:
        owners = (strategies, tunings, runs)
        owner = next((one for one in owners if any(found.key == key for found in one.damaged())), data)
        owner.remove_damaged(key)
    damaged = data.verify() + runs.verify() if arguments.verify else data.damaged() + runs.damaged()
    damaged += tunings.damaged() + strategies.damaged()
    found: dict[str, Any] = {
        "workspace": str(data.root),
        "data_sets": [
            {"fingerprint": card.fingerprint, "name": card.name, "interactions": card.n_interactions}
            for card in data.datasets()
        ],
        "experiments": [
            {"id": card.id, "name": card.name, "created": card.created.isoformat(), "data": card.data}
            for card in runs.runs()
        ],
        "tunings": [
            {"id": card.id, "name": card.name, "created": local_time(card.created).isoformat(), "data": card.data}
            for card in tunings.tunings()
        ],
        "strategies": [
            {"id": one.id, "name": one.name, "version": one.current, "state": one.state} for one in strategies.all()
        ],
        "damaged": [
            {"kind": one.kind, "name": one.name, "folder": one.key, "path": str(one.path), "reason": one.reason}
            for one in damaged
        ],
    }
    write_json_to(None, found)
    return 1 if damaged else 0


def warn_of_damage(data: Workspace) -> None:
    """List damaged folders of a workspace on standard error, one per line."""
    for one in [*data.damaged(), *ResultStore(data.root).damaged(), *TuningStore(data.root).damaged()]:
        if one.path.parent.name != "set_aside":  # reported when it was quarantined
            sys.stderr.write(f"recscope: {_line(one)}\n")


def _line(one: DamagedFolder) -> str:
    reason = " ".join(one.reason.split()).rstrip(".")
    return f"{one.kind} '{one.name}' is damaged: {reason}. To remove it: workspace --remove {one.key}"
