"""The memory of a whole process while maps are written: what the system counts, not what Python knows of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reluatlas.network.batches import Plan, bytes_needed
from tests.unit.network.maps.test_affine_stream import dense, points

SLACK = 48 * 2**20
"""Stated slack: stacks and heaps of threads, buffers of BLAS, what the allocator keeps for later."""

CHILD = """
import resource, sys
from pathlib import Path
import numpy as np
from tests.unit.network.maps.test_affine_memory import NETWORKS
kind, out, memory = sys.argv[1], sys.argv[2], int(sys.argv[3])
net, X, options = NETWORKS[kind]()
status = Path("/proc/self/status")

def resident(name):
    line = next(line for line in status.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024

def peak():
    # not that of getrusage: it starts with the peak of the process that started this one
    return resident("VmHWM") if status.exists() else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

net.affine_at(X[:70], out=out, memory=memory // 8, **options)  # kernels and libraries are loaded
before = peak()
net.affine_at(X, out=out, memory=memory, **options)
print(before, peak(), Path(out).stat().st_size)
"""


def wide_dense():
    return dense((256, 512, 128, 10)), points(6000, 256), {}


def convolutional():
    import torch
    from torch import nn

    import reluatlas as ra

    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 8, 5),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(1024, 10),
    )
    rng = np.random.default_rng(0)
    X = np.where(rng.random((3000, 1, 24, 24)) < 0.7, 0.0, rng.random((3000, 1, 24, 24)))
    return ra.load(module.eval(), input_shape=(1, 24, 24)), X, {"ties": "torch"}


def many_outputs():
    return dense((40, 64, 20_000)), points(80, 40), {"dtype": np.float32}


NETWORKS = {"dense": wide_dense, "convolutional": convolutional, "many outputs": many_outputs}


@pytest.mark.parametrize("ending", ["npy", "parquet"])
@pytest.mark.parametrize(("kind", "memory"), [("dense", 2**25), ("convolutional", 2**25), ("many outputs", 2**25)])
def test_the_process_stays_within_the_budget(tmp_path, kind, memory, ending):
    if kind == "convolutional":
        pytest.importorskip("torch", reason="torch is not installed: it makes the network")
    root = Path(__file__).resolve().parents[4]
    paths = os.pathsep.join([str(root / "src"), str(root)])
    made = subprocess.run(
        [sys.executable, "-c", CHILD, kind, str(tmp_path / f"maps.{ending}"), str(memory)],
        env=os.environ | {"PYTHONPATH": paths}, cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    before, after, size = map(int, made.stdout.split())
    assert size > 1.2 * (memory + SLACK)  # more is written than may be kept
    assert after - before <= memory + SLACK


def test_outputs_are_taken_in_parts_where_memory_is_short(tmp_path):
    for sizes in ((40, 24, 300), (4, 24, 300), (40, 24, 24, 90)):
        net, X = dense(sizes), points(12, sizes[0])
        expected = net.affine_at(X)
        least = bytes_needed(net, 7, 1) + 7 * 4 * 8 * (sizes[0] + 1)
        extra = 4 * 8 * (sizes[0] + 1)
        assert Plan.of(net, 12, least, width=sizes[-1], extra=extra, is_divisible=True).width <= 7
        for options in ({}, {"out": tmp_path / "m.npy"}, {"out": tmp_path / "m.parquet"}, {"ties": "torch"}):
            maps = net.affine_at(X, memory=least, jobs=2, **options)
            assert np.allclose(maps.A, expected.A, rtol=0, atol=1e-13)
            assert np.allclose(maps.b, expected.b, rtol=0, atol=1e-13)
        single = net.affine_at(X, [5, 3, 77, 5], memory=least, dtype=np.float32)
        assert single.A.dtype == np.float32 and np.allclose(single.A, expected.A[:, [5, 3, 77, 5]], atol=1e-5)
