"""Sorting and running sums along an axis equal what NumPy computes, on ties too."""

from __future__ import annotations

import numpy as np
import pytest

from reluatlas.errors import DimensionError, UnsupportedLayerError
from reluatlas.importers.finish import begin
from reluatlas.importers.lowering import windows
from reluatlas.importers.lowering.along_axis import MAX_SORTED, comparators, ordered, running


def built(form, shape):
    low, x, _ = begin(shape, has_batch=True)
    out = form(low, x)
    net = low.builder.finish(out.node)
    points = np.random.default_rng(0).integers(-3, 4, size=(40, *shape)).astype(float)
    return points, net(points).reshape(40, *out.shape[1:]), net


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 6, 7, 8, 11, 13])
def test_comparators_sort_all_zeros_and_ones(length):
    # a network of comparators that sorts all zeros and ones sorts everything (Knuth, 1973)
    bits = (np.arange(2**length)[:, None] >> np.arange(length)) & 1
    expected = np.sort(bits, axis=1)
    for layer in comparators(length):
        places = [p for pair in layer for p in pair]
        assert len(set(places)) == len(places)
        for i, j in layer:
            bits[:, [i, j]] = np.sort(bits[:, [i, j]], axis=1)
    np.testing.assert_array_equal(bits, expected)


@pytest.mark.parametrize(("shape", "axis"), [((6,), -1), ((2, 5), 2), ((3, 4), 1), ((7, 1), 2)])
@pytest.mark.parametrize("descending", [False, True])
def test_sorted(shape, axis, descending):
    points, got, _ = built(lambda low, x: ordered(low, x, axis, descending=descending), shape)
    expected = np.sort(points, axis=axis)
    np.testing.assert_array_equal(got, np.flip(expected, axis) if descending else expected)


def test_pairs_take_one_max_and_one_min_each():
    _, _, net = built(lambda low, x: ordered(low, x, 2), (3, 2))
    assert net.n_windows == 6 and net.n_neurons == 0


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("exclusive", [False, True])
def test_running_sum(reverse, exclusive):
    points, got, _ = built(lambda low, x: running(low, x, 1, exclusive=exclusive, reverse=reverse), (4, 3))
    turned = np.flip(points, 1) if reverse else points
    expected = np.cumsum(turned, 1) - (turned if exclusive else 0)
    np.testing.assert_allclose(got, np.flip(expected, 1) if reverse else expected, atol=1e-12)


def test_running_maximum():
    points, got, _ = built(lambda low, x: running(low, x, -1, kind="max"), (4, 3))
    np.testing.assert_array_equal(got, np.maximum.accumulate(points, 2))


@pytest.mark.parametrize(("kind", "order"), [("l1", 1), ("linf", np.inf)])
def test_norms(kind, order):
    points, got, _ = built(lambda low, x: windows.reduced(low, x, [2], keep=True, kind=kind), (3, 4))
    np.testing.assert_allclose(got, np.linalg.norm(points, order, axis=2, keepdims=True), atol=1e-12)


def test_limits():
    with pytest.raises(UnsupportedLayerError, match="sorts an axis of 65 entries"):
        built(lambda low, x: ordered(low, x, 1), (MAX_SORTED + 1,))
    with pytest.raises(DimensionError, match="axis 2"):
        built(lambda low, x: ordered(low, x, 2), (3,))
    with pytest.raises(DimensionError, match="limit"):
        built(lambda low, x: running(low, x, 1), (2**14,))
