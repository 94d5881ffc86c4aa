"""Exports: figures as self-contained pages with a content security policy, tables as CSV with escaped formulas.

The policy of a page allows plotly and its calls, and nothing else: it lists the hash of each script that the page
contains. Untrusted text is escaped; if some of it were nevertheless parsed as markup, the browser would neither run
nor load anything for it.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from recsys_core.data.spreadsheet_cells import escaped_cell

if TYPE_CHECKING:
    from recsys_core.profiles.features import Features

NOTHING = "'none'"
BASIC = Path(__file__).parent / "vendor" / "plotly-basic.min.js"
"""Plotly's own smaller build (MIT license), of the same version as the full one in the Python package."""
BASIC_TRACES = frozenset({"scatter", "bar", "pie"})
_SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
_DRAWN_BY_WEBGL = re.compile(r"gl$|3d$|^surface$|^cone$|^streamtube$|^volume$|^isosurface$|^parcoords$")


def csv_bytes(frame: pd.DataFrame, *, index: bool = False) -> bytes:
    """Return the frame as CSV in UTF-8 with a byte order mark, so that spreadsheets detect the encoding.

    Text that a spreadsheet would evaluate as a formula is escaped in cells, categories, the index and all names. Rows
    end in CR LF, so that a lone carriage return in a cell is quoted and does not start a row.
    """
    escaped = frame.map(escaped_cell)
    escaped.columns = _escaped_labels(frame.columns)
    escaped.index = _escaped_labels(frame.index) if index else frame.index
    text: str = escaped.to_csv(index=index, lineterminator="\r\n")
    return text.encode("utf-8-sig")


def _escaped_labels(labels: pd.Index) -> pd.Index:
    """Return escaped row or column labels with escaped names."""
    rows = [tuple(map(escaped_cell, row)) if isinstance(row, tuple) else escaped_cell(row) for row in labels]
    names = [escaped_cell(name) for name in labels.names]
    if isinstance(labels, pd.MultiIndex):
        return pd.MultiIndex.from_tuples(rows, names=names)
    return pd.Index(rows, name=names[0], tupleize_cols=False)


def vectors_npz(features: "Features", ids: Sequence[str]) -> bytes:
    """Return vectors as a compressed `.npz` that `scipy.sparse.load_npz` reads, with row and column names.

    Args:
        features: (N, F) vectors.
        ids: (N,) identifiers of the rows.

    Returns:
        The arrays `format`, `data`, `indices`, `indptr`, `shape` of the sparse matrix; `ids` (N,) and `columns` (F,)
        as text, a column as "part: name". Loading it executes no code.
    """
    import numpy as np

    matrix = features.matrix.tocsr()
    columns = [f"{part}: {name}" for part in features.parts for name in features.names_of(part)]
    target = BytesIO()
    np.savez_compressed(
        target,
        format=np.array(b"csr"),
        data=matrix.data.astype(np.float32),
        indices=matrix.indices,
        indptr=matrix.indptr,
        shape=np.array(matrix.shape),
        ids=np.array([str(one) for one in ids]),
        columns=np.array(columns),
    )
    return target.getvalue()


def figure_html(figure: go.Figure, title: str) -> str:
    """Return a self-contained page with the figure: about 1.2 MB, or 4.8 MB with traces beyond lines and bars.

    Args:
        figure: Not modified; the copy on the page has a white background.
        title: Title of the page and text of its heading.
    """
    copy = go.Figure(figure)
    copy.update_layout(template="plotly_white", paper_bgcolor="white", plot_bgcolor="white")
    picture = library([copy]) + copy.to_html(full_html=False, include_plotlyjs=False)
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        f"{policy_tag([picture], webgl=needs_webgl(copy))}<title>{escape(title)}</title></head>"
        f"<body style='font-family: sans-serif; margin: 2rem'><h1>{escape(title)}</h1>{picture}</body></html>\n"
    )


def library(figures: Sequence[go.Figure]) -> str:
    """Return plotly as a script element: the smaller build if it draws all traces of these figures."""
    traces = {trace.type for figure in figures for trace in figure.data}
    script = _basic_library() if traces <= BASIC_TRACES else get_plotlyjs()
    return f'<script type="text/javascript">{script}</script>'


@cache
def _basic_library() -> str:
    return BASIC.read_text(encoding="utf-8")


def needs_webgl(figure: go.Figure) -> bool:
    """Return whether plotly draws a trace of the figure with WebGL, for which it compiles code at run time."""
    return any(_DRAWN_BY_WEBGL.search(trace.type) for trace in figure.data)


def policy_tag(scripts_in: Iterable[str], *, webgl: bool = False) -> str:
    """Return the `<meta>` tag with the policy of a page.

    Args:
        scripts_in: HTML fragments made by plotly, unchanged and without surrounding text.
        webgl: Whether a figure uses WebGL, see `needs_webgl`.
    """
    scripts = [script for piece in scripts_in for script in _SCRIPT.findall(piece)]
    allowed = [f"'sha256-{_digest(script)}'" for script in scripts] + (["'unsafe-eval'"] if webgl else [])
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(allowed or [NOTHING])}",
            "style-src 'unsafe-inline'",  # plotly sets styles when it draws
            "img-src data: blob:",  # image download of a chart
            "worker-src blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    return f'<meta http-equiv="Content-Security-Policy" content="{policy}">'


def _digest(script: str) -> str:
    """Return the hash of a script with normalized line ends, as a browser computes it."""
    text = script.replace("\r\n", "\n").replace("\r", "\n")
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
