"""Tab A/B tests: plan a test from stored values per user, and read a finished one from its counts."""

from collections.abc import Hashable
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import pending, show, state
from pages.ui.queries import comparison_queries, off_policy_queries
from pages.ui.text import _, paragraph, safe

if TYPE_CHECKING:
    from recsys_core.evaluation.ab_test.planner import Plan
    from recsys_core.evaluation.ab_test.reading import Arm, Reading
    from recsys_core.evaluation.ab_test.replay import Replay
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.stored_values import StoredValues

MOST_ARMS = 5
UPLOADER = "ab_values"


def show_ab_test(run: "Run | None") -> None:
    """Draw the tab.

    Args:
        run: The selected experiment, whose values per user can be planned with; None without one.
    """
    views = {"plan": _("Plan a test"), "read": _("Read a finished test")}
    if show.radio(_("A/B tests"), views, "ab_view", label_visibility="collapsed") == "read":
        _read()
    else:
        _plan(run)


def _plan(run: "Run | None") -> None:
    paragraph(
        "How many users does a test need? That depends on how much their values vary, which stored values tell. "
        "An offline metric varies differently from what a test measures; upload those of past users instead."
    )
    chosen = _values(run)
    if chosen is None:
        return
    key, stored = chosen
    from recsys_core.evaluation.ab_test.planner import Design

    with st.container(horizontal=True, key="ab_plan_line"):
        relative = st.number_input(
            _("Difference to detect (% of the mean)"), 0.1, 1000.0, 5.0, key="ab_relative", width=260
        )
        power = st.number_input(_("Power (%)"), 50.0, 99.0, 80.0, key="ab_power", width=140)
        level = st.number_input(_("Level (%)"), 0.1, 20.0, 5.0, key="ab_level", width=140)
        treatment = st.number_input(_("Share in the treatment (%)"), 1.0, 99.0, 50.0, key="ab_treatment", width=220)
    cuped = stored.covariate is not None and st.toggle(
        _("Use the covariate (CUPED)"),
        True,
        key="ab_cuped",
        help=_("For stored experiments: the number of training interactions of each user, known before the test."),
    )
    with show.errors():
        design = Design(level / 100, power / 100, treatment / 100)
        ticket = off_policy_queries.planned(key, stored, relative / 100, design, cuped=cuped)
        made = pending.outcome(ticket, _("Replaying A/A tests"))
        if made is not None:
            _planned(*made)


def _planned(made: "Plan", again: "Replay") -> None:
    from recsys_core.viz.ab_test import needed_figure, needed_table, plan_sentences, replay_figure, replay_sentence

    for sentence in plan_sentences(made):
        st.markdown(safe(sentence))
    show.figure(
        needed_figure(made),
        "ab_needed",
        name=_("Users and detectable difference"),
        alt=_("Smallest detectable difference by number of users"),
        table=needed_table(made),
    )
    st.subheader(_("A/A replay"))
    paragraph(
        "The stored users are assigned to two groups at random, many times; there is no difference to be detected."
    )
    show.figure(replay_figure(again), "ab_replay", name=_("A/A p-values"), sentence=str(replay_sentence(again)))


def _values(run: "Run | None") -> "tuple[Hashable, StoredValues] | None":
    """Return the chosen values with a key; None until they are known."""
    sources = {"upload": _("Upload values per user")}
    if run is not None and run.finished():
        sources = {"run": _("Values of this experiment"), **sources}
    if show.radio(_("Values"), sources, "ab_source") == "run" and run is not None:
        results = comparison_queries.results_key(run)
        titles = {one.id: one.title for one in comparison_queries.contenders(results)}
        from recsys_core.experiments.leaderboard import metric_title

        names = comparison_queries.metrics(results)
        with st.container(horizontal=True, key="ab_source_line"):
            model = show.select(_("Model"), titles, "ab_model", width=300)
            place = names.index(run.spec.metric) if run.spec.metric in names else 0
            metric = show.select(
                _("Metric"), {name: metric_title(name) for name in names}, "ab_metric", index=place, width=260
            )
        stored = pending.outcome(off_policy_queries.stored_values(results, model, metric), _("Reading the values"))
        return None if stored is None else ((results, model, metric), stored)
    return _uploaded()


def _uploaded() -> "tuple[Hashable, StoredValues] | None":
    file = st.file_uploader(_("Values: one row per user"), key=state.versioned(UPLOADER))
    with st.container(horizontal=True, key="ab_upload_line"):
        column = st.text_input(_("Column of the value"), "value", key="ab_column", width=220)
        covariate = st.text_input(
            _("Column known before the test (optional)"), "", key="ab_covariate", width=300
        ).strip()
    if file is None or not column.strip():
        return None
    key = (file.file_id, column.strip(), covariate)
    ticket = off_policy_queries.uploaded_values(file.file_id, file.getvalue(), file.name, column.strip(), covariate)
    stored = pending.outcome(ticket, _("Reading the values"))
    return None if stored is None else (key, stored)


def _read() -> None:
    paragraph(
        "Enter the counts of a finished test. The control comes first. Level, p-values and intervals hold for a test "
        "that is read once, at its planned end: if a test is stopped as soon as it is significant, it finds "
        "differences that do not exist more often than the level says."
    )
    kinds = {"proportion": _("Users who converted"), "mean": _("Mean per user")}
    with st.container(horizontal=True, key="ab_read_line"):
        kind = show.radio(_("Measure"), kinds, "ab_kind")
        number = st.number_input(_("Variants"), 2, MOST_ARMS, 2, key="ab_arms", width=140)
        level = st.number_input(_("Level (%)"), 0.1, 20.0, 5.0, key="ab_read_level", width=140)
    with show.errors():
        rows = [_arm(place, kind) for place in range(int(number))]
        if any(row is None for row in rows):
            paragraph("The result appears when all counts are filled in.")
            return
        from recsys_core.evaluation.ab_test.reading import read_test

        filled = [row for row in rows if row is not None]
        arms, shares = [row[0] for row in filled], [row[1] for row in filled]
        _reading(read_test(arms, shares, level=level / 100))


def _arm(place: int, kind: str) -> "tuple[Arm, float] | None":
    """Return the counts of one variant and its planned share; None while a field is empty."""
    from recsys_core.evaluation.ab_test.reading import mean, proportion

    with st.container(horizontal=True, key=f"ab_arm_{place}"):
        default = _("control") if place == 0 else _("treatment {number}").format(number=place)
        name = st.text_input(_("Name"), default, key=f"ab_name_{place}", width=180)
        users = st.number_input(_("Users"), 1, None, None, key=f"ab_users_{place}", width=140)
        if kind == "proportion":
            wins = st.number_input(_("Converted"), 0, None, None, key=f"ab_wins_{place}", width=140)
            average = deviation = None
        else:
            wins = None
            average = st.number_input(_("Mean"), value=None, key=f"ab_mean_{place}", format="%.5g", width=140)
            deviation = st.number_input(
                _("Standard deviation"), 0.0, None, None, key=f"ab_sd_{place}", format="%.5g", width=180
            )
        share = st.number_input(_("Planned share"), 0.01, None, 1.0, key=f"ab_share_{place}", width=140)
    if users is None or (wins is None and (average is None or deviation is None)):
        return None
    if average is not None and deviation is not None:
        return mean(name, int(users), float(average), float(deviation)), float(share)
    return proportion(name, int(users), int(wins or 0)), float(share)


def _reading(reading: "Reading") -> None:
    from recsys_core.viz.ab_test import effects_figure, effects_table

    ratio, *effects = reading.sentences
    (st.error if reading.mismatch else st.success)(safe(ratio))
    for sentence in effects:
        st.markdown(safe(sentence))
    if any(effect.exact for effect in reading.effects):
        paragraph("Counts are small, so p is from Fisher's exact test.")
    if len(reading.effects) > 1:
        paragraph(
            "p-values are corrected for the number of treatments (Holm); intervals are simultaneous (Bonferroni)."
        )
    show.figure(
        effects_figure(reading),
        "ab_effects",
        name=_("Differences to the control"),
        alt=_("Differences to the control with intervals"),
        table=effects_table(reading),
    )
