"""`compare --strategy`: the price tags of a strategy on a stored or a new experiment, as text and as JSON."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys_core.cli import main
from recsys_core.cli.pricing import table
from recsys_core.data.workspace import Workspace
from recsys_core.experiments.candidates import candidates_of, models_of_mix
from recsys_core.strategy.prices import Pricing
from tests.pages.finished import Finished, finished, finished_template
from tests.shops import candidates, shop, split_of, strategy

__all__ = ["finished", "finished_template"]
DECAY = {"kind": "decay", "by": "popularity", "half_life": 5.0}
MMR = {"kind": "mmr", "weight": 0.5}
MIX = {"kind": "mix", "method": "rrf", "models": [{"model": "ease"}, {"model": "popular"}]}


def stored(path: Path, *cards: dict[str, Any]) -> str:
    path.write_text(strategy(*cards, k=5, pool=12, name="Autumn").model_dump_json(), encoding="utf-8")
    return str(path)


def job(finished: Finished, key: str) -> str:
    return next(one for one in finished.opened().model_ids if one.startswith(key))


def test_a_stored_experiment_is_priced_without_training(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = stored(tmp_path / "autumn.json", DECAY, MMR), tmp_path / "out"
    words = ["compare", "--run", finished.run, "--models", "ease", "--strategy", file, "--out", str(out)]
    assert main(words) == 0
    printed = capsys.readouterr().out
    run = finished.opened()
    own = candidates_of(run, job(finished, "ease"), 12, Workspace(finished.root).open(finished.data))
    expected = Pricing(own, k=5).price(strategy(DECAY, MMR, k=5, pool=12))
    written = json.loads((out / "prices.json").read_text(encoding="utf-8"))[job(finished, "ease")]
    table = pd.DataFrame(written["tags"])
    assert table["difference"].to_numpy(float) == pytest.approx(expected.table["difference"].to_numpy(), nan_ok=True)
    assert written["strategy"]["name"] == "Autumn"
    assert f"Price of the strategy 'Autumn' on EASE: {len(own.users)} test users" in printed
    for title in ("whole strategy", "card 1 (decay), alone", "card 2 (mmr), left out", "card 2 (mmr), in order"):
        assert title in printed
    change = expected.of("whole").set_index("metric").loc["ndcg@5", "difference"]
    line = next(line for line in printed.splitlines() if line.startswith("  NDCG@5"))
    assert float(line.split()[3]) == pytest.approx(change, abs=0.006)
    assert "are worse off" in printed


def test_a_mix_reads_the_other_models_of_the_experiment(finished: Finished, tmp_path: Path) -> None:
    file, out = stored(tmp_path / "mix.json", MIX), tmp_path / "out"
    words = ["compare", "--run", finished.run, "--models", "ease", "--strategy", file, "--out", str(out)]
    assert main(words) == 0
    cards = strategy(MIX, k=5, pool=12)
    run, data = finished.opened(), Workspace(finished.root).open(finished.data)
    own = candidates_of(run, job(finished, "ease"), 12, data, mix=models_of_mix(run, cards))
    assert list(own.sources) == ["ease", "popular"]  # type: ignore[arg-type]
    popular = candidates_of(run, job(finished, "popular"), 12, data)
    assert np.array_equal(own.others["popular"].item, popular.lists.item)
    tags = pd.DataFrame(json.loads((out / "prices.json").read_text())[job(finished, "ease")]["tags"])
    assert (tags["difference"].astype(float).fillna(0) != 0).any()


def test_a_new_experiment_is_priced_after_its_leaderboard(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = stored(tmp_path / "autumn.json", DECAY)
    words = ["compare", "--data", "Two tastes", "--models", "ease", "--k", "5", "--out", str(tmp_path / "out")]
    words += ["--strategy", file, "--split", "ratio:0.3", "--exposure-of", "popularity", "--value", ""]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert printed.index("ndcg@5") < printed.index("Price of the strategy 'Autumn' on EASE")
    assert "on Popularity" not in printed
    assert "Exposure@5: popularity=" in printed
    assert set(json.loads((tmp_path / "out" / "prices.json").read_text())) == {job(finished, "ease")}


def test_a_strategy_without_cards_costs_nothing(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = stored(tmp_path / "off.json", MMR | {"on": False})
    assert main(["compare", "--run", finished.run, "--models", "ease", "--strategy", file]) == 0
    assert "No card is on: the lists are the raw ones." in capsys.readouterr().out


def test_without_relevant_items_nobody_is_said_to_be_worse_off() -> None:
    prices = Pricing(candidates(split_of(shop())), k=5).price(strategy(MMR, k=5))
    assert "are worse off" in table(prices, "kNN", 60)
    unknown = prices.table.assign(users=0, before=np.nan, after=np.nan, difference=np.nan, low=np.nan, high=np.nan)
    told = table(replace(prices, table=unknown), "kNN", 0)
    assert "undefined for all users" in told
    assert "nan" not in told
    told = table(replace(prices, affected=prices.affected.assign(users=0, worse=np.nan)), "kNN", 0)
    assert "no user has relevant items" in told
    assert "nan" not in told
    assert "are worse off" not in told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--run", "RUN"], "--run needs --strategy"),
        (["--run", "RUN", "--data", "x", "--strategy", "FILE"], "exclude each other"),
        (["--run", "RUN", "--models", "teapot", "--strategy", "FILE"], "no finished model among teapot"),
        (["--run", "RUN", "--strategy", "nothing.json"], "'nothing.json' cannot be read"),
        (["--run", "RUN", "--strategy", "MIX"], "no finished model named 'teapot'"),
        (["--run", "RUN", "--strategy", "FILE", "--exposure-of", "colour"], "no item field 'colour'"),
        (["--run", "RUN", "--strategy", "FILE", "--value", "buy"], "--value 'buy': write EVENT=WEIGHT"),
        (["--run", "RUN", "--strategy", "FILE", "--out", "FILE"], "'a.json' is not a folder"),
        (["--data", "x", "--models", "ease"], "required: --out"),
        (["--data", "x", "--models", "ease", "--out", "OUT", "--price", "cost"], "need --strategy"),
    ],
)
def test_invalid_requests_are_refused_in_one_line(
    words: list[str], message: str, finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = MIX | {"models": [{"model": "teapot"}, {"model": "ease"}]}
    names = {
        "RUN": finished.run,
        "FILE": stored(tmp_path / "a.json", DECAY),
        "MIX": stored(tmp_path / "m.json", unknown),
        "OUT": str(tmp_path / "out"),
    }
    assert main(["compare", *(names.get(word, word) for word in words)]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1


CAP = {"kind": "cap", "field": "colour", "most": 1}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--strategy", "CAP"], "no item field 'colour'"),
        (["--strategy", "FILE", "--exposure-of", "colour"], "no item field 'colour'"),
        (["--strategy", "FILE", "--price", "colour"], "no item field 'colour'"),
        (["--strategy", "FILE", "--price", "title"], "does not hold numbers"),
        (["--strategy", "FILE", "--value", "buy=nan"], "--value: 'weights.buy'"),
        (["--strategy", "FILE", "--value", "buy"], "--value 'buy': write EVENT=WEIGHT"),
    ],
)
def test_price_tags_that_do_not_fit_are_refused_before_training(
    words: list[str],
    message: str,
    own_workspace: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("recsys_core.cli.comparing.train_and_report", lambda *_: pytest.fail("a model was trained"))
    names = {"FILE": stored(tmp_path / "a.json", DECAY), "CAP": stored(tmp_path / "c.json", CAP)}
    asked = ["compare", "--data", "tiny", "--models", "ease", "--out", str(tmp_path / "out")]
    assert main([*asked, *(names.get(word, word) for word in words)]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "asked",
    [
        ["recommend", "--train", "tiny", "--model", "popular", "--out", "OUT", "--strategy", "CAP"],
        ["strategy", "check", "CAP", "--data", "tiny", "--model", "popular"],
    ],
)
def test_cards_that_do_not_fit_are_refused_before_training(
    asked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recsys_core.models.popular.Popular.fit", lambda *_: pytest.fail("a model was trained"))
    names = {"OUT": str(tmp_path / "out.csv"), "CAP": stored(tmp_path / "c.json", CAP)}
    assert main([names.get(word, word) for word in asked]) == 2
    assert "no item field 'colour'" in capsys.readouterr().err
