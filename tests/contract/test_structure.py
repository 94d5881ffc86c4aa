"""The structure of the code: private names are read in their own file only."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = frozenset({"os", "torch"})
"""Third-party modules whose underscore names are documented (`os._exit`, `torch._foreach_lerp_`)."""
NAMED_TUPLE = frozenset({"_replace", "_asdict", "_fields", "_make"})
"""Documented methods of named tuples."""
FILES = sorted(path for part in ("recsys_core", "pages", "web") for path in (ROOT / part).rglob("*.py"))


def own_names(tree: ast.Module) -> set[str]:
    """Return the names that a module defines: functions, classes, fields, and attributes of its own objects."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
            found.add(node.attr)
    return found


def private_reads(path: Path) -> list[str]:
    """Return the private attributes and imports of a file that it does not define itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = own_names(tree)
    reads = [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and node.attr not in own | NAMED_TUPLE
        and not (isinstance(node.value, ast.Name) and node.value.id in FOREIGN)
    ]
    imports = [
        f"line {node.lineno}: from {node.module} import {alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name.startswith("_") and alias.name != "_" and not alias.name.startswith("__")
    ]
    return reads + imports


def test_private_names_stay_in_their_file() -> None:
    found = {str(path.relative_to(ROOT)): reads for path in FILES if (reads := private_reads(path))}
    assert found == {}


def test_what_the_documents_name_is_there() -> None:
    named = re.compile(r"`((?:recsys_core|pages|tests|web|data|benchmarks)/[\w/]*(?:\.py|/)?)`")
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    paths = [path for document in documents for path in named.findall(document.read_text(encoding="utf-8"))]
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists() and path != "data/workspace"] == []
