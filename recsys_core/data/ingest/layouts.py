"""Layouts of published data sets without headers or with several files, recognized by file names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from recsys_core.columns import (
    CATEGORIES,
    INTERACTIONS,
    ITEM_ID,
    ITEMS,
    RATING,
    SOCIAL,
    SOURCE_ID,
    TARGET_ID,
    TIMESTAMP,
    TITLE,
    USER_ID,
    USERS,
    WEIGHT,
)

ML_100K_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How to read one published file.

    Args:
        table: Which table it is.
        separator: Cell separator.
        names: Column names.
        roles: Column of each role.
        header: Whether its first line is a header.
        flags: 0/1 columns that encode an item's categories.
        event: Event type, for interactions without ratings.
        quoted: Whether double quotes enclose cells; else they are ordinary characters.
    """

    table: str
    separator: str
    names: tuple[str, ...]
    roles: Mapping[str, int]
    header: bool = False
    flags: tuple[str, ...] = ()
    event: str | None = None
    quoted: bool = True

    def fits(self, first: Sequence[str], width: int) -> bool:
        """Return whether a file with this number of columns and this first row can have the layout."""
        if width != len(self.names):
            return False
        return not self.header or [cell.strip().lower() for cell in first] == [name.lower() for name in self.names]


_RATINGS = {USER_ID: 0, ITEM_ID: 1, RATING: 2, TIMESTAMP: 3}
_RATING_NAMES = (USER_ID, ITEM_ID, RATING, TIMESTAMP)
_ITEM = {ITEM_ID: 0, TITLE: 1}

ML_100K = {
    "u.data": Layout(INTERACTIONS, "\t", _RATING_NAMES, _RATINGS),
    "u.user": Layout(USERS, "|", (USER_ID, "age", "gender", "occupation", "zip_code"), {USER_ID: 0}),
    "u.item": Layout(
        ITEMS,
        "|",
        (ITEM_ID, TITLE, "release_date", "video_release_date", "url", *ML_100K_GENRES),
        _ITEM,
        flags=ML_100K_GENRES,
    ),
}
ML_1M = {
    "ratings.dat": Layout(INTERACTIONS, "::", _RATING_NAMES, _RATINGS),
    "users.dat": Layout(USERS, "::", (USER_ID, "gender", "age", "occupation", "zip_code"), {USER_ID: 0}),
    "movies.dat": Layout(ITEMS, "::", (ITEM_ID, TITLE, CATEGORIES), {ITEM_ID: 0, TITLE: 1, CATEGORIES: 2}),
}
ML_CSV = {
    "ratings.csv": Layout(INTERACTIONS, ",", ("userId", "movieId", RATING, TIMESTAMP), _RATINGS, header=True),
    "movies.csv": Layout(ITEMS, ",", ("movieId", TITLE, "genres"), {ITEM_ID: 0, TITLE: 1, CATEGORIES: 2}, header=True),
}
LASTFM_2K = {
    "user_artists.dat": Layout(
        INTERACTIONS,
        "\t",
        ("userID", "artistID", WEIGHT),
        {USER_ID: 0, ITEM_ID: 1, WEIGHT: 2},
        header=True,
        event="play",
    ),
    "artists.dat": Layout(ITEMS, "\t", ("id", "name", "url", "pictureURL"), _ITEM, header=True, quoted=False),
    "user_friends.dat": Layout(SOCIAL, "\t", ("userID", "friendID"), {SOURCE_ID: 0, TARGET_ID: 1}, header=True),
}
FILMTRUST = {
    "ratings.txt": Layout(INTERACTIONS, " ", (USER_ID, ITEM_ID, RATING), {USER_ID: 0, ITEM_ID: 1, RATING: 2}),
    "trust.txt": Layout(SOCIAL, " ", (SOURCE_ID, TARGET_ID, WEIGHT), {SOURCE_ID: 0, TARGET_ID: 1, WEIGHT: 2}),
}
WHOLE_SETS: Mapping[str, tuple[Mapping[str, Layout], str, str]] = {
    "MovieLens 100K": (ML_100K, "u.data", "u.item"),
    "MovieLens (.dat)": (ML_1M, "ratings.dat", "movies.dat"),
    "MovieLens (.csv)": (ML_CSV, "ratings.csv", "movies.csv"),
    "Last.fm 2K": (LASTFM_2K, "user_artists.dat", "artists.dat"),
    "FilmTrust": (FILMTRUST, "ratings.txt", "trust.txt"),
}
"""For each published set: the files that are read (all others are ignored), and the two that identify it."""

_ALONE = ML_100K | {
    "users.dat": ML_1M["users.dat"],
    "movies.dat": ML_1M["movies.dat"],
    "trust.txt": FILMTRUST["trust.txt"],
}


def recognise(files: Mapping[str, str]) -> tuple[str, Mapping[str, Layout]] | None:
    """Return title and layouts of the published data set that these files form; None if they form none.

    Args:
        files: First line of each file, by its name without folders.
    """
    for title, (layouts, *marks) in WHOLE_SETS.items():
        if all(mark in files and _begins(layouts[mark], files[mark]) for mark in marks):
            return title, layouts
    return None


def _begins(layout: Layout, first_line: str) -> bool:
    first = first_line.strip().split(layout.separator)
    return layout.fits(first, len(first))


def layout_of(file: str, separator: str, columns: int) -> Layout | None:
    """Return the layout of a single file if name, separator and number of columns match a published one."""
    layout = _ALONE.get(PurePosixPath(file).name)
    if layout is None or layout.separator != separator or len(layout.names) != columns:
        return None
    return layout
