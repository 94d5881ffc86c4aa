"""Stored replays of an experiment, and updated models that are kept as models of it.

A replay is in `replays/<model id>~<hash of its settings>` in the folder of the experiment:

- `replay.json`: its tables, with the checksum of the model;
- `updated.safetensors`: the model after its last update, if it updates incrementally;
- `kept.json`: exists if that model is kept. Its id as a model of the experiment is the name of the folder.

A kept model has learned from interactions that are test cases of its experiment, so it has no metrics there: it makes
recommendations, and is not part of a comparison.
"""

import hashlib
import json
import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pandas as pd

from recsys_core.contracts import RunContext
from recsys_core.data import Dataset
from recsys_core.errors import Damaged, StoreError
from recsys_core.experiments.damage import check_files
from recsys_core.experiments.experiment import LOCK, Run
from recsys_core.experiments.training_part import OnRelevant, for_training, trained
from recsys_core.experiments.update_replay import Replay, ReplaySettings, replay
from recsys_core.models.registry import make_model
from recsys_core.storage.checksums import FILES, file_sums, read_record, sums_to_json, write_record
from recsys_core.storage.disk_errors import disk_errors_in_words, safetensors_errors
from recsys_core.storage.files import children, sync
from recsys_core.storage.locks import locked
from recsys_core.text import _

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recsys_core.models.base import Recommender

REPLAYS = "replays"
REPLAY, UPDATED_MODEL, KEPT = "replay.json", "updated.safetensors", "kept.json"
MARK = "~"
"""Part of the id of a kept model; ids of other models do not contain it."""
RELEVANT_ONLY = "relevant_only"
"""Field of `replay.json`: whether the updated model reads relevant items only."""
FORMAT = 1
TABLES = ("points", "differences", "steps", "cold")


@dataclass(frozen=True)
class KeptModel:
    """An updated model that is kept as a model of its experiment.

    Args:
        id: Its id as a model of the experiment.
        model_id: The model that was updated.
        updates: Number of updates.
        border: It has learned from the interactions before this time, in Unix milliseconds.
        interactions: Their number.
        created: When it was kept, in local time.
    """

    id: str
    model_id: str
    updates: int
    border: int
    interactions: int
    created: datetime


def replay_id(model_id: str, settings: ReplaySettings) -> str:
    """Return the name of the folder of a replay."""
    text = json.dumps(asdict(settings), sort_keys=True)
    return f"{model_id}{MARK}{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def save_replay(run: Run, replayed: Replay, updated: "Recommender[Any] | None") -> None:
    """Store a replay, in place of an earlier one with the same settings.

    Raises:
        StoreError: A disk error; an earlier replay is unchanged.
    """
    from safetensors.numpy import save_file

    folder = run.path / REPLAYS / replay_id(replayed.model_id, replayed.settings)
    aside = run.path / REPLAYS / f".aside-{uuid4().hex[:8]}"
    try:
        with disk_errors_in_words(folder), safetensors_errors(folder / UPDATED_MODEL):
            aside.parent.mkdir(exist_ok=True)  # not its parents: the experiment may have been deleted meanwhile
            aside.mkdir()
            names = []
            if updated is not None:
                save_file(dict(trained(updated).state()), aside / UPDATED_MODEL, metadata={"key": replayed.key})
                names.append(UPDATED_MODEL)
            read = {RELEVANT_ONLY: isinstance(updated, OnRelevant)}
            write_record(aside / REPLAY, _to_json(replayed) | read | {FILES: sums_to_json(file_sums(aside, names))})
            with locked(run.path / LOCK):
                if (folder / KEPT).exists():
                    shutil.copy2(folder / KEPT, aside / KEPT)
                for path in aside.iterdir():
                    sync(path)
                shutil.rmtree(folder, ignore_errors=True)
                aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def read_replay(run: Run, model_id: str, settings: ReplaySettings) -> Replay | None:
    """Return a stored replay; None if there is none, if it is damaged, or if another version wrote it."""
    path = run.path / REPLAYS / replay_id(model_id, settings) / REPLAY
    if not path.exists():
        return None
    try:
        return _from_json(read_record(path))
    except (Damaged, KeyError, TypeError, ValueError):
        return None


def keep(run: Run, model_id: str, settings: ReplaySettings) -> KeptModel:
    """Keep the model after its last update as a model of the experiment.

    Raises:
        StoreError: There is no such replay, or its model does not update incrementally, or a disk error.
    """
    name = replay_id(model_id, settings)
    folder = run.path / REPLAYS / name
    found = read_replay(run, model_id, settings)
    if found is None or not (folder / UPDATED_MODEL).exists():
        raise StoreError(
            _("Experiment '{run_id}' has no updated model of '{model_id}'; replay its updates first.").format(
                run_id=run.id, model_id=model_id
            )
        )
    with locked(run.path / LOCK):
        last = found.steps.iloc[-1]
        values = {"updates": found.settings.steps, "border": int(last["border"]), "interactions": int(last["train"])}
        write_record(folder / KEPT, values | {"model_id": model_id, "created": time.time()})
    return _kept(folder)


def discard(run: Run, kept_id: str) -> None:
    """Remove a model from the kept ones; its replay stays.

    Raises:
        StoreError: There is no such model, or a disk error.
    """
    folder = _folder(run, kept_id)
    with locked(run.path / LOCK), disk_errors_in_words(folder):
        (folder / KEPT).unlink(missing_ok=True)


def kept_models(run: Run) -> tuple[KeptModel, ...]:
    """Return the kept models of an experiment, earliest first; damaged ones are left out."""
    found = []
    for folder in children(run.path / REPLAYS):
        if (folder / KEPT).exists():
            try:
                found.append(_kept(folder))
            except Damaged:
                continue
    return tuple(sorted(found, key=lambda one: one.created))


def is_kept_id(model_id: str) -> bool:
    """Return whether an id is that of a kept model."""
    return MARK in model_id


def kept_file(run_folder: Path, kept_id: str) -> Path:
    """Return the record that changes when a kept model changes."""
    return run_folder / REPLAYS / kept_id / REPLAY


def load_kept(run: Run, kept_id: str) -> "Recommender[Any]":
    """Return a kept model, restricted to relevant items if its experiment is.

    Raises:
        StoreError: There is no such model.
        Damaged: It is missing, or its checksum differs.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    folder = _folder(run, kept_id)
    check_files(folder / REPLAY, deep=[UPDATED_MODEL], names=[UPDATED_MODEL])
    source = run.model_spec(_kept(folder).model_id)
    model = make_model(source.key, source.config)
    try:
        arrays: dict[str, NDArray[Any]] = load_file(folder / UPDATED_MODEL)
    except (OSError, SafetensorError) as error:
        raise Damaged(
            _("The kept model '{kept_id}' cannot be read; replay its updates again.").format(kept_id=kept_id)
        ) from error
    model.load_state(arrays)
    relevant_only = bool(read_record(folder / REPLAY).get(RELEVANT_ONLY))
    return for_training(model, run.spec, has_ratings=relevant_only)


def _folder(run: Run, kept_id: str) -> Path:
    folder = run.path / REPLAYS / kept_id
    if folder.name != kept_id or not (folder / KEPT).exists():
        raise StoreError(
            _("Experiment '{run_id}' has no kept model '{kept_id}'.").format(run_id=run.id, kept_id=kept_id)
        )
    return folder


def _kept(folder: Path) -> KeptModel:
    values = read_record(folder / KEPT)
    try:
        created = datetime.fromtimestamp(values["created"]).astimezone()
        counts = {name: int(values[name]) for name in ("updates", "border", "interactions")}
        return KeptModel(id=folder.name, model_id=str(values["model_id"]), created=created, **counts)
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise Damaged(
            _("'{kept}' in {folder} does not describe a kept model ({error}).").format(
                kept=KEPT, folder=folder, error=error
            )
        ) from error


def _to_json(replayed: Replay) -> dict[str, Any]:
    """Return plain values; NaN becomes None."""
    tables = {
        name: {
            "columns": list(table.columns),
            "rows": [[_plain(one) for one in row] for row in table.astype(object).itertuples(index=False)],
        }
        for name in TABLES
        for table in [getattr(replayed, name)]
    }
    fields = {name: getattr(replayed, name) for name in ("model_id", "key", "metric", "k", "updates")}
    return {"format": FORMAT, "settings": asdict(replayed.settings)} | fields | tables


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _from_json(values: Mapping[str, Any]) -> Replay:
    if values["format"] != FORMAT:
        raise ValueError("another format")
    fields: dict[str, Any] = {name: values[name] for name in ("model_id", "key", "metric", "k", "updates")}
    fields |= {name: _table(values[name]) for name in TABLES}
    return Replay(settings=ReplaySettings(**values["settings"]), **fields)


def _table(values: Mapping[str, Any]) -> pd.DataFrame:
    table = pd.DataFrame(values["rows"], columns=values["columns"])
    unknown = [name for name in table if table[name].isna().all()]  # all None: numbers that are undefined everywhere
    return table.astype(dict.fromkeys(unknown, "float64"))


def replay_and_store(run: Run, model_id: str, dataset: Dataset, settings: ReplaySettings, ctx: RunContext) -> Replay:
    """Replay the updates of a model of an experiment, and store the result; see `update_replay.replay`.

    Raises:
        DataError: The data have no timestamps or too few, or lack something that the model needs.
        StoreError: The experiment has no such model, or a disk error.
        Cancelled: The run was cancelled; nothing is stored.
    """
    found, updated = replay(run.spec, run.model_spec(model_id), dataset, settings, ctx)
    save_replay(run, found, updated)
    return found
