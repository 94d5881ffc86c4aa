"""What all page tests share: no engine ahead of time, no bars of progress, one scan of the packages; work done here."""

from functools import cache

import pytest
from streamlit.components.v2 import manifest_scanner

from pages.data_parts import check_files, upload_session
from pages.home_parts import recent_experiments
from pages.ui import pending
from recsys_core.serving import reader_pool, upload_process
from recsys_core.serving.uploads import Intake, Work
from recsys_core.serving.work_status import begin

PATIENCE_SECONDS = 60.0
"""A page waits this long for its background work, so that tests do not depend on the speed of the machine."""


@pytest.fixture(autouse=True)
def no_idle_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSCOPE_WARM_UP", "0")


@pytest.fixture(autouse=True)
def patient_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for part in (pending, check_files, recent_experiments):
        monkeypatch.setattr(part, "PATIENCE_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def hasty_pages(patient_pages: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page shows a bar of progress at once, for tests whose work ends only when it is told to."""
    for part in (pending, check_files):
        monkeypatch.setattr(part, "PATIENCE_SECONDS", 0.1)


@pytest.fixture(scope="session", autouse=True)
def one_scan_of_packages() -> None:
    """Every AppTest would read the metadata of all installed packages in search of components: 0.14 s of CPU each."""
    manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


class ReadersHere(reader_pool.Readers):
    """Reads files in a thread of this process; the usual process of each reading takes a second to load."""

    def warm(self) -> None:
        pass

    def _read(self, run: reader_pool._Run) -> str:
        run.reading.clear()
        reader_pool.remove_older(run.reading.intake)
        run.reading.run()
        return ""


@pytest.fixture
def reading_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploaded files are read in this process, for tests of what the page makes of them."""
    readers = ReadersHere()
    monkeypatch.setattr(upload_session, "readers", lambda: readers)


@pytest.fixture
def storing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploaded files are stored in this process, before the page goes on."""

    def start(intake: Intake, work: Work) -> None:
        begin(intake.folder, work)
        upload_process.run(intake, work)

    monkeypatch.setattr(Intake, "start", start)
