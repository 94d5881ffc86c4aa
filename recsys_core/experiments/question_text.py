"""What an experiment asks, in plain sentences: what is predicted, how it is tested, for whom, and by which metric."""

from recsys_core.data.split_spec import SplitSpec
from recsys_core.evaluation.fallback import RECENT_SHARE
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.evaluation.sentences import listed
from recsys_core.experiments.spec import ExperimentSpec, Users
from recsys_core.text import Sentence, Template, percent, whole

TARGET = Template("Predicted: {target}. Models learn from {learned}.")
TARGET_ALONE = Template("Predicted: {target}. Models learn from all interactions.")
ALL_EVENTS = Template("Predicted: all interactions, which models also learn from.")
RELEVANT = Template("A recommended item is relevant if its test interaction has a rating of at least {threshold}.")
ALL_RELEVANT = Template("A recommended item is relevant if the user has a test interaction with it.")
ONLY_RELEVANT = Template("Ranking models learn from ratings of at least {threshold} only.")
SPLITS = {
    "ratio": Template("Test cases are a random {share} of each user's interactions."),
    "leave_last_out": Template(
        "Test cases are each user's latest interaction.", "Test cases are each user's {count} latest interactions."
    ),
    "global_time": Template(
        "Test cases are the latest {share} of the interactions; models learn from what precedes them.",
        "Test cases are the latest {share} of the interactions, in {count} consecutive time windows; models are "
        "trained anew before each window.",
    ),
    "k_fold": Template(
        "Each interaction is a test case once, in {count} folds.", "Each interaction is a test case once, in {count} "
        "folds.",
    ),
    "user_holdout": Template(
        "{share} of the users are held out of training; of each of their histories, 20% are test cases (at least "
        "one), and models get the rest."
    ),
    "item_holdout": Template("{share} of the items are held out of training, and only these are ranked."),
    "uploaded": Template("Test cases are those of a second data set."),
}  # fmt: skip
PREDICTED_ONLY = Template("Only interactions of the predicted events are test cases.")
FIXED_WINDOWS = Template("Each window has a training period of the same length.")
GAP = Template("One day before each test period is not used.", "{days} days before each test period are not used.")
USERS: dict[Users, Template] = {
    "with_history": Template("The verdict is about test users with training history."),
    "without_history": Template("The verdict is about test users without training history."),
    "all": Template("The verdict is about all test users."),
}
FALLBACKS = {
    "popularity": Template("Users for whom a model has no score get the most popular items of the training data."),
    "recent_popularity": Template(
        "Users for whom a model has no score get the most popular items of the latest {share} of the training data."
    ),
}
TRAININGS = Template(
    "Each model is trained with one seed, {seed}.",
    "Each model that depends on the seed is trained with {count} seeds, {seed} to {last}.",
)
METRIC = Template("The primary metric, fixed before the training, is {metric}.")


def question_sentences(spec: ExperimentSpec) -> list[Sentence]:
    """Return the question of an experiment, one sentence per choice."""
    return [
        _predicted(spec),
        *_relevance(spec),
        *_tested(spec.split),
        *([PREDICTED_ONLY.fill()] if spec.target else []),
        USERS[spec.users].fill(),
        *([FALLBACKS[spec.fallback].fill(share=percent(RECENT_SHARE))] if spec.fallback != "none" else []),
        TRAININGS.fill(spec.seeds, seed=str(spec.seed), last=str(spec.seed + spec.seeds - 1)),
        METRIC.fill(metric=MetricName.parse(spec.metric).title),
    ]


def _predicted(spec: ExperimentSpec) -> Sentence:
    learned = [f"{event} (weight {weight:g})" for event, weight in spec.learn_from.items()]
    target = spec.target or tuple(spec.learn_from)  # without a target, the events learned from are also predicted
    if learned:
        return TARGET.fill(target=listed(target), learned=listed(learned))
    return TARGET_ALONE.fill(target=listed(target)) if target else ALL_EVENTS.fill()


def _relevance(spec: ExperimentSpec) -> list[Sentence]:
    if spec.relevant_from is None:
        return [ALL_RELEVANT.fill()]
    threshold = f"{spec.relevant_from:g}"
    only = [ONLY_RELEVANT.fill(threshold=threshold)] if spec.train_on == "relevant" else []
    return [RELEVANT.fill(threshold=threshold), *only]


def _tested(split: SplitSpec) -> list[Sentence]:
    count = split.last if split.kind == "leave_last_out" else split.n_folds
    found = [SPLITS[split.kind].fill(count, share=percent(split.test_fraction))]
    if split.kind == "global_time":
        if split.windows > 1 and split.window_training == "fixed":
            found.append(FIXED_WINDOWS.fill())
        if split.gap_days:
            found.append(
                GAP.fill(
                    1 if split.gap_days == 1 else 2,
                    days=f"{split.gap_days:g}" if split.gap_days % 1 else whole(split.gap_days),
                )
            )
    return found
