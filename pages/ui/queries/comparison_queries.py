"""Queries of the Compare and Recommend pages to a finished experiment, cached by run and finished models."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import services, state
from pages.ui.text import _, safe
from recsys_core.errors import DataError, RecscopeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from recsys_core.evaluation.comparison import Comparison
    from recsys_core.evaluation.protocol import Finding
    from recsys_core.evaluation.sentences import Sentence
    from recsys_core.experiments.audience import Audience
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.held_out_users import Person
    from recsys_core.experiments.leaderboard import Contender


@dataclass(frozen=True)
class Ask:
    """Cache key: a workspace, an experiment, and the models that were finished at the time."""

    root: str
    run: str
    models: tuple[str, ...]


def ask(run: "Run") -> Ask:
    """Return the cache key of an experiment's current results; if its files cannot be read, say so and stop the page.

    The URL then also contains the seed of the experiment.
    """
    state.put("seed", str(run.spec.seed))
    asked = Ask(str(services.root()), run.id, run.finished())
    try:
        contenders(asked)
        per_user(asked)
        test_users(asked)
    except RecscopeError as error:
        st.error(safe(error))
        st.stop()
    return asked


def said(sentence: "Sentence") -> str:
    """Return a sentence of the library in the language of this session."""
    return _(sentence.one if sentence.count == 1 else sentence.many).format(**sentence.values)


def _opened(asked: Ask) -> "Run":
    return services.store().open(asked.run)


@st.cache_resource(max_entries=16, show_spinner=False)
def contenders(asked: Ask) -> "tuple[Contender, ...]":
    """Return the finished models."""
    from recsys_core.experiments.leaderboard import contenders as found

    return found(_opened(asked), users(asked))


@st.cache_resource(max_entries=4, show_spinner=False)
def users(asked: Ask) -> "Audience":
    """Return the test users of the finished models: those of the verdict, and those without training history."""
    from recsys_core.experiments.analysis import users_of

    return users_of(_opened(asked))


def per_user(asked: Ask) -> "Mapping[str, pd.DataFrame]":
    """Return one row per user of the verdict, for each finished model."""
    return users(asked).judged


@st.cache_resource(max_entries=32, show_spinner=False)
def without_history(asked: Ask, metric: str) -> "pd.DataFrame":
    """Return the metrics of the models on the users without training history; no rows if there are none."""
    from recsys_core.experiments.analysis import without_history as found

    return found(_opened(asked), metric, users(asked))


@st.cache_resource(max_entries=4, show_spinner=False)
def test_users(asked: Ask) -> "pd.DataFrame":
    """Return the test users with their training history."""
    from recsys_core.experiments.held_out_users import people

    return people(_opened(asked))


@st.cache_resource(max_entries=64, show_spinner=False)
def comparison(asked: Ask, metric: str, baseline: str) -> "Comparison":
    """Return the comparison of the models by a metric, with intervals and tests."""
    from recsys_core.experiments.analysis import compare_run

    return compare_run(_opened(asked), metric, baseline=baseline, users=users(asked))


@st.cache_resource(max_entries=64, show_spinner=False)
def board(asked: Ask, metric: str, baseline: str) -> "pd.DataFrame":
    """Return the leaderboard by a metric."""
    from recsys_core.experiments.leaderboard import leaderboard

    return leaderboard(contenders(asked), comparison(asked, metric, baseline))


def pairs_of_one_algorithm(asked: Ask, metric: str, baseline: str) -> "pd.DataFrame":
    """Return the pairs of models that differ by their settings alone: a row each, as in `Comparison.pairs`."""
    pairs = comparison(asked, metric, baseline).pairs
    keys = {model.id: model.key for model in contenders(asked)}
    return pairs[pairs["first"].map(keys) == pairs["second"].map(keys)]


def metrics(asked: Ask) -> list[str]:
    """Return the metrics for comparisons: those with one value per user."""
    from recsys_core.evaluation.metric_info import MetricName
    from recsys_core.experiments.leaderboard import metric_names

    return [name for name in metric_names(contenders(asked)) if MetricName.parse(name).info.per_user]


@st.cache_resource(max_entries=32, show_spinner=False)
def slices(asked: Ask, metric: str, baseline: str) -> "pd.DataFrame":
    """Return differences to the baseline by groups of users and items."""
    from recsys_core.viz.report import slice_table

    return slice_table(_opened(asked), contenders(asked), per_user(asked), metric=metric, baseline=baseline)


@st.cache_resource(max_entries=32, show_spinner=False)
def slices_explained(asked: Ask) -> "Sentence":
    """Return the definition of the user and item groups."""
    from recsys_core.viz.report import slices_explained as explained

    return explained(_opened(asked))


@st.cache_resource(max_entries=32, show_spinner=False)
def findings(asked: Ask, metric: str, baseline: str) -> "list[Finding]":
    """Return the findings of the protocol check, refusals first; without a comparison if there are no users."""
    from recsys_core.experiments.analysis import findings as found

    try:
        compared = comparison(asked, metric, baseline)
    except DataError:
        compared = None
    return found(_opened(asked), users(asked), metric=metric, comparison=compared)


@st.cache_resource(max_entries=16, show_spinner=False)
def disagreements(asked: Ask, first: str, second: str, metric: str, k: int) -> "pd.DataFrame":
    """Return the users on whom two models differ, with their IDs; the largest difference first."""
    from recsys_core.evaluation.slices import disagreements as found
    from recsys_core.evaluation.slices import user_values

    run = _opened(asked)
    tables = per_user(asked)
    qualities = [user_values(tables[model], metric) for model in (first, second)]
    table = found(run.lists(first), run.lists(second), *qualities, k=k)
    ids = tables[first].set_index("user")["user_id"]
    table.insert(1, "user_id", table["user"].map(ids))
    return table


@st.cache_resource(max_entries=64, show_spinner=False)
def person(asked: Ask, models: tuple[str, ...], user_id: str, k: int) -> "Person":
    """Return the training history of a test user, the held-out items, and the lists of some models."""
    from recsys_core.experiments.held_out_users import person as found

    run = _opened(asked)
    return found(run, services.dataset(run.spec.data), models, user_id, k=k)
