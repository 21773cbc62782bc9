from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.affine import AffineMaps
from reluatlas.analysis.maps import distinct_maps as module
from reluatlas.analysis.maps.distinct_maps import distinct_maps, exact_map, near_maps
from reluatlas.errors import ArgumentError, DimensionError


def random_layers(rng: np.random.Generator, sizes: list[int], whole: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    def draw(*shape: int) -> np.ndarray:
        return rng.integers(-1, 2, shape).astype(float) if whole else rng.standard_normal(shape)

    return [(draw(m, n), draw(m)) for n, m in pairwise(sizes)]


def rational_maps(layers: list, X: np.ndarray) -> list[tuple]:
    """The map of each point's pattern in fractions, neuron by neuron: shares nothing with what is tested."""
    out = []
    for x in X:
        A = [[Fraction(int(i == j)) for j in range(len(x))] for i in range(len(x))]
        b = [Fraction(0)] * len(x)
        for depth, (W, c) in enumerate(layers):
            W, c = [[Fraction(v) for v in row] for row in W], [Fraction(v) for v in c]
            A, b = (
                [[sum(w * row[j] for w, row in zip(r, A, strict=True)) for j in range(len(x))] for r in W],
                [sum(w * v for w, v in zip(r, b, strict=True)) + k for r, k in zip(W, c, strict=True)],
            )
            if depth + 1 < len(layers):
                value = [
                    sum(a * Fraction(v) for a, v in zip(row, x, strict=True)) + k for row, k in zip(A, b, strict=True)
                ]
                A = [row if v > 0 else [Fraction(0)] * len(x) for row, v in zip(A, value, strict=True)]
                b = [k if v > 0 else Fraction(0) for k, v in zip(b, value, strict=True)]
        out.append((tuple(map(tuple, A)), tuple(b)))
    return out


def grouped(keys: list) -> list[int]:
    seen: dict = {}
    return [seen.setdefault(k, len(seen)) for k in keys]


def single_linkage(rows: np.ndarray, tolerance: float) -> list[int]:
    label = list(range(len(rows)))
    for i in range(len(rows)):
        for j in range(i):
            if np.sqrt(((rows[i] - rows[j]) ** 2).sum()) <= tolerance and label[i] != label[j]:
                old, new = label[i], label[j]
                label = [new if v == old else v for v in label]
    return grouped(label)


def test_patterns_taken_point_by_point_change_nothing(monkeypatch):
    rng = np.random.default_rng(5)
    net = ra.load(random_layers(rng, [3, 6, 4, 2], whole=True))
    X = rng.integers(-2, 3, (40, 3)) / 2.0
    maps = net.affine_at(X, ties="torch")
    told: list[tuple[int, int]] = []
    once = distinct_maps(net, X, maps)
    monkeypatch.setattr(module, "_PATTERN_BYTES", 1)
    again = distinct_maps(net, X, maps, memory=10**6, progress=lambda *now: told.append(now))
    for name in ("pattern_ids", "map_ids", "near_ids"):
        assert np.array_equal(getattr(once, name), getattr(again, name))
    assert once.n_compared == again.n_compared and [n for n, _ in told[:40]] == list(range(1, 41))


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("seed", range(25))
def test_it_agrees_with_fractions_and_with_all_pairs(seed, whole):
    rng = np.random.default_rng([seed, whole])
    sizes = [int(rng.integers(1, 4)), *rng.integers(1, 6, rng.integers(1, 4)).tolist(), int(rng.integers(1, 4))]
    layers = random_layers(rng, sizes, whole)
    net = ra.load(layers)
    X = rng.integers(-3, 4, (60, sizes[0])) / 2.0
    maps = net.affine_at(X, ties="torch", dtype=np.float32 if seed % 2 else np.float64)
    tolerance = float(rng.choice([0.0, 1e-3, 0.3]))
    found = distinct_maps(net, X, maps, tolerance=tolerance)
    assert found.is_exact
    assert found.pattern_ids.tolist() == grouped([p.tobytes() for p in net.patterns(X)])
    assert found.map_ids.tolist() == grouped(rational_maps(layers, X))
    rows = np.concatenate([maps.A.reshape(60, -1), maps.b], axis=1).astype(float)
    assert found.near_ids.tolist() == single_linkage(rows, tolerance) or tolerance == 0.0
    assert tolerance == 0.0 or near_maps(maps, tolerance).tolist() == single_linkage(rows, tolerance)
    assert found.n_near <= found.n_maps <= found.n_patterns
    sizes_of = np.bincount(found.map_ids)
    assert found.n_sharing == sum(s for s in sizes_of if s > 1) and found.largest_group == sizes_of.max()


def test_equal_maps_of_different_patterns_are_told_from_nearly_equal_ones():
    # x -> relu(x) - relu(-x) + tiny relu(x - 1) is the identity but for the last neuron
    tiny = 2.0**-60
    first, last = np.array([[1.0], [-1.0], [1.0]]), np.array([[1.0, -1.0, tiny]])
    X = np.array([[-0.5], [0.5], [1.5]])
    net = ra.load([(first, np.array([0.0, 0.0, -1.0])), (last, np.zeros(1))])
    found = distinct_maps(net, X, net.affine_at(X))
    assert (found.n_patterns, found.n_maps, found.n_near, found.n_compared) == (3, 2, 1, 3)
    assert found.map_ids.tolist() == [0, 0, 1] and found.n_sharing == 2


def test_more_than_can_be_written_out_is_said_to_be_float64(monkeypatch):
    monkeypatch.setattr(module, "MOST_EXACT", 2)
    first, last = np.array([[1.0], [-1.0], [1.0]]), np.array([[1.0, -1.0, 2.0**-60]])
    X = np.array([[-0.5], [0.5], [1.5]])
    net = ra.load([(first, np.array([0.0, 0.0, -1.0])), (last, np.zeros(1))])
    found = distinct_maps(net, X, net.affine_at(X))
    assert not found.is_exact and found.n_compared == 0 and found.n_maps == 1


def test_constants_tell_maps_apart_and_averages_are_exact():
    # abs(x) + 1 on one side and abs(x) on the other cannot be continuous; parallel pieces of clip are
    net = ra.load([(np.array([[1.0], [1.0]]), np.array([0.0, -1.0])), (np.array([[1.0, -1.0]]), np.zeros(1))])
    X = np.array([[-1.0], [2.0], [3.0], [-2.0]])  # slope 0 on both sides, values 0 and 1
    found = distinct_maps(net, X, net.affine_at(X))
    assert found.map_ids.tolist() == [0, 1, 1, 0] and found.n_near == 2
    assert exact_map(net, net.patterns(X)[1])[0][1] == ((1,), 0, 1)


def test_no_points_and_bad_arguments():
    net = ra.load([(np.ones((2, 1)), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])
    none = distinct_maps(net, np.zeros((0, 1)), AffineMaps(np.zeros((0, 1, 1)), np.zeros((0, 1))))
    assert (none.n_patterns, none.n_maps, none.n_near, none.largest_group, none.n_sharing) == (0, 0, 0, 0, 0)
    X = np.ones((3, 1))
    with pytest.raises(DimensionError, match="one per point"):
        distinct_maps(net, X, net.affine_at(X)[:2])
    with pytest.raises(ArgumentError, match="tolerance"):
        distinct_maps(net, X, net.affine_at(X), tolerance=-1.0)


def test_convolution_and_pooling():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.manual_seed(0)
    from torch import nn

    net = ra.load(
        nn.Sequential(nn.Conv2d(1, 3, 3), nn.MaxPool2d(2), nn.ReLU(), nn.AvgPool2d(3), nn.Flatten(), nn.Linear(3, 2)),
        input_shape=(1, 8, 8),
    )
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 1, 8, 8))
    X[1::2] = X[::2] + 1e-9 * rng.standard_normal((20, 1, 8, 8))  # in the same cell
    found = distinct_maps(net, X, net.affine_at(X, ties="torch", dtype=np.float32))
    assert found.n_maps <= 20 and np.array_equal(found.map_ids[::2], found.map_ids[1::2]) and found.is_exact
    off = -10 * np.ones((2, 1, 8, 8)) * np.sign(1)  # far out: windows off, their winners differ
    off[1, 0, 0, 0] -= 1
    again = distinct_maps(net, off, net.affine_at(off, ties="torch"))
    assert again.n_maps <= again.n_patterns
