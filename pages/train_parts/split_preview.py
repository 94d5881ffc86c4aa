"""The split before any training: sizes, users, leakage in sentences, and its parts on the time line."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import pending, services
from pages.ui.text import _, count, n_, paragraph, percent

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from recsys_core.data.dataset import Dataset
    from recsys_core.data.leaks import LeakReport
    from recsys_core.data.split_preview import SplitPreview, Timeline
    from recsys_core.serving.background import Ticket

Events = tuple[tuple[str, ...], tuple[tuple[str, float], ...]]
"""Target events, and the events learned from with their weights."""
PREVIEW_ROWS = 2_000_000
"""Larger data sets are not split for the preview: the job counts, since counting would delay the page."""


def panel(dataset: "Dataset", split: dict[str, Any], seed: int, wanted: dict[str, Any]) -> None:
    """Show what this split does.

    Args:
        dataset: The data to split.
        split: Fields of a `SplitSpec`.
        seed: Seed of the experiment.
        wanted: Further fields of the `ExperimentSpec`, of which target events, events to learn from and the users of
            the verdict count here.
    """
    task = (tuple(wanted.get("target", ())), tuple(wanted.get("learn_from", {}).items()))
    with st.container(border=True, key="leaks"):
        st.markdown("**" + _("Split sizes and temporal leakage") + "**")
        if split["kind"] == "uploaded" and not split.get("test_data"):
            paragraph("Select a test set first.")
            return
        card = services.card(dataset.fingerprint)
        if card is not None and card.n_interactions > PREVIEW_ROWS:
            paragraph("This data set is large: leakage is measured when training starts and reported with the results.")
            return
        result = pending.outcome(_ticket(dataset, split, seed, task), _("Splitting the data"))
        if result is not None:
            if result.timeline is not None:
                _picture(result.timeline)
            sentences = [*user_sentences(result, wanted["users"]), *leak_sentences(result.leaks)]
            st.markdown("\n".join(f"- {sentence}" for sentence in sentences))


def _ticket(dataset: "Dataset", split: dict[str, Any], seed: int, task: Events) -> "Ticket[SplitPreview]":
    """Return the ticket of what a split does, computed once per split, seed and task."""

    def compute() -> "SplitPreview":
        from recsys_core.data import split_preview
        from recsys_core.data.split_spec import SplitSpec
        from recsys_core.data.splits import make_splits
        from recsys_core.data.task import Task

        spec, (target, learned) = SplitSpec.model_validate(split), task
        return split_preview.preview(dataset, make_splits(dataset, spec, seed, test_data, Task(target, dict(learned))))

    test_data = services.dataset(split["test_data"]) if split.get("test_data") else None
    return services.ask(
        lambda _ctx: compute(), "split preview", dataset.fingerprint, tuple(sorted(split.items())), seed, task
    )


def _picture(timeline: "Timeline") -> None:
    from recsys_core.data.split_preview import TEST, TRAIN, UNUSED, VALIDATION

    names = {TRAIN: _("training"), VALIDATION: _("validation"), TEST: _("test"), UNUSED: _("not used")}
    for part in timeline.counts:
        if part.startswith(f"{TEST} "):
            names[part] = _("test window {n}").format(n=part.removeprefix(TEST).strip())
    st.plotly_chart(
        _figure(timeline, tuple(names.items())),
        key="split_timeline",
        config={"displayModeBar": False},
        alt=_("Interactions over time: when the training and the test data of this split happened."),
    )


@lru_cache(maxsize=32)
def _figure(timeline: "Timeline", names: tuple[tuple[str, str], ...]) -> "go.Figure":
    """Return the picture of a split, made once: the page runs with each change of a setting."""
    from recsys_core.viz.split import split_timeline

    return split_timeline(timeline, dict(names))


def user_sentences(result: "SplitPreview", about: str) -> list[str]:
    """Return how many users are tested, how many of them without any history, and whom the verdict covers.

    Args:
        result: The preview.
        about: The users that the verdict is about: `with_history`, `without_history` or `all`.
    """
    tested, cold = n_("{n} test user.", "{n} test users.", result.test_users), result.without_history
    if not cold:
        words = _("All of them have training history, so the verdict covers all of them.")
        return [f"{tested} {words}" if about == "without_history" and result.test_users else tested]
    if cold == result.test_users:
        words = _(
            "None of them has training history, so the verdict is about recommendations without any user history."
        )
        return [f"{tested} {words}"]
    words = n_(
        "{n} of them has no training history: models cannot personalize for this user.",
        "{n} of them have no training history: models cannot personalize for these users.",
        cold,
    )
    covered = {
        "with_history": _("They are reported separately."),
        "without_history": _("The verdict is about them alone."),
        "all": _("The verdict is about all test users."),
    }
    return [f"{tested} {words} {covered[about]}"]


def leak_sentences(report: "LeakReport") -> list[str]:
    """Return a leak report as sentences with its numbers."""
    total = max(1, report.test_rows)
    sentences = [
        _("{train} training interactions, {test} test interactions.").format(
            train=count(report.train_rows), test=count(report.test_rows)
        )
    ]
    if report.tests_with_later_training is None:
        sentences.append(_("Without timestamps, temporal leakage cannot be measured."))
    elif report.tests_with_later_training == 0:
        sentences.append(_("No temporal leakage: no training interaction is later than a test interaction."))
    else:
        sentences.append(
            _("**Temporal leakage: {share} of the test interactions ({n}) are earlier than some training "
    "interaction.**")
            .format(share=percent(report.tests_with_later_training / total), n=count(report.tests_with_later_training))
        )  # fmt: skip
    if report.tests_of_unborn_items:
        sentences.append(
            n_(
                "{n} test interaction is earlier than every training interaction with its item.",
                "{n} test interactions are earlier than every training interaction with their item.",
                report.tests_of_unborn_items,
            )
        )
    if report.tests_of_unseen_items:
        sentences.append(
            n_(
                "{n} test interaction is with an item that has no training interactions; most models cannot "
                "recommend it.",
                "{n} test interactions are with items that have no training interactions; most models cannot "
                "recommend them.",
                report.tests_of_unseen_items,
            )
        )
    if report.tests_seen_in_training:
        sentences.append(
            n_(
                "{n} test interaction repeats an item of the user's training history and is excluded: models recommend "
                "new items only.",
                "{n} test interactions repeat an item of the user's training history and are excluded: models "
                "recommend new items only.",
                report.tests_seen_in_training,
            )
        )
    return sentences
