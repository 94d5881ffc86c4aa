"""The search for default settings on public data sets: tuned on each, chosen on all, judged with each left out.

Not part of `make bench`: it takes hours. It stores tunings and values in `RECSCOPE_DEFAULTS` (default
`data/workspace/defaults`), goes on where it was interrupted, and writes `docs/defaults.md`.

1. Each model is tuned on the validation data of each data set, with the same number of trials; the test parts are not
   read.
2. The candidates of a model are its defaults and its best settings on each data set. Each candidate is trained on every
   data set; its value there is divided by the largest value of all candidates.
3. The proposed default is the candidate with the largest mean of these shares. To judge the choice, it is repeated with
   each data set left out, without that data set's own candidate, and the shares on the data sets left out are reported.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.movielens import PUBLIC_DATA, THREADS
from benchmarks.table import Row
from recsys_core.contracts import Need, RunContext
from recsys_core.data import Dataset
from recsys_core.data.ingest import load_file
from recsys_core.errors import RecscopeError
from recsys_core.experiments.budgets import is_tunable
from recsys_core.experiments.spec import ModelSpec
from recsys_core.experiments.tuning.execution import Bench
from recsys_core.experiments.tuning.spec import TuningSpec
from recsys_core.experiments.tuning.store import TuningStore
from recsys_core.experiments.tuning.trial import value_of
from recsys_core.models.registry import MODELS, model_class
from recsys_core.storage.files import read_json, write_json, write_text

ROOT = Path(__file__).resolve().parents[1]
DATA = {
    "ml-100k": "ml-100k/u.data",
    "ml-1m": "ml-1m/ratings.dat",
    "lastfm-2k": "lastfm-2k/user_artists.dat",
    "movietweetings-100k": "movietweetings-100k/ratings.dat",
}
TRIALS = int(os.environ.get("RECSCOPE_BENCH_TRIALS", "30"))
FOLDER = Path(os.environ.get("RECSCOPE_DEFAULTS", ROOT / "data" / "workspace" / "defaults"))
CHOSEN = tuple(filter(None, os.environ.get("RECSCOPE_BENCH_MODELS", "").split(",")))
"""Models to search; all by default."""
SETS = tuple(filter(None, os.environ.get("RECSCOPE_BENCH_DATA", "").split(","))) or tuple(DATA)
LARGE = ("ml-1m", "lastfm-2k")
TOO_SLOW = {"slim": LARGE, "nmf": LARGE, "ease": ("lastfm-2k",), "user_knn": ("ml-1m",), "item_knn": ("ml-1m",)}
"""Data sets on which a model is not searched, since its trials take from half a minute to minutes."""
METRIC = "ndcg@10"
DEFAULTS = "defaults"
"""Name of the candidate with the defaults."""
CONCLUSION = (
    "The defaults have stayed as they are. A proposal would replace them if, on each data set left out, it were at "
    "least as good as they are. Of the models searched so far that holds for:",
    "",
    "- Item kNN: shrinkage and more neighbors help (`shrinkage = 20`, `neighbors = 80`, chosen by hand: 0.1800 on "
    "ml-100k, 0.1531 on ml-1m, 0.1313 on lastfm-2k, 0.1112 on movietweetings-100k; defaults 0.1761, 0.1482, 0.0856, "
    "0.0782). The default stays the plain method, since in small tables with few common users shrinkage makes all "
    "similarities small. Tune it, or set both.",
    "- Association rules: a smaller minimum support gives more rules, and takes more memory and time.",
    "- Recent popularity and the Markov chain: the test part of a random split is not later than the training part, so "
    "that recency and order cannot help there, as they do where the next items are predicted.",
    "- User and item biases, and MF with biases on two of three data sets: their defaults predict ratings, whereas the "
    "search looks at ranking.",
    "",
)


@dataclass(frozen=True)
class Memory:
    """Opens one data set."""

    dataset: Dataset

    def open(self, name: str, /) -> Dataset:
        assert name == self.dataset.fingerprint
        return self.dataset


Values = Mapping[str, Mapping[str, float]]
"""Candidate -> data set -> validation metric."""


def run() -> list[Row]:
    """Search, and write the document; no figure is promised."""
    searched = {}
    for key in CHOSEN or tuple(key for key in MODELS if is_tunable(key)):
        if (found := search(key)) is not None:
            searched[key] = found
            write_text(ROOT / "docs" / "defaults.md", document(searched))
    return []


def search(key: str) -> tuple[dict[str, dict[str, Any]], Values] | None:
    """Return the candidates of a model and their values; None if no data set can train it."""
    candidates: dict[str, dict[str, Any]] = {DEFAULTS: ModelSpec(key=key).config}
    able = [name for name in SETS if name not in TOO_SLOW.get(key, ()) and not load_data(name).lacks(_needs(key))]
    for name in able:
        print(f"{key}: tuning on {name}", file=sys.stderr, flush=True)
        if (best := tuned(key, name)) is not None:
            candidates[name] = best
    values = {
        candidate: {name: value for name in able if (value := value_on(key, candidate, config, name)) is not None}
        for candidate, config in candidates.items()
    }
    return (candidates, values) if able else None


def _needs(key: str) -> frozenset[Need]:
    return model_class(key).info.needs


@cache
def load_data(name: str) -> Dataset:
    """Return a public data set."""
    return load_file(PUBLIC_DATA / DATA[name])


def bench_of(key: str, name: str) -> Bench:
    """Return the stored tuning of a model on a data set."""
    data = load_data(name)
    fields = {"data": data.fingerprint, "split": {"validation_fraction": 0.1}, "cutoffs": (10,), "primary": METRIC}
    tuning = TuningStore(FOLDER).create(TuningSpec.of(fields, (key,), {"trials": TRIALS}), name)
    return Bench(tuning, Memory(data), THREADS)


def tuned(key: str, name: str) -> dict[str, Any] | None:
    """Return the best settings of a model on a data set; None without a result."""
    bench = bench_of(key, name)
    try:
        while bench.tuning.job(key).status().is_live:
            bench.run_next(key)
    finally:
        bench.close()
    best = bench.tuning.best(key)
    return None if best is None else best.config


def value_on(key: str, candidate: str, config: dict[str, Any], name: str) -> float | None:
    """Return the validation metric of settings on a data set; it is computed once and stored."""
    path = FOLDER / "values" / f"{key}-{candidate}-{name}-{TRIALS}.json"
    if path.exists():
        stored: float | None = read_json(path)["value"]
        return stored
    bench = bench_of(key, name)
    try:
        model, spec = ModelSpec(key=key, config=config), bench.tuning.spec.experiment
        value = value_of(model, bench.split, spec, RunContext(threads=THREADS))
    except RecscopeError as error:
        print(f"{key} with the settings of {candidate} on {name}: {error}", file=sys.stderr, flush=True)
        value = None
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"value": value, "config": config})
    return value


def shares(values: Values, names: Sequence[str]) -> dict[str, float]:
    """Return the mean share of the largest value of each candidate over some data sets; 0 where it has no value."""
    largest = {name: max((own.get(name, 0.0) for own in values.values()), default=0.0) for name in names}
    return {
        candidate: sum(own.get(name, 0.0) / largest[name] for name in names if largest[name]) / len(names)
        for candidate, own in values.items()
    }


def chosen(values: Values, names: Sequence[str], without: str = "") -> str:
    """Return the candidate with the largest mean share over some data sets; of equal ones, the defaults.

    Args:
        values: See `Values`.
        names: The data sets.
        without: Data set whose own candidate is not considered.
    """
    allowed = {candidate: own for candidate, own in values.items() if candidate != without}
    found = shares(allowed, names)
    return max(found, key=lambda candidate: (found[candidate], candidate == DEFAULTS))


def left_out(values: Values) -> list[tuple[str, str, float, float]]:
    """Return data set, candidate chosen on the others, its value there, and that of the defaults."""
    names = list(dict.fromkeys(name for own in values.values() for name in own))
    found = []
    for name in names:
        others = [other for other in names if other != name]
        if others:
            candidate = chosen(values, others, name)
            found.append((name, candidate, values[candidate].get(name, 0.0), values[DEFAULTS].get(name, 0.0)))
    return found


def document(searched: Mapping[str, tuple[dict[str, dict[str, Any]], Values]]) -> str:
    """Return the text of `docs/defaults.md`."""
    skipped = "; ".join(f"{model_class(key).info.title} on {', '.join(names)}" for key, names in TOO_SLOW.items())
    lines = [
        "# Defaults",
        "",
        f"Each model was tuned on the validation data of {', '.join(SETS)} ({TRIALS} trials, {METRIC}, 20% of each "
        "user's interactions are the test part, which was not read, 10% of the others the validation part; seed 42). "
        "Candidates for a default are the present defaults and the best settings on each data set; each was trained on "
        "every data set. The proposal has the largest mean share of the largest value. 'Left out' is the value of the "
        "candidate that the other data sets choose, without that data set's own candidate. `python -m benchmarks "
        "defaults` repeats the search. Not searched, since a trial takes too long: "
        f"{skipped}.",
        "",
    ]
    lines += CONCLUSION
    for key, (candidates, values) in searched.items():
        lines += _of_model(key, candidates, values)
    return "\n".join(lines) + "\n"


def _of_model(key: str, candidates: dict[str, dict[str, Any]], values: Values) -> list[str]:
    names = list(dict.fromkeys(name for own in values.values() for name in own))
    if not names:
        return []
    proposal, found = chosen(values, names), shares(values, names)
    lines = [f"## {model_class(key).info.title} (`{key}`)", ""]
    lines += [f"| settings of | {' | '.join(names)} | mean share |", f"|---|{'---|' * (len(names) + 1)}"]
    for candidate, own in values.items():
        cells = [f"{own[name]:.4f}" if name in own else "-" for name in names]
        mark = " (proposed)" if candidate == proposal else ""
        lines.append(f"| {candidate}{mark} | {' | '.join(cells)} | {found[candidate]:.3f} |")
    told = [
        f"{name}: {value:.4f} with the settings of {one}, defaults {default:.4f}"
        for name, one, value, default in left_out(values)
    ]
    lines += ["", f"Left out: {'; '.join(told)}." if told else "", ""]
    for candidate, config in candidates.items():
        changed = {name: value for name, value in config.items() if value != candidates[DEFAULTS].get(name)}
        if candidate == DEFAULTS or changed:
            shown = config if candidate == DEFAULTS else changed
            lines.append(f"- {candidate}: `{json.dumps(shown)}`")
    return [*lines, ""]
