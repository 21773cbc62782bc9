"""Cells in one to six dimensions: patterns, counts and volumes against the oracle, linear programs and closed forms."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.answers.limits import Limits
from reluatlas.compiled.structs import pack
from reluatlas.geometry.vertices.volume import new_scratch, volumes
from reluatlas.subdivision.constraints.tree import Tree
from reluatlas.subdivision.program.lower import lower
from reluatlas.subdivision.runner.run import run
from tests.convert import to_nodes
from tests.data import data_folder
from tests.laws.test_polyhedra import MOST_UNITS, SEEDS, _box_rows
from tests.oracles import anywhere
from tests.zoo import FAMILIES


def _generic(rng, m, n):
    return rng.uniform(-1, 1, (m, n)), rng.uniform(-1, 1, m)


def _ternary(rng, m, n):
    return rng.integers(-1, 2, (m, n)).astype(float), rng.integers(-1, 2, m).astype(float)


def _biasless(rng, m, n):
    return rng.uniform(-1, 1, (m, n)), np.zeros(m)


def _related(rng, m, n):
    weight, bias = _generic(rng, m, n)
    factors = rng.choice([1.0, -1.0, 0.1, -3.0], m)
    parents = rng.integers(0, max(1, m // 2), m)
    return weight[parents] * factors[:, None], bias[parents] * factors


LAYERS = {"generic": _generic, "ternary": _ternary, "biasless": _biasless, "related": _related}


def _found(net, domain):
    lowered = lower(net, domain)
    outcome = run(lowered, Limits(jobs=1), collect=True)
    patterns = np.concatenate([f.cells.pattern for f in outcome.found])
    assert len(np.unique(patterns, axis=0)) == len(patterns) == outcome.n_cells
    return outcome, {tuple(p) for p in patterns.tolist()}


@pytest.mark.parametrize("family", FAMILIES)
def test_families_match_the_oracle(family):
    n_checked = 0
    for seed in SEEDS:
        net = FAMILIES[family](seed)
        k, units = net.n_inputs, net.n_neurons + net.n_windows
        small = units <= MOST_UNITS.get(family, 8) and k * units <= 24
        if k > 6 or units > 16:
            continue
        for domain, rows in ((ra.Box(-1, 1, dim=k), _box_rows(k)), (ra.Space(k), [])):
            if small:
                expected = set(anywhere.cells(to_nodes(net), k, rows))
            else:
                expected = {tuple(c.pieces.tolist()) for c in Tree(net, domain).cells()}
            assert ra.count_cells(net, domain, jobs=1).n_cells == len(expected), (seed, domain)
            if k != 2 or isinstance(domain, ra.Space):
                assert _found(net, domain)[1] == expected, (seed, domain)
            n_checked += 1
    assert n_checked > 0


@pytest.mark.parametrize("family", LAYERS)
@pytest.mark.parametrize(("k", "widths"), [(1, (6, 5)), (3, (6, 6)), (3, (9,)), (4, (6, 5)), (5, (5, 4))])
def test_patterns_are_those_that_linear_programs_find(family, k, widths):
    for seed in range(3):
        rng = np.random.default_rng([seed, k, len(widths)])
        layers, n = [], k
        for m in (*widths, 1):
            layers.append(LAYERS[family](rng, m, n))
            n = m
        net = ra.load(layers)
        for domain in (ra.Box(-1, 1, dim=k), ra.Space(k)):
            expected = {tuple(c.pieces.tolist()) for c in Tree(net, domain).cells()}
            outcome, patterns = _found(net, domain)
            assert patterns == expected
            count = ra.count_cells(net, domain, jobs=1)
            assert count.n_cells == len(expected) and count.is_complete and count.exactness.status == "exact"
            if isinstance(domain, ra.Box):
                assert count.volume_done == pytest.approx(domain.volume, rel=1e-9)
                assert _volume(outcome, k) == pytest.approx(domain.volume, rel=1e-9)


def _volume(outcome, k):
    total = 0.0
    for found in outcome.found:
        cells = found.cells
        offsets = np.concatenate([[0], np.cumsum(cells.n_vertices)])
        out = np.zeros(cells.hash.size)
        scratch = new_scratch(k, int(cells.n_vertices.max(initial=1)), cells.mask.shape[1])
        volumes(cells.x, cells.mask, offsets, cells.n_facets, k, pack(scratch), out)
        assert (out >= 0).all()  # cells thinner than rounding have no volume in float64
        total += out.sum()
    return total


@pytest.mark.parametrize(("k", "n"), [(1, 6), (2, 9), (3, 9), (4, 8), (5, 8), (6, 8)])
def test_hyperplanes_in_general_position_and_through_a_point_give_the_closed_forms(k, n):
    rng = np.random.default_rng([k, n])
    weight, bias = rng.integers(-1000, 1001, (n, k)).astype(float), rng.integers(-1000, 1001, n).astype(float)
    last = (np.ones((1, n)), np.zeros(1))
    net, central = ra.load([(weight, bias), last]), ra.load([(weight, np.zeros(n)), last])
    assert ra.count_cells(net, ra.Space(k)).n_cells == sum(comb(n, i) for i in range(k + 1))
    rays = 2 * sum(comb(n - 1, i) for i in range(k))
    assert ra.count_cells(central, ra.Space(k)).n_cells == rays
    assert ra.count_cells(central, ra.Box(-1, 1, dim=k)).n_cells == rays
    assert ra.count_cells(central, ra.Space(k)).volume_done == np.inf


@pytest.mark.parametrize(("name", "k", "in_box", "in_all"), [("H", 3, 1041, 5946), ("J", 4, 692, 8561)])
def test_stored_networks_have_the_cells_that_others_counted(name, k, in_box, in_all):
    folder = data_folder()
    if folder is None:
        pytest.skip("no data folder (RELUATLAS_DATA)")
    with np.load(folder / "nets" / f"{name}.npz") as file:
        net = ra.load([(file[f"W{i}"], file[f"b{i}"]) for i in range(len(file.files) // 2)])
    assert ra.count_cells(net, ra.Box(-1, 1, dim=k), jobs=2).n_cells == in_box
    assert ra.count_cells(net, ra.Space(k), jobs=2).n_cells == in_all
    if name == "J":
        assert ra.count_cells(net, ra.Box(-1e4, 1e4, dim=k)).n_cells == 8558


def test_a_count_stops_at_its_budget_and_says_how_far_it_got():
    rng = np.random.default_rng(0)
    net = ra.load([_generic(rng, 20, 3), _generic(rng, 20, 20), _generic(rng, 1, 20)])
    part, whole = ra.count_cells(net, ra.Box(-1, 1, dim=3), max_cells=100), ra.count_cells(net, ra.Box(-1, 1, dim=3))
    assert part.stopped_by == "max_cells" and 100 <= part.n_cells < whole.n_cells
    assert 0 < part.volume_done < whole.volume_done == pytest.approx(8.0)


def test_more_than_six_dimensions_need_a_budget_and_say_so(tmp_path):
    wide = ra.load([(np.ones((3, 7)), np.zeros(3)), (np.ones((1, 3)), np.zeros(1))])
    for find in (ra.count_cells, ra.enumerate_cells):
        with pytest.raises(ra.errors.DomainError, match=r"7 dimensions.*max_cells="):
            find(wide, ra.Box(-1, 1, dim=7))
        with pytest.raises(ra.errors.DomainError, match="checkpoint"):
            find(wide, ra.Box(-1, 1, dim=7), max_cells=3, checkpoint=tmp_path / "run")
    wider = ra.load([(np.ones((3, 25)), np.zeros(3)), (np.ones((1, 3)), np.zeros(1))])
    with pytest.raises(ra.errors.DomainError, match=r"up to 24.*`explore`"):
        ra.count_cells(wider, ra.Space(25), max_cells=3)


@pytest.mark.parametrize("k", [7, 12])
def test_more_than_six_dimensions_are_enumerated_by_linear_programs(k):
    rng = np.random.default_rng(k)
    net = ra.load([_generic(rng, 6, k), _generic(rng, 3, 6), _generic(rng, 2, 3)])
    for domain in (ra.Box(-1, 1, dim=k), ra.Space(k)):
        count = ra.count_cells(net, domain, max_seconds=100)
        cx = ra.enumerate_cells(net, domain, max_seconds=100)
        assert cx.is_complete and count.is_complete and cx.n_cells == count.n_cells
        assert cx.method == count.method == "linear programs"
        X = rng.uniform(-1, 1, (3000, k)) * (1 if isinstance(domain, ra.Box) else 50)
        found = {tuple(p) for p in cx.patterns.tolist()}
        assert {tuple(p) for p in net.patterns(X).tolist()} <= found
        assert len(found) == cx.n_cells
        inside = cx.interior_points
        assert np.array_equal(net.patterns(inside), cx.patterns)
        mapped = np.einsum("imk,ik->im", cx.affine.A, inside) + cx.affine.b
        assert np.all(np.abs(mapped - net(inside)) <= 1e-12 * (1 + np.abs(inside).sum(axis=1, keepdims=True)))
        inner = np.flatnonzero(cx.facets.neighbor >= 0)
        assert np.array_equal(cx.facets.twin[cx.facets.twin[inner]], inner)
        assert cx.dual_graph().n_edges == inner.size // 2
        assert cx.n_linear_regions <= cx.n_cells and not (cx.is_bounded.any() and isinstance(domain, ra.Space))
        assert cx.cell_at(inside[3]) == 3
        with pytest.raises(ra.errors.DimensionError, match="vertices"):
            _ = cx.f_vector
    part = ra.enumerate_cells(net, ra.Box(-1, 1, dim=k), max_cells=4)
    assert part.n_cells == 4 and part.stopped_by == "max_cells" and "stopped by max_cells" in repr(part)
