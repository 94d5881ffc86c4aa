"""Social neighbours: listen to people whom you trust, and to people who agreed with you before.

The user-based neighbours (`user_knn.py`) with another weight for each neighbour v of u:

    w_uv = (1 - mix) s_uv + mix t_uv

s_uv is the similarity of the histories. t_uv is trust: the weight of the link from u to v in units of the heaviest
link; over more links, up to `hops`, the product of their weights times decay for each link after the first, on the best
path (`profiles/graph.py`). The k neighbours of largest w_uv vote, as in the plain model; mix = 0 is the plain model.

Who is trusted is known of training users alone. An unknown person, and one who trusts nobody, is served by similarity
alone, as with mix = 0. Of each user the 1000 most trusted people are kept, so that three hops through a crowd fit into
memory.

Too much trust harms: on lastfm-2k (random split by ratio, 40 neighbours) validation NDCG@10 was 0.129 with mix = 0,
0.131 with 0.1, 0.124 with 0.5 and 0.092 with 1. On the test part 0.1 reached 0.2049 and 0 reached 0.2028, difference
0.0021 with a 95% interval of 0.0001 to 0.0042; of four other splits the difference was 0.0008 to 0.0032, and one
interval held 0.

Source: the source document, section 3, point 3; the mixture as in Victor et al. 2011, "Trust and Recommendations",
section 3 (there as EnsembleTrustCF, which prefers trust over similarity where there is both).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.contracts import PAD, Ability, Explanation, FloatArray, Knob, ModelInfo, Need, QueryBatch, RunContext
from recsys_core.data import Dataset
from recsys_core.models.friends import LINKS_OF_A_USER, SocialConfig, graph_memory, graph_of, instead_of_links, needs_of
from recsys_core.models.user_knn import UserKNN, UserKNNConfig, user_formula
from recsys_core.profiles.graph import MOST_HOPS, propagated_trust

MOST_TRUSTED = 1000


class SocialKNNConfig(UserKNNConfig, SocialConfig):
    """Settings of social neighbours."""

    mix: Annotated[float, Field(ge=0, le=1), Knob(0.0, 1.0, symbol="m")] = 0.1
    """Share of trust in the weight of a neighbour: 0 listens to similar people alone, 1 to trusted people alone."""
    hops: Annotated[int, Field(ge=1, le=MOST_HOPS), Knob(1, MOST_HOPS, symbol="h")] = 1
    """Longest way that trust travels: 1 is the people one follows, 2 adds those whom they follow, and so on."""
    decay: Annotated[float, Field(gt=0, le=1), Knob(0.1, 0.9, symbol=r"\delta")] = 0.5
    """What trust keeps with each link after the first."""


def social_formula(config: SocialKNNConfig, *, rated: bool = True, weighted: bool = False) -> str:
    """Return the formula with these settings as LaTeX: that of the plain model, with trust in the weights."""
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


class SocialKNN(UserKNN):
    """Scores an item by the votes of the people whom you trust and of those most like you."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="social_knn",
        title="Social kNN",
        family="social",
        idea="User kNN whose neighbor weights combine similarity with trust propagated along social links.",
        formula=social_formula(SocialKNNConfig()),
        source="Source document, section 3, point 3; Massa and Avesani 2007",
        abilities=frozenset({Ability.PREDICTS_RATINGS, Ability.EXPLAINS_ITEMS}),
        weights="Without ratings, log2(1 + weight / median weight) stands for the rating in similarities and "
        "votes; with ratings, weights are ignored.",
        views=("graph", "nearest"),
    )
    config_type = SocialKNNConfig
    config: SocialKNNConfig
    fitted = (*UserKNN.fitted, "trust", "links")

    @classmethod
    def formula_of(cls, config: UserKNNConfig, *, rated: bool, weighted: bool) -> str:
        """Return the vote, the weight of trust beside similarity, and how far trust travels."""
        assert isinstance(config, SocialKNNConfig)
        return social_formula(config, rated=rated, weighted=weighted)

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        for _ in ctx.track(range(1), stage="follow the links"):
            self.links = graph_of(self.config.graph, train)  # (U, U)
            self.trust = propagated_trust(self.links, self.config.hops, self.config.decay, MOST_TRUSTED)  # (U, U)
        super()._fit(train, ctx)

    def needs(self) -> frozenset[Need]:
        """Return the links, unless the implicit graph is asked for."""
        return needs_of(self.config.graph)

    def _instead(self, missing: list[Need]) -> str:
        return instead_of_links(missing)

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` into the votes of trusted and similar people; see `UserKNN.explain`.

        Raises:
            CannotScore: Nobody has a vote.
        """
        kind = (
            "friends" if self.config.graph == "social" else "neighbours"
        )  # nobody chose the people of the other graph
        return replace(super().explain(query, item), kind=kind)

    def user_similarities(self, query: QueryBatch, ratings: csr_array) -> Iterator[FloatArray]:
        """Yield, for each person in the query, (U,) the weight of all training users; 0 for themselves."""
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
        """Return the bytes of the plain model and of the trust in people within reach, while it is made."""
        assert isinstance(config, SocialKNNConfig)
        plain = super().memory_estimate(config, n_users, n_items, n_interactions)
        trusted: int = n_users * min(n_users, MOST_TRUSTED, LINKS_OF_A_USER**config.hops)
        return plain + graph_memory(config.graph, n_users) + 40 * trusted
