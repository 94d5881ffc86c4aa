"""What strategies are priced by besides accuracy."""

from pages.strategy_parts.criteria import counted_events

EVENTS = {"view": 50, "purchase": 9, "refund": 1}


def test_only_events_that_test_interactions_can_have_are_offered_a_worth() -> None:
    assert counted_events(EVENTS, ("purchase",)) == {"purchase": 9}
    assert counted_events(EVENTS, ()) == EVENTS
