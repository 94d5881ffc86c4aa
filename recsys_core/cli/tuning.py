"""`tune`: tune models on validation data in this process, resumable, and evaluate the tuned ones once if asked."""

import argparse
import sys
import time
from dataclasses import asdict
from typing import Any

from recsys_core.cli.arguments import parse_columns
from recsys_core.cli.comparing import experiment_spec, say_reasons, train_and_report
from recsys_core.cli.output import make_folder
from recsys_core.cli.sources import Sources
from recsys_core.engine.settings import usable_cores
from recsys_core.errors import ConfigError
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.thresholds import threshold_refusal
from recsys_core.experiments.tuning.execution import Bench
from recsys_core.experiments.tuning.results import Standing, importance, standings
from recsys_core.experiments.tuning.spec import TuningSpec
from recsys_core.experiments.tuning.store import Tuning, TuningStore
from recsys_core.storage.files import write_json
from recsys_core.text import _

RESULTS = "tuning.json"
LOOK_SECONDS = 0.5
NUMBER_OF_CUTOFF = 10


def tune(arguments: argparse.Namespace) -> int:
    """Tune the models; write `tuning.json`, and print the best validation value of each model.

    Called again with the same arguments, it goes on where it was interrupted.

    Returns:
        0 if every model used its budget with a result (and, with `--test`, the comparison has one), else 1.

    Raises:
        RecscopeError: An argument or a file is invalid, or the folder belongs to another tuning.
    """
    sources = Sources(parse_columns(arguments.columns))
    dataset = sources.open(arguments.data)
    name = MetricName.parse(arguments.metric)
    arguments.primary, arguments.k = str(name), name.k or NUMBER_OF_CUTOFF
    experiment, reasons = experiment_spec(arguments, dataset, sources)
    sources.refuse_idle_columns()
    if reason := threshold_refusal(dataset, experiment.relevant_from):
        raise ConfigError(_("--relevant-from: {reason}").format(reason=reason))
    experiment.task.check(dataset)
    keys = tuple(key.strip() for key in arguments.models.split(",") if key.strip())
    fields = experiment.model_dump(mode="json")
    spec = TuningSpec.of(fields, keys, {"trials": arguments.trials, "seconds": arguments.seconds})
    tuning = _tuning(arguments, spec, dataset.name)
    say_reasons(reasons)
    _run(tuning, sources)
    write_json(arguments.out / RESULTS, results(tuning))
    sys.stdout.write(table(tuning))
    done = len(tuning.tuned_configs()) == len(keys)
    if not arguments.test:
        return 0 if done else 1
    compared = tuning.read_test_part()
    found = train_and_report(ResultStore(arguments.out), compared, dataset.name, sources, arguments)
    write_json(arguments.out / RESULTS, results(tuning))
    return found if done else 1


def _tuning(arguments: argparse.Namespace, spec: TuningSpec, data_name: str) -> Tuning:
    """Return the tuning in the folder, which is that of the arguments; its failed and cancelled models go on.

    Raises:
        ConfigError: The folder has another tuning.
    """
    make_folder(arguments.out)
    store = TuningStore(arguments.out)
    if others := [card.id for card in store.tunings() if card.id != spec.id]:
        raise ConfigError(
            _(
                "'{out}' has a tuning with other data, models, budget or split ({others}); choose "
                "another folder for --out."
            ).format(out=arguments.out, others=others[0])
        )
    tuning = store.create(spec, data_name)
    if tuning.guard.reading() is None:
        for key in spec.models:
            tuning.job(key).requeue()
    return tuning


def _run(tuning: Tuning, sources: Sources) -> None:
    """Run the trials of all models in turn; a model that another process trains is waited for."""
    bench = Bench(tuning, sources, usable_cores())
    try:
        while live := [status for status in tuning.statuses() if status.is_live]:
            waiting = True
            for status in live:
                if status.state is JobState.QUEUED:
                    waiting = False
                    _say(tuning, bench.run_next(status.model_id).model_id)
            if waiting:
                time.sleep(LOOK_SECONDS)
    finally:
        bench.close()
    for status in tuning.statuses():
        if status.state is not JobState.DONE:
            sys.stderr.write(f"recscope: {status.key} {status.state.value}: {status.reason or 'no reason given.'}\n")


def _say(tuning: Tuning, key: str) -> None:
    """Report the last trial of a model on standard error."""
    last = tuning.trials(key)[-1:]
    best = tuning.best(key)
    for row in last:
        value = (
            f"{row.value:.4f}"
            if row.value is not None
            else f"{row.ending} ({row.reason.rstrip('.') or 'no reason given'})"
        )
        so_far = "no value yet" if best is None else f"best {best.value:.4f} (trial {best.number})"
        sys.stderr.write(f"recscope: {key} trial {row.number}: {value}, {row.seconds:.2f} s; {so_far}.\n")


def results(tuning: Tuning) -> dict[str, Any]:
    """Return the content of `tuning.json`.

    Returns:
        `id`, `metric`, `budget`, `split`, `seed`, `models` (`key`, `state`, `reason`, `first` (value of the defaults),
        `best`, `best_trial`, `config`, `importance`, `seconds`, `trials`), and `test_part`: the experiment that has
        read it, None before.
    """
    reading = tuning.guard.reading()
    return {
        "id": tuning.id,
        "metric": tuning.spec.metric,
        "budget": tuning.spec.budget.model_dump(exclude_none=True),
        "split": tuning.spec.experiment.split.model_dump(mode="json"),
        "seed": tuning.spec.experiment.seed,
        "models": [_model(tuning, one) for one in standings(tuning)],
        "test_part": None if reading is None else asdict(reading),
    }


def _model(tuning: Tuning, standing: Standing) -> dict[str, Any]:
    key, best = standing.key, standing.best
    status, trials = tuning.job(key).status(), tuning.trials(key)
    return {
        "key": key,
        "state": status.state.value,
        "reason": status.reason,
        "first": standing.first,
        "best": best.value if best else None,
        "best_trial": best.number if best else None,
        "config": best.config if best else None,
        "importance": importance(key, trials),
        "seconds": standing.seconds,
        "trials": [asdict(trial) for trial in trials],
    }


def table(tuning: Tuning) -> str:
    """Return the best validation value of each model as a text table."""
    lines = [f"{'model':<20}{'trials':>7}{'seconds':>9}{'defaults':>10}{'best':>8}  trial"]
    for one in standings(tuning):
        first = "-" if one.first is None else f"{one.first:.4f}"
        best, number = ("-", "-") if one.best is None else (f"{one.best.value:.4f}", str(one.best.number))
        lines.append(f"{one.key:<20}{one.used:>7}{one.seconds:>9.1f}{first:>10}{best:>8}  {number}")
    lines.append(f"{tuning.spec.metric} on validation data, budget per model: {tuning.spec.budget.words}.")
    return "\n".join(lines) + "\n"
