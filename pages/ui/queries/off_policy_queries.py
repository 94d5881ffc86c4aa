"""Queries of the tabs Off-policy evaluation and A/B tests, computed in the background and cached by their inputs."""

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import services
from pages.ui.queries.comparison_queries import ResultsKey, users
from recsys_core.text import _

if TYPE_CHECKING:
    import pandas as pd

    from recsys_core.evaluation.ab_test.planner import Design, Plan
    from recsys_core.evaluation.ab_test.replay import Replay
    from recsys_core.evaluation.off_policy.doctor import Examination
    from recsys_core.evaluation.off_policy.exploration import Exploration
    from recsys_core.evaluation.off_policy.report import PolicyReport
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.stored_values import StoredValues
    from recsys_core.experiments.truth_mode import RunTruth
    from recsys_core.serving.background import Ticket


def examined(file_id: str, content: bytes, name: str, columns: Mapping[str, str]) -> "Ticket[Examination]":
    """Return the ticket of reading and checking an uploaded log."""

    def compute() -> "Examination":
        from recsys_core.evaluation.off_policy.doctor import examine
        from recsys_core.serving.log_process import log_in_process

        return examine(log_in_process(content, name, columns))

    return services.ask(lambda _ctx: compute(), "ope_log", file_id, tuple(columns.items()))


def examined_example(reward: str) -> "Ticket[Examination]":
    """Return the ticket of the example log."""

    def compute() -> "Examination":
        from recsys_core.evaluation.off_policy.doctor import examine
        from recsys_core.evaluation.off_policy.log_table import table_of
        from recsys_core.experiments.truth_mode import example_log

        return examine(table_of(example_log(), {"reward": reward}))

    return services.ask(lambda _ctx: compute(), "ope_example", reward)


def example_csv() -> bytes:
    """Return the example log as CSV."""
    from recsys_core.experiments.truth_mode import example_log

    return example_log().to_csv(index=False).encode()


def uploaded_lists(file_id: str, content: bytes, name: str) -> "Ticket[dict[str, list[str]]]":
    """Return the ticket of reading uploaded lists."""

    def compute() -> dict[str, list[str]]:
        from recsys_core.serving.log_process import lists_in_process

        return lists_in_process(content, name)

    return services.ask(lambda _ctx: compute(), "ope_lists", file_id)


def report(
    log_key: Hashable,
    checked: "Examination",
    source: tuple[str, str],
    lists: "Mapping[str, list[str]] | None",
    settings: tuple[str, float, float],
    run: "Run | None",
    final: "tuple[Any, Any] | None" = None,
) -> "Ticket[PolicyReport]":
    """Return the ticket of a policy on a log.

    Args:
        log_key: Identifies the log.
        checked: The checked log.
        source: Kind of the policy (model, strategy, lists, uniform, target), and what identifies the model, the
            strategy or the file.
        lists: Uploaded lists.
        settings: How lists are shown, epsilon or temperature, and the largest weight of the clipped estimator.
        run: The experiment of the model or strategy.
        final: Users and final lists of the strategy.
    """

    def compute() -> "PolicyReport":
        from recsys_core.errors import DataError
        from recsys_core.evaluation.off_policy.policy import PolicyKind
        from recsys_core.evaluation.off_policy.report import policy_from_lists, uniform_policy
        from recsys_core.evaluation.off_policy.report import report as evaluated
        from recsys_core.experiments.truth_mode import lists_of_identifiers, stored_policy

        log, clip = checked.log, settings[2]
        if log is None:
            raise DataError(_("The log was refused, so nothing can be estimated."))
        if source[0] == "target":
            return evaluated(log, None, clip=clip)
        if source[0] == "uniform":
            return evaluated(log, uniform_policy(log), clip=clip)
        if run is not None and source[0] in ("model", "strategy"):
            users, listed = stored_policy(run, source[1]) if final is None else final
            names, items = lists_of_identifiers(users, listed, services.dataset(run.spec.data))
        else:
            names, items = list(lists or {}), list((lists or {}).values())
        kind: PolicyKind = settings[0]  # type: ignore[assignment]
        return evaluated(*policy_from_lists(log, names, items, kind, strength=settings[1]), clip=clip)

    return services.ask(lambda _ctx: compute(), "ope_report", log_key, source, settings, run.id if run else "")


@st.cache_resource(max_entries=32, show_spinner=False)
def is_shop(fingerprint: str) -> bool:
    """Return whether a data set is the bundled shop, whose true values are known."""
    from recsys_core.experiments.truth_mode import is_shop as compute

    return compute(fingerprint)


def truth(
    run: "Run",
    strategies: "Mapping[str, tuple[Any, Any]]",
    strategies_key: Hashable,
    settings: tuple[str, float, str, int, int],
) -> "Ticket[RunTruth]":
    """Return the ticket of truth mode.

    Args:
        run: An experiment on the shop.
        strategies: Users and final lists of strategies, by name.
        strategies_key: Identifies their content.
        settings: How lists are shown, epsilon or temperature, reward, visitors, seed.
    """

    def compute() -> "RunTruth":
        from recsys_core.experiments.truth_mode import truth_of_run

        kind, strength, reward, visitors, seed = settings
        return truth_of_run(
            run,
            strategies=strategies,
            kind=kind,  # type: ignore[arg-type]
            strength=strength,
            reward=reward,  # type: ignore[arg-type]
            visitors=visitors,
            seed=seed,
        )

    return services.ask(lambda _ctx: compute(), "ope_truth", run.id, run.finished(), strategies_key, settings)


def curves(
    policies: tuple[tuple[str, float], ...], steps: int, seeds: int, reward: str, seed: int
) -> "Ticket[dict[str, Exploration]]":
    """Return the ticket of simulated exploration, by policy."""
    from recsys_core.contracts import RunContext

    def compute(ctx: RunContext) -> "dict[str, Exploration]":
        from dataclasses import replace

        from recsys_core.evaluation.off_policy.exploration import explore
        from recsys_core.experiments.truth_mode import shop_truth

        world, seeded = shop_truth(), replace(ctx, seed=seed)
        return {
            name: explore(
                world,
                name,  # type: ignore[arg-type]
                strength=strength,
                steps=steps,
                seeds=seeds,
                reward=reward,  # type: ignore[arg-type]
                ctx=seeded,
            )
            for name, strength in policies
        }

    return services.ask(compute, "ope_curves", policies, steps, seeds, reward, seed)


def stored_values(results: ResultsKey, model: str, metric: str) -> "Ticket[StoredValues]":
    """Return the ticket of a model's values per user."""

    def compute() -> "StoredValues":
        from recsys_core.experiments.stored_values import values_of_run

        return values_of_run(services.store().open(results.run), model, metric, users(results))

    return services.ask(lambda _ctx: compute(), "ab_values", results, model, metric)


def uploaded_values(file_id: str, content: bytes, name: str, column: str, covariate: str) -> "Ticket[StoredValues]":
    """Return the ticket of reading uploaded values per user."""

    def compute() -> "StoredValues":
        from recsys_core.experiments.stored_values import StoredValues
        from recsys_core.serving.log_process import values_in_process

        columns = {"value": column} | ({"covariate": covariate} if covariate else {})
        frame: pd.DataFrame = values_in_process(content, name, columns)
        extra = frame["covariate"].to_numpy() if covariate else None
        return StoredValues("", column, frame["value"].to_numpy(), extra)

    return services.ask(lambda _ctx: compute(), "ab_upload", file_id, column, covariate)


def planned(
    key: Hashable, stored: "StoredValues", relative: float, design: "Design", *, cuped: bool
) -> "Ticket[tuple[Plan, Replay]]":
    """Return the ticket of a plan and its A/A replays.

    Args:
        key: Identifies the values.
        stored: The values.
        relative: Difference to detect, as a share of the mean.
        design: The settings.
        cuped: Whether the covariate is used.
    """

    def compute() -> "tuple[Plan, Replay]":
        from recsys_core.evaluation.ab_test.planner import plan
        from recsys_core.evaluation.ab_test.replay import replay

        covariate = stored.covariate if cuped else None
        made = plan(stored.values, relative=relative, covariate=covariate, design=design)
        return made, replay(stored.values, covariate=covariate, design=design)

    return services.ask(lambda _ctx: compute(), "ab_plan", key, relative, design, cuped)
