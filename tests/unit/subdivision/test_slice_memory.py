"""The memory that a plane slice of a residual network takes, against its layers as dense matrices."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import reluatlas as ra
from reluatlas.network.network import Affine, Gather
from tests.data import data_folder

CHILD = """
import sys
from pathlib import Path
import numpy as np
import reluatlas as ra
from reluatlas.subdivision.polygons.worker import Worker
from reluatlas.subdivision.program.lower import lower

def resident(name):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024

small = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])
ra.count_cells(small, ra.Box(-1, 1, dim=2), jobs=1)  # kernels and libraries are loaded
net = ra.load(sys.argv[1])
loaded = resident("VmHWM")
plane = ra.Slice.through(np.random.default_rng(0).uniform(0, 1, (3, net.n_inputs)))
count = ra.count_cells(net, plane, jobs=1, max_cells=300)
peak = resident("VmHWM")
lowered = lower(net, plane)
kept = sum(a.nbytes for arrays in (lowered.program, Worker(lowered).state) for a in arrays)
print(peak - loaded, kept, count.n_cells)
"""


def test_a_slice_of_a_residual_network_takes_far_less_than_its_dense_matrices():
    """What is kept while cells are cut is under a third of them; the process grows by less than all of them."""
    folder = data_folder()
    if folder is None:
        pytest.skip("no data folder (RELUATLAS_DATA)")
    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory of a process is read from /proc")
    model = folder / "models" / "resnet_2b.onnx"
    nodes = (node for node in ra.load(model).nodes if isinstance(node, Affine))
    dense = sum(8 * o.n_in * o.n_out for node in nodes for o in node.operators if not isinstance(o, Gather))
    done = subprocess.run([sys.executable, "-c", CHILD, str(model)], capture_output=True, text=True, check=True)
    grown, kept, n_cells = map(int, done.stdout.split())
    assert n_cells >= 300
    assert kept < dense / 3
    assert grown < dense
