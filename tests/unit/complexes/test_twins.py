"""Facets across which several units turn find their twins: by what patterns tell, and by what only integers do."""

from __future__ import annotations

from fractions import Fraction

import numba
import numpy as np
import pytest

import reluatlas as ra
from reluatlas.complexes import facets as adjacency
from reluatlas.complexes.twins import list_differences
from reluatlas.network.build import Builder
from reluatlas.testing import assert_complex
from tests.compare import assert_matches_oracle

SQUARE = ra.Box(-1, 1, dim=2)


@numba.njit
def _differences(pattern, i, j, columns):
    return list_differences(pattern, i, j, columns)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_columns_in_which_patterns_differ(dtype):
    rng = np.random.default_rng(0)
    for n in (1, 3, 7, 8, 9, 63, 64, 255, 256, 257, 300, 517, 1100):
        for turned in (0, 1, 2, n // 2, n):
            pattern = rng.integers(0, 200, (3, n)).astype(dtype)
            pattern[2] = pattern[0]
            where = np.sort(rng.permutation(n)[:turned])
            pattern[2, where] += 1
            columns = np.full(n, -1, dtype=np.int64)
            assert _differences(pattern, 0, 2, columns) == where.size
            assert columns[: where.size].tolist() == where.tolist()
            few = np.full(2, -1, dtype=np.int64)
            assert _differences(pattern, 2, 0, few) == min(2, where.size)
            assert few[: min(2, where.size)].tolist() == where[:2].tolist()


def pooled(n_pixels=4, *, bias):
    """Return max-pools over windows of two of ReLUs of a convolution with one kernel, as images have them."""
    b = Builder((2,))
    rng = np.random.default_rng(5)
    z = b.relu(b.dense(0, rng.integers(-3, 4, (2 * n_pixels, 2)).astype(float), np.full(2 * n_pixels, bias)))
    pools = b.max_windows(z, np.arange(2 * n_pixels).reshape(n_pixels, 2), shape=(n_pixels,))
    return b.finish(b.dense(pools, rng.uniform(-1, 1, (3, n_pixels)), np.zeros(3)))


@pytest.mark.parametrize("bias", [0.0, 0.25])
def test_windows_over_relus_are_read_off_the_patterns(monkeypatch, bias):
    """A unit that turns on takes its window along: no path is composed to see that."""
    seen = []
    kept = adjacency.match_sides
    monkeypatch.setattr(adjacency, "match_sides", lambda *given: seen.append(kept(*given)) or seen[-1])
    if bias:  # else rows that are multiples of each other vanish together, of which patterns tell nothing
        monkeypatch.setattr(adjacency, "settle_pairs", lambda *_: pytest.fail("a path was composed"))
        net = separate_pools()
    else:
        net = pooled(bias=0.0)
    cx = ra.enumerate_cells(net, SQUARE, jobs=1)
    assert seen, "every facet has one unit that turns alone"
    assert (seen == [0]) == bool(bias)
    assert_matches_oracle(cx)


def separate_pools():
    """Return two max-pools over ReLUs whose rows are no multiples of each other."""
    b = Builder((2,))
    z = b.relu(b.dense(0, np.array([[2.0, 1.0], [1.0, -3.0], [-1.0, 2.0], [3.0, 1.0]]), np.array([0.25, 0.5, -0.5, 1])))
    return b.finish(b.dense(b.max_windows(z, [[0, 1], [2, 3]], shape=(2,)), np.array([[1.0, -2.0]])))


def turning_together(kind, factor):
    """Return a network in which several units or windows turn on the line x = 0, by way of `kind`."""
    b = Builder((2,))
    first = b.dense(0, np.array([[1.0, 0.0], [0.3, 1.0]]), np.array([0.0, 0.1]))
    if kind == "scaled":  # a multiple: its row is another one, and the same line
        here = b.relu(b.concatenate([first, b.scale(first, factor)]))
    elif kind == "again":  # a relu of a relu
        here = b.concatenate([b.relu(first), b.relu(b.relu(first)), b.relu(b.scale(b.relu(first), factor))])
    elif kind == "leaky":
        leaky = b.leaky_relu(first, 0.5)
        here = b.concatenate([leaky, b.relu(leaky), b.abs(leaky)])
    elif kind == "window":  # the largest of a number, a relu of it, and its opposite
        both = b.concatenate([first, b.relu(first), b.scale(first, -1.0), b.relu(b.scale(first, factor))])
        here = b.max_windows(both, [[0, 2, 4, 6], [6, 0, 2], [1, 3], [2, 3, 7]], shape=(4,))
    elif kind == "knots":  # ramps that begin where the relu does
        here = b.concatenate([b.relu(first), b.clip(first, 0.0, 0.5), b.abs(first), b.clip(b.relu(first), 0.0, 0.5)])
    else:  # "cancel": relu(z) - relu(-z) is z again, below another relu
        z = b.add([b.relu(first), b.relu(b.scale(first, -1.0))], [1.0, -1.0])
        here = b.concatenate([b.relu(z), b.relu(b.scale(z, factor))])
    deeper = b.relu(b.dense(here, np.arange(2 * b.size(here)).reshape(2, -1) % 3 - 1.0, np.array([0.0, -0.25])))
    return b.finish(b.dense(b.concatenate([here, deeper]), np.ones((1, b.size(here) + 2))))


@pytest.mark.parametrize("factor", [1.0, -1.0, 3.0, -1 / 3])
@pytest.mark.parametrize("kind", ["scaled", "again", "leaky", "window", "knots", "cancel"])
def test_units_that_turn_together(kind, factor):
    cx = ra.enumerate_cells(turning_together(kind, factor), SQUARE, jobs=1)
    assert_matches_oracle(cx)
    assert np.any(cx.facets.neighbor >= 0)


@pytest.mark.parametrize("width", [2.0**-30, 2.0**-51, 2.0**-52, 2.0**-53])
def test_facets_of_slivers_that_float64_cannot_tell_apart(width):
    """A line crosses strips narrower than the radii of their corners; its pieces there are other facets."""
    first = np.array([[1.0, 0.0], [2.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.5, 1.0]])
    bias = np.array([-0.3, -0.6, -0.3 + width, 0.3 - 2 * width, -0.2])
    second = np.array([[0.0, 0.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0], [1.0, 0.5, -2.0, 0.0, 3.0]])
    net = ra.load([(first, bias), (second, np.array([-0.1, -0.7, -0.05])), (np.ones((1, 3)), np.zeros(1))])
    cx = ra.enumerate_cells(net, SQUARE, jobs=1)
    assert_matches_oracle(cx)


@pytest.mark.parametrize("k", [3, 4, 5, 6])
def test_doubled_units_in_more_dimensions(k):
    """Lines through the middle of a box, each made by three units: what lies behind is the other sign of all three."""
    rows = np.eye(k)[: k - 1] + np.eye(k, k=1)[: k - 1] / 4
    layers = [(np.concatenate([rows, -2 * rows, rows / 3]), np.zeros(3 * (k - 1)))]
    cx = ra.enumerate_cells(ra.load([*layers, (np.ones((1, 3 * (k - 1))), np.zeros(1))]), ra.Box(-1, 1, dim=k), jobs=1)
    assert cx.n_cells == 2 ** (k - 1)
    signs = {tuple(s): i for i, s in enumerate(cx.patterns[:, : k - 1].tolist())}
    for i, pattern in enumerate(cx.patterns):
        run = slice(int(cx.facets.offsets[i]), int(cx.facets.offsets[i + 1]))
        behind = {int(j) for j in cx.facets.neighbor[run] if j >= 0}
        flips = {
            signs[tuple(np.where(np.arange(k - 1) == u, 1 - pattern[: k - 1], pattern[: k - 1]))] for u in range(k - 1)
        }
        assert behind == flips


def test_neighbors_of_the_first_cells_are_those_of_all():
    net = turning_together("window", -2.0)
    whole = ra.enumerate_cells(net, SQUARE, jobs=1)
    for n in range(1, whole.n_cells):
        part = ra.enumerate_cells(net, SQUARE, max_cells=n, jobs=1)
        facets = int(part.facets.offsets[-1])
        expected = whole.facets.neighbor[:facets]
        assert np.array_equal(part.patterns, whole.patterns[:n])
        assert np.array_equal(part.facets.neighbor, np.where(expected >= n, -2, expected))
        assert_complex(part)


@pytest.mark.parametrize(("k", "m"), [(3, 12), (4, 8), (5, 6), (6, 4)])
def test_vertices_lie_where_their_rows_vanish_up_to_their_radii(k, m):
    """Solved in fractions; many lie on sides of the box, whose coordinates no row is solved for."""
    rng = np.random.default_rng(k)
    low, high = -rng.uniform(0.1, 1.0, k), rng.uniform(0.1, 1.0, k)
    weight, bias = rng.normal(size=(m, k)), rng.normal(size=m) / 4
    layers = [(weight, bias), (rng.normal(size=(2, m)), rng.normal(size=2))]
    cx = ra.enumerate_cells(ra.load(layers), ra.Box(low, high), jobs=1)
    W, c = np.vectorize(Fraction)(weight), np.vectorize(Fraction)(bias)
    sides = 0
    for v in rng.permutation(len(cx.vertices.radii))[:60].tolist():
        rows, right = [], []
        for line in cx.vertices.rows[v].tolist():
            if line < 0:
                axis, end = divmod(-line - 1, 2)
                rows.append([Fraction(int(i == axis)) for i in range(k)])
                right.append(Fraction((low, high)[end][axis]))
                sides += 1
            else:
                unit = line >> 20 & 0x3FFFFFFF
                rows.append(list(W[unit]))
                right.append(-c[unit])
        radius = Fraction(cx.vertices.radii[v])
        for x, exact in zip(cx.vertices.points[v].tolist(), solve(rows, right), strict=True):
            assert abs(Fraction(x) - exact) <= radius <= Fraction(1, 10**9)
    assert sides > 0


def solve(rows, right):
    """Return the solution of a square system of fractions."""
    table = [[*row, r] for row, r in zip(rows, right, strict=True)]
    n = len(table)
    for c in range(n):
        pivot = next(i for i in range(c, n) if table[i][c] != 0)
        table[c], table[pivot] = table[pivot], table[c]
        table[c] = [v / table[c][c] for v in table[c]]
        for i in range(n):
            if i != c and table[i][c] != 0:
                table[i] = [a - table[i][c] * b for a, b in zip(table[i], table[c], strict=True)]
    return [row[n] for row in table]
