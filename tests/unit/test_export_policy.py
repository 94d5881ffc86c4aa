"""Every exported HTML file allows the hash of each of its scripts, and no other."""

import base64
import hashlib
import re

import pandas as pd
import plotly.graph_objects as go
import pytest

from recsys_core.viz.components import LINKS
from recsys_core.viz.export import figure_html, needs_webgl
from recsys_core.viz.report_html import ReportContent, ReportFigure, report_html

EVIL = "<script>alert(1)</script>"
CHART = go.Figure(go.Scatter(x=[1, 2], y=[3, 4], text=[EVIL, "</script>"], mode="text"))


def report() -> str:
    rows = pd.DataFrame({"Model": [EVIL]})
    figures = [ReportFigure(EVIL, EVIL, CHART), ReportFigure("Two", "Again", CHART)]
    content = ReportContent(
        title=EVIL,
        context=EVIL,
        verdict=[EVIL],
        findings=[],
        leaderboard=rows,
        costs=rows,
        without_history=rows,
        figures=figures,
        settings={},
        models={},
        environment={},
    )
    return report_html(content)


@pytest.mark.parametrize(
    "html",
    [report(), figure_html(CHART, EVIL), LINKS.page({"title": EVIL}, EVIL)],
    ids=["report", "figure", "attention"],
)
def test_scripts_run_by_their_hash_alone(html: str) -> None:
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', html)
    assert policy is not None
    assert html.index(policy[0]) < html.index("<title>"), "what stands before it would run without it"
    directives = dict(part.strip().partition(" ")[::2] for part in policy[1].split(";"))
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert scripts
    assert directives["script-src"].split() == [f"'sha256-{digest}'" for digest in digests]
    assert directives["default-src"] == directives["base-uri"] == directives["form-action"] == "'none'"


def test_only_charts_that_need_it_may_compile_code() -> None:
    gl = go.Figure(go.Scattergl(x=[1], y=[2]))
    assert needs_webgl(gl)
    assert needs_webgl(go.Figure(go.Scatter3d(x=[1], y=[2], z=[3])))
    assert not needs_webgl(CHART)
    assert "'unsafe-eval'" in figure_html(gl, "gl")[:4000]
    assert "'unsafe-eval'" not in figure_html(CHART, "plain")[:4000]
