"""Queries of the Compare and Recommend pages to a finished experiment, cached by run and finished models."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import services, state
from pages.ui.queries import replay_queries
from pages.ui.text import _, language, safe
from recsys_core.errors import DataError, RecscopeError
from recsys_core.text import ENGLISH

if TYPE_CHECKING:
    import pandas as pd

    from recsys_core.evaluation.comparison import Comparison
    from recsys_core.evaluation.protocol import Finding
    from recsys_core.experiments.audience import Audience
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.held_out_users import HeldOutUser
    from recsys_core.experiments.leaderboard import Contender
    from recsys_core.experiments.microscope import Microscope
    from recsys_core.text import Sentence


@dataclass(frozen=True)
class ResultsKey:
    """Cache key: a workspace, an experiment, the models that were finished at the time and its uploaded lists, and the
    language of titles.
    """

    root: str
    run: str
    models: tuple[str, ...]
    language: str = ENGLISH


def results_key(run: "Run") -> ResultsKey:
    """Return the cache key of an experiment's current results; if its files cannot be read, say so and stop the page.

    The URL then also contains the seed of the experiment.
    """
    state.put("seed", str(run.spec.seed))
    results = ResultsKey(str(services.root()), run.id, (*run.finished(), *run.uploaded()), language())
    try:
        contenders(results)
        test_users(results)
    except RecscopeError as error:
        st.error(safe(error))
        st.stop()
    return results


def _opened(results: ResultsKey) -> "Run":
    return services.store().open(results.run)


@st.cache_resource(max_entries=16, show_spinner=False)
def contenders(results: ResultsKey) -> "tuple[Contender, ...]":
    """Return the finished models and the uploaded lists."""
    from recsys_core.experiments.leaderboard import contenders as compute

    return compute(_opened(results), users(results))


def trained(results: ResultsKey) -> "tuple[Contender, ...]":
    """Return the finished models that answer queries: not those of which only lists are known."""
    return tuple(model for model in contenders(results) if not services.model_info(model.key).lists_only)


def lists_only(results: ResultsKey) -> "tuple[Contender, ...]":
    """Return the contenders of which only lists are known."""
    return tuple(model for model in contenders(results) if services.model_info(model.key).lists_only)


def recommenders(results: ResultsKey) -> "tuple[Contender, ...]":
    """Return the models of `trained` and, without metrics, the updated models that are kept beside them."""
    kept = replay_queries.kept(_opened(results))
    if not kept:
        return trained(results)
    from recsys_core.viz.update_replay import day

    found = {model.id: model for model in trained(results)}
    updated = [
        replace(
            found[one.model_id],
            id=one.id,
            title=_("{model}, updated to {day}").format(model=found[one.model_id].title, day=day(one.border)),
            metrics={},
        )
        for one in kept
        if one.model_id in found
    ]
    return (*found.values(), *updated)


@st.cache_resource(max_entries=4, show_spinner=False)
def users(results: ResultsKey) -> "Audience":
    """Return the test users of the finished models: those of the verdict, and those without training history."""
    from recsys_core.experiments.analysis import users_of

    return users_of(_opened(results))


@st.cache_resource(max_entries=32, show_spinner=False)
def without_history(results: ResultsKey, metric: str) -> "pd.DataFrame":
    """Return the metrics of the models on the users without training history; no rows if there are none."""
    from recsys_core.experiments.analysis import without_history as compute

    return compute(_opened(results), metric, users(results))


@st.cache_resource(max_entries=4, show_spinner=False)
def test_users(results: ResultsKey) -> "pd.DataFrame":
    """Return the test users with their training history."""
    from recsys_core.experiments.held_out_users import evaluated_users

    return evaluated_users(_opened(results))


@st.cache_resource(max_entries=64, show_spinner=False)
def comparison(results: ResultsKey, metric: str, baseline: str) -> "Comparison":
    """Return the comparison of the models by a metric, with intervals and tests."""
    from recsys_core.experiments.analysis import compare_run

    return compare_run(_opened(results), metric, baseline=baseline, users=users(results))


@st.cache_resource(max_entries=64, show_spinner=False)
def board(results: ResultsKey, metric: str, baseline: str) -> "pd.DataFrame":
    """Return the leaderboard by a metric."""
    from recsys_core.experiments.leaderboard import leaderboard

    return leaderboard(contenders(results), comparison(results, metric, baseline))


def pairs_of_one_algorithm(results: ResultsKey, metric: str, baseline: str) -> "pd.DataFrame":
    """Return the pairs of models that differ by their settings alone: a row each, as in `Comparison.pairs`."""
    pairs = comparison(results, metric, baseline).pairs
    keys = {model.id: model.key for model in contenders(results)}
    return pairs[pairs["first"].map(keys) == pairs["second"].map(keys)]


def metrics(results: ResultsKey) -> list[str]:
    """Return the metrics for comparisons: those with one value per user."""
    from recsys_core.evaluation.metric_info import MetricName
    from recsys_core.experiments.leaderboard import metric_names

    return [name for name in metric_names(contenders(results)) if MetricName.parse(name).info.per_user]


def metrics_of(results: ResultsKey, model_id: str) -> list[str]:
    """Return the metrics of a model, with one value per user or per model."""
    from recsys_core.experiments.leaderboard import metric_names

    return metric_names([model for model in contenders(results) if model.id == model_id])


@st.cache_resource(max_entries=32, show_spinner=False)
def microscope(results: ResultsKey, model_id: str, metric: str) -> "Microscope":
    """Return a metric of a model with its users and its values in other libraries."""
    from recsys_core.experiments.microscope import microscope as compute

    model = next(one for one in contenders(results) if one.id == model_id)
    return compute(_opened(results), model, metric, users(results))


@st.cache_resource(max_entries=8, show_spinner=False)
def overlaps(results: ResultsKey, k: int) -> "pd.DataFrame":
    """Return the mean overlap of the lists of each pair of models, by title."""
    from recsys_core.experiments.stored_lists import overlaps as compute

    titles = {model.id: model.title for model in contenders(results)}
    return compute(_opened(results), list(titles), users(results), k).rename(index=titles, columns=titles)


@st.cache_resource(max_entries=32, show_spinner=False)
def slices(results: ResultsKey, metric: str, baseline: str) -> "pd.DataFrame":
    """Return differences to the baseline by groups of users and items."""
    from recsys_core.viz.report import slice_table

    return slice_table(_opened(results), contenders(results), users(results).judged, metric=metric, baseline=baseline)


@st.cache_resource(max_entries=32, show_spinner=False)
def slices_explained(results: ResultsKey) -> "Sentence":
    """Return the definition of the user and item groups."""
    from recsys_core.viz.report import slices_explained as explained

    return explained(_opened(results))


def findings(results: ResultsKey, metric: str, baseline: str) -> "list[Finding]":
    """Return the findings of the protocol check, refusals first; without a comparison if there are no users."""
    data = _opened(results).spec.data
    tries = tuple((card.id, card.done) for card in services.run_cards() if card.data == data)
    return _findings(results, metric, baseline, tries)


@st.cache_resource(max_entries=32, show_spinner=False)
def _findings(results: ResultsKey, metric: str, baseline: str, tries: tuple[tuple[str, int], ...]) -> "list[Finding]":
    """Return the findings; `tries` are the numbers of finished models of all experiments on these data.

    With more tries, settings count as tuned on the test data.
    """
    from recsys_core.experiments.analysis import findings as compute

    try:
        compared = comparison(results, metric, baseline)
    except DataError:
        compared = None
    return compute(_opened(results), users(results), metric=metric, comparison=compared)


@st.cache_resource(max_entries=16, show_spinner=False)
def disagreements(results: ResultsKey, first: str, second: str, metric: str, k: int) -> "pd.DataFrame":
    """Return the users on whom two models differ, with their IDs; the largest difference first."""
    from recsys_core.evaluation.slices import disagreements as compute
    from recsys_core.evaluation.slices import user_values

    run = _opened(results)
    tables = users(results).judged
    qualities = [user_values(tables[model], metric) for model in (first, second)]
    table = compute(run.lists(first), run.lists(second), *qualities, k=k)
    ids = tables[first].set_index("user")["user_id"]
    table.insert(1, "user_id", table["user"].map(ids))
    return table


@st.cache_resource(max_entries=64, show_spinner=False)
def held_out_user(results: ResultsKey, models: tuple[str, ...], user_id: str, k: int) -> "HeldOutUser":
    """Return the training history of a test user, the held-out items, and the lists of some models."""
    from recsys_core.experiments.held_out_users import held_out_user as compute

    run = _opened(results)
    return compute(run, services.dataset(run.spec.data), models, user_id, k=k)
