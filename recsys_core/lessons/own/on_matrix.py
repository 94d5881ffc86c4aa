"""What lessons on a matrix share: steps that say what their table lacks, be it a teacher's or edited by the learner."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from recsys_core.lessons.controls import Control, Values
from recsys_core.lessons.lesson import Lesson, Step
from recsys_core.lessons.own.table import encode_table
from recsys_core.lessons.picture import Grid, Scene
from recsys_core.lessons.wording import Told
from recsys_core.lessons.worlds import Cells, RatedWorld
from recsys_core.text import _

Lacks = Callable[[str, Values, RatedWorld], str]
Remark = Callable[[str, Values, Any, RatedWorld], tuple[str, str]]


@dataclass(frozen=True)
class Parts:
    """How a lesson runs on a matrix.

    Args:
        base: The built-in lesson.
        numbers: Its function of numbers, with a world as the third argument.
        scene: Its function of scenes, with a world as the fourth argument.
        controls: The controls for the matrix.
        steps: The steps; for a teacher's matrix, their texts claim nothing about the data.
        grid: Key of the table among the values.
        lacks: Why a step has no point for these values, from the ratings alone; empty if it has one.
        remark: Reason as of `lacks`, from the numbers; or empty, and a sentence for the finding.
    """

    base: Lesson
    numbers: Callable[..., Any]
    scene: Callable[..., Scene]
    controls: Sequence[Control]
    steps: Sequence[Step]
    lacks: Lacks
    remark: Remark
    grid: str = "ratings"


def lesson_of(parts: Parts, world: RatedWorld) -> Lesson:
    """Return the lesson on this world."""
    return replace(
        parts.base,
        controls=tuple(parts.controls),
        steps=tuple(parts.steps),
        numbers=partial(_numbers, parts, world),
        scene=partial(_scene, parts, world),
        data=encode_table(world) if world.own else "",
    )


def guarded(base: Lesson, lacks: Lacks, remark: Remark, world: RatedWorld, grid: str = "ratings") -> Lesson:
    """Return a built-in lesson that says what the table lacks after the edits of a learner; see `Parts`."""
    return lesson_of(Parts(base, base.numbers, base.scene, base.controls, base.steps, lacks, remark, grid), world)


def adapted(base: Lesson, changes: Mapping[str, Mapping[str, Any]]) -> tuple[Step, ...]:
    """Return the steps of a built-in lesson with other texts or questions.

    Args:
        base: The lesson.
        changes: Key of a step -> its changed fields.
    """
    return tuple(replace(step, **changes.get(step.key, {})) for step in base.steps)


def _numbers(parts: Parts, world: RatedWorld, step: str, values: Values) -> Any:
    """Return the numbers of a step; an empty tuple if the ratings lack what it needs."""
    return () if parts.lacks(step, values, world) else parts.numbers(step, values, world)


def _scene(parts: Parts, world: RatedWorld, step: str, values: Values, numbers: Any) -> Scene:
    reason, more = parts.lacks(step, values, world), ""
    if not reason:
        reason, more = parts.remark(step, values, numbers, world)
    if reason:
        return Scene((_table(parts, values, world),), impossible=reason)
    scene = parts.scene(step, values, numbers, world)
    return replace(scene, finding=f"{scene.finding} {more}".strip())


def _table(parts: Parts, values: Values, world: RatedWorld) -> Grid:
    plain = parts.grid != "ratings"
    title = _("Who rated what (1)") if plain else _("Ratings (1 to {high}; empty: not rated)").format(high=world.high)
    tone = (0, 1) if plain else (1, world.high)
    return Grid("ratings", title, world.users, world.items, values[parts.grid], control=parts.grid, tone=tone)


def about(world: RatedWorld, message: str) -> Told:
    """Return a text with the name of the first user as `{user}`."""
    return Told(message, {"user": world.users[0]})


def nothing(_step: str, _values: Values, _numbers: Any, _world: RatedWorld) -> tuple[str, str]:
    """Return no reason and no sentence."""
    return "", ""


def rated_by(ratings: Cells, user: int) -> list[int]:
    """Return the items that a user rated."""
    return [item for item, cell in enumerate(ratings[user]) if cell is not None]


def raters(ratings: Cells, item: int) -> list[int]:
    """Return the users who rated an item."""
    return [user for user, row in enumerate(ratings) if row[item] is not None]
