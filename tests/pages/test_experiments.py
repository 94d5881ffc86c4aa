"""The page Experiments: nothing there, one chosen, several chosen, annotations, deletion with undo, re-runs, cards."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from recsys_core.data.workspace import Workspace
from recsys_core.experiments.annotations import annotate, read_annotations, write_note
from recsys_core.experiments.deleted_runs import deleted_runs
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.rerun import repetition_of
from recsys_core.experiments.run_card import export_card
from recsys_core.experiments.store import ResultStore
from recsys_core.serving import card_process
from tests.engine.support import little_data
from tests.pages.finished import (
    Finished,
    finished,
    finished_template,
    in_this_process,
    no_engine_process,
    no_exception,
    open_page,
    small_spec,
    spoil,
    until,
    words,
)

__all__ = ["finished", "finished_template", "no_engine_process", "open_page"]
Open = Callable[..., AppTest]


def table(app: AppTest) -> list[str]:
    return list(app.dataframe[0].value["name"]) if app.dataframe else []


def second(finished: Finished, **fields: object) -> Run:
    """Train another experiment in the same workspace."""
    store = ResultStore(finished.root)
    spec = small_spec(finished.data, models=("item_knn",)).model_copy(update=fields)
    run = store.create(spec, "Two tastes", name="Second")
    for model_id in run.model_ids:
        execute(store, run.id, model_id, Workspace(finished.root), 1)
    return run


def repeated(finished: Finished) -> Run:
    store = ResultStore(finished.root)
    run = store.create(repetition_of(store, finished.opened().spec), "Two tastes", name="Again")
    for model_id in run.model_ids:
        execute(store, run.id, model_id, Workspace(finished.root), 1)
    return run


def test_an_empty_workspace_offers_a_sample_and_a_run_card(open_page: Open, no_engine_process: None) -> None:
    app = open_page("experiments")
    assert "No experiments yet" in words(app)
    assert "To get the run card" not in words(app)
    no_exception(app.button(key="experiments_sample").click().run())
    assert [title.value for title in app.title] == ["Train"]


def test_the_table_shows_every_training_with_its_result(open_page: Open, finished: Finished) -> None:
    run = second(finished)
    app = open_page("experiments", data=finished.data)
    frame = app.dataframe[0].value.set_index("name")
    assert set(frame.index) == {finished.opened().name, "Second"}
    row = frame.loc["Second"]
    assert (row["data"], row["split"], row["models"]) == ("Two tastes", "Random per user", "Item kNN")
    assert (row["metric"], row["state"]) == ("NDCG@5", "3 done")
    low, high = (float(end) for end in row["interval"].split(" to "))
    assert low <= row["value"] <= high
    assert row["versions"] == run.environment(run.model_ids[0])["recscope"]


def test_search_and_filters_narrow_the_table(open_page: Open, finished: Finished) -> None:
    run = second(finished)
    annotate(run.path, add_tags=["report"])
    app = open_page("experiments", data=finished.data)
    app.text_input(key="experiments_search").input("REPORT knn").run()
    assert table(no_exception(app)) == ["Second"]
    app.text_input(key="experiments_search").input("nothing like it").run()
    assert "No experiment matches" in words(no_exception(app))
    app.text_input(key="experiments_search").input("").run()
    app.multiselect(key="experiments_tags").select("report").run()
    assert table(no_exception(app)) == ["Second"]


def test_archived_experiments_are_hidden_until_they_are_asked_for(open_page: Open, finished: Finished) -> None:
    run = second(finished)
    app = open_page("experiments", data=finished.data, runs=run.id)
    no_exception(app.button(key=f"chosen_archived_{run.id}").click().run())
    assert "Second" not in table(app)
    app.toggle(key="experiments_archived").set_value(True).run()
    assert "Second" in table(no_exception(app))


def test_name_tags_and_note_are_saved(open_page: Open, finished: Finished) -> None:
    app = open_page("experiments", runs=finished.run)
    run = finished.opened()
    app.text_input(key=f"chosen_name_{run.id}").input("Renamed")
    app.text_area(key=f"chosen_note_{run.id}").input("Look at <b>this</b>")
    no_exception(app.button(key=f"chosen_save_{run.id}").click().run())
    assert finished.opened().name == "Renamed"
    assert read_annotations(run.path).note == "Look at <b>this</b>"
    assert "Renamed" in words(app)
    assert "Look at <b>this</b>" in words(app)


def test_a_note_that_another_user_changed_is_not_overwritten(open_page: Open, finished: Finished) -> None:
    run = finished.opened()
    app = open_page("experiments", runs=run.id)
    write_note(run.path, "by Ada", before="")
    no_exception(app.run())  # the page has read the note of the other user by now, the form has not
    app.text_area(key=f"chosen_note_{run.id}").input("by Ben")
    no_exception(app.button(key=f"chosen_save_{run.id}").click().run())
    assert read_annotations(run.path).note == "by Ada"
    assert "was not overwritten" in words(app)
    no_exception(app.button(key=f"chosen_save_{run.id}").click().run())
    assert read_annotations(run.path).note == "by Ben", "saved again after the other note was shown"


def test_favorites_are_listed_first(open_page: Open, finished: Finished) -> None:
    run = second(finished)
    app = open_page("experiments", runs=finished.run)
    assert table(app)[0] == "Second"
    no_exception(app.button(key=f"chosen_favorite_{finished.run}").click().run())
    assert table(app) == [f"★ {finished.opened().name}", run.name]


def test_deletion_can_be_undone(open_page: Open, finished: Finished) -> None:
    app = open_page("experiments", runs=finished.run)
    no_exception(app.button(key=f"chosen_delete_{finished.run}").click().run())
    store = ResultStore(finished.root)
    assert store.runs() == []
    assert "Deleted: " in words(app)
    no_exception(app.button(key="experiments_undo_button").click().run())
    assert [card.id for card in store.runs()] == [finished.run]
    assert "Deleted: " not in words(app)
    assert "EASE" in words(app), "the experiment is chosen again"


def test_deleted_experiments_are_restored_or_removed_from_a_list(open_page: Open, finished: Finished) -> None:
    app = open_page("experiments", runs=finished.run)
    app.button(key=f"chosen_delete_{finished.run}").click().run()
    (gone,) = deleted_runs(ResultStore(finished.root))
    app = open_page("experiments")
    assert app.button(key=f"restore_{gone.key}").label == "Restore"
    no_exception(app.button(key="experiments_empty_confirmed").click().run())
    assert deleted_runs(ResultStore(finished.root)) == []


def test_a_live_experiment_is_not_deleted(open_page: Open, finished: Finished) -> None:
    spoil(finished, "ease", JobState.QUEUED)
    app = open_page("experiments", runs=finished.run)
    no_exception(app.button(key=f"chosen_delete_{finished.run}").click().run())
    assert "cancel that first" in words(app)
    assert len(ResultStore(finished.root).runs()) == 1


def test_several_experiments_with_one_protocol_are_compared(open_page: Open, finished: Finished) -> None:
    run = second(finished)
    app = open_page("experiments", runs=f"{finished.run},{run.id}")
    text = words(until(app, lambda: "leads on NDCG@5" in words(app)))
    assert "2 experiments selected" in text
    assert "3 models have identical results" in text
    board = next(frame.value for frame in app.dataframe if "tied" in frame.value)
    assert set(board["title"]) == {"EASE", "Item kNN", "MF with biases (Funk SVD)", "Popularity", "Random"}


def test_experiments_with_another_protocol_have_no_common_verdict(open_page: Open, finished: Finished) -> None:
    run = second(finished, seed=7)
    text = words(app := open_page("experiments", runs=f"{finished.run},{run.id}"))
    assert "No common verdict" in text
    assert "They differ in: Seed of the split" in text
    assert "leads on" not in text
    values = next(frame.value for frame in app.dataframe if "Seed of the split" in frame.value)
    assert list(values["Seed of the split"]) == ["42", "7"]


def test_a_rerun_is_queued_and_its_difference_is_0(
    open_page: Open, finished: Finished, no_engine_process: None
) -> None:
    app = open_page("experiments", runs=finished.run)
    no_exception(app.button(key=f"rerun_{finished.run}").click().run())
    assert "Re-run and difference" in words(app)
    assert len(ResultStore(finished.root).runs()) == 2
    store = ResultStore(finished.root)
    again = next(store.open(card.id) for card in store.runs() if card.repetition == 1)
    for model_id in again.model_ids:
        execute(store, again.id, model_id, Workspace(finished.root), 1)
    no_exception(app.run())
    assert "Difference 0" in words(until(app, lambda: "Difference 0" in words(app)))
    assert "(re-run 1)" in " ".join(table(app))


def test_a_difference_names_the_model_and_the_metric(open_page: Open, finished: Finished) -> None:
    again = repeated(finished)
    from tests.unit.test_rerun import changed

    changed(again, "ease", "ndcg@5", 0.5)
    app = open_page("experiments", runs=finished.run)
    text = words(until(app, lambda: "although it is deterministic" in words(app)))
    assert "EASE differs although it is deterministic: NDCG@5 by +0.0128; 1 user has other values." in text, text
    assert "Item kNN: difference 0" in text


def test_results_of_another_version_are_marked(
    open_page: Open, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "another version" not in words(open_page("experiments", runs=finished.run))
    monkeypatch.setattr("recsys_core.version.VERSION", "9.9.9")
    text = words(open_page("experiments", runs=finished.run))
    assert "Trained with another version of Recscope (0.1.0; this is 9.9.9)" in text


def test_train_again_with_one_change(open_page: Open, finished: Finished, no_engine_process: None) -> None:
    app = open_page("experiments", runs=finished.run)
    ease = next(one for one in finished.opened().model_ids if one.startswith("ease"))
    what = app.selectbox(key=f"again_what_{finished.run}")
    assert "EASE: Regularization" in what.options
    what.set_value(f"{ease}/regularization").run()
    assert app.button(key=f"again_train_{finished.run}").disabled
    app.number_input(key=f"again_value_{finished.run}_{ease}/regularization").set_value(300.0).run()
    no_exception(app.button(key=f"again_train_{finished.run}").click().run())
    assert [title.value for title in app.title] == ["Train"]
    (card,) = [card for card in ResultStore(finished.root).runs() if card.id != finished.run]
    assert "EASE: Regularization 300" in card.name
    spec, before = ResultStore(finished.root).open(card.id).spec, finished.opened().spec
    assert spec.models[0].config["regularization"] == 300.0
    assert spec.models[1:] == before.models[1:]
    assert spec.split == before.split


def test_an_uploaded_card_is_verified_and_chosen(open_page: Open, finished: Finished, tmp_path: Path) -> None:
    content = export_card(finished.opened(), tmp_path / "card.zip").read_bytes()
    ResultStore(finished.root).delete(finished.run)
    app = open_page("experiments")
    app.file_uploader(key="experiments_card_0").upload("card.zip", content, "application/zip").run()
    text = words(until(app, lambda: "complete and unchanged" in words(app)))
    assert "Opened from a run card" in text
    assert "(run card)" in table(app)[0]
    (card,) = ResultStore(finished.root).runs()
    assert card.id == finished.run


def test_an_uploaded_card_with_a_flipped_byte_is_refused(
    open_page: Open, finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_this_process(monkeypatch, card_process)
    content = bytearray(export_card(finished.opened(), tmp_path / "card.zip").read_bytes())
    content[len(content) // 3] ^= 4
    ResultStore(finished.root).delete(finished.run)
    app = open_page("experiments")
    app.file_uploader(key="experiments_card_0").upload("card.zip", bytes(content), "application/zip").run()
    assert "at least one byte was changed" in words(until(app, lambda: "byte was changed" in words(app)))
    assert ResultStore(finished.root).runs() == []


def test_the_view_for_a_projector_hides_what_changes_something(open_page: Open, finished: Finished) -> None:
    app = open_page("experiments", runs=finished.run, view="demo")
    assert not any(button.label in ("Delete", "Archive", "Re-run and diff") for button in app.button)
    assert "EASE" in words(app)


def test_an_unknown_experiment_in_the_address_is_reported(open_page: Open, finished: Finished) -> None:
    assert "There is no experiment" in words(open_page("experiments", runs="0000000000000000"))


def test_the_same_models_on_two_data_sets_are_ranked_and_the_data_sets_drawn(
    open_page: Open, finished: Finished
) -> None:
    workspace, store = Workspace(finished.root), ResultStore(finished.root)
    other = little_data()
    workspace.store(other)
    spec = small_spec(other.fingerprint)
    run = store.create(spec, "little")
    for model_id in run.model_ids:
        execute(store, run.id, model_id, workspace, 1)
    app = open_page("experiments", data=finished.data, runs=f"{finished.run},{run.id}")
    until(app, lambda: "Ranks by NDCG@5 across data sets" in words(app))
    text = words(app)
    assert "has the best average rank" in text
    assert "Average ranks are tested from three data sets on." in text
    assert "is most like little" not in words(app)
    app = no_exception(app.toggle(key="dataset_map_on").set_value(True).run())
    until(app, lambda: "is most like little" in words(app))
    assert "In the latest experiment there" in words(app)
