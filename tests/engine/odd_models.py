"""Models that misbehave in one known way each, and their registration in a test and its engine."""

import os
import signal
import time
from typing import ClassVar

import numpy as np

from recsys_core.contracts import FloatArray, FoldIn, ModelConfig, ModelInfo, QueryBatch, RunContext
from recsys_core.data import Dataset
from recsys_core.models.base import Recommender
from recsys_core.models.registry import MODELS


def info(key: str) -> ModelInfo:
    return ModelInfo(key, key.capitalize(), "test", "Misbehaves.", "0", "none", personal=False, fold_in=FoldIn.NONE)


class SlowConfig(ModelConfig):
    steps: int = 20
    seconds: float = 0.05


class Odd(Recommender[SlowConfig]):
    config_type = SlowConfig
    fitted = ("scores",)

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        self.scores = np.arange(train.n_items, dtype=np.float64)
        self.misbehave(ctx)

    def _score(self, query: QueryBatch) -> FloatArray:
        return np.broadcast_to(self.scores, (len(query), self.n_items))

    def misbehave(self, ctx: RunContext) -> None:
        raise NotImplementedError

    @classmethod
    def memory_estimate(cls, config: SlowConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        return 0


class Slow(Odd):
    """Trains slowly, in steps, with a decreasing loss."""

    info: ClassVar[ModelInfo] = info("slow")

    def misbehave(self, ctx: RunContext) -> None:
        for step in ctx.track(range(self.config.steps), stage="dawdle"):
            time.sleep(self.config.seconds)
            ctx.note("dawdle", step + 1, self.config.steps, loss=1.0 / (step + 1))


class Stubborn(Odd):
    """Ignores cancel requests."""

    info: ClassVar[ModelInfo] = info("stubborn")

    def misbehave(self, ctx: RunContext) -> None:
        ctx.note("deaf", 0)
        time.sleep(600)


class Greedy(Odd):
    """Allocates memory until it is killed."""

    info: ClassVar[ModelInfo] = info("greedy")

    def misbehave(self, ctx: RunContext) -> None:
        held = []
        for _ in range(4000):
            held.append(np.ones(2**21))  # 16 MiB, touched
            time.sleep(0.005)


class Crasher(Odd):
    """Ends as by a segmentation fault."""

    info: ClassVar[ModelInfo] = info("crasher")

    def misbehave(self, ctx: RunContext) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(600)


class Broken(Odd):
    """Raises a programming error."""

    info: ClassVar[ModelInfo] = info("broken")

    def misbehave(self, ctx: RunContext) -> None:
        raise ZeroDivisionError("a test divides by zero")


class Huge(Odd):
    """Estimates more memory than any machine has for more than ten items."""

    info: ClassVar[ModelInfo] = info("huge")

    def misbehave(self, ctx: RunContext) -> None:
        raise AssertionError("a refused job was run")

    @classmethod
    def memory_estimate(cls, config: SlowConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        return 0 if n_items <= 10 else 2**60


ODD_MODELS = {
    one.info.key: f"tests.engine.odd_models:{one.__name__}" for one in (Slow, Stubborn, Greedy, Crasher, Broken, Huge)
}


def register() -> None:
    """Add the odd models to the registry of this process."""
    MODELS.update(ODD_MODELS)
