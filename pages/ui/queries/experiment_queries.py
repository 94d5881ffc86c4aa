"""Queries of the Experiments page: the table, the comparison of several experiments, re-runs, and run cards."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import once, services
from pages.ui.text import language

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pandas as pd

    from recsys_core.experiments.across import Across
    from recsys_core.experiments.deleted_runs import DeletedRun
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.experiment_cards import RunCard
    from recsys_core.experiments.joint_comparison import Comparability, JointComparison
    from recsys_core.experiments.rerun import RunDifference
    from recsys_core.serving.background import Ticket


def matching(text: str, tags: "Collection[str]", data: "Collection[str]", *, archived: bool) -> "list[RunCard]":
    """Return the experiments that match, favorites first, then the latest."""
    from recsys_core.experiments.search import matching as search

    return search(services.run_cards(), text, tags=tags, data=data, archived=archived)


def table(cards: "Sequence[RunCard]") -> "pd.DataFrame":
    """Return the table of experiments."""
    from recsys_core.experiments.search import table_of

    return table_of(cards)


def tags() -> list[str]:
    """Return all tags."""
    from recsys_core.experiments.search import all_tags

    return all_tags(services.run_cards())


def data_names() -> dict[str, str]:
    """Return the names of the data sets that experiments were trained on, by fingerprint."""
    return {card.data: card.data_name for card in services.run_cards()}


def deleted() -> "list[DeletedRun]":
    """Return the deleted experiments, latest first."""
    folder = services.root() / "deleted-runs"
    if not folder.is_dir():
        return []
    from recsys_core.experiments.deleted_runs import deleted_runs

    return once.value("deleted_runs", lambda: deleted_runs(services.store()))


def finished_key(runs: "Sequence[Run]") -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return a cache key of the current results of experiments."""
    return tuple((run.id, run.finished()) for run in runs)


def comparability(runs: "Sequence[Run]") -> "Comparability":
    """Return whether experiments can be compared, and what differs."""
    return _comparability(str(services.root()), finished_key(runs), language())


@st.cache_resource(max_entries=32, show_spinner=False)
def _comparability(root: str, key: tuple[tuple[str, tuple[str, ...]], ...], _language: str) -> "Comparability":
    from recsys_core.experiments.joint_comparison import comparability as compute

    return compute([services.store().open(run_id) for run_id, _models in key])


@st.cache_resource(max_entries=32, show_spinner=False)
def _metrics(root: str, key: tuple[tuple[str, tuple[str, ...]], ...]) -> list[str]:
    from recsys_core.experiments.joint_comparison import common_metrics

    return common_metrics([services.store().open(run_id) for run_id, _models in key])


def common_metrics(runs: "Sequence[Run]") -> list[str]:
    """Return the metrics by which experiments can be compared, the primary ones first."""
    return _metrics(str(services.root()), finished_key(runs))


def comparison(runs: "Sequence[Run]", metric: str) -> "Ticket[JointComparison]":
    """Return the ticket of the comparison of several experiments."""
    from recsys_core.experiments.joint_comparison import compare_jointly

    return services.ask(lambda _ctx: compare_jointly(runs, metric), "joint", finished_key(runs), metric)


def across(runs: "Sequence[Run]", metric: str) -> "Ticket[Across]":
    """Return the ticket of the ranks of models on the data sets of several experiments."""
    from recsys_core.experiments.across import across as compute

    return services.ask(lambda _ctx: compute(runs, metric), "across", finished_key(runs), metric)


def all_traits(fingerprints: tuple[str, ...]) -> "Ticket[dict[str, dict[str, float]]]":
    """Return the ticket of the properties of data sets, by fingerprint."""
    from recsys_core.profiles.dataset_map import traits

    def compute() -> dict[str, dict[str, float]]:
        return {one: traits(services.workspace().open(one)) for one in fingerprints}

    return services.ask(lambda _ctx: compute(), "traits", fingerprints)


def repetitions(run: "Run") -> "list[Run]":
    """Return the other runs of the same experiment."""
    from recsys_core.experiments.rerun import repetitions as compute

    return [services.store().open(one) for one in compute(services.store(), run)]


def difference(first: "Run", second: "Run") -> "Ticket[RunDifference]":
    """Return the ticket of the difference between two runs of the same experiment."""
    from recsys_core.experiments.rerun import difference as compute

    return services.ask(lambda _ctx: compute(first, second), "difference", finished_key([first, second]))


def start_rerun(run: "Run") -> str:
    """Queue a repetition of an experiment; return its id.

    Raises:
        RecscopeError: Its data are not available, or a disk error.
    """
    from recsys_core.experiments.rerun import repetition_of, require_data

    require_data(services.workspace(), run)
    spec = repetition_of(services.store(), run.spec)
    return services.engine().submit(spec, data_name=run.data_name, name=run.name)


def card_bytes(run: "Run") -> bytes:
    """Return the run card of an experiment; Streamlit holds it in memory anyway."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from recsys_core.experiments.run_card import export_card

    with TemporaryDirectory(prefix="recscope-card-") as folder:
        return export_card(run, Path(folder) / "card.zip").read_bytes()


def opened_card(file_id: str, content: bytes) -> "Ticket[str]":
    """Return the ticket of opening an uploaded run card; its result is the id of the experiment."""
    from recsys_core.serving.card_process import open_in_process

    root = services.root()
    return services.ask(lambda _ctx: open_in_process(content, root), "card", file_id)


def model_bytes(run: "Run", model_id: str) -> bytes:
    """Return the file of a trained model; Streamlit holds it in memory anyway."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from recsys_core.experiments.model_export import export_model

    with TemporaryDirectory(prefix="recscope-model-") as folder:
        dataset = services.workspace().open(run.spec.data)
        return export_model(run, model_id, dataset, Path(folder) / "model.zip").read_bytes()
