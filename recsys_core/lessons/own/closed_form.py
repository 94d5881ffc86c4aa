"""Lesson 9 on a teacher's matrix: EASE on who rated what; the ratings themselves do not count."""

from recsys_core.lessons import closed_form
from recsys_core.lessons.closed_form import LAMBDAS, NOTHING, Numbers
from recsys_core.lessons.controls import Choice, Matrix, Slider, Values
from recsys_core.lessons.lesson import Lesson, Predict
from recsys_core.lessons.own.on_matrix import Parts, adapted, guarded, lesson_of, rated_by, raters
from recsys_core.lessons.worlds import RatedWorld
from recsys_core.text import _, later

GRID = "histories"


def lacks(step: str, values: Values, world: RatedWorld) -> str:
    """Return what the histories lack for a step."""
    seen = values[GRID]
    if not any(len(rated_by(seen, user)) > 1 for user in range(len(world.users))):
        return _("No user rated two items, so there is no pair to count. Type 1 into more cells.")
    item = world.item(values["film"])
    if step in ("gram", "weights"):
        others = {other for user in raters(seen, item) for other in rated_by(seen, user)} - {item}
        if not others:
            return _("No user rated {item} and another item. Choose another item.").format(item=world.items[item])
    user = world.user(values["user"])
    count = len(rated_by(seen, user))
    if step == "score" and count == len(world.items):
        return _("{user} rated every item: there is none to recommend. Choose another user.").format(
            user=world.users[user]
        )
    if step == "score" and not count:
        return _("{user} rated nothing: there is no history to sum over. Choose another user.").format(
            user=world.users[user]
        )
    return ""


def remark(step: str, values: Values, numbers: Numbers, world: RatedWorld) -> tuple[str, str]:
    """Return no reason, and what this matrix does not show."""
    items = range(len(world.items))
    if step == "negative" and not any(
        numbers.weights[a][b] < -NOTHING and numbers.gram[a][b] > 0 for a in items for b in items if a != b
    ):
        return "", _("With this matrix nothing breaks; try another λ.")
    return "", ""


def own(world: RatedWorld) -> Lesson:
    """Return the lesson on this matrix."""
    seen = tuple(tuple(None if cell is None else 1 for cell in row) for row in world.ratings)
    items, users = world.item_options(), world.user_options()
    controls = (
        Matrix(GRID, later("Histories"), seen, low=1, high=1),
        Choice("film", later("Item"), items, world.item_keys[0]),
        Choice("user", later("User"), users, world.user_keys[0]),
        Slider("penalty", later("Regularization λ"), LAMBDAS, 1.0),
    )
    steps = adapted(
        closed_form.LESSON,
        {
            "gram": {
                "text": later(
                    "Item-based models start from pairs: how many users rated both items? All counts form "
                    "the **Gram matrix**; its diagonal counts the users of each item. How high the ratings "
                    "are does not count here.\n\nType 1 in a cell to add an item to a history, or delete it."
                ),
                "predict": Predict(later("Which item shares most users with the selected one?"), items),
            },
            "weights": {
                "text": later(
                    "EASE asks: how well can each item be predicted from **all others at once**? One ridge "
                    "regression per item, all solved by inverting the Gram matrix plus λ on its diagonal. A "
                    "weight is what an item adds *given the others*."
                ),
                "predict": Predict(later("Which item does the selected one raise most?"), items),
            },
            "score": {
                "text": later(
                    "The score of an item is the sum of the weights from the items of the history. So every score "
                    "explains itself: each item of the history has its share."
                ),
                "predict": Predict(later("Which item is recommended to the selected user?"), items),
            },
            "lambda": {
                "text": later(
                    "λ is added to the diagonal before the inversion, as if λ more users had rated each item "
                    "and no other. It keeps weights that rest on few users small."
                )
            },
            "negative": {
                "text": later(
                    "Counts of pairs are never negative. The weights of EASE can be: if a third item explains why two "
                    "items have the same users, their own weight may fall below 0. Reading a single weight as "
                    "*similarity* goes wrong then."
                )
            },
        },
    )
    base = closed_form.LESSON
    parts = Parts(base, closed_form.numbers, closed_form.scene, controls, steps, lacks, remark, GRID)
    return lesson_of(parts, world)


BUILT_IN = guarded(closed_form.LESSON, lacks, remark, closed_form.WORLD, GRID)
