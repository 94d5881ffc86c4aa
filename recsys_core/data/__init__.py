"""Data in: from bytes to an immutable `Dataset`, its splits, and worlds made by our own generator."""

from recsys_core.data.dataset import NO_TIMESTAMP, Dataset, dataset_from_frames
from recsys_core.data.vocabulary import Vocabulary

__all__ = ["NO_TIMESTAMP", "Dataset", "Vocabulary", "dataset_from_frames"]
