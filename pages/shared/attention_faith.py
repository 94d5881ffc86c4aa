"""Does attention tell what matters? What happens to the score when things are taken away, beside the attention."""

from typing import TYPE_CHECKING

from pages.shared import near

if TYPE_CHECKING:
    from pages.shared.attention_subject import Seen


def show(seen: "Seen", parts: near.Parts) -> None:
    """Show the panel, as far as there is anything to show."""
