"""Lesson 6: k and the prediction. The weighted mean of neighbors' ratings, term by term, and how k changes it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recsys_core.lessons.controls import Choice, Matrix, Slider, Values
from recsys_core.lessons.lesson import Lesson, OwnData, Predict, SelfCheck, Step
from recsys_core.lessons.neighbors import RATINGS, USERS, WORLD
from recsys_core.lessons.picture import Bars, Formula, Grid, Plot, Scene, Series, Symbol, shown, signed, summed
from recsys_core.lessons.worlds import Cells, RatedWorld
from recsys_core.text import _, later

if TYPE_CHECKING:
    from recsys_core.models.user_knn import UserKNN

UNRATED = {"Grove": "Grove", "Haven": "Haven"}
"""Films that Ana has not rated at first."""
CENTERINGS = {"none": later("None"), "mean": later("Mean"), "zscore": later("Z-score")}
MOST = len(USERS) - 1
HIGHER, LOWER, SAME = "higher", "lower", "same"
SMALL, MEDIUM, LARGE = "small", "medium", "large"
MISTAKEN = 2
"""Cleo, whose rating is replaced by 1 in the step `mistake`; on a teacher's table it is the first voter above 1."""


@dataclass(frozen=True)
class Numbers:
    """What the production code returned.

    Args:
        predictions: Predicted rating of the item; in step `k` for every k, else for the k of the values.
        uncentered: In step `centering`, the prediction without centering.
        after_mistake: In step `mistake`, the prediction after the neighbor's rating was replaced by 1.
        voters: Positions of the users who vote, by decreasing similarity.
        similarities: Their similarities.
        votes: Their votes: ratings, or deviations from their means in their units of spread.
        level: The mean of the first user that is added; 0 without centering.
        spread: Standard deviation of the first user with z-scores, else 1.
        mistaken: Position of the user whose rating was replaced; None if every vote is 1.
    """

    predictions: tuple[float, ...]
    uncentered: float
    after_mistake: float
    voters: tuple[int, ...]
    similarities: tuple[float, ...]
    votes: tuple[float, ...]
    level: float
    spread: float
    mistaken: int | None


def model_for(world: RatedWorld, ratings: Cells, k: int, centering: str) -> "UserKNN":
    """Return User kNN on these ratings, with k neighbors and the weighted mean as its score."""
    from recsys_core.contracts import RunContext
    from recsys_core.models.user_knn import UserKNN, UserKNNConfig

    config = {"similarity": "cosine", "neighbors": k, "centering": centering, "aggregation": "mean"}
    model = UserKNN(UserKNNConfig.model_validate(config))
    model.fit(world.dataset(ratings), RunContext())
    return model


def predicted(world: RatedWorld, ratings: Cells, item: int, k: int, centering: str) -> float:
    """Return the rating that User kNN predicts for the first user and an item."""
    import numpy as np

    query = world.dataset(ratings).queries(np.array([0]))
    return float(model_for(world, ratings, k, centering).predict_ratings(query)[0, item])


def numbers(step: str, values: Values, world: RatedWorld = WORLD) -> Numbers:
    """Ask User kNN for the predictions that the step shows, and for the votes behind that of the chosen k."""
    ratings, item, k, centering = values["ratings"], world.item(values["film"]), int(values["k"]), values["centering"]
    sizes = range(1, len(world.users)) if step == "k" else (k,)
    predictions = tuple(predicted(world, ratings, item, size, centering) for size in sizes)
    uncentered = predicted(world, ratings, item, k, "none") if step == "centering" else predictions[-1]
    after, votes = predictions[-1], _votes(world, ratings, item, k, centering)
    mistaken = _mistaken(world, ratings, item, votes[0])
    if step == "mistake" and mistaken is not None:
        changed = [list(row) for row in ratings]
        changed[mistaken][item] = 1
        after = predicted(world, changed, item, k, centering)
    return Numbers(predictions, uncentered, after, *votes, mistaken)


def _mistaken(world: RatedWorld, ratings: Cells, item: int, voters: tuple[int, ...]) -> int | None:
    if not world.own:
        return MISTAKEN
    return next((voter for voter in voters if (ratings[voter][item] or 1) > 1), None)


Votes = tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...], float, float]


def _votes(world: RatedWorld, ratings: Cells, item: int, k: int, centering: str) -> Votes:
    """Return voters, similarities, votes, and mean and standard deviation of the first user, as the model uses them."""
    import numpy as np

    from recsys_core.errors import CannotScore
    from recsys_core.models.knn_baselines import row_baselines

    model = model_for(world, ratings, k, centering)
    query = world.dataset(ratings).queries(np.array([0]))
    own = model.history_matrix(query)
    level = row_baselines(own, centering, model.scale)
    try:
        voters = model.explain(query, item).sources
    except CannotScore:
        return (), (), (), float(level.mean[0]), float(level.std[0])
    similarity = next(model.user_similarities(query, own))
    raters = slice(model.votes_by_item.start[item], model.votes_by_item.start[item + 1])
    users = model.votes_by_item.column[raters].tolist()
    vote = dict(zip(users, model.votes_by_item.value[raters].tolist(), strict=True))
    return (
        tuple(map(int, voters)), tuple(map(float, similarity[voters])), tuple(vote[int(user)] for user in voters),
        float(level.mean[0]), float(level.std[0]),
    )  # fmt: skip


def scene(step: str, values: Values, numbers: Numbers, world: RatedWorld = WORLD) -> Scene:
    """Return the ratings, the votes, and the prediction of the step."""
    column, own = world.item(values["film"]), numbers.predictions[-1]
    marked = [f"ratings/0/{column}", *(f"ratings/{user}/{column}" for user in numbers.voters)]
    grid = Grid(
        "ratings", _("Ratings; framed: the votes, and the missing rating"), world.users, world.items,
        values["ratings"], control="ratings", tone=(1, world.high), marked=marked if step == "mean" else marked[:1],
    )  # fmt: skip
    labels = [world.users[user] for user in numbers.voters]
    votes = Bars(
        "vote", _("Similarity of each voter"), labels, numbers.similarities,
        notes=[_("vote {vote}").format(vote=shown(vote)) for vote in numbers.votes], secret=step != "mean",
    )  # fmt: skip
    if step == "k":
        plot = _by_size(world.items[column], numbers)
        first = numbers.predictions[0]
        finding = _("k = 1: {first}; k = {n}: {last}.").format(
            first=shown(first), n=len(numbers.predictions), last=shown(own)
        )
        return Scene((grid, plot), None, finding, _compared(first, own))
    if step == "mistake":
        return _after_mistake(grid, world, world.items[column], numbers)
    if step == "centering":
        finding = _("Without centering {a}, with it {b}.").format(a=shown(numbers.uncentered), b=shown(own))
        formula = _formula(values, numbers, world)
        return Scene((grid, votes), formula, finding, _compared(own, numbers.uncentered))
    return Scene((grid, votes), _formula(values, numbers, world))


def _by_size(item: str, numbers: Numbers) -> Plot:
    x = tuple(map(float, range(1, len(numbers.predictions) + 1)))
    series = (Series(_("prediction"), x, numbers.predictions),)
    title = _("Predicted rating of {film} by k").format(film=item)
    return Plot("curve", title, _("neighbors k"), _("rating"), series, secret=True)


def _after_mistake(grid: Grid, world: RatedWorld, item: str, numbers: Numbers) -> Scene:
    before, after = numbers.predictions[-1], numbers.after_mistake
    assert numbers.mistaken is not None
    finding = _("{user} rates {film} 1: the prediction goes from {before} to {after}.").format(
        user=world.users[numbers.mistaken], film=item, before=shown(before), after=shown(after)
    )
    bars = Bars(
        "change", _("Predicted rating"), (_("before"), _("after")), (before, after), high=float(world.high), digits=2,
        secret=True,
    )  # fmt: skip
    change = abs(after - before)
    return Scene((grid, bars), None, finding, SMALL if change < 1 else MEDIUM if change <= 2 else LARGE)


def _compared(one: float, other: float) -> str:
    return SAME if abs(one - other) < 0.005 else HIGHER if one > other else LOWER


def _formula(values: Values, numbers: Numbers, world: RatedWorld) -> Formula | None:
    if not numbers.voters:
        return None
    column, own = world.item(values["film"]), numbers.predictions[-1]
    terms = [
        rf"\lit2{{{shown(similarity)}}} \cdot \lit3{{{signed(vote)}}}"
        for similarity, vote in zip(numbers.similarities, numbers.votes, strict=True)
    ]
    bottom = " + ".join(rf"\lit2{{{shown(similarity)}}}" for similarity in numbers.similarities)
    added, factor, level = "", "", ""
    if values["centering"] != "none":
        added, level = rf"\lit4{{{shown(numbers.level)}}} + ", r"\lit4{\bar r_u} + "
    if values["centering"] == "zscore":
        factor, level = rf"{shown(numbers.spread)} \cdot ", r"\lit4{\bar r_u} + \sigma_u "
    places, prediction = range(len(numbers.voters)), _("prediction for {film}").format(film=world.items[column])
    symbols = [
        Symbol("r̂_ui", prediction, shown(own), (f"ratings/0/{column}",)),
        Symbol("s_uv", _("similarity of each voter"), "", [f"vote/{place}" for place in places]),
        Symbol("d_vi", _("their votes"), "", [f"ratings/{user}/{column}" for user in numbers.voters]),
    ]  # fmt: skip
    if added:
        whose = _("mean of {user}").format(user=world.users[0])
        symbols.append(Symbol("r̄_u", whose, shown(numbers.level), ("ratings/0",)))
    mean = r"\frac{\sum_v \lit2{s_{uv}} \lit3{d_{vi}}}{\sum_v \lit2{s_{uv}}}"
    return Formula(
        rf"\lit1{{\hat r_{{ui}}}} = {level}{mean}",
        rf"\lit1{{{shown(own)}}} = {added}{factor}\frac{{{summed(terms)}}}{{{bottom}}}",
        symbols,
    )


LESSON = Lesson(
    key="prediction",
    number=6,
    title=later("k and the prediction"),
    idea=later("A predicted rating is the weighted mean of what the k most similar users gave."),
    sections=("2.2",),
    controls=(
        Matrix("ratings", later("Ratings"), RATINGS),
        Choice("film", later("Film"), UNRATED, "Haven"),
        Slider("k", later("Neighbors k"), tuple(range(1, MOST + 1)), 2),
        Choice("centering", later("Centering"), CENTERINGS, "mean"),
    ),
    steps=(
        Step(
            "mean",
            later("A weighted mean, term by term"),
            later(
                "Ana has not rated Grove and Haven. User kNN looks at the users who rated the film, takes the **k most "
                "similar** of them, and lets each vote with its rating. A vote counts as much as the similarity (here "
                "the cosine).\n\nChange a rating or k, and follow the terms."
            ),
            controls=("film", "k"),
            fixed={"centering": "none"},
        ),
        Step(
            "k",
            later("How many neighbors?"),
            later(
                "With k = 1 only the most similar rater counts, with k = 5 everybody. A small k follows few users "
                "closely; a large k approaches a mean rating of the film, nearly the same for everybody."
            ),
            controls=("film",),
            fixed={"centering": "none"},
            predict=Predict(
                later("Is the prediction with k = 1 higher or lower than with k = 5?"),
                {HIGHER: later("Higher"), LOWER: later("Lower"), SAME: later("The same")},
            ),
        ),
        Step(
            "centering",
            later("Strict and generous raters"),
            later(
                "Cleo gives 3 to 5 stars, Ana 1 to 5. **Mean centering** lets a neighbor vote with the deviation from "
                "the own mean, and adds the mean of Ana at the end. **Z-scores** also divide by the spread of the "
                "neighbor's ratings and multiply by Ana's."
            ),
            controls=("centering", "k", "film"),
            predict=Predict(
                later("Does the selected centering raise or lower the prediction?"),
                {HIGHER: later("It raises it"), LOWER: later("It lowers it"), SAME: later("No change")},
            ),
        ),
        Step(
            "mistake",
            later("Break it: one wrong rating"),
            later(
                "Cleo hits the 1 by mistake when she rates the film selected below. With a small k, a single rating "
                "can carry the whole prediction. Predict for the k selected below, then try a larger one."
            ),
            controls=("k", "film"),
            fixed={"centering": "none"},
            predict=Predict(
                later("By how much does the prediction change?"),
                {SMALL: later("Less than 1 star"), MEDIUM: later("1 to 2 stars"), LARGE: later("More than 2 stars")},
            ),
            breaks=True,
        ),
    ),
    checks=(
        SelfCheck(
            later("k equals the number of all users. What is the prediction close to, without centering?"),
            (
                later("The mean rating of the item"),
                later("The mean rating of the user"),
                later("The rating of the nearest neighbor"),
            ),
            0,
            later(
                "Everybody who rated the item votes, weighted by similarity. If the similarities differ little, as "
                "cosines of positive ratings do, this is nearly the mean of the item."
            ),
        ),
        SelfCheck(
            later("A neighbor's mean is 4.5, and the neighbor gave the item 4. What is the vote with mean centering?"),
            (later("4"), later("+0.5"), later("−0.5")),
            2,
            later("The vote is the deviation from the own mean: 4 − 4.5. For this neighbor, 4 is a low rating."),
        ),
    ),
    numbers=numbers,
    scene=scene,
    functions=(
        "models.user_knn:UserKNN.predict_ratings",
        "models.user_knn:UserKNN.explain",
        "models.knn_baselines:row_baselines",
    ),
    own_data=OwnData(
        "inside",
        later("The arithmetic of a prediction in your data"),
        model="user_knn",
        settings={"centering": "centering"},
    ),
)
