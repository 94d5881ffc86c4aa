"""Lesson 5 on a teacher's matrix: who is like the first user?"""

from recsys_core.evaluation.sentences import listed
from recsys_core.lessons import neighbors
from recsys_core.lessons.controls import Choice, Matrix, Slider, Values
from recsys_core.lessons.lesson import Lesson, Predict
from recsys_core.lessons.neighbors import (
    ANY,
    ENDS,
    MEASURES,
    NO_NEIGHBOR,
    WHO_IS_NEAREST,
    Numbers,
    copies,
    shared,
)
from recsys_core.lessons.own.on_matrix import Parts, about, adapted, guarded, lesson_of
from recsys_core.lessons.wording import Told
from recsys_core.lessons.worlds import Cells, RatedWorld
from recsys_core.text import Template, _, later

LEFT_OUT = Template(
    "{names} has exactly the ratings of {user} and is left out: for User kNN, equal rows are one user.",
    "{names} have exactly the ratings of {user} and are left out: for User kNN, equal rows are one user.",
)


def pair(ratings: Cells) -> int:
    """Return the first user who shares exactly two items with the first one; 1 without one."""
    return next((user for user in range(1, len(ratings)) if len(shared(ratings, user)) == 2), 1)


def lacks(step: str, values: Values, world: RatedWorld) -> str:
    """Return what the ratings lack for a step."""
    ratings = values["ratings"]
    counts = {user: len(shared(ratings, user)) for user in range(1, len(world.users))}
    if not any(counts.values()):
        return _(
            "{user} shares no rated item with any other user, so there is no similarity. Type a rating into the table."
        ).format(user=world.users[0])
    if step in WHO_IS_NEAREST and copies(ratings):
        return f"{_left_out(ratings, world)} {_('Change a rating.')}"
    other = world.user(values["other"])
    if step == "chance" and (counts[other] < 2 or (world.own and counts[other] > 2)):
        return _(
            "This step needs a user who shares exactly two items with {user}. {other} shares {n}: change the table so "
            "that it is two."
        ).format(user=world.users[0], other=world.users[other], n=counts[other])
    return ""


def _left_out(ratings: Cells, world: RatedWorld) -> str:
    names = [world.users[other] for other in copies(ratings)]
    return str(LEFT_OUT.fill(len(names), names=listed(names), user=world.users[0]))


def remark(step: str, values: Values, numbers: Numbers, world: RatedWorld) -> tuple[str, str]:
    """Return no reason, and whether two measures agree."""
    measure = values["measure"]
    if step == "measure" and measure != "cosine":
        before, now = numbers.nearest["cosine"], numbers.nearest[measure]
        if before == now:
            return "", _("The cosine gives the same: these ratings do not show a difference.")
        names = {key: world.users[world.user(key)] if key != NO_NEIGHBOR else _("no user") for key in (before, now)}
        return "", _("By the cosine it is {user}.").format(user=names[before])
    if copies(values["ratings"]):
        return "", _left_out(values["ratings"], world)
    if step == "chance" and len(numbers.possible) == 1:
        return "", _("Here it is always the same, since the other rating decides nothing.")
    return "", ""


def own(world: RatedWorld) -> Lesson:
    """Return the lesson on this matrix."""
    who = {**world.user_options(1), NO_NEIGHBOR: later("No user: no similarity is positive")}
    keys = world.user_keys
    controls = (
        Matrix("ratings", later("Ratings"), world.ratings, high=world.high),
        Choice("other", about(world, later("Compare {user} with")), world.user_options(1), keys[1]),
        Choice("measure", later("Measure"), MEASURES, "pearson"),
        Slider("shrinkage", later("Shrinkage β"), (0, 1, 2, 3, 4, 6, 8, 10), 4),
    )
    partner = pair(world.ratings)
    both = {"user": world.users[0], "other": world.users[partner]}
    steps = adapted(
        neighbors.LESSON,
        {
            "rows": {
                "text": about(
                    world,
                    later(
                        "To predict what {user} will like, User kNN searches for users with similar ratings. Two "
                        "users are compared on the items that **both** rated.\n\n**Cosine** multiplies the two "
                        "ratings of each shared item, adds the products up, and divides by the lengths of the "
                        "two rows. Compare {user} with other users, or change a rating in the table."
                    ),
                )
            },
            "nearest": {
                "text": about(
                    world,
                    later(
                        "The nearest neighbor is the user with the highest similarity. The length of a row "
                        "counts **all** items that a user rated, so items that {user} did not rate lower the "
                        "cosine.\n\nLook at the rows: whose ratings are most similar to those of {user} by the "
                        "cosine?"
                    ),
                ),
                "predict": Predict(about(world, later("Who is nearest to {user} by the cosine?")), who),
            },
            "measure": {
                "title": later("Another measure, another neighbor?"),
                "text": later(
                    "The cosine of positive ratings is high for strict and for generous users. **Pearson** "
                    "first subtracts each user's mean over the shared items: what counts is who likes the "
                    "same items *more than others*. **Adjusted cosine** subtracts the mean of each item "
                    "instead."
                ),
                "predict": Predict(later("Who is nearest by the measure selected below?"), who),
            },
            "chance": {
                "title": later("Break it: two shared items"),
                "text": Told(
                    later(
                        "{other} and {user} are compared on two shared items. Change one of the ratings of {other} for "
                        "them, and watch the Pearson correlation. A straight line through two points always fits."
                    ),
                    both,
                ),
                "fixed": {"measure": "pearson", "shrinkage": 0, "other": keys[partner]},
                "predict": Predict(
                    Told(later("Which values can the correlation of {user} and {other} have?"), both),
                    {ENDS: later("Only −1, 0 and 1"), ANY: later("Other values as well")},
                ),
            },
            "shrinkage": {
                "text": later(
                    "Few shared items are weak evidence. **Shrinkage** multiplies the similarity by min(n, "
                    "β) / β, where n is the number of shared items: two shared items with β = 4 count half.\n\n"
                    "Choose β and predict. After the answer, change β: is another user the nearest then?"
                ),
                "predict": Predict(later("Who is nearest by Pearson with this shrinkage?"), who),
            },
        },
    )
    return lesson_of(Parts(neighbors.LESSON, neighbors.numbers, neighbors.scene, controls, steps, lacks, remark), world)


BUILT_IN = guarded(neighbors.LESSON, lacks, remark, neighbors.WORLD)
