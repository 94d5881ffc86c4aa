"""Finished attention examples as JSON files: traces of one trained model for a few users.

Reading a file executes no code. `data/samples/attention.py` generates the bundled files.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.contracts import AttentionTrace
from recsys_core.errors import StoreError
from recsys_core.explain.attention import Attended
from recsys_core.explain.attention_effects import Beside
from recsys_core.text import _

FOLDER = Path(__file__).resolve().parents[2] / "data" / "samples" / "attention"
FORMAT = 1
ORDER = ("sasrec", "seq2seq")
"""Algorithms that are listed first, in this order."""
DIGITS = 6
ARRAYS = ("weights", "next_items", "next_scores")


@dataclass(frozen=True, eq=False)
class Example:
    """Traces of a trained model.

    Args:
        key: The algorithm.
        title: Title of the algorithm.
        data: Name of the data set.
        traces: User id -> attention trace for the user's history.
        facts: Further numbers and texts by name, such as the seed and the number of epochs.
        beside: User id -> attention and influence for the top recommendation.
    """

    key: str
    title: str
    data: str
    traces: Mapping[str, Attended]
    facts: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, Beside] = field(default_factory=dict)


def examples(folder: Path = FOLDER) -> list[str]:
    """Return the keys of the algorithms with an example, the default one first."""
    found = sorted(path.stem for path in folder.glob("*.json"))
    return sorted(found, key=lambda key: ORDER.index(key) if key in ORDER else len(ORDER))


def write_example(example: Example, folder: Path = FOLDER) -> Path:
    """Write an example to a folder and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "format": FORMAT,
        "key": example.key,
        "title": example.title,
        "data": example.data,
        "facts": dict(example.facts),
        "people": {user: _to_json(found) for user, found in example.traces.items()},
        "beside": {user: _beside_to_json(found) for user, found in example.beside.items()},
    }
    path = folder / f"{example.key}.json"
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    return path


def read_example(key: str, folder: Path = FOLDER) -> Example:
    """Return a finished example.

    Raises:
        StoreError: There is no example of this algorithm, or its file is damaged.
    """
    path = folder / f"{key}.json"
    if key not in examples(folder):
        raise StoreError(_("There is no finished example of '{key}'.").format(key=key))
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        traces = {user: _from_json(found) for user, found in content["people"].items()}
        beside = {user: _beside_from_json(found) for user, found in content["beside"].items()}
        return Example(content["key"], content["title"], content["data"], traces, content["facts"], beside)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            _("The finished example {path_name} cannot be read: {error}. `make example` remakes it.").format(
                path_name=path.name, error=error
            )
        ) from error


def _to_json(attended: Attended) -> dict[str, Any]:
    trace = attended.trace
    return {
        "tokens": trace.tokens.tolist(),
        "causal": trace.causal,
        "softmax": trace.softmax,
        **({} if trace.mask_weights is None else {"mask_weights": _array(trace.mask_weights)}),
        **{name: _array(getattr(trace, name)) for name in ARRAYS},
        "details": {name: _array(array) for name, array in trace.details.items()},
        "titles": list(attended.titles),
        "item_ids": list(attended.item_ids),
        "names": {str(item): name for item, name in attended.names.items()},
    }


def _from_json(content: Mapping[str, Any]) -> Attended:
    trace = AttentionTrace(
        tokens=np.array(content["tokens"], dtype=np.int64),
        causal=bool(content["causal"]),
        weights=_to_array(content["weights"]),
        next_items=_to_array(content["next_items"]),
        next_scores=_to_array(content["next_scores"]),
        details={name: _to_array(array) for name, array in content["details"].items()},
        softmax=bool(content.get("softmax", True)),  # files of earlier versions hold softmax weights only
        mask_weights=_to_array(content["mask_weights"]) if "mask_weights" in content else None,
    )
    names = {int(item): str(name) for item, name in content["names"].items()}
    return Attended(trace, tuple(content["titles"]), tuple(content["item_ids"]), names)


def _beside_to_json(beside: Beside) -> dict[str, Any]:
    columns = {name: [one if isinstance(one, str) else round(one, DIGITS) for one in column.tolist()]
               for name, column in beside.table.items()}  # fmt: skip
    return {"item": beside.item, "score": beside.score, "table": columns}


def _beside_from_json(content: Mapping[str, Any]) -> Beside:
    return Beside(content["item"], float(content["score"]), pd.DataFrame(content["table"]))


def _array(array: NDArray[Any]) -> dict[str, Any]:
    """Return an array as plain JSON values, NaN as null."""
    flat: list[Any] = array.ravel().tolist()
    if array.dtype.kind == "f":
        flat = [None if math.isnan(value) else round(value, DIGITS) for value in flat]
    return {"dtype": array.dtype.str if array.dtype.kind != "U" else "U", "shape": list(array.shape), "values": flat}


def _to_array(stored: Mapping[str, Any]) -> NDArray[Any]:
    values = stored["values"]
    if np.dtype(stored["dtype"]).kind == "f":
        values = [np.nan if value is None else value for value in values]
    return np.array(values, dtype=stored["dtype"]).reshape(stored["shape"])
