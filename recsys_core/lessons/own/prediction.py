"""Lesson 6 on a teacher's matrix: k and the prediction for the first user."""

import math

from recsys_core.lessons import prediction
from recsys_core.lessons.controls import Choice, Matrix, Slider, Values
from recsys_core.lessons.lesson import Lesson, Predict
from recsys_core.lessons.neighbors import WORLD
from recsys_core.lessons.own.on_matrix import Parts, about, adapted, guarded, lesson_of, raters
from recsys_core.lessons.prediction import CENTERINGS, HIGHER, LOWER, SAME, Numbers
from recsys_core.lessons.worlds import RatedWorld
from recsys_core.text import _, later


def unrated(world: RatedWorld) -> list[int]:
    """Return the items that the first user has not rated; all if there is none."""
    empty = [item for item, cell in enumerate(world.ratings[0]) if cell is None]
    return empty or list(range(len(world.items)))


def lacks(step: str, values: Values, world: RatedWorld) -> str:
    """Return what the ratings lack for a step."""
    ratings, item = values["ratings"], world.item(values["film"])
    names = {"user": world.users[0], "item": world.items[item]}
    if ratings[0][item] is not None:
        return _("{user} rated {item}: there is nothing to predict. Empty this cell, or choose another item.").format(
            **names
        )
    voters = raters(ratings, item)
    if not voters:
        return _("No other user rated {item}, so there is no vote. Type a rating, or choose another item.").format(
            **names
        )
    if step == "k" and len(voters) == 1:
        return _("Only {other} rated {item}: the prediction is the same for every k. Choose another item.").format(
            **names, other=world.users[voters[0]]
        )
    return ""


def remark(step: str, values: Values, numbers: Numbers, world: RatedWorld) -> tuple[str, str]:
    """Return why there is no prediction, or no mistake to make, as a reason."""
    item = world.items[world.item(values["film"])]
    if math.isnan(numbers.predictions[-1]) or not numbers.voters:
        return _(
            "No user who rated {item} shares a rated item with {user}, so there is no neighbor. Type a rating."
        ).format(item=item, user=world.users[0]), ""
    if step == "mistake" and numbers.mistaken is None:
        return _("Every vote for {item} is 1 already: there is no higher rating to mistake.").format(item=item), ""
    if step == "centering" and values["centering"] == "none":
        return "", _("This is the prediction without centering: choose another one.")
    return "", ""


def own(world: RatedWorld) -> Lesson:
    """Return the lesson on this matrix."""
    items = world.item_options()
    offered = {world.item_keys[item]: items[world.item_keys[item]] for item in unrated(world)}
    start = next((item for item in unrated(world) if len(raters(world.ratings, item)) > 1), unrated(world)[0])
    most = len(world.users) - 1
    controls = (
        Matrix("ratings", later("Ratings"), world.ratings, high=world.high),
        Choice("film", later("Item"), offered, world.item_keys[start]),
        Slider("k", later("Neighbors k"), tuple(range(1, most + 1)), 2),
        Choice("centering", later("Centering"), CENTERINGS, "mean"),
    )
    steps = adapted(
        prediction.LESSON,
        {
            "mean": {
                "text": about(
                    world,
                    later(
                        "{user} has not rated the item selected below. User kNN looks at the users who rated it, "
                        "takes the **k most similar** of them, and lets each vote with its rating. A vote counts "
                        "as much as the similarity (here the cosine).\n\nChange a rating or k, and follow the "
                        "terms."
                    ),
                )
            },
            "k": {
                "text": later(
                    "With k = 1 only the most similar rater counts, with the largest k everybody. A small k "
                    "follows few users closely; a large k approaches a mean rating of the item, nearly the "
                    "same for everybody."
                ),
                "predict": Predict(
                    later("Is the prediction with k = 1 higher or lower than with the largest k?"),
                    {HIGHER: later("Higher"), LOWER: later("Lower"), SAME: later("The same")},
                ),
            },
            "centering": {
                "text": about(
                    world,
                    later(
                        "Users use the scale differently. **Mean centering** lets a neighbor vote with the "
                        "deviation from the own mean, and adds the mean of {user} at the end. **Z-scores** also "
                        "divide by the spread of the neighbor's ratings and multiply by that of {user}."
                    ),
                )
            },
            "mistake": {
                "text": later(
                    "The most similar voter with a rating above 1 hits the 1 by mistake. With a small k, a "
                    "single rating can carry the whole prediction. Predict for the k selected below, then "
                    "try a larger one."
                )
            },
        },
    )
    base = prediction.LESSON
    return lesson_of(Parts(base, prediction.numbers, prediction.scene, controls, steps, lacks, remark), world)


BUILT_IN = guarded(prediction.LESSON, lacks, remark, WORLD)
