"""Lesson 7 on a teacher's matrix: does it settle?"""

import math

from recsys_core.lessons import convergence
from recsys_core.lessons.controls import Choice, Matrix, Slider, Values
from recsys_core.lessons.convergence import NO, TINY, YES, Numbers
from recsys_core.lessons.lesson import Lesson, Predict
from recsys_core.lessons.neighbors import WORLD, shared
from recsys_core.lessons.own.on_matrix import Parts, about, adapted, guarded, lesson_of, raters
from recsys_core.lessons.worlds import RatedWorld
from recsys_core.text import _, later


def lacks(step: str, values: Values, world: RatedWorld) -> str:
    """Return what the ratings lack for a step."""
    ratings = values["ratings"]
    if all(cell is not None for row in ratings for cell in row):
        return _("Every cell has a rating: there is no gap to fill. Empty some cells of the table.")
    if all(len(raters(ratings, item)) < 2 for item in range(len(world.items))):
        return _("No two users share a rated item, so there is no similarity. Type more ratings into the table.")
    if step == "stranger" and not any(shared(ratings, user) for user in range(1, len(world.users))):
        return _(
            "{user} shares no rated item with any other user, so there is no similarity. Type a rating into the table."
        ).format(user=world.users[0])
    return ""


def remark(step: str, values: Values, numbers: Numbers, world: RatedWorld) -> tuple[str, str]:
    """Return a missing prediction as a reason, and what this matrix does not show."""
    item = world.items[world.item(values["film"])]
    if step == "again" and (not numbers.largest or numbers.largest[0] < TINY):
        return _("Round 2 changes no prediction, so there is nothing to follow. Empty or change some cells."), ""
    if step == "one" and (not numbers.cell or any(math.isnan(value) for value in numbers.cell)):
        name = world.users[world.user(values["user"])]
        return _("There is no prediction for {user} and {item}: choose another cell.").format(user=name, item=item), ""
    if step == "stranger" and any(math.isnan(value) for value in numbers.stranger):
        return _("There is no prediction for {user} and {item}: choose another item.").format(
            user=world.users[0], item=item
        ), ""
    if step == "one" and numbers.rounds is not None:
        return "", _("With these ratings nothing breaks: a single neighbor can jump, but need not.")
    return "", ""


def own(world: RatedWorld) -> Lesson:
    """Return the lesson on this matrix."""
    gaps = [(u, i) for u, row in enumerate(world.ratings) for i, cell in enumerate(row) if cell is None]
    user, item = gaps[0] if gaps else (0, 0)
    controls = (
        Matrix("ratings", later("Ratings"), world.ratings, high=world.high),
        Choice("user", later("User"), world.user_options(), world.user_keys[user]),
        Choice("film", later("Item"), world.item_options(), world.item_keys[item]),
        Slider("round", later("Round"), (1, 2, 3, 4, 5, 6), 1),
        Slider("k", later("Neighbors k"), (1, 2, 3, 5), 3),
        Slider("tolerance", later("Tolerance"), (0.001, 0.01, 0.1, 0.5), 0.01),
    )
    steps = adapted(
        convergence.LESSON,
        {
            "one": {"controls": ("user", "film"), "fixed": {"k": 1, "round": 1, "tolerance": 0.01}},
            "stranger": {
                "text": about(
                    world,
                    later(
                        "The row of the user who asks keeps its observed ratings; only the rows of the others "
                        "are filled. The source document leaves this open. What follows for a new user who rates "
                        "as {user} does?"
                    ),
                ),
                "fixed": {"k": 3, "user": world.user_keys[0], "round": 1, "tolerance": 0.01},
                "predict": Predict(
                    about(world, later("Does an unknown user with the ratings of {user} get the same predictions?")),
                    {YES: later("Yes, exactly"), NO: later("No, others")},
                ),
            },
        },
    )
    base = convergence.LESSON
    return lesson_of(Parts(base, convergence.numbers, convergence.scene, controls, steps, lacks, remark), world)


BUILT_IN = guarded(convergence.LESSON, lacks, remark, WORLD)
