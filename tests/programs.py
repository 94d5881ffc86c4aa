"""Programs for tests, as an operator would put them on the server: small scripts for the Python that runs the tests."""

import os
from pathlib import Path

import pytest

COUNTS = """
import json, os, sys
import pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq
request = json.load(open(os.environ["RECSCOPE_REQUEST"]))
settings = request["settings"]
train = pq.read_table(request["train"])
counts = train.group_by("item_id").aggregate([("item_id", "count")])
order = counts.sort_by([("item_id_count", settings["order"]), ("item_id", "ascending")])["item_id"].to_pylist()
print("starting")
for step in (1, 2):
    print(f"recscope: {step}/2 count items loss={step / 4}", flush=True)
seen = {}
for row in pq.read_table(request["seen"]).to_pylist():
    seen.setdefault(row["user_id"], set()).add(row["item_id"])
rows = [
    (user, item, rank)
    for user in pq.read_table(request["users"])["user_id"].to_pylist()
    for rank, item in enumerate([one for one in order if one not in seen.get(user, ())][: request["k"]], 1)
]
names = ("user_id", "item_id", "rank")
pq.write_table(pa.table(dict(zip(names, zip(*rows)))), request["output"])
"""
MANIFEST = """
[program]
title = "{title}"
version = "1.0"
command = ["{{python}}", "{{folder}}/run.py"]
{more}
[settings.order]
type = "choice"
choices = ["descending", "ascending"]
default = "descending"
help = "Most or least frequent items first."
"""


def put(root: Path, name: str, code: str = COUNTS, more: str = "", title: str = "Counter") -> Path:
    """Put a program into a root of programs; return its folder."""
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.py").write_text(code)
    (folder / "recscope.toml").write_text(MANIFEST.format(title=title, more=more))
    return folder


def offer(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process and its children find the programs of a root."""
    root.mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("RECSCOPE_PLUGINS", os.pathsep.join([str(root)]))
