"""The report is self-contained, includes plotly once, prints, and escapes untrusted text."""

from html.parser import HTMLParser

import pandas as pd
import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs_version

from recsys_core.viz.export import BASIC
from recsys_core.viz.report_html import ReportContent, ReportFigure, report_html

EVIL = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def content() -> ReportContent:
    figure = go.Figure(go.Scatter(x=[1, 2], y=[3, 4], text=["&lt;i&gt;a", "b"], mode="text"))
    return ReportContent(
        title=f"Films {EVIL}",
        context=f"943 users {EVIL}",
        verdict=[f"EASE leads {EVIL}", "Nothing else does."],
        findings=[("warning", f"12 test cases leak {EVIL}"), ("refusal", "No common users.")],
        leaderboard=pd.DataFrame({"Model": ["EASE", EVIL], "Tied": ["a", "b"], f"NDCG {EVIL}": ["0.372", "0.1"]}),
        costs=pd.DataFrame({"Model": ["EASE"], "Family": [EVIL], "Training time, s": ["0.12"]}),
        without_history=pd.DataFrame({"Model": [EVIL], "NDCG@10": ["0.10"]}),
        figures=[ReportFigure(f"One {EVIL}", f"Sentence {EVIL}", figure), ReportFigure("Two", "Again", figure)],
        settings={"split": EVIL, "seed": 42},
        models={f"EASE {EVIL}": f'{{"note": "{EVIL}"}}'},
        environment={"python": EVIL},
        question=[f"Predicted: {EVIL}."],
        author=EVIL,
        note=f"First line\n{EVIL}",
    )


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_nothing_from_outside_becomes_markup(content: ReportContent) -> None:
    html = report_html(content)
    assert EVIL not in html
    assert html.count("&lt;script&gt;alert(") >= 10


def test_users_without_history_have_a_section_only_if_there_are_any(content: ReportContent) -> None:
    assert "Users without training history" in report_html(content)
    none = ReportContent(**{**vars(content), "without_history": pd.DataFrame()})
    assert "Users without training history" not in report_html(none)


def test_it_needs_no_other_file_and_no_network(content: ReportContent) -> None:
    parser = _Tags()
    parser.feed(report_html(content))
    fetched = [attrs for tag, attrs in parser.tags if attrs.get("src") or tag in {"link", "iframe"}]
    assert fetched == []


def test_plotly_is_inside_once_for_any_number_of_figures(content: ReportContent) -> None:
    html = report_html(content)
    one = report_html(ReportContent(**{**vars(content), "figures": content.figures[:1]}))
    assert html.count("Plotly.newPlot(") >= 2
    assert 1_000_000 < len(html) < 1_500_000
    assert len(html) - len(one) < 200_000


def test_it_says_all_that_a_reader_needs(content: ReportContent) -> None:
    html = report_html(content)
    for words in (
        "Nothing else does.",
        "No common users.",
        "0.372",
        "Verdict",
        "Environment",
        "@media print",
        "seed",
        "First line",
    ):
        assert words in html
    assert html.index("Verdict") < html.index("Leaderboard") < html.index("Settings")


def test_without_findings_it_says_that_nothing_was_found(content: ReportContent) -> None:
    html = report_html(ReportContent(**{**vars(content), "findings": [], "figures": []}))
    assert "found no problems" in html


def test_the_smaller_library_is_that_of_the_full_one(content: ReportContent) -> None:
    head = BASIC.read_text(encoding="utf-8")[:200]
    assert f"plotly.js (basic - minified) v{get_plotlyjs_version()}" in head
    heat = ReportFigure("Heat", "More than lines", go.Figure(go.Heatmap(z=[[1, 2]])))
    assert len(report_html(ReportContent(**{**vars(content), "figures": [heat]}))) > 3_000_000
