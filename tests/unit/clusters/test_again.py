"""An item that is kept in a file gives the same when it is done again: plane, space, slice, and all inputs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.clusters.again import do_again, keep
from reluatlas.subdivision.program.lower import lower
from reluatlas.subdivision.runner.bench import Bench, Plan
from reluatlas.subdivision.runner.kinds import kind_of
from tests.killed import network

DOMAINS = {
    "box": ("2-16-16-2", ra.Box(-2, 2, dim=2)),
    "solid": ("3-12-12-1", ra.Box(-2, 2, dim=3)),
    "space": ("2-12-8-1", ra.Space(2)),
    "slice": ("4-16-16-1", ra.Slice(np.zeros(4), np.eye(4)[:2], box=ra.Box(-3, 3, dim=2))),
}


@pytest.mark.parametrize("name", DOMAINS)
def test_a_kept_item_gives_the_same(name, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    shape, domain = DOMAINS[name]
    plan = Plan(lower(network(shape), domain), True, True, 10)
    bench, stop = Bench(plan), np.zeros(1, dtype=np.int64)
    first = bench.do(kind_of(plan.lowered).root(plan.lowered), stop)
    item = first.answer.rest[0]
    done, path = bench.do(item, stop), keep(plan, item)
    again = do_again(path)
    assert again.item.id == item.id and again.answer.n_cells == done.answer.n_cells > 0
    for a, b in zip(again.answer.cells, done.answer.cells, strict=True):
        assert np.array_equal(a, b)
    if name == "box":
        said = subprocess.run(
            [sys.executable, "-m", "reluatlas.clusters.again", path], check=True, capture_output=True, text=True
        )
        assert f"{done.answer.n_cells} cells" in said.stdout
    Path(path).unlink()
