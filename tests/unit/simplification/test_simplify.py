"""The same function with fewer units: equal as fractions on hundreds of networks, and all that was planted is found."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError, DomainError
from reluatlas.network.build import Builder
from reluatlas.network.network import Convolution
from reluatlas.simplification import bounds, reduce_exactly
from reluatlas.simplification.certificate import Certificate
from reluatlas.testing import zoo
from tests.architectures import ARCHITECTURES, SHAPE, architecture
from tests.convert import to_nodes, to_problem
from tests.oracles import rational
from tests.unit.network import nets
from tests.unit.simplification import planted
from tests.unit.simplification.exactly import largest_difference, outputs_at, points_of

MAKERS = {"dense": planted.dense, "residual": planted.residual, "convolutional": planted.convolutional}


def without_cells(*_):
    """Settle nothing."""


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("first", range(0, 80, 16))
def test_all_that_is_planted_is_found_and_the_function_stays(kind, first):
    found = dict.fromkeys(planted.KINDS, 0)
    for seed in range(first, first + 16):
        made = MAKERS[kind](seed)
        net = made.network
        domain = ra.Box(-1, 1, dim=net.n_inputs)
        simpler = ra.simplify(net, domain)
        assert simpler.after.units <= made.n_kept
        assert simpler.network.n_neurons == simpler.after.units == net.n_neurons - len(simpler.removed)
        assert simpler.error_bound == 0.0
        assert largest_difference(net, simpler.network, points_of(domain, 12, seed)) == 0
        for reason, n in simpler.reasons.items():
            if reason in found:
                found[reason] += n
    assert all(found.values()), found


@pytest.mark.parametrize("family", zoo.FAMILIES)
def test_the_zoo_at_all_vertices(family):
    n_gone = 0
    for seed in range(4):
        net, domain = zoo.FAMILIES[family](seed), zoo.domain_for(seed)
        box = domain.box
        middle, half = (box.low + box.high) / 2, (box.high - box.low) / 8
        small = ra.Box(middle - half, middle + half)
        for here in (domain, small if isinstance(domain, ra.Box) else ra.Slice(domain.origin, domain.basis, box=small)):
            simpler = ra.simplify(net, here)
            n_gone += len(simpler.removed)
            problem = to_problem(net, here)
            nodes, output = to_nodes(simpler.network), simpler.network.output
            corners = {u for cell in rational.enumerate_cells(problem) for u in cell.vertices}
            for u in corners:
                x = [
                    o + u[0] * a + u[1] * b
                    for o, a, b in zip(problem.origin, *problem.basis, strict=True)
                ]  # fmt: skip
                assert outputs_at(nodes, output, x) == outputs_at(problem.nodes, net.output, x)
            assert largest_difference(net, simpler.network, points_of(here, 20, seed)) == 0
    assert n_gone > 0


@pytest.mark.parametrize("family", nets.FAMILIES)
def test_families_of_networks(family):
    for seed in range(3):
        net = nets.network(family, seed)
        for domain in (ra.Box(-1, 1, dim=2), ra.Box(-0.1, 0.1, dim=2), ra.Segment([-1.0, 0.5], [0.25, 0.75])):
            simpler = ra.simplify(net, domain)
            assert largest_difference(net, simpler.network, points_of(domain, 15, seed)) == 0


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("whole", [False, True])
def test_architectures(name, whole, tmp_path):
    path = tmp_path / "net.onnx"
    for seed in range(2):
        path.write_bytes(architecture(name, seed, whole=whole).SerializeToString())
        net = ra.load(str(path))
        x = np.random.default_rng(seed).integers(-4, 5, SHAPE).reshape(-1) / 4
        half = (0.25, 2.0**-5)[seed]
        domain = ra.Box(x - half, x + half)
        for objective in ("units", "numbers"):
            simpler = ra.simplify(net, domain, objective=objective)
            assert largest_difference(net, simpler.network, points_of(domain, 8, seed)) == 0
            assert getattr(simpler.after, objective) <= getattr(simpler.before, objective)
        assert ra.simplify(net, domain).after.units <= ra.stability(net, domain).n_bent


def test_merges_are_exact_or_not_done():
    # the unit is always on; its weight times 1 + 2^-60 is no float64 number, times 1 + 2^-20 it is
    for extra, n_affine in ((2.0**-20, 1), (2.0**-40, 2)):
        layers = [([[1.0 + 2.0**-20]], [8.0]), ([[1.0 + extra]], [0.0])]
        net = ra.load([(np.array(w), np.array(b)) for w, b in layers])
        simpler = ra.simplify(net, ra.Box(-1, 1, dim=1))
        assert simpler.after.units == 0
        assert sum(isinstance(n, ra.network.network.Affine) for n in simpler.network.nodes) == n_affine
        points = [[Fraction(k, 7)] for k in range(-7, 8)]
        assert largest_difference(net, simpler.network, points) == 0


def test_equal_units_whose_weights_do_not_add_up_stay_factored():
    net = ra.load([([[1.0], [1.0]], [0.0, 0.0]), ([[1.0, 2.0**-60]], [0.0])])
    simpler = ra.simplify(net, ra.Box(-1, 1, dim=1))
    assert simpler.reasons == {"equal": 1}
    assert largest_difference(net, simpler.network, [[Fraction(1)], [Fraction(1, 3)], [Fraction(-1)]]) == 0


def test_units_in_any_ratio_are_joined():
    rows = np.array([[3.0, -6.0], [7.0, -14.0], [-5.0, 10.0]])
    net = ra.load([(rows, np.array([9.0, 21.0, -15.0])), (np.array([[1.0, 1.0, 1.0]]), np.zeros(1))])
    simpler = ra.simplify(net, ra.Box(-4, 4, dim=2))
    assert simpler.after.units == 1 and simpler.reasons == {"proportional": 1, "opposite": 1}
    assert largest_difference(net, simpler.network, points_of(ra.Box(-4, 4, dim=2), 30)) == 0


def test_branches_that_cancel_go():
    b = Builder((2,))
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(5, 2)), rng.normal(size=5)
    f, g = b.relu(b.dense(0, weight, bias)), b.relu(b.dense(0, weight, bias))
    gap = b.add([f, g], [1.0, -1.0])
    net = b.finish(b.affine([gap, 0], [nets.Dense(np.ones((1, 5))), nets.Dense(np.ones((1, 2)))], shape=(1,)))
    simpler = ra.simplify(net, ra.Box(-1, 1, dim=2))
    assert simpler.after.units == 0 and len(simpler.network.nodes) == 2
    assert len(simpler.removed) == 10 and simpler.reasons["equal"] == simpler.reasons["unread"]


def test_windows_with_one_winner_become_linear():
    b = Builder((2,))
    z = b.dense(0, np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), np.array([10.0, 0.0, 0.0]))
    net = b.finish(b.max_windows(z, [[0, 1], [1, 2]], shape=(2,)))
    simpler = ra.simplify(net, ra.Box(-1, 1, dim=2))
    assert simpler.reasons == {"one winner": 1} and simpler.network.n_windows == 1
    assert simpler.removed[0].piece == 0
    assert largest_difference(net, simpler.network, points_of(ra.Box(-1, 1, dim=2), 20)) == 0


def test_a_dead_channel_goes_as_a_channel():
    rng = np.random.default_rng(1)
    b = Builder((2, 8))
    bias = np.array([0.1, -1e3, 0.2, -1e3])
    first = b.relu(planted.convolution(b, 0, rng.normal(size=(4, 2, 3)), bias))
    second = b.relu(planted.convolution(b, first, rng.normal(size=(3, 4, 3)), np.zeros(3)))
    net = b.finish(b.dense(second, rng.normal(size=(2, 24)), np.zeros(2)))
    simpler = ra.simplify(net, ra.Box(-1, 1, dim=16), objective="numbers")
    held = [o for n in simpler.network.nodes for o in getattr(n, "operators", ()) if isinstance(o, Convolution)]
    assert [o.weight.shape for o in held] == [(2, 2, 3), (3, 2, 3)]
    assert simpler.reasons == {"off": 16} and simpler.after.numbers < simpler.before.numbers
    assert largest_difference(net, simpler.network, points_of(ra.Box(-1, 1, dim=16), 10)) == 0


def test_channels_that_are_multiples_of_one_are_read_as_one():
    rng = np.random.default_rng(5)
    weight, bias = rng.integers(-8, 9, (2, 1, 3)) / 4, rng.integers(-8, 9, 2) / 4
    weight, bias = np.concatenate([weight, weight * 3, weight / 2]), np.concatenate([bias, bias * 3, bias / 2])
    b = Builder((1, 6))
    first = b.relu(planted.convolution(b, 0, weight, bias))
    second = b.relu(planted.convolution(b, first, rng.integers(-8, 9, (2, 6, 3)) / 8, np.zeros(2)))
    net = b.finish(b.dense(second, rng.normal(size=(2, 12)), np.zeros(2)))
    domain = ra.Box(-1, 1, dim=6)
    simpler = ra.simplify(net, domain, objective="numbers")
    held = [o for n in simpler.network.nodes for o in getattr(n, "operators", ()) if isinstance(o, Convolution)]
    assert [o.weight.shape for o in held] == [(2, 1, 3), (2, 2, 3)]
    assert len(simpler.network.nodes) == len(net.nodes)
    assert largest_difference(net, simpler.network, points_of(domain, 20)) == 0


def test_linear_programs_settle_what_bounds_leave_open(monkeypatch):
    monkeypatch.setattr(reduce_exactly, "by_cells", without_cells)
    rng = np.random.default_rng(2)
    n_fewer = 0
    for _ in range(20):
        layers = [
            (rng.normal(size=(m, n)), rng.normal(size=m) * 0.5) for n, m in ((2, 12), (12, 12), (12, 12), (12, 2))
        ]
        net, domain = ra.load(layers), ra.Box(-0.3, 0.3, dim=2)
        closer = ra.simplify(net, domain)
        assert largest_difference(net, closer.network, points_of(domain, 25)) == 0
        with monkeypatch.context() as m:
            m.setattr(bounds, "MOST_NUMBERS", 0)
            n_fewer += ra.simplify(net, domain).after.units - closer.after.units
        assert all(r.method != "linear program" or r.low >= 0 or r.high <= 0 for r in closer.removed)
    assert n_fewer > 0


def test_cells_settle_what_bounds_and_programs_leave_open(monkeypatch):
    """What the rational oracle's cells have on one piece goes, and nothing that has two stays away."""
    rng, n_by_cells, n_fewer = np.random.default_rng(3), 0, 0
    for _ in range(10):
        layers = [(rng.normal(size=(m, n)), rng.normal(size=m) * 0.5) for n, m in ((2, 9), (9, 9), (9, 9), (9, 2))]
        net, domain = ra.load(layers), ra.Box(-0.5, 0.5, dim=2)
        patterns = np.array([c.pattern for c in rational.enumerate_cells(to_problem(net, domain))])
        never_bends = np.flatnonzero((patterns == patterns[0]).all(axis=0))
        found = ra.simplify(net, domain)
        assert {r.unit for r in found.removed} >= set(never_bends.tolist())
        by_cells = [r for r in found.removed if r.method == "cells"]
        assert {r.unit for r in by_cells} <= set(never_bends.tolist())
        assert all(r.piece == patterns[0, r.unit] for r in by_cells)
        n_by_cells += len(by_cells)
        assert largest_difference(net, found.network, points_of(domain, 25)) == 0
        with monkeypatch.context() as m:
            m.setattr(reduce_exactly, "by_cells", without_cells)
            without = ra.simplify(net, domain)
        assert all(r.method != "cells" for r in without.removed)
        n_fewer += without.after.units - found.after.units
    assert n_by_cells > 0 and n_fewer > 0


def test_cells_settle_windows_and_slices():
    rng, n_by_cells = np.random.default_rng(0), 0
    for _ in range(10):
        b = Builder((3,))
        h = b.relu(b.dense(0, rng.normal(size=(9, 3)), rng.normal(size=9) / 2))
        h = b.dense(h, rng.normal(size=(9, 9)), rng.normal(size=9))
        h = b.max_windows(h, np.arange(9).reshape(3, 3), shape=(3,))
        net = b.finish(b.dense(h, rng.normal(size=(2, 3)), np.zeros(2)))
        plane = ra.Slice(rng.normal(size=3) / 4, rng.normal(size=(2, 3)), box=ra.Box(-0.5, 0.5, dim=2))
        found = ra.simplify(net, plane)
        patterns = np.array([c.pattern for c in rational.enumerate_cells(to_problem(net, plane))])
        assert {r.unit for r in found.removed} >= set(np.flatnonzero((patterns == patterns[0]).all(axis=0)).tolist())
        n_by_cells += sum(r.method == "cells" for r in found.removed)
        assert largest_difference(net, found.network, points_of(plane, 25)) == 0
    assert n_by_cells > 0


@pytest.mark.parametrize("seed", range(5))
def test_bounds_from_any_multipliers_hold(seed):
    rng = np.random.default_rng(seed)
    G, h, c = rng.normal(size=(6, 4)), rng.uniform(0.1, 1.0, 6), rng.normal(size=4)
    inside = rng.uniform(-1, 1, (4000, 4))
    inside = inside[(inside @ G.T <= h).all(axis=1)]
    assert inside.size
    largest = (inside @ c).max() + 0.5
    for multipliers in (np.zeros(6), rng.random(6), -rng.random(6), np.full(6, np.nan), np.full(6, 1e9)):
        assert bounds.safe_maximum(c, 0.5, G, h, multipliers, 0.0) >= largest


def test_a_tolerance_gives_fewer_units_and_keeps_its_word():
    rng = np.random.default_rng(3)
    for seed in range(10):
        layers = [(rng.normal(size=(m, n)), rng.normal(size=m) * 0.3) for n, m in ((2, 10), (10, 10), (10, 3))]
        net, domain = ra.load(layers), ra.Box(-0.5, 0.5, dim=2)
        sizes = []
        for tolerance in (0.0, 0.01, 0.3, 3.0, 1e3):
            simpler = ra.simplify(net, domain, tolerance)
            assert simpler.error_bound <= tolerance and simpler.error_bounds.shape == (3,)
            largest = largest_difference(net, simpler.network, points_of(domain, 30, seed))
            assert largest <= Fraction(simpler.error_bound)
            sizes.append(simpler.after.units)
        assert sizes == sorted(sizes, reverse=True) and sizes[-1] == 0 < sizes[0]


def test_with_a_tolerance_layers_that_do_not_bend_collapse():
    rng = np.random.default_rng(4)
    for seed in range(10):
        layers = [(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in ((3, 12), (12, 12), (12, 4))]
        layers = [(w, np.abs(b) + 400.0) for w, b in layers[:2]] + layers[2:]
        net, domain = ra.load(layers), ra.Box(-1, 1, dim=3)
        exact = ra.simplify(net, domain)
        assert exact.after.units == 0 or seed
        rough = ra.simplify(net, domain, 1e-6)
        if exact.after.units == 0:
            assert exact.after.multiply_adds > rough.after.multiply_adds == 12
        assert 0 < rough.error_bound < 1e-6
        largest = largest_difference(net, rough.network, points_of(domain, 30, seed))
        assert 0 < largest <= Fraction(rough.error_bound)


def test_a_bound_on_rounding_that_is_too_small_is_seen(monkeypatch):
    # the function is off by more than a millionth of what is said
    from reluatlas.simplification import approximate

    real = approximate.roughly_folded
    monkeypatch.setattr(
        approximate, "roughly_folded", lambda *a: (lambda d, e: (d, {t: x * 1e-6 for t, x in e.items()}))(*real(*a))
    )
    rng = np.random.default_rng(4)
    layers = [(rng.normal(size=(12, 3)), np.full(12, 40.0)), (rng.normal(size=(4, 12)), rng.normal(size=4))]
    net, domain = ra.load(layers), ra.Box(-1, 1, dim=3)
    rough = ra.simplify(net, domain, 1e-6)
    assert largest_difference(net, rough.network, points_of(domain, 30)) > Fraction(rough.error_bound)


def test_the_certificate_refutes_what_is_wrong():
    net = planted.dense(0).network
    domain = ra.Box(-1, 1, dim=net.n_inputs)
    simpler = ra.simplify(net, domain)
    X = np.random.default_rng(0).uniform(-1, 1, (200, net.n_inputs))
    assert simpler.certificate.check(X).n_equal == 200
    last = simpler.network.nodes[simpler.network.output]
    bias = last.bias.copy()
    bias[0] += 2.0**-40
    nodes = [*simpler.network.nodes[: simpler.network.output], replace(last, bias=bias)]
    wrong = replace(simpler.network, nodes=tuple(nodes))
    found = Certificate.of(net, wrong, domain, simpler.removed, 0.0).check(X)
    assert (found.n_equal, found.is_within, found.largest) == (0, False, Fraction(2) ** -40)


def test_a_wrong_claim_is_seen(monkeypatch):
    # a unit that bends is said to be off: the fractions say that the functions differ
    from reluatlas.simplification import reduce_exactly

    net, domain = ra.load([([[1.0]], [0.0]), ([[1.0]], [0.0])]), ra.Box(-1, 1, dim=1)
    real = reduce_exactly.closer_possibilities

    def wrong(*arguments):
        known = real(*arguments)
        known.possible = {t: p._replace(needed=np.array([True, False])) for t, p in known.possible.items()}
        return known

    monkeypatch.setattr(reduce_exactly, "closer_possibilities", wrong)
    simpler = ra.simplify(net, domain)
    assert simpler.after.units == 0
    assert largest_difference(net, simpler.network, points_of(domain, 9)) > 0


def test_what_is_said_of_layers_and_sizes():
    net = ra.load([([[1.0], [2.0], [-1.0]], [0.0, 0.0, -3.0]), ([[1.0, 1.0, 1.0]], [0.0])])
    simpler = ra.simplify(net, ra.Box(-1, 1, dim=1))
    (layer,) = simpler.layers
    assert (layer.before, layer.after, layer.reasons) == (3, 1, {"proportional": 1, "off": 1})
    assert simpler.before == (3, 9, 6) and simpler.after.units == 1
    assert "3 -> 1 units" in repr(simpler) and "same function" in repr(simpler)
    assert simpler.network.classes == net.classes and simpler.network.output_shape == net.output_shape


def test_what_is_given_wrongly_is_refused():
    net = ra.load([([[1.0, 1.0]], [0.0]), ([[1.0]], [0.0])])
    box = ra.Box(0, 1, dim=2)
    for tolerance in (-1.0, float("nan"), float("inf"), "much", True, None):
        with pytest.raises(ArgumentError, match="tolerance"):
            ra.simplify(net, box, tolerance)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="objective"):
        ra.simplify(net, box, objective="bytes")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="max_seconds"):
        ra.simplify(net, box, max_seconds=0)
    with pytest.raises(DomainError, match="Space"):
        ra.simplify(net, ra.Space(2))  # type: ignore[arg-type]
    with pytest.raises(DomainError, match="str"):
        ra.simplify(net, "box")  # type: ignore[arg-type]
    with pytest.raises(DimensionError, match="takes 2 inputs"):
        ra.simplify(net, ra.Box(0, 1, dim=3))
    with pytest.raises(ArgumentError, match="net"):
        ra.simplify([1], box)  # type: ignore[arg-type]


def test_when_time_is_over_at_once_the_network_is_still_the_same_function():
    rng = np.random.default_rng(0)
    net = ra.load([(rng.normal(size=(12, 3)), np.full(12, 9.0)), (rng.normal(size=(2, 12)), np.zeros(2))])
    box = ra.Box(-1, 1, dim=3)
    found, whole = ra.simplify(net, box, max_seconds=1e-9), ra.simplify(net, box)
    assert (found.is_complete, found.error_bound) == (False, 0.0)
    assert whole.after.units < found.after.units <= net.n_neurons
    X = rng.uniform(-1, 1, (100, 3))
    np.testing.assert_allclose(found.network(X), net(X), rtol=1e-12)
