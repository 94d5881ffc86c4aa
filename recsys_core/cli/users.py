"""Which users a command is asked about: all, those of a file, or a list with commas."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recsys_core.cli.output import Account, some
from recsys_core.columns import USER_ID
from recsys_core.contracts import PAD, IntArray
from recsys_core.data.ingest.identifiers import as_known
from recsys_core.data.ingest.table_roles import role_of_name
from recsys_core.data.vocabulary import Vocabulary
from recsys_core.errors import DataError

ALL = "all"


@dataclass(frozen=True, eq=False)
class ChosenUsers:
    """The users that are asked about.

    Args:
        ids: (B,) identifiers of users that the data know, in the order given.
        positions: (B,) their positions.
        unknown: Identifiers that the data do not know.
        repeated: How many identifiers were given more than once.
    """

    ids: Sequence[str]
    positions: IntArray
    unknown: Sequence[str] = ()
    repeated: int = 0

    def tell(self, account: Account) -> None:
        """Say which users are unknown; they get no row."""
        if self.unknown:
            one = len(self.unknown) == 1
            account.say(
                f"{len(self.unknown):,} of {len(self.unknown) + len(self.ids):,} users in --users "
                f"{'does' if one else 'do'} not stand in the data and {'gets' if one else 'get'} no row: "
                f"{some(self.unknown)}."
            )
        if self.repeated:
            account.say(f"{self.repeated:,} lines of --users repeat a user; each user is answered once.")


def chosen_users(text: str, vocabulary: Vocabulary) -> ChosenUsers:
    """Return the users that `--users` names.

    An identifier is looked up as it stands, then as files of interactions are read: without blanks around it, and 10.0
    as 10.

    Args:
        text: `all`, a file with one user_id a line (or in the first column of a CSV), or identifiers with commas.
        vocabulary: The users of the data.

    Raises:
        DataError: The file is no text, names nobody, or is not there while no such user is known either.
    """
    if text == ALL:
        ids = vocabulary.ids
        return ChosenUsers(ids, vocabulary.positions(ids))
    path = Path(text)
    given = _ids_of_file(path) if text.strip() and path.exists() else next(csv.reader([text], skipinitialspace=True))
    given = [one for one in given if one.strip()]
    if path.exists() and given and given[0] not in vocabulary and role_of_name(given[0]) == USER_ID:
        given = given[1:]
    if not given:
        raise DataError(f"--users '{text}' names no user.")
    known_ids = frozenset(vocabulary.ids)
    found = [one if one in known_ids else as_known(one, known_ids) for one in given]
    distinct = list(dict.fromkeys(found))
    positions = vocabulary.positions(distinct)
    known = [one for one, position in zip(distinct, positions, strict=True) if position != PAD]
    unknown = [one for one, position in zip(distinct, positions, strict=True) if position == PAD]
    if not known and len(distinct) == 1 and not path.exists():
        raise DataError(
            f"There is no file '{text}', and no user of that name; --users is 'all', a file with one user_id a line, "
            "or identifiers with commas."
        )
    return ChosenUsers(known, positions[positions != PAD], unknown, len(found) - len(distinct))


def _ids_of_file(path: Path) -> list[str]:
    """Return the cells of the first column.

    Raises:
        DataError: It is no text file.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [row[0] for row in csv.reader(file, skipinitialspace=True) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"'{path}' is no text file with one user_id a line.") from error
