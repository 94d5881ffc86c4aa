"""Steps of gradient descent whose length adapts to each parameter."""

from collections.abc import Sequence

import numpy as np

from recsys_core.contracts import FloatArray

KEEP_GRADIENT, KEEP_SQUARE, SMALLEST = 0.9, 0.999, 1e-8


class Adam:
    """Moves parameters against their gradients, each by about the learning rate where its gradient keeps its sign.

        m = 0.9 m + 0.1 g,   v = 0.999 v + 0.001 g^2,   x -= learning_rate m' / (sqrt(v') + 1e-8)

    m' and v' are m and v divided by the weight that they have gathered, 1 - 0.9^t and 1 - 0.999^t.

    Args:
        parameters: Arrays of floats, changed in place by `step`.

    Source:
        Kingma and Ba 2015, "Adam", algorithm 1.
    """

    def __init__(self, parameters: Sequence[FloatArray]) -> None:
        self.parameters = parameters
        self._means = [np.zeros_like(one) for one in parameters]
        self._squares = [np.zeros_like(one) for one in parameters]
        self._steps = 0

    def step(self, gradients: Sequence[FloatArray], learning_rate: float) -> None:
        """Move all parameters once.

        Args:
            gradients: One array for each parameter, of its shape.
            learning_rate: Length of the step, in units of the parameters.
        """
        self._steps += 1
        pace = learning_rate / (1 - KEEP_GRADIENT**self._steps)
        spread = 1 / np.sqrt(1 - KEEP_SQUARE**self._steps)
        self._means = [m + (1 - KEEP_GRADIENT) * (g - m) for m, g in zip(self._means, gradients, strict=True)]
        self._squares = [v + (1 - KEEP_SQUARE) * (g**2 - v) for v, g in zip(self._squares, gradients, strict=True)]
        for parameter, mean, square in zip(self.parameters, self._means, self._squares, strict=True):
            parameter[...] -= pace * mean / (np.sqrt(square) * spread + SMALLEST)
