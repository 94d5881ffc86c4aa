"""Hidden states and gate activations of a recurrent network along a history.

The recurrence is recomputed here from the stored weights by the equations of `nets.rnn`, since torch returns hidden
states but no gates. The hidden states of both agree up to rounding.
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
from recsys_core.text import _

if TYPE_CHECKING:
    from recsys_core.models.rnn import Rnn

STEP, NORM, CHANGE = "step", "norm", "change"
UPDATE, RESET = "update_gate", "reset_gate"
FORGET, INPUT, OUTPUT = "forget_gate", "input_gate", "output_gate"
GATES = {"rnn": (), "gru": (UPDATE, RESET), "lstm": (FORGET, INPUT, OUTPUT)}
"""Gates of each cell type."""
READER = "net.reader."


@dataclass(frozen=True, eq=False)
class HiddenStates:
    """Hidden states and gates of one layer after each of T items.

    Args:
        states: (T, D) hidden states.
        gates: Gate -> (T, D) activations from 0 (closed) to 1 (open). The update gate is z in the convention of torch:
            h_t = (1 - z) n + z h_(t-1), so that an open gate keeps the previous state.
        candidates: (T, D) what each step would write, n of a GRU and g of an LSTM; of a plain network the states.
    """

    states: FloatArray
    gates: Mapping[str, FloatArray]
    candidates: FloatArray


def unrolled(cell: str, weights: Mapping[str, NDArray[Any]], inputs: FloatArray) -> HiddenStates:
    """Run one recurrent layer over T input vectors.

    Args:
        cell: "rnn", "gru" or "lstm".
        weights: Of one layer, under torch's names without the layer: `weight_ih` (G D, E), `weight_hh` (G D, D),
            `bias_ih` and `bias_hh` (G D,), where the G blocks of a GRU are r, z, n and of an LSTM i, f, g, o.
        inputs: (T, E).
    """
    exact = {name: np.asarray(weight, dtype=np.float64) for name, weight in weights.items()}
    step = {"rnn": _plain, "gru": _gru, "lstm": _lstm}[cell]
    size = exact["weight_hh"].shape[1]
    state: FloatArray = np.zeros(size)
    cell_state: FloatArray = np.zeros(size)
    states, candidates = np.empty((len(inputs), size)), np.empty((len(inputs), size))
    gates = {name: np.empty((len(inputs), size)) for name in GATES[cell]}
    for place, vector in enumerate(inputs):
        new = exact["weight_ih"] @ vector + exact["bias_ih"]
        old = exact["weight_hh"] @ state + exact["bias_hh"]
        state, cell_state, candidates[place], activations = step(new, old, state, cell_state)
        states[place] = state
        for name, values in activations.items():
            gates[name][place] = values
    return HiddenStates(states, gates, candidates)


def hidden_states(request: ViewRequest) -> ViewData:
    """Return the hidden state of the top layer after each item of the truncated history, oldest first.

    Returns:
        Columns `step` (from 1), `item`, `title`, `norm` (of the hidden state), `change` (norm of its difference from
        the previous step), and for each gate its mean activation over the hidden dimensions (0..1). Facts: `cell`,
        `n_layers`, `hidden_dim`, `of` (items in the history), `gates` (columns), `turn` (title of the item
        with the largest change after the first step), `turn_change`.

    Raises:
        CannotScore: The history is empty.
    """
    model: Rnn = request.model  # type: ignore[assignment]
    items = request.query.history[0][-model.config.max_length :].astype(np.int64)
    if not len(items):
        raise CannotScore(_("The history is empty, so there is no hidden state; select a user with interactions."))
    top_layer = hidden_states_of(model, items)
    before = np.vstack([np.zeros(top_layer.states.shape[1]), top_layer.states[:-1]])
    change = np.linalg.norm(top_layer.states - before, axis=1)
    table = pd.DataFrame(
        {
            STEP: np.arange(1, len(items) + 1),
            ITEM: items,
            TITLE: titles_of(request.dataset, items),
            NORM: np.linalg.norm(top_layer.states, axis=1),
            CHANGE: change,
        }
    )
    for name, values in top_layer.gates.items():
        table[name] = values.mean(axis=1)
    largest = 1 + int(np.argmax(change[1:])) if len(items) > 1 else 0
    facts = {
        "cell": model.config.cell,
        "n_layers": model.config.n_layers,
        "hidden_dim": top_layer.states.shape[1],
        "of": len(request.query.history[0]),
        "gates": list(top_layer.gates),
        "turn": table[TITLE].iloc[largest],
        "turn_change": float(change[largest]),
    }
    return ViewData(table, facts)


def hidden_states_of(model: "Rnn", items: NDArray[np.int64]) -> HiddenStates:
    """Return the hidden states of the top layer of a trained network after each of `items` (T,)."""
    arrays = model.state()
    inputs: FloatArray = np.asarray(arrays["net.items.weight"], dtype=np.float64)[items]
    output = HiddenStates(inputs, {}, inputs)
    for layer in range(model.config.n_layers):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weights = {name: arrays[f"{READER}{name}_l{layer}"] for name in names}
        output = unrolled(model.config.cell, weights, output.states)
    return output


Step = tuple[FloatArray, FloatArray, FloatArray, dict[str, FloatArray]]


def _plain(new: FloatArray, old: FloatArray, state: FloatArray, cell_state: FloatArray) -> Step:
    written = np.tanh(new + old)
    return written, cell_state, written, {}


def _gru(new: FloatArray, old: FloatArray, state: FloatArray, cell_state: FloatArray) -> Step:
    (new_r, new_z, new_n), (old_r, old_z, old_n) = np.split(new, 3), np.split(old, 3)
    reset, update = _sigmoid(new_r + old_r), _sigmoid(new_z + old_z)
    candidate = np.tanh(new_n + reset * old_n)
    return (1 - update) * candidate + update * state, cell_state, candidate, {UPDATE: update, RESET: reset}


def _lstm(new: FloatArray, old: FloatArray, state: FloatArray, cell_state: FloatArray) -> Step:
    inputs, forgets, candidates, outputs = np.split(new + old, 4)
    input_gate, forget_gate, output_gate = _sigmoid(inputs), _sigmoid(forgets), _sigmoid(outputs)
    candidate = np.tanh(candidates)
    cell_state = forget_gate * cell_state + input_gate * candidate
    gates = {FORGET: forget_gate, INPUT: input_gate, OUTPUT: output_gate}
    return output_gate * np.tanh(cell_state), cell_state, candidate, gates


def _sigmoid(values: FloatArray) -> FloatArray:
    """Return the logistic function, without overflow for large negative numbers."""
    activation: FloatArray = 0.5 * (1 + np.tanh(0.5 * values))
    return activation
