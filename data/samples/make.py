"""Regenerate the sample data sets: `python -m data.samples.make`."""

import logging
from pathlib import Path

from recsys_core.data.synthetic.samples import FOLDER, SAMPLES, make_sample, write_world

logger = logging.getLogger(__name__)


def make(folder: Path = FOLDER) -> None:
    """Generate each sample in its own subfolder of `folder`."""
    for sample in SAMPLES.values():
        world = make_sample(sample)
        write_world(world, folder / sample.key)
        logger.info("%s: %s interactions", sample.key, world.dataset.n_interactions)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    make()
