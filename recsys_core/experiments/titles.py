"""Display names of splits and job states."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from recsys_core.experiments.jobs import JobState
from recsys_core.text import _, later

if TYPE_CHECKING:
    from recsys_core.data.split_spec import SplitSpec

SPLITS = {
    "ratio": later("Random per user"),
    "leave_last_out": later("Leave-last-out"),
    "global_time": later("Global time"),
    "k_fold": later("k-fold"),
    "user_holdout": later("Held-out users (strong generalization)"),
    "item_holdout": later("Item cold start (held-out items)"),
    "uploaded": later("Uploaded"),
}
STATES = {
    JobState.RUNNING: later("{n} running"),
    JobState.QUEUED: later("{n} queued"),
    JobState.DONE: later("{n} done"),
    JobState.FAILED: later("{n} failed"),
    JobState.CANCELLED: later("{n} cancelled"),
}


def split_title(kind: str) -> str:
    """Return the display name of a kind of split."""
    return _(SPLITS.get(kind, kind))


def split_text(split: "SplitSpec") -> str:
    """Return a split with the settings that determine its test set: `Random per user, test share 20%`."""
    parts = [split_title(split.kind)]
    if split.kind in ("ratio", "global_time", "user_holdout", "item_holdout"):
        parts.append(_("test share {share}").format(share=f"{100 * split.test_fraction:.4g}%"))
    if split.kind == "leave_last_out":
        parts.append(_("{n} held out per user").format(n=split.last))
    if split.kind == "k_fold":
        parts.append(_("{n} folds").format(n=split.folds))
    if split.kind == "global_time" and split.windows > 1:
        parts.append(_("{n} time windows").format(n=split.windows))
        parts.append(_("training period: {kind}").format(kind=split.window_training))
    if split.kind == "global_time" and split.gap_days:
        parts.append(_("gap of {days} days").format(days=f"{split.gap_days:g}"))
    if split.kind == "uploaded":
        parts.append((split.test_data or "")[:8])
    return ", ".join(parts)


def states_text(states: Iterable[JobState]) -> str:
    """Return the number of jobs in each state: `3 done, 1 failed`."""
    counts = Counter(states)
    return ", ".join(_(words).format(n=counts[state]) for state, words in STATES.items() if counts[state])
