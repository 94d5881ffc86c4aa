"""`off-policy`: check a log, and estimate the value of a policy on it."""

import argparse
from typing import Any

from recsys_core.cli.output import refuse_unwritable, write_json_to
from recsys_core.errors import ConfigError, DataError
from recsys_core.evaluation.off_policy.doctor import examine
from recsys_core.evaluation.off_policy.feedback import LoggedFeedback
from recsys_core.evaluation.off_policy.log_file import read_lists, read_log
from recsys_core.evaluation.off_policy.policy import Policy
from recsys_core.evaluation.off_policy.report import policy_from_lists, report, uniform_policy
from recsys_core.text import _

REFUSED = 1
NOT_FILES = ("uniform", "target")
DETERMINISTIC = "deterministic"
DEFAULT_STRENGTH = 0.1


def off_policy(arguments: argparse.Namespace) -> int:
    """Print the findings about the log and the estimates as JSON.

    Returns:
        0, or 1 if the log is refused; it then has findings but no estimates.

    Raises:
        RecscopeError: A file cannot be read, or an argument is invalid.
    """
    refuse_unwritable(arguments.out)
    if arguments.clip <= 0:
        raise ConfigError(_("--clip must be above 0, but it is {clip:g}.").format(clip=arguments.clip))
    if arguments.policy in NOT_FILES and arguments.show != DETERMINISTIC:
        raise ConfigError(_("--show needs lists in a file; --policy is '{policy}'.").format(policy=arguments.policy))
    if arguments.strength is not None and arguments.show == DETERMINISTIC:
        raise ConfigError(_("--strength needs --show epsilon or --show softmax."))
    table = read_log(arguments.log, _columns(arguments.columns))
    examined = examine(table)
    told: dict[str, Any] = {
        "rows": examined.rows,
        "columns": dict(table.columns),
        "log": [one.to_json() for one in examined.findings],
    }
    if examined.log is None:
        write_json_to(arguments.out, told)
        return REFUSED
    log, policy = _policy(examined.log, arguments)
    written = report(log, policy, clip=arguments.clip, seed=arguments.seed).to_json()
    write_json_to(arguments.out, told | {"policy": arguments.policy} | written)
    return 0


def _policy(log: LoggedFeedback, arguments: argparse.Namespace) -> tuple[LoggedFeedback, Policy | None]:
    if arguments.policy == "uniform":
        return log, uniform_policy(log)
    if arguments.policy == "target":
        if log.target is None:
            raise DataError(_("The log has no column 'target'; name it with --columns target=NAME."))
        return log, None
    from pathlib import Path

    lists = read_lists(Path(arguments.policy))
    strength = DEFAULT_STRENGTH if arguments.strength is None else arguments.strength
    return policy_from_lists(log, list(lists), list(lists.values()), arguments.show, strength=strength)


def _columns(text: str | None) -> dict[str, str]:
    columns = {}
    for part in text.split(",") if text else ():
        role, sign, name = (piece.strip() for piece in part.partition("="))
        if not sign or not role:
            raise ConfigError(
                _("--columns: '{part}' is invalid; write ROLE=NAME, such as reward=click.").format(part=part)
            )
        columns[role] = name
    return columns
