"""Every page's script puts the frame around itself before it does anything else.

Streamlit runs it alone for the first request to a new server.
"""

import ast
from pathlib import Path

import pytest

from pages.ui.navigation import PAGES


@pytest.mark.parametrize("path", [info.path for info in PAGES], ids=lambda path: path.stem)
def test_a_page_begins_with_its_frame(path: Path) -> None:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    calls = [ast.unparse(one) for one in body if isinstance(one, ast.Expr) and isinstance(one.value, ast.Call)]
    assert calls[0] == "ensure_frame()"
