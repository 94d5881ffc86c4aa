"""Access of the pages to the library: stored data sets, runs, summaries and figures, cached by their ids.

Nothing is cached per session: the keys are fingerprints and run ids, whose content never changes.
"""

import os
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from pages.ui import once, state
from recsys_core.errors import RecscopeError
from recsys_core.text import _, language

if TYPE_CHECKING:
    from recsys_core.contracts import ModelInfo, RunContext
    from recsys_core.data.dataset import Dataset
    from recsys_core.data.meta import DatasetCard
    from recsys_core.data.report import IngestReport
    from recsys_core.data.summaries import DataSummary
    from recsys_core.data.workspace import Workspace
    from recsys_core.engine import Engine
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.jobs import JobStatus
    from recsys_core.experiments.store import ResultStore, RunCard
    from recsys_core.experiments.tuning.store import TuningStore
    from recsys_core.serving.background import Background, Ticket
    from recsys_core.strategy.store import StrategyStore
    from recsys_core.viz.questions import Answer, Question

T = TypeVar("T")
WAKE_AFTER_SECONDS = 1.0
"""Delay in seconds, so that the first page has the machine for itself."""
SAMPLE = "small"
SAMPLE_MODELS = ("popular", "random", "item_knn", "ease")
"""Sample and models of the comparison that one click shows."""
WAKE_EVERY_SECONDS = 60
"""Maximum seconds until an idle engine is started again."""


@dataclass(frozen=True)
class LiveJobs:
    """Number of queued and running jobs, and the experiment of the first of them."""

    running: int = 0
    queued: int = 0
    run: str = ""

    @property
    def total(self) -> int:
        """Number of jobs that are not finished."""
        return self.running + self.queued


def root() -> Path:
    """Return the folder of the workspace: `RECSCOPE_WORKSPACE`, else `data/workspace`."""
    return once.value("root", lambda: Path(os.environ.get("RECSCOPE_WORKSPACE", "data/workspace")).resolve())


@dataclass(frozen=True)
class BestModel:
    """The first model of an experiment: title, metric, value and interval, and the number of models that do not differ
    significantly; the best if there are none and all had the same budget.
    """

    title: str
    metric: str
    mean: str
    interval: str
    same_budget: bool = True
    tied: int = 0


def workspace() -> "Workspace":
    """Return the stored data sets."""
    return _workspace(str(root()))


@st.cache_resource(max_entries=8, show_spinner=False)
def _workspace(folder: str) -> "Workspace":
    from recsys_core.data.workspace import Workspace

    return Workspace(Path(folder))


def store() -> "ResultStore":
    """Return the stored experiments."""
    return _store(str(root()))


@st.cache_resource(max_entries=8, show_spinner=False)
def _store(folder: str) -> "ResultStore":
    from recsys_core.experiments.store import ResultStore

    return ResultStore(Path(folder))


def strategies() -> "StrategyStore":
    """Return the stored strategies."""
    return _strategies(str(root()))


@st.cache_resource(max_entries=8, show_spinner=False)
def _strategies(folder: str) -> "StrategyStore":
    from recsys_core.strategy.store import StrategyStore

    return StrategyStore(Path(folder))


def tuning_store() -> "TuningStore":
    """Return the stored tunings."""
    from recsys_core.experiments.tuning.store import TuningStore

    return TuningStore(root())


def engine() -> "Engine":
    """Return the engine, which runs jobs in separate processes; it is started on first use."""
    return _engine(str(root()))


@st.cache_resource(max_entries=8, show_spinner=False)
def _engine(folder: str) -> "Engine":
    from recsys_core.engine import Engine

    return Engine(_workspace(folder))


def wake_engine() -> None:
    """Start the engine in the background before the first click, unless `RECSCOPE_WARM_UP` disables idle work.

    Nothing that the page shows waits for it.
    """
    _wake(str(root()), dict(os.environ))  # the current environment, not that after the delay


@st.cache_resource(max_entries=8, ttl=WAKE_EVERY_SECONDS, show_spinner=False)
def _wake(folder: str, _environment: dict[str, str]) -> threading.Timer:
    """Start the engine after a delay in a separate thread, so that the first page loads no library of the engine."""

    def wake() -> None:
        from recsys_core.engine.settings import EngineSettings

        if EngineSettings.from_environment(_environment).warm_up:
            _engine(folder).ensure_started()

    timer = threading.Timer(WAKE_AFTER_SECONDS, wake)
    timer.daemon = True
    timer.start()
    return timer


def is_empty(name: str) -> bool:
    """Return whether a folder of the workspace is empty: then no library needs to be loaded to read it."""
    folder = root() / name
    return not folder.is_dir() or next(folder.iterdir(), None) is None


def cards() -> list["DatasetCard"]:
    """Return the card of each stored data set, newest first."""
    if is_empty("datasets"):
        return []
    return sorted(workspace().datasets(), key=lambda card: card.created, reverse=True)


def card(fingerprint: str | None) -> "DatasetCard | None":
    """Return the card of a stored data set, None if there is no such data set."""
    return next((one for one in cards() if one.fingerprint == fingerprint), None)


def newest_data() -> str | None:
    """Return the fingerprint of the newest data set, None if there are none."""
    return next((one.fingerprint for one in cards()), None)


def current_card() -> "DatasetCard | None":
    """Return the card of the data set in the URL."""
    return card(state.get("data"))


def dataset(fingerprint: str) -> "Dataset":
    """Return a stored data set; its tables are read on access."""
    return _dataset(str(root()), fingerprint)


@st.cache_resource(max_entries=4, show_spinner=False)
def _dataset(folder: str, fingerprint: str) -> "Dataset":
    return _workspace(folder).open(fingerprint)


def report(fingerprint: str) -> "IngestReport | None":
    """Return the ingest report of a data set; None if it was not read from files."""
    return _report(str(root()), fingerprint)


@st.cache_resource(max_entries=16, show_spinner=False)
def _report(folder: str, fingerprint: str) -> "IngestReport | None":
    return _workspace(folder).report(fingerprint)


@st.cache_resource(max_entries=32, show_spinner=False)
def _summary(folder: str, fingerprint: str) -> "DataSummary":
    from recsys_core.data.summaries import summary as summarise

    return summarise(_dataset(folder, fingerprint))


def run_cards() -> list["RunCard"]:
    """Return the card of each experiment, newest first; read once per script run."""
    if is_empty("runs"):
        return []
    return once.value("run_cards", lambda: store().runs())


def run(run_id: str | None) -> "Run | None":
    """Return an experiment, None if it does not exist or cannot be read."""
    if not run_id:
        return None
    try:
        return store().open(run_id)
    except RecscopeError:
        return None


def live_jobs() -> LiveJobs:
    """Return the number of running and queued jobs: models of experiments and of tunings."""
    live, tuned = [one for one in run_cards() if one.is_live], list[str]()
    if not is_empty("tunings"):
        tuned = tuning_store().states()
    running = sum(one.running for one in live) + tuned.count("RUNNING")
    return LiveJobs(running, sum(one.queued for one in live) + tuned.count("QUEUED"), live[0].id if live else "")


def job_statuses(run_id: str) -> "list[JobStatus]":
    """Return the job states of an experiment, read once per script run; does not need the engine."""

    def read() -> "list[JobStatus]":
        found = run(run_id)
        return found.statuses() if found else []

    return once.value(f"job_statuses {run_id}", read)


def share_done(jobs: "list[JobStatus]") -> float:
    """Return the finished share (0..1) of an experiment, from its models and their stages."""
    finished = [0.0 if job.state == "QUEUED" else job.fraction or 0.0 if job.is_live else 1.0 for job in jobs]
    return sum(finished) / max(1, len(finished))


def work_left(run: "Run", jobs: "list[JobStatus]") -> tuple[float, float]:
    """Return the finished share (0..1) of an experiment by estimated work, and the estimated seconds left."""
    from recsys_core.engine import estimate

    return estimate.work_left(engine().estimate(run.spec), jobs, engine().settings.jobs)


def cancel_run(run_id: str) -> None:
    """Cancel all jobs of an experiment."""
    for job in job_statuses(run_id):
        if job.is_live:
            engine().cancel(run_id, job.model_id)


def model_info(key: str) -> "ModelInfo":
    """Return the description of an algorithm."""
    from recsys_core.models.registry import model_class

    return model_class(key).info


def model_title(key: str) -> str:
    """Return the title of an algorithm."""
    return _(model_info(key).title)


def best(card: "RunCard") -> "Ticket[BestModel]":
    """Return the ticket of the best finished model of an experiment, with the interval shown in its comparison."""
    stored = store()
    return background().ask(("best", str(root()), card.id, language()), card.done, lambda _ctx: _best(stored, card))


def _best(stored: "ResultStore", card: "RunCard") -> BestModel:
    from recsys_core.evaluation.metric_info import MetricName
    from recsys_core.evaluation.sentences import interval_text, rounded
    from recsys_core.experiments.analysis import compare_run
    from recsys_core.experiments.budgets import same_budget
    from recsys_core.experiments.leaderboard import model_titles

    run = stored.open(card.id)
    comparison = compare_run(run)
    best = comparison.table.iloc[0]
    low, mean, high = (float(best[name]) for name in ("low", "mean", "high"))
    title = model_titles(run.entries)[str(best["model"])]
    metric = MetricName.parse(run.spec.metric).title
    equal = same_budget(run.spec, (*run.finished(), *run.uploaded()))
    pairs = comparison.pairs[comparison.pairs["first"] == best["model"]]
    tied = int((~pairs["different"].astype(bool)).sum())
    return BestModel(title, metric, rounded(mean, low, high), interval_text(low, high), equal, tied)


def sample(key: str) -> str:
    """Return the fingerprint of a sample, storing it in the workspace if necessary."""
    known = _sample_fingerprint(key)
    if card(known) is None:
        from recsys_core.data.synthetic.samples import load_sample

        return workspace().store(load_sample(key)).fingerprint
    return known


@st.cache_resource(show_spinner=False)
def _sample_fingerprint(key: str) -> str:
    from recsys_core.data.synthetic.samples import load_sample

    return load_sample(key).fingerprint


def submit_models(fingerprint: str, models: tuple[str, ...]) -> str:
    """Start an experiment of these algorithms with default settings and the suggested question; return its id.

    Raises:
        RecscopeError: It cannot be started, with the reason.
    """
    from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
    from recsys_core.experiments.suggestion import suggest

    name = ", ".join(model_title(key) for key in models)
    specs = tuple(ModelSpec(key=key) for key in models)
    question = suggest(dataset(fingerprint)).fields()
    return engine().submit(ExperimentSpec.model_validate({"data": fingerprint, "models": specs} | question), name=name)


def start_sample_comparison() -> str:
    """Store the sample if necessary, start an experiment of four models on it, and open it; return its id.

    Raises:
        RecscopeError: It cannot be started, with the reason.
    """
    run_id = submit_models(sample(SAMPLE), SAMPLE_MODELS)
    state.choose("data", sample(SAMPLE))
    state.choose("run", run_id)
    return run_id


def archive(fingerprint: str) -> bytes:
    """Return the zip of a data set's tables, created on request; Streamlit holds it in memory anyway."""
    import tempfile

    with tempfile.TemporaryDirectory(dir=root() / "staging", prefix="download-") as folder:
        return workspace().download_archive(fingerprint, Path(folder) / "data.zip").read_bytes()


def questions() -> "dict[str, Question]":
    """Return the questions of the Explore page, in order."""
    from recsys_core.viz.questions import QUESTIONS

    return QUESTIONS


def answers(fingerprint: str) -> "dict[str, Ticket[Answer]]":
    """Return the tickets of the answers to all Explore questions; they are computed in the background."""
    return {name: answer(name, fingerprint) for name in questions()}


def answer(name: str, fingerprint: str) -> "Ticket[Answer]":
    """Return the ticket of the answer to one question."""
    folder, question = str(root()), questions()[name]
    return ask(
        lambda _ctx: question.answer(_dataset(folder, fingerprint), _summary(folder, fingerprint)), name, fingerprint
    )


def summary(fingerprint: str) -> "Ticket[DataSummary]":
    """Return the ticket of the numbers of the data card."""
    folder = str(root())
    return ask(lambda _ctx: _summary(folder, fingerprint), "summary", fingerprint)


def ask(work: "Callable[[RunContext], T]", *name: Hashable) -> "Ticket[T]":
    """Return the ticket of background work on the current workspace, started once for each name and language."""
    return background().ask((str(root()), *name, language()), "", work)


@st.cache_resource(show_spinner=False)
def background(purpose: str = "computing", threads: int = 2) -> "Background":
    """Return the thread pool of a purpose; by default that for computations longer than a page may wait."""
    from recsys_core.serving.background import Background

    return Background(threads)
