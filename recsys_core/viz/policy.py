"""The content security policy of exported pages: it allows plotly and its calls, and nothing else.

The policy lists the hash of each script that the export itself contains. Untrusted text is escaped; if some of it were
nevertheless parsed as markup, the browser would neither run nor load anything for it.
"""

import base64
import hashlib
import re
from collections.abc import Iterable

import plotly.graph_objects as go

NOTHING = "'none'"
_SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
_DRAWN_BY_WEBGL = re.compile(r"gl$|3d$|^surface$|^cone$|^streamtube$|^volume$|^isosurface$|^parcoords$")


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
