"""The guard of the test part: sealed while settings are tuned, read once by one experiment afterwards.

Settings chosen with knowledge of the test part are evaluated too favorably on it. So trials get a split whose test
part raises on any use, and a record in the folder of the tuning says which experiment has read the test part. After
that, the tuning cannot go on, and no second experiment can start from it.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, cast

from recsys_core.data import Dataset
from recsys_core.data.splits import Split
from recsys_core.errors import TestPartSealed
from recsys_core.storage.checksums import read_record, write_record
from recsys_core.storage.locks import locked
from recsys_core.text import _

RECORD = "test-part.json"


class SealedPart:
    """Stands in for the test part of a split; any use raises."""

    def __getattr__(self, name: str) -> NoReturn:
        raise TestPartSealed(
            _(
                "The test part was requested during tuning (its '{name}'). Tuning reads validation "
                "data only; train the tuned models to evaluate them on the test part."
            ).format(name=name)
        )


@dataclass(frozen=True)
class TestPartRead:
    """The one reading of the test part.

    Args:
        by: The experiment that reads it.
        time: When it was started, in Unix seconds.
    """

    __test__ = False

    by: str
    time: float


class TestPartGuard:
    """The guard of one tuning.

    Args:
        folder: Folder of the tuning.
        lock: Its lock file.
    """

    __test__ = False

    def __init__(self, folder: Path, lock: Path) -> None:
        self._path = folder / RECORD
        self._lock = lock

    def reading(self) -> TestPartRead | None:
        """Return the reading of the test part; None before it.

        Raises:
            Damaged: The record's checksum differs.
        """
        if not self._path.exists():
            return None
        values: dict[str, Any] = read_record(self._path)
        return TestPartRead(str(values["by"]), float(values["time"]))

    def seal(self, split: Split) -> Split:
        """Return the split for trials: without its test part.

        Raises:
            TestPartSealed: The test part was read, so further tuning would choose settings on it.
        """
        self.refuse_if_read()
        return replace(split, test=cast(Dataset, SealedPart()))

    def refuse_if_read(self) -> None:
        """Raise if the test part was read.

        Raises:
            TestPartSealed: It was.
        """
        if (read := self.reading()) is not None:
            raise TestPartSealed(
                _(
                    "The test part of this tuning was read by experiment {by}, so the tuning cannot go "
                    "on: settings chosen now would be chosen with knowledge of the test results. Start a "
                    "tuning with another seed or budget."
                ).format(by=read.by)
            )

    def read(self, by: str) -> TestPartRead:
        """Record that an experiment reads the test part.

        Args:
            by: Id of the experiment.

        Raises:
            TestPartSealed: It was read before.
            StoreError: A disk error.
        """
        with locked(self._lock):
            if (before := self.reading()) is not None:
                raise TestPartSealed(
                    _("The test part of this tuning was already read, by experiment {by}; it is read once.").format(
                        by=before.by
                    )
                )
            reading = TestPartRead(by, time.time())
            write_record(self._path, {"by": reading.by, "time": reading.time})
        return reading
