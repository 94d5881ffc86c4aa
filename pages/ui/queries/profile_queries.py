"""What the pages Users and Items ask the library for: profiles of all, and what is known of one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import services, show
from pages.ui.text import _, later, percent, safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from recsys_core.evaluation.people import PeopleComparison
    from recsys_core.profiles.items import ItemProfiles
    from recsys_core.profiles.phrases import Words
    from recsys_core.profiles.space import Shared
    from recsys_core.profiles.users import UserProfiles
    from recsys_core.serving.background import Ticket

ENDS = " ⟷ "
"""Between the two ends in the name of a direction of taste."""
SHARED = 4
"""So many things in common are named."""
SIDES = {
    "attributes": (later("{name}"), later("not {name}")),
    "categories": (later("more {name}"), later("less {name}")),
    "terms": (later("the word {name}"), later("not the word {name}")),
    "topics": (later("texts with more {name}"), later("texts with less {name}")),
    "numbers": (later("higher {name}"), later("lower {name}")),
    "dates": (later("later {name}"), later("earlier {name}")),
    "directions": (later("a taste for {name}"), later("a taste for {name}")),
}
"""Part of a vector -> what is said of two who both lie above the mean in a column of it, and of two below."""


@dataclass(frozen=True, eq=False)
class Person:
    """One user's own tables: activity in time, and how often they gave each rating."""

    activity: "pd.DataFrame"
    ratings: "pd.DataFrame"


@dataclass(frozen=True, eq=False)
class Alike:
    """The items most like one: by description, and by the people who know both."""

    described: "pd.DataFrame"
    known: "pd.DataFrame"


@dataclass(frozen=True, eq=False)
class Thing:
    """One item's own tables: interactions and mean rating in time, and how often each rating was given to it."""

    periods: "pd.DataFrame"
    ratings: "pd.DataFrame"


def users(fingerprint: str) -> "Ticket[UserProfiles]":
    """Return the ticket of the profiles of all users; they are kept in the workspace."""
    from recsys_core.profiles.users import user_profiles

    return services.background().ask(
        ("user profiles", str(services.root()), fingerprint),
        "",
        lambda ctx: user_profiles(services.dataset(fingerprint), services.root(), ctx),
    )


def items(fingerprint: str) -> "Ticket[ItemProfiles]":
    """Return the ticket of the profiles of all items; they are kept in the workspace."""
    from recsys_core.profiles.items import item_profiles

    return services.background().ask(
        ("item profiles", str(services.root()), fingerprint),
        "",
        lambda ctx: item_profiles(services.dataset(fingerprint), services.root(), ctx),
    )


def person(fingerprint: str, user: int) -> "Ticket[Person]":
    """Return the ticket of one user's own tables."""
    from recsys_core.profiles import timeline as ask

    def look(_: object) -> Person:
        data = services.dataset(fingerprint)
        return Person(ask.activity_of(data, user), ask.ratings_of(data, user))

    return services.background().ask(("person", str(services.root()), fingerprint, user), "", look)


def tags(fingerprint: str, profiles: "UserProfiles", user: int) -> "Ticket[pd.DataFrame]":
    """Return the ticket of one user's preference tags; the first one takes a while, as it counts those of all items."""
    return services.background().ask(
        ("tags", str(services.root()), fingerprint, user), "", lambda _: profiles.tags(user)
    )


def thing(fingerprint: str, item: int) -> "Ticket[Thing]":
    """Return the ticket of one item's own tables."""
    from recsys_core.profiles import timeline as ask

    def look(_: object) -> Thing:
        data = services.dataset(fingerprint)
        return Thing(ask.item_over_time(data, item), ask.item_ratings(data, item))

    return services.background().ask(("thing", str(services.root()), fingerprint, item), "", look)


def alike(fingerprint: str, profiles: "ItemProfiles", item: int, k: int) -> "Ticket[Alike]":
    """Return the ticket of the items most like one."""
    return services.background().ask(
        ("alike", str(services.root()), fingerprint, item, k),
        "",
        lambda _: Alike(profiles.similar_by_content(item, k), profiles.similar_by_people(item, k)),
    )


@dataclass(frozen=True, eq=False)
class Acquaintances:
    """People whom a user might want to know.

    Args:
        links: Number of people whom a link joins with the user.
        table: `rank`, `user`, `user_id`, `score`, `friends` and `items` (numbers in common).
    """

    links: int
    table: "pd.DataFrame"


def acquaintances(fingerprint: str, user_id: str, way: str, k: int) -> "Ticket[Acquaintances]":
    """Return the ticket of whom a user might want to know."""
    from recsys_core.models.friend_recommendation import recommend_people
    from recsys_core.profiles.in_common import in_common

    def look(_: object) -> Acquaintances:
        data = services.dataset(fingerprint)
        user = data.user_vocabulary.position(user_id)
        top = recommend_people(data, user, way, k)
        people = [int(one) for one in top.item[0] if one >= 0]
        table = in_common(data, user, people)
        table.insert(0, "rank", range(1, len(people) + 1))
        table["score"] = [float(score) for score in top.score[0][: len(people)]]
        return Acquaintances(table.attrs["links"], table)

    return services.background().ask(("acquaintances", str(services.root()), fingerprint, user_id, way, k), "", look)


def people_comparison(fingerprint: str) -> "Ticket[PeopleComparison]":
    """Return the ticket of how well each way of proposing people finds links that were held out."""
    from recsys_core.evaluation.people import people_comparison as compare

    return services.background().ask(
        ("people comparison", str(services.root()), fingerprint), "", lambda _: compare(services.dataset(fingerprint))
    )


def said(*words: "Words") -> str:
    """Return pieces of text of the library in the language of this session, harmless for Markdown, with commas."""
    return ", ".join(
        _(one.template).format(**{name: safe(value) for name, value in one.values.items()}) for one in words
    )


def plain(*words: "Words") -> str:
    """Return the same for a figure, which escapes what it is given."""
    return ", ".join(_(one.template).format(**one.values) for one in words)


def missing(words: "Iterable[Words]") -> None:
    """Say what the data do not tell."""
    lines = [f"- {said(one)}" for one in words]
    if lines:
        st.info(_("What these data do not tell:") + "\n\n" + "\n".join(lines))


def axes(explained: tuple[float, float], words: "tuple[Words, Words]") -> None:
    """Say what the axes of a map are, and how much of all differences they show."""
    first, second = (percent(share, 0) for share in explained)
    right, up = (said(one) for one in words)
    with st.expander(_("How to read this map")):
        st.markdown(
            _("To the right: {right}.").format(right=right)
            + "  \n"
            + _("Upwards: {up}.").format(up=up)
            + "\n\n"
            + _(
                "The two axes show {first} and {second} of all differences (principal components): "
                "who is near may still differ in what the map does not show."
            ).format(first=first, second=second)
        )


def why(shared: "Iterable[Shared]") -> str:
    """Return what a similarity is made of, in words: the biggest parts first."""
    parts = list(dict.fromkeys(_part(one) for one in shared))[:SHARED]
    return _("In common: {parts}").format(parts="; ".join(parts)) if parts else _("Alike in many small things.")


def _part(one: "Shared") -> str:
    """Return one thing in common, and on which side of the mean both lie."""
    from recsys_core.profiles.behavior import HABITS

    habit = next((habit for habit in HABITS if one.part == "behaviour" and habit.label == one.name), None)
    if habit is not None:
        return safe(_(habit.more if one.above else habit.less))
    is_flag, name = ": " in one.name, one.name
    if one.part == "directions":
        ends = name.partition(": ")[2].split(ENDS)
        name = ", ".join(sorted((ends[0] if one.above else ends[-1]).split(", ")))
    elif one.part in ("categories", "topics"):
        name = name.partition(": ")[2] or name
    sides = SIDES.get(one.part, SIDES["numbers"])
    if one.part == "attributes" and not is_flag:
        sides = SIDES["numbers"]
    return _(sides[0] if one.above else sides[1]).format(name=safe(name))


def in_words(found: "pd.DataFrame") -> "pd.DataFrame":
    """Return a table of similar ones whose shared parts, if it has any, are text."""
    if "shared" not in found:
        return found
    texts = ["; ".join(f"{one.name} ({one.part}, {one.amount:.3f})" for one in shared) for shared in found["shared"]]
    return found.assign(shared=texts)


def downloads(name: str, kind: str, profiles: "UserProfiles | ItemProfiles", ids: "Sequence[str]") -> None:
    """Offer all profiles as a table, and the vectors that models use."""
    with st.container(horizontal=True, gap="small", key=f"{kind}_exports"):
        show.download(
            _("All profiles (CSV)"),
            lambda: show.csv(profiles.export()),
            f"{show.file_name(name)}-{kind}.csv",
            "text/csv",
            f"{kind}_export",
        )
        show.download(
            _("Their vectors (NPZ)"),
            lambda: _vectors(profiles, ids),
            f"{show.file_name(name)}-{kind}-vectors.npz",
            "application/octet-stream",
            f"{kind}_vectors",
        )


def _vectors(profiles: "UserProfiles | ItemProfiles", ids: "Sequence[str]") -> bytes:
    from recsys_core.viz.export import vectors_npz

    return vectors_npz(profiles.features, ids)


def thumbnail(fingerprint: str, item: int) -> bytes | None:
    """Return the picture of an item as PNG, None if there is none."""
    from recsys_core.profiles.attach import thumbnails

    return thumbnails(services.dataset(fingerprint), [item]).get(item)
