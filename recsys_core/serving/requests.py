"""What can be asked of a trained model: a table of names, the same whether this process answers or another one does."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from recsys_core.contracts import AttentionTrace, FloatArray, QueryBatch, RunContext, TracesAttention
from recsys_core.data.workspace import Workspace
from recsys_core.errors import CannotScore, ConfigError
from recsys_core.experiments.artifacts import RESULT
from recsys_core.experiments.store import ResultStore
from recsys_core.explain.deletion import Deletion, deletion_effects
from recsys_core.explain.registry import views_of
from recsys_core.explain.view import ViewData, ViewRequest
from recsys_core.serving import attention_study, incremental_updates, recommendations
from recsys_core.serving.attention_study import Faithfulness, HeadEffects
from recsys_core.serving.incremental_updates import UpdateReport

if TYPE_CHECKING:
    from recsys_core.data import Dataset
    from recsys_core.models.base import Recommender

KEPT_MODELS = 4
"""So many of the models that were asked last stay loaded."""


class Trained:
    """A trained model of an experiment, with what questions about it need; each is read when it is first needed.

    Args:
        root: The workspace's folder.
        run_id: The experiment.
        model_id: The finished model.
        open_data: Opens data sets by fingerprint; by default the workspace does.

    Raises:
        StoreError: There is no such experiment.
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
        """The model, asked as it was trained."""
        return self.run.model(self.model_id)

    @cached_property
    def dataset(self) -> "Dataset":
        """The data of the experiment."""
        return self.open_data(self.run.spec.data)

    @cached_property
    def curves(self) -> pd.DataFrame:
        """What training reported."""
        return self.run.history(self.model_id)


def stamp(root: Path, run_id: str, model_id: str) -> int:
    """Return what changes when the model is trained again; 0 if it is not there."""
    path = ResultStore(root).folder / run_id / "jobs" / model_id / RESULT
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


class Shelf:
    """Trained models, of which those that were asked last stay in memory. For one thread.

    Args:
        kept: How many.
    """

    def __init__(self, kept: int = KEPT_MODELS) -> None:
        self._kept = kept
        self._models: OrderedDict[tuple[Path, str, str], Trained] = OrderedDict()

    def take(self, root: Path, run_id: str, model_id: str) -> Trained:
        """Return a trained model; one that was trained again since is read anew.

        Raises:
            StoreError: There is no such experiment.
        """
        name = (root, run_id, model_id)
        found = self._models.get(name)
        if found is None or not found.stamp or found.stamp != stamp(*name):
            self._models.pop(name, None)
            found = Trained(*name)
            self._models[name] = found
        self._models.move_to_end(name)
        while len(self._models) > self._kept:
            self._models.popitem(last=False)
        return found


def top(trained: Trained, ctx: RunContext, *, query: QueryBatch, k: int) -> pd.DataFrame:
    """Return the list for one person: `rank`, `item`, `score`."""
    return recommendations.top_list(trained.model, query, k)


def scores(trained: Trained, ctx: RunContext, *, query: QueryBatch) -> FloatArray:
    """Return (B, I) the scores of all items."""
    return trained.model.score(query)


def reason(trained: Trained, ctx: RunContext, *, query: QueryBatch, item: int) -> recommendations.Reason:
    """Return what a score is made of; see `recommendations.reason`."""
    return recommendations.reason(trained.model, trained.dataset, query, item)


def effects(trained: Trained, ctx: RunContext, *, query: QueryBatch, item: int) -> recommendations.Effects:
    """Return what a score loses without each item of the history, ready to be shown; see `recommendations.effects`."""
    return recommendations.effects(trained.model, trained.dataset, query, item, ctx)


def deletion(trained: Trained, ctx: RunContext, *, query: QueryBatch, item: int) -> Deletion:
    """Return the same as arrays."""
    model, query = recommendations.bare(trained.model, query)
    return deletion_effects(model, query, item, ctx)


def why_not(trained: Trained, ctx: RunContext, *, query: QueryBatch, item: int, k: int) -> recommendations.WhyNot:
    """Return how far an item is from the list; see `recommendations.why_not`."""
    return recommendations.why_not(trained.model, trained.dataset, query, item, k)


def look(
    trained: Trained, ctx: RunContext, *, view: str, query: QueryBatch, item: int, choices: Mapping[str, str]
) -> ViewData:
    """Return what a view of the page Inside shows; see `explain.registry`.

    Raises:
        CannotScore: The model has no such view, or nothing to show there.
    """
    model, query = recommendations.bare(trained.model, query)
    views = {one.key: one for one in views_of(model.info, trained.curves)}
    if view not in views:
        raise CannotScore(f"{model.info.title} has nothing to show for '{view}'.")
    return views[view].look(ViewRequest(model, trained.dataset, query, item, trained.curves, choices))


def trace(trained: Trained, ctx: RunContext, *, query: QueryBatch) -> AttentionTrace:
    """Return what the model attended to when it read the history of one person.

    Raises:
        CannotScore: The model has no attention, or the history is empty.
    """
    model, query = recommendations.bare(trained.model, query)
    if not isinstance(model, TracesAttention):
        raise CannotScore(f"{model.info.title} has no attention that could be shown.")
    return model.trace(query)


def learn_on(trained: Trained, ctx: RunContext, *, newer: str, freeze_embeddings: bool) -> UpdateReport:
    """Return what a copy of the model gains and forgets when it learns from newer data; see `experiments.updating`.

    Args:
        trained: The model; it stays as it is.
        ctx: Progress and stopping.
        newer: Fingerprint of the newer data.
        freeze_embeddings: Leave the vectors of known items and users as they are.
    """
    data = trained.open_data(newer)
    return incremental_updates.learn_on(
        trained.run, trained.model_id, trained.dataset, data, ctx, freeze_embeddings=freeze_embeddings
    )


def faithfulness(trained: Trained, ctx: RunContext) -> Faithfulness:
    """Return whether attention tracks influence, over people of the test part; see `experiments.attention_study`."""
    people = attention_study.judged_part(trained.run, trained.dataset)
    return attention_study.faithfulness(trained.model, people.queries, replace(ctx, seed=trained.run.spec.seed))


def heads(trained: Trained, ctx: RunContext) -> HeadEffects:
    """Return what the test part loses without each head; see `experiments.attention_study`."""
    asked = attention_study.judged_part(trained.run, trained.dataset)
    ctx = replace(ctx, seed=trained.run.spec.seed)
    return attention_study.head_ablation(trained.model, asked.queries, asked.wanted, ctx, candidates=asked.candidates)


class Lane(StrEnum):
    """Where a question waits: those of one lane are answered one after the other, and hold up no other lane."""

    SHORT = "short"
    """Answered at once."""
    PERSON = "person"
    """Many answers about one person: seconds."""
    STUDY = "study"
    """Many people, or a training: minutes."""


@dataclass(frozen=True)
class Question:
    """One thing that can be asked of a trained model.

    Args:
        answer: Called with the model, a context for progress and stopping, and the arguments by name. What it returns
            travels between processes: plain values, arrays, frames, and dataclasses of these.
        lane: With which questions it waits in one line.
    """

    answer: Callable[..., Any]
    lane: Lane = Lane.SHORT


QUESTIONS: dict[str, Question] = {
    "top": Question(top),
    "scores": Question(scores),
    "reason": Question(reason),
    "why_not": Question(why_not),
    "look": Question(look),
    "trace": Question(trace),
    "effects": Question(effects, lane=Lane.PERSON),
    "deletion": Question(deletion, lane=Lane.PERSON),
    "learn_on": Question(learn_on, lane=Lane.STUDY),
    "faithfulness": Question(faithfulness, lane=Lane.STUDY),
    "heads": Question(heads, lane=Lane.STUDY),
}
"""Name -> what answers it. Nothing else can be asked."""


def question(name: str) -> Question:
    """Return the question of that name.

    Raises:
        ConfigError: There is none.
    """
    if name not in QUESTIONS:
        raise ConfigError(f"There is no question '{name}'. Known: {', '.join(QUESTIONS)}.")
    return QUESTIONS[name]
