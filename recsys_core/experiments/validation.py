"""Validation in the middle of a training: NDCG after each epoch on the validation users, or a fixed sample of them.

Networks get the log-rank score, too, which their early stopping looks at.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recsys_core.contracts import FloatArray, RunContext
from recsys_core.data.splits import Split
from recsys_core.evaluation.evaluate import relevant_items
from recsys_core.evaluation.metrics import hit_table, ndcg
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.training_part import for_training, trained
from recsys_core.models.base import Recommender
from recsys_core.models.log_rank import log_rank_scores
from recsys_core.models.network_model import NetworkModel
from recsys_core.training.plan import LOG_RANK

SCORES_A_LOOK = 20_000_000
"""Most scores computed for one validation; on two cores that takes about a tenth of a second."""
ITEMS_A_LOOK = 300_000
"""About the most items of histories read for one validation; a network with attention takes two seconds for that."""
SCORES_A_BLOCK = 4_000_000
"""Most scores held at a time."""
FEWEST_USERS = 1000
"""Validation users that both limits leave, where the data have that many: NDCG of fewer varies more by chance than
from epoch to epoch, and early stopping would be decided by it."""


class Validator:
    """Measures a model in the middle of its training.

    All users of the validation part are measured where the limits above allow it. Else a sample is drawn once, by the
    seed, so two runs draw the same curve. The test part is not touched.

    Args:
        split: Has a validation part.
        spec: Says what is relevant, and at which length of list.
        ctx: Gives the chance.
    """

    def __init__(self, split: Split, spec: ExperimentSpec, ctx: RunContext) -> None:
        assert split.validation is not None
        users = split.validation_users()
        train = split.train
        read = max(1, train.n_interactions // max(1, train.n_users))
        most = max(FEWEST_USERS, min(SCORES_A_LOOK // max(1, train.n_items), ITEMS_A_LOOK // read))
        if len(users) > most:
            users = np.sort(ctx.rng("validation", "users").choice(users, most, replace=False))
        self._query = split.validation_queries(users)
        self._relevant, _ = relevant_items(split.validation, users, self._query.history, spec.relevant_from)
        self._candidates = split.candidates("validation")
        self._spec = spec
        self._has_ratings = train.has_ratings

    def __call__(self, model: Recommender[Any]) -> Mapping[str, float]:
        """Return mean NDCG, and for networks the mean log-rank score, of the users with a relevant item to find."""
        asked = for_training(model, self._spec, has_ratings=self._has_ratings)
        lists = asked.recommend(self._query, self._spec.k, candidates=self._candidates)
        values = ndcg(hit_table(lists, self._relevant), self._spec.k)
        known = values[~np.isnan(values)]
        if not len(known):
            return {}
        found = {f"validation ndcg@{self._spec.k}": float(known.mean())}
        if isinstance(trained(model), NetworkModel):
            found[LOG_RANK] = float(np.nanmean(self._log_ranks(asked)))
        return found

    def _log_ranks(self, model: Recommender[Any]) -> FloatArray:
        """Return (U,) the log-rank score of each user, at which early stopping looks."""
        found, block = [], max(1, SCORES_A_BLOCK // max(1, model.n_items))
        for start in range(0, len(self._query), block):
            rows = np.arange(start, min(start + block, len(self._query)))
            query = self._query.take(rows)
            scores = model.score(query)
            if self._candidates is not None:
                others = np.setdiff1d(np.arange(model.n_items), self._candidates)
                scores[:, others] = np.nan
            found.append(log_rank_scores(scores, self._relevant.take(rows), query.seen))
        return np.concatenate(found)
