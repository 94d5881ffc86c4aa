"""Social kNN: User kNN whose neighbor weights combine similarity and trust.

The weight of neighbor v of user u (`user_knn.py`) is

    w_uv = (1 - mix) s_uv + mix t_uv

s_uv is the similarity of the histories. t_uv is trust: the weight of the link from u to v relative to the largest
weight; over several links, up to `hops`, the product of their weights times decay for each link after the first, on the
best path (`profiles/graph.py`). The k neighbors of largest w_uv vote as in User kNN; mix = 0 is User kNN.

Trust is known for training users alone. An unknown user, and one without links, is scored by similarity alone, as with
mix = 0. Only the 1000 most trusted users of each user are kept, so that three hops in a dense graph fit into memory.

Too much weight on trust hurts: on lastfm-2k (random split by ratio, 40 neighbors) validation NDCG@10 was 0.129 with
mix = 0, 0.131 with 0.1, 0.124 with 0.5 and 0.092 with 1. On the test set 0.1 reached 0.2049 and 0 reached 0.2028,
difference 0.0021 with a 95% interval of 0.0001 to 0.0042; on four other splits the difference was 0.0008 to 0.0032, and
one interval contained 0.

Source: the source document, section 3, point 3; the mixture as in Victor et al. 2011, "Trust and Recommendations",
section 3 (there as EnsembleTrustCF, which prefers trust over similarity where there is both).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.contracts import (
    PAD,
    SOURCE_DOCUMENT,
    Ability,
    Explanation,
    FloatArray,
    FoldIn,
    Knob,
    ModelInfo,
    QueryBatch,
    RunContext,
)
from recsys_core.data import Dataset
from recsys_core.models.friends import LINKS_OF_A_USER, SocialConfig, UsesGraph, graph_memory, graph_of
from recsys_core.models.user_knn import UserKNN, UserKNNConfig, user_formula
from recsys_core.profiles.graph import MOST_HOPS, propagated_trust

MOST_TRUSTED = 1000


class SocialKNNConfig(UserKNNConfig, SocialConfig):
    """Settings of Social kNN."""

    mix: Annotated[float, Field(ge=0, le=1), Knob(0.0, 1.0, symbol="m", label="Trust share")] = 0.1
    """Share of trust in the weight of a neighbor; the rest is the similarity of both users. 0 uses similarity alone,
    1 uses trust alone."""
    hops: Annotated[int, Field(ge=1, le=MOST_HOPS), Knob(1, MOST_HOPS, symbol="h", label="Maximum hops")] = 1
    """Maximum number of links of a path along which trust is propagated: 1 uses direct links, 2 also friends of
    friends, and so on."""
    decay: Annotated[float, Field(gt=0, le=1), Knob(0.1, 0.9, symbol=r"\delta", label="Trust decay")] = 0.5
    """Factor by which trust is multiplied for each link of a path after the first: with 0.5, a friend of a friend
    counts half as much as a friend. Only used with more than one hop."""


def social_formula(config: SocialKNNConfig, *, rated: bool = True, weighted: bool = False) -> str:
    """Return the formula with these settings as LaTeX: that of User kNN, with trust in the weights."""
    if config.mix == 0.0:
        return user_formula(config, rated=rated, weighted=weighted)
    parts = [
        user_formula(config, "w_{uv}", rated=rated, weighted=weighted),
        r"w_{uv} = (1 - m) \, s_{uv} + m \, t_{uv}",
    ]
    if config.hops > 1:
        path = r"u = v_0, \dots, v_l = v,\ l \le h"
        parts.append(rf"t_{{uv}} = \max_{{{path}}} \delta^{{l-1}} \prod_{{a=1}}^{{l}} t_{{v_{{a-1}} v_a}}")
    return r", \quad ".join(parts)


class SocialKNN(UsesGraph, UserKNN):
    """Scores an item by the votes of trusted and similar users."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="social_knn",
        title="Social kNN",
        family="social",
        idea="User kNN whose neighbor weights combine similarity with trust propagated along social links.",
        formula=social_formula(SocialKNNConfig()),
        source=f"{SOURCE_DOCUMENT}, section 3, point 3; Massa and Avesani 2007",
        abilities=frozenset({Ability.PREDICTS_RATINGS, Ability.EXPLAINS_ITEMS}),
        weights="Without ratings, log2(1 + weight / median weight) replaces the rating in similarities and "
        "votes; with ratings, weights are ignored.",
        views=("graph", "nearest"),
        fold_in=FoldIn.APPROXIMATE,
        fold_in_note="The user has no links, so neighbors are weighted by similarity alone.",
    )
    config_type = SocialKNNConfig
    config: SocialKNNConfig
    fitted = (*UserKNN.fitted, "trust", "links")

    formula_of = staticmethod(social_formula)  # type: ignore[assignment]  # it has more settings than User kNN

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        for _ in ctx.track(range(1), stage="follow the links"):
            self.links = graph_of(self.config.graph, train)  # (U, U)
            self.trust = propagated_trust(self.links, self.config.hops, self.config.decay, MOST_TRUSTED)  # (U, U)
        super()._fit(train, ctx)

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` into the votes of trusted and similar users; see `UserKNN.explain`.

        Raises:
            CannotScore: No neighbor votes for the item.
        """
        kind = "friends" if self.config.graph == "social" else "neighbours"  # co-rating links are not friendships
        return replace(super().explain(query, item), kind=kind)

    def user_similarities(self, query: QueryBatch, ratings: csr_array) -> Iterator[FloatArray]:
        """Yield, for each user in the query, (U,) the weight of all training users; 0 for the user themselves."""
        mix = self.config.mix
        for user, similarity in zip(query.user, super().user_similarities(query, ratings), strict=True):
            first, end = (0, 0) if user == PAD else (self.trust.indptr[user], self.trust.indptr[user + 1])
            if mix == 0.0 or first == end:
                yield similarity
                continue
            weight: FloatArray = (1.0 - mix) * similarity
            weight[self.trust.indices[first:end]] += mix * self.trust.data[first:end]
            yield weight

    @classmethod
    def memory_estimate(cls, config: UserKNNConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of User kNN and of the propagated trust, during its construction."""
        assert isinstance(config, SocialKNNConfig)
        plain = super().memory_estimate(config, n_users, n_items, n_interactions)
        trusted: int = n_users * min(n_users, MOST_TRUSTED, LINKS_OF_A_USER**config.hops)
        return plain + graph_memory(config.graph, n_users) + 40 * trusted
