"""Algorithms of installed packages: used like those of Recscope, and refused with a sentence where they are broken."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recsys_core.errors import ConfigError
from recsys_core.experiments.execution import execute
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.store import ResultStore
from recsys_core.models.plugins import forget_offers
from recsys_core.models.registry import (
    MODELS,
    known_models,
    make_model,
    model_class,
    model_infos,
    model_problems,
    usable_models,
)
from tests.engine.support import ROOT, Memory, little_data, spec_of

MODEL = '''
from typing import Annotated, ClassVar
import numpy as np
from recsys_core.configs import Knob, ModelConfig
from recsys_core.contracts import FoldIn, ModelInfo
from recsys_core.models.base import Recommender

class FirstConfig(ModelConfig):
    power: Annotated[float, Knob(0, 2)] = 1.0
    """Exponent of the number of interactions."""

class First(Recommender[FirstConfig]):
    info: ClassVar[ModelInfo] = ModelInfo(
        "first", "First of all", "their own family", "Counts.", "n_i", "nobody", personal=False, fold_in=FoldIn.NONE
    )
    config_type = FirstConfig
    fitted = ("counts",)

    def _fit(self, train, ctx):
        self.counts = np.bincount(train.interactions["item"], minlength=train.n_items) ** self.config.power

    def _score(self, query):
        return np.repeat(self.counts[None], len(query), axis=0)
'''
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package into a folder of its own: its module, and metadata as an installer writes them."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(str(site))

    def installed(name: str, code: str, *points: str) -> None:
        info = site / f"{name}-1.2.dist-info"
        info.mkdir(parents=True)
        (site / f"{name}.py").write_text(code)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text("[recscope.models]\n" + "\n".join(points) + "\n")
        forget_offers()

    yield installed
    for name in ("pkg_good", "pkg_bad", "pkg_other"):
        sys.modules.pop(name, None)
    monkeypatch.undo()
    forget_offers()


def test_a_class_of_a_package_is_trained_and_compared_like_any_model(install: Install, tmp_path: Path) -> None:
    install("pkg_good", MODEL, "first = pkg_good:First")
    assert known_models() == [*MODELS, "first"]
    assert "pkg_good" not in sys.modules  # keys are known without importing
    assert model_infos()["first"].title == "First of all"
    assert make_model("first", {"power": 2}).config.power == 2
    assert model_problems() == []
    store = ResultStore(tmp_path / "store")
    run = store.create(spec_of("first", k=5, cutoffs=(5,)), "little")
    for model_id in run.model_ids:
        assert execute(store, run.id, model_id, Memory(little_data()), 1).state is JobState.DONE
    values = {one.partition("-")[0]: run.per_user_of(one)["ndcg@5"].tolist() for one in run.model_ids}
    assert values["first"] == values["popular"]


@pytest.mark.parametrize(
    ("code", "point", "sentence"),
    [
        ("raise RuntimeError('boom')", "broken = pkg_bad:First", "importing 'pkg_bad:First' failed with RuntimeError"),
        ("import sys; sys.modules['nothing_like_it']", "broken = pkg_bad:First", "failed with KeyError"),
        ("def (", "broken = pkg_bad:First", "failed with SyntaxError"),
        ("", "broken = pkg_bad:First", "failed with AttributeError"),
        ("", "broken = pkg_gone:First", "failed with ModuleNotFoundError"),
        ("First = 3", "broken = pkg_bad:First", "not a subclass of recsys_core.models.base.Recommender"),
        ("First = dict", "broken = pkg_bad:First", "not a subclass"),
        (MODEL.replace("def _score", "def score_"), "first = pkg_bad:First", "does not define _score"),
        (MODEL, "second = pkg_bad:First", "info.key is 'first', but its entry point is named 'second'"),
    ],
)
def test_a_broken_package_is_a_sentence_and_the_others_work(
    code: str, point: str, sentence: str, install: Install
) -> None:
    install("pkg_bad", code, point)
    key = point.partition(" ")[0]
    [problem] = model_problems()
    assert sentence in problem
    assert "'pkg_bad 1.2'" in problem
    assert usable_models() == list(MODELS)
    assert list(model_infos()) == list(MODELS)
    with pytest.raises(ConfigError, match=r"cannot be used"):
        model_class(key)


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("ease", "Recscope has an algorithm with this key"),
        ("list", "this key is reserved"),
        ("program_x", "this key is reserved"),
        ("Big Name", "must consist of lower-case letters"),
    ],
)
def test_keys_that_are_taken_are_left_out(key: str, sentence: str, install: Install) -> None:
    install("pkg_bad", MODEL, f"{key} = pkg_bad:First")
    [problem] = model_problems()
    assert sentence in problem
    assert known_models() == list(MODELS)
    assert model_class("ease").__module__ == "recsys_core.models.ease"


def test_two_packages_with_one_key_do_not_replace_each_other(install: Install) -> None:
    install("pkg_good", MODEL, "first = pkg_good:First")
    install("pkg_other", MODEL, "first = pkg_other:First")
    assert known_models() == [*MODELS, "first"]
    [problem] = model_problems()
    assert "package 'pkg_good 1.2' offers the same key" in problem


def test_an_experiment_without_its_package_says_so(install: Install, tmp_path: Path) -> None:
    install("pkg_good", MODEL, "first = pkg_good:First")
    store = ResultStore(tmp_path / "store")
    run = store.create(spec_of("first"), "little")
    (tmp_path / "site" / "pkg_good-1.2.dist-info" / "entry_points.txt").unlink()
    forget_offers()
    with pytest.raises(Exception, match="There is no algorithm 'first'"):
        store.open(run.id)


@pytest.mark.slow
def test_the_command_line_lists_it_in_a_fresh_process(install: Install, tmp_path: Path) -> None:
    install("pkg_good", MODEL, "first = pkg_good:First")
    install("pkg_bad", "raise SystemError", "broken = pkg_bad:First")
    code = "from recsys_core.models.registry import model_infos; print(*model_infos())"
    environment = {"PYTHONPATH": f"{ROOT}:{tmp_path / 'site'}", "PATH": "/usr/bin:/bin"}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == [*MODELS, "first"]
