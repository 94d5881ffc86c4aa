"""Replay of a model in operation: what an outdated model costs, and what incremental updates and refits gain.

The last share of the data is divided into consecutive time windows with about equally many test cases, as the windows
of a global time split (`data.splits`). At step 0 the model is trained on everything before the first window. Step s
begins when window s - 1 has passed, and is evaluated on window s. Three versions of the model are compared on the same
test cases:

- stale: the model of step 0, with the current histories of the users in its queries;
- updated: the model of step 0, updated at each step with the interactions of the window that has passed;
- refit: trained from scratch at each step on all interactions before it.

All data before a step are training data: a validation share of the experiment is not held out, and a stochastic model
is trained once, with the seed of the experiment. Items without training interactions stay in the catalog, as in every
evaluation on a global time split.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.columns import FOLD, TIMESTAMP, USER, USER_ID
from recsys_core.contracts import FloatArray, IntArray, Progress, RunContext, UpdatesIncrementally
from recsys_core.data import Dataset
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import Split, make_splits
from recsys_core.errors import ConfigError, DataError
from recsys_core.evaluation.churn import list_churn
from recsys_core.evaluation.comparison import Comparison, compare
from recsys_core.evaluation.evaluate import evaluate
from recsys_core.evaluation.fallback import fallback_scores
from recsys_core.evaluation.intervals import score_interval
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.experiments.artifacts import JobResult
from recsys_core.experiments.audience import audience
from recsys_core.experiments.newcomers import newcomers
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
from recsys_core.experiments.thresholds import threshold_refusal
from recsys_core.experiments.training_part import for_training, trained, updated
from recsys_core.models.base import Recommender
from recsys_core.models.registry import is_stochastic, make_model, model_class
from recsys_core.text import _, later

STALE, UPDATED, REFIT = "stale", "updated", "refit"
VERSIONS = (STALE, UPDATED, REFIT)
CONTRASTS = ((UPDATED, STALE), (REFIT, STALE), (UPDATED, REFIT))
"""Pairs of versions whose difference is reported, first minus second."""
MOST_STEPS = 19
"""A global time split has at most 20 windows."""
PANEL_USERS = 500
"""Sample size of the users whose lists are followed for the churn."""
TRAIN, UPDATE, REFITTING = later("first training"), later("incremental update"), later("full refit")
EVALUATE = later("evaluate")
PARTS_OF_A_TASK = 100
POINTS = ["step", "version", "mean", "low", "high", "seconds", "churn", "churn_low", "churn_high"]
DIFFERENCES = ["step", "version", "baseline", "difference", "low", "high", "different", "identical"]


@dataclass(frozen=True)
class ReplaySettings:
    """Settings of a replay.

    Args:
        steps: Number of updates and refits, from 1 to 19.
        share: Share of the test cases of the whole data in the windows, between 0 and 1.

    Raises:
        ConfigError: A value is out of bounds.
    """

    steps: int = 6
    share: float = 0.3

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= MOST_STEPS:
            raise ConfigError(
                _("The number of steps must be from 1 to {most_steps}, but it is {steps}.").format(
                    most_steps=MOST_STEPS, steps=self.steps
                )
            )
        if not 0.0 < self.share < 1.0:
            raise ConfigError(
                _("The share of the windows must be between 0 and 1, but it is {share:g}.").format(share=self.share)
            )

    @property
    def split(self) -> SplitSpec:
        """The split whose windows are the steps, from 0 on."""
        return SplitSpec(kind="global_time", test_fraction=self.share, windows=self.steps + 1)


@dataclass(frozen=True, eq=False)
class Replay:
    """Quality, cost and list churn of the versions of one model over time.

    Args:
        model_id: The model of the experiment.
        key: Its algorithm.
        metric: The metric, such as `ndcg@10`.
        k: Length of the lists.
        settings: Number of steps and share of the data.
        updates: Whether the model updates incrementally; if not, there is no version `updated`.
        points: One row per step and version: `step`, `version`, `mean` of the metric with its 95% interval `low`,
            `high` (NaN without a judged user), `seconds` of the training or update at this step (NaN if there was
            none), and `churn` of the lists since the previous step with its interval `churn_low`, `churn_high` (NaN at
            step 0).
        differences: One row per step from 1 on and pair of versions: `version` minus `baseline` as `difference` with
            `low`, `high` (intervals that hold at once for all pairs and steps), `different` (significant, sign-flip
            test, Holm over the pairs and corrected for the steps), `identical` (the same value for every user).
        steps: One row per step: `step`, `border` (its time, Unix milliseconds), `fresh` (interactions that arrived
            since the previous step), `train` (all before it), `test`, `users` (judged), `panel` (users whose lists are
            followed), and the counts of `newcomers`.
        cold: The first cold users and items of each step by name; see `newcomers`.
    """

    model_id: str
    key: str
    metric: str
    k: int
    settings: ReplaySettings
    updates: bool
    points: pd.DataFrame
    differences: pd.DataFrame
    steps: pd.DataFrame
    cold: pd.DataFrame

    def at(self, step: int) -> dict[str, Any]:
        """Return the row of `steps` of a step, by column."""
        return {str(name): value for name, value in self.steps.iloc[step].to_dict().items()}


def replay_spec(spec: ExperimentSpec, settings: ReplaySettings) -> ExperimentSpec:
    """Return the experiment that trains its models as the refits of a replay do: on the same windows, with one seed."""
    return spec.model_copy(update={"split": settings.split, "seeds": 1})


def seconds_of_a_training(spec: ExperimentSpec, result: JobResult) -> float:
    """Return the measured seconds of one training of a finished model, with the lists of its test users."""
    seeds = spec.seeds if is_stochastic(result.key, result.config) else 1
    return (result.fit_seconds + result.recommend_seconds) / (result.folds * seeds)


def replay(
    spec: ExperimentSpec, chosen: ModelSpec, dataset: Dataset, settings: ReplaySettings, ctx: RunContext
) -> tuple[Replay, Recommender[Any] | None]:
    """Replay the last part of the data for one model; see the module.

    Args:
        spec: What is learned from and predicted, the metric, the users judged, and the seed; its split is not used.
        chosen: The model.
        dataset: The data of the experiment.
        settings: Number of steps and share of the data.
        ctx: Progress, cancellation and threads; the seed is that of the spec.

    Returns:
        The replay, and the model after its last update, None if it does not update incrementally.

    Raises:
        DataError: The data have no timestamps or too few, or lack something that the model needs.
        Cancelled: The run was cancelled.
    """
    if reason := threshold_refusal(dataset, spec.relevant_from):
        raise DataError(reason)
    splits = make_splits(dataset, settings.split, spec.seed, task=spec.task)
    player = _Player(spec, chosen, splits, replace(ctx, seed=spec.seed))
    return player.play(settings)


class _Meter:
    """Progress over all trainings and evaluations of a replay, each of which counts the same.

    Args:
        ctx: Receives the progress.
        tasks: Number of trainings and evaluations.
        steps: Number of steps.
    """

    def __init__(self, ctx: RunContext, tasks: int, steps: int) -> None:
        self._ctx = ctx
        self._total = tasks * PARTS_OF_A_TASK
        self._steps = steps
        self._done = 0

    def task(self, stage: str, step: int) -> Iterator[RunContext]:
        """Yield, once, the context of a task; the task is done when the loop ends."""
        name = f"{stage} (training {step} of {self._steps})" if step else stage
        reached = self._done

        def report(progress: Progress) -> None:
            nonlocal reached
            inside = progress.step / progress.total if progress.total else 0.0
            reached = max(reached, self._done + int(min(1.0, inside) * PARTS_OF_A_TASK))
            self._ctx.report(Progress(name, reached, self._total, progress.values))

        self._ctx.stop_if_requested(f"during '{name}'")
        report(Progress(stage))
        yield replace(self._ctx, report=report, validate=None, checkpoints=None)
        self._done += PARTS_OF_A_TASK
        self._ctx.report(Progress(name, self._done, self._total))


@dataclass(eq=False)
class _Version:
    """One version of the model at the current step.

    Args:
        model: Its current state.
        learned: The data that it was trained on and updated with.
        seconds: Time of the training or update at this step, NaN if there was none.
        lists: (P, K) lists of the panel at this step.
    """

    model: Recommender[Any]
    learned: Dataset
    seconds: float
    lists: IntArray | None = None


class _Player:
    """The course of one replay."""

    def __init__(self, spec: ExperimentSpec, chosen: ModelSpec, splits: tuple[Split, ...], ctx: RunContext) -> None:
        self._spec, self._chosen, self._splits = spec, chosen, splits
        self._updates = issubclass(model_class(chosen.key), UpdatesIncrementally)
        self._names = [name for name in VERSIONS if name != UPDATED or self._updates]
        steps = len(splits) - 1
        self._meter = _Meter(ctx, 2 + steps * (1 + self._updates + len(self._names)), steps)
        self._k = MetricName.parse(spec.metric).k or spec.k
        known = np.unique(splits[0].train.interactions[USER].to_numpy()).astype(np.int64)
        size = min(PANEL_USERS, len(known))
        self._panel: IntArray = np.sort(ctx.rng("replay", "panel").choice(known, size, replace=False))

    def play(self, settings: ReplaySettings) -> tuple[Replay, Recommender[Any] | None]:
        """Return the replay and the last updated model."""
        points: list[dict[str, Any]] = []
        differences: list[dict[str, Any]] = []
        steps: list[dict[str, Any]] = []
        cold: list[pd.DataFrame] = []
        versions: dict[str, _Version] = {}
        for step, split in enumerate(self._splits):
            versions = self._advanced(versions, step)
            frames, churn = self._evaluated(versions, step)
            judged = audience(frames, self._spec.users).judged
            values, pairs, users = self._compared(judged, step, settings)
            for name, version in versions.items():
                own = {"step": step, "version": name, "seconds": version.seconds}
                points.append(own | values.get(name, {}) | churn.get(name, {}))
            differences += [{"step": step} | row for row in pairs]
            counts, named = newcomers(split, self._splits[0])
            steps.append(self._counts(step) | {"users": users} | counts)
            cold.append(named.assign(step=step))
        found = Replay(
            model_id=self._chosen.id,
            key=self._chosen.key,
            metric=self._spec.metric,
            k=self._k,
            settings=settings,
            updates=self._updates,
            points=pd.DataFrame(points, columns=POINTS),
            differences=pd.DataFrame(differences, columns=DIFFERENCES),
            steps=pd.DataFrame(steps),
            cold=pd.concat(cold, ignore_index=True),
        )
        return found, versions[UPDATED].model if self._updates else None

    def _advanced(self, before: dict[str, _Version], step: int) -> dict[str, _Version]:
        """Return the versions at a step: one and the same model at step 0."""
        train = self._splits[step].train
        if step == 0:
            for ctx in self._meter.task(TRAIN, 0):
                model, seconds = self._fitted(train, ctx)
            made = {name: _Version(model, train, seconds if name != STALE else np.nan) for name in self._names}
            if self._updates:
                made[UPDATED].model = self._copied(model)
            return made
        after = {STALE: _Version(before[STALE].model, before[STALE].learned, np.nan, before[STALE].lists)}
        if self._updates:
            last = before[UPDATED]
            for ctx in self._meter.task(UPDATE, step):
                started = time.perf_counter()
                model, _ = updated(last.model, self._spec, last.learned, fresh_rows(self._splits, step), ctx)
                seconds = time.perf_counter() - started
            after[UPDATED] = _Version(model, train, seconds, last.lists)
        for ctx in self._meter.task(REFITTING, step):
            model, seconds = self._fitted(train, ctx)
        after[REFIT] = _Version(model, train, seconds, before[REFIT].lists)
        return after

    def _fitted(self, train: Dataset, ctx: RunContext) -> tuple[Recommender[Any], float]:
        made = make_model(self._chosen.key, self._chosen.config)
        model = for_training(made, self._spec, has_ratings=train.has_ratings)
        started = time.perf_counter()
        model.fit(train, ctx)
        seconds = time.perf_counter() - started
        model.require_scores(train)
        return model, seconds

    def _copied(self, model: Recommender[Any]) -> Recommender[Any]:
        """Return an independent copy, as if it had been stored and loaded."""
        copy = make_model(self._chosen.key, self._chosen.config)
        copy.load_state({name: array.copy() for name, array in trained(model).state().items()})
        return for_training(copy, self._spec, has_ratings=self._splits[0].train.has_ratings)

    def _evaluated(
        self, versions: dict[str, _Version], step: int
    ) -> tuple[dict[str, pd.DataFrame], dict[str, dict[str, float]]]:
        """Return the metrics per user and the list churn of each version; at step 0 one evaluation is that of all."""
        frames: dict[str, pd.DataFrame] = {}
        churn: dict[str, dict[str, float]] = {}
        for name, version in versions.items():
            if step == 0 and frames:
                frames[name] = frames[STALE]
                version.lists = versions[STALE].lists
                continue
            split = replace(self._splits[step], trained_on=version.learned)
            for ctx in self._meter.task(EVALUATE, step):
                frames[name] = self._per_user(version.model, split, ctx)
                lists = version.model.recommend(split.queries(self._panel), self._k).item
            if version.lists is not None:
                churn[name] = _mean_churn(list_churn(version.lists, lists, self._k))
            version.lists = lists
        return frames, churn

    def _per_user(self, model: Recommender[Any], split: Split, ctx: RunContext) -> pd.DataFrame:
        learned = split.trained_on or split.train
        found = evaluate(
            model,
            split,
            cutoffs=(self._k,),
            relevant_from=self._spec.relevant_from,
            ctx=ctx,
            fallback=fallback_scores(self._spec.fallback, learned),
        )
        ids = pd.Series(learned.user_vocabulary.ids, dtype="str")
        per_user = found.per_user.copy()
        per_user[USER_ID], per_user[FOLD] = ids.iloc[found.users].to_numpy(), 0
        return per_user

    def _compared(
        self, judged: Any, step: int, settings: ReplaySettings
    ) -> tuple[dict[str, dict[str, float]], list[dict[str, Any]], int]:
        """Return the mean of each version with its interval, the differences, and the number of users judged."""
        metric = self._spec.metric
        if not judged[REFIT][metric].notna().any():
            return {}, [], 0
        given = judged if step else {REFIT: judged[REFIT]}
        found = compare(given, metric=metric, seed=self._spec.seed, metrics=settings.steps)
        rows = {str(row["model"]): row for row in found.table.to_dict("records")}
        values = {
            name: {end: float(rows[name if step else REFIT][end]) for end in ("mean", "low", "high")}
            for name in self._names
        }
        pairs = [
            _contrast(found, version, baseline)
            for version, baseline in (CONTRASTS if step else ())
            if {version, baseline} <= set(self._names)
        ]
        return values, pairs, len(found.users)

    def _counts(self, step: int) -> dict[str, Any]:
        split = self._splits[step]
        return {
            "step": step,
            "border": split.border,
            "fresh": fresh_rows(self._splits, step).n_interactions if step else 0,
            "train": split.train.n_interactions,
            "test": split.test.n_interactions,
            "panel": len(self._panel),
        }


def fresh_rows(splits: tuple[Split, ...], step: int) -> Dataset:
    """Return the interactions that models learn from at a step from 1 on, and could not at the previous one."""
    train, border = splits[step].train, splits[step - 1].border
    return train.subset(train.interactions[TIMESTAMP].to_numpy() >= border)


def _contrast(compared: Comparison, version: str, baseline: str) -> dict[str, Any]:
    """Return the row of `Replay.differences` of two versions."""
    against = compared.against(baseline)
    row = against[against["model"] == version].to_dict("records")[0]
    both = compared.pairs["first"].isin([version, baseline]) & compared.pairs["second"].isin([version, baseline])
    return {
        "version": version,
        "baseline": baseline,
        **{name: float(row[name]) for name in ("difference", "low", "high")},
        "different": bool(row["different"]),
        "identical": bool(compared.pairs.loc[both, "identical"].all()),
    }


def _mean_churn(values: FloatArray) -> dict[str, float]:
    """Return the mean over users of values from 0 to 1, with its 95% interval."""
    if np.isnan(values).all():
        return {}
    low, high = score_interval(values[:, None])
    return {"churn": float(np.nanmean(values)), "churn_low": float(low[0]), "churn_high": float(high[0])}
