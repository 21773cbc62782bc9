"""Ctrl-C in the middle of a study, as at a terminal: a process of its own, stopped, and the same command again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

PATIENCE_S = 120


def stopped(command: list[str], until: Callable[[str], bool]) -> tuple[int, str]:
    """Run a command, press Ctrl-C once `until` is true of what it has told so far; return how it ended, and stderr."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )  # fmt: skip
    assert process.stderr is not None
    told = ""
    end = time.monotonic() + PATIENCE_S
    try:
        for line in process.stderr:
            told += line
            if until(told):
                break
            assert time.monotonic() < end, told
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to all processes of the command
        told += process.communicate(timeout=PATIENCE_S)[1]
        return process.returncode, told
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(tmp_path):
    pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")
    folder, cache = tmp_path / "out", tmp_path / "cache"
    asked = [
        *(sys.executable, "-m", "reluatlas", "study", "mnist", "--images", "600", "--networks", "dense,conv1"),
        *("--out", str(folder), "--cache", str(cache), "--jobs", "1"),
    ]

    def begun(told: str) -> bool:
        return "Dense, seed 0: training" in told and wait_for(cache)

    code, told = stopped(asked, begun)
    assert code == 130 and told.endswith("the same command goes on from there.\n") and "Traceback" not in told
    assert json.loads((folder / "study.json").read_text())["is_complete"] is False
    assert not (folder / "report.html").exists() and not list(cache.rglob("*.tmp*"))

    code, told = stopped(asked, lambda told: "standalone/dense-seed0" in told)
    assert code == 130 and "Traceback" not in told
    done = {p.name: p.stat().st_mtime_ns for p in (folder / "steps").iterdir()}
    assert "reduction-dense-seed0.json" in done and "standalone-dense-seed0.json" not in done
    weights = {p.name: p.stat().st_mtime_ns for p in (cache / "networks").glob("*.safetensors")}
    assert len(weights) == 2 and not list(folder.rglob("*.tmp*"))

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    ended = subprocess.run(
        asked, capture_output=True, text=True, env=environment, timeout=PATIENCE_S, start_new_session=True
    )
    assert ended.returncode == 0 and "Open " in ended.stdout
    assert "training" not in ended.stderr and "reduction/dense" not in ended.stderr
    assert "standalone/dense-seed0" in ended.stderr and "reduction/conv1-seed0" in ended.stderr
    now = {p.name: p.stat().st_mtime_ns for p in (folder / "steps").iterdir()}
    assert done.items() <= now.items() and "similarity-seed0.json" in now
    assert weights == {p.name: p.stat().st_mtime_ns for p in (cache / "networks").glob("*.safetensors")}
    assert json.loads((folder / "study.json").read_text())["is_complete"] and (folder / "report.html").exists()


def wait_for(cache: Path) -> bool:
    """Wait until the first epoch is in the cache."""
    end = time.monotonic() + PATIENCE_S
    while not list(cache.rglob("*.safetensors")):
        assert time.monotonic() < end
        time.sleep(0.01)
    return True
