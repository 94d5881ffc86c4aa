"""Settings of User kNN and Item kNN."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.contracts import Knob, ModelConfig
from recsys_core.models.similarity import FORMS, KINDS, Measure, ShrinkageForm, SimilarityName
from recsys_core.models.term_weighting import TermWeighting, WeightingName

RATINGS_ONLY = ("pearson", "adjusted_cosine", "msd")
"""Similarities that are undefined or constant if all values are 1."""
COUNTING = ("jaccard", "tversky")
"""Similarities that ignore the values."""
WEIGHABLE = ("cosine", "dot")
"""Similarities of entries that may be weighted by TF-IDF or BM25."""


class KnnConfig(ModelConfig):
    """Settings of the kNN models."""

    added: ClassVar[Mapping[str, Any]] = {
        "weighting": "none",
        "bm25_k1": 1.2,
        "bm25_b": 0.75,
        "tversky_alpha": 0.5,
        "tversky_beta": 0.5,
    }
    neighbors: Annotated[int, Field(ge=1, le=10_000), Knob(5, 500, scale="log", symbol="k")] = 40
    """Number of most similar users (User kNN) or items (Item kNN) that contribute to a score."""
    similarity: Annotated[SimilarityName, Knob(symbol="s")] = "cosine"
    """Similarity measure between two users or two items. Pearson, adjusted cosine and MSD need ratings."""
    weighting: Annotated[WeightingName, Knob(synonyms=(("tf_idf", "tfidf"),))] = "none"
    """Weighting of the ratings or confidences before they are compared: TF-IDF or BM25 reduce the weight of users with
    many items (Item kNN) or of items with many users (User kNN). With cosine or dot only."""
    centering: Annotated[Literal["none", "mean", "zscore"], Knob()] = "none"
    """Normalization of ratings: none, mean-centering, or z-score, by the mean and standard deviation of the user (User
    kNN) or item (Item kNN). Needs ratings."""
    shrinkage: Annotated[float, Field(ge=0, le=10_000), Knob(0, 200, symbol=r"\beta")] = 0.0
    """Reduces similarities that are computed from few common items (User kNN) or common users (Item kNN), also called
    significance weighting; 0 switches it off."""
    min_overlap: Annotated[int, Field(ge=1, le=1000), Knob(1, 20, label="Minimum overlap")] = 1
    """Minimum number of common items (User kNN) or common users (Item kNN); with fewer, the similarity is 0."""
    aggregation: Annotated[Literal["sum", "mean"], Knob()] = "sum"
    """Score used for ranking: the sum of the neighbors' weighted votes, or their weighted mean (the predicted rating).
    """
    shrinkage_form: Annotated[ShrinkageForm, Knob(advanced=True)] = "linear"
    """How shrinkage is applied to a pair with n common items or users: 'linear' multiplies the similarity by min(n,
    shrinkage) / shrinkage, 'hyperbolic' by n / (n + shrinkage); 'denominator' adds shrinkage to the denominator of the
    similarity, in squared rating units."""
    iterations: Annotated[int, Field(ge=1, le=100), Knob(1, 10, advanced=True, label="Similarity rounds")] = 1
    """Maximum number of rounds in which similarities are computed. 1 is plain kNN; in each further round, missing
    ratings are imputed with the predictions of the previous round."""
    bm25_k1: Annotated[
        float, Field(gt=0, le=1000), Knob(0.1, 100, scale="log", advanced=True, symbol="k_1", label="BM25 k1")
    ] = 1.2
    """Saturation of BM25: the smaller, the less large entries differ. Only used with weighting=bm25."""
    bm25_b: Annotated[float, Field(ge=0, le=1), Knob(0, 1, advanced=True, symbol="b", label="BM25 b")] = 0.75
    """How much BM25 reduces the entries of items (Item kNN) or users (User kNN) with many interactions: 0 not at all.
    Only used with weighting=bm25."""
    tversky_alpha: Annotated[float, Field(ge=0, le=100), Knob(0, 2, advanced=True, symbol="a")] = 0.5
    """Weight of what only the item to score (Item kNN) or the user (User kNN) has. Only used with similarity=tversky;
    alpha = beta = 0.5 is the Dice coefficient, 1 is Jaccard."""
    tversky_beta: Annotated[float, Field(ge=0, le=100), Knob(0, 2, advanced=True, symbol="b")] = 0.5
    """Weight of what only the neighbor has. Only used with similarity=tversky."""
    tolerance: Annotated[float, Field(gt=0, le=10), Knob(1e-3, 0.5, scale="log", advanced=True)] = 0.01
    """Convergence threshold: the rounds end once no prediction changes by this much, in rating units. Only used with
    more than one round."""

    @property
    def measure(self) -> Measure:
        """The similarity in the form that compiled code takes."""
        return Measure(
            KINDS[self.similarity],
            self.shrinkage,
            FORMS[self.shrinkage_form],
            self.min_overlap,
            self.tversky_alpha,
            self.tversky_beta,
        )

    def weighting_of(self, rows: csr_array) -> TermWeighting:
        """Return the weighting of entries with the statistics of the training rows (R, C)."""
        return TermWeighting.of(rows, self.weighting, self.bm25_k1, self.bm25_b)
