"""The values per user of a finished experiment, from which an A/B test is planned."""

from dataclasses import dataclass

import numpy as np

from recsys_core.columns import USER
from recsys_core.contracts import FloatArray
from recsys_core.errors import DataError
from recsys_core.evaluation.evaluate import N_HISTORY
from recsys_core.experiments.analysis import users_of
from recsys_core.experiments.audience import Audience
from recsys_core.experiments.experiment import Run
from recsys_core.text import _


@dataclass(frozen=True, eq=False)
class StoredValues:
    """Values of one model.

    Args:
        model: Id of the job.
        metric: The metric.
        values: (U,) one value per user that the verdict covers.
        covariate: (U,) logarithm of one plus the number of training interactions, known before a test; None if it is
            not stored.
    """

    model: str
    metric: str
    values: FloatArray
    covariate: FloatArray | None


def values_of_run(
    run: Run, model: str | None = None, metric: str | None = None, users: Audience | None = None
) -> StoredValues:
    """Return the values per user of a model.

    Args:
        run: The experiment.
        model: Id or key of a finished model; the first by default.
        metric: A metric with one value per user; the primary one by default.
        users: Result of `users_of`, if already computed.

    Raises:
        DataError: The model has not finished or has no such metric.
    """
    finished = run.finished()
    chosen = next((one for one in finished if model in (None, one, run.model_spec(one).key)), None)
    if chosen is None:
        raise DataError(
            _("'{run_name}' has no finished model '{model}'. It has: {finished}.").format(
                run_name=run.name, model=model, finished=", ".join(finished) or "none"
            )
        )
    metric = metric or run.spec.metric
    frame = (users or users_of(run)).judged[chosen].sort_values(USER)
    if metric not in frame:
        raise DataError(
            _("'{chosen}' has no values of '{metric}' per user; choose another metric.").format(
                chosen=chosen, metric=metric
            )
        )
    covariate = np.log1p(frame[N_HISTORY].to_numpy(np.float64)) if N_HISTORY in frame else None
    return StoredValues(chosen, metric, frame[metric].to_numpy(np.float64), covariate)
