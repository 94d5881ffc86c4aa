"""Data sets: ingest, the immutable `Dataset`, splits, storage, and synthetic data."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recsys_core.data.dataset import NO_TIMESTAMP, Dataset, dataset_from_frames
    from recsys_core.data.vocabulary import Vocabulary

__all__ = ["NO_TIMESTAMP", "Dataset", "Vocabulary", "dataset_from_frames"]


def __getattr__(name: str) -> Any:
    """Load the table libraries lazily: listing stored data sets does not need them."""
    if name not in __all__:
        raise AttributeError(name)
    from recsys_core.data import dataset, vocabulary

    return getattr(vocabulary if name == "Vocabulary" else dataset, name)
