"""The data of the Attention page: a trace with its user, of an example or of a trained model."""

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
    """An attention trace with its context.

    Args:
        attended: Attention weights with item titles.
        model: Title of the model.
        user: Display name of the user, unescaped.
        key: Identifies the trace in keys and caches: letters, digits, underscores.
        decoding: How a sequence decoder makes its lists (`one_step`, `greedy`, `beam`); else empty.
        reads: How much of the history the model uses, None if all.
        beside: Attention and influence of the example; None for a trained model, where it is computed.
        named: The trained model, None for the example.
        query: Input of the trained model, None for the example.
        about: Cache key of the user.
        data: Fingerprint of the data of the trained model.
    """

    attended: "Attended"
    model: str
    user: str
    key: str
    decoding: str = ""
    reads: "Sentence | None" = None
    beside: "Beside | None" = None
    named: model_queries.Named | None = None
    query: "QueryBatch | None" = None
    about: str = ""
    data: str = ""
