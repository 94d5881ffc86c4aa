"""What all views of the Strategy page share: the experiment, the model, and the strategy being edited."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pages.ui.queries.strategy_queries import Basis

if TYPE_CHECKING:
    from recsys_core.data.dataset import Dataset
    from recsys_core.experiments.experiment import Run
    from recsys_core.strategy.cards import Strategy


@dataclass(frozen=True, eq=False)
class Context:
    """What a view shows.

    Args:
        run: The experiment.
        dataset: Its data.
        strategy: The strategy being edited.
        basis: What it is judged on.
        models: Id -> title of the finished models.
        basis_of: Title -> what the same strategy is judged on with another model.
    """

    run: "Run"
    dataset: "Dataset"
    strategy: "Strategy"
    basis: Basis
    models: dict[str, str]
    basis_of: dict[str, Basis]
