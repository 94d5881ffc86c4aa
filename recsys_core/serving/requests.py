"""The questions that a trained model answers, by name, in this process or in the model process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from recsys_core.contracts import AttentionTrace, QueryBatch, RunContext, TracesAttention
from recsys_core.data.workspace import Workspace
from recsys_core.errors import CannotScore, ConfigError
from recsys_core.experiments import attention_study
from recsys_core.experiments.artifacts import RESULT
from recsys_core.experiments.attention_study import Faithfulness, HeadEffects
from recsys_core.experiments.candidates import make_pool
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.stored_replays import is_kept_id, kept_file, load_kept, replay_and_store
from recsys_core.experiments.training_part import unwrapped
from recsys_core.experiments.update_replay import Replay, ReplaySettings
from recsys_core.explain.deletion import Deletion, deletion_effects
from recsys_core.explain.registry import views_of
from recsys_core.explain.view import ViewData, ViewRequest
from recsys_core.lessons import registry
from recsys_core.serving import incremental_updates, recommendations, what_if
from recsys_core.serving.incremental_updates import UpdateReport
from recsys_core.text import _

if TYPE_CHECKING:
    from recsys_core.data import Dataset
    from recsys_core.models.base import Recommender

CACHED_MODELS = 8
"""Number of most recently used models that stay loaded: those of one what-if on the page Recommend."""


class Trained:
    """A trained model of an experiment with its data and training history, each loaded on first use.

    Args:
        root: The workspace's folder.
        run_id: The experiment.
        model_id: The finished model, or an updated one that is kept (`stored_replays`).
        open_data: Opens data sets by fingerprint; defaults to the workspace's method.

    Raises:
        StoreError: The experiment does not exist.
    """

    def __init__(
        self, root: Path, run_id: str, model_id: str, open_data: "Callable[[str], Dataset] | None" = None
    ) -> None:
        self.model_id = model_id
        self.open_data = open_data or Workspace(root).open
        self.run = ResultStore(root).open(run_id)
        self.stamp = stamp(root, run_id, model_id)

    @cached_property
    def model(self) -> "Recommender[Any]":
        """The model as trained, or as updated if it is a kept one."""
        return load_kept(self.run, self.model_id) if is_kept_id(self.model_id) else self.run.model(self.model_id)

    @cached_property
    def dataset(self) -> "Dataset":
        """The data of the experiment."""
        return self.open_data(self.run.spec.data)

    @cached_property
    def curves(self) -> pd.DataFrame:
        """The training history."""
        return self.run.history(self.model_id)


def stamp(root: Path, run_id: str, model_id: str) -> int:
    """Return a value that changes when the model is retrained; 0 if there is no result."""
    folder = ResultStore(root).folder / run_id
    path = kept_file(folder, model_id) if is_kept_id(model_id) else folder / "jobs" / model_id / RESULT
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


class ModelCache:
    """LRU cache of trained models. Not thread-safe.

    Args:
        max_models: Number of models kept in memory.
    """

    def __init__(self, max_models: int = CACHED_MODELS) -> None:
        self._max_models = max_models
        self._models: dict[tuple[Path, str, str], Trained] = {}  # the least recently used first

    def get(self, root: Path, run_id: str, model_id: str) -> Trained:
        """Return a trained model, reloaded if it was retrained since.

        Raises:
            StoreError: The experiment does not exist.
        """
        name = (root, run_id, model_id)
        trained = self._models.pop(name, None)
        if trained is None or not trained.stamp or trained.stamp != stamp(*name):
            trained = Trained(*name)
        self._models[name] = trained
        while len(self._models) > self._max_models:
            del self._models[next(iter(self._models))]
        return trained


def top(trained: Trained, ctx: RunContext, *, query: QueryBatch, k: int) -> pd.DataFrame:
    """Return the recommendations for one user: `rank`, `item`, `score`."""
    return recommendations.top_list(trained.model, query, k)


def ranked(trained: Trained, ctx: RunContext, *, query: QueryBatch, k: int) -> pd.DataFrame:
    """Return the recommendations for one user beyond the first k; see `what_if.ranked`."""
    return what_if.ranked(trained.model, query, k)


def why_moved(trained: Trained, ctx: RunContext, *, before: QueryBatch, query: QueryBatch, item: int) -> what_if.Moved:
    """Return why the score of an item changed by an edit of the history; see `what_if.why_moved`."""
    return what_if.why_moved(trained.model, trained.dataset, before, query, item)


def ladder(trained: Trained, ctx: RunContext, *, query: QueryBatch, k: int) -> what_if.Ladder:
    """Return the lists for the first items of a history; see `what_if.ladder`."""
    return what_if.ladder(trained.model, query, k)


def reason(trained: Trained, ctx: RunContext, *, query: QueryBatch, item: int) -> recommendations.Reason:
    """Return the contributions to a score; see `recommendations.reason`."""
    return recommendations.reason(trained.model, trained.dataset, query, item)


def effects(trained: Trained, ctx: RunContext, *, query: QueryBatch, item: int) -> recommendations.Effects:
    """Return the influence of each history item on a score, for display; see `recommendations.effects`."""
    return recommendations.effects(trained.model, trained.dataset, query, item, ctx)


def deletion(trained: Trained, ctx: RunContext, *, query: QueryBatch, item: int) -> Deletion:
    """Return the influence of each history item on a score, as arrays."""
    model, query = unwrapped(trained.model, query)
    return deletion_effects(model, query, item, ctx)


def why_not(trained: Trained, ctx: RunContext, *, query: QueryBatch, item: int, k: int) -> recommendations.WhyNot:
    """Return why an item is not recommended; see `recommendations.why_not`."""
    return recommendations.why_not(trained.model, trained.dataset, query, item, k)


def look(
    trained: Trained, ctx: RunContext, *, view: str, query: QueryBatch, item: int, choices: Mapping[str, str]
) -> ViewData:
    """Return what a view of the page Inside shows; see `explain.registry`.

    Raises:
        CannotScore: The model does not have this view, or has no data for it.
    """
    model, query = unwrapped(trained.model, query)
    views = {one.key: one for one in views_of(model.info, trained.curves)}
    if view not in views:
        raise CannotScore(_("{info_title} has no view '{view}'.").format(info_title=model.info.title, view=view))
    return views[view].look(ViewRequest(model, trained.dataset, query, item, trained.curves, choices))


def trace(trained: Trained, ctx: RunContext, *, query: QueryBatch) -> AttentionTrace:
    """Return the attention weights of the model for the history of one user.

    Raises:
        CannotScore: The model has no attention, or the history is empty.
    """
    model, query = unwrapped(trained.model, query)
    if not isinstance(model, TracesAttention):
        raise CannotScore(_("{info_title} has no attention weights.").format(info_title=model.info.title))
    return model.trace(query)


def incremental_update(trained: Trained, ctx: RunContext, *, newer: str, freeze_embeddings: bool) -> UpdateReport:
    """Return the gain and the forgetting of a copy of the model updated with newer data; see `incremental_updates`.

    Args:
        trained: The model; it is not changed.
        ctx: Progress and cancellation.
        newer: Fingerprint of the newer data.
        freeze_embeddings: Keep the embeddings of known items and users fixed.
    """
    data = trained.open_data(newer)
    return incremental_updates.incremental_update(
        trained.run, trained.model_id, trained.dataset, data, ctx, freeze_embeddings=freeze_embeddings
    )


def update_replay(trained: Trained, ctx: RunContext, *, steps: int, share: float) -> Replay:
    """Replay the updates of the model over the last part of its data, and store the result; see `update_replay`.

    Args:
        trained: The model; it is trained anew and not changed.
        ctx: Progress and cancellation.
        steps: Number of updates and refits.
        share: Share of the data in the windows.
    """
    return replay_and_store(trained.run, trained.model_id, trained.dataset, ReplaySettings(steps, share), ctx)


def faithfulness(trained: Trained, ctx: RunContext) -> Faithfulness:
    """Return whether attention tracks influence, over test users; see `attention_study`."""
    test = attention_study.study_users(trained.run, trained.dataset)
    return attention_study.faithfulness(trained.model, test.queries, replace(ctx, seed=trained.run.spec.seed))


def heads(trained: Trained, ctx: RunContext) -> HeadEffects:
    """Return the metric on the test set without each head; see `attention_study`."""
    test = attention_study.study_users(trained.run, trained.dataset)
    ctx = replace(ctx, seed=trained.run.spec.seed)
    return attention_study.head_ablation(trained.model, test.queries, test.relevant, ctx, candidates=test.candidates)


def candidates(trained: Trained, ctx: RunContext, *, pool: int) -> int:
    """Rank and keep the candidates of all test users for strategies; return how many there are per user.

    Args:
        trained: The model.
        ctx: Progress and cancellation.
        pool: Number of candidates per user.
    """
    test = trained.run.spec.split.test_data
    test_data = trained.open_data(test) if test else None
    return make_pool(trained.run, trained.model_id, pool, trained.dataset, test_data=test_data, ctx=ctx)


def lesson_numbers(trained: None, ctx: RunContext, *, lesson: str, step: str, values: Mapping[str, Any]) -> Any:
    """Return the numbers of a step of a lesson whose small models are networks; see `lessons.lesson`.

    Args:
        trained: Not used: the lesson trains its own models once and keeps them.
        ctx: Not used.
        lesson: Key of the lesson.
        step: Key of the step.
        values: Values of all controls.
    """
    return registry.lesson(lesson).numbers(step, values)


class Priority(StrEnum):
    """Expected duration of a question. Questions of one priority are queued; different priorities run in parallel."""

    INTERACTIVE = "interactive"
    """One prediction: well under a second."""
    USER = "user"
    """Many predictions for one user: seconds."""
    BATCH = "batch"
    """Many users, or a training: minutes."""


@dataclass(frozen=True)
class Question:
    """A question about a trained model.

    Args:
        answer: Called with the model, a context for progress and cancellation, and the arguments by name. Its result is
            sent between processes: plain values, arrays, frames, and dataclasses of these.
        priority: Queue of the question.
        trains: Whether models are trained for it: then the process of the pages must not answer it.
        needs_model: Whether it is about a trained model of an experiment; else `answer` gets None instead.
    """

    answer: Callable[..., Any]
    priority: Priority = Priority.INTERACTIVE
    trains: bool = False
    needs_model: bool = True


QUESTIONS: dict[str, Question] = {
    "top": Question(top),
    "ranked": Question(ranked),
    "why_moved": Question(why_moved),
    "ladder": Question(ladder),
    "reason": Question(reason),
    "why_not": Question(why_not),
    "look": Question(look),
    "trace": Question(trace),
    "lesson_numbers": Question(lesson_numbers, priority=Priority.USER, needs_model=False),
    "effects": Question(effects, priority=Priority.USER),
    "deletion": Question(deletion, priority=Priority.USER),
    "incremental_update": Question(incremental_update, priority=Priority.BATCH, trains=True),
    "update_replay": Question(update_replay, priority=Priority.BATCH, trains=True),
    "faithfulness": Question(faithfulness, priority=Priority.BATCH),
    "heads": Question(heads, priority=Priority.BATCH),
    "candidates": Question(candidates, priority=Priority.BATCH),
}
"""All questions by name."""


def question(name: str) -> Question:
    """Return the question of that name.

    Raises:
        ConfigError: It does not exist.
    """
    if name not in QUESTIONS:
        raise ConfigError(
            _("There is no question '{name}'. Known: {questions}.").format(name=name, questions=", ".join(QUESTIONS))
        )
    return QUESTIONS[name]
