"""Downloads of a comparison: all numbers as CSV in one archive, and the report."""

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import streamlit as st

from pages.ui import model_download, services, show, state
from pages.ui.forms import KEPT
from pages.ui.queries import comparison_queries
from pages.ui.text import _, paragraph

if TYPE_CHECKING:
    from pages.ui.queries.comparison_queries import ResultsKey


COVER = ("report_title", "report_author", "report_note")
"""Keys of the fields of the report's cover: title, author, note."""


def section(results: "ResultsKey", metric: str, baseline: str) -> None:
    """Show the buttons; each file is created when its button is pressed."""

    def report() -> str:
        from recsys_core.viz.report import Cover, report_content
        from recsys_core.viz.report_html import report_html

        cover = Cover(*(str(st.session_state.get(key, "")) for key in COVER))
        run = services.store().open(results.run)
        return report_html(report_content(run, metric=metric, baseline=baseline, cover=cover))

    def archive() -> bytes:
        from recsys_core.viz.report import run_archive

        run = services.store().open(results.run)
        return run_archive(run, comparison_queries.comparison(results, metric, baseline))

    paragraph(
        "The report is one self-contained HTML file, also suitable for printing; the archive contains all "
        "numbers as CSV."
    )
    with st.container(horizontal=True, key="compare_downloads"):
        if not state.is_demo():
            _cover()
            _link(results.run)
        st.download_button(
            _("Report (HTML)"),
            report,
            f"recscope-{results.run}.html",
            "text/html",
            key="download_report",
            on_click="ignore",
            type="primary",
            icon=":material/description:",
        )
        show.download(
            _("All numbers (CSV, zipped)"),
            archive,
            f"recscope-{results.run}.zip",
            "application/zip",
            "download_all",
        )
        show.csv_download(
            _("Leaderboard (CSV)"),
            lambda: comparison_queries.board(results, metric, baseline),
            f"recscope-{results.run}-leaderboard",
            "download_leaderboard",
        )
        titles = {model.id: model.title for model in comparison_queries.trained(results)}
        model_download.popover(services.store().open(results.run), titles, "compare_model")


def _cover() -> None:
    """Show the form of the report's cover in a popover."""
    title, author, note = COVER
    with st.popover(_("Title and note of the report"), icon=":material/edit_note:"):
        st.text_input(_("Title"), key=title, persist_state=KEPT, placeholder=_("name of the experiment"))
        st.text_input(_("Author"), key=author, persist_state=KEPT)
        st.text_area(_("Note"), key=note, persist_state=KEPT, help=_("Shown below the verdict."))


def _link(run_id: str) -> None:
    """Show the URL of this comparison with all controls hidden."""
    with st.popover(_("Link for reading"), icon=":material/link:"):
        paragraph("Opens this comparison without controls, for everybody who can reach this server.")
        page = (st.context.url or "").partition("?")[0]
        query = urlencode({"data": state.get("data") or "", "run": run_id, "view": state.DEMO})
        st.code(f"{page}?{query}", language=None, wrap_lines=True)
