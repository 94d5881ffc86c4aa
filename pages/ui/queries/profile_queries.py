"""Queries of the Users and Items pages: profiles of all, and the tables of one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import services, show
from pages.ui.text import _, later, n_, percent, safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from recsys_core.evaluation.friend_evaluation import FriendComparison
    from recsys_core.profiles.items import ItemProfiles
    from recsys_core.profiles.phrases import Words
    from recsys_core.profiles.space import Shared
    from recsys_core.profiles.users import UserProfiles
    from recsys_core.serving.background import Ticket

ENDS = " ⟷ "
"""Separator of the two ends in the name of a preference direction."""
SHARED = 4
"""Number of common features named."""
SIDES = {
    "attributes": (later("{name}"), later("not {name}")),
    "categories": (later("more {name}"), later("less {name}")),
    "terms": (later("term {name}"), later("not term {name}")),
    "topics": (later("texts with more {name}"), later("texts with less {name}")),
    "numbers": (later("higher {name}"), later("lower {name}")),
    "dates": (later("later {name}"), later("earlier {name}")),
    "directions": (later("a preference for {name}"), later("a preference for {name}")),
}
"""Block of the feature vector -> description of two entities both above, or both below, the mean of a feature."""


@dataclass(frozen=True, eq=False)
class Tables:
    """The tables of one user or item: interactions (and mean rating) over time, and the counts of each rating."""

    periods: "pd.DataFrame"
    ratings: "pd.DataFrame"


@dataclass(frozen=True, eq=False)
class Alike:
    """The items most similar to one: by content, and by common users."""

    described: "pd.DataFrame"
    known: "pd.DataFrame"


def users(fingerprint: str) -> "Ticket[UserProfiles]":
    """Return the ticket of the profiles of all users, which are stored in the workspace."""
    from recsys_core.profiles.users import user_profiles

    return services.ask(
        lambda ctx: user_profiles(services.dataset(fingerprint), services.root(), ctx), "user profiles", fingerprint
    )


def items(fingerprint: str) -> "Ticket[ItemProfiles]":
    """Return the ticket of the profiles of all items, which are stored in the workspace."""
    from recsys_core.profiles.items import item_profiles

    return services.ask(
        lambda ctx: item_profiles(services.dataset(fingerprint), services.root(), ctx), "item profiles", fingerprint
    )


def user_tables(fingerprint: str, user: int) -> "Ticket[Tables]":
    """Return the ticket of one user's tables."""
    from recsys_core.profiles import timeline

    def load(_: object) -> Tables:
        data = services.dataset(fingerprint)
        return Tables(timeline.activity_of(data, user), timeline.ratings_of(data, user))

    return services.ask(load, "user tables", fingerprint, user)


def tags(fingerprint: str, profiles: "UserProfiles", user: int) -> "Ticket[pd.DataFrame]":
    """Return the ticket of one user's preference tags; the first call also counts the tags of all items."""
    return services.ask(lambda _: profiles.tags(user), "tags", fingerprint, user)


def item_tables(fingerprint: str, item: int) -> "Ticket[Tables]":
    """Return the ticket of one item's tables."""
    from recsys_core.profiles import timeline

    def load(_: object) -> Tables:
        data = services.dataset(fingerprint)
        return Tables(timeline.item_over_time(data, item), timeline.item_ratings(data, item))

    return services.ask(load, "item tables", fingerprint, item)


def alike(fingerprint: str, profiles: "ItemProfiles", item: int, k: int) -> "Ticket[Alike]":
    """Return the ticket of the most similar items."""

    def look(_: object) -> Alike:
        return Alike(profiles.similar_by_content(item, k), profiles.similar_by_people(item, k))

    return services.ask(look, "alike", fingerprint, item, k)


@dataclass(frozen=True, eq=False)
class Acquaintances:
    """Friend recommendations for a user.

    Args:
        links: Number of users linked with the user.
        table: `rank`, `user`, `user_id`, `score`, `friends` and `items` (numbers in common).
    """

    links: int
    table: "pd.DataFrame"


def acquaintances(fingerprint: str, user_id: str, way: str, k: int) -> "Ticket[Acquaintances]":
    """Return the ticket of the friend recommendations for a user."""
    from recsys_core.models.friend_recommendation import recommend_people
    from recsys_core.profiles.in_common import in_common

    def load(_: object) -> Acquaintances:
        data = services.dataset(fingerprint)
        user = data.user_vocabulary.position(user_id)
        top = recommend_people(data, user, way, k)
        recommended = [int(one) for one in top.item[0] if one >= 0]
        table = in_common(data, user, recommended)
        table.insert(0, "rank", range(1, len(recommended) + 1))
        table["score"] = [float(score) for score in top.score[0][: len(recommended)]]
        return Acquaintances(table.attrs["links"], table)

    return services.ask(load, "acquaintances", fingerprint, user_id, way, k)


def friend_comparison(fingerprint: str) -> "Ticket[FriendComparison]":
    """Return the ticket of the evaluation of all friend recommenders on held-out links."""
    from recsys_core.evaluation.friend_evaluation import compare_friend_methods as compare

    return services.ask(lambda _: compare(services.dataset(fingerprint)), "friend comparison", fingerprint)


def said(*words: "Words") -> str:
    """Return library phrases in the language of this session, escaped for Markdown, separated by commas."""
    return ", ".join(one.filled(safe) for one in words)


def plain(*words: "Words") -> str:
    """Return the same unescaped, for a figure, which escapes its own texts."""
    return ", ".join(map(str, words))


def missing(words: "Iterable[Words]") -> None:
    """Show what is missing in the data set."""
    lines = [f"- {said(one)}" for one in words]
    if lines:
        st.info(_("Missing in this data set:") + "\n\n" + "\n".join(lines))


def axes(explained: tuple[float, ...], words: "tuple[Words, ...]") -> None:
    """Show the meaning of the axes of a map, and their explained variance."""
    first, second = (percent(share) for share in explained)
    right, up = (said(one) for one in words)
    with st.expander(_("How to read this map")):
        st.markdown(
            _("To the right: {right}.").format(right=right)
            + "  \n"
            + _("Upwards: {up}.").format(up=up)
            + "\n\n"
            + _(
                "The two axes explain {first} and {second} of the variance (principal components): neighboring "
                "dots may still differ in other dimensions."
            ).format(first=first, second=second)
        )


def why(shared: "Iterable[Shared]") -> str:
    """Return the largest contributions to a similarity in words."""
    parts = list(dict.fromkeys(_part(one) for one in shared))[:SHARED]
    return _("In common: {parts}").format(parts="; ".join(parts)) if parts else _("Similar in many features.")


def _part(one: "Shared") -> str:
    """Return one common feature, and whether both are above or below its mean."""
    from recsys_core.profiles.behavior import HABITS

    habit = next((habit for habit in HABITS if one.part == "behavior" and habit.label == one.name), None)
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


def in_words(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return a table of similar entities with the shared features, if any, as text."""
    if "shared" not in table:
        return table
    texts = ["; ".join(f"{one.name} ({one.part}, {one.amount:.3f})" for one in shared) for shared in table["shared"]]
    return table.assign(shared=texts)


def vector(
    profiles: "UserProfiles | ItemProfiles", position: int, key: str, *, name: str, words: str, **columns: Any
) -> None:
    """Show the feature vector of one user or item, on request; `columns` configures those beyond part and name."""
    whole = st.expander(
        n_("Feature vector: {n} number", "Feature vector: {n} numbers", len(profiles.features.names)),
        key=f"{key}_open",
        on_change="rerun",
    )
    if whole.open:
        with whole:
            st.markdown(words)
            show.table(
                profiles.vector(position),
                key,
                name=name,
                height=320,
                column_config={
                    "part": st.column_config.TextColumn(_("Part")),
                    "name": st.column_config.TextColumn(_("What")),
                    "everybody": st.column_config.NumberColumn(_("Mean of all"), format="%.3f"),
                    **columns,
                },
            )


def downloads(name: str, kind: str, profiles: "UserProfiles | ItemProfiles", ids: "Sequence[str]") -> None:
    """Offer all profiles as a table, and the feature vectors that models use."""

    def vectors() -> bytes:
        from recsys_core.viz.export import vectors_npz

        return vectors_npz(profiles.features, ids)

    with st.container(horizontal=True, gap="small", key=f"{kind}_exports"):
        show.csv_download(_("All profiles (CSV)"), profiles.export, f"{show.file_name(name)}-{kind}", f"{kind}_export")
        show.download(
            _("Feature vectors (NPZ)"),
            vectors,
            f"{show.file_name(name)}-{kind}-vectors.npz",
            "application/octet-stream",
            f"{kind}_vectors",
        )


def thumbnail(fingerprint: str, item: int) -> bytes | None:
    """Return the image of an item as PNG, None if there is none."""
    from recsys_core.profiles.attach import thumbnails

    return thumbnails(services.dataset(fingerprint), [item]).get(item)
