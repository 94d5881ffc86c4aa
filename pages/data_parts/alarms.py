"""Likely problems of whole files, above everything else, with the fix one click away."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.data_parts import upload_session
from pages.ui.text import _, count, safe

if TYPE_CHECKING:
    from recsys_core.data.report import Alarm, IngestReport
    from recsys_core.serving.uploads import Intake


def show(taking: "Intake", report: "IngestReport", names: list[str]) -> None:
    """Show each alarm of a report, with a button for its fix where there is one.

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


def ask_again(report: "IngestReport") -> bool:
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
