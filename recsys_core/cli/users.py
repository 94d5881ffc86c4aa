"""Select the users of a command: all, those in a file, or a comma-separated list."""

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
from recsys_core.text import _

ALL = "all"


@dataclass(frozen=True, eq=False)
class ChosenUsers:
    """The selected users.

    Args:
        ids: (B,) identifiers of users in the data, in the given order.
        positions: (B,) their positions.
        unknown: Identifiers not in the data.
        repeated: Number of repeated identifiers.
    """

    ids: Sequence[str]
    positions: IntArray
    unknown: Sequence[str] = ()
    repeated: int = 0

    def tell(self, account: Account) -> None:
        """Report unknown and repeated users."""
        if self.unknown:
            one = len(self.unknown) == 1
            account.say(
                f"{len(self.unknown):,} of {len(self.unknown) + len(self.ids):,} users in --users "
                f"{'is' if one else 'are'} not in the data and {'gets' if one else 'get'} no row: "
                f"{some(self.unknown)}."
            )
        if self.repeated:
            told = (
                "1 entry of --users is a duplicate"
                if self.repeated == 1
                else f"{self.repeated:,} entries of --users are duplicates"
            )
            account.say(f"{told}; each user appears once.")


def chosen_users(text: str, vocabulary: Vocabulary) -> ChosenUsers:
    """Return the users selected by `--users`.

    An identifier is looked up unchanged, then normalized as in interactions files: without surrounding blanks, and
    10.0 as 10.

    Args:
        text: `all`, a file with one user_id per line (or in the first column of a CSV), or comma-separated ids.
        vocabulary: The users of the data.

    Raises:
        DataError: The file is a folder, not a text file or empty, or there is neither such a file nor such a user.
    """
    if text == ALL:
        ids = vocabulary.ids
        return ChosenUsers(ids, vocabulary.positions(ids))
    path = Path(text)
    if text.strip() and path.is_dir():
        raise DataError(_("--users '{text}' is a folder, not a file with one user_id per line.").format(text=text))
    given = _ids_of_file(path) if text.strip() and path.exists() else next(csv.reader([text], skipinitialspace=True))
    given = [one for one in given if one.strip()]
    if path.exists() and given and given[0] not in vocabulary and role_of_name(given[0]) == USER_ID:
        given = given[1:]
    if not given:
        raise DataError(_("--users '{text}' names no user.").format(text=text))
    known_ids = frozenset(vocabulary.ids)
    found = [one if one in known_ids else as_known(one, known_ids) for one in given]
    distinct = list(dict.fromkeys(found))
    positions = vocabulary.positions(distinct)
    known = [one for one, position in zip(distinct, positions, strict=True) if position != PAD]
    unknown = [one for one, position in zip(distinct, positions, strict=True) if position == PAD]
    if not known and len(distinct) == 1 and not path.exists():
        raise DataError(
            _(
                "There is no file or user named '{text}'; --users takes 'all', a file with one "
                "user_id per line, or comma-separated ids."
            ).format(text=text)
        )
    return ChosenUsers(known, positions[positions != PAD], unknown, len(found) - len(distinct))


def _ids_of_file(path: Path) -> list[str]:
    """Return the cells of the first column.

    Raises:
        DataError: The file is not a text file.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [row[0] for row in csv.reader(file, skipinitialspace=True) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(_("'{path}' is not a text file with one user_id per line.").format(path=path)) from error
