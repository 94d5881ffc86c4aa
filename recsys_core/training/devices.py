"""The device that a network is trained and used on: the CPU, or a GPU of the machine.

Initial weights and the order of batches are drawn on the CPU and are the same on every device. Negatives, masks and
dropout are drawn on the device itself, whose stream of random numbers differs from that of the CPU.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from recsys_core.errors import ConfigError
from recsys_core.text import _


def training_device(setting: str) -> torch.device:
    """Return the device of the setting: with "auto" a GPU if PyTorch can use one, else the CPU.

    Args:
        setting: "auto", "cpu" or "cuda".

    Raises:
        ConfigError: The setting is "cuda", and PyTorch can use no GPU of this machine.
    """
    if setting == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            _(
                "The setting device is cuda, but PyTorch finds no CUDA GPU on this machine; choose "
                "auto or cpu, or install a build of PyTorch with CUDA on a machine with a GPU."
            )
        )
    return serving_device(setting)


def serving_device(setting: str) -> torch.device:
    """Return the device on which a trained network is used: as in training, but the CPU instead of a missing GPU."""
    return torch.device("cuda" if setting != "cpu" and torch.cuda.is_available() else "cpu")


def generator_on(device: torch.device, seed: int) -> torch.Generator:
    """Return a new source of random numbers for tensors on a device."""
    return torch.Generator(device).manual_seed(seed)


@contextmanager
def seeded(device: torch.device, seed: int) -> Iterator[None]:
    """Seed torch's global generators within a `with` block, and restore those of the CPU and of the device after it."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
