"""Lesson 1: from behavior to a matrix. A messy log, what is rejected and why, duplicates, weights, orientations."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from recsys_core.lessons.controls import Choice, Slider, Values
from recsys_core.lessons.lesson import Lesson, OwnData, Predict, SelfCheck, Step
from recsys_core.lessons.picture import Formula, Grid, ListPart, Scene, Symbol, shown
from recsys_core.text import _, later, percent

HEADER = "user,item,event,time"
LINES = (
    "ana,tea,view,2026-03-01 09:00",
    "ana,tea,view,2026-03-01 09:05",
    "ana,tea,buy,2026-03-01 09:06",
    "ben,jam,view,2026-03-01 10:00",
    "ben,,view,2026-03-01 10:01",
    "ben,jam,buy,2026-03-02 08:00",
    "cleo,tea,view,2026-03-02 12:00",
    "cleo,mug,view,yesterday",
    " cleo ,mug,buy,2026-03-02 12:10",
    "dev,mug,view,2026-03-03 07:30",
    "dev,mug,view,2026-03-03 07:30",
    "ana,mug,view,2026-03-03 20:00",
)
"""Line 6 of the file has no item, line 9 no readable time; line 10 has spaces around the user."""
SHOUTED = (*LINES[:8], "CLEO,mug,buy,2026-03-02 12:10", *LINES[9:])
"""The same log with another spelling of one user."""
DUPLICATES = {"keep": later("Keep all"), "last": later("Keep the latest"), "sum": later("Merge: add up the weights")}
COUNTS = {str(count): str(count) for count in (9, 10, 11, 12)}
CELLS = {str(count): str(count) for count in (5, 6, 8, 10)}
OTHER = "other"
VALUES = {str(value): str(value) for value in (2, 3, 6, 7)} | {OTHER: later("Another value")}
USERS_OF_ITEM, ITEMS_OF_USER = "users", "items"
FOUR, FIVE = "4", "5"


@dataclass(frozen=True)
class Numbers:
    """What reading the log returned.

    Args:
        accepted: Number of accepted lines.
        rejected: Line of the file (the header is line 1) and reason of each rejected one.
        users: Identifiers of the rows.
        items: Identifiers of the columns.
        cells: (U, I) summed weights of the interactions; None for an empty cell.
        alike: Number of users that the report warns about, since their identifiers are nearly the same.
        lines: The lines that were read.
    """

    accepted: int
    rejected: tuple[tuple[int, str], ...]
    users: tuple[str, ...]
    items: tuple[str, ...]
    cells: tuple[tuple[float | None, ...], ...]
    alike: int
    lines: tuple[str, ...]

    @property
    def filled(self) -> int:
        """Number of cells that are not empty."""
        return sum(cell is not None for row in self.cells for cell in row)


@lru_cache(maxsize=64)
def read(lines: Sequence[str], duplicates: str, weight: float) -> Numbers:
    """Return what the reader of uploads makes of the lines."""
    from recsys_core.data.ingest import ingest, inspect_files, suggest_rules
    from recsys_core.data.ingest.cleaning_rules import IngestRules
    from recsys_core.data.workspace import Workspace

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "log.csv"
        file.write_text("\n".join((HEADER, *lines)) + "\n", encoding="utf-8")
        guesses = inspect_files([file])
        own = {"duplicates": duplicates, "event_weights": {"view": 1.0, "buy": weight}}
        rules = IngestRules.model_validate(suggest_rules(guesses).model_dump() | own)
        workspace = Workspace(Path(folder) / "workspace")
        card, report = ingest(guesses, rules, workspace, "log")
        data = workspace.open(card.fingerprint)
        matrix = data.matrix("count").toarray()
        rejected = tuple(
            (int(row["line"]), f"{row['column']}: {row['reason']}") for row in report.to_json()["rejected"]
        )
    return Numbers(
        accepted=report.rows_accepted,
        rejected=rejected,
        users=tuple(data.user_vocabulary.ids),
        items=tuple(data.item_vocabulary.ids),
        cells=tuple(tuple(float(cell) or None for cell in row) for row in matrix),
        alike=sum(warning.count for warning in report.warnings if warning.rule == "similar_users"),
        lines=tuple(lines),
    )


def numbers(step: str, values: Values) -> Numbers:
    """Read the log with the rules of the values."""
    return read(SHOUTED if step == "spelling" else LINES, values["duplicates"], float(values["weight"]))


def scene(step: str, values: Values, numbers: Numbers) -> Scene:
    """Return the lines with the rejected ones marked, and the matrix in one or both orientations."""
    parts: list[ListPart | Grid] = []
    if step in ("lines", "spelling"):
        parts += [_log(numbers, told=False, secret=False), _log(numbers, told=True, secret=True)]
    if step != "lines":
        parts.append(_matrix(numbers, secret=True))
    if step == "orientation":
        parts.insert(0, _matrix(numbers, secret=False))
        columns = tuple(zip(*numbers.cells, strict=True))
        parts.append(
            Grid("turned", _("Item-user matrix"), numbers.items, numbers.users, columns, tone=(0, 8), secret=True)
        )
    elif step in ("cells", "weights"):
        parts.insert(0, _log(numbers, told=True, secret=False))
    formula = _formula(values, numbers) if step == "weights" else None
    return Scene(tuple(parts), formula, _finding(step, numbers), _answer(step, numbers))


def _log(numbers: Numbers, *, told: bool, secret: bool) -> ListPart:
    reasons = dict(numbers.rejected)
    rejected = [place for place in range(len(numbers.lines)) if place + 2 in reasons]
    return ListPart(
        "log", _("The log, unchanged"), [line.replace(" ", "\u00a0") for line in numbers.lines],
        badges=[_("rejected") if told and place in rejected else "" for place in range(len(numbers.lines))],
        notes=[reasons.get(place + 2, "") if told else "" for place in range(len(numbers.lines))],
        rejects=True, secret=secret,
    )  # fmt: skip


def _matrix(numbers: Numbers, *, secret: bool) -> Grid:
    return Grid(
        "matrix", _("User-item matrix (sum of weights)"), numbers.users, numbers.items, numbers.cells, tone=(0, 8),
        secret=secret,
    )  # fmt: skip


def _cell(numbers: Numbers, user: str, item: str) -> float:
    if user not in numbers.users or item not in numbers.items:
        return 0.0
    return numbers.cells[numbers.users.index(user)][numbers.items.index(item)] or 0.0


def _formula(values: Values, numbers: Numbers) -> Formula:
    weight, total = float(values["weight"]), _cell(numbers, "ana", "tea")
    views = round(total - weight)
    row, column = numbers.users.index("ana"), numbers.items.index("tea")
    own = [f"log/{place}" for place in range(3)]
    symbols = (
        Symbol("x_ui", _("value of the cell of ana and tea"), shown(total, 0), (f"matrix/{row}/{column}",)),
        Symbol("n_e", _("interactions of an event that are kept"), f"{views}, 1", own),
        Symbol("w_e", _("weight of the event: view 1, buy as chosen"), f"1, {weight:g}"),
    )
    return Formula(
        r"\lit1{x_{ui}} = \sum_e \lit2{n_e} \, \lit3{w_e}",
        rf"\lit1{{{shown(total, 0)}}} = \lit2{{{views}}} \cdot \lit3{{1}} + \lit2{{1}} \cdot \lit3{{{weight:g}}}",
        symbols,
    )


def _answer(step: str, numbers: Numbers) -> str:
    if step == "lines":
        return str(numbers.accepted)
    if step == "cells":
        return str(numbers.filled)
    if step == "weights":
        value = f"{_cell(numbers, 'ana', 'tea'):g}"
        return value if value in VALUES else OTHER
    if step == "orientation":
        return USERS_OF_ITEM
    return FIVE if len(numbers.users) == 5 else FOUR


def _finding(step: str, numbers: Numbers) -> str:
    if step == "lines":
        return _("{accepted} of {all} lines are accepted; the others are kept with their line and reason.").format(
            accepted=numbers.accepted, all=len(numbers.lines)
        )
    if step == "weights":
        return _("The cell of ana and tea holds {value}.").format(value=shown(_cell(numbers, "ana", "tea"), 0))
    if step == "spelling":
        return _(
            "The matrix has {users} users. The report warns about {alike} users whose identifiers are nearly the same."
        ).format(users=len(numbers.users), alike=numbers.alike)
    share = numbers.filled / (len(numbers.users) * len(numbers.items))
    return _("{filled} of {all} cells are filled ({share}).").format(
        filled=numbers.filled, all=len(numbers.users) * len(numbers.items), share=percent(share)
    )


LESSON = Lesson(
    key="matrix",
    number=1,
    title=later("From behavior to a matrix"),
    idea=later("A log of events becomes a matrix of users and items; every rule on the way changes the numbers."),
    sections=("2.1",),
    controls=(
        Choice("duplicates", later("Duplicates"), DUPLICATES, "keep"),
        Slider("weight", later("Weight of buy"), (1, 2, 5, 10), 5),
    ),
    steps=(
        Step(
            "lines",
            later("Twelve lines of a shop"),
            later(
                "Real logs are messy. A line is **rejected** if it cannot be used: without a user or an item, or with "
                "an unreadable time. Nothing is lost: each rejected line is listed with its reason. Spaces "
                "around an identifier do no harm."
            ),
            fixed={"duplicates": "keep", "weight": 5},
            predict=Predict(later("How many of the twelve lines are accepted?"), COUNTS),
        ),
        Step(
            "cells",
            later("Lines become cells"),
            later(
                "A row of the matrix is a user, a column an item. Several lines of one pair share a **cell**. Count "
                "the pairs among the accepted lines."
            ),
            fixed={"duplicates": "keep", "weight": 5},
            predict=Predict(later("How many cells of the matrix are filled?"), CELLS),
        ),
        Step(
            "weights",
            later("Duplicates and weights"),
            later(
                "A purchase says more than a view, so events have **weights**; a cell holds their sum. *ana* viewed "
                "tea twice and bought it once. The rule for duplicates decides whether the second view counts: "
                "*latest* keeps one line for each user, item and event."
            ),
            controls=("duplicates", "weight"),
            predict=Predict(later("What is the value of the cell of ana and tea?"), VALUES),
        ),
        Step(
            "orientation",
            later("Two readings of one matrix"),
            later(
                "User kNN compares rows of the user-item matrix; Item kNN compares rows of its transpose. Both hold "
                "the same numbers."
            ),
            fixed={"duplicates": "keep", "weight": 5},
            predict=Predict(
                later("What is a row of the item-user matrix?"),
                {USERS_OF_ITEM: later("The users of one item"), ITEMS_OF_USER: later("The items of one user")},
            ),
        ),
        Step(
            "spelling",
            later("Break it: one user, two spellings"),
            later(
                "One line now writes *CLEO* in capitals. A reader sees the same user. Identifiers are compared "
                "character by character, since codes such as *a7* and *A7* may differ on purpose."
            ),
            fixed={"duplicates": "keep", "weight": 5},
            predict=Predict(later("How many users does the matrix have?"), {FOUR: "4", FIVE: "5"}),
            breaks=True,
        ),
    ),
    checks=(
        SelfCheck(
            later("A matrix has 1,000 users, 500 items and 10,000 filled cells. Which share is filled?"),
            (later("2 %"), later("10 %"), later("20 %")),
            0,
            later("10,000 / (1,000 · 500) = 0.02. Most matrices of real shops are far emptier."),
        ),
        SelfCheck(
            later("Why does the weight of an event matter?"),
            (
                later("It changes which lines are rejected."),
                later("It changes the cells that models learn from, and so similarities and lists."),
                later("It changes the number of users."),
            ),
            1,
            later(
                "Weights enter the cells. A model that learns from them treats a purchase as several views; a model "
                "of yes or no ignores them."
            ),
        ),
    ),
    numbers=numbers,
    scene=scene,
    functions=("data.ingest.pipeline:ingest", "data.dataset:Dataset.matrix"),
    own_data=OwnData("data", later("Upload a log of your own")),
    is_slow=True,
)
