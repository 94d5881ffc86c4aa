"""Which part of an experiment with several folds or trainings its strategies are priced on."""

from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.text import Sentence, Template

FIRST_OF = {
    "global_time": Template(
        "Strategies are priced on the test data of the first of {n} time windows, with the models trained for it."
    ),
    "k_fold": Template(
        "Strategies are priced on the test data of the first of {n} folds, with the models trained for it."
    ),
}
FIRST_SEED = Template(
    "Models that depend on the seed were trained {n} times; strategies are priced on the lists of the first training."
)


def priced_part(spec: ExperimentSpec) -> list[Sentence]:
    """State which part of an experiment its candidates come from; nothing if it is the whole."""
    split = spec.split
    found = [FIRST_OF[split.kind].fill(n=str(split.n_folds))] if split.n_folds > 1 else []
    return [*found, FIRST_SEED.fill(n=str(spec.seeds))] if spec.seeds > 1 else found
