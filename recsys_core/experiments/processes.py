"""Marks of processes under the name by which experiments know them; see `recsys_core.storage.processes`."""

from recsys_core.storage.processes import ProcessMark, mark_of, own_mark

__all__ = ["ProcessMark", "mark_of", "own_mark"]
