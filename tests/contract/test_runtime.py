"""The declared runtime of models is correct: pages load array models in process and must not load torch."""

import inspect
import sys

import pytest

from recsys_core.models.registry import MODELS, model_class


def sources(key: str) -> str:
    """Return the sources of our modules that define the model's class and its bases."""
    modules = {one.__module__ for one in model_class(key).__mro__ if one.__module__.startswith("recsys_core.models")}
    return "\n".join(inspect.getsource(sys.modules[name]) for name in sorted(modules))


@pytest.mark.parametrize("key", MODELS)
def test_a_model_that_uses_torch_says_so(key: str) -> None:
    uses_torch = any(line.strip().startswith(("import torch", "from torch")) for line in sources(key).splitlines())
    may_have_such_members = key == "ensemble"
    assert (model_class(key).info.runtime == "torch") is (uses_torch or may_have_such_members)
