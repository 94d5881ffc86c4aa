"""Trials as plain values, which the page, the command line and reports read without the database.

`trials.json` in the folder of a model is written by the process that runs its trials.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from recsys_core.errors import StoreError
from recsys_core.experiments.tuning.rounds import CAUSE, INTERRUPTED, INVALID
from recsys_core.experiments.tuning.space import Dimension, settings_of
from recsys_core.experiments.tuning.studies import CONFIG, REASON, SECONDS
from recsys_core.storage.files import read_json, write_json
from recsys_core.text import _, later

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

TRIALS = "trials.json"
Ending = Literal["running", "complete", "pruned", "failed", "interrupted", "invalid"]
ENDINGS: dict[Ending, str] = {
    "running": later("running"),
    "complete": later("complete"),
    "pruned": later("pruned"),
    "failed": later("failed"),
    "interrupted": later("interrupted"),
    "invalid": later("invalid"),
}


@dataclass(frozen=True)
class TrialRow:
    """One trial.

    Args:
        number: Its number, from 0; trial 0 has the defaults.
        ending: How it ended.
        value: Metric on the validation data; None without a result.
        seconds: Seconds of training and evaluation.
        settings: The searched settings.
        config: All settings; empty for invalid ones.
        reason: Why it has no value.
        epochs: Epochs after which it was validated; 0 without epochs.
    """

    number: int
    ending: Ending
    value: float | None
    seconds: float
    settings: dict[str, Any]
    config: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    epochs: int = 0

    @property
    def is_counted(self) -> bool:
        """Whether it uses the budget of trials."""
        return self.ending in ("complete", "pruned", "failed")


def row_of(trial: "FrozenTrial", space: tuple[Dimension, ...]) -> TrialRow:
    """Return a trial of a study as plain values."""
    told = trial.user_attrs
    config = dict(told.get(CONFIG, {}))
    drawn = settings_of(trial.params, space)  # the data may have ruled some of them out
    return TrialRow(
        number=trial.number,
        ending=_ending(trial),
        value=trial.value if trial.state.name == "COMPLETE" else None,
        seconds=float(told.get(SECONDS, 0.0)),
        settings={name: config.get(name, value) for name, value in drawn.items()},
        config=config,
        reason=str(told.get(REASON, "")),
        epochs=max(trial.intermediate_values, default=0),
    )


def _ending(trial: "FrozenTrial") -> Ending:
    name = trial.state.name
    if name == "FAIL":
        causes: dict[str, Ending] = {INTERRUPTED: "interrupted", INVALID: "invalid"}
        return causes.get(trial.user_attrs.get(CAUSE, ""), "failed")
    endings: dict[str, Ending] = {"COMPLETE": "complete", "PRUNED": "pruned"}
    return endings.get(name, "running")


def write_rows(folder: Path, trials: "Sequence[FrozenTrial]", space: tuple[Dimension, ...]) -> None:
    """Write the trials of a model that have started.

    Raises:
        StoreError: A disk error.
    """
    rows = [asdict(row_of(trial, space)) for trial in trials if trial.state.name != "WAITING"]
    write_json(folder / TRIALS, rows)


def read_rows(folder: Path) -> list[TrialRow]:
    """Return the trials of a model, in the order of their numbers; empty before the first one.

    Raises:
        StoreError: The file is damaged; the next trial of the model writes it anew.
    """
    if not (folder / TRIALS).exists():
        return []
    values = read_json(folder / TRIALS)
    try:
        return [TrialRow(**one) for one in values]
    except TypeError as error:
        raise StoreError(
            _("'{trials}' in {folder} is damaged ({error}).").format(trials=TRIALS, folder=folder, error=error)
        ) from error


def best_row(rows: Sequence[TrialRow], *, lower: bool) -> TrialRow | None:
    """Return the trial with the best value, the earliest one of equal values; None without a value.

    Args:
        rows: Trials of one model.
        lower: Whether lower values are better.
    """
    done = [row for row in rows if row.value is not None]
    sign = 1.0 if lower else -1.0
    return min(done, key=lambda row: (sign * (row.value or 0.0), row.number), default=None)
