"""Security headers of responses: content security policy, framing and embedding."""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
SCRIPTS_AT_RUN_TIME = "'unsafe-eval' blob:"
"""plotly compiles its WebGL charts at run time; scripts of components are loaded as blobs of the app's origin."""


@cache
def app_policy(authority: str) -> str:
    """Return the content security policy of the app's pages.

    Args:
        authority: Host and port of the request; older browsers do not include WebSockets in 'self'.
    """
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' {_inline_scripts()} {SCRIPTS_AT_RUN_TIME}",
            "style-src 'self' 'unsafe-inline'",  # emotion and plotly create styles at run time
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
"""Policy of uploaded and generated files: if a browser opens one, its scripts do not run."""
LOCKED_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
"""Policy of the token page."""
FIXED = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


def with_headers(sent: list[tuple[bytes, bytes]], policy: str) -> list[tuple[bytes, bytes]]:
    """Return the headers of a response with ours, which replace those of the same name."""
    ours = [(b"content-security-policy", policy.encode("ascii")), *FIXED]
    names = {name for name, _ in ours}
    return [header for header in sent if header[0].lower() not in names] + ours


@cache
def _inline_scripts() -> str:
    """Return the hashes of the inline scripts of Streamlit's page; no other inline script runs."""
    import streamlit

    page = Path(streamlit.__file__).with_name("static") / "index.html"
    scripts = _INLINE_SCRIPT.findall(page.read_text(encoding="utf-8"))
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in scripts)
