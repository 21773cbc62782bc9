"""What a network says at a point at once: on faces the cell of `affine_at`, among those that meet there."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.cells.certificate import check_cell
from reluatlas.errors import ArgumentError, OnFaceError
from reluatlas.network.build import Builder
from tests.tied import TIED

OCTANTS = ra.load([(np.eye(3), np.zeros(3)), (np.ones((1, 3)), np.zeros(1))])


@pytest.mark.parametrize("name", sorted(TIED))
@pytest.mark.parametrize("n", [2, 3])
def test_the_cell_is_one_of_those_that_meet_and_its_map_that_of_affine_at(name, n):
    for seed in range(3):
        net = TIED[name](seed, n)
        for x in (np.zeros(n), np.round(np.random.default_rng(seed).uniform(-1, 1, n) * 4) / 4):
            cell = ra.cell_at(net, x, ties="perturb")
            maps, met = net.affine_at(x), list(ra.cells_at(net, x))
            assert cell.answer.is_on_face == bool(maps.is_on_face[0]) == (len(met) > 1)
            (same,) = [other for other in met if np.array_equal(cell.pattern, other.pattern)]
            assert cell.facets.owners == same.facets.owners and cell.exactness.status == "exact"
            assert np.array_equal(cell.affine.A, maps.A) and np.array_equal(cell.answer.affine.b, maps.b)
            if len(met) == 1:
                assert np.array_equal(ra.cell_at(net, x).pattern, cell.pattern) and cell.answer.ties == ()
            else:
                with pytest.raises(OnFaceError) as caught:
                    ra.cell_at(net, x)
                assert cell.answer.ties[0] in str(caught.value) and 'ties="perturb"' in str(caught.value)


@pytest.mark.parametrize("name", sorted(TIED))
def test_on_the_sides_of_a_domain_the_cell_lies_inside(name):
    for seed in range(3):
        net = TIED[name](seed, 2)
        for domain in (
            ra.Box(-1, 0, dim=2),
            ra.Box([0, -1], [1, 0]),
            ra.Slice([0, 0], [[1, 1]], box=ra.Box(-1, 0, dim=1)),
        ):
            x = np.zeros(2)
            cell = ra.cell_at(net, x, domain, ties="perturb")
            met = list(ra.cells_at(net, x, domain))
            assert any(np.array_equal(cell.pattern, other.pattern) for other in met)
            assert check_cell(cell).problems == []


def test_the_units_that_tie_are_those_whose_zero_sets_hold_the_point():
    rng = np.random.default_rng(0)
    W = rng.integers(-3, 4, (12, 3)).astype(float)
    W[3] = 0.0  # zero everywhere: it cuts nothing
    b = np.array([0.0] * 6 + [0.5] * 6)
    net = ra.load([(W, b), (np.ones((2, 12)), np.zeros(2))])
    x = np.array([0.25, -0.5, 0.75])
    on = [
        i for i in range(12)
        if W[i].any() and sum(Fraction(w) * Fraction(v) for w, v in zip(W[i], x, strict=True)) + Fraction(b[i]) == 0
    ]  # fmt: skip
    assert len(on) > 1
    assert ra.cell_at(net, x, ties="perturb").answer.ties == tuple(f"neuron {i + 1} of layer 1" for i in on)


def test_class_runner_up_and_margin():
    layers = [(np.eye(2), np.zeros(2)), (np.array([[1.0, 0], [0, 2], [3, 3]]), np.array([0.0, 0, -9]))]
    best = ra.cell_at(ra.load(layers), [1.0, 2.0]).answer
    assert (best.label, best.runner_up, best.margin) == (1, 0, 3.0) and best.outputs.tolist() == [1.0, 4.0, 0.0]
    assert str(best) == "class 1, runner-up 0, margin 3" and repr(best) == f"Answer({best})"
    least = ra.cell_at(ra.load(layers, classes="min", class_names=["a", "b", "c"]), [1.0, 2.0]).answer
    assert (least.label, least.runner_up, least.margin) == (2, 0, 1.0) and "class c, runner-up a" in str(least)
    none = ra.cell_at(ra.load(layers, classes=None), [1.0, 2.0]).answer
    assert (none.label, none.runner_up) == (-1, None) and np.isnan(none.margin) and str(none) == "outputs 1, 4, 0"
    sign = ra.cell_at(OCTANTS, [0.0, 1.0, 0.0], ties="perturb")
    assert repr(sign).startswith("Cell(class 1, runner-up 0, margin 1; on a face: 2 units tie (neuron 1 of layer 1, ")


def test_a_window_ties_where_its_candidates_do_and_are_not_the_same():
    b = Builder((2,))
    z = b.dense(0, [[1.0, 0], [0, 1], [0, 0], [0, 0]])
    net = b.finish(b.dense(b.max_windows(z, [[0, 1], [2, 3]], shape=(2,)), [[1.0, 1]]))
    assert ra.cell_at(net, [0.5, 0.5], ties="perturb").answer.ties == ("window 1 of layer 1",)
    with pytest.raises(ArgumentError, match='Pass "raise" or "perturb"'):
        ra.cell_at(net, [0.5, 0.5], ties="torch")  # type: ignore[arg-type]
