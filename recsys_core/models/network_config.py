"""The base class of the settings of all neural models."""

from collections.abc import Mapping
from typing import ClassVar

from recsys_core.contracts import ModelConfig


class NetworkConfig(ModelConfig):
    """Settings of a neural model. Declares no setting, but the former names of those that were renamed."""

    former_names: ClassVar[Mapping[str, str]] = {
        "width": "embedding_dim",
        "window": "max_length",
        "layers": "n_layers",
        "heads": "n_heads",
    }
