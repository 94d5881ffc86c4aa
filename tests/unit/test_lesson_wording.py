"""Texts of lessons: messages are translated, names never are, and markup is that of the message alone."""

import pytest

from recsys_core.lessons import wording
from recsys_core.lessons.wording import Told, named, told


@pytest.fixture(autouse=True)
def other_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wording, "_", lambda message: message.replace("Data", "Daten").replace("name", "Name"))


def test_a_message_is_translated_and_a_name_is_not() -> None:
    assert told("Data") == "Daten"
    assert told(named("Data")) == "Data"
    assert told(Told("Data of {user}", {"user": "Data {user}"})) == "Daten of Data {user}"


def test_names_are_escaped_and_messages_marked_up() -> None:
    text = Told("*Data* of {user}", {"user": "*Ana*"})
    assert told(text, lambda name: name.replace("*", "+"), lambda one: one.replace("*", "_")) == "_Daten_ of +Ana+"
