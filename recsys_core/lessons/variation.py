"""Other values of a lesson, drawn from a seed: a worksheet of its own for each class."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from zlib import crc32

from recsys_core.errors import RecscopeError
from recsys_core.lessons.controls import Choice, Control, Matrix, Slider, Values
from recsys_core.lessons.lesson import Lesson

if TYPE_CHECKING:
    import numpy as np

DRAWS = 20
"""Number of draws until the values are given up that a step cannot use."""
REDRAWN, TOGGLED = 0.3, 0.1
"""Share of the cells with another number; share of the cells of a yes-or-no table that change."""
Ask = Callable[[str, Values], Any]


def varied(of: Lesson, seed: int, ask: Ask | None = None) -> dict[str, Any]:
    """Return values of the controls for a seed, with which every step has numbers and an answer.

    Args:
        of: The lesson.
        seed: 0 gives the first values of the lesson.
        ask: Returns the numbers of a step; the lesson's own function by default.
    """
    import numpy as np

    if seed == 0:
        return of.starts()
    rng = np.random.default_rng([seed, crc32(of.key.encode())])
    for _draw in range(DRAWS):
        values = {control.key: _other(control, rng) for control in of.controls}
        if _is_usable(of, values, ask or of.numbers):
            return values
    return of.starts()


def _is_usable(of: Lesson, values: Values, ask: Ask) -> bool:
    for step in of.steps:
        own = of.values_in(step.key, values)
        try:
            scene = of.scene(step.key, own, ask(step.key, own))
        except RecscopeError:
            return False
        if scene.impossible and not of.data:  # a table of a teacher may lack what a step needs
            return False
        if step.predict is not None and not scene.impossible and scene.answer not in step.predict.options:
            return False
    return True


def _other(control: Control, rng: "np.random.Generator") -> Any:
    if isinstance(control, Matrix):
        return _other_table(control, rng)
    if isinstance(control, Choice | Slider):
        return list(control.options)[int(rng.integers(len(control.options)))]
    return tuple(int(place) for place in rng.permutation(control.start))


def _other_table(control: Matrix, rng: "np.random.Generator") -> tuple[tuple[int | None, ...], ...]:
    """Return the table with other numbers in the same cells; a yes-or-no table with some cells changed."""

    def changed(cell: int | None) -> int | None:
        if control.low == control.high:
            flip = rng.random() < TOGGLED
            return cell if not flip else (None if cell is not None else control.low)
        if cell is None or rng.random() >= REDRAWN:
            return cell
        return int(rng.integers(control.low, control.high + 1))

    return tuple(tuple(changed(cell) for cell in row) for row in control.start)
