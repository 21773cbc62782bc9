"""Long lists of cutters, and windows that are settled before their layer."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas import memory
from reluatlas.errors import OutOfMemoryError
from reluatlas.importers.load import load
from reluatlas.subdivision.path.composition import new_state, state_bytes
from reluatlas.subdivision.program.lower import lower
from reluatlas.subdivision.runner import memory as run_memory
from reluatlas.testing import assert_complex
from tests.architectures import Graph
from tests.compare import assert_matches_oracle

BOX = ra.Box(-1, 1, dim=2)


def lines(weight, bias) -> ra.Network:
    return ra.load([(weight, bias), (np.ones((1, len(bias))), np.zeros(1))])


@pytest.mark.parametrize("seed", range(3))
def test_many_lines_in_general_position(seed):
    rng = np.random.default_rng(seed)
    angle, offset = rng.uniform(0, np.pi, 60), rng.uniform(-0.9, 0.9, 60)
    a, b = np.cos(angle), np.sin(angle)
    i, j = np.triu_indices(60, 1)
    det = a[i] * b[j] - a[j] * b[i]
    x, y = (b[i] * offset[j] - b[j] * offset[i]) / det, (a[j] * offset[i] - a[i] * offset[j]) / det
    inside = int(((np.abs(x) < 1) & (np.abs(y) < 1)).sum())
    corners = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    value = np.stack([a, b], axis=1) @ corners.T + offset[:, None]
    crossed = int(((value.min(axis=1) < 0) & (value.max(axis=1) > 0)).sum())
    net = lines(np.stack([a, b], axis=1), offset)
    cx = ra.enumerate_cells(net, BOX)
    assert cx.n_cells == ra.count_cells(net, BOX).n_cells == 1 + crossed + inside
    assert_complex(cx)


def test_many_lines_through_few_points():
    grid = np.array([(i, j) for i in range(-3, 4) for j in range(-3, 4) if (i, j) != (0, 0)], dtype=float)
    rng = np.random.default_rng(0)
    cx = ra.enumerate_cells(lines(grid, rng.integers(-2, 3, len(grid)).astype(float)), BOX)
    assert cx.n_cells > 100 and cx.exactness.n_escalated > 0
    assert_complex(cx)
    assert ra.count_cells(cx.network, BOX).n_cells == cx.n_cells


def pooled(seed: int, channels: int, *, whole: bool) -> ra.Network:
    """Return a network that takes the largest of ReLUs, and a layer behind it."""
    g = Graph(seed, whole=whole)
    x = g.add("MaxPool", g.add("Relu", g.conv("x", 2, channels, 2, pads=[1, 1, 1, 1])), kernel_shape=[3, 3])
    x = g.add("Relu", g.conv(x, channels, 2, 2))
    return load(g.model(g.head(x, 2), (2, 3, 3)))


@pytest.mark.parametrize("whole", [False, True], ids=["float", "whole"])
@pytest.mark.parametrize("flat", [False, True], ids=["", "black corners"])
def test_windows_of_relus_equal_the_oracle(whole, flat):
    for seed in range(2):
        net = pooled(seed, 2, whole=whole)
        rng = np.random.default_rng(seed)
        points = rng.integers(-4, 5, (3, 18)) / 4 if whole else rng.normal(size=(3, 18)).astype(np.float32)
        points = points.astype(np.float64)
        if flat:
            points.reshape(3, 2, 3, 3)[:, :, :2] = 0.0
        assert_matches_oracle(ra.enumerate_cells(net, ra.Slice.through(points, margin=0.3)))


@pytest.mark.parametrize("seed", range(2))
def test_many_windows_of_relus_obey_the_laws(seed):
    net = pooled(seed, 6, whole=False)
    domain = ra.Slice.through(np.random.default_rng(seed).normal(size=(3, 18)), margin=0.3)
    cx = ra.enumerate_cells(net, domain)
    assert cx.n_cells > 300
    assert_complex(cx)
    assert ra.count_cells(net, domain).n_cells == cx.n_cells
    parts = ra.enumerate_cells(net, domain, jobs=2)
    assert np.array_equal(parts.patterns, cx.patterns)


def _has(monkeypatch, n):
    for module in (memory, run_memory):
        monkeypatch.setattr(module, "available_memory", lambda: n)


def test_a_state_that_does_not_fit_is_refused(monkeypatch):
    net = lines(np.eye(2), np.zeros(2))
    program = lower(net, BOX).program
    made, need = sum(a.nbytes for a in program), state_bytes(program)
    _has(monkeypatch, made + 2 * need)
    assert ra.count_cells(net, BOX, jobs=2).n_cells == 4
    with pytest.raises(OutOfMemoryError, match=r"for each of 3 jobs.*Pass a smaller `jobs`"):
        ra.count_cells(net, BOX, jobs=3)
    _has(monkeypatch, made + need - 1)
    with pytest.raises(OutOfMemoryError, match="Take a smaller network"):
        ra.count_cells(net, BOX, jobs=1)


def test_memory_of_a_state_is_what_is_said():
    program = lower(pooled(0, 60, whole=False), ra.Slice.through(np.random.default_rng(0).normal(size=(3, 18)))).program
    taken = sum(a.nbytes for a in new_state(program))
    assert 0.8 * taken < state_bytes(program) < 1.2 * taken
