"""Lesson 7 on a teacher's matrix: does it settle?"""

import math

from recsys_core.lessons import convergence
from recsys_core.lessons.controls import Choice, Matrix, Slider, Values
from recsys_core.lessons.convergence import COUNTS, FALLS, NO, STAYS, TINY, YES, Numbers
from recsys_core.lessons.lesson import Lesson, Predict, Step
from recsys_core.lessons.neighbors import shared
from recsys_core.lessons.own.on_matrix import Parts, about, lesson_of, raters
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
    steps = (
        Step(
            "gaps",
            later("Round 1: plain User kNN"),
            later(
                "Cosine over the observed ratings gives the neighbors; their weighted mean predicts each empty cell. "
                "But neighbors with few ratings in common are compared on little.\n\nChoose a cell, or change a rating."
            ),
            controls=("user", "film"),
            fixed={"round": 1, "tolerance": 0.01, "k": 3},
        ),
        Step(
            "again",
            later("Round 2 and on: fill the gaps, compare again"),
            later(
                "Now the empty cells of the **neighbors** get the predictions of the round before, and similarities "
                "are computed from these full rows. New similarities give new predictions, and so on. Only observed "
                "ratings vote."
            ),
            controls=("round",),
            fixed={"k": 3, "tolerance": 0.01},
            predict=Predict(
                later("How does the largest change of a prediction develop over the rounds?"),
                {FALLS: later("It falls quickly"), STAYS: later("It stays about the same")},
            ),
        ),
        Step(
            "tolerance",
            later("When to stop"),
            later(
                "The rounds end once no prediction changes by the **tolerance**, in rating units. The first round has "
                "nothing to compare with; round 2 is the first with a change."
            ),
            controls=("tolerance", "k"),
            fixed={"round": 1},
            predict=Predict(later("How many rounds are needed for this tolerance?"), COUNTS),
        ),
        Step(
            "one",
            later("Break it: a single neighbor"),
            later(
                "With k = 1 a prediction is the rating of **one** neighbor. A small change of two similarities can "
                "make another user the nearest, and the prediction jumps."
            ),
            controls=("user", "film"),
            fixed={"k": 1, "round": 1, "tolerance": 0.01},
            predict=Predict(later("Do the predictions settle within 20 rounds?"), {YES: later("Yes"), NO: later("No")}),
            breaks=True,
        ),
        Step(
            "stranger",
            later("The row that is compared is not filled"),
            about(
                world,
                later(
                    "The row of the user who asks keeps its observed ratings; only the rows of the others are filled. "
                    "The source document leaves this open. What follows for a new user who rates as {user} does?"
                ),
            ),
            controls=("film",),
            fixed={"k": 3, "user": world.user_keys[0], "round": 1, "tolerance": 0.01},
            predict=Predict(
                about(world, later("Does an unknown user with the ratings of {user} get the same predictions?")),
                {YES: later("Yes, exactly"), NO: later("No, others")},
            ),
        ),
    )
    base = convergence.LESSON
    return lesson_of(Parts(base, convergence.numbers, convergence.scene, controls, steps, lacks, remark), world)
