"""What the page Attention shows pictures of: a trace with whose it is, of an example or of a trained model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pages.ui.queries import model_queries

if TYPE_CHECKING:
    from recsys_core.contracts import QueryBatch
    from recsys_core.evaluation.sentences import Sentence
    from recsys_core.explain.attention import Attended
    from recsys_core.explain.attention_effects import Beside


@dataclass(frozen=True, eq=False)
class Seen:
    """What is looked at.

    Args:
        found: What the model attended to, with names.
        model: Title of the model.
        person: What to call whose history it is, as it came.
        key: Names it in keys and caches: letters, digits, underscores.
        decoding: How a model that says a sequence makes its lists (`one_step`, `greedy`, `beam`); else empty.
        reads: How much of the history the model reads, None if all.
        beside: Attention beside influence of the example; None of a trained model, which is asked.
        named: The trained model, None for the example.
        query: What the trained model was asked, None for the example.
        about: Key of the person, for what else is asked about them.
        data: Fingerprint of the data of the trained model.
    """

    found: "Attended"
    model: str
    person: str
    key: str
    decoding: str = ""
    reads: "Sentence | None" = None
    beside: "Beside | None" = None
    named: model_queries.Named | None = None
    query: "QueryBatch | None" = None
    about: str = ""
    data: str = ""
