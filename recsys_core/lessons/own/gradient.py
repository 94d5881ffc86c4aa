"""Lesson 8 on a teacher's matrix: one step of gradient descent for one of its ratings."""

from recsys_core.lessons import gradient
from recsys_core.lessons.controls import Choice, Matrix, Slider, Values
from recsys_core.lessons.gradient import PENALTIES, RATES, Numbers
from recsys_core.lessons.lesson import Lesson
from recsys_core.lessons.own.on_matrix import Parts, adapted, guarded, lesson_of
from recsys_core.lessons.worlds import RatedWorld
from recsys_core.text import _, later


def lacks(step: str, values: Values, world: RatedWorld) -> str:
    """Return what the ratings lack for a step."""
    ratings = values["ratings"]
    if all(cell is None for row in ratings for cell in row):
        return _("The table has no rating to learn from. Type one.")
    user, item = world.user(values["user"]), world.item(values["item"])
    if step not in ("passes", "diverges") and ratings[user][item] is None:
        return _("{user} has not rated {item}: only given ratings are learned from. Choose another cell.").format(
            user=world.users[user], item=world.items[item]
        )
    return ""


def remark(step: str, values: Values, numbers: Numbers, world: RatedWorld) -> tuple[str, str]:
    """Return a curve that has one pass, and a high learning rate that does no harm."""
    if step not in ("passes", "diverges"):
        return "", ""
    if values["passes"] == 1:
        return _("One pass has no other to compare with. Choose more passes."), ""
    first, last = numbers.rmse[0], numbers.rmse[-1]
    if step == "diverges" and first is not None and last is not None and last < first:
        return "", _("At this learning rate nothing breaks; try a higher one.")
    return "", ""


def own(world: RatedWorld) -> Lesson:
    """Return the lesson on this matrix."""
    rated = [(u, i) for u, row in enumerate(world.ratings) for i, cell in enumerate(row) if cell is not None]
    user, item = rated[0]
    controls = (
        Matrix("ratings", later("Ratings"), world.ratings, high=world.high),
        Choice("user", later("User"), world.user_options(), world.user_keys[user]),
        Choice("item", later("Item"), world.item_options(), world.item_keys[item]),
        Slider("rate", later("Learning rate γ"), RATES, 0.1),
        Slider("penalty", later("Regularization λ"), PENALTIES, 0.02),
        Slider("fast", later("Learning rate γ"), RATES, 0.5),
        Slider("passes", later("Passes"), (1, 2, 5, 10, 20, 50, 100), 20),
    )
    steps = adapted(
        gradient.LESSON,
        {
            "prediction": {
                "text": later(
                    "Each user and each item has a bias and two **factors**, drawn here as arrows. The "
                    "predicted rating is the overall mean, plus both biases, plus the product of the "
                    "factors: large if the arrows point the same way.\n\nBefore training the biases are 0 and "
                    "the factors random. Select a rating, and compare it with its prediction."
                )
            },
            "passes": {
                "text": later(
                    "Training repeats the step for every rating, pass after pass. Ratings pull in different "
                    "directions, and the factors settle where the pulls balance.\n\nThe curve shows the error "
                    "on the **training** ratings. A low one does not prove good recommendations: these need "
                    "ratings that were held out."
                )
            },
        },
    )
    return lesson_of(Parts(gradient.LESSON, gradient.numbers, gradient.scene, controls, steps, lacks, remark), world)


BUILT_IN = guarded(gradient.LESSON, lacks, remark, gradient.WORLD)
