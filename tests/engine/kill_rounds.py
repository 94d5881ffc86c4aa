"""Kill processes at random times, round after round, and check that no stored data are lost.

`python -m tests.engine.kill_rounds --rounds 40 --seed 1` prints a line per round and a summary; the exit status is 0 if
nothing was lost. In each round one of these is killed by SIGKILL while it works on the same workspace: the engine, one
of its workers, a comparison on the command line, an ingest, or the process that submits an experiment. After each round
every data set and result is read and compared with its checksums; what was finished before must be unchanged byte by
byte; then everything that was interrupted is restarted and must finish.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from recsys_core.data.workspace import Workspace
from recsys_core.engine import Engine
from recsys_core.experiments import store as stores
from recsys_core.experiments.jobs import JobState
from recsys_core.storage.checksums import file_sum
from tests.engine.support import ROOT, eventually, little_data, spec_of, start_engine

LONGEST_SECONDS = {"engine": 4.0, "worker": 3.0, "compare": 7.0, "ingest": 3.0, "submit": 3.0}
MODELS = ("ease", ("biased_mf", {"epochs": 150}), "item_knn", ("sasrec", {"epochs": 3}))
SUBMIT = """
import sys
from recsys_core.engine import Engine
from tests.engine.support import spec_of
engine = Engine(sys.argv[1])
for seed in range(int(sys.argv[3]), int(sys.argv[3]) + 50):
    engine.submit(spec_of("popular", data=sys.argv[2], seed=seed))
"""


class Rounds:
    """One workspace and its history.

    Args:
        root: Folder of the workspace.
        seed: Seed of times and victims.
    """

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.chance = random.Random(seed)
        self.store = stores.ResultStore(root)
        self.engine = Engine(root)
        self.data = Workspace(root).store(little_data()).fingerprint
        self.seen: Counter[str] = Counter()
        self.process: subprocess.Popen[bytes] | None = None
        self.kept: dict[Path, str] = {}

    def play(self, number: int) -> str:
        """Run one round and return a line about it.

        Raises:
            AssertionError: Something was lost.
        """
        kind = self.chance.choice(list(LONGEST_SECONDS))
        self._see_to_the_engine()
        after = self.chance.uniform(0.05, LONGEST_SECONDS[kind])
        killed = getattr(self, f"_{kind}")(number, after)
        interrupted = self._look(f"after the kill of {kind}")
        restarted = self._bring_to_an_end()
        self._look("after everything was started again")
        self.seen[kind] += 1
        what = f"{number:3d}  {kind:8s} after {after:4.1f} s  {killed:24s}"
        return f"{what} interrupted {interrupted}, restarted {restarted}"

    def _see_to_the_engine(self) -> None:
        if self.process is not None and self.process.poll() is not None:
            self.process = None
        if self.engine.presence() is None:
            self.process = start_engine(self.root)

    def _engine(self, number: int, after: float) -> str:
        self.engine.submit(spec_of(*MODELS, data=self.data, seed=number))
        time.sleep(after)
        presence = self.engine.presence()
        psutil.Process(presence.process.pid).kill()
        if self.process is not None:
            self.process.wait()
        return "engine killed"

    def _worker(self, number: int, after: float) -> str:
        run_id = self.engine.submit(spec_of(*MODELS, data=self.data, seed=number))
        time.sleep(after)
        for status in self.engine.status(run_id):
            if status.state is JobState.RUNNING and status.pid:
                psutil.Process(status.pid).kill()
                return f"worker of {status.key} killed"
        return "no worker at work"

    def _compare(self, number: int, after: float) -> str:
        models = ["--models", "ease,biased_mf,item_knn", "--set", "biased_mf.epochs=150"]
        out = str(self.root.parent / f"out-{number}")
        return self._killed(after, "compare", "--data", self.data, *models, "--seed", str(number), "--out", out)

    def _ingest(self, number: int, after: float) -> str:
        path = self.root.parent / f"ratings-{number}.csv"
        rows = (f"u{n % 97},i{n * number % 89},{n % 5 + 1},{1_500_000_000 + n}\n" for n in range(200_000))
        path.write_text("user_id,item_id,rating,timestamp\n" + "".join(rows), encoding="utf-8")
        return self._killed(after, "ingest", str(path), "--name", f"data {number}")

    def _submit(self, number: int, after: float) -> str:
        return self._kill_after(after, [sys.executable, "-c", SUBMIT, str(self.root), self.data, str(1000 * number)])

    def _killed(self, after: float, *words: str) -> str:
        return self._kill_after(after, [sys.executable, "-m", "recsys_core", *words])

    def _kill_after(self, after: float, command: list[str]) -> str:
        environment = os.environ | {"RECSCOPE_WORKSPACE": str(self.root), "RECSCOPE_WARM_UP": "0"}
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return "process killed"
        return f"ended before ({process.returncode})"

    def _look(self, when: str) -> int:
        """Verify all stored data; return the number of interrupted jobs."""
        workspace = Workspace(self.root)
        damaged = [one for one in workspace.verify() if one.path.parent.name != "set_aside"] + self.store.verify()
        assert not damaged, f"{when}: {damaged}"
        for path, digest in self.kept.items():
            assert file_sum(path).sha256 == digest, f"{when}: '{path}' is not what it was"
        interrupted = 0
        for card in self.store.runs():
            run = self.store.open(card.id)
            for status in run.statuses():
                interrupted += status.state is JobState.FAILED
                if status.state is JobState.DONE:
                    folder = run.job(status.model_id).path
                    assert run.result(status.model_id).users
                    self.kept |= {path: file_sum(path).sha256 for path in folder.glob("*.parquet")}
        return interrupted

    def _bring_to_an_end(self) -> int:
        """Restart everything that was interrupted and wait for it; return the number of restarts."""
        self._see_to_the_engine()
        started = 0
        for card in self.store.runs():
            for status in self.store.open(card.id).statuses():
                if status.state is JobState.FAILED:
                    self.engine.start_again(card.id, status.model_id)
                    started += 1
        try:
            eventually(lambda: not any(card.is_live for card in self.store.runs()), 300.0, "everything has ended")
        except AssertionError:
            for card in self.store.runs():
                print(card.id, *self.store.open(card.id).statuses(), sep="\n  ")  # noqa: T201
            raise
        states = Counter(state for card in self.store.runs() for state in card.states.values())
        assert set(states) <= {JobState.DONE}, states
        return started

    def leftovers(self) -> list[Path]:
        """Return the partial files left after the engine has removed those of dead processes."""
        stores.LEFTOVER_SECONDS = -1.0
        self.store.set_apart()
        Workspace(self.root)
        found = [*self.root.glob("runs/**/.*.part"), *self.root.glob("runs/**/aside-*")]
        return found + list(self.root.glob("staging-runs/*"))


def main() -> int:
    """Run the rounds; return 0 if nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.engine.kill_rounds")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kill-rounds-") as folder:
        rounds = Rounds(Path(folder) / "workspace", asked.seed)
        try:
            for number in range(1, asked.rounds + 1):
                print(rounds.play(number), flush=True)  # noqa: T201
            left = rounds.leftovers()
            aside = Workspace(rounds.root).damaged()
            print(f"{asked.rounds} rounds: {dict(rounds.seen)}; nothing lost of {len(rounds.kept)} tables")  # noqa: T201
            print(f"{len(rounds.store.runs())} experiments all done; half-written and unnoticed: {left}")  # noqa: T201
            print(f"set aside with a note: {len(aside)}", *sorted({one.reason[35:80] for one in aside}), sep="\n  ")  # noqa: T201
            return bool(left)
        finally:
            if rounds.process is not None:
                rounds.process.kill()
                rounds.process.wait()


if __name__ == "__main__":
    sys.exit(main())
