"""One trial: draw settings, train on the training data, and evaluate on the validation data."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.columns import FOLD, TRAINING, USER_ID
from recsys_core.contracts import RunContext
from recsys_core.data.splits import Split, make_splits
from recsys_core.errors import Cancelled, ConfigError, DataError, RecscopeError
from recsys_core.evaluation.evaluate import Evaluation, evaluate
from recsys_core.evaluation.fallback import fallback_scores
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.experiments.audience import audience, pooled
from recsys_core.experiments.resources import limited_threads
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
from recsys_core.experiments.thresholds import threshold_refusal
from recsys_core.experiments.train_job import DataSource
from recsys_core.experiments.training_part import for_training
from recsys_core.experiments.tuning.guard import TestPartGuard
from recsys_core.experiments.tuning.program_trial import fixed_settings, is_program, judged_on_validation
from recsys_core.experiments.tuning.rounds import FAILED, INVALID, OpenTrial
from recsys_core.experiments.tuning.spec import TuningSpec
from recsys_core.experiments.tuning.studies import CONFIG, ModelStudy
from recsys_core.experiments.validation import Validator
from recsys_core.models.base import Recommender
from recsys_core.models.registry import make_model
from recsys_core.storage.processes import ProcessMark
from recsys_core.text import _

MOST_DRAWS = 100
"""Invalid draws in a row after which a model is given up."""
Refusal = Callable[[ModelSpec], str | None]
"""Returns why settings must not be trained on this machine, None if they may."""


class Pruned(Cancelled):
    """Successive halving stops a trial."""


@dataclass(frozen=True)
class Limits:
    """What ends a trial from outside.

    Args:
        cancelled: Whether the user has cancelled.
        seconds: Seconds left of the budget; None without a limit.
    """

    cancelled: Callable[[], bool]
    seconds: float | None = None


@dataclass(frozen=True)
class Folders:
    """Where a program works.

    Args:
        job: Folder of its job.
        root: The workspace, which holds the environments.
    """

    job: Path
    root: Path


def sealed_split(spec: ExperimentSpec, source: DataSource, guard: TestPartGuard, ctx: RunContext) -> Split:
    """Load the data and return their split without its test part; the first one, if the split has several windows.

    Raises:
        TestPartSealed: The test part was already read.
        DataError: The data are missing, or the split is not possible.
    """
    guard.refuse_if_read()
    for _unused in ctx.track(range(1), stage="load the data"):
        dataset = source.open(spec.data)
        test_data = source.open(spec.split.test_data) if spec.split.test_data else None
    for _unused in ctx.track(range(1), stage="split the data"):
        if reason := threshold_refusal(dataset, spec.relevant_from):
            raise DataError(reason)
        split = make_splits(dataset, spec.split, spec.seed, test_data, spec.task)[0]
    return guard.seal(split)


def run_trial(
    study: ModelStudy,
    key: str,
    spec: TuningSpec,
    split: Split,
    ctx: RunContext,
    limits: Limits,
    refusal: Refusal,
    folders: Folders | None = None,
    helper: ProcessMark | None = None,
) -> None:
    """Run the next trial of a model, if one may start now; it is stored in the study, however it ends.

    Args:
        study: The study of the model, whose budget is not used up.
        key: The model.
        spec: The tuning.
        split: See `sealed_split`.
        ctx: Progress and threads; its seed is replaced by that of the spec.
        limits: What ends the trial from outside.
        refusal: Which settings this machine refuses.
        folders: Where a program works; models need none.
        helper: The process of a trial that runs beside the job of its model; None for the process of the job.

    Raises:
        Cancelled: The user cancelled; the settings are tried once more.
        ConfigError: No valid settings were found.
        StoreError: A disk error.
    """
    with study.alone():
        drawn = _valid_draw(study, key, spec.experiment, split, refusal, helper)
    if drawn is None:
        return
    trial, chosen = drawn
    study.on_start()
    began = time.monotonic()

    def is_over() -> bool:
        return limits.seconds is not None and time.monotonic() - began > limits.seconds

    ctx = replace(ctx, seed=spec.experiment.seed, stop_requested=lambda: limits.cancelled() or is_over())
    try:
        with limited_threads(ctx.threads):
            value = _trained_value(chosen, trial, spec, split, ctx, folders)
    except Pruned as error:
        study.prune(trial, str(error), time.monotonic() - began)
    except (Cancelled, KeyboardInterrupt) as error:
        if not limits.cancelled() and is_over():
            study.prune(trial, f"Stopped: the budget of {spec.budget.words} is used up.", time.monotonic() - began)
            return
        study.interrupt(trial.number, str(error) or "Cancelled from the keyboard.", time.monotonic() - began)
        raise
    except Exception as error:
        study.end(trial.number, FAILED, _why_failed(error), time.monotonic() - began)
    else:
        if value is None:
            reason = f"No validation user has a value of {spec.metric}."
            study.end(trial.number, FAILED, reason, time.monotonic() - began)
        else:
            study.complete(trial, value, time.monotonic() - began)


def _why_failed(error: Exception) -> str:
    """Return why a trial failed, in one sentence."""
    if isinstance(error, RecscopeError):
        return str(error)
    if isinstance(error, MemoryError):
        return _("It ran out of memory.")
    return _("It stopped with an unexpected error ({type_name}: {error}).").format(
        type_name=type(error).__name__, error=error
    )


def _valid_draw(
    study: ModelStudy, key: str, spec: ExperimentSpec, split: Split, refusal: Refusal, helper: ProcessMark | None
) -> tuple[OpenTrial, ModelSpec] | None:
    """Start the next trial whose settings can be trained, if one may start now; others are invalid and use no budget.

    Raises:
        ConfigError: There were too many of them.
    """
    reason = ""
    for _unused in range(MOST_DRAWS):
        asked = study.ask(helper)
        if asked is None:
            return None
        trial, settings = asked
        try:
            made = ModelSpec(key=key, config=_applicable(settings, key, spec, split))
            reason = refusal(made) or make_model(key, made.config).refusal(split.train) or ""
        except ConfigError as error:
            reason = str(error)
        if not reason:
            trial.set_user_attr(CONFIG, made.config)
            return trial, made
        study.end(trial.number, INVALID, reason, 0.0)
    raise ConfigError(
        _("No valid settings were found in {most_draws} draws. The last ones were refused: {reason}").format(
            most_draws=MOST_DRAWS, reason=reason
        )
    )


def _applicable(settings: Mapping[str, Any], key: str, spec: ExperimentSpec, split: Split) -> dict[str, Any]:
    """Return drawn settings that the data allow: those that they rule out, beside the ones before, stay at the default.

    Of the settings of kNN, for example, hardly one draw in a hundred can be trained on data without ratings.

    Raises:
        ConfigError: The drawn settings are invalid whatever the data.
    """
    fixed = fixed_settings(key, spec)

    def suits(config: Mapping[str, Any]) -> bool:
        return make_model(key, ModelSpec(key=key, config=dict(config)).config).refusal(split.train) is None

    drawn = {**settings, **fixed}
    if suits(drawn) or not suits(fixed):
        return drawn
    found = dict(fixed)
    for name, value in settings.items():
        with suppress(ConfigError):
            if suits(found | {name: value}):
                found[name] = value
    return found


def _trained_value(
    chosen: ModelSpec, trial: OpenTrial, spec: TuningSpec, split: Split, ctx: RunContext, folders: Folders | None
) -> float | None:
    """Train a model, or run a program, and return its validation metric, None if it is undefined."""
    if is_program(chosen.key):
        assert folders is not None
        found = judged_on_validation(chosen, split, spec.experiment, ctx, folders.job, folders.root)
        return _metric_of(found, split, spec.experiment)
    made = make_model(chosen.key, chosen.config)
    model = for_training(made, spec.experiment, has_ratings=split.train.has_ratings)
    validate = PruningValidator(Validator(split, spec.experiment, ctx), trial, spec)
    return _fit_and_evaluate(model, split, spec.experiment, replace(ctx, validate=validate))


def value_of(model: ModelSpec, split: Split, spec: ExperimentSpec, ctx: RunContext) -> float | None:
    """Train a model with given settings as a trial does, and return its validation metric, None if it is undefined.

    Args:
        model: The model with its settings.
        split: See `sealed_split`.
        spec: The experiment.
        ctx: Progress, cancellation and threads; its seed is replaced by that of the spec.

    Raises:
        RecscopeError: The model cannot be trained.
    """
    ctx = replace(ctx, seed=spec.seed)
    made = for_training(make_model(model.key, model.config), spec, has_ratings=split.train.has_ratings)
    with limited_threads(ctx.threads):
        return _fit_and_evaluate(made, split, spec, replace(ctx, validate=Validator(split, spec, ctx)))


def _fit_and_evaluate(model: Recommender[Any], split: Split, spec: ExperimentSpec, ctx: RunContext) -> float | None:
    model.fit(split.train, ctx)
    model.require_scores(split.train)
    return validation_value(model, split, spec, ctx)


def validation_value(model: Recommender[Any], split: Split, spec: ExperimentSpec, ctx: RunContext) -> float | None:
    """Return the primary metric of a trained model on the validation users that the verdict is about.

    It is computed as that of a job on the test users, see `train_job`.
    """
    name = MetricName.parse(spec.metric)
    evaluation = evaluate(
        model,
        split,
        cutoffs=(name.k or spec.k,),
        relevant_from=spec.relevant_from,
        ctx=ctx,
        part="validation",
        fallback=fallback_scores(spec.fallback, split.train),
    )
    return _metric_of(evaluation, split, spec)


def _metric_of(evaluation: Evaluation, split: Split, spec: ExperimentSpec) -> float | None:
    judged = audience({"": _per_user(evaluation, split)}, spec.users).judged[""]
    return pooled(judged).get(spec.metric)


def _per_user(evaluation: Evaluation, split: Split) -> pd.DataFrame:
    ids = np.asarray(split.train.user_vocabulary.ids, dtype=object)[evaluation.users]
    leading = pd.DataFrame({USER_ID: ids.astype(str), FOLD: 0, TRAINING: 0})
    return pd.concat([evaluation.per_user, leading], axis=1)


class PruningValidator:
    """Validation after each epoch; it reports NDCG to successive halving, which may stop the trial.

    Args:
        validator: Evaluates the model.
        trial: The trial.
        spec: The tuning.
    """

    def __init__(self, validator: Validator, trial: OpenTrial, spec: TuningSpec) -> None:
        self._validator = validator
        self._trial = trial
        self._sign = -1.0 if spec.lower_is_better else 1.0  # NDCG is higher for a better model, whatever is tuned
        self._name = f"validation ndcg@{spec.experiment.k}"
        self._epoch = 0

    def __call__(self, model: Recommender[Any]) -> Mapping[str, float]:
        """Return the validation metrics.

        Raises:
            Pruned: Too many other trials were better after this number of epochs.
        """
        values = self._validator(model)
        self._epoch += 1
        if self._name in values:
            self._trial.report(self._sign * values[self._name], self._epoch)
            if self._trial.should_prune():
                raise Pruned(
                    _("Stopped after epoch {epoch}: other settings were better by then.").format(epoch=self._epoch)
                )
        return values
