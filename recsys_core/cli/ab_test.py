"""`ab plan` and `ab read`: plan an A/B test from values per user, and read a finished one from its counts."""

import argparse
import math
from typing import Any

import numpy as np

from recsys_core.cli.output import refuse_unwritable, write_json_to
from recsys_core.contracts import FloatArray
from recsys_core.data.workspace import default_workspace
from recsys_core.errors import ConfigError
from recsys_core.evaluation.ab_test.planner import Design, plan
from recsys_core.evaluation.ab_test.reading import Arm, Reading, mean, proportion, read_test
from recsys_core.evaluation.ab_test.replay import CONFIDENCE, replay
from recsys_core.evaluation.off_policy.log_file import read_values
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.stored_values import values_of_run
from recsys_core.text import _


def ab(arguments: argparse.Namespace) -> int:
    """Run `ab plan` or `ab read`; the result is printed as JSON.

    Raises:
        RecscopeError: A file cannot be read, or an argument is invalid.
    """
    refuse_unwritable(arguments.out)
    told = _planned(arguments) if arguments.action == "plan" else _read(arguments)
    write_json_to(arguments.out, told)
    return 0


def _planned(arguments: argparse.Namespace) -> dict[str, Any]:
    values, covariate = _values(arguments)
    design = Design(arguments.level, arguments.power, arguments.treatment)
    made = plan(
        values, difference=arguments.difference, relative=arguments.relative, covariate=covariate, design=design
    )
    told = {name: _finite(value) for name, value in vars(made).items() if name != "design"}
    told |= {"saved_by_cuped": made.saved, **vars(design)}
    if arguments.replays:
        again = replay(values, covariate=covariate, design=design, replays=arguments.replays, seed=arguments.seed)
        told["aa_replay"] = {
            "replays": len(again.p), "false_wins": again.wins, "low": again.low, "high": again.high,
            "confidence": CONFIDENCE, "sound": again.sound,
        }  # fmt: skip
    return told


def _values(arguments: argparse.Namespace) -> tuple[FloatArray, FloatArray | None]:
    if arguments.run:
        if arguments.column or arguments.covariate:
            raise ConfigError(_("--column and --covariate belong to --values."))
        run = ResultStore(default_workspace().root).open(arguments.run)
        stored = values_of_run(run, arguments.model, arguments.metric)
        return stored.values, stored.covariate
    if not arguments.column:
        raise ConfigError(_("--values needs --column, the column of the value."))
    columns = {"value": arguments.column} | ({"covariate": arguments.covariate} if arguments.covariate else {})
    frame = read_values(arguments.values, columns)
    covariate = frame["covariate"].to_numpy(np.float64) if arguments.covariate else None
    return frame["value"].to_numpy(np.float64), covariate


def _read(arguments: argparse.Namespace) -> dict[str, Any]:
    named = [text.rpartition("=") for text in arguments.treatment]
    names = [
        name or ("treatment" if len(named) == 1 else f"treatment {number}")
        for number, (name, _, _) in enumerate(named, start=1)
    ]
    arms = [_arm("control", arguments.control)]
    arms += [_arm(name, text) for name, (_, _, text) in zip(names, named, strict=True)]
    shares = None if arguments.shares is None else _numbers(arguments.shares, "--shares")
    return reading_json(read_test(arms, shares, level=arguments.level))


def reading_json(reading: Reading) -> dict[str, Any]:
    """Return a reading as JSON values; undefined numbers are null."""
    return {
        "sample_ratio_p": reading.srm_p,
        "sample_ratio_mismatch": reading.mismatch,
        "arms": [vars(arm) for arm in reading.arms],
        "effects": [{name: _finite(value) for name, value in vars(one).items()} for one in reading.effects],
        "sentences": [str(one) for one in reading.sentences],
    }


def _arm(name: str, text: str) -> Arm:
    numbers = _numbers(text, name)
    users = numbers[0]
    if len(numbers) not in (2, 3) or users != int(users) or (len(numbers) == 2 and numbers[1] != int(numbers[1])):
        raise ConfigError(
            _("{name}: '{text}' is neither users,conversions nor users,mean,standard deviation.").format(
                name=name, text=text
            )
        )
    if len(numbers) == 2:
        return proportion(name, int(users), int(numbers[1]))
    return mean(name, int(users), numbers[1], numbers[2])


def _numbers(text: str, name: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise ConfigError(_("{name}: '{text}' is not a list of numbers such as 5000,400.").format(name=name, text=text))
    return numbers


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
