"""Check that code, texts and documents use the project's vocabulary: `python -m tools.words`.

Every concept has one word, the standard term of the field. `TERMS` lists words that must not be used for it, with the
term that replaces them; `make lint` reports each use. Three kinds of places are read:

- text: comments, docstrings, string literals of several words, and Markdown. Spans in back quotes, quoted single words
  and `{placeholders}` are skipped, since they name keys, columns and commands.
- label: a string literal of a page that consists of the words only, capitalized: the label of a button or of a state.
- name: names that other code reads: functions, classes, parameters, attributes and module variables. A local variable
  is not one.

`ALLOWED` lists the legitimate uses with their reason. An entry without a use is reported, too.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECKED = ("app.py", "pages", "recsys_core", "web", "benchmarks", "tools", "data", "docs", "*.md")
SUFFIXES = (".py", ".md")
KEYS = re.compile(r"`[^`\n]*`|\"[\w.-]*\"|'[\w.-]*'|\{[^{}]*\}")
"""Spans of a text that name keys, columns or commands."""
NOT_CHECKED = ("tools/words.py", "data/workspace/*", "recsys_core/lessons/source/*.md")
"""This table, data of users, and the source document in its own words."""


@dataclass(frozen=True)
class Term:
    """Words that must not be used for a concept.

    Args:
        words: Regular expression of whole words, lower case; a space matches any white space.
        write: The term to use instead.
        kinds: Where it is looked for: "text", "label", "name".
        below: Folders to which the rule is limited; empty for all.
    """

    words: str
    write: str
    kinds: tuple[str, ...] = ("text",)
    below: tuple[str, ...] = ()

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The words with word boundaries and any white space."""
        return re.compile(rf"\b(?:{self.words})\b".replace(" ", r"\s+"), re.IGNORECASE)


ALL = ("text", "name")
LABEL = ("label",)
PAGES = ("pages", "recsys_core/cli")
NETS = ("recsys_core/models", "recsys_core/training")
DATA = "rating|item|user|part|test|interaction"
TERMS = (
    # splits
    Term("parted", "split", ALL),
    Term(rf"(?:{DATA})s? set aside|set aside (?:at random|for (?:testing|validation))", "held out"),
    Term(rf"hidden (?:{DATA})s?|(?:{DATA})s? (?:(?:is|are|was|were) )?hidden", "held out, test data"),
    Term("each user's latest", "Leave-last-out", LABEL, PAGES),
    Term("unknown people", "user cold start, held-out users"),
    Term("random part of each user", "random per user"),
    # evaluation
    Term("judged by", "metric"),
    Term("held against", "baseline"),
    Term("liked", "relevant", ALL),
    Term(rf"(?:{DATA}|model)s? finds? (?:more|the)|(?:relevant|hits?) found", "relevant items in the list, hits"),
    Term("models? know(?:s|ing)? (?:their|its) future", "temporal leakage"),
    Term("cannot be told apart|told apart", "no significant difference"),
    Term("users would decide", "about N users needed to detect a difference of this size"),
    Term("what every model must beat", "baseline"),
    Term("floor", "Baselines", LABEL, PAGES),
    # data
    Term("known pairs", "density"),
    Term("tied in time", "duplicate timestamps"),
    Term("(?:users|items) with one only", "single-interaction users"),
    Term("not a time in the unit", "timestamp does not match DD-MM-YYYY"),
    # users
    Term("somebody|a person who comes", "user, you; for a made-up history: custom history", ALL),
    Term("persons?|people", "user", ALL),
    # jobs and actions
    Term("waiting|training|under way|stopped", "queued, running, done, failed, cancelled", LABEL, PAGES),
    Term("under way", "running"),
    Term("bring|stop|show|choose", "Upload, Store, Train, Cancel, Compare, Open", LABEL, PAGES),
    Term("asking the model", "Computing"),
    # explanations
    Term(
        "(?:score|prediction)s? hangs? on|what the score hangs on|loses so much",
        "influence: score change when the item is left out",
    ),
    Term("lets the old memory into", "reset gate, update gate, forget gate"),
    # names
    Term("width", "embedding_dim", ("name",), NETS),
    Term("window", "max_length", ("name",), NETS),
    Term("room for sums", "memory estimate", ("name",)),
    Term("looks", "weights, measurements", ("name",)),
    Term("patience of", "patience", ALL),
    Term("strongest", "top_k", ("name",)),
    Term("bare", "baseline", ("name",)),
    Term("together", "what is counted or joined, such as joint_counts", ("name",)),
    Term("asked|what is asked", "query, requested", ("name",)),
    Term("found", "what was found: matches, results, relevant", ("name",)),
    # paraphrases
    Term(r"so many|so often|learns nothing of|comes? near|what is asked|nobody", "a plain statement"),
    Term(r"(?<!soon\s)(?<!long\s)as it is(?! \w+(?:ed|ing))", "unchanged"),
    Term("models? (?:thinks?|believes?|looks?)", "predicts, scores, reads"),
)


@dataclass(frozen=True)
class Allowance:
    """A legitimate use: lower-case words, in files that match a pattern."""

    words: str
    files: str
    reason: str


ALLOWED = (
    Allowance("people", "recsys_core/cli/people.py", "the command is called `people`"),
    Allowance("people", "recsys_core/models/nets/mlp.py", "the name of a parameter in stored models"),
    Allowance("found", "recsys_core/profiles/attach.py", "a key in the stored result of an attachment"),
    Allowance("person", "recsys_core/data/ingest/column_cells.py", "a prefix of user IDs in input files"),
    Allowance("person", "recsys_core/data/synthetic/words.py", "plots of invented films"),
    Allowance("somebody", "recsys_core/data/synthetic/words.py", "plots of invented films"),
    Allowance("nobody", "recsys_core/data/synthetic/words.py", "plots of invented films"),
)


@dataclass(frozen=True)
class Use:
    """A use of a word that the vocabulary replaces."""

    path: str
    line: int
    words: str
    write: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: '{self.words}'; write: {self.write}"


@dataclass(frozen=True)
class Place:
    """A text, label or name of a file, with the number of its first line."""

    kind: str
    line: int
    text: str


def places(path: Path) -> Iterator[Place]:
    """Return everything that is read in a file."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield Place("text", 1, re.sub(r"```.*?```", _blank, source, flags=re.DOTALL))
        return
    yield from _comments(source)
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if re.search(r"\s", node.value.strip()):
                yield Place("text", node.lineno, node.value)
            if node.value[:1].isupper():
                yield Place("label", node.lineno, node.value)
    yield from _names(tree)


def _comments(source: str) -> Iterator[Place]:
    """Return comments; those on consecutive lines are one text."""
    first, last, lines = 0, -1, list[str]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if token.start[0] != last + 1 and lines:
            yield Place("text", first, "\n".join(lines))
            lines = []
        first, last = (first if lines else token.start[0]), token.start[0]
        lines.append(token.string.lstrip("# "))
    if lines:
        yield Place("text", first, "\n".join(lines))


def _names(tree: ast.AST, *, local: bool = False) -> Iterator[Place]:
    """Return the defined names that other code can read."""
    for node in ast.iter_child_nodes(tree):
        inside = local
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inside = not isinstance(node, ast.ClassDef)
            yield Place("name", node.lineno, node.name)
        elif isinstance(node, ast.arg):
            yield Place("name", node.lineno, node.arg)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield Place("name", node.lineno, node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and not local:
            yield Place("name", node.lineno, node.id)
        elif isinstance(
            node, ast.Lambda | ast.comprehension | ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp
        ):
            inside = True
        yield from _names(node, local=inside)


def _blank(match: re.Match[str]) -> str:
    """Return white space of the same size and number of lines."""
    return re.sub(r"[^\n]", " ", match[0])


def uses_in(path: Path, name: str) -> Iterator[Use]:
    """Return the uses in a file, without regard to `ALLOWED`; `name` is its path below the root."""
    terms = [one for one in TERMS if not one.below or name.startswith(one.below)]
    by_kind = {kind: [one for one in terms if kind in one.kinds] for kind in ("text", "label", "name")}
    for place in places(path):
        is_text = place.kind == "text"
        text = KEYS.sub(_blank, place.text) if is_text else place.text.strip(" _.:").replace("_", " ")
        for term in by_kind[place.kind]:
            for match in term.pattern.finditer(text):
                if is_text or len(match[0]) == len(text):
                    line = place.line + (text.count("\n", 0, match.start()) if is_text else 0)
                    yield Use(name, line, re.sub(r"\s+", " ", match[0]).lower(), term.write)


def files(root: Path = ROOT) -> list[Path]:
    """Return the checked files below a folder."""
    chosen = [path for pattern in CHECKED for path in root.glob(pattern)]
    inside = [one for path in chosen for one in (path.rglob("*") if path.is_dir() else [path])]
    names = {one: one.relative_to(root).as_posix() for one in inside if one.suffix in SUFFIXES}
    return sorted(one for one, name in names.items() if not any(fnmatch(name, pattern) for pattern in NOT_CHECKED))


def findings(paths: Iterable[Path], root: Path = ROOT, allowed: tuple[Allowance, ...] = ALLOWED) -> list[str]:
    """Return the uses that are not allowed and the allowances without a use, a line each."""
    wrong, needed = [], set[Allowance]()
    for path in paths:
        for use in uses_in(path, path.relative_to(root).as_posix()):
            reasons = [one for one in allowed if one.words == use.words and fnmatch(use.path, one.files)]
            needed.update(reasons)
            wrong += [] if reasons else [str(use)]
    return wrong + [
        f"tools/words.py: '{one.words}' is not used in {one.files}." for one in allowed if one not in needed
    ]


def main() -> int:
    """Print the uses; return the exit status."""
    paths = files()
    wrong = findings(paths)
    for line in wrong:
        sys.stdout.write(f"{line}\n")
    sys.stdout.write("" if wrong else f"The vocabulary holds in {len(paths)} files.\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
