"""What a recurrent network remembers while it reads a history: the length of its memory, and how far its gates open.

The steps are computed here once more, from the stored weights and by the equations of `nets.rnn`, since torch returns
memories but no gates. Both memories are the same up to rounding.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.columns import ITEM, TITLE
from recsys_core.contracts import FloatArray
from recsys_core.data.labels import titles_of
from recsys_core.errors import CannotScore
from recsys_core.explain.view import ViewData, ViewRequest

if TYPE_CHECKING:
    from recsys_core.models.rnn import Rnn

STEP, LENGTH, CHANGE = "step", "length", "change"
KEEPS, WRITES, RESETS, SHOWS = "keeps", "writes", "resets", "shows"
GATES = {"rnn": (), "gru": (KEEPS, RESETS), "lstm": (KEEPS, WRITES, SHOWS)}
"""Gates of each cell: what each does when it is open."""
READER = "net.reader."


@dataclass(frozen=True, eq=False)
class Memory:
    """The memory of one layer after each of T items.

    Args:
        states: (T, D) the memory.
        gates: (T, D) by name, from 0 (closed) to 1 (open); for "gru" z is `keeps` and r `resets`, for "lstm" f is
            `keeps`, i `writes` and o `shows`.
    """

    states: FloatArray
    gates: Mapping[str, FloatArray]


def read_explicitly(cell: str, weights: Mapping[str, NDArray[Any]], inputs: FloatArray) -> Memory:
    """Read T vectors step by step.

    Args:
        cell: "rnn", "gru" or "lstm".
        weights: Of one layer, by torch's names without the layer: `weight_ih` (G D, E), `weight_hh` (G D, D),
            `bias_ih` and `bias_hh` (G D,), where the G parts of a GRU are r, z, n and of an LSTM i, f, g, o.
        inputs: (T, E).
    """
    exact = {name: np.asarray(weight, dtype=np.float64) for name, weight in weights.items()}
    step = {"rnn": _plain, "gru": _gru, "lstm": _lstm}[cell]
    width = exact["weight_hh"].shape[1]
    state: FloatArray = np.zeros(width)
    inner: FloatArray = np.zeros(width)
    states, gates = np.empty((len(inputs), width)), {name: np.empty((len(inputs), width)) for name in GATES[cell]}
    for place, read in enumerate(inputs):
        new = exact["weight_ih"] @ read + exact["bias_ih"]
        old = exact["weight_hh"] @ state + exact["bias_hh"]
        state, inner, opened = step(new, old, state, inner)
        states[place] = state
        for name, values in opened.items():
            gates[name][place] = values
    return Memory(states, gates)


def memory(request: ViewRequest) -> ViewData:
    """Return the memory of the top layer after each item that is read of the history, oldest first.

    Returns:
        Columns `step` (from 1), `item`, `title`, `length` (of the memory, as a vector), `change` (length of its
        difference from the step before), and for each gate of the cell its mean over the memory (0..1). Facts: `cell`,
        `layers`, `width`, `of` (items in the history), `gates` (names), `turn` (title of the largest change after the
        first step).

    Raises:
        CannotScore: There is no history.
    """
    model: Rnn = request.model  # type: ignore[assignment]
    items = request.query.history[0][-model.config.window :].astype(np.int64)
    if not len(items):
        raise CannotScore("There is no history, so nothing was read; choose somebody who did something.")
    found = memory_of(model, items)
    before = np.vstack([np.zeros(found.states.shape[1]), found.states[:-1]])
    change = np.linalg.norm(found.states - before, axis=1)
    table = pd.DataFrame(
        {
            STEP: np.arange(1, len(items) + 1),
            ITEM: items,
            TITLE: titles_of(request.dataset, items),
            LENGTH: np.linalg.norm(found.states, axis=1),
            CHANGE: change,
        }
    )
    for name, values in found.gates.items():
        table[name] = values.mean(axis=1)
    largest = 1 + int(np.argmax(change[1:])) if len(items) > 1 else 0
    facts = {
        "cell": model.config.cell,
        "layers": model.config.layers,
        "width": found.states.shape[1],
        "of": len(request.query.history[0]),
        "gates": list(found.gates),
        "turn": table[TITLE].iloc[largest],
        "turn_change": float(change[largest]),
    }
    return ViewData(table, facts)


def memory_of(model: "Rnn", items: NDArray[np.int64]) -> Memory:
    """Return what the top layer of a trained network remembers after each of `items` (T,)."""
    arrays = model.state()
    inputs: FloatArray = np.asarray(arrays["net.items.weight"], dtype=np.float64)[items]
    found = Memory(inputs, {})
    for layer in range(model.config.layers):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weights = {name: arrays[f"{READER}{name}_l{layer}"] for name in names}
        found = read_explicitly(model.config.cell, weights, found.states)
    return found


Step = tuple[FloatArray, FloatArray, dict[str, FloatArray]]


def _plain(new: FloatArray, old: FloatArray, state: FloatArray, inner: FloatArray) -> Step:
    return np.tanh(new + old), inner, {}


def _gru(new: FloatArray, old: FloatArray, state: FloatArray, inner: FloatArray) -> Step:
    (new_r, new_z, new_n), (old_r, old_z, old_n) = np.split(new, 3), np.split(old, 3)
    resets, keeps = _sigma(new_r + old_r), _sigma(new_z + old_z)
    written = np.tanh(new_n + resets * old_n)
    return (1 - keeps) * written + keeps * state, inner, {KEEPS: keeps, RESETS: resets}


def _lstm(new: FloatArray, old: FloatArray, state: FloatArray, inner: FloatArray) -> Step:
    input_gate, forget_gate, written, output_gate = np.split(new + old, 4)
    writes, keeps, shows = _sigma(input_gate), _sigma(forget_gate), _sigma(output_gate)
    held = keeps * inner + writes * np.tanh(written)
    return shows * np.tanh(held), held, {KEEPS: keeps, WRITES: writes, SHOWS: shows}


def _sigma(values: FloatArray) -> FloatArray:
    """The logistic function, without overflow for large negative numbers."""
    opened: FloatArray = 0.5 * (1 + np.tanh(0.5 * values))
    return opened
