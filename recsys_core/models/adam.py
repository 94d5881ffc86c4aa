"""The Adam optimizer for numpy arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from recsys_core.contracts import FloatArray
from recsys_core.models.compiled import compiled_fast

KEEP_GRADIENT, KEEP_SQUARE, SMALLEST = 0.9, 0.999, 1e-8


class Adam:
    """Gradient descent with adaptive moments.

        m = 0.9 m + 0.1 g,   v = 0.999 v + 0.001 g^2,   x -= learning_rate m' / (sqrt(v') + 1e-8)

    m' and v' are the bias-corrected moments, m / (1 - 0.9^t) and v / (1 - 0.999^t).

    Args:
        parameters: Float arrays in C order, updated in place by `step`.

    Source:
        Kingma and Ba 2015, "Adam", algorithm 1.
    """

    def __init__(self, parameters: Sequence[FloatArray]) -> None:
        self.parameters = parameters
        self._means = [np.zeros_like(one) for one in parameters]
        self._squares = [np.zeros_like(one) for one in parameters]
        self._steps = 0

    def step(self, gradients: Sequence[FloatArray], learning_rate: float) -> None:
        """Update all parameters once.

        Args:
            gradients: One array per parameter, of the same shape and dtype.
            learning_rate: Step size, in units of the parameters.
        """
        self._steps += 1
        pace = learning_rate / (1 - KEEP_GRADIENT**self._steps)
        spread = 1 / np.sqrt(1 - KEEP_SQUARE**self._steps)
        moments = zip(self.parameters, gradients, self._means, self._squares, strict=True)
        for parameter, gradient, mean, square in moments:
            kind = parameter.dtype.type
            flat = parameter.reshape(-1), gradient.reshape(-1), mean.reshape(-1), square.reshape(-1)
            move(*flat, kind(pace), kind(spread))


@compiled_fast
def move(
    parameter: FloatArray,
    gradient: FloatArray,
    mean: FloatArray,
    square: FloatArray,
    pace: np.floating[Any],
    spread: np.floating[Any],
) -> None:
    """Update one flattened parameter (N,) and the running moments of its gradient."""
    kind = parameter.dtype.type
    old_mean, new_mean = kind(KEEP_GRADIENT), kind(1 - KEEP_GRADIENT)
    old_square, new_square, smallest = kind(KEEP_SQUARE), kind(1 - KEEP_SQUARE), kind(SMALLEST)
    for place in range(len(parameter)):
        slope = gradient[place]
        mean[place] = old_mean * mean[place] + new_mean * slope
        square[place] = old_square * square[place] + new_square * slope * slope
        parameter[place] -= pace * mean[place] / (np.sqrt(square[place]) * spread + smallest)
