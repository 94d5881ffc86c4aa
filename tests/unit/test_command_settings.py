"""Every setting of every model can be given on the command line, whatever its type."""

import argparse
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from recsys_core.cli import main
from recsys_core.cli.arguments import make_parser, parse_columns, parse_words
from recsys_core.cli.settings import model_settings, settings_by_model, split_settings, typed_values
from recsys_core.configs import FieldSpec, field_specs, read_value
from recsys_core.data.ingest.cleaning_rules import IngestRules
from recsys_core.errors import ConfigError
from recsys_core.models.registry import MODELS, make_model, model_class

SETTINGS = [(key, spec) for key in MODELS for spec in field_specs(model_class(key).config_type)]
IDS = [f"{key}-{spec.name}" for key, spec in SETTINGS]
TRAINING = ["recommend", "--train", "x.csv", "--out", "o.csv", "--model"]


def forms(spec: FieldSpec) -> list[tuple[str, object]]:
    """Return notations for values of a setting, with the value each means."""
    if spec.kind == "choice":
        found = [(form(str(one)), one) for one in spec.choices for form in (str, str.upper, str.title)]
        return found + [(str(one).replace("_", "-"), one) for one in spec.choices] + list(spec.synonyms)
    if spec.kind == "bool":
        yes = [(word, True) for word in ("true", "True", "yes", "on", "1")]
        return yes + [(word, False) for word in ("false", "FALSE", "no", "off", "0")]
    default = spec.default
    none = [("none", None), ("null", None)] if spec.optional else []
    return [*none, *([] if default is None else [(str(default), default), (f" {default} ", default)])]


@pytest.fixture
def one_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the parser once: it is the same for all of the thousands of commands."""
    monkeypatch.setattr("recsys_core.cli.arguments.make_parser", parser_of_all_commands)


@cache
def parser_of_all_commands() -> argparse.ArgumentParser:
    return make_parser()


@pytest.mark.usefixtures("one_parser")
@pytest.mark.parametrize(("key", "spec"), SETTINGS, ids=IDS)
def test_every_value_can_be_written_in_every_usual_form(key: str, spec: FieldSpec) -> None:
    for text, value in forms(spec):
        as_set = parse_words([*TRAINING, key, "--set", f"{spec.name}={text}"]).set
        as_option = parse_words([*TRAINING, key, f"--{spec.name.replace('_', '-')}", text]).set
        joined = parse_words([*TRAINING, key, f"--{spec.name}={text}"]).set
        for texts in (as_set, as_option, joined):
            found = model_settings(key, split_settings(texts))
            assert found == {spec.name: value}
            assert type(found[spec.name]) is type(value)


@pytest.mark.parametrize(("key", "spec"), SETTINGS, ids=IDS)
def test_a_value_that_is_none_is_refused_with_its_name(key: str, spec: FieldSpec) -> None:
    wrong = ["quux"] if spec.kind in {"choice", "bool"} else ["quux", "nan", "inf", "1,5"]
    for text in wrong:
        with pytest.raises(ConfigError, match=spec.name):
            model_settings(key, {spec.name: text})


def test_the_plain_recurrent_cell_is_known_under_the_name_that_it_has_in_the_field() -> None:
    for text in ("plain", "Plain", "rnn", "elman"):
        assert model_settings("rnn", {"cell": text}) == {"cell": "rnn"}
    assert make_model("rnn", {"cell": "plain"}).config == make_model("rnn", {"cell": "rnn"}).config


def test_a_word_means_what_the_setting_takes() -> None:
    choice = FieldSpec("form", "choice", "none", "", "", choices=("none", "1", "true"), optional=True)
    assert [read_value(choice, text) for text in ("none", "1", "true", "null")] == ["none", "1", "true", None]
    number = FieldSpec("size", "int", None, "", "", optional=True)
    assert [read_value(number, text) for text in ("none", "NULL", "7", "1e3", "x")] == [None, None, 7, 1000.0, "x"]
    switch = FieldSpec("on", "bool", False, "", "")
    assert [read_value(switch, text) for text in ("1", "0", "Yes", "none")] == [True, False, True, "none"]
    assert read_value(FieldSpec("label", "text", "", "", ""), "007") == "007"


def test_rules_of_ingest_are_read_by_what_they_take() -> None:
    texts = ["duplicates=keep", "rating_low=none", "rating_high=5", "min_user=2", 'event_weights={"buy": 5}']
    rules = IngestRules.parse(typed_values(IngestRules, split_settings(texts)))
    assert (rules.duplicates, rules.rating_low, rules.rating_high) == ("keep", None, 5.0)
    assert (rules.min_user, rules.event_weights) == (2, {"buy": 5.0})


def test_no_setting_is_called_like_an_option() -> None:
    parser = make_parser()
    (commands,) = (action for action in parser._actions if action.choices)
    options = {
        option[2:].replace("-", "_")
        for name in ("recommend", "predict", "compare", "update")
        for option in commands.choices[name]._option_string_actions  # type: ignore[call-overload, index]
    }
    assert not options & {spec.name for _, spec in SETTINGS}


def test_settings_of_several_models() -> None:
    keys = ["rnn", "ease", "sasrec"]
    found = settings_by_model(keys, ["rnn.cell=plain", "regularization=7", "sasrec.epochs=3", "rnn.epochs=2"])
    assert found == {"rnn": {"cell": "rnn", "epochs": 2}, "ease": {"regularization": 7.0}, "sasrec": {"epochs": 3}}
    for texts, says in (
        (["epochs=3"], "rnn, sasrec have this setting"),
        (["colour=3"], "no model has this setting"),
        (["popular.k=3"], "MODEL.NAME=VALUE with one of rnn, ease, sasrec"),
        (["cell=gru", "rnn.cell=lstm"], "has two values"),
    ):
        with pytest.raises(ConfigError, match=says):
            settings_by_model(keys, texts)


@pytest.mark.parametrize(
    ("texts", "says"),
    [(["x"], "NAME=VALUE"), (["=1"], "NAME=VALUE"), (["x="], "NAME=VALUE"), (["x=1", "x=2"], "has two values")],
)
def test_what_is_no_setting_is_refused(texts: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        split_settings(texts)


@pytest.mark.parametrize("words", [["--cell"], ["--cell", "--n-layers", "1"], ["--n-layers", "1", "gru"]])
def test_an_option_without_a_value_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TRAINING, "rnn", *words]) == 2
    assert "write settings as --NAME VALUE" in capsys.readouterr().err


def test_a_word_that_belongs_to_no_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([*TRAINING, "rnn", "plain"], ["models", "--cell", "plain"]):
        with pytest.raises(SystemExit) as end:
            main(words)
        assert end.value.code == 2
        assert "unrecognized arguments" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("user_id=0,user_id=1,item_id=2", "role 'user_id' is given twice"),
        ("user_id=0,item_id=0", "column '0' is given twice"),
        ("user_id", "is invalid"),
        ("user_id=,item_id=1", "is invalid"),
    ],
)
def test_columns_that_contradict_each_other_are_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_columns(text)


def test_spaces_around_columns_do_not_count() -> None:
    assert parse_columns(" user_id = 0 , item_id= b c ,rating =²") == {"user_id": 0, "item_id": "b c", "rating": "²"}


def test_columns_are_obeyed_or_refused_never_dropped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The third column holds words, so it is not a timestamp; dropping it silently would change the data set."""
    path, out = tmp_path / "odd.csv", tmp_path / "recs.csv"
    path.write_text("".join(f"u{n % 5},i{n % 4},w{n % 3}\n" for n in range(40)), encoding="utf-8")
    words = ["recommend", "--train", str(path), "--model", "popular", "--out", str(out), "--columns"]
    for command in (words, ["ingest", str(path), "--name", "x", "--columns"]):
        assert main([*command, "user_id=0,item_id=1,timestamp=2"]) == 2
        assert "no timestamp format matches half of its cells" in capsys.readouterr().err
    assert not out.exists()
    for data in ("tiny", "small"):
        assert main(["recommend", "--train", data, *words[3:], "user_id=0,item_id=1"]) == 2
        assert f"--columns applies to files only, but '{data}' is already stored" in capsys.readouterr().err


def test_columns_are_those_of_the_interactions_among_several_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ratings, films = tmp_path / "ratings.csv", tmp_path / "films.csv"
    ratings.write_text(
        "userId,movieId,rating\n" + "".join(f"{n % 9},{n % 7},{n % 5 + 1}\n" for n in range(63)), encoding="utf-8"
    )
    films.write_text(
        "movieId,title,genres\n" + "".join(f"{n},Film {n},Drama|War\n" for n in range(7)), encoding="utf-8"
    )
    columns = "user_id=userId,item_id=movieId"
    assert main(["ingest", str(ratings), str(films), "--name", "films", "--columns", columns]) == 0
    assert '"films.csv"' in capsys.readouterr().out
    out = tmp_path / "recs.csv"
    assert main(["recommend", "--train", "films", "--model", "popular", "--k", "2", "--out", str(out)]) == 0
    assert set(pd.read_csv(out)["item_id"]) <= set(range(7))
    assert main(["ingest", str(films), str(films), "--name", "none", "--columns", columns]) == 2
    assert "none of" in capsys.readouterr().err
