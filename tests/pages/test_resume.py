"""The live panel of a training that was killed: what is kept of it, and going on from there."""

from collections.abc import Callable

import numpy as np
from streamlit.testing.v1 import AppTest

from recsys_core.experiments.checkpoints import CheckpointFile
from recsys_core.experiments.jobs import JobState
from recsys_core.storage.processes import own_mark
from tests.pages.finished import (
    Finished,
    finished,
    finished_template,
    no_engine_process,
    no_exception,
    open_page,
    spoil,
    words,
)

__all__ = ["finished", "finished_template", "no_engine_process", "open_page"]
Open = Callable[..., AppTest]


def test_a_killed_model_says_what_is_kept_and_goes_on(
    open_page: Open, finished: Finished, no_engine_process: None
) -> None:
    model_id = spoil(finished, "biased_mf", JobState.FAILED, "Its process was killed.")
    job = finished.opened().job(model_id)
    store = CheckpointFile(job.path)
    for _ in range(7):
        store.save({"weight": np.ones(3)})
    app = open_page("train", **finished.address())
    assert "Its process was killed." in words(app)
    assert "A checkpoint after 7 epochs is stored; training resumes from it." in words(app)
    button = app.button(key=f"again_{model_id}")
    assert button.label == "Resume"
    no_exception(button.click().run())
    assert (job.status().state, job.status().kept) == (JobState.QUEUED, 7)
    assert finished.root.joinpath("queue").exists()


def test_a_stopped_model_without_anything_kept_starts_again(
    open_page: Open, finished: Finished, no_engine_process: None
) -> None:
    model_id = spoil(finished, "ease", JobState.CANCELLED, "Cancelled on request.")
    app = open_page("train", **finished.address())
    assert "A checkpoint after" not in words(app)
    assert app.button(key=f"again_{model_id}").label == "Train again"


def test_a_model_that_was_refused_is_not_offered_again(
    open_page: Open, finished: Finished, no_engine_process: None
) -> None:
    model_id = spoil(finished, "ease", JobState.FAILED, "It would need 8 TiB of memory.")
    finished.opened().job(model_id).change(list(JobState), cause="refused")
    app = open_page("train", **finished.address())
    assert not [one for one in app.button if one.key == f"again_{model_id}"]


def test_a_running_model_says_where_it_went_on(open_page: Open, finished: Finished) -> None:
    model_id = spoil(finished, "biased_mf", JobState.RUNNING)
    job = finished.opened().job(model_id)
    job.change(list(JobState), process=own_mark(), resumed=7)
    app = open_page("train", **finished.address())
    texts = [str(bar.proto.text) for bar in app.get("progress")]
    assert any("resumed at epoch 8" in text for text in texts)
