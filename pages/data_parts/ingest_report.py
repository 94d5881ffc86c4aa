"""The ingest report: alarms with their fixes, counts, rejected rows with reasons, quality warnings with advice."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.data_parts import upload_session
from pages.ui import show
from pages.ui.text import _, count, n_, paragraph, safe

if TYPE_CHECKING:
    from recsys_core.data.report import Alarm, IngestReport
    from recsys_core.serving.uploads import Intake

ROW_HEIGHT, MOST_ROWS, MOST_REASONS = 35, 8, 8


def counts(report: "IngestReport") -> None:
    """Show rows read, accepted and rejected, with users and items; then rejected rows and warnings."""
    numbers = (
        (_("Rows in the files"), report.rows_read),
        (_("Accepted"), report.rows_accepted),
        (_("Rejected"), report.rows_rejected),
        (_("Users"), report.users),
        (_("Items"), report.items),
    )
    show.metrics([(label, count(number)) for label, number in numbers], "check_numbers", width=130)
    rejected(report, "check")
    doubts(report, expanded=False)


def rejected(report: "IngestReport", key: str) -> None:
    """Show the rejected rows in a table, with the count of each reason above."""
    if not report.rows_rejected:
        paragraph(":material/check_circle: All rows are accepted.")
        return
    reasons = list(report.reasons.items())[:MOST_REASONS]
    st.markdown("\n".join(f"- {count(number)} × {safe(upload_session.reason(reason))}" for reason, number in reasons))
    label = n_("{n} rejected row with its reason", "{n} rejected rows with their reasons", report.rows_rejected)
    with st.expander(label, icon=":material/block:", key=f"{key}_rejected", expanded=report.rows_rejected <= 50):
        frame = upload_session.rejected_frame(report)
        show.table(
            frame.assign(reason=frame["reason"].map(upload_session.reason)),
            f"{key}_rejected_table",
            name=_("rejected rows"),
            offer_file=False,
            height=ROW_HEIGHT * (min(len(frame), MOST_ROWS) + 1) + 3,
            column_config={
                "file": _("File"),
                "line": st.column_config.NumberColumn(_("Line"), format="plain"),
                "column": _("Column"),
                "reason": _("Reason"),
                "text": st.column_config.TextColumn(_("Line content"), width="large"),
            },
        )
        show.csv_download(
            _("Table (CSV)"), lambda: frame, show.file_name(_("rejected rows")), f"{key}_rejected_table_csv"
        )
        if len(frame) < report.rows_rejected:
            paragraph("The first {n} are shown; all of them are stored with the data set.", n=count(len(frame)))


def doubts(report: "IngestReport", *, expanded: bool = True) -> None:
    """Show the quality warnings: what was found, why it matters, what to do."""
    if not report.warnings:
        return
    label = n_("{n} data quality warning", "{n} data quality warnings", len(report.warnings))
    with st.expander(label, icon=":material/warning:", expanded=expanded, key="doubts"):
        for one in report.warnings:
            st.markdown(f"**{safe(one.message)}**  \n{safe(one.advice)}")


def alarms(taking: "Intake", report: "IngestReport", names: list[str]) -> None:
    """Show likely problems of whole files, with a button for the fix where there is one.

    Args:
        taking: The upload session.
        report: What would be stored.
        names: Names of the files, by number.
    """
    for number, alarm in enumerate(report.alarms):
        with st.container(key=f"alarm_{number}"):
            st.error(f"**{safe(alarm.message)}**  \n{safe(alarm.remedy)}", icon=":material/report:")
            if (alarm.change and alarm.file in names) or alarm.rules:
                st.button(
                    _("Apply this fix"),
                    key=f"remedy_{taking.id}_{number}",
                    icon=":material/build:",
                    on_click=_apply,
                    args=(taking, alarm, names),
                )


def store_anyway(report: "IngestReport") -> bool:
    """Ask for confirmation; return whether the user stores the data despite the alarms."""
    st.warning(
        _(
            "{rejected} of {read} rows are rejected, or a table does not match the interactions. Store the "
            "accepted rows anyway?"
        ).format(rejected=count(report.rows_rejected), read=count(report.rows_read))
    )
    return st.button(_("Store anyway"), key="intake_store_anyway")


def _apply(taking: "Intake", alarm: "Alarm", names: list[str]) -> None:
    if alarm.file in names:
        number = names.index(alarm.file)
        kept = taking.draft().changes.get(str(number), {}).get("roles", {})
        for what, value in alarm.change.items():
            upload_session.change_table(taking, number, what, kept | value if what == "roles" else value)
    for name, value in alarm.rules.items():
        upload_session.change_rule(taking, name, value)
