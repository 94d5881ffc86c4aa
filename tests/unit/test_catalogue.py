"""The catalog of public data sets is complete and agrees with local copies of some of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from recsys_core.data.catalogue import catalogue, catalogue_entry
from recsys_core.errors import ConfigError, DataError

LOCAL = {
    "ml-latest-small": "ml-latest-small",
    "ml-100k": "ml-100k",
    "ml-1m": "ml-1m",
    "lastfm-2k": "lastfm-2k",
    "filmtrust": "filmtrust",
    "movietweetings-100k": "movietweetings-100k",
}


def test_every_entry_says_what_it_is_whose_it_is_and_how_to_check_it() -> None:
    entries = catalogue()
    assert {*LOCAL, "ml-25m"} <= set(entries)
    for key, entry in entries.items():
        assert entry.key == key
        assert len(entry.licence) > 100
        assert entry.citation
        assert entry.page.startswith("https://")
        assert entry.tables[0].table == "interactions"
        assert {"user_id", "item_id"} <= set(entry.tables[0].columns)
        for file in entry.files:
            assert file.url.startswith("https://")
            assert file.url.endswith(file.name)


def test_checksums_are_those_that_the_publishers_state() -> None:
    stated = {
        "ml-100k": "0e33842e24a9c977be4e0107933c0723",
        "ml-1m": "c4d9eecfca2ab87c1945afe126590906",
        "ml-25m": "6b51fb2759a8657d3bfcbfc42b592ada",
    }
    entries = catalogue()
    assert {key: entries[key].files[0].md5 for key in stated} == stated
    assert entries["ml-25m"].size_bytes == 261_978_986
    assert entries["ml-100k"].has_checksum
    assert not entries["filmtrust"].has_checksum
    assert entries["movietweetings-100k"].download_name == "movietweetings-100k.zip"


@pytest.mark.public_data
@pytest.mark.parametrize("key", LOCAL)
def test_tables_and_columns_are_those_of_the_files(key: str, public_data: Callable[[str], Path]) -> None:
    for hint in catalogue()[key].tables:
        path = public_data(LOCAL[key]) / Path(hint.file).name
        lines = path.read_text(encoding=hint.encoding).splitlines()
        first, second = (line.split(hint.separator) for line in lines[:2])
        assert len(first) == len(second) > max([c for c in hint.columns.values() if isinstance(c, int)], default=0)
        if hint.header:
            assert set(hint.columns.values()) <= set(first)
        if hint.table == "interactions":
            assert len(lines) - hint.header == catalogue()[key].rows


def test_an_unknown_entry_and_a_broken_catalogue_are_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no public data set 'ml-2m'"):
        catalogue_entry("ml-2m")
    broken = tmp_path / "catalogue.toml"
    for text in ("[a", '[a]\ntitle = "A"', 'a = "b"'):
        broken.write_text(text)
        with pytest.raises(DataError, match="cannot be read"):
            catalogue(broken)


@pytest.mark.parametrize("name", ["../x.zip", "a/b.zip", ".hidden", ""])
def test_a_file_name_cannot_lead_out_of_the_folder(name: str, tmp_path: Path) -> None:
    text = Path(__file__).parents[2].joinpath("data", "catalogue.toml").read_text().replace("ml-100k.zip", name)
    path = tmp_path / "catalogue.toml"
    path.write_text(text)
    with pytest.raises(DataError, match="cannot be read"):
        catalogue(path)
