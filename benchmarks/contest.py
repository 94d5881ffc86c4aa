"""All models on public data under one evaluator: quality with intervals and ties, time and memory.

Each model is tuned on the validation data with the same number of trials, and trained once more with its best settings
for the comparison on the test users. `python -m benchmarks contest` writes `docs/benchmarks.md`, `docs/benchmarks.json`
and a figure per data set, quality against time. `python -m benchmarks.contest --data ml-100k --models ease,slim` runs a
part; `--tune-only` leaves the comparison, whose seconds need a quiet machine, for a later run, which with `--tuned`
leaves out models whose tuning has not ended. What has been tuned and
trained is kept in `benchmarks/results/`, so a run that was interrupted goes on where it stopped.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shutil import which
from typing import Any
from urllib.parse import unquote

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from benchmarks.movielens import PUBLIC_DATA, THREADS
from benchmarks.table import Row, print_table
from recsys_core.cli.comparing import results
from recsys_core.data.dataset import Dataset
from recsys_core.data.ingest import ingest, inspect_files, suggest_rules
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.workspace import Workspace
from recsys_core.experiments import analysis
from recsys_core.experiments.budgets import is_tunable
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.jobs import JobState, JobStatus
from recsys_core.experiments.leaderboard import contenders, leaderboard
from recsys_core.experiments.resources import limited_threads
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.suggestion import suggest
from recsys_core.experiments.tuned_by import Budget, TunedBy
from recsys_core.experiments.tuning.execution import Bench
from recsys_core.experiments.tuning.spec import TuningSpec
from recsys_core.experiments.tuning.store import Tuning, TuningStore
from recsys_core.models.registry import MODELS, model_class
from recsys_core.version import VERSION
from recsys_core.viz.compare import quality_against_time

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
DATA = {
    "ml-100k": ("u.data", "u.user", "u.item"),
    "ml-1m": ("ratings.dat", "users.dat", "movies.dat"),
    "lastfm-2k": ("user_artists.dat", "user_friends.dat", "artists.dat"),
}
METRIC, K = "ndcg@10", 10
TRIALS = int(os.environ.get("RECSCOPE_BENCH_TRIALS", "30"))
"""Trials of each model; 0 compares the defaults."""


@dataclass(frozen=True, eq=False)
class Contest:
    """The finished experiment of a data set."""

    name: str
    run: Run
    statuses: tuple[JobStatus, ...]


def run(
    names: Sequence[str] = tuple(DATA),
    models: Sequence[str] = tuple(MODELS),
    out: Path = ROOT / "docs",
    *,
    tuned_only: bool = False,
) -> list[Row]:
    """Train what is missing, and write report, numbers and figures.

    Args:
        names: Data sets.
        models: Models to be compared.
        out: Folder of the results.
        tuned_only: Leave out models whose tuning on a data set has not ended.
    """
    contests = [held(name, [key for key in models if not tuned_only or is_tuned(key, name)]) for name in names]
    out.mkdir(parents=True, exist_ok=True)
    (out / "benchmarks.md").write_text(report(contests, tuned_only=tuned_only), encoding="utf-8")
    (out / "benchmarks.json").write_text(json.dumps(numbers(contests), indent=1) + "\n", encoding="utf-8")
    for contest in contests:
        write_svg(figure(contest), out / f"benchmarks-{contest.name}.svg")
    return [_row(contest) for contest in contests]


def held(name: str, models: Sequence[str]) -> Contest:
    """Return the experiment of a data set; models that have not been trained yet are trained in this process."""
    workspace, store = Workspace(RESULTS), ResultStore(RESULTS)
    dataset = stored_data(name, workspace)
    made = store.create(spec_of(dataset, [tuned(key, dataset, workspace) for key in models]), name)
    statuses = []
    for model_id in made.model_ids:
        print(f"{name}: {model_id} ...", file=sys.stderr, flush=True)
        with limited_threads(THREADS):
            statuses.append(execute(store, made.id, model_id, workspace, THREADS))
    return Contest(name, made, tuple(statuses))


def stored_data(name: str, workspace: Workspace) -> Dataset:
    """Return a public data set, which is read from its files at first."""
    stored = {card.name: card.fingerprint for card in workspace.datasets()}
    if name not in stored:
        guesses = inspect_files([PUBLIC_DATA / name / file for file in DATA[name]])
        stored[name] = ingest(guesses, suggest_rules(guesses), workspace, name)[0].fingerprint
    return workspace.open(stored[name])


def spec_of(dataset: Dataset, models: Sequence[tuple[ModelSpec, TunedBy | None]]) -> ExperimentSpec:
    """Return the comparison of models on a data set, each with what its settings come from."""
    return ExperimentSpec(
        data=dataset.fingerprint,
        models=tuple(model for model, _ in models),
        split=SplitSpec(kind="ratio", test_fraction=0.2, validation_fraction=0.1),
        relevant_from=suggest(dataset).relevant_from,
        k=K,
        cutoffs=(K,),
        tuned={model.id: source for model, source in models if source is not None},
    )


def tuned(key: str, dataset: Dataset, workspace: Workspace) -> tuple[ModelSpec, TunedBy | None]:
    """Return a model with its best settings after `TRIALS` trials, and their source; its defaults without a result."""
    defaults = ModelSpec(key=key)
    tuning = tuning_of(key, dataset)
    if tuning is None:
        return defaults, None
    run_trials(tuning, key, workspace)
    best = tuning.best(key)
    return (defaults, None) if best is None else (ModelSpec(key=key, config=best.config), tuning.spec.tuned_by())


def tuning_of(key: str, dataset: Dataset) -> Tuning | None:
    """Return the tuning of a model on a data set, whether begun or not; None if there is nothing to tune."""
    if not TRIALS or not is_tunable(key) or dataset.lacks(model_class(key).info.needs):
        return None
    experiment = spec_of(dataset, [(ModelSpec(key=key), None)])
    spec = TuningSpec(experiment=experiment, models=(key,), budget=Budget(trials=TRIALS))
    return TuningStore(RESULTS).create(spec, dataset.name)


def is_tuned(key: str, name: str) -> bool:
    """Return whether no trials of a model are left on a data set."""
    tuning = tuning_of(key, stored_data(name, Workspace(RESULTS)))
    return tuning is None or not tuning.job(key).status().is_live


def run_trials(tuning: Tuning, key: str, workspace: Workspace) -> None:
    """Run the trials of a model that are left."""
    bench = Bench(tuning, workspace, THREADS)
    try:
        while tuning.job(key).status().is_live:
            print(f"{tuning.data_name}: {key}, trial {len(tuning.trials(key)) + 1}", file=sys.stderr, flush=True)
            bench.run_next(key)
    finally:
        bench.close()


def report(contests: Sequence[Contest], *, tuned_only: bool = False) -> str:
    """Return `docs/benchmarks.md`."""
    when = datetime.now(UTC).date().isoformat()
    lines = [
        "# Benchmarks",
        "",
        f"Written by `python -m benchmarks.contest` on {when}: Recscope {VERSION}, Python {platform.python_version()}, "
        f"{platform.machine()}, {THREADS} threads. The numbers are in `benchmarks.json`.",
        "",
        "All models have the same train, validation and test interactions of a user-wise random split, rank all items "
        "that a user has not interacted with in training, and are judged on the same test users. Intervals have a "
        "nominal coverage of 95%. Models that share a letter do not differ significantly (sign-flip test, Holm). "
        f"{_tuning_words()}{' Models whose tuning has not ended are left out.' if tuned_only else ''} "
        "Seconds and memory are those of the training for the comparison alone.",
    ]
    for contest in contests:
        lines += ["", *_section(contest)]
    return "\n".join(lines) + "\n"


def _tuning_words() -> str:
    if not TRIALS:
        return "Settings are the defaults: a model may do better after tuning."
    return (
        f"Each model was tuned with {TRIALS} trials on the validation interactions, never on the test interactions; "
        "its settings are in `benchmarks.json`. Models with nothing to tune keep their settings."
    )


def _section(contest: Contest) -> list[str]:
    users = analysis.users_of(contest.run)
    comparison = analysis.compare_run(contest.run, users=users)
    board = leaderboard(contenders(contest.run, users), comparison)
    threshold = contest.run.spec.relevant_from
    relevant = "all test interactions" if threshold is None else f"test ratings of at least {threshold:g}"
    lines = [
        f"## {contest.name}",
        "",
        f"{users.users - users.n_without:,} test users; relevant are {relevant}.",
        "",
        f"![{METRIC} against training time](benchmarks-{contest.name}.svg)",
        "",
        "| model | NDCG@10 | 95% interval | tied | Recall@10 | Coverage@10 | fit, s | recommend, s | memory, MiB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in board.to_dict("records"):
        cells = [
            str(row["title"]),
            f"{row['mean']:.4f}",
            f"{row['low']:.4f} to {row['high']:.4f}",
            str(row["tied"]),
            *(f"{row[name]:.3f}" for name in ("recall@10", "coverage@10")),
            *(f"{row[name]:.2f}" for name in ("fit_seconds", "recommend_seconds")),
            f"{row['peak_memory_bytes'] / 2**20:,.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *map(str, comparison.verdict)]
    missing = [f"- {status.key}: {status.reason}" for status in contest.statuses if status.state is not JobState.DONE]
    return [*lines, *(["", "Without a result:", "", *missing] if missing else [])]


def numbers(contests: Sequence[Contest]) -> dict[str, Any]:
    """Return the content of `docs/benchmarks.json`: the results of each data set, as `compare` writes them.

    Metrics of groups of users or items, such as the popular ones, are left out.
    """
    told = {}
    for contest in contests:
        users = analysis.users_of(contest.run)
        comparison = analysis.compare_run(contest.run, users=users)
        found = results(contest.run, list(contest.statuses), comparison, users)
        for model in found["models"]:
            model["metrics"] = {name: value for name, value in model["metrics"].items() if ":" not in name}
        told[contest.name] = found
    return told


def figure(contest: Contest) -> go.Figure:
    """Return quality against training time."""
    users = analysis.users_of(contest.run)
    board = leaderboard(contenders(contest.run, users), analysis.compare_run(contest.run, users=users))
    return quality_against_time(board.assign(seconds=board["fit_seconds"]), metric="NDCG@10")


def write_svg(drawn: go.Figure, path: Path) -> None:
    """Write a figure as SVG, drawn by plotly in the browser of the tests."""
    from playwright.sync_api import sync_playwright

    options = {"format": "svg", "width": 1000, "height": 560}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        drawn.update_layout(paper_bgcolor="white", plot_bgcolor="white")
        page.add_script_tag(content=get_plotlyjs())
        url = page.evaluate(
            "([figure, options]) => Plotly.toImage(figure, options)", [json.loads(drawn.to_json()), options]
        )
        browser.close()
    path.write_text(unquote(url.partition(",")[2]), encoding="utf-8")


def _row(contest: Contest) -> Row:
    done = sum(status.state is JobState.DONE for status in contest.statuses)
    return Row(
        f"models with a result on {contest.name}",
        "all whose needs are met",
        f"{done} of {len(contest.statuses)}",
        done > 0,
    )


def main() -> None:
    """Run a part: the named data sets and models."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contest", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default=",".join(DATA), help="data sets, separated by commas")
    parser.add_argument("--models", default=",".join(MODELS), help="models, separated by commas")
    parser.add_argument("--tune-only", action="store_true", help="tune, and compare in a later run")
    parser.add_argument("--tuned", action="store_true", help="compare only models whose tuning has ended")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder of report, numbers and figures")
    arguments = parser.parse_args()
    names, models = arguments.data.split(","), arguments.models.split(",")
    if not arguments.tune_only:
        print_table(run(names, models, arguments.out, tuned_only=arguments.tuned))
        return
    workspace = Workspace(RESULTS)
    for name in names:
        for key in models:
            tuned(key, stored_data(name, workspace), workspace)


if __name__ == "__main__":
    main()
