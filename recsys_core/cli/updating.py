"""`update`: update a trained model with newer data, and evaluate it before and after."""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys_core.cli.answering import write_lists
from recsys_core.cli.arguments import parse_columns, positive
from recsys_core.cli.output import Account, refuse_unwritable, write_json_to, write_table
from recsys_core.cli.settings import model_settings, split_settings
from recsys_core.cli.sources import Sources, finished_model
from recsys_core.cli.users import ALL, ChosenUsers, chosen_users
from recsys_core.contracts import Ability, RunContext
from recsys_core.data.dataset import Dataset
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.vocabulary import Vocabulary
from recsys_core.engine.settings import usable_cores
from recsys_core.errors import CannotScore, ConfigError, DataError
from recsys_core.evaluation.sentences import interval_text, rounded
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.resources import limited_threads
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.models.registry import model_class, usable_models
from recsys_core.serving.incremental_updates import (
    UpdateReport,
    incremental_update,
    require_updatable,
    updated_model,
)
from recsys_core.storage.processes import own_mark
from recsys_core.text import _


def update(arguments: argparse.Namespace) -> int:
    """Update a copy of a trained model with newer data, and write the metric changes on old and new data.

    The model comes from a stored experiment (`--run`), or is trained first (`--train`). Stored results stay unchanged.

    Raises:
        RecscopeError: An argument, file, experiment or model is invalid.
    """
    _refuse_others(arguments.model)
    for path in (arguments.out, arguments.lists):
        refuse_unwritable(path)
    if arguments.users is not None and arguments.lists is None:
        raise ConfigError(_("--users needs --lists: it names the users whose recommendations are written."))
    sources = Sources(parse_columns(arguments.columns))
    if arguments.run is not None:
        given = [name for name in ("set", "split", "seed") if getattr(arguments, name) not in (None, [])]
        if given:
            raise ConfigError(
                _("--{given} requires --train: the model of --run is already trained.").format(given=given[0])
            )
        from recsys_core.data.workspace import default_workspace

        run = ResultStore(default_workspace().root).open(arguments.run)
        model_id = finished_model(run, arguments.model)
        return _update(run, model_id, _request(run.spec, sources, arguments), arguments)
    spec = _spec(arguments, sources)
    request = _request(spec, sources, arguments)
    with tempfile.TemporaryDirectory(prefix="recscope-run-") as folder:
        store = ResultStore(folder)
        run = store.create(spec, arguments.train, owner=own_mark())
        model_id = next(model.id for model in run.spec.models if model.key == arguments.model)
        status = execute(store, run.id, model_id, sources, usable_cores())
        if status.state is not JobState.DONE:
            raise DataError(
                _("{model} could not be trained: {status_reason}").format(
                    model=arguments.model, status_reason=status.reason
                )
            )
        return _update(run, model_id, request, arguments)


def _refuse_others(key: str) -> None:
    """Refuse models that cannot update incrementally, before any data are read.

    Raises:
        ConfigError: There is no such model.
        CannotScore: The model does not update incrementally.
    """
    able = Ability.UPDATES_INCREMENTALLY
    if able not in model_class(key).info.abilities:
        others = ", ".join(one for one in usable_models() if able in model_class(one).info.abilities)
        raise CannotScore(
            _("'{key}' does not update incrementally; retrain it on all data. Models that do: {others}.").format(
                key=key, others=others
            )
        )


def _spec(arguments: argparse.Namespace, sources: Sources) -> ExperimentSpec:
    settings = model_settings(arguments.model, split_settings(arguments.set))
    seed = 42 if arguments.seed is None else arguments.seed
    return ExperimentSpec(
        data=sources.open(arguments.train).fingerprint,
        split=SplitSpec.parse(arguments.split or "ratio:0.2"),
        models=[{"key": arguments.model, "config": settings}],  # type: ignore[arg-type]
        k=positive(10 if arguments.k is None else arguments.k, "--k"),
        seed=seed,
    )


@dataclass(frozen=True, eq=False)
class _Request:
    """What an update reads, opened and checked before anything is trained.

    Args:
        old: Data of the model.
        newer: Newer data.
        k: Length of the lists.
        users: Users whose recommendations are written.
        account: Collects the messages.
    """

    old: Dataset
    newer: Dataset
    k: int
    users: ChosenUsers
    account: Account


def _request(spec: ExperimentSpec, sources: Sources, arguments: argparse.Namespace) -> _Request:
    """Open the data of an update.

    Raises:
        RecscopeError: An argument, file or data set is invalid, or the newer data do not fit.
    """
    old, newer = sources.open(spec.data), sources.open(arguments.data)
    sources.refuse_idle_columns()
    k = positive(spec.k if arguments.k is None else arguments.k, "--k")
    joined = Vocabulary(dict.fromkeys([*old.user_vocabulary.ids, *newer.user_vocabulary.ids]))
    users = chosen_users(ALL if arguments.users is None else arguments.users, joined)
    require_updatable(spec, old, newer)
    account = Account()
    for name, rows in sources.reports.items():
        account.rows_of(name, rows)
    return _Request(old, newer, k, users, account)


def _update(run: Run, model_id: str, request: _Request, arguments: argparse.Namespace) -> int:
    old, newer, account = request.old, request.newer, request.account
    ctx = RunContext(threads=usable_cores())
    frozen = arguments.freeze_embeddings
    with limited_threads(ctx.threads):
        report = incremental_update(run, model_id, old, newer, ctx, freeze_embeddings=frozen)
        if arguments.lists is not None:
            model, everything = updated_model(run, model_id, old, newer, ctx, freeze_embeddings=frozen)
            request.users.tell(account)
            write_lists(model, everything, request.users, request.k, arguments.lists, account)
    _tell(report, model_id, account, arguments.out)
    return 0


def _tell(report: UpdateReport, model_id: str, account: Account, path: Path | None) -> None:
    """Write the report, and summarize it on standard error."""
    values = _values(report, model_id)
    if path is not None and path.suffix.lower() != ".json":
        write_table(report.table, path)
    else:
        write_json_to(path, values)
    account.say(
        f"{report.learned:,} new interactions used, {report.given_away:,} excluded as part of the old test data; "
        f"{report.users:,} new users, {report.items:,} new items."
    )
    for part in values["parts"]:
        account.say(_sentence(part, report.metric))
    account.write()


def _values(report: UpdateReport, model_id: str) -> dict[str, Any]:
    return {
        "model": model_id,
        "metric": report.metric,
        "learned": report.learned,
        "kept_out": report.given_away,
        "new_users": report.users,
        "new_items": report.items,
        "parts": report.table.astype(object).where(report.table.notna(), None).to_dict("records"),
    }


def _sentence(part: dict[str, Any], metric: str) -> str:
    low, high = float(part["low"]), float(part["high"])
    difference = rounded(float(part["difference"]), low, high)
    interval = f"95% interval {interval_text(low, high)}, {part['users']:,} users"
    verdict = "" if part["different"] else "; no significant difference"
    return f"{part['part']} data: {metric} changes by {difference} ({interval}){verdict}."
