"""Base class of all neural models: initialization, storage, and incremental updates. torch is imported on use.

Early stopping needs validation users. If the experiment has a validation set, they are its users. Otherwise one item is
held out for up to `VALIDATION_USERS` users with at least three items; with fewer than `FEWEST_JUDGES` such users
nothing is held out and training runs to its last epoch. `training.network` documents the early-stopping criterion and
the weights that are kept.

An update uses early stopping, too: the last new interaction of a tenth of the users with new interactions is held out,
and the network is unchanged if no epoch improves their validation score. With fewer than `FEWEST_JUDGES` of these
users, or patience 0, the update takes `UPDATE_EPOCHS` epochs without validation.
"""

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.batches import BoolArray, FloatArray, IntArray, QueryBatch, Ragged
from recsys_core.columns import ITEM, TIMESTAMP, USER
from recsys_core.contracts import FoldIn, Knob, ModelConfig, ModelInfo, RunContext
from recsys_core.data import Dataset
from recsys_core.errors import DataError
from recsys_core.models.base import Recommender
from recsys_core.models.log_rank import log_rank_scores
from recsys_core.models.topk import top_k
from recsys_core.models.weights import confidence
from recsys_core.text import _
from recsys_core.training.plan import LOG_RANK, TrainingPlan

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Measure: TypeAlias = Callable[[], Mapping[str, float]]
"""Evaluates the network during training."""
VALIDATION_USERS = 1000
"""Maximum number of users with a held-out item. On ML-100K, validation on a tenth of the users (94) has more sampling
noise than change between epochs; validation on all 943 has not."""
UPDATE_SHARE = 0.1
"""Share of the users with new interactions of whom an update holds out one; small, as new data may be few."""
FEWEST_JUDGES = 20
"""Minimum number of validation users for early stopping; with fewer, each would have too much weight."""
UPDATE_EPOCHS = 5
"""Epochs of an update without validation, and the maximum `patience` with validation: enough to learn the new
interactions, few enough to retain the rest (not tuned)."""
network_info = partial(
    ModelInfo,
    stochastic=True,
    runtime="torch",
    weights="Weight of the interaction in the training loss: its confidence, log2(1 + weight / median weight).",
    weighs_histories=False,
    same_on_any_cores=False,
    fold_in=FoldIn.SEQUENCE,
)
"""Makes the `ModelInfo` of a network that predicts the next item of each history."""
PREFIX = "net."
"""Prefix of the names of a network's weights among the arrays of a stored model."""


EPOCHS_HELP = "Maximum number of training epochs; early stopping usually ends training before."
PATIENCE_HELP = (
    "Early stopping: training ends when the validation score has not increased for this many epochs, and keeps the "
    "weights of the best epoch. The score is the log-rank score, 1 - log(rank) / log(number of items), averaged over "
    "the relevant items of the validation users and over the last epochs, as the weights are. Without a validation "
    "set, {held_out} of up to 1,000 users is held out for it. 0 disables early stopping."
)


class NetworkConfig(ModelConfig):
    """The setting of all neural models, and the former names of settings that were renamed."""

    former_names: ClassVar[Mapping[str, str]] = {
        "width": "embedding_dim",
        "window": "max_length",
        "layers": "n_layers",
        "heads": "n_heads",
    }
    added: ClassVar[Mapping[str, Any]] = {"device": "auto"}
    device: Annotated[Literal["auto", "cpu", "cuda"], Knob(advanced=True, searched=False)] = "auto"
    """Where the network is trained and used: on a GPU if PyTorch finds one, else on the CPU (auto); always on the CPU;
    or on a GPU (CUDA), without which training is refused. Devices differ in speed and in the last digits of results."""


C = TypeVar("C", bound=NetworkConfig)


class NetworkModel(Recommender[C]):
    """A model whose trained state is the weights of a torch network, stored as arrays by parameter name.

    A subclass defines `_network`, `plan`, `_fit`, `_score` and, for updates, `_tables`, `_make_room` and `_learn_on`.
    """

    net: "nn.Module"

    @property
    def device(self) -> "torch.device":
        """The device of the network, on which its inputs must be, too."""
        return next(self.net.parameters()).device

    def _require_machine(self) -> None:
        """Raise an error if the machine lacks the device of the settings.

        Raises:
            ConfigError: There is no GPU.
        """
        if self.config.device != "auto":
            from recsys_core.training.devices import training_device

            training_device(self.config.device)

    @abstractmethod
    def _network(self) -> "nn.Module":
        """Return a new network for `n_users`, `n_items`, the settings and the arrays in `fitted`."""

    @abstractmethod
    def plan(self) -> TrainingPlan:
        """Return the training parameters."""

    def _loss_weights(self, weights: FloatArray | None) -> FloatArray | None:
        """Return the loss weights of interactions with weights (N,), float32; None if all are equal.

        The loss weight is the confidence (`models.weights`), or 0 if that is negative.
        """
        if weights is None or np.isnan(self.weight_unit) or not len(weights):
            return None
        return self._unless_equal(confidence(weights, self.weight_unit))

    @staticmethod
    def _unless_equal(weights: FloatArray) -> FloatArray | None:
        if not len(weights) or (weights == weights[0]).all():
            return None
        return np.maximum(weights, np.float32(0.0)).astype(np.float32)

    def _start(self, ctx: RunContext) -> Any:
        """Return a new network on the device of the settings; its initial weights depend on the seed alone."""
        import torch

        from recsys_core.training.devices import seeded, training_device

        with seeded(torch.device("cpu"), int(ctx.rng(self.info.key, "start").integers(2**62))):
            net = self._network()
        return net.to(training_device(self.config.device))

    def _network_arrays(self) -> Mapping[str, NDArray[Any]]:
        return {PREFIX + name: weight.detach().cpu().numpy().copy() for name, weight in self.net.state_dict().items()}

    def _load_network_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        import torch

        from recsys_core.training.devices import serving_device

        net = self._network()
        net.load_state_dict({name: torch.from_numpy(np.array(arrays[PREFIX + name])) for name in net.state_dict()})
        self.net = net.to(serving_device(self.config.device)).eval()

    def _forget(self) -> None:
        super()._forget()
        if hasattr(self, "net"):
            del self.net

    def _grown(self, ctx: RunContext, tables: Mapping[str, int]) -> "nn.Module":
        """Return a network for the current `n_users` and `n_items`, initialized with the weights of this one.

        Args:
            ctx: Source of the initial weights of new rows.
            tables: Names of parameters with a row per item or user, with the number of rows to copy; further rows are
                new.
        """
        import torch

        grown: nn.Module = self._start(ctx)
        known = self.net.state_dict()
        with torch.no_grad():
            for name, weight in grown.state_dict().items():
                rows = tables.get(name, len(weight) if weight.ndim else None)
                if rows is None:
                    weight.copy_(known[name])
                else:
                    weight[:rows] = known[name][:rows]
        return grown

    def _held_back_users(
        self, lengths: IntArray, findable: BoolArray, ctx: RunContext, *, share: float = 1.0
    ) -> IntArray:
        """Return the validation users, of whom an item is held out; empty if they would be too few.

        Args:
            lengths: (U,) number of items of each user; at least three are needed.
            findable: (U,) whether the item to hold out occurs only once in the user's history; else lists exclude it.
            ctx: Source of the random sample if there are more users than needed.
            share: Maximum share of the eligible users.
        """
        able: IntArray = np.flatnonzero((lengths >= 3) & findable)
        count = min(VALIDATION_USERS, int(share * len(able)))
        if count < FEWEST_JUDGES:
            return able[:0]
        if count < len(able):
            able = np.sort(ctx.rng(self.info.key, "held back").choice(able, count, replace=False))
        return able

    def _held_back_pairs(
        self, held: Ragged, ctx: RunContext, weights: FloatArray | None = None
    ) -> tuple[BoolArray, Measure | None]:
        """Return which pairs are training targets, and the validation after each epoch (None: none).

        The run validates if it has a validation set; else one random item of up to 1,000 users is held out for it.

        Args:
            held: U rows of distinct items.
            ctx: Source of the random items.
            weights: (N,) summed weight of each pair, given to the model with the histories; None for none.
        """
        kept = np.ones(len(held.values), dtype=bool)
        if ctx.validate is not None:
            return kept, lambda: self._measured(ctx)
        users = self._held_back_users(held.lengths, np.ones(len(held), dtype=bool), ctx)
        if not self.plan().patience or not len(users):
            return kept, None
        places = held.offsets[users] + ctx.rng(self.info.key, "held back items").integers(held.lengths[users])
        kept[places] = False
        everybody = QueryBatch(np.arange(len(held)), held, np.ones(len(held.values), dtype=np.float32), weights=weights)
        return kept, self._finds(everybody.only(kept).take(users), held.values[places])

    def _finds(self, shown: QueryBatch, wanted: IntArray) -> Measure:
        """Return a function that computes NDCG@10 and log-rank of B users with one relevant item (B,) each."""
        relevant = Ragged(wanted, np.arange(len(wanted) + 1))

        def measure() -> Mapping[str, float]:
            before, self.is_fitted = self.is_fitted, True
            try:
                scores = self.score(shown)
                lists = top_k(scores, 10, exclude=shown.seen) if self.ranks_by_score() else self.recommend(shown, 10)
            finally:
                self.is_fitted = before
            found = lists.item == wanted[:, None]
            ranked = log_rank_scores(scores, relevant, shown.seen)
            return {
                "validation ndcg@10": float((found / np.log2(np.arange(2, 12))).sum(axis=1).mean()),
                LOG_RANK: float(np.nanmean(ranked)),
            }

        return measure

    @final
    def update(self, before: Dataset, new: Dataset, ctx: RunContext, *, freeze_embeddings: bool = False) -> None:
        """Train on the interactions of `new`, which follow those of `before`; see `UpdatesIncrementally`.

        Raises:
            NotFitted: The model was not trained.
            DataError: The data have fewer users or items than the model.
            Cancelled: The run was cancelled; the model is then unchanged.
        """
        self.require_fitted()
        users, items = self.n_users, self.n_items
        if new.n_users < users or new.n_items < items:
            raise DataError(
                _(
                    "The new data have {n_users} users and {n_items} items, fewer than the {users} and "
                    "{items} of the model; use data that extend those of the training."
                ).format(n_users=new.n_users, n_items=new.n_items, users=users, items=items)
            )
        if new.n_interactions == 0:
            return
        with self._as_before_if_it_fails():
            self.n_users, self.n_items = new.n_users, new.n_items
            self._draw_ties(new, ctx.seed)
            learned, validate = self._new_held_back(before, new, ctx)
            self._make_room(before, learned, ctx)
            tables = self._tables(users, items)
            self.net = self._grown(ctx, tables)
            with self._frozen(tables if freeze_embeddings else {}):
                self._learn_on(before, learned, self._update_plan(judged=validate is not None), ctx, validate)
            self.net.eval()

    def _new_held_back(self, before: Dataset, new: Dataset, ctx: RunContext) -> tuple[Dataset, Measure | None]:
        """Return the new interactions to train on, and the validation after each epoch; see the module."""
        fresh = new.interactions
        order = np.arange(len(fresh))
        if new.has_timestamps:
            order = np.argsort(fresh[TIMESTAMP].to_numpy(), kind="stable")
        rows = Ragged.from_keys(fresh[USER].to_numpy()[order], order, new.n_users)
        last = rows.values[rows.offsets[1:] - 1]  # (U,) undefined for users without new interactions
        both = concatenated(before, new).interactions
        once = ~both.duplicated([USER, ITEM], keep=False).to_numpy()[before.n_interactions :]
        lengths = np.bincount(both[USER], minlength=new.n_users)
        judges = self._held_back_users(lengths, (rows.lengths > 0) & once[last], ctx, share=UPDATE_SHARE)
        if not self.plan().patience or not len(judges):
            return new, None
        kept = np.ones(len(fresh), dtype=bool)
        kept[last[judges]] = False
        learned = new.subset(kept)
        shown = concatenated(before, learned).queries(judges)
        return learned, self._finds(shown, fresh[ITEM].to_numpy()[last[judges]])

    def _update_plan(self, *, judged: bool) -> TrainingPlan:
        plan = dataclasses.replace(self.plan(), smoothing=TrainingPlan.smoothing)  # an update is a few epochs
        if judged:
            return dataclasses.replace(plan, patience=min(plan.patience, UPDATE_EPOCHS), start_counts=True)
        return dataclasses.replace(plan, epochs=UPDATE_EPOCHS, patience=0, averaging=0.0)

    @abstractmethod
    def _tables(self, users: int, items: int) -> Mapping[str, int]:
        """Return the names of parameters with a row per user or item, with the previous number of rows."""

    def _make_room(self, before: Dataset, new: Dataset, ctx: RunContext) -> None:
        """Rebuild the arrays in `fitted` that depend on the number of items or users."""

    @abstractmethod
    def _learn_on(
        self, before: Dataset, new: Dataset, plan: TrainingPlan, ctx: RunContext, validate: Measure | None
    ) -> None:
        """Train the network, which has rows for all users and items, on the new interactions.

        With validation, the initial network is kept unless an epoch improves it.
        """

    @contextmanager
    def _as_before_if_it_fails(self) -> Iterator[None]:
        names = ("n_users", "n_items", "_tie_keys", "net", *self.fitted)
        kept = {name: getattr(self, name) for name in names}
        try:
            yield
        except BaseException:
            for name, value in kept.items():
                setattr(self, name, value)
            self.is_fitted = True
            raise

    @contextmanager
    def _frozen(self, tables: Mapping[str, int]) -> Iterator[None]:
        """Block gradients to the first rows of some parameters within a `with` block."""
        hooks: list[Any] = []
        for name, rows in tables.items():
            weight: Any = self.net.get_parameter(name)
            hooks.append(weight.register_hook(_without_first(rows)))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def concatenated(before: Dataset, new: Dataset) -> Dataset:
    """Return the interactions of both data sets, with their common columns, over the users and items of `new`."""
    parts = [data.interactions for data in (before, new)]
    shared = [str(name) for name in parts[0] if name in parts[1]]
    frame = pd.concat([part[shared] for part in parts], ignore_index=True)
    return dataclasses.replace(new, fingerprint="", load_interactions=lambda: frame, columns=frozenset(shared))


def _without_first(rows: int) -> Callable[["Tensor"], "Tensor"]:
    """Return a hook that zeroes the gradient of the first rows of a table."""

    def hook(gradient: "Tensor") -> "Tensor":
        kept = gradient.clone()
        kept[:rows] = 0.0
        return kept

    return hook
