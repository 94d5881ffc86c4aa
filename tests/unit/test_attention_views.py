"""Figures of attention traces: tables, lines, heat map, stages, and the file of an example."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_core.contracts import PAD, AttentionTrace
from recsys_core.data.synthetic.samples import load_sample
from recsys_core.errors import DataError, StoreError
from recsys_core.explain.attention import (
    Attended,
    attended,
    candidates,
    decoded,
    foreseen,
    habit,
    links,
    mean_weights,
    moved,
)
from recsys_core.explain.attention_effects import Beside
from recsys_core.explain.attention_file import FOLDER, Example, examples, read_example, write_example
from recsys_core.viz import attention, attention_stages
from recsys_core.viz.attention_interest import explained, has_points, interest_stages
from recsys_core.viz.attention_study import SHOWN, beside_bars, most
from recsys_core.viz.components import LINKS
from tests.traces import causal_trace, decoder_trace

N_ITEMS = 24


def named(trace: AttentionTrace) -> Attended:
    return attended(trace, load_sample("tiny"))


def test_links_hold_each_look_once_and_none_ahead() -> None:
    trace = causal_trace([3, 1, 4, 0, 5], N_ITEMS)
    table = links(named(trace))
    assert len(table) == 15
    assert (table["place"] <= table["step"]).all()
    assert table.groupby("step")["weight"].sum().to_numpy() == pytest.approx(1.0)
    first = table[table["step"] == 4].iloc[0]
    assert first["place"] == int(trace.weights.mean(axis=(0, 1))[3].argmax()) + 1


def test_the_mean_is_over_the_chosen_heads_alone() -> None:
    trace = causal_trace([3, 1, 4], N_ITEMS)
    assert np.array_equal(mean_weights(trace, [(1, 0)]), trace.weights[1, 0].astype(np.float64))
    two = mean_weights(trace, [(0, 0), (1, 1)])
    assert two == pytest.approx((trace.weights[0, 0] + trace.weights[1, 1]) / 2)
    with pytest.raises(DataError, match="2 layers with 2 heads"):
        mean_weights(trace, [(2, 0)])
    with pytest.raises(DataError):
        mean_weights(trace, [])


def test_even_attention_is_told_as_even() -> None:
    """Six items with uniform attention: the latest three of n get 3 / n, spread over n items."""
    even = np.tril(np.ones((6, 6))) / np.arange(1, 7)[:, None]
    trace = AttentionTrace(np.arange(6), even[None, None], True, np.zeros((6, 1), int), np.zeros((6, 1)))
    found = habit(named(trace))
    assert found.steps == 3
    assert found.latest == pytest.approx(found.even) == pytest.approx((3 / 4 + 3 / 5 + 3 / 6) / 3)
    assert found.spread == pytest.approx(5.0) == pytest.approx(found.seen)


def test_a_long_history_keeps_its_weight_in_groups_of_earlier_items() -> None:
    tokens = [item % N_ITEMS for item in range(60)]
    found = named(causal_trace(tokens, N_ITEMS))
    data = attention.links_data(found, {}, "name")
    weights = np.array(data["weights"])
    assert weights.shape == (4, attention.SHOWN, attention.SHOWN + 2)
    assert weights.sum(axis=2) == pytest.approx(1.0, abs=0.01)
    assert data["items"][:2] == ["Items 1 to 18", "Items 19 to 36"]
    for place, group in enumerate(data["groups"]):
        assert group["items"] == list(found.titles[18 * place : 18 * (place + 1)])
        assert np.array(group["weights"]).sum(axis=2) == pytest.approx(weights[:, :, place], abs=0.01)
    assert len(data["steps"]) == attention.SHOWN
    stages = attention_stages.payload(attention_stages.of_trace(found), {})["stages"]
    assert len(stages) == attention.SHOWN
    assert stages[0]["left"][0]["label"] == "36 earlier items"
    assert sum(row["value"] for row in stages[-1]["left"]) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("length", "first", "last"),
    [
        (24, None, None),
        (25, "Item 1", "Item 1"),
        (200, "Items 1 to 22", "Items 155 to 176"),
        (224, "Items 1 to 25", None),
    ],
)
def test_earlier_items_form_at_most_eight_groups(length: int, first: str | None, last: str | None) -> None:
    data = attention.links_data(named(causal_trace([item % N_ITEMS for item in range(length)], N_ITEMS)), {}, "name")
    labels = data["items"][: len(data["groups"])]
    assert len(labels) <= attention.GROUPS
    assert (labels or [None])[0] == first
    assert last is None or labels[-1] == last
    assert sum(len(group["items"]) for group in data["groups"]) == length - attention.SHOWN


def test_two_hundred_by_two_hundred_are_drawn_within_a_second() -> None:
    tokens = [item % N_ITEMS for item in range(230)]
    found = named(causal_trace(tokens, N_ITEMS))
    started = time.process_time()
    figure = attention.heat_map(found)
    assert time.process_time() - started < 1.0
    assert figure.data[0].z.shape == (200, 200)
    assert np.isnan(figure.data[0].z[0, 31:]).all()


def test_the_map_names_rows_and_columns_by_cut_titles_and_stays_small() -> None:
    """Two items with one title stay separate, and long titles are not repeated in each cell."""
    trace = causal_trace([item % N_ITEMS for item in range(230)], N_ITEMS)
    long = "The very long title of a film that has a sequel, " * 4
    names = dict.fromkeys(range(N_ITEMS), long)
    figure = attention.heat_map(Attended(trace, (long,) * 230, ("i",) * 230, names))
    assert figure.data[0].x[:2] == ("31. The very long tit…", "32. The very long tit…")
    assert len(set(figure.data[0].x)) == len(set(figure.data[0].y)) == 200
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("category", "category")
    assert len(figure.to_json()) < 700_000


def test_a_picture_begins_with_the_heads_that_are_on() -> None:
    found = named(causal_trace([3, 1, 4], N_ITEMS))
    every, some = (attention.links_data(found, {}, "name", heads) for heads in (None, [(0, 1), (1, 0)]))
    assert (every["on"], some["on"]) == (None, [1, 2])
    assert every["id"] == some["id"]
    assert '"on": [1, 2]' in LINKS.page(some, "title")


def test_an_example_says_how_often_it_expected_what_came() -> None:
    trace = causal_trace([3, 1, 4, 0], N_ITEMS)
    trace.next_items[:, 0] = [1, 5, 0, 3]
    assert foreseen(trace) == (2, 3)
    assert "the next item was ranked first in 2 of 3 steps." in str(attention.learned(named(trace)))
    assert "ranked first" not in str(attention.learned(named(decoder_trace([3, 1, 4], N_ITEMS))))


def test_a_rounded_part_of_the_attention_is_neither_nothing_nor_all() -> None:
    """Shares of 0.99996 and 0.00004; what is not attended to stays 0, and a single attended item 1."""
    weights = np.array([[1.0, 0.0], [0.99996, 0.00004]])
    trace = AttentionTrace(np.arange(2), weights[None, None], True, np.zeros((2, 1), int), np.zeros((2, 1)))
    found = named(trace)
    rounded = [[1.0, 0.0], [0.9999, 0.0001]]
    assert attention.links_data(found, {}, "name")["weights"] == [rounded]
    assert attention.heat_map(found).data[0].z.tolist()[1] == rounded[1]
    assert [row.text for row in attention_stages.of_trace(found)[1].left] == ["> 99.9%", "< 0.1%"]


def test_titles_from_outside_are_no_markup_in_the_map_nor_in_a_saved_picture() -> None:
    trace = causal_trace([0, 1], N_ITEMS)
    evil = "</script><img src=x onerror=alert(1)>"
    found = Attended(trace, (evil, "b"), ("0", "1"), dict.fromkeys(range(N_ITEMS), evil))
    assert "<img" not in attention.heat_map(found).to_json()
    page = LINKS.page(attention.links_data(found, {}, "name"), "<b>title")
    assert evil not in page
    assert "<b>title" not in page


def test_a_stage_of_reading_marks_what_is_read_and_what_came_next() -> None:
    trace = causal_trace([3, 1, 4], N_ITEMS)
    trace.next_items[0, 2] = 1
    stages = attention_stages.of_trace(named(trace))
    assert len(stages) == 3
    assert [row.mark for row in stages[1].left] == [False, True, False]
    assert [row.off for row in stages[1].left] == [False, False, True]
    assert [row.mark for row in stages[0].right] == [item == 1 for item in trace.next_items[0]]
    assert stages[0].left[0].text == "100%"


def decoded_with_details() -> Attended:
    """Return a possible trace of a decoder of four steps over three items, with one beam in the third step."""
    trace = decoder_trace([3, 1, 4], N_ITEMS)
    chosen = trace.next_items[:, 1]
    details = {
        "chosen_items": chosen,
        "chosen_scores": trace.next_scores[:, 1],
        "context_norm": np.array([1.5, 2.5, 3.5, 4.5]),
        "hidden_norm": np.array([0.5, 0.6, 0.7, 0.8]),
        "energies": np.log(trace.weights[0, 0]),
        "beam_items": np.full((4, 2, 4), PAD),
        "beam_scores": np.full((4, 2), np.nan),
    }
    details["beam_items"][2, 0, :3] = chosen[:3]
    details["beam_scores"][2, 0] = -0.7
    return named(AttentionTrace(trace.tokens, trace.weights, False, trace.next_items, trace.next_scores, details))


def test_a_stage_of_decoding_shows_this_steps_numbers() -> None:
    found = decoded_with_details()
    trace = found.trace
    stage = attention_stages.of_trace(found)[2]
    assert str(stage.title).startswith("Step 3: output '")
    lines = "\n".join(str(line) for line in stage.formula)
    assert f"{trace.weights[0, 0, 2].max():.2f} · E(" in lines
    assert "|C(3)| = 3.50" in lines
    assert "|H(3)| = 0.70" in lines
    assert f"P = {np.exp(trace.next_scores[2, 1]):.2f}" in lines
    assert [row.mark for row in stage.right] == [False, True, False, False, False]
    assert [(row.text, row.mark) for row in stage.extra] == [("-0.70", True)]
    assert candidates(found)["chosen"].sum() == 4


def test_the_table_of_a_decoder_holds_all_that_it_computed() -> None:
    found = decoded_with_details()
    table = decoded(found)
    third = table[table["step"] == 3]
    numbers = {name: part["value"].tolist() for name, part in third.groupby("quantity")}
    alpha = found.trace.weights[0, 0, 2]
    assert numbers["alpha"] == pytest.approx(alpha.tolist())
    assert numbers["energy"] == pytest.approx(np.log(alpha).tolist())
    assert (numbers["context_norm"], numbers["hidden_norm"]) == ([3.5], [0.7])
    assert numbers["candidate_log_probability"] == pytest.approx(found.trace.next_scores[2].tolist())
    beam = third[third["quantity"] == "beam_log_probability"].iloc[0]
    assert (beam["value"], beam["chosen"], beam["title"]) == (-0.7, True, " → ".join(found.steps[:3]))
    assert third["chosen"].sum() == 2


def interest_example() -> Attended:
    return next(iter(read_example("interest_attention").traces.values()))


def changed(found: Attended, **details: np.ndarray) -> Attended:
    """Return a trace with other details."""
    return replace(found, trace=replace(found.trace, details={**found.trace.details, **details}))


def test_the_table_of_the_points_holds_numbers() -> None:
    found = interest_example()
    details, table = found.trace.details, moved(found)
    for quantity, expected in (
        ("mass", details["mass"].ravel()),
        ("history_weight", details["history_weights"]),
        ("point_weight", details["point_weights"]),
        ("proposed", details["accepted"].ravel().astype(float)),
        ("attention", details["attention"].transpose(0, 2, 1).ravel()),
    ):
        assert table[table["quantity"] == quantity]["value"].to_numpy() == pytest.approx(expected)


def test_points_of_a_long_history_keep_their_weight_in_one_row_of_earlier_items() -> None:
    found = interest_example()
    times = 10
    attended_to = np.tile(found.trace.details["attention"], (1, times, 1))
    weights = np.tile(found.trace.details["history_weights"], times) / times
    long = changed(found, attention=attended_to, history_weights=weights)
    long = replace(long, titles=found.titles * times, item_ids=found.item_ids * times)
    for stage in interest_stages(long):
        assert len(stage.left) == attention.SHOWN + 1
        assert "76 earlier items" in str(stage.left[0].label)
    assert sum(row.value for row in interest_stages(long)[-1].left) == pytest.approx(1.0, abs=1e-3)


def test_why_points_stay_is_told_by_what_moves_them() -> None:
    """A walk tries one neighbor of each point; a policy may prefer staying."""
    found = interest_example()
    places = found.trace.details["point_items"]
    still = {"point_items": np.repeat(places[:1], len(places), axis=0)}
    shape = found.trace.details["accepted"].shape
    for policy, accepted, said in (
        (False, False, "for each, the proposed neighbor in the item graph would receive less attention"),
        (False, True, "each one has no neighbor in the item graph"),
        (True, False, "the learned policy assigns no neighbor a higher probability than staying"),
    ):
        here = changed(found, **still, policy=np.array([policy]), accepted=np.full(shape, accepted))
        assert said in str(interest_stages(here)[2].words)
        assert ("by a learned policy" in str(explained(here))) is policy
    none = np.empty((0, *shape[1:]))
    assert "the points do not move" in str(explained(changed(found, proposed_items=none)))


def beside_of(effects: list[float]) -> Beside:
    table = pd.DataFrame({"item": [1, 2], "title": ["one", "two"], "attention": [0.6, 0.4], "effect": effects})
    return Beside("it", 2.0, table)


def test_what_matters_most_is_told_in_the_direction_that_it_has() -> None:
    """A rise that is larger than every fall is named, too: its item is the one with the largest influence on Inside."""
    assert str(most(beside_of([0.1, 0.5]))).endswith("the score (2) falls most without 'two': by 0.5.")
    both = str(most(beside_of([-0.9, 0.5])))
    assert both.endswith("falls most without 'two': by 0.5, and rises most without 'one': by 0.9.")
    rises = str(most(beside_of([-0.1, -0.3])))
    assert "stays the same or rises when any single item is left out, most without 'two': by 0.3." in rises
    assert "(2) stays the same when any single item is left out." in str(most(beside_of([0.0, 0.0])))


def test_the_largest_weight_says_which_steps_it_leaves_out() -> None:
    """The first step has all its attention on the only item that it sees, which is more than any weight named."""
    said = str(attention.spread(named(causal_trace([0, 1, 2, 3, 4, 5], N_ITEMS))))
    assert said.endswith(" The first 3 steps are left out: their weights are large since they see few items.")
    assert "left out" not in str(attention.spread(named(causal_trace([0, 1], N_ITEMS))))
    assert "left out" not in str(attention.spread(named(decoder_trace([3, 1, 4], N_ITEMS))))


def test_an_example_comes_back_from_its_file(tmp_path: Path) -> None:
    found = named(decoder_trace([3, 1, 4], N_ITEMS))
    found.trace.next_scores[0, 4] = np.nan
    write_example(Example("seq2seq", "S", "tiny", {"u": found}, {"seed": 1}), tmp_path)
    back = read_example("seq2seq", tmp_path)
    trace = back.traces["u"].trace
    assert trace.weights == pytest.approx(found.trace.weights, abs=1e-6)
    assert np.array_equal(np.isnan(trace.next_scores), np.isnan(found.trace.next_scores))
    assert back.traces["u"].titles == found.titles
    assert back.traces["u"].steps == found.steps


def test_a_broken_or_missing_example_says_how_to_remake_it(tmp_path: Path) -> None:
    (tmp_path / "sasrec.json").write_text("{")
    with pytest.raises(StoreError, match="make example"):
        read_example("sasrec", tmp_path)
    with pytest.raises(StoreError, match="no finished example"):
        read_example("../../etc/passwd", tmp_path)


def test_the_stored_examples_hold_what_traces_promise() -> None:
    assert examples()[:2] == ["sasrec", "seq2seq"]
    for key in examples():
        example = read_example(key)
        assert (FOLDER / f"{key}.json").stat().st_size < 200_000
        for found in example.traces.values():
            weights = found.trace.weights
            assert weights.sum(axis=-1) == pytest.approx(1.0, abs=1e-4)
            if found.trace.causal:
                assert not np.triu(weights, 1).any()
            if has_points(found):
                stages = interest_stages(found)
                assert len(stages) == 3 + len(found.trace.details["proposed_items"])
                final = sum(row.value for row in stages[-1].left)
                assert final == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("strongest", [0, SHOWN - 1, SHOWN + 15])
def test_the_bars_hold_the_item_that_counts_most_wherever_it_stands(strongest: int) -> None:
    table = pd.DataFrame({"item": range(40), "title": [f"Film {item}" for item in range(40)], "attention": 1 / 40})
    found = Beside("Alien", 1.5, table.assign(effect=np.where(table["item"] == strongest, 0.9, 0.1)))
    looked, lost = beside_bars(found).data
    assert len(lost.x) == len(looked.x) == SHOWN
    assert lost.x.max() == 0.9
    assert f"falls most without 'Film {strongest}'" in str(most(found))
