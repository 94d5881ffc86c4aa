"""True parameters of a synthetic data set: the preferences and habits that generated its interactions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from recsys_core.contracts import PAD, FloatArray, IntArray
from recsys_core.data.synthetic.parameter_file import load_parameters, save_parameters

LOW, HIGH = 1.0, 5.0
"""The rating scale of every synthetic data set."""
FIT_IN_STARS, QUALITY_IN_STARS = 1.3, 0.35
"""Stars that one standard deviation of fit, or of quality, adds to a rating."""


@dataclass(frozen=True, eq=False)
class WorldTruth:
    """Parameters of a synthetic data set; `when` is always the elapsed share of its period, 0..1.

    Args:
        taste_start: (U, D) initial preference for each film trait, rows of length 1.
        taste_turn: (U, D) direction of taste drift, orthogonal to `taste_start`, rows of length 1.
        features: (I, D) film traits, rows of length sqrt(D), so that fit has standard deviation 1.
        quality: (I,) quality shared by all users, standard normal.
        popularity: (I,) log exposure of a film, independent of taste.
        trend: (I,) change of log exposure per period.
        user_mean: (U,) a user's rating of an average film, in stars.
        born: (I,) `when` the film is released; 0 for films available from the start.
        successor: (I, S) films that tend to follow a film within a session.
        successor_weight: (S,) probability of each successor, sums to 1.
        drift: 0..1, rotation of taste over the period; 1 is a right angle.
        taste_strength: Log odds that one standard deviation of fit adds to a choice.
        order: 0..1, probability that a step within a session goes to a successor.
    """

    taste_start: FloatArray
    taste_turn: FloatArray
    features: FloatArray
    quality: FloatArray
    popularity: FloatArray
    trend: FloatArray
    user_mean: FloatArray
    born: FloatArray
    successor: IntArray
    successor_weight: FloatArray
    drift: float
    taste_strength: float
    order: float

    def fit(self, users: IntArray | None = None, when: float = 0.5) -> FloatArray:
        """Return (B, I) fit of each film to the taste of each user (all by default), about standard normal."""
        rows = slice(None) if users is None else users
        angle = self.drift * when * np.pi / 2
        taste = np.cos(angle) * self.taste_start[rows] + np.sin(angle) * self.taste_turn[rows]
        fit: FloatArray = taste @ self.features.T
        return fit

    def preference(self, users: IntArray | None = None, when: float = 0.5) -> FloatArray:
        """Return (B, I) expected ratings in stars, before rounding to whole stars."""
        rows = np.arange(len(self.user_mean)) if users is None else users
        return self.stars(rows[:, None], np.arange(len(self.quality))[None, :], self.fit(users, when))

    def stars(self, users: IntArray, items: IntArray, fit: FloatArray) -> FloatArray:
        """Return expected ratings for users and items of broadcastable shapes, given their fit."""
        stars = self.user_mean[users] + QUALITY_IN_STARS * self.quality[items] + FIT_IN_STARS * fit
        clipped: FloatArray = np.clip(stars, LOW, HIGH)
        return clipped

    def choice(self, users: IntArray, when: float = 0.5, previous: IntArray | None = None) -> FloatArray:
        """Return (B, I) probabilities that each film is chosen next, if all released films are unseen.

        Args:
            users: (B,) positions.
            when: Elapsed share of the period.
            previous: (B,) previous film in the same session, `PAD` at session start; by default all sessions start.
        """
        appeal = self.taste_strength * self.fit(users, when) + self.popularity + self.trend * (when - 0.5)
        appeal = np.where(self.born[None, :] <= when, appeal, -np.inf)
        free: FloatArray = np.exp(appeal - appeal.max(axis=1, keepdims=True))
        free /= free.sum(axis=1, keepdims=True)
        if previous is None:
            return free
        led = np.flatnonzero(previous != PAD)
        free[led] *= 1 - self.order
        for place, weight in enumerate(self.successor_weight):
            free[led, self.successor[previous[led], place]] += self.order * weight
        return free

    def save(self, path: Path) -> None:
        """Write all parameters into one npz file, floats in single precision."""
        save_parameters(self, path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load what `save` wrote.

        Raises:
            DataError: The file is missing or incomplete.
        """
        arrays = load_parameters(cls, path, "preferences")
        values: dict[str, Any] = {name: array if array.ndim else float(array) for name, array in arrays.items()}
        return cls(**values)
