"""Trials of programs: a program is asked for lists of the validation users and never gets the test part.

It trains on the training data of a trial, as a model does, and its lists are judged on the validation data. What it
prints as progress is no validation value, so its trials are not pruned.
"""

from dataclasses import replace
from pathlib import Path

from recsys_core.contracts import RunContext
from recsys_core.data.splits import Split
from recsys_core.errors import DataError
from recsys_core.evaluation.evaluate import Evaluation
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.experiments.program_environment import command_of
from recsys_core.experiments.program_fold import run_program
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
from recsys_core.models.programs import PREFIX, folder_of
from recsys_core.text import _


def is_program(key: str) -> bool:
    """Return whether a model is a program."""
    return key.startswith(PREFIX)


def prepare(key: str, spec: ExperimentSpec, root: Path, ctx: RunContext) -> None:
    """Build the environment of a program before its first trial, whose budget it does not use.

    Args:
        key: The program.
        spec: The experiment of the tuning, which names the version of the program that is tuned.
        root: The workspace, which holds the environments.
        ctx: Progress and cancellation of the build.

    Raises:
        ConfigError: The program is not on this machine, or has changed since the tuning was started.
        ProgramFailed: The environment cannot be built.
        Cancelled: The user cancelled the job.
        StoreError: A disk error.
    """
    command_of(folder_of(key, str(fixed_settings(key, spec).get("checksum", ""))), root, ctx)


def fixed_settings(key: str, spec: ExperimentSpec) -> dict[str, object]:
    """Return version and checksum of the program that an experiment names; empty for models."""
    config = next((model.config for model in spec.models if model.key == key), {})
    return {name: config[name] for name in ("version", "checksum") if name in config} if is_program(key) else {}


def judged_on_validation(
    chosen: ModelSpec, split: Split, spec: ExperimentSpec, ctx: RunContext, job: Path, root: Path
) -> Evaluation:
    """Run a program on the training data of a split, and judge its lists on the validation data.

    Args:
        chosen: The program with its settings.
        split: See `sealed_split`.
        spec: The experiment of the tuning.
        ctx: Progress, cancellation, threads, and the seed that the program gets.
        job: Folder of the job, in which it works.
        root: The workspace, which holds the environments.

    Raises:
        RecscopeError: See `run_program`.
    """
    name = MetricName.parse(spec.metric)
    cutoffs = tuple(sorted({*spec.cutoffs, name.k or spec.k}))
    asked = spec.model_copy(update={"cutoffs": cutoffs})
    return run_program(asked, chosen, _validation_as_test(split), ctx, job, root).evaluation


def _validation_as_test(split: Split) -> Split:
    """Return the split whose test part is the validation part; it has no other validation data.

    Raises:
        DataError: There are no validation data.
    """
    if split.validation is None or split.validation_history is None:
        raise DataError(_("This split has no validation data; set validation_fraction."))
    return replace(
        split,
        test=split.validation,
        history=split.validation_history,
        seen=split.validation_seen,
        validation=None,
        validation_history=None,
        validation_seen=None,
    )
