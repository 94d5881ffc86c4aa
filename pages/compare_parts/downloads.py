"""Downloads of a comparison: all numbers as CSV in one archive, and the report."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import services, show
from pages.ui.queries import comparison_queries
from pages.ui.text import _, paragraph

if TYPE_CHECKING:
    from pages.ui.queries.comparison_queries import ResultsKey


def section(results: "ResultsKey", metric: str, baseline: str) -> None:
    """Show the buttons; each file is created when its button is pressed."""

    def report() -> str:
        from recsys_core.viz.report import report_content
        from recsys_core.viz.report_html import report_html

        return report_html(report_content(services.store().open(results.run), metric=metric, baseline=baseline))

    def archive() -> bytes:
        from recsys_core.viz.report import run_archive

        run = services.store().open(results.run)
        return run_archive(run, comparison_queries.comparison(results, metric, baseline))

    paragraph(
        "The report is one self-contained HTML file, also suitable for printing; the archive contains all "
        "numbers as CSV."
    )
    with st.container(horizontal=True, key="compare_downloads"):
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
