"""A note about the contenders that a page cannot ask, since only their lists are known."""

from typing import TYPE_CHECKING

from pages.ui.queries import comparison_queries
from pages.ui.text import paragraph, safe

if TYPE_CHECKING:
    from pages.ui.queries.comparison_queries import ResultsKey


def note(results: "ResultsKey") -> None:
    """Name the contenders without scores, if there are any."""
    titles = [model.title for model in comparison_queries.lists_only(results)]
    if titles:
        paragraph("Not shown here, since only their lists are known: {models}.", models=safe(", ".join(titles)))
