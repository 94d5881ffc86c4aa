"""What a browser may do with the app's answers: the content security policy, and who may frame or embed them."""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
SCRIPTS_AT_RUN_TIME = "'unsafe-eval' blob:"
"""plotly compiles what it draws with WebGL at run time; the scripts of components come as blobs of the app's own."""


@cache
def app_policy(authority: str) -> str:
    """Return the content security policy of the app's pages.

    Args:
        authority: Host and port as the browser names them; older browsers do not count a WebSocket as 'self'.
    """
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' {_inline_scripts()} {SCRIPTS_AT_RUN_TIME}",
            "style-src 'self' 'unsafe-inline'",  # styles are made at run time by emotion and plotly
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "media-src 'self' data: blob:",
            f"connect-src 'self' ws://{authority} wss://{authority} data: blob:",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            "frame-src 'none'",
            "frame-ancestors 'none'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


MEDIA_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
"""Files that somebody uploaded or a page made are shown without scripts, if they are opened at all."""
LOCKED_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
"""The page that asks for the token."""
FIXED = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


def with_headers(sent: list[tuple[bytes, bytes]], policy: str) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer with ours in the place of those of the same name."""
    ours = [(b"content-security-policy", policy.encode("ascii")), *FIXED]
    names = {name for name, _ in ours}
    return [header for header in sent if header[0].lower() not in names] + ours


@cache
def _inline_scripts() -> str:
    """Return the hashes of the scripts that Streamlit writes into its page, so that no other inline script runs."""
    import streamlit

    page = Path(streamlit.__file__).with_name("static") / "index.html"
    scripts = _INLINE_SCRIPT.findall(page.read_text(encoding="utf-8"))
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in scripts)
