"""Tab Off-policy evaluation: a policy on an uploaded log; truth mode; the exploration simulator."""

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.strategy_parts import off_policy_exploration, off_policy_truth
from pages.strategy_parts.policy_choice import how_shown
from pages.ui import model_titles, pending, show, state
from pages.ui.queries import off_policy_queries
from pages.ui.text import _, count, later, paragraph, percent, safe

if TYPE_CHECKING:
    from recsys_core.evaluation.off_policy.doctor import Examination
    from recsys_core.evaluation.off_policy.report import PolicyReport
    from recsys_core.evaluation.protocol import Finding
    from recsys_core.experiments.experiment import Run

UPLOADER, LISTS = "ope_log", "ope_lists"
FORMATS = later(
    "`user`, `item`, `position`, `reward`, `propensity`, `impression` · `CSV`, `TSV`, `Parquet`, `JSON lines`, "
    "`Excel`, packed or not"
)


def show_off_policy(
    run: "Run | None",
    strategies: "Mapping[str, tuple[Any, Any]] | None" = None,
    strategies_key: Hashable = (),
) -> None:
    """Draw the tab.

    Args:
        run: The selected experiment, whose stored lists are target policies; None without one.
        strategies: Users and final lists of strategies, by name.
        strategies_key: Identifies the content of `strategies`, such as hashes of the strategies.
    """
    views = {
        "log": _("Your log"),
        "truth": _("Truth mode"),
        "exploration": _("Exploration simulator"),
    }
    view = show.radio(_("Off-policy evaluation"), views, "ope_view", label_visibility="collapsed")
    if view == "truth":
        off_policy_truth.section(run, strategies or {}, strategies_key)
    elif view == "exploration":
        off_policy_exploration.section()
    else:
        _log(run, strategies or {}, strategies_key)


def _log(run: "Run | None", strategies: "Mapping[str, tuple[Any, Any]]", strategies_key: Hashable) -> None:
    paragraph(
        "What would another policy have earned? A log of shown items answers that without a test, if it has the "
        "probability of everything that was shown."
    )
    chosen = _chosen_log()
    if chosen is None:
        return
    key, examined = chosen
    _findings(examined.findings)
    log = examined.log
    if log is None:
        return
    show.metrics(
        [
            (_("Rows"), count(len(log))),
            (_("Impressions"), count(log.n_impressions) if log.listed else "-"),
            (_("Users"), count(log.n_clusters)),
            (_("Items"), count(len(log.item_ids))),
        ],
        "ope_counts",
    )
    told = _report((key, strategies_key), examined, run, strategies)
    if told is not None:
        _result(told)


def _chosen_log() -> "tuple[Hashable, Examination] | None":
    """Return the log that was uploaded or opened as an example, with a key; None without one."""
    file = st.file_uploader(_("Log of shown items"), key=state.versioned(UPLOADER), help=_(FORMATS))
    with st.container(horizontal=True, key="ope_example_line"):
        if file is None and st.button(_("Open an example log"), key="ope_example_open", icon=":material/dataset:"):
            st.session_state["ope_example"] = True
        show.download(
            _("Example log (CSV)"), off_policy_queries.example_csv, "shop-log.csv", "text/csv", "ope_example_csv"
        )
    if file is not None:
        st.session_state.pop("ope_example", None)
        text = st.text_input(
            _("Columns (optional)"),
            key="ope_columns",
            placeholder="reward=click, propensity=pscore",
            help=_("ROLE=NAME, separated by commas. Roles: user, item, position, reward, propensity, impression."),
        )
        pairs = [part.partition("=") for part in text.split(",") if "=" in part]
        columns = {role.strip(): name.strip() for role, _sign, name in pairs}
        ticket = off_policy_queries.examined(file.file_id, file.getvalue(), file.name, columns)
        examined = pending.outcome(ticket, _("Checking the log"))
        return None if examined is None else ((file.file_id, tuple(columns.items())), examined)
    if not st.session_state.get("ope_example"):
        paragraph("Upload a log, or open an example: impressions of the bundled shop, whose true values are known.")
        _what_to_log()
        return None
    reward = show.radio(_("Reward"), {"click": _("Clicks"), "purchase": _("Purchases")}, "ope_example_reward")
    examined = pending.outcome(off_policy_queries.examined_example(reward), _("Checking the log"))
    return None if examined is None else (("example", reward), examined)


def _what_to_log() -> None:
    from recsys_core.evaluation.off_policy.log_table import ABOUT

    paragraph("What to log, a row for each item shown:")
    st.markdown("\n".join(f"- `{role}`: {_(words)}" for role, words in ABOUT.items()))


def _findings(findings: "tuple[Finding, ...]") -> None:
    if not findings:
        st.success(_("All checks of the log passed."), icon=":material/check:")
    for one in findings:
        (st.error if one.severity == "refusal" else st.warning)(safe(one.sentence))


def _report(
    key: Hashable, examined: "Examination", run: "Run | None", strategies: "Mapping[str, tuple[Any, Any]]"
) -> "PolicyReport | None":
    """Return the result for the chosen target policy; None until it is known."""
    kinds = {"uniform": _("Items in random order")}
    if strategies:
        kinds = {"strategy": _("Lists of a saved strategy"), **kinds}
    if run is not None and run.finished():
        kinds = {"model": _("Lists of a trained model"), **kinds}
    kinds["lists"] = _("Uploaded lists")
    if examined.log is not None and examined.log.target is not None:
        kinds["target"] = _("Column 'target' of the log")
    kind = show.radio(_("Target policy"), kinds, "ope_policy")
    source, lists, final = (kind, ""), None, None
    if kind == "model" and run is not None:
        done = run.finished()
        titles = {model: title for model, title in model_titles.titles(run.spec.models).items() if model in done}
        source = (kind, show.select(_("Model"), titles, "ope_model"))
    if kind == "strategy":
        name = show.select(_("Strategy"), {one: one for one in strategies}, "ope_strategy")
        source, final = (kind, name), strategies[name]
    if kind == "lists":
        file = st.file_uploader(_("Lists: user_id, item_id, rank"), key=state.versioned(LISTS))
        if file is None:
            return None
        lists = pending.outcome(
            off_policy_queries.uploaded_lists(file.file_id, file.getvalue(), file.name), _("Reading the lists")
        )
        if lists is None:
            return None
        source = (kind, file.file_id)
    shown = how_shown("ope") if kind in ("model", "strategy", "lists") else ("deterministic", 0.1)
    clip = st.number_input(_("Largest weight of the clipped estimator"), 1.0, 10_000.0, 10.0, key="ope_clip", width=260)
    ticket = off_policy_queries.report(key, examined, source, lists, (*shown, clip), run, final)
    return pending.outcome(ticket, _("Estimating"))


def _result(told: "PolicyReport") -> None:
    from recsys_core.evaluation.off_policy.report import report_sentences
    from recsys_core.viz.off_policy import estimates_figure, estimates_table

    for sentence in report_sentences(told):
        st.markdown(safe(sentence))
    _findings_of_weights(told)
    show.figure(
        estimates_figure(told),
        "ope_estimates",
        name=_("Off-policy estimates"),
        alt=_("Estimates of the value of the target policy with 95% intervals"),
        table=estimates_table(told),
    )
    paragraph(
        "The direct method and the clipped estimator are biased: their intervals contain the variance, not the bias. "
        "IPS, SNIPS and doubly robust are unbiased, or nearly so, if the propensities are right."
    )
    show.table(estimates_table(told), "ope_table", name=_("Off-policy estimates"))


def _findings_of_weights(told: "PolicyReport") -> None:
    support = told.support
    show.metrics(
        [
            (_("Effective sample size"), count(support.effective)),
            (_("Rows with a weight"), percent(support.used / max(support.rows, 1))),
            (_("Largest weight"), f"{support.largest:.1f}"),
            (_("Mean weight (expected: 1)"), f"{support.mean.value:.2f}"),
            (_("Cut off by clipping"), "-" if support.clipped != support.clipped else percent(support.clipped)),
        ],
        "ope_weights",
    )
    for one in told.findings:
        st.warning(safe(one.sentence))
