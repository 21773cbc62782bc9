"""Bounds are what the papers say in cases small enough to see, and no enumerated count exceeds an upper one."""

from __future__ import annotations

from itertools import pairwise, product
from math import comb, prod

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.analysis.bounds import (
    bounds,
    layers_of,
    montufar_lower,
    montufar_upper,
    one_by_one,
    serra_upper,
    smallest_upper,
    zaslavsky,
)  # fmt: skip
from reluatlas.errors import ArgumentError
from reluatlas.testing import FAMILIES, domain_for
from tests.architectures import architecture


def random_network(widths, n, seed, spread=1.0):
    rng = np.random.default_rng(seed)
    shape = [n, *widths, 1]
    return ra.load([(rng.normal(size=(m, k)), spread * rng.normal(size=m)) for k, m in pairwise(shape)])


def serra_by_definition(widths, dim):
    """Return the sum over all tuples, as the theorem is written."""
    total = 0
    for js in product(*(range(n + 1) for n in widths)):
        if all(
            j <= min([dim, n, *(w - i for w, i in zip(widths[:k], js[:k], strict=True))])
            for k, (j, n) in enumerate(zip(js, widths, strict=True))
        ):
            total += prod(comb(n, j) for n, j in zip(widths, js, strict=True))
    return total


def test_arrangements():
    assert [zaslavsky(n, 2) for n in range(5)] == [1, 2, 4, 7, 11]
    assert zaslavsky(5, 1) == 6 and zaslavsky(3, 7) == 8 and zaslavsky(0, 3) == 1


@pytest.mark.parametrize("n", [1, 3, 6, 9])
def test_lines_in_general_position_attain_zaslavsky(n):
    angle = np.arange(n) * 0.3 + 0.1
    normals = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    net = ra.load([(normals, 0.01 * np.arange(n) ** 2), (np.ones((1, n)), np.zeros(1))])  # all crossings inside
    assert ra.count_cells(net, ra.Box(-50, 50, dim=2)).n_cells == zaslavsky(n, 2)
    assert {b.value for b in bounds(net) if b.kind == "upper"} == {zaslavsky(n, 2)}


def test_serra_equals_its_definition():
    for widths in ([3], [3, 2], [4, 1, 3], [2, 3, 2], [5, 4]):
        for dim in (1, 2, 3):
            assert serra_upper(widths, dim) == serra_by_definition(widths, dim)


def test_the_order_of_the_bounds():
    for widths, dim in (([4, 4], 2), ([3, 8, 5], 3), ([2, 2, 2], 2), ([16, 16, 16, 16], 2), ([8, 2, 8], 4)):
        chain = [serra_upper(widths, dim), montufar_upper(widths, dim), one_by_one(widths, dim)]
        assert chain == sorted(chain)
        if min(widths) >= dim:
            assert montufar_lower(widths, dim) <= chain[0]


@pytest.mark.parametrize(
    ("widths", "n"), [((4,), 2), ((3, 3), 2), ((5, 2, 4), 2), ((6, 6), 2), ((1, 7), 2), ((8, 3), 2)]
)
def test_no_random_network_has_more_cells(widths, n):
    for seed in range(12):
        net = random_network(widths, n, seed, spread=(0.0, 0.3, 1.0)[seed % 3])
        count = ra.count_cells(net, ra.Box(-100, 100, dim=n)).n_cells
        assert all(count <= b.value for b in bounds(net) if b.kind == "upper")


@pytest.mark.parametrize("family", FAMILIES)
def test_no_network_of_the_zoo_has_more_cells(family):
    for seed in range(10):
        net, domain = FAMILIES[family](seed), domain_for(seed)
        found = ra.count_cells(net, domain).n_cells
        assert all(found <= b.value for b in bounds(net, domain.dim) if b.kind == "upper" and b.value is not None)
        assert found <= smallest_upper(net, 2).value
        path = ra.trace(net, ra.Segment(-np.ones(net.n_inputs), np.linspace(0.2, 1, net.n_inputs)))
        assert path.n_pieces <= smallest_upper(net, 1).value


def test_the_lower_bound_is_reached_by_a_zigzag():
    # |x| three times over: a tooth in each of 2^3 parts; widths 2, 2, 2 and one input
    fold = (np.array([[2.0], [4.0]]), np.array([0.0, -2.0])), (np.array([[1.0, -1.0]]), np.zeros(1))
    layers, inner = [fold[0]], fold[1][0]
    for _ in range(2):
        layers.append((fold[0][0] @ inner, fold[0][1]))
    layers.append(fold[1])
    path = ra.trace(ra.load(layers), ra.Segment([-1.0], [2.0]))
    assert montufar_lower([2, 2, 2], 1) == 12 and path.n_linear_regions >= 9
    assert path.n_linear_regions <= serra_upper([2, 2, 2], 1) == 27


def test_what_does_not_apply_says_so():
    value = {b.name: b for b in bounds(FAMILIES["residual"](2), 2)}
    assert value["Raghu et al. 2017"].value is not None and value["Serra et al. 2018"].value is None
    assert "branches" in value["Serra et al. 2018"].reason
    leaky = ra.load(architecture("batch_norm"))
    assert not any(layer.is_relu for layer in layers_of(leaky)[:1])
    assert {b.name: b.value for b in bounds(leaky, 2)}["Serra et al. 2018"] is None
    assert {b.name: b.value for b in bounds(ra.load(architecture("conv")), 2)}["Montufar et al. 2014"] is None


def test_numbers_of_any_size_have_a_logarithm():
    found = smallest_upper(random_network((300, 300, 300), 200, 0))
    assert found.value is not None and found.log10 is not None
    assert abs(found.log10 - (len(str(found.value)) - 0.5)) < 0.51


def test_bad_dimensions_are_refused():
    net = random_network((3,), 2, 0)
    for dim in (0, 3, True, 1.5):
        with pytest.raises(ArgumentError, match="dim="):
            bounds(net, dim)
    with pytest.raises(ArgumentError, match="n_hyperplanes"):
        zaslavsky(-1, 2)
