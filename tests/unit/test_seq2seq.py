"""Seq2seq as a model: what it learns, the relation of its lists and scores, and its trace."""

import time
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import PAD, Progress, RunContext, TracesAttention
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import CannotScore, NotFitted
from recsys_core.models.seq2seq import MOST_STEPS, Seq2Seq, Seq2SeqConfig
from tests.contract.cases import ITEMS, asking, tastes
from tests.nets import assert_learns_a_chain
from tests.worlds import markov_chain

TINY: dict[str, Any] = {"embedding_dim": 16, "epochs": 3, "patience": 0, "dropout": 0.0}
LETTERS, WORD = 10, 4
"""The copy task: a word of four different letters, then the same word in capitals."""


def trained(data: Dataset, ctx: RunContext | None = None, **settings: Any) -> Seq2Seq:
    model = Seq2Seq(Seq2SeqConfig.parse(TINY | settings))
    model.fit(data, ctx or RunContext())
    return model


@cache
def of_tastes() -> Seq2Seq:
    return trained(tastes())


def decoding(model: Seq2Seq, how: str, width: int = 4) -> Seq2Seq:
    """Return the same network with other decoding settings."""
    other = Seq2Seq(model.config.model_copy(update={"decoding": how, "beam_width": width}))
    other.load_state(model.state())
    return other


def copies(people: int = 200) -> Dataset:
    rng = np.random.default_rng(0)
    words = np.stack([rng.permutation(LETTERS)[:WORD] for _ in range(people)])
    frame = pd.DataFrame(
        {
            "user": np.repeat(np.arange(people), 2 * WORD).astype(np.int32),
            "item": np.hstack([words, words + LETTERS]).ravel().astype(np.int32),
            "timestamp": np.tile(np.arange(2 * WORD), people).astype(np.int64) * 1000,
        }
    )
    return dataset_from_frames(
        frame, name="copies", user_ids=[str(n) for n in range(people)], item_ids=[str(n) for n in range(2 * LETTERS)]
    )


@pytest.mark.slow
def test_a_word_is_copied_letter_by_letter_looking_at_each_in_turn() -> None:
    """Words not in training are copied in capitals, and step t attends most to letter t: read from the trace."""
    settings = {
        "encoder": "mlp",
        "embedding_dim": 32,
        "max_length": 2 * WORD,
        "steps": WORD,
        "share": 1.0,
        "learning_rate": 5e-3,
    }
    model = trained(copies(), **settings, epochs=25, batch_size=32, decoding="greedy")
    rng = np.random.default_rng(9)
    words = [rng.permutation(LETTERS)[:WORD] for _ in range(20)]
    said = model.recommend(asking([word.tolist() for word in words]), WORD)
    assert (said.item == np.stack(words) + LETTERS).mean() > 0.9
    looks = [model.trace(asking([word.tolist()])).weights[0, 0, :WORD].argmax(axis=1) for word in words]
    assert (np.stack(looks) == np.arange(WORD)).mean() > 0.9


@pytest.mark.slow
def test_a_chain_is_learned_and_chance_is_not() -> None:
    assert_learns_a_chain("seq2seq")


def test_the_decoded_list_walks_on_along_the_chain() -> None:
    world = markov_chain(users=200, steps=6)
    model = trained(world.train, embedding_dim=24, epochs=15, learning_rate=5e-3, batch_size=32, steps=3, share=0.5)
    frame = world.train.interactions
    follower = dict(zip(frame["item"][:-1], frame["item"][1:], strict=True))  # the last pair of a user is overwritten
    follower = {a: b for a, b in zip(frame["item"], frame["item"].shift(-1), strict=True) if follower.get(a) == b}
    top = decoding(model, "greedy").recommend(world.train.queries(), 2).item
    assert (top[:, 0] == world.withheld).mean() > 0.95
    known = np.array([follower.get(item, PAD) for item in top[:, 0]])
    assert (top[:, 1] == known)[known != PAD].mean() > 0.8


@pytest.mark.parametrize(("encoder", "decoder"), list(product(["lstm", "gru", "mlp", "cnn"], ["lstm", "gru"])))
def test_every_encoder_goes_with_every_decoder(encoder: str, decoder: str) -> None:
    reports: list[Progress] = []
    world = markov_chain(users=100, steps=6)
    settings = {"encoder": encoder, "decoder": decoder, "learning_rate": 5e-3, "batch_size": 16}
    model = trained(world.train, RunContext(report=reports.append), epochs=8, **settings)
    losses = [report.values["loss"] for report in reports if report.values]
    assert losses[-1] < 0.7 * losses[0]
    assert np.isfinite(model.score(world.train.queries())).all()


@pytest.mark.parametrize("how", ["greedy", "beam"])
def test_a_decoded_list_holds_nothing_twice_and_nothing_seen(how: str) -> None:
    query = tastes().queries()
    top = decoding(of_tastes(), how).recommend(query, 10)
    for row, history in enumerate(query.history):
        assert len(set(top.item[row].tolist()) - set(history.tolist())) == 10
    assert (np.diff(top.score, axis=1) <= 0).all()
    assert (top.score <= 0).all()


def test_greedy_is_a_beam_of_width_one() -> None:
    query = tastes().queries()
    one, two = (decoding(of_tastes(), how, 1).recommend(query, 12) for how in ("greedy", "beam"))
    assert_array_equal(one.item, two.item)
    assert_allclose(one.score, two.score)


def test_the_first_greedy_item_is_the_best_of_the_scores_and_one_step_is_their_order() -> None:
    query, model = tastes().queries(), of_tastes()
    scores = model.score(query)
    unseen = np.array([np.setdiff1d(np.arange(ITEMS), history)[:20] for history in query.history])  # (U, 20)
    for row, candidates in enumerate(unseen[:10]):
        one = query.take(np.array([row]))
        order = candidates[np.argsort(-scores[row, candidates], kind="stable")]
        assert_array_equal(model.recommend(one, 20, candidates=candidates).item[0], order)
        said = decoding(model, "greedy").recommend(one, 20, candidates=candidates).item[0]
        assert said[0] == order[0]
        assert_array_equal(np.sort(said), candidates)


def test_beams_find_sequences_at_least_as_probable_on_average() -> None:
    query = tastes().queries()
    one, four = (decoding(of_tastes(), "beam", width).recommend(query, 5).score[:, -1] for width in (1, 8))
    assert four.mean() > one.mean()


def test_a_list_longer_than_what_is_decoded_goes_on_and_keeps_its_beginning() -> None:
    query, model = tastes().queries(), decoding(of_tastes(), "beam")
    short, long = model.recommend(query, MOST_STEPS), model.recommend(query, ITEMS + 5)
    assert_array_equal(long.item[:, :MOST_STEPS], short.item)
    for row, history in enumerate(query.history):
        found = long.item[row][long.item[row] != PAD]
        assert_array_equal(np.sort(found), np.setdiff1d(np.arange(ITEMS), history))
        assert (np.diff(long.score[row, : len(found)]) <= 1e-9).all()


def test_without_a_history_nothing_is_decoded() -> None:
    model = decoding(of_tastes(), "greedy")
    top = model.recommend(asking([[], [3, 4]]), 3)
    assert (top.item[0] == PAD).all()
    assert np.isnan(top.score[0]).all()
    assert_array_equal(top.item[1], model.recommend(asking([[3, 4]]), 3).item[0])


def test_histories_of_other_lengths_beside_change_no_score() -> None:
    query, model = asking([[3], [5, 9, 2], list(range(60))]), of_tastes()
    alone = np.concatenate([model.score(query.take(np.array([row]))) for row in range(3)])
    assert_allclose(model.score(query), alone, atol=1e-5)


@pytest.mark.parametrize("how", ["one_step", "greedy", "beam"])
def test_the_trace_tells_how_the_list_came_about(how: str) -> None:
    query = tastes().queries(np.array([7]))
    model = decoding(of_tastes(), how)
    assert isinstance(model, TracesAttention)
    trace, said = model.trace(query), decoding(model, "greedy" if how == "one_step" else how).recommend(query, 10)
    found = trace.details
    assert_array_equal(trace.tokens, query.history[0])
    assert_array_equal(found["chosen_items"], said.item[0])
    assert_allclose(found["chosen_scores"].cumsum(), said.score[0], rtol=1e-5)
    assert_allclose(trace.weights[0, 0].sum(axis=1), 1.0, atol=1e-6)
    energies = np.exp(found["energies"] - found["energies"].max(axis=1, keepdims=True))
    assert_allclose(trace.weights[0, 0], energies / energies.sum(axis=1, keepdims=True), atol=1e-6)
    assert_allclose(found["context"], trace.weights[0, 0] @ found["encoded"], atol=1e-5)
    assert_allclose(found["context_norm"], np.linalg.norm(found["context"], axis=1), rtol=1e-6)
    assert found["hidden_norm"].shape == (10,)
    assert_array_equal(found["candidate_items"], trace.next_items)
    assert_array_equal(found["candidate_scores"], trace.next_scores)
    if how != "beam":
        assert_array_equal(trace.next_items[:, 0], found["chosen_items"])
    beam = decoding(model, "beam").recommend(query, 10)
    assert_array_equal(found["beam_items"][-1, 0], beam.item[0])
    assert_allclose(found["beam_scores"][-1, 0], beam.score[0, -1])
    assert found["beam_items"].shape == (10, 4, 10)
    assert (np.diff(found["beam_scores"], axis=1) <= 0).all()
    for step, kept in enumerate(found["beam_items"]):
        assert (kept[:, : step + 1] != PAD).all()
        assert (kept[:, step + 1 :] == PAD).all()


def test_a_trace_shows_no_candidate_that_was_chosen_before_or_seen() -> None:
    query = tastes().queries(np.array([3]))
    trace = of_tastes().trace(query)
    gone = set(query.history[0].tolist())
    for candidates, chosen in zip(trace.next_items, trace.details["chosen_items"], strict=True):
        assert not gone & set(candidates.tolist())
        gone.add(int(chosen))


def test_nothing_to_read_or_nothing_left_gives_no_trace() -> None:
    with pytest.raises(NotFitted):
        Seq2Seq().trace(asking([[1]]))
    with pytest.raises(CannotScore, match="no history"):
        of_tastes().trace(asking([[]]))
    with pytest.raises(CannotScore, match="every item"):
        of_tastes().trace(asking([list(range(ITEMS))]))
    few = of_tastes().trace(asking([list(range(ITEMS - 3))]))
    assert few.weights.shape[2:] == (3, 147)
    assert (few.next_items[2, 1:] == PAD).all()


def test_a_trace_of_200_items_takes_a_fraction_of_a_second() -> None:
    model = trained(tastes(users=20, items=400), embedding_dim=64, epochs=1, decoding="beam")
    query = asking([list(range(200))])
    model.trace(query)
    started = time.process_time()  # CPU time, since other processes do not count
    assert model.trace(query).weights.shape == (1, 1, 10, 200)
    assert time.process_time() - started < 1  # 0.02 s where this was measured
