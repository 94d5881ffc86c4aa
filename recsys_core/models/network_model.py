"""What every model with a network shares: how it begins, how it is kept, and how it grows. torch is loaded on use."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from recsys_core.contracts import ModelConfig, RunContext
from recsys_core.models.base import Recommender

if TYPE_CHECKING:
    from torch import nn

C = TypeVar("C", bound=ModelConfig)
PREFIX = "net."
"""In front of the names of a network's weights, among the other arrays of a stored model."""


class NetworkModel(Recommender[C]):
    """A model whose learning is the weights of a torch network, kept as arrays by their names in the network.

    A subclass gives `_network`, `_fit` and `_score`.
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
