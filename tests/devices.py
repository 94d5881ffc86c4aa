"""A made-up device: its tensors compute on the CPU, and refuse to be combined with tensors of the CPU.

A test on the CPU alone cannot see that a tensor was created on the default device instead of that of the network. Here
that raises an error, as it would on a GPU. As in PyTorch, a tensor without dimensions may be combined with any other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from recsys_core.training import devices

ELSEWHERE = torch.device("meta")
"""The name of the made-up device: one that PyTorch knows, and whose tensors have no values that numpy could read."""
MAY_BE_ANYWHERE = {"copy_", "_copy_from", "index_put", "_index_put_impl"}


class Elsewhere(torch.Tensor):
    """A tensor of the made-up device; its values are in `here`, on the CPU."""

    here: torch.Tensor

    @staticmethod
    def __new__(cls, here: torch.Tensor) -> "Elsewhere":
        made: Elsewhere = torch.Tensor._make_wrapper_subclass(
            cls,
            here.size(),
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=ELSEWHERE,
            requires_grad=here.requires_grad,
        )
        made.here = here
        return made

    def tolist(self) -> Any:
        """Return the values, which PyTorch may read from any device, but not from a class of tensors."""
        return self.here.tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


class _Machine(TorchDispatchMode):
    """Creates tensors on the made-up device where they are asked for with `device`."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


def _computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Return the result of an operation, on the device that PyTorch would put it on."""
    given = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, torch.Tensor)]
    away = any(isinstance(one, Elsewhere) for one in given)
    name = func._schema.name.removeprefix("aten::")
    stray = [one for one in given if not isinstance(one, Elsewhere) and one.ndim]
    if away and stray and name not in MAY_BE_ANYWHERE:
        raise AssertionError(f"{name}: a tensor {tuple(stray[0].shape)} is on the CPU, others are on the other device.")
    if kwargs.get("device") is not None:
        away = torch.device(kwargs["device"]) == ELSEWHERE
        kwargs = kwargs | {"device": torch.device("cpu")}
    if torch.Tag.inplace_view in func.tags:  # changes the shape, that of the wrapper, too
        with no_dispatch():
            func(*args, **kwargs)
    plain_args, plain_kwargs = tree_map(_unwrapped, (args, kwargs))
    found = func(*plain_args, **plain_kwargs)
    known = {id(one.here): one for one in given if isinstance(one, Elsewhere)}
    return tree_map(lambda one: _wrapped(one, known) if away else one, found)


def _unwrapped(one: Any) -> Any:
    return one.here if isinstance(one, Elsewhere) else one


def _wrapped(one: Any, known: dict[int, Elsewhere]) -> Any:
    """Return a result on the made-up device; an operation in place returns the tensor that it was given."""
    if not isinstance(one, torch.Tensor):
        return one
    return known[id(one)] if id(one) in known else Elsewhere(one)


@contextmanager
def made_up_device() -> Iterator[None]:
    """Let networks be trained and used on the made-up device within a `with` block."""
    with (
        mock.patch.object(devices, "training_device", return_value=ELSEWHERE),
        mock.patch.object(devices, "serving_device", return_value=ELSEWHERE),
        mock.patch.object(devices, "generator_on", lambda device, seed: torch.Generator().manual_seed(seed)),
        mock.patch(
            "recsys_core.training.network.generator_on", lambda device, seed: torch.Generator().manual_seed(seed)
        ),
        mock.patch.object(torch, "inference_mode", torch.no_grad),  # views of wrappers are not inference tensors
        _Machine(),
    ):
        yield
