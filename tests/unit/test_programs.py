"""Programs that compete through files: their contract, their limits, and a sentence for every way to fail."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from recsys_core.cli.comparing import results
from recsys_core.configs import field_specs
from recsys_core.contracts import Progress, RunContext
from recsys_core.data.splits import make_splits
from recsys_core.errors import Cancelled, ConfigError, ProgramFailed, StoreError
from recsys_core.evaluation.given_lists import GivenLists, evaluate_lists
from recsys_core.experiments import program_process
from recsys_core.experiments.analysis import compare_run, findings, users_of
from recsys_core.experiments.candidates import candidates_of
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.jobs import JobState, JobStatus
from recsys_core.experiments.leaderboard import contenders
from recsys_core.experiments.model_export import export_model
from recsys_core.experiments.program_environment import READY, command_of, environment_path
from recsys_core.experiments.program_process import Bounds, own_variables, progress_of, run_command
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.models.programs import folder_of
from recsys_core.models.registry import MODELS, known_models, model_class, model_infos, model_problems
from recsys_core.storage import leash
from tests.engine.support import Memory, eventually, little_data, spec_of
from tests.programs import COUNTS, offer, put

KEY = "program_counter"
WIDE = Bounds(memory_bytes=2**33, seconds=60.0, disk_bytes=2**30)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with one program."""
    root = tmp_path / "programs"
    offer(root, monkeypatch)
    put(root, "counter")
    return root


def run_of(folder: Path, spec: ExperimentSpec) -> tuple[ResultStore, Run]:
    store = ResultStore(folder)
    return store, store.create(spec, "little")


def executed(folder: Path, *models: object, **fields: object) -> tuple[Run, JobStatus]:
    """Run the job of the program; return its status."""
    spec = spec_of(*(models or (KEY,)), **{"relevant_from": 4, "cutoffs": (1, 5), "k": 5} | fields)
    store, run = run_of(folder, spec)
    model_id = next(one for one in run.model_ids if one.startswith("program"))
    return run, execute(store, run.id, model_id, Memory(little_data()), 1)


def test_a_program_is_judged_like_any_model(programs: Path, tmp_path: Path) -> None:
    """Its lists, made again here from the split, get the same metrics."""
    run, status = executed(tmp_path / "store")
    assert status.state is JobState.DONE, status.reason
    spec, data = run.spec, little_data()
    [split] = make_splits(data, spec.split, spec.seed)
    counts = split.train.interactions["item"].map(lambda item: data.item_vocabulary.ids[item]).value_counts()
    order = sorted(counts.index, key=lambda item: (-counts[item], item))
    positions = data.item_vocabulary.positions(order)
    users = split.test_users()
    lists = GivenLists(np.repeat(users, len(order)), np.tile(positions, len(users)), np.zeros(len(users) * len(order)))
    expected, _ = evaluate_lists(lists, split, cutoffs=spec.cutoffs, relevant_from=4)
    found = run.per_user_of(status.model_id)
    pd.testing.assert_frame_equal(found[expected.per_user.columns], expected.per_user)
    result = run.result(status.model_id)
    assert result.fit_seconds > 0
    assert result.peak_memory_bytes >= 0
    assert np.isnan(result.recommend_seconds)
    curve = run.history(status.model_id).set_index("step")["loss"].dropna()
    assert curve.to_dict() == {1: 0.25, 2: 0.5}
    assert not [path for path in run.job(status.model_id).path.iterdir() if path.is_dir()], "it leaves nothing"


def test_it_is_in_the_comparison_and_answers_no_query(programs: Path, tmp_path: Path) -> None:
    run, status = executed(tmp_path / "store")
    store = ResultStore(tmp_path / "store")
    for one in run.model_ids:
        execute(store, run.id, one, Memory(little_data()), 1)
    board = compare_run(run).table.set_index("model")
    popular = next(one for one in run.model_ids if one.startswith("popular"))
    assert abs(board.loc[status.model_id, "mean"] - board.loc[popular, "mean"]) < 0.05  # ties are broken otherwise
    [one] = [model for model in contenders(run) if model.id == status.model_id]
    assert (one.title, one.family) == ("Counter", "external")
    with pytest.raises(StoreError, match="only its lists are known"):
        run.model(status.model_id)
    with pytest.raises(StoreError, match="no trained model to download"):
        export_model(run, status.model_id, little_data(), tmp_path / "model.zip")
    with pytest.raises(StoreError, match="no scores for a strategy"):
        candidates_of(run, status.model_id, 5, little_data())
    assert status.model_id not in run.with_scores()
    assert "uploaded_list" not in {finding.rule for finding in findings(run, users_of(run))}


def test_settings_version_and_checksum_are_part_of_the_spec(programs: Path) -> None:
    first = ModelSpec(key=KEY)
    assert first.config["order"] == "descending"
    assert first.config["version"] == "1.0"
    assert first.config["checksum"] == folder_of(KEY, first.config["checksum"]).checksum
    assert [one.name for one in field_specs(model_class(KEY).config_type)] == ["order"]
    assert ModelSpec(key=KEY, config={"order": "ascending"}).id != first.id
    (programs / "counter" / "run.py").write_text(COUNTS + "\n# changed\n")
    changed = ModelSpec(key=KEY)
    assert changed.config["checksum"] != first.config["checksum"]
    assert changed.id != first.id
    assert ModelSpec(key=KEY, config=first.config).id == first.id
    with pytest.raises(ConfigError, match="nonsense"):
        ModelSpec(key=KEY, config={"nonsense": 1})
    with pytest.raises(ConfigError, match="order"):
        ModelSpec(key=KEY, config={"order": "sideways"})


def test_a_program_that_changed_does_not_run_for_an_older_spec(programs: Path, tmp_path: Path) -> None:
    store, run = run_of(tmp_path / "store", spec_of(KEY))
    (programs / "counter" / "run.py").write_text(COUNTS + "\n# changed\n")
    status = execute(store, run.id, run.model_ids[0], Memory(little_data()), 1)
    assert status.state is JobState.FAILED
    assert "has changed since this experiment was started" in str(status.reason)


def test_results_stay_when_the_program_is_gone(programs: Path, tmp_path: Path) -> None:
    run, status = executed(tmp_path / "store")
    shutil.rmtree(programs / "counter")
    again = ResultStore(tmp_path / "store").open(run.id)
    assert again.result(status.model_id).config["order"] == "descending"
    assert [one.title for one in contenders(again)] == ["counter (program)"]
    assert known_models() == list(MODELS)
    with pytest.raises(ConfigError, match="no program 'counter' on this server"):
        ModelSpec(key=KEY)


def test_there_are_no_programs_without_the_setting(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert known_models() == [*MODELS, KEY]
    assert model_infos()[KEY].title == "Counter"
    monkeypatch.delenv("RECSCOPE_PLUGINS")
    assert known_models() == list(MODELS)
    with pytest.raises(ConfigError, match="RECSCOPE_PLUGINS"):
        ModelSpec(key=KEY)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: "[program", "is not valid TOML"),
        (lambda text: text.replace('version = "1.0"', ""), "wrong at 'program.version'"),
        (lambda text: text.replace("[program]", "[program]\nunknown = 1"), "wrong at 'program.unknown'"),
        (lambda text: text.replace('default = "descending"', 'default = "up"'), "wrong at 'order'"),
        (lambda text: text + '\n[environment]\nrequirements = "none.txt"\n', "no file 'none.txt'"),
        (lambda text: text + "\n[limits]\nseconds = -1\n", "wrong at 'limits.seconds'"),
    ],
)
def test_a_broken_manifest_is_a_sentence_and_the_others_work(
    change: Callable[[str], str], sentence: str, programs: Path
) -> None:
    path = put(programs, "broken") / "recscope.toml"
    path.write_text(change(path.read_text()))
    [problem] = model_problems()
    assert sentence in problem
    assert known_models() == [*MODELS, KEY]
    with pytest.raises(ConfigError, match="cannot be used"):
        ModelSpec(key="program_broken")


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ('type = "int"\ndefault = 3\nlow = 9\nhigh = 1', "low is not below high"),
        ('type = "int"\ndefault = 3\nlow = 1', "low and high go together"),
        ('type = "int"\ndefault = 3\nlow = 1.2\nhigh = 1.8', "no two whole numbers from low to high"),
        ('type = "int"\ndefault = 3\nminimum = 1\nlow = 0\nhigh = 9', "outside minimum and maximum"),
        ('type = "float"\ndefault = 1.0\nlow = 0.1\nhigh = inf', "finite"),
        ('type = "float"\ndefault = nan', "finite"),
        ('type = "float"\ndefault = 1.0\nlow = 0.0\nhigh = 5.0\nscale = "log"', "needs a low above 0"),
        ('type = "choice"\ndefault = "a"', "choices are missing"),
        ('type = "bool"\ndefault = "yes"', "true or false"),
        ('type = "bool"\ndefault = true\nlow = 0\nhigh = 1', "only numbers have"),
    ],
)
def test_a_setting_that_could_not_be_tuned_as_written_is_refused(lines: str, sentence: str, programs: Path) -> None:
    """A range that is empty, or reaches beyond the bounds, would spend the budget on equal or invalid trials."""
    path = put(programs, "broken") / "recscope.toml"
    path.write_text(f"{path.read_text()}\n[settings.factors]\n{lines}\n")
    [problem] = model_problems()
    assert "wrong at 'settings.factors" in problem
    assert sentence in problem


@pytest.mark.parametrize("name", ["version", "checksum", "model_config", "copy", "current"])
def test_a_setting_with_a_reserved_name_is_refused(name: str, programs: Path) -> None:
    """`version` did not reach the program, and `model_config` kept every page from showing."""
    path = put(programs, "broken") / "recscope.toml"
    path.write_text(f'{path.read_text()}\n[settings.{name}]\ntype = "int"\ndefault = 3\n')
    [problem] = model_problems()
    assert f"'{name}' is reserved" in problem
    assert known_models() == [*MODELS, KEY]


def test_a_root_without_programs_is_named(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelled folder, and the folder of a program instead of the one that holds it."""
    monkeypatch.setenv(
        "RECSCOPE_PLUGINS", os.pathsep.join(map(str, (tmp_path / "none", programs / "counter", programs)))
    )
    missing, inner = model_problems()
    assert "/none' is no folder" in missing
    assert "is itself a program" in inner
    assert known_models() == [*MODELS, KEY]


def test_names_of_folders_are_checked(programs: Path) -> None:
    put(programs, "Not A Name")
    (programs / "no_manifest").mkdir()
    assert known_models() == [*MODELS, KEY]
    assert "must consist of lower-case letters" in model_problems()[0]


FAILURES = {
    "exit status": (
        "import sys; print('half way'); sys.exit('no such luck')",
        "Its last lines: no such luck",
    ),
    "colors": (
        "import sys; sys.exit('\\x1b[1;31mred\\x1b[0m alarm\\x07')",
        "Its last lines: red alarm$",
    ),
    "no output": ("", "did not write 'lists.parquet'"),
    "crash": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"crashed \(signal 11\)"),
    "no parquet": ("open('lists.parquet', 'w').write('user_id,item_id')", "lists that cannot be read"),
    "other columns": (
        "import pyarrow as pa, pyarrow.parquet as pq; pq.write_table(pa.table({'a': [1], 'b': [2]}), 'lists.parquet')",
        "no column for the user",
    ),
    "unknown item": (
        "import pyarrow as pa, pyarrow.parquet as pq\n"
        "pq.write_table(pa.table({'user_id': ['u1'], 'item_id': ['other'], 'rank': [1]}), 'lists.parquet')",
        "1 rows without a known user",
    ),
    "a link": ("import os; os.symlink('/etc/passwd', 'lists.parquet')", "did not write 'lists.parquet'"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_failures_are_sentences(kind: str, programs: Path, tmp_path: Path) -> None:
    code, sentence = FAILURES[kind]
    put(programs, "counter", code)
    run, status = executed(tmp_path / "store")
    assert status.state is JobState.FAILED
    assert "Counter" in str(status.reason)
    assert re.search(sentence, str(status.reason)), status.reason
    assert not [path for path in run.job(status.model_id).path.iterdir() if path.is_dir()]


def test_the_command_line_compares_a_program_whose_costs_are_not_known(programs: Path, tmp_path: Path) -> None:
    put(programs, "counter")
    run, _status = executed(tmp_path / "store")
    found = results(run, run.statuses(), compare_run(run), users_of(run))
    program = next(model for model in found["models"] if model["key"] == KEY)
    assert program["recommend_seconds"] is None
    json.dumps(found, allow_nan=False)


def command(folder: Path, code: str, bounds: Bounds = WIDE, ctx: RunContext | None = None) -> object:
    folder.mkdir(exist_ok=True)
    variables = own_variables(folder, 1)
    words = [sys.executable, "-c", code]
    return run_command(words, folder, bounds, ctx or RunContext(), what="It", stage="run", variables=variables)


@pytest.mark.parametrize(
    ("code", "bounds", "sentence"),
    [
        ("x = bytearray(b'x') * 300_000_000", replace(WIDE, memory_bytes=2e8), "more memory"),
        ("", replace(WIDE, seconds=0.0), "ran longer than allowed"),
        ("open('big', 'wb').write(bytes(2_000_000))", replace(WIDE, disk_bytes=1e6), "wrote more to the disk"),
    ],
)
def test_limits_end_a_command(
    code: str, bounds: Bounds, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program_process, "DISK_POLL_SECONDS", 0.0)
    waits = f"{code}\nimport threading; threading.Event().wait()"
    with pytest.raises(ProgramFailed, match=sentence):
        command(tmp_path / "work", waits, bounds)


def test_a_command_that_does_not_exist_is_named(tmp_path: Path) -> None:
    variables = own_variables(tmp_path, 1)
    with pytest.raises(ProgramFailed, match=r"could not be started\. Its last lines: no-such-command"):
        run_command(["no-such-command"], tmp_path, WIDE, RunContext(), what="It", stage="run", variables=variables)


def test_cancel_ends_the_command_and_its_children(tmp_path: Path) -> None:
    started: list[int] = []

    def report(progress: Progress) -> None:
        if progress.step:
            started.append(progress.step)

    code = (
        "import subprocess, sys, threading\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import threading; threading.Event().wait()'])\n"
        "print(f'recscope: {child.pid}/? wait', flush=True)\nthreading.Event().wait()"
    )
    ctx = RunContext(report=report, stop_requested=lambda: bool(started))
    with pytest.raises(Cancelled):
        command(tmp_path / "work", code, ctx=ctx)
    assert eventually(lambda: not psutil.pid_exists(started[0]), 10)


@pytest.mark.skipif(sys.platform != "linux", reason="orphans of other sessions are found on Linux only")
@pytest.mark.parametrize("rest", ["", "threading.Event().wait()"], ids=["ended", "cancelled"])
def test_processes_in_a_session_of_their_own_end_too(rest: str, tmp_path: Path) -> None:
    """A daemon, whose parent has ended as well."""
    note, started = tmp_path / "pid", []
    child = f"import os, threading; open({str(note)!r}, 'w').write(str(os.getpid())); threading.Event().wait()"
    between = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-I', '-S', '-c', {child!r}], "
        "start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)"
    )
    code = (
        f"import os, subprocess, sys, threading\nsubprocess.run([sys.executable, '-I', '-S', '-c', {between!r}])\n"
        f"while not os.path.exists({str(note)!r}) or not open({str(note)!r}).read(): pass\n"
        f"print('recscope: 1/? wait', flush=True)\n{rest}"
    )
    ctx = RunContext(report=lambda one: started.append(one.step), stop_requested=lambda: bool(rest and any(started)))
    with pytest.raises(Cancelled) if rest else contextlib.nullcontext():
        command(tmp_path / "work", code, ctx=ctx)
    assert not psutil.pid_exists(int(note.read_text()))


def test_a_command_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """The job is killed and cannot clean up."""
    note = tmp_path / "pid"
    child = f"import os, threading; open({str(note)!r}, 'w').write(str(os.getpid())); threading.Event().wait()"
    parent = (
        "import subprocess, sys, threading\n"
        f"subprocess.Popen([sys.executable, '-I', '-S', {leash.__file__!r}, sys.executable, '-c', {child!r}],"
        " stdin=subprocess.PIPE)\nthreading.Event().wait()"
    )
    process = subprocess.Popen([sys.executable, "-c", parent])
    pid = int(eventually(lambda: note.exists() and note.read_text(), 30))
    process.kill()
    process.wait()
    assert eventually(lambda: not psutil.pid_exists(pid), 10)


def test_the_environment_of_the_server_does_not_reach_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SECRET", "1")
    code = "import json, os; json.dump(dict(os.environ), open('seen.json', 'w'))"
    command(tmp_path / "work", code)
    seen = json.loads((tmp_path / "work" / "seen.json").read_text())
    assert "MY_SECRET" not in seen
    assert seen["OMP_NUM_THREADS"] == "1"
    assert seen["HOME"] == seen["TMPDIR"] == str(tmp_path / "work")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("recscope: 3/15 iterations loss=0.31 auc=7e-1", Progress("iterations", 3, 15, {"loss": 0.31, "auc": 0.7})),
        ("recscope: 3/?", Progress("run the program", 3, None, {})),
        ("recscope: 0/2 read the data", Progress("read the data", 0, 2, {})),
        ("recscope: 1/2 a=b", Progress("a=b", 1, 2, {})),
        ("recscope: x/2", None),
        ("epoch 3", None),
    ],
)
def test_lines_of_progress(line: str, expected: Progress | None) -> None:
    assert progress_of(line) == expected


def test_two_jobs_build_an_environment_once(programs: Path, tmp_path: Path) -> None:
    folder = put(programs, "built", more='[environment]\nrequirements = "requirements.txt"\n')
    (folder / "requirements.txt").write_text("# nothing\n")
    program = folder_of("program_built", ModelSpec(key="program_built").config["checksum"])
    built: list[str] = []
    commands: list[list[str]] = []

    def report(progress: Progress) -> None:
        if progress.total:
            built.append(progress.stage)

    def build() -> None:
        commands.append(command_of(program, tmp_path / "workspace", RunContext(report=report)))

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == ["build the environment of Counter"] * 2, "venv and pip, once"
    assert commands[0] == commands[1]
    python, script = commands[0]
    assert Path(python).is_relative_to(environment_path(program, tmp_path / "workspace"))
    assert script == str(folder / "run.py")
    where = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
    assert where.stdout.strip() == str(Path(python).parent.parent)


@pytest.mark.slow
def test_an_environment_that_cannot_be_built_says_why(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    folder = put(programs, "built", more='[environment]\nrequirements = "requirements.txt"\n')
    (folder / "requirements.txt").write_text("no-such-package==1\n")
    program = folder_of("program_built", ModelSpec(key="program_built").config["checksum"])
    with pytest.raises(ProgramFailed, match=r"environment of Counter ended with exit status 1.*no-such-package"):
        command_of(program, tmp_path / "workspace", RunContext())
    assert not (environment_path(program, tmp_path / "workspace") / READY).exists()
