"""Three local nodes give what threads give, file for file; also when a worker is killed, and when a node is gone."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
    pytest.mark.skipif(sys.platform != "linux", reason="Ray's clusters of several local nodes are of Linux alone"),
    pytest.mark.slow,
    pytest.mark.alone,
]


@pytest.fixture(scope="module")
def told():
    """What a process of its own says of runs on a cluster of three nodes."""
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as folder:  # a short name: Ray's sockets lie below it
        yield told_by(Path(folder))


def told_by(folder):
    """Run that process, and return what it wrote."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.on_cluster", str(folder)],
        env=environment, capture_output=True, text=True, timeout=850, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads((folder / "told.json").read_text())


def test_twenty_problems_have_equal_answers_and_equal_files(told):
    assert told["processors"] == 3 and len(told["same"]) == 20
    for problem in told["same"]:
        name = problem["name"]
        assert problem["complete"] and problem["same_files"], name
        assert problem["counts"] == [problem["cells"]] * 2, name
        if "space" not in name:
            assert problem["volumes"][1] == pytest.approx(problem["volumes"][0], rel=1e-9), name


def test_affine_maps_are_those_of_one_process(told):
    assert told["maps"] == [True] * 4


def test_a_worker_that_is_killed_costs_nothing_but_time(told):
    assert told["losses"]["after a worker"] == [told["losses"]["whole"], True, 1]


def test_a_node_that_is_removed_costs_nothing_but_time(told):
    assert told["losses"]["after a node"] == [told["losses"]["whole"], True, 1, 1]  # one of two is left beside the head


def test_a_driver_that_is_killed_is_followed_by_another(told):
    n_cells, is_complete, before = told["driver killed"]
    assert n_cells == told["losses"]["whole"] and is_complete and 0 < before < n_cells


def test_a_run_of_a_cluster_goes_on_with_threads(told):
    n_first, n_cells, is_complete = told["losses"]["goes on"]
    assert 0 < n_first < n_cells == told["losses"]["whole"] and is_complete


def test_a_limit_ends_what_workers_do(told):
    stopped_by, n_cells, share, seconds = told["losses"]["limit"]
    assert stopped_by == "max_seconds" and n_cells > 0 and 0 < share < 1 and seconds < 15


@pytest.mark.parametrize(
    ("kind", "says"),
    [("PoisonedWorker", "cost as many workers as tried it"), ("ForgetfulWorker", "MemoryError: cannot allocate")],
)
def test_an_item_that_fails_everywhere_is_named_and_kept(told, kind, says):
    message, item, again, n_cells = told["faults"][kind]
    assert "\n" not in message
    assert item == again == [1] and n_cells > 0 and says in message
    assert message.startswith("item 1 ") and "python -m reluatlas.clusters.again" in message


def test_a_cluster_that_was_running_is_left_running(told):
    assert told["left running"] is True
