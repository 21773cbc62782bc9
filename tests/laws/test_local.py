"""Cells are the same whether the whole network is cut or a local one: to the last bit where they are whole numbers.

Small budgets make many items, so that paths, lines and hashes go in and out of the local network's terms.
"""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.answers.limits import Limits
from reluatlas.complexes.linear_regions import map_errors
from reluatlas.errors import ReluAtlasError
from reluatlas.subdivision.constraints.exact_rows import Reference, WholeRows
from reluatlas.subdivision.local import localize
from reluatlas.subdivision.program.lower import lower
from reluatlas.subdivision.runner import threads
from reluatlas.subdivision.runner.run import run
from reluatlas.testing import assert_complex, zoo
from tests.compare import assert_matches_oracle
from tests.doors import domain_of, network_of
from tests.oracles import scales, windows  # noqa: F401 - they add their families
from tests.oracles.families import FAMILIES
from tests.questions import cells, facets, maps
from tests.truth import Truth

SEEDS = range(8)


@pytest.fixture
def local(monkeypatch):
    """Count the runs that were on a local network, and let items be small."""
    taken = []
    found = localize.localized

    def counted(*arguments, **options):
        taken.append(found(*arguments, **options))
        return taken[-1]

    monkeypatch.setattr(localize, "localized", counted)
    monkeypatch.setattr(localize, "FIRST_BUDGET", 3)
    monkeypatch.setattr(threads, "BUDGET", 7)
    monkeypatch.setattr(threads, "COUNT_BUDGET", 11)
    return taken


def in_mode(monkeypatch, mode, ask, *arguments, **options):
    with monkeypatch.context() as patch:
        patch.setattr(localize, "mode", mode)
        return ask(*arguments, **options)


def assert_same(one, other):
    """Assert that two complexes are the same, in the same order."""
    assert np.array_equal(one.patterns, other.patterns)
    for field in fields(one.facets):
        assert np.array_equal(getattr(one.facets, field.name), getattr(other.facets, field.name)), field.name
    a, b = one.vertices, other.vertices
    assert np.array_equal(a.offsets, b.offsets) and np.array_equal(a.is_ray, b.is_ray)
    assert np.all(np.abs(a.points - b.points).max(axis=1, initial=0.0) <= a.radii + b.radii)
    errors = 2.0 * map_errors(one)
    assert np.all(np.abs(one.affine.A - other.affine.A) <= errors[None, :, :-1])
    assert np.all(np.abs(one.affine.b - other.affine.b) <= errors[None, :, -1])
    assert one.n_affine_maps == other.n_affine_maps


def part_of(domain, share, seed):
    """Return a part of a box or slice."""
    box, rng = domain.box, np.random.default_rng(seed)
    half = (box.high - box.low) / 2 * share
    middle = (box.high + box.low) / 2 + (1 - share) / share * half * rng.uniform(-1, 1, half.size)
    small = ra.Box(middle - half, middle + half)
    return small if isinstance(domain, ra.Box) else ra.Slice(domain.origin, domain.basis, box=small)


@pytest.mark.parametrize("family", zoo.FAMILIES)
def test_the_zoo_on_planes_and_parts_of_them(family, local, monkeypatch):
    n_stable = 0
    for seed in SEEDS:
        net, domain = zoo.FAMILIES[family](seed), zoo.domain_for(seed)
        for share in (1.0, 0.25):
            here = domain if share == 1.0 else part_of(domain, share, seed)
            whole, automatic, anew, forced = (
                in_mode(monkeypatch, mode, ra.enumerate_cells, net, here, jobs=1)
                for mode in ("off", "automatic", "items", "on")
            )
            assert local[-1] is not None
            n_stable += whole.patterns.shape[1] - local[-1].lowered.n_units
            assert_same(whole, forced)
            assert_same(whole, automatic)
            assert_same(whole, anew)
            assert_matches_oracle(forced)
            assert_complex(forced)
            assert in_mode(monkeypatch, "on", ra.count_cells, net, here, jobs=1).n_cells == whole.n_cells
    assert n_stable > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_families_in_one_to_three_dimensions(family, local, monkeypatch):
    n_asked = 0
    for seed in SEEDS:
        case = FAMILIES[family](seed)
        try:
            net, domain = network_of(case), domain_of(case)
            whole = in_mode(monkeypatch, "off", ra.enumerate_cells, net, domain, jobs=1)
        except ReluAtlasError:
            continue
        forced = in_mode(monkeypatch, "on", ra.enumerate_cells, net, domain, jobs=2)
        assert_same(whole, forced)
        assert_same(whole, in_mode(monkeypatch, "items", ra.enumerate_cells, net, domain, jobs=2))
        truth = Truth(case)
        n_asked += cells(truth, forced) + facets(truth, forced) + maps(truth, forced)
        assert in_mode(monkeypatch, "on", ra.count_cells, net, domain, jobs=2).n_cells == whole.n_cells
    assert n_asked > 3 * len(SEEDS)


@pytest.mark.parametrize("dim", [4, 5, 6])
def test_boxes_in_four_to_six_dimensions(dim, local, monkeypatch):
    for seed in range(3):
        rng = np.random.default_rng([seed, dim])
        sizes = (dim, 10, 8, 2)
        layers = [(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in pairwise(sizes)]
        if seed == 1:
            layers = [(np.round(w), np.round(b)) for w, b in layers]
        net, box = ra.load(layers), ra.Box(-0.4, 0.3, dim=dim)
        whole = in_mode(monkeypatch, "off", ra.enumerate_cells, net, box, jobs=1, max_cells=400)
        forced = in_mode(monkeypatch, "on", ra.enumerate_cells, net, box, jobs=2, max_cells=400)
        assert_same(whole, forced)
        assert 0 < local[-1].lowered.n_units < 18
        assert_same(whole, in_mode(monkeypatch, "items", ra.enumerate_cells, net, box, jobs=2, max_cells=400))
        modes = ("off", "on", "items")
        counts = {in_mode(monkeypatch, mode, ra.count_cells, net, box, jobs=1).n_cells for mode in modes}
        assert len(counts) == 1


def test_rows_that_meet_in_vertices_are_those_of_the_whole_network(local, monkeypatch):
    rng = np.random.default_rng(0)
    layers = [(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in pairwise((3, 9, 8, 2))]
    net, box = ra.load(layers), ra.Box(-0.2, 0.2, dim=3)
    lowered = lower(net, box)
    found = in_mode(monkeypatch, "on", run, lowered, Limits(jobs=1), collect=True)
    assert local[-1] is not None and local[-1].lowered.n_units < 17
    rows = WholeRows(net, box)
    n = 0
    for part in found.found:
        cells = part.cells
        ends = np.cumsum(cells.n_vertices)
        for v in range(len(cells.radius)):
            pattern = cells.pattern[np.searchsorted(ends, v, side="right")]
            for line in cells.rows[v].tolist():
                row = rows(Reference.of(line), pattern)
                at = sum(c * Fraction(x) for c, x in zip(row, cells.x[v, :3].tolist(), strict=False)) + row[3]
                assert abs(at) <= sum(map(abs, row[:3])) * Fraction(float(cells.radius[v]))
                n += line >= 0
    assert n > 50


def large(seed):
    """Return a network of which little can change on a small box, deep enough that it pays to know that."""
    rng = np.random.default_rng(seed)
    sizes = (2, 100, 100, 100, 100, 3)
    layers = [(rng.normal(size=(m, n)) * np.sqrt(2 / n), 0.3 * rng.normal(size=m)) for n, m in pairwise(sizes)]
    return ra.load(layers), ra.Box([0.1, 0.1], [0.2, 0.2])


def test_it_is_found_by_itself_where_it_pays(local, monkeypatch):
    net, box = large(0)
    whole = in_mode(monkeypatch, "off", ra.enumerate_cells, net, box, jobs=1)
    assert not local
    automatic = ra.enumerate_cells(net, box, jobs=1)
    assert local[-1] is not None and local[-1].lowered.n_units < 100
    assert_same(whole, automatic)
    assert whole.n_cells > 50
    # and not where all can change
    assert ra.count_cells(net, ra.Box(-9, 9, dim=2), jobs=1, max_cells=50).n_cells > 0
    assert local[-1] is None


@pytest.mark.parametrize("mode", ["automatic", "items"])
def test_any_number_of_jobs_and_any_stop_give_the_same_bits(mode, local, monkeypatch, tmp_path):
    net, box = large(1)
    monkeypatch.setattr(localize, "mode", mode)
    one, two = (ra.enumerate_cells(net, box, jobs=jobs) for jobs in (1, 2))
    for most in (10, 40, None):
        stopped = ra.enumerate_cells(net, box, jobs=2, max_cells=most, checkpoint=tmp_path / "run.sqlite")
    assert local[-1] is not None
    for other in (two, stopped):
        assert_same(one, other)
        assert np.array_equal(one.vertices.points, other.vertices.points)
        assert np.array_equal(one.affine.A, other.affine.A) and np.array_equal(one.affine.b, other.affine.b)


def test_a_unit_that_is_wrongly_called_constant_is_found(local, monkeypatch):
    # The test of tests: a local network without one open unit is another one.
    net, box = large(0)
    whole = in_mode(monkeypatch, "off", ra.enumerate_cells, net, box, jobs=1)
    honest = localize._constant

    def wrong(layer):
        constant = honest(layer)
        is_open = np.flatnonzero(constant < 0)
        constant[is_open[:1]] = 0
        return constant

    monkeypatch.setattr(localize, "_constant", wrong)
    with pytest.raises(AssertionError):
        assert_same(whole, in_mode(monkeypatch, "on", ra.enumerate_cells, net, box, jobs=1))
