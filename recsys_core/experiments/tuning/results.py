"""Results of a tuning as tables: the best value so far against the budget, the trials, the importance of settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from recsys_core.experiments.tuning.rows import TrialRow, best_row
from recsys_core.experiments.tuning.space import first_parameters, search_space, settings_of
from recsys_core.experiments.tuning.store import Tuning
from recsys_core.models.registry import model_class

CURVE = ["model", "trial", "seconds", "value", "best"]
FEWEST_FOR_IMPORTANCE = 4
"""Trials with a value from which an importance is computed: it is a variance over trials."""


def curve_of(key: str, rows: Sequence[TrialRow], *, lower: bool) -> pd.DataFrame:
    """Return the best value so far of a model against its used budget, one row per trial that uses the budget.

    Args:
        key: The model.
        rows: Its trials.
        lower: Whether lower values are better.

    Returns:
        Columns `model`, `trial` (used trials, from 1), `seconds` (used, of all trials until then), `value` (NaN without
        one) and `best` (NaN before the first value).
    """
    found: list[dict[str, Any]] = []
    seconds, best = 0.0, float("nan")
    for row in rows:
        seconds += row.seconds
        if not row.is_counted:
            continue
        if row.value is not None and not (row.value >= best if lower else row.value <= best):
            best = row.value
        value = float("nan") if row.value is None else row.value
        found.append({"model": key, "trial": len(found) + 1, "seconds": seconds, "value": value, "best": best})
    return pd.DataFrame(found, columns=CURVE)


def curves(tuning: Tuning) -> pd.DataFrame:
    """Return the curves of all models of a tuning, see `curve_of`."""
    parts = [curve_of(key, tuning.trials(key), lower=tuning.spec.lower_is_better) for key in tuning.spec.models]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=CURVE)


def trial_table(rows: Sequence[TrialRow]) -> pd.DataFrame:
    """Return one row per trial: `number`, `ending`, `value`, `seconds`, `epochs`, `reason`, then the settings."""
    return pd.DataFrame(
        [
            {
                "number": row.number,
                "ending": row.ending,
                "value": row.value,
                "seconds": row.seconds,
                "epochs": row.epochs,
                "reason": row.reason,
                **row.settings,
            }
            for row in rows
        ]
    )


@dataclass(frozen=True)
class Standing:
    """How far a model of a tuning is.

    Args:
        key: The model.
        used: Number of trials that use the budget.
        seconds: Seconds of all its trials.
        first: Validation metric of the defaults, None without a value.
        best: Its trial with the best value, None without one.
    """

    key: str
    used: int
    seconds: float
    first: float | None
    best: TrialRow | None


def standings(tuning: Tuning) -> list[Standing]:
    """Return how far each model is, in the order of the spec."""
    return [_standing(key, tuning.trials(key), lower=tuning.spec.lower_is_better) for key in tuning.spec.models]


def _standing(key: str, rows: Sequence[TrialRow], *, lower: bool) -> Standing:
    space = search_space(model_class(key).config_type)
    defaults = settings_of(first_parameters(space), space)
    return Standing(
        key,
        used=sum(row.is_counted for row in rows),
        seconds=sum(row.seconds for row in rows),
        first=next((row.value for row in rows if row.settings == defaults and row.value is not None), None),
        best=best_row(rows, lower=lower),
    )


def importance(key: str, rows: Sequence[TrialRow], seed: int = 0) -> dict[str, float]:
    """Return how much each searched setting contributes to the variance of the validation metric, largest first.

    The shares sum to 1; settings whose interactions matter share them. They describe the trials of this study, which
    are denser where the metric is better.

    Args:
        key: The model.
        rows: Its trials.
        seed: Seed of the random forest.

    Returns:
        Setting -> share; empty with too few trials, or if all values are equal.

    Source:
        Hutter et al. 2014, "An Efficient Approach for Assessing Hyperparameter Importance" (functional ANOVA).
    """
    import optuna

    space = {one.name: one for one in search_space(model_class(key).config_type) if not one.is_optional}
    done = [row for row in rows if row.value is not None and set(space) <= set(row.settings)]
    if len(done) < FEWEST_FOR_IMPORTANCE or len({row.value for row in done}) < 2:
        return {}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    limits = {name: one.distribution() for name, one in space.items()}
    for row in done:
        parameters = {name: row.settings[name] for name in space}
        study.add_trial(optuna.create_trial(params=parameters, distributions=limits, value=row.value))
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(share) for name, share in found.items()}
