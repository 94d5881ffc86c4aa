"""Lesson 7: until it converges. Missing ratings are imputed, similarities are computed again, and it may not settle."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recsys_core.lessons.controls import Choice, Matrix, Slider, Values
from recsys_core.lessons.lesson import Lesson, OwnData, Predict, SelfCheck, Step
from recsys_core.lessons.neighbors import RATINGS, WORLD
from recsys_core.lessons.picture import Bars, Formula, Grid, Plot, Scene, Series, Symbol, shown, summed
from recsys_core.lessons.worlds import RatedWorld
from recsys_core.text import _, later

if TYPE_CHECKING:
    from recsys_core.contracts import Progress
    from recsys_core.data import Dataset
    from recsys_core.models.user_knn import UserKNN

MOST_ROUNDS = 20
TINY = 1e-9
"""Tolerance that no change but 0 stays below."""
FOLLOWED = 8
"""Number of rounds in which one cell is followed."""
FALLS, STAYS = "falls", "stays"
MORE = "more"
COUNTS = {str(count): str(count) for count in range(2, 7)} | {MORE: later("More, or never")}
YES, NO = "yes", "no"


@dataclass(frozen=True)
class Numbers:
    """What the production code returned.

    Args:
        table: (U, I) ratings, and predictions of the shown round in the other cells; empty where it is not shown.
        largest: Largest change in each further round, from round 2 on.
        mean: Mean change, likewise.
        rounds: Rounds until no prediction changes by the tolerance; None if 20 are not enough.
        cell: In the step `one`, the chosen cell after each of the first rounds.
        score: Prediction of round 1 for the chosen cell, None without a vote.
        voters: Position of each user who votes for it in round 1, and the share of the prediction.
        stranger: Prediction of the final model for the first user, and for an unknown user with the same ratings.
    """

    table: tuple[tuple[float, ...], ...]
    largest: tuple[float, ...]
    mean: tuple[float, ...]
    rounds: int | None
    cell: tuple[float, ...]
    score: float | None
    voters: tuple[tuple[int, float], ...]
    stranger: tuple[float, float]


def trained(data: "Dataset", k: int, rounds: int, tolerance: float) -> "tuple[UserKNN, list[Progress]]":
    """Return User kNN by cosine with weighted means, and the changes of its rounds."""
    from recsys_core.contracts import RunContext
    from recsys_core.models.knn_base import ROUNDS
    from recsys_core.models.user_knn import UserKNN, UserKNNConfig

    notes: list[Progress] = []
    settings = {"neighbors": k, "aggregation": "mean", "iterations": rounds, "tolerance": tolerance}
    model = UserKNN(UserKNNConfig.model_validate(settings))
    model.fit(data, RunContext(report=notes.append))
    return model, [note for note in notes if note.stage == ROUNDS and note.values]


def numbers(step: str, values: Values, world: RatedWorld = WORLD) -> Numbers:
    """Ask User kNN for its predictions after each round, and for the change of each round."""
    import numpy as np

    from recsys_core.contracts import PAD, QueryBatch

    data, k = world.dataset(values["ratings"]), int(values["k"])
    user, film = world.user(values["user"]), world.item(values["film"])
    last = {"gaps": 1, "again": int(values["round"]), "one": FOLLOWED}.get(step, 0)
    tables = [
        trained(data, k, number + 1, TINY)[0].filled for number in range(1 if step == "one" else last, last + 1) if last
    ]
    _all, changes = trained(data, k, MOST_ROUNDS, TINY)
    final, needed = trained(data, k, MOST_ROUNDS, float(values["tolerance"]))
    settled = bool(needed) and needed[-1].values["largest_change"] < float(values["tolerance"])
    plain, person = trained(data, k, 1, TINY)[0], data.queries(np.array([user]))
    score: float | None = None
    voters: tuple[tuple[int, float], ...] = ()
    if not np.isnan(plain.score(person)[0, film]):
        told = plain.explain(person, film)
        score = float(told.score)
        voters = tuple((int(one), float(share)) for one, share in zip(told.sources, told.weights, strict=True))
    first = data.queries(np.array([0]))
    unknown = QueryBatch(np.array([PAD]), first.history, first.values)
    return Numbers(
        table=tuple(tuple(map(float, row)) for row in tables[-1]) if last else (),
        largest=tuple(note.values["largest_change"] for note in changes),
        mean=tuple(note.values["mean_change"] for note in changes),
        rounds=len(needed) + 1 if settled else None,
        cell=tuple(float(one[user, film]) for one in tables) if step == "one" else (),
        score=score,
        voters=voters,
        stranger=(float(final.score(first)[0, film]), float(final.score(unknown)[0, film])),
    )


def scene(step: str, values: Values, numbers: Numbers, world: RatedWorld = WORLD) -> Scene:
    """Return ratings, imputed table or changes by round, and the arithmetic of one prediction."""
    user, film = world.user(values["user"]), world.item(values["film"])
    if step == "stranger":
        user = 0
    grid = Grid(
        "ratings", _("Ratings (1 to {high}; empty: not rated)").format(high=world.high), world.users, world.items,
        values["ratings"], control="ratings", tone=(1, world.high), marked=(f"ratings/{user}/{film}",),
    )  # fmt: skip
    parts: list[Grid | Plot | Bars] = [grid]
    if step in ("gaps", "again"):
        parts.append(_imputed(step, values, numbers, (user, film), world))
    if step in ("again", "tolerance"):
        parts.append(_changes(numbers))
    if step == "one":
        parts.append(_followed(user, film, numbers, world))
    if step == "stranger":
        who = (world.users[0], _("Unknown user with the same ratings"))
        title = _("Prediction for {film} after the last round").format(film=world.items[film])
        parts.append(Bars("predictions", title, who, numbers.stranger, high=float(world.high), secret=True))
    formula = _formula(user, film, values, numbers, world) if step in ("gaps", "again") else None
    return Scene(tuple(parts), formula, _finding(step, values, numbers, world), _answer(step, numbers))


def _imputed(step: str, values: Values, numbers: Numbers, at: tuple[int, int], world: RatedWorld) -> Grid:
    known = values["ratings"]
    cells = [
        [float(given) if given is not None else round(numbers.table[row][column], 2)
         for column, given in enumerate(line)]
        for row, line in enumerate(known)
    ]  # fmt: skip
    name = "imputed" if step == "gaps" else "ratings"  # takes the place of the ratings
    return Grid(
        name, _("Ratings and predictions after round {round}").format(round=int(values["round"])), world.users,
        world.items, cells, tone=(1, world.high), digits=1, marked=(f"{name}/{at[0]}/{at[1]}",), secret=step != "gaps",
    )  # fmt: skip


def _changes(numbers: Numbers) -> Plot:
    rounds = [number + 2 for number in range(len(numbers.largest))]
    return Plot(
        "changes", _("Change of the predictions in each round"), _("Round"), _("Rating units (logarithmic)"),
        (
            Series(_("Largest"), rounds, [value or None for value in numbers.largest]),
            Series(_("Mean"), rounds, [value or None for value in numbers.mean]),
        ),
        log_y=True, secret=True,
    )  # fmt: skip


def _followed(user: int, film: int, numbers: Numbers, world: RatedWorld) -> Plot:
    label = _("{user}, {film}").format(user=world.users[user], film=world.items[film])
    rounds = list(range(1, FOLLOWED + 1))
    return Plot(
        "cell", _("One prediction, round by round"), _("Round"), _("Prediction"),
        (Series(label, rounds, numbers.cell, dots=True),), secret=True,
    )  # fmt: skip


def _formula(user: int, film: int, values: Values, numbers: Numbers, world: RatedWorld) -> Formula | None:
    if numbers.score is None:
        return None
    general = (
        r"\lit1{\hat{r}_{ui}} = \frac{\sum_{v \in N_k(u, i)} \lit2{s_{uv}} \, \lit3{r_{vi}}}{\sum_v \lit2{s_{uv}}}"
    )
    given = values["ratings"]
    total = numbers.score
    terms = [
        rf"\lit2{{{shown(share / given[voter][film])}}} \cdot \lit3{{{given[voter][film]}}}"
        for voter, share in numbers.voters
    ]
    symbols = (
        Symbol(
            "r_ui",
            _("prediction of round 1 for {user} and {film}").format(user=world.users[user], film=world.items[film]),
            shown(total), (f"ratings/{user}/{film}",),
        ),
        Symbol(
            "s_uv", _("similarity of the neighbor, as a share of all"), "",
            tuple(f"ratings/{voter}" for voter, _share in numbers.voters),
        ),
        Symbol(
            "r_vi", _("rating of the neighbor"), "",
            tuple(f"ratings/{voter}/{film}" for voter, _share in numbers.voters),
        ),
    )  # fmt: skip
    return Formula(general, rf"\lit1{{{shown(total)}}} = {summed(terms, 2)}", symbols)


def _answer(step: str, numbers: Numbers) -> str:
    if step == "again":
        return FALLS if len(numbers.largest) < 2 or numbers.largest[-1] < numbers.largest[0] / 10 else STAYS
    if step == "tolerance":
        return str(numbers.rounds) if str(numbers.rounds) in COUNTS else MORE
    if step == "one":
        return YES if numbers.rounds is not None else NO
    return YES if numbers.stranger[0] == numbers.stranger[1] else NO


def _finding(step: str, values: Values, numbers: Numbers, world: RatedWorld) -> str:
    user, film = world.users[world.user(values["user"])], world.items[world.item(values["film"])]
    if step == "gaps":
        if numbers.score is None:
            return _("No neighbor of {user} rated {film}.").format(user=user, film=film)
        return _("Round 1 predicts {score} for {user} and {film}.").format(
            score=shown(numbers.score), user=user, film=film
        )
    if step == "stranger":
        return _("{user}: {known}. An unknown user with the same ratings: {unknown}.").format(
            user=world.users[0], known=shown(numbers.stranger[0], 4), unknown=shown(numbers.stranger[1], 4)
        )
    if step == "again":
        return _("Largest change by round: {changes}.").format(
            changes=", ".join(shown(value, 3) for value in numbers.largest[:5])
        )
    if numbers.rounds is None:
        return _("After {rounds} rounds, a prediction still changes by {change}.").format(
            rounds=MOST_ROUNDS, change=shown(numbers.largest[-1])
        )
    return _("In round {round}, every prediction changed by less than {tolerance}.").format(
        round=numbers.rounds, tolerance=f"{float(values['tolerance']):g}"
    )


LESSON = Lesson(
    key="convergence",
    number=7,
    title=later("Until it converges"),
    idea=later("Predictions can fill the gaps of the neighbors and change the similarities; usually this settles."),
    sections=("2.2",),
    controls=(
        Matrix("ratings", later("Ratings"), RATINGS),
        Choice("user", later("User"), WORLD.user_options(), "Ana"),
        Choice("film", later("Film"), WORLD.item_options(), "Grove"),
        Slider("round", later("Round"), (1, 2, 3, 4, 5, 6), 1),
        Slider("k", later("Neighbors k"), (1, 2, 3, 5), 3),
        Slider("tolerance", later("Tolerance"), (0.001, 0.01, 0.1, 0.5), 0.01),
    ),
    steps=(
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
            fixed={"k": 1, "user": "Ben", "film": "Haven", "round": 1, "tolerance": 0.01},
            predict=Predict(later("Do the predictions settle within 20 rounds?"), {YES: later("Yes"), NO: later("No")}),
            breaks=True,
        ),
        Step(
            "stranger",
            later("The row that is compared is not filled"),
            later(
                "The row of the user who asks keeps its observed ratings; only the rows of the others are filled. The "
                "source document leaves this open. What follows for a new user who rates as Ana does?"
            ),
            controls=("film",),
            fixed={"k": 3, "user": "Ana", "round": 1, "tolerance": 0.01},
            predict=Predict(
                later("Does an unknown user with Ana's ratings get her predictions?"),
                {YES: later("Yes, exactly"), NO: later("No, others")},
            ),
        ),
    ),
    checks=(
        SelfCheck(
            later("In round 2, what is different from round 1?"),
            (
                later("The observed ratings of the neighbors are replaced."),
                later("The similarities, since the neighbors' empty cells have values."),
                later("Imputed ratings vote for items."),
            ),
            1,
            later(
                "Observed ratings never change, and only they vote. Imputed values act through the similarities, which "
                "select and weight the neighbors."
            ),
        ),
        SelfCheck(
            later("The mean change is 0.001, the largest 3. Has it converged?"),
            (
                later("Yes, the mean is small."),
                later("No: at least one prediction still jumps."),
                later("One cannot tell."),
            ),
            1,
            later(
                "Most predictions are settled, but one changes by three stars each round. The rule of the largest "
                "change says so, and the training history of the model shows both."
            ),
        ),
    ),
    numbers=numbers,
    scene=scene,
    functions=(
        "models.knn_base:change_between",
        "models.user_knn:UserKNN.explain",
        "models.similarity:rows_of_dense",
    ),
    own_data=OwnData(
        "train",
        later("Train User kNN with similarity rounds"),
        model="user_knn",
        settings={"tolerance": "tolerance"},
        fixed={"iterations": 10},
    ),
)
