"""Lesson 4 on a teacher's matrix: the literal formula of the source document. Its repair needs genres."""

from recsys_core.lessons import document_formula
from recsys_core.lessons.controls import Choice, Matrix, Slider, Values
from recsys_core.lessons.document_formula import FALLS, ITEM, NOT_ITEM, RISES, STAYS, YES_NO, Numbers, changed, newcomer
from recsys_core.lessons.lesson import Lesson, Predict
from recsys_core.lessons.own.on_matrix import Parts, adapted, guarded, lesson_of, rated_by, raters
from recsys_core.lessons.worlds import RatedWorld
from recsys_core.text import _, later


def lacks(step: str, values: Values, world: RatedWorld) -> str:
    """Return what the ratings lack for a step."""
    ratings = values["ratings"]
    if step == "repair" and world.own:
        return _(
            "The repair weights each rating by the similarity of two items' genres; a rating matrix has none. The "
            "built-in example shows this step."
        )
    empty = [name for item, name in enumerate(world.items) if not raters(ratings, item)]
    if empty:
        return _("No user rated {items}: there is no mean rating. Type a rating into each column.").format(
            items=", ".join(empty)
        )
    if step == "rating" and newcomer(ratings, world)[0] < 0:
        return _("Every cell has a rating: no user can rate another item. Empty some cells of the table.")
    return _of_users(step, values, world)


def _of_users(step: str, values: Values, world: RatedWorld) -> str:
    ratings, user, other = values["ratings"], world.user(values["user"]), world.user(values["other"])
    for one in (user, other) if step == "alpha" else (user,):
        if not rated_by(ratings, one):
            return _("{user} rated nothing, so there is no sum and no mean. Choose another user.").format(
                user=world.users[one]
            )
    if step == "leader" and len(rated_by(ratings, user)) == len(world.items):
        return _("{user} rated every item: there is none to recommend. Choose another user.").format(
            user=world.users[user]
        )
    return _("Choose two different users.") if step == "alpha" and user == other else ""


def remark(step: str, values: Values, numbers: Numbers, world: RatedWorld) -> tuple[str, str]:
    """Return no reason, and what this matrix does not show."""
    if step == "rating" and numbers.before is not None:
        item = newcomer(values["ratings"], world)[0]
        if changed(numbers.before.score, numbers.terms[item].score) == RISES:
            return "", _("Here it does no harm: the mean gains more than the larger divisor costs.")
    return "", ""


def own(world: RatedWorld) -> Lesson:
    """Return the lesson on this matrix."""
    users, items = world.user_options(), world.item_options()
    controls = (
        Matrix("ratings", later("Ratings"), world.ratings, high=world.high),
        Choice("user", later("User"), users, world.user_keys[0]),
        Choice("film", later("Item"), items, world.item_keys[0]),
        Choice("other", later("Compare with"), users, world.user_keys[1]),
        Slider("alpha", later("Exponent α"), (0, 1, 2, 4, 10), 1),
        Slider("beta", later("Rating weight β"), (0, 0.3, 1, 3), 1),
    )
    steps = adapted(
        document_formula.LESSON,
        {
            "terms": {
                "text": later(
                    "The source document scores an item by what the user rated, the mean of the user, and "
                    "the mean of the item; the divisor counts the user's ratings and those of the item.\n\n"
                    "Choose a user and an item, and find each number in the table."
                )
            },
            "sum": {
                "title": later("Which item is the sum about?"),
                "text": later(
                    "A recommender has to order the items of **one** user. So only what differs between items counts. "
                    "A part of the score is the sum of the user's ratings."
                ),
                "predict": Predict(
                    later("How does the sum of the ratings differ between the items of one user?"),
                    {ITEM: later("It is larger for items that resemble the rated ones"), NOT_ITEM: later("Not at all")},
                ),
            },
            "leader": {
                "text": later("Within one user, an item gains by its mean and loses by its number of ratings."),
                "predict": Predict(later("Which item that the user has not rated leads?"), items),
            },
            "rating": {
                "title": later("Break it: the highest rating for the least rated item"),
                "text": later(
                    "The item with the fewest ratings gets another one, the highest of the scale. Its mean "
                    "does not fall, and its divisor grows."
                ),
                "predict": Predict(
                    later("What happens to the score of the item?"),
                    {RISES: later("It rises"), FALLS: later("It falls"), STAYS: later("It stays the same")},
                ),
            },
            "alpha": {
                "text": later(
                    "With α = 10 a user with several ratings has a divisor in which the number of ratings of the item "
                    "hardly counts. What is left to order the items?"
                ),
                "predict": Predict(later("Do the two users get all items in the same order?"), YES_NO),
            },
            "repair": {
                "title": later("The repair: weights of similar items"),
                "text": later(
                    "The content form weights each rating by the similarity of the two items to the power α. "
                    "Then the sum depends on the item."
                ),
                "controls": (),
                "predict": Predict(later("Do the two users get all items in the same order?"), YES_NO),
            },
        },
    )
    base = document_formula.LESSON
    parts = Parts(base, document_formula.numbers, document_formula.scene, controls, steps, lacks, remark)
    return lesson_of(parts, world)


BUILT_IN = guarded(document_formula.LESSON, lacks, remark, document_formula.WORLD)
