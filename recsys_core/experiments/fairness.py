"""Is a stored comparison fair? What the protocol check wants to know, read from the files of a run."""

import pandas as pd

from recsys_core.data.leaks import LeakReport
from recsys_core.data.splits import LeftOut
from recsys_core.evaluation.comparison import Comparison
from recsys_core.evaluation.protocol import Finding, JudgedModel, Protocol, check_protocol
from recsys_core.experiments.board import model_titles
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.run import Run
from recsys_core.models.registry import model_class


def protocol_of(run: Run) -> Protocol:
    """Return how the finished models of a run were trained and judged."""
    titles = model_titles(run.spec.models)
    folds = (run.split_report() or {"folds": []})["folds"]
    models = {
        model_id: JudgedModel(
            title=titles[model_id],
            key=result.key,
            personal=model_class(result.key).info.personal,
            same_order=bool(result.notes.get("same_order", False)),
        )
        for model_id, result in run.results().items()
    }
    ended_badly = (JobState.FAILED, JobState.CANCELLED)
    return Protocol(
        models=models,
        leaks=[LeakReport(**fold["leaks"]) for fold in folds],
        left_out=[LeftOut(**fold["left_out"]) for fold in folds],
        ordered_by_file=any(fold["ordered_by_file"] for fold in folds),
        without_result=[titles[status.model_id] for status in run.statuses() if status.state in ended_badly],
    )


def findings(
    run: Run, per_user: dict[str, pd.DataFrame], *, metric: str, comparison: Comparison | None
) -> list[Finding]:
    """Return what is wrong with the comparison of a run's finished models, refusals first.

    Args:
        run: The experiment.
        per_user: Its tables, one row a user.
        metric: The column compared.
        comparison: What `compare` gave for them, None where it refused.
    """
    return check_protocol(per_user, protocol_of(run), metric=metric, comparison=comparison)
