"""The ingest report: counts, rejected rows with reasons, quality warnings with advice."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.data_parts import upload_session
from pages.ui import show
from pages.ui.text import _, count, n_, safe

if TYPE_CHECKING:
    from recsys_core.data.report import IngestReport

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
        st.markdown(_(":material/check_circle: All rows are accepted."))
        return
    reasons = list(report.reasons.items())[:MOST_REASONS]
    st.markdown("\n".join(f"- {count(number)} × {safe(reason)}" for reason, number in reasons))
    label = n_("{n} rejected row with its reason", "{n} rejected rows with their reasons", report.rows_rejected)
    with st.expander(label, icon=":material/block:", key=f"{key}_rejected", expanded=report.rows_rejected <= 50):
        frame = upload_session.rejected_frame(report)
        show.table(
            frame,
            f"{key}_rejected_table",
            name=_("rejected rows"),
            height=ROW_HEIGHT * (min(len(frame), MOST_ROWS) + 1) + 3,
            column_config={
                "file": _("File"),
                "line": st.column_config.NumberColumn(_("Line"), format="plain"),
                "column": _("Column"),
                "reason": _("Reason"),
                "text": st.column_config.TextColumn(_("Line content"), width="large"),
            },
        )
        if len(frame) < report.rows_rejected:
            st.markdown(
                _("The first {n} are shown; all of them are stored with the data set.").format(n=count(len(frame)))
            )


def doubts(report: "IngestReport", *, expanded: bool = True) -> None:
    """Show the quality warnings: what was found, why it matters, what to do."""
    if not report.warnings:
        return
    label = n_("{n} data quality warning", "{n} data quality warnings", len(report.warnings))
    with st.expander(label, icon=":material/warning:", expanded=expanded, key="doubts"):
        for one in report.warnings:
            st.markdown(f"**{safe(one.message)}**  \n{safe(_(one.advice))}")
