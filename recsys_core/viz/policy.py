"""The content security policy of a page that leaves the product: it runs plotly and its calls, and nothing else.

The policy names the hash of each script that we wrote ourselves. Text from outside is escaped; should a piece of it
ever be read as markup all the same, the browser neither runs nor loads anything for it.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotly.graph_objects as go

NOTHING = "'none'"
_SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
_DRAWN_BY_WEBGL = re.compile(r"gl$|3d$|^surface$|^cone$|^streamtube$|^volume$|^isosurface$|^parcoords$")


def needs_webgl(figure: "go.Figure") -> bool:
    """Return whether plotly draws some trace of a figure with WebGL, for which it compiles code at run time."""
    return any(_DRAWN_BY_WEBGL.search(trace.type) for trace in figure.data)


def policy_tag(scripts_in: Iterable[str], *, webgl: bool = False) -> str:
    """Return the `<meta>` tag with the policy of a page.

    Args:
        scripts_in: Pieces of HTML made by plotly, as they stand in the page; no text of the page around them.
        webgl: Whether a figure is drawn with WebGL, see `needs_webgl`.
    """
    scripts = [script for piece in scripts_in for script in _SCRIPT.findall(piece)]
    allowed = [f"'sha256-{_digest(script)}'" for script in scripts] + (["'unsafe-eval'"] if webgl else [])
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(allowed or [NOTHING])}",
            "style-src 'unsafe-inline'",  # plotly sets styles when it draws
            "img-src data: blob:",  # the picture that a chart is saved as
            "worker-src blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    return f'<meta http-equiv="Content-Security-Policy" content="{policy}">'


def _digest(script: str) -> str:
    """Return the hash of a script as a browser reads it: with one kind of line end."""
    text = script.replace("\r\n", "\n").replace("\r", "\n")
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
