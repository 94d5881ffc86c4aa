"""`replay`: compare a stale, an incrementally updated and a refit model over the latest data."""

import argparse
from dataclasses import asdict

import pandas as pd

from recsys_core.cli.arguments import parse_columns, positive
from recsys_core.cli.output import Account, refuse_unwritable, write_table
from recsys_core.cli.settings import settings_by_model
from recsys_core.cli.sources import Sources
from recsys_core.columns import MODEL
from recsys_core.contracts import RunContext
from recsys_core.data import Dataset
from recsys_core.engine.settings import usable_cores
from recsys_core.errors import ConfigError, StoreError
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.resources import limited_threads
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.stored_replays import keep, replay_and_store
from recsys_core.experiments.suggestion import suggest
from recsys_core.experiments.update_replay import Replay, ReplaySettings
from recsys_core.experiments.update_replay import replay as play
from recsys_core.text import _
from recsys_core.viz.update_replay import over_time


def replay(arguments: argparse.Namespace) -> int:
    """Replay the updates of models; write one row per model, step and version.

    With `--run`, the replays are stored in the experiment; with `--data`, nothing is stored.

    Raises:
        RecscopeError: An argument, file, experiment or model is invalid.
    """
    refuse_unwritable(arguments.out)
    settings = ReplaySettings(arguments.steps, arguments.share)
    sources = Sources(parse_columns(arguments.columns))
    account = Account()
    ctx = RunContext(threads=usable_cores())
    with limited_threads(ctx.threads):
        if arguments.run is not None:
            found = _of_run(arguments, settings, sources, ctx, account)
        else:
            found = _of_data(arguments, settings, sources, ctx)
    for name, rows in sources.reports.items():
        account.rows_of(name, rows)
    write_table(pd.concat([_table(one) for one in found], ignore_index=True), arguments.out)
    for one in found:
        for sentence in over_time(one):
            account.say(f"{one.model_id}: {sentence}")
        if not one.updates:
            account.say(f"{one.model_id}: it does not update incrementally, so only the refit is compared.")
    account.write()
    return 0


def _of_run(
    arguments: argparse.Namespace, settings: ReplaySettings, sources: Sources, ctx: RunContext, account: Account
) -> list[Replay]:
    from recsys_core.data.workspace import default_workspace

    given = [name for name in ("set", "k", "seed") if getattr(arguments, name) not in (None, [])]
    if given:
        raise ConfigError(_("--{given} requires --data: the experiment of --run has its own.").format(given=given[0]))
    run = ResultStore(default_workspace().root).open(arguments.run)
    dataset = sources.open(run.spec.data)
    found = []
    for model in _chosen(run, arguments.models):
        one = replay_and_store(run, model.id, dataset, settings, ctx)
        if arguments.keep and one.updates:
            account.say(f"{keep(run, model.id, settings).id} is kept as a model of experiment {run.id}.")
        found.append(one)
    return found


def _chosen(run: Run, names: str | None) -> list[ModelSpec]:
    """Return the models of an experiment with these keys or ids; all of them by default.

    Raises:
        StoreError: The experiment has no such model.
    """
    if names is None:
        return [model for model in run.spec.models if model.has_scores]
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    chosen = [model for model in run.spec.models if {model.key, model.id} & set(wanted)]
    known = {name for model in chosen for name in (model.key, model.id)}
    if missing := [name for name in wanted if name not in known]:
        raise StoreError(
            _("Experiment '{run_id}' has no model '{missing}'. It has: {model_ids}.").format(
                run_id=run.id, missing=missing[0], model_ids=", ".join(run.model_ids)
            )
        )
    return chosen


def _of_data(
    arguments: argparse.Namespace, settings: ReplaySettings, sources: Sources, ctx: RunContext
) -> list[Replay]:
    if arguments.keep:
        raise ConfigError(_("--keep requires --run: without an experiment there is no place for the updated model."))
    keys = [key.strip() for key in (arguments.models or "").split(",") if key.strip()]
    if not keys:
        raise ConfigError(_("--data requires --models: name the models to replay, separated by commas."))
    own = settings_by_model(keys, arguments.set)
    dataset = sources.open(arguments.data)
    sources.refuse_idle_columns()
    spec = _spec(arguments, dataset, [ModelSpec(key=key, config=own[key]) for key in keys])
    return [play(spec, model, dataset, settings, ctx)[0] for model in spec.models if model.key in keys]


def _spec(arguments: argparse.Namespace, dataset: Dataset, models: list[ModelSpec]) -> ExperimentSpec:
    """Return the experiment with the question suggested for the data."""
    seed = 42 if arguments.seed is None else arguments.seed
    if not 0 <= seed < 2**31:
        raise ConfigError(_("--seed must be from 0 to {value}, but it is {seed}.").format(value=2**31 - 1, seed=seed))
    fields = suggest(dataset).fields() | {"data": dataset.fingerprint, "models": tuple(models), "seed": seed}
    if arguments.k is not None:
        fields |= {"k": positive(arguments.k, "--k"), "primary": ""}
    return ExperimentSpec.model_validate(fields)


def _table(replayed: Replay) -> pd.DataFrame:
    """Return the points of a replay with the counts of their steps and the differences to the stale model."""
    differences = replayed.differences[replayed.differences["baseline"] == "stale"].drop(columns="baseline")
    renamed = {name: f"difference_{name}" for name in ("low", "high")}
    table = replayed.points.merge(differences.rename(columns=renamed), on=["step", "version"], how="left")
    table = table.merge(replayed.steps, on="step")
    table.insert(0, MODEL, replayed.model_id)
    table.insert(1, "metric", replayed.metric)
    return table.assign(**asdict(replayed.settings))
