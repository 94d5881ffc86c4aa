"""Queries about uploaded lists: those of an experiment, judging one, removing one."""

from typing import TYPE_CHECKING

from pages.ui import services

if TYPE_CHECKING:
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.list_accounts import ListAccount
    from recsys_core.serving.background import Ticket


def stored(run: "Run") -> "list[tuple[str, str, ListAccount]]":
    """Return id, name and account of each uploaded list of an experiment."""
    if not run.uploaded():
        return []
    from recsys_core.experiments.uploaded_lists import accounts

    found = accounts(run)
    return [(one, str(run.model_spec(one).config["name"]), found[one]) for one in run.uploaded()]


def judged(run: "Run", file_id: str, content: bytes, file: str, name: str) -> "Ticket[str]":
    """Return the ticket of judging an uploaded list; its result is the id of the list."""
    from recsys_core.serving.list_process import judge_in_process

    root, already = services.root(), run.uploaded()
    return services.ask(
        lambda _ctx: judge_in_process(content, file, name, root, run.id), "list", run.id, file_id, name, already
    )


def remove(run: "Run", list_id: str) -> None:
    """Remove an uploaded list.

    Raises:
        RecscopeError: There is no such list, or a disk error.
    """
    from recsys_core.experiments.uploaded_lists import remove_list

    remove_list(run, list_id)
