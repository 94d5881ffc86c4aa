"""Queries of the update replay: stored results, estimated time, start, and updated models that are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import services
from pages.ui.queries import model_queries

if TYPE_CHECKING:
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.stored_replays import KeptModel
    from recsys_core.experiments.update_replay import Replay
    from recsys_core.serving.background import Ticket


@dataclass(frozen=True)
class ReplayEstimate:
    """Estimate of a replay.

    Args:
        seconds: Time of all trainings and lists, from the measured times of the experiment.
        updates: Whether a model is updated, too; the time of the updates is not known before.
        refused: Why the replay must not start, empty if it may.
    """

    seconds: float
    updates: bool
    refused: str


def stored(run: "Run", model_id: str, steps: int, share: float) -> "Replay | None":
    """Return the stored replay of a model, None if there is none."""
    from recsys_core.experiments.stored_replays import replay_id
    from recsys_core.experiments.update_replay import ReplaySettings

    settings = ReplaySettings(steps, share)
    stamp = _stamp(run, replay_id(model_id, settings))
    return _stored(str(services.root()), run.id, model_id, steps, share, stamp) if stamp else None


def _stamp(run: "Run", name: str) -> int:
    from recsys_core.serving.requests import stamp

    return stamp(services.root(), run.id, name)


@st.cache_resource(max_entries=32, show_spinner=False)
def _stored(_root: str, run_id: str, model_id: str, steps: int, share: float, _stamp: int) -> "Replay | None":
    from recsys_core.experiments.stored_replays import read_replay
    from recsys_core.experiments.update_replay import ReplaySettings

    return read_replay(services.store().open(run_id), model_id, ReplaySettings(steps, share))


def estimate(run: "Run", models: Sequence[str], steps: int, share: float) -> ReplayEstimate:
    """Return the estimate of a replay of some finished models of an experiment.

    Raises:
        StoreError: The data or a result are not available.
    """
    from recsys_core.contracts import Ability
    from recsys_core.experiments.update_replay import ReplaySettings, replay_spec, seconds_of_a_training

    found = services.engine().estimate(replay_spec(run.spec, ReplaySettings(steps, share)))
    keys = [run.model_spec(one).key for one in models]
    return ReplayEstimate(
        seconds=(steps + 1) * sum(seconds_of_a_training(run.spec, run.result(one)) for one in models),
        updates=any(Ability.UPDATES_INCREMENTALLY in services.model_info(key).abilities for key in keys),
        refused=" ".join(one.refused for one in found.models if one.refused and one.model_id in models),
    )


def start(run: "Run", model_id: str, steps: int, share: float) -> "Ticket[Replay]":
    """Return the ticket of a replay, which is computed in the process that holds the models."""
    model = model_queries.named(run.id, run.model_spec(model_id))
    return model_queries.ticket(model, "update_replay", steps, share, steps=steps, share=share)


def metric_title(replay: "Replay") -> str:
    """Return the display name of the metric of a replay."""
    from recsys_core.experiments.leaderboard import metric_title as title

    return title(replay.metric)


def kept(run: "Run") -> "tuple[KeptModel, ...]":
    """Return the updated models that are kept as models of an experiment."""
    if not (run.path / "replays").is_dir():
        return ()
    from recsys_core.experiments.stored_replays import kept_models

    return kept_models(run)


def kept_id(replay: "Replay") -> str:
    """Return the id that the updated model of a replay has when it is kept."""
    from recsys_core.experiments.stored_replays import replay_id

    return replay_id(replay.model_id, replay.settings)


def keep(run: "Run", replay: "Replay") -> None:
    """Keep the updated model of a replay.

    Raises:
        StoreError: It is missing, or a disk error.
    """
    from recsys_core.experiments import stored_replays

    stored_replays.keep(run, replay.model_id, replay.settings)


def discard(run: "Run", model_id: str) -> None:
    """Remove an updated model from the kept ones.

    Raises:
        StoreError: It is missing, or a disk error.
    """
    from recsys_core.experiments import stored_replays

    stored_replays.discard(run, model_id)
