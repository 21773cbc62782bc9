"""A run with a checkpoint that is killed: `python -m tests.killed DOES SHAPE SIDE JOBS FILE`, and how to kill it.

DOES is `count` or `collect`, SHAPE that of a network such as 2-32-32-1, SIDE half the side of its box; or DOES is
`search`, and SIDE its number of cells. The state of the run is printed a line at a time: cells and share done.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import reluatlas as ra
from reluatlas.answers.limits import Limits
from reluatlas.subdivision.program.layout import Lowered
from reluatlas.subdivision.program.lower import lower
from reluatlas.subdivision.runner import frontier, threads
from reluatlas.subdivision.runner.run import Run, run


def network(shape: str, seed: int = 0) -> ra.Network:
    """Return dense layers with ReLU between them."""
    rng = np.random.default_rng(seed)
    sizes = [int(n) for n in shape.split("-")]
    return ra.load([(rng.uniform(-1, 1, (m, n)) / n**0.5, rng.uniform(-1, 1, m) / n**0.5) for n, m in pairwise(sizes)])


def lowered(shape: str, side: float) -> Lowered:
    """Return that network on the box [-side, side]^k."""
    net = network(shape)
    return lower(net, ra.Box(-side, side, dim=net.n_inputs))


def make_small(put: Callable[[Any, str, Any], None]) -> None:
    """Let items be small and each be written, with `setattr` or the like: all of a test's run is one item otherwise."""
    put(threads, "BUDGET", 200)
    put(threads, "COUNT_BUDGET", 300)
    put(frontier, "_MOST_PAUSE_S", 0.0)


def work(does: str, shape: str, side: float, *, checkpoint: Any = None, **limits: Any) -> Run:
    """Run, or go on."""
    return run(lowered(shape, side), Limits(**limits), collect=does == "collect", checkpoint=checkpoint)


def search(shape: str, most: int, *, checkpoint: Any = None, **limits: Any) -> ra.Exploration:
    """Search from two points, or go on."""
    net = network(shape)
    X = np.random.default_rng(1).uniform(-0.5, 0.5, (2, net.n_inputs))
    return ra.explore(net, X, max_cells=most, checkpoint=checkpoint, **limits)


def start_and_kill(does: str, shape: str, side: float, jobs: int, file: Path, *, share: float) -> None:
    """Run in another process, and kill it with no chance to tidy up as soon as it says that a share is done."""
    command = [sys.executable, "-m", "tests.killed", does, shape, str(side), str(jobs), str(file)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if float(line.split()[1]) >= share:
                process.kill()
                break
    assert process.returncode == -9, "the run ended before it was killed"


def _main(does: str, shape: str, side: str, jobs: str, file: str) -> None:
    if does == "search":
        search(shape, int(side), checkpoint=file, progress=lambda _, n, share: print(n, share, flush=True))
        return
    make_small(setattr)

    def tell(n_cells: int, share: float) -> None:
        print(n_cells, share, flush=True)
        time.sleep(0.002)

    work(does, shape, float(side), checkpoint=file, jobs=int(jobs), progress=tell)


if __name__ == "__main__":
    _main(*sys.argv[1:])
