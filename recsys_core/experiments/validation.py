"""Validation during training: NDCG after each epoch on the validation users, or a fixed sample of them.

Networks also get the log-rank score, which is their early stopping criterion.
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

SCORES_PER_VALIDATION = 20_000_000
"""Maximum number of scores per validation: about 0.1 s on two cores."""
ITEMS_PER_VALIDATION = 300_000
"""Approximate maximum number of history items per validation: about 2 s for a network with attention."""
SCORES_PER_BLOCK = 4_000_000
"""Maximum number of scores in memory."""
FEWEST_USERS = 1000
"""Minimum number of validation users, whatever the limits: with fewer users the noise in NDCG exceeds its change from
epoch to epoch and would decide early stopping."""


class Validator:
    """Evaluates a model during training.

    Uses all validation users if the limits above allow it, otherwise a sample that is drawn once from the seed, so that
    runs are reproducible. The test set is not used.

    Args:
        split: A split with a validation set.
        spec: Defines relevance and the cut-off.
        ctx: Source of random numbers.
    """

    def __init__(self, split: Split, spec: ExperimentSpec, ctx: RunContext) -> None:
        assert split.validation is not None
        users = split.validation_users()
        train = split.train
        read = max(1, train.n_interactions // max(1, train.n_users))
        most = max(FEWEST_USERS, min(SCORES_PER_VALIDATION // max(1, train.n_items), ITEMS_PER_VALIDATION // read))
        if len(users) > most:
            users = np.sort(ctx.rng("validation", "users").choice(users, most, replace=False))
        self._query = split.validation_queries(users)
        self._relevant, _ = relevant_items(split.validation, users, self._query.seen, spec.relevant_from)
        self._candidates = split.candidates("validation")
        self._spec = spec
        self._has_ratings = train.has_ratings
        self._threads = ctx.threads

    def __call__(self, model: Recommender[Any]) -> Mapping[str, float]:
        """Return mean NDCG, and for networks the mean log-rank score, over the users with a relevant item."""
        wrapped = for_training(model, self._spec, has_ratings=self._has_ratings)
        k, candidates = self._spec.k, self._candidates
        lists = wrapped.recommend(self._query, k, candidates=candidates, threads=self._threads)
        values = ndcg(hit_table(lists, self._relevant), self._spec.k)
        known = values[~np.isnan(values)]
        if not len(known):
            return {}
        metrics = {f"validation ndcg@{self._spec.k}": float(known.mean())}
        if isinstance(trained(model), NetworkModel):
            metrics[LOG_RANK] = float(np.nanmean(self._log_ranks(wrapped)))
        return metrics

    def _log_ranks(self, model: Recommender[Any]) -> FloatArray:
        """Return (U,) the log-rank score of each user."""
        parts, block = [], max(1, SCORES_PER_BLOCK // max(1, model.n_items))
        for start in range(0, len(self._query), block):
            rows = np.arange(start, min(start + block, len(self._query)))
            query = self._query.take(rows)
            scores = model.score(query)
            if self._candidates is not None:
                others = np.setdiff1d(np.arange(model.n_items), self._candidates)
                scores[:, others] = np.nan
            parts.append(log_rank_scores(scores, self._relevant.take(rows), query.seen))
        return np.concatenate(parts)
