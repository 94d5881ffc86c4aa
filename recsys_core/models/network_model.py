"""What every model with a network shares: how it begins, how it is kept, and how it grows. torch is loaded on use."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from recsys_core.contracts import IntArray, ModelConfig, QueryBatch, RunContext
from recsys_core.data import Dataset
from recsys_core.errors import DataError
from recsys_core.models.base import Recommender

if TYPE_CHECKING:
    from torch import Tensor, nn

C = TypeVar("C", bound=ModelConfig)
Measure: TypeAlias = Callable[[], Mapping[str, float]]
"""Judges the network in the middle of its training."""
MOST_HELD_BACK = 1000
SHARE_HELD_BACK = 0.1
UPDATE_EPOCHS = 5
"""Learning on goes through new interactions so often: enough to learn them, few enough to keep the rest."""
PREFIX = "net."
"""In front of the names of a network's weights, among the other arrays of a stored model."""


class NetworkModel(Recommender[C]):
    """A model whose learning is the weights of a torch network, kept as arrays by their names in the network.

    A subclass gives `_network`, `_fit`, `_score`, and for learning on `_tables`, `_make_room` and `_learn_on`.
    """

    net: "nn.Module"

    @abstractmethod
    def _network(self) -> "nn.Module":
        """Return a new network for `n_users`, `n_items`, the settings and the arrays in `fitted`."""

    def _start(self, ctx: RunContext) -> "nn.Module":
        """Return a new network whose first weights depend on the seed alone."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(ctx.rng(self.info.key, "start").integers(2**62)))
            return self._network()

    def _network_arrays(self) -> Mapping[str, NDArray[Any]]:
        return {PREFIX + name: weight.detach().numpy().copy() for name, weight in self.net.state_dict().items()}

    def _load_network_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        import torch

        net = self._network()
        net.load_state_dict({name: torch.from_numpy(np.array(arrays[PREFIX + name])) for name in net.state_dict()})
        self.net = net.eval()

    def _forget(self) -> None:
        super()._forget()
        if hasattr(self, "net"):
            del self.net

    def _grown(self, ctx: RunContext, tables: Mapping[str, int]) -> "nn.Module":
        """Return a network for the present `n_users` and `n_items` that begins with the weights of this one.

        Args:
            ctx: Gives the first weights of what is new.
            tables: Weights with a row for each item or user, by name, with the number of rows that are kept; rows
                after these are new.
        """
        import torch

        grown, known = self._start(ctx), self.net.state_dict()
        with torch.no_grad():
            for name, weight in grown.state_dict().items():
                rows = tables.get(name, len(weight) if weight.ndim else None)
                if rows is None:
                    weight.copy_(known[name])
                else:
                    weight[:rows] = known[name][:rows]
        return grown

    def _held_back_users(self, lengths: IntArray, ctx: RunContext) -> IntArray:
        """Draw the users of whom an item is held back to decide when to stop: a tenth of those who have three."""
        long_enough = np.flatnonzero(lengths >= 3)
        count = min(MOST_HELD_BACK, int(SHARE_HELD_BACK * len(long_enough)))
        drawn: IntArray = np.sort(ctx.rng(self.info.key, "held back").choice(long_enough, count, replace=False))
        return drawn

    def _finds(self, shown: QueryBatch, wanted: IntArray) -> Measure:
        """Return what measures NDCG@10 of the lists for people who should find one item (B,) each."""

        def measure() -> Mapping[str, float]:
            self.is_fitted = True
            try:
                found = self.recommend(shown, 10).item == wanted[:, None]
            finally:
                self.is_fitted = False
            return {"validation ndcg@10": float((found / np.log2(np.arange(2, 12))).sum(axis=1).mean())}

        return measure

    @final
    def update(self, before: Dataset, new: Dataset, ctx: RunContext, *, freeze_embeddings: bool = False) -> None:
        """Learn from the interactions of `new`, which follow those of `before`; see `UpdatesIncrementally`.

        Raises:
            NotFitted: The model was not trained.
            DataError: The data know fewer users or items than the model.
            Cancelled: That was asked for; the model is then as it was before.
        """
        self._require_fitted()
        users, items = self.n_users, self.n_items
        if new.n_users < users or new.n_items < items:
            raise DataError(
                f"The new data have {new.n_users} users and {new.n_items} items, fewer than the {users} and {items} "
                "that the model knows; bring data that begin with the same ones."
            )
        if new.n_interactions == 0:
            return
        with self._as_before_if_it_fails():
            self.n_users, self.n_items = new.n_users, new.n_items
            self._make_room(before, new, ctx)
            tables = self._tables(users, items)
            self.net = self._grown(ctx, tables)
            with self._frozen(tables if freeze_embeddings else {}):
                self._learn_on(before, new, ctx)
            self.net.eval()

    @abstractmethod
    def _tables(self, users: int, items: int) -> Mapping[str, int]:
        """Return the weights that have a row for each user or item, with the number of rows known before."""

    def _make_room(self, before: Dataset, new: Dataset, ctx: RunContext) -> None:
        """Make the arrays in `fitted` again where they depend on the number of items or users."""

    @abstractmethod
    def _learn_on(self, before: Dataset, new: Dataset, ctx: RunContext) -> None:
        """Train the network, which has its place for everybody and everything by now, on what is new."""

    @contextmanager
    def _as_before_if_it_fails(self) -> Iterator[None]:
        names = ("n_users", "n_items", "net", *self.fitted)
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
        """Let no gradient through to the first rows of some weights for a while."""
        hooks: list[Any] = []
        for name, rows in tables.items():
            weight: Any = self.net.get_parameter(name)
            hooks.append(weight.register_hook(_without_first(rows)))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def _without_first(rows: int) -> Callable[["Tensor"], "Tensor"]:
    """Return a hook that lets no gradient through to the first rows of a table."""

    def hook(gradient: "Tensor") -> "Tensor":
        kept = gradient.clone()
        kept[:rows] = 0.0
        return kept

    return hook
