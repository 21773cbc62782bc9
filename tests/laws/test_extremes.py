"""Numbers at the ends of float64, or an ulp apart: the answer of the oracle, or a refusal in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.domain import Segment, Space
from reluatlas.errors import InternalError, OnFaceError, ReluAtlasError
from reluatlas.network.balance import balanced
from reluatlas.network.build import Builder
from reluatlas.network.network import Affine, Convolution, Network
from tests.convert import to_nodes, to_problem
from tests.extremes import FAMILIES
from tests.oracles import anywhere, plain, rational, segment
from tests.oracles.adjacency import f_vector, linear_regions, n_affine_maps, neighbors
from tests.oracles.pointwise import Form, map_along, pattern_at

SEEDS = range(7)
ANSWERED = ("ulp", "concurrent", "tiny")
"""Families of which every network is answered; rows of the others may be beyond what float64 can hold."""
MOST_UNITS = 6


def answered(name: str, ask: Callable[[], None]) -> None:
    """Ask; a refusal is a sentence that says what to do, and of some families there is none."""
    try:
        ask()
    except OnFaceError:
        return
    except InternalError:
        raise
    except ReluAtlasError as refusal:
        assert name.removesuffix("_any") not in ANSWERED, refusal
        assert any(word in str(refusal) for word in ("Multiply", "multiply", "Pass", "pass", "Ask")), refusal


def box_rows(k: int) -> list[list[Fraction]]:
    return [
        [*(Fraction(sign * int(i == axis)) for i in range(k)), Fraction(1)] for axis in range(k) for sign in (1, -1)
    ]


def n_units(network: Network) -> int:
    return network.n_neurons + network.n_windows


def patterns_of(found) -> list[tuple[int, ...]]:
    return [tuple(row) for row in found.patterns.tolist()]


def assert_maps(A: np.ndarray, b: np.ndarray, forms: Sequence[Form]) -> None:
    """Float64 numbers next to fractions: relative to the row's largest, for what cancels, or in the last place."""
    for row, constant, form in zip(A.reshape(len(forms), -1), b, forms, strict=True):
        room = max(map(abs, form)) / 1000 + Fraction(1, 2**1060)
        for given, exact in zip([*row.tolist(), float(constant)], form, strict=True):
            assert np.isfinite(given) and abs(Fraction(given) - exact) <= room


@pytest.mark.parametrize("name", FAMILIES)
def test_planes(name):
    for seed in SEEDS:
        network, box = FAMILIES[name](seed, 2), ra.Box(-1, 1, dim=2)
        cells = rational.enumerate_cells(to_problem(network, box))
        pairs = neighbors(cells)
        at = {cell.pattern: cell for cell in cells}

        def count(network=network, box=box, cells=cells):
            assert ra.count_cells(network, box).n_cells == len(cells)

        def enumerate_(network=network, box=box, cells=cells, pairs=pairs, at=at):
            cx = ra.enumerate_cells(network, box)
            found = patterns_of(cx)
            assert sorted(found) == sorted(at) and cx.exactness.status == "exact"
            given = {
                frozenset((found[i], found[n]))
                for i, n in zip(
                    np.repeat(np.arange(cx.n_cells), np.diff(cx.facets.offsets)).tolist(),
                    cx.facets.neighbor.tolist(),
                    strict=True,
                )
                if n >= 0
            }
            assert given == {frozenset((cells[i].pattern, cells[k].pattern)) for (i, _), (k, _) in pairs}
            assert cx.n_affine_maps == n_affine_maps(cells)
            assert cx.n_linear_regions == len(set(linear_regions(cells, pairs)))
            assert tuple(cx.f_vector) == tuple(f_vector(cells))
            for i, pattern in enumerate(found):
                assert abs(cx.volumes[i] - float(at[pattern].area)) <= 1e-9
                assert_maps(cx.affine.A[i], cx.affine.b[i], at[pattern].map)

        def boundary(network=network, box=box, cells=cells):
            segments = ra.enumerate_cells(network, box).decision_boundary().segments
            assert np.isfinite(segments).all()
            if network.n_outputs == 2 and all(cell.map[0] != cell.map[1] for cell in cells):
                assert len(segments) == crossed(network, box)

        answered(name, count)
        answered(name, enumerate_)
        answered(name, boundary)


def crossed(network: Network, box: ra.Box) -> int:
    """Return how many facets of the network with one more maximum, of its outputs, lie between two winners."""
    problem = to_problem(network, box)
    nodes = (*problem.nodes, plain.Max(network.output, (tuple(range(network.n_outputs)),)))
    cells = rational.enumerate_cells(
        plain.Problem(nodes, len(nodes) - 1, problem.low, problem.high, problem.origin, problem.basis)
    )
    return sum(cells[i].pattern[-1] != cells[k].pattern[-1] for (i, _), (k, _) in neighbors(cells))


@pytest.mark.parametrize("name", FAMILIES)
def test_the_cell_of_a_point(name):
    for seed in SEEDS:
        network = FAMILIES[name](seed, 2)
        nodes, x = to_nodes(network), np.random.default_rng(seed).uniform(-1, 1, 2)
        pattern = pattern_at(nodes, [Fraction(v) for v in x.tolist()])
        for domain, rows in ((ra.Box(-1, 1, dim=2), box_rows(2)), (Space(2), [])):
            cells = anywhere.cells(nodes, 2, rows)
            if pattern not in cells:
                continue

            def ask(network=network, x=x, domain=domain, rows=rows, cells=cells, nodes=nodes, pattern=pattern):
                cell = ra.cell_at(network, x, domain)
                assert tuple(cell.pattern.tolist()) == pattern and cell.exactness.status == "exact"
                assert cell.is_bounded == anywhere.is_bounded(cells[pattern], 2)
                assert len(cell.facets) == anywhere.n_facets(cells[pattern], 2)
                behind = [tuple(n.pattern.tolist()) for n in cell.neighbors()]
                assert len(set(behind)) == len(behind) == int((~cell.facets.is_domain).sum()) and set(behind) <= set(
                    cells
                )
                assert np.isfinite(cell.facets.points).all() and not np.isnan(cell.facets.distances).any()
                assert cell.inradius > 0 and cell.volume.value >= 0
                assert_maps(cell.affine.A[0], cell.affine.b[0], map_along(nodes, network.output, 2, pattern))

            answered(name, ask)


@pytest.mark.parametrize("name", FAMILIES)
def test_points_and_paths(name):
    for seed in SEEDS:
        network = FAMILIES[name](seed, 3)
        nodes, rng = to_nodes(network), np.random.default_rng(seed)
        X = np.concatenate([rng.uniform(-1, 1, (2, 3)), np.zeros((1, 3)), rng.integers(-2, 3, (1, 3)) / 4])
        expected = [pattern_at(nodes, [Fraction(v) for v in x]) for x in X.tolist()]
        assert [tuple(row) for row in network.patterns(X).tolist()] == expected
        a, b = rng.uniform(-1, 1, (2, 3))
        pieces = segment.trace(nodes, network.output, a.tolist(), b.tolist())

        def maps(network=network, X=X, expected=expected, nodes=nodes):
            found = network.affine_at(X[:2])
            for i in range(2):
                assert_maps(found.A[i], found.b[i], map_along(nodes, network.output, 3, expected[i]))

        def path(network=network, a=a, b=b, pieces=pieces):
            found = ra.trace(network, Segment(a, b))
            assert [tuple(row) for row in found.patterns.tolist()] == [piece.pattern for piece in pieces]
            assert np.allclose(found.breakpoints, [float(piece.start) for piece in pieces[1:]], rtol=1e-9, atol=1e-12)
            assert found.exactness.status == "exact"

        answered(name, maps)
        answered(name, path)


@pytest.mark.parametrize("name", FAMILIES)
def test_other_dimensions_and_the_whole_space(name):
    for seed, k in ((0, 1), (1, 3), (2, 3), (3, 7), (4, 7)):
        network = FAMILIES[name](seed, k)
        if n_units(network) > (MOST_UNITS if k < 7 else 4):
            continue
        nodes, box = to_nodes(network), ra.Box(-1, 1, dim=k)
        cells = anywhere.cells(nodes, k, box_rows(k))

        def ask(network=network, box=box, cells=cells, k=k):
            assert ra.count_cells(network, box, max_cells=10**6).n_cells == len(cells)
            if k < 7:
                cx = ra.enumerate_cells(network, box)
                assert sorted(patterns_of(cx)) == sorted(cells)
                assert abs(cx.volumes.sum() - 2.0**k) <= 1e-9

        answered(name, ask)
    for seed, k in ((5, 1), (6, 2), (7, 2)):
        network = FAMILIES[name](seed, k)
        if n_units(network) > MOST_UNITS:
            continue
        cells = anywhere.cells(to_nodes(network), k)

        def everywhere(network=network, cells=cells, k=k):
            assert ra.count_cells(network, Space(k)).n_cells == len(cells)
            cx = ra.enumerate_cells(network, Space(k))
            found = patterns_of(cx)
            assert sorted(found) == sorted(cells)
            assert cx.is_bounded.tolist() == [anywhere.is_bounded(cells[p], k) for p in found]
            assert np.isfinite(cx.vertices.points).all() and not np.isnan(cx.volumes).any()

        answered(name, everywhere)


def test_slices():
    for name in FAMILIES:
        network = FAMILIES[name](11, 3)
        domain = ra.Slice([0.0, 0.0, 0.25], [[1.0, 0.0, 0.5], [0.0, 1.0, -0.25]], box=ra.Box(-1, 1, dim=2))
        cells = rational.enumerate_cells(to_problem(network, domain))

        def ask(network=network, domain=domain, cells=cells):
            assert ra.count_cells(network, domain).n_cells == len(cells)

        answered(name, ask)


def test_a_balanced_network_has_the_same_cells_and_rows_near_one():
    n_rewritten = 0
    for name in FAMILIES:
        for seed in SEEDS:
            network = FAMILIES[name](seed, 2)
            other = balanced(network)
            n_rewritten += other is not network
            box = ra.Box(-1, 1, dim=2)
            cells, same = (
                {(c.pattern, c.vertices, c.map) for c in rational.enumerate_cells(to_problem(n, box))}
                for n in (network, other)
            )
            assert cells == same
    assert n_rewritten > 20


def test_a_cell_of_four_lines_that_meet_up_to_rounding_has_points_on_its_facets():
    weight = [
        [-0.8499407173512074, 0.32194084810654905],
        [1.7890428597827681, 0.8793391961989334],
        [0.3715928206197059, 1.487693783481416],
        [0.7286655297311473, 2.0812487277245526],
    ]
    bias = [0.2441288842471547, 0.08146293286603071, 0.5159182509569927, 0.692022077251015]
    network = ra.load([(np.array(weight), np.array(bias)), (np.ones((1, 4)), np.zeros(1))])
    x = np.array([0.14240038022035806, -0.38235906892696914])
    cell = ra.cell_at(network, x, ra.Box(-1, 1, dim=2))
    cells = anywhere.cells(to_nodes(network), 2, box_rows(2))
    assert len(cell.facets) == anywhere.n_facets(
        cells[pattern_at(to_nodes(network), list(map(Fraction, x.tolist())))], 2
    )
    assert np.abs(cell.facets.points - x).max() <= 1e-15


@pytest.mark.parametrize("exponent", [-1000, -600, -500, -280, 0, 280, 450])
def test_a_power_of_two_changes_nothing(exponent):
    scale = 2.0**exponent
    layer = np.array([[1.0, 2.0], [-1.0, 1.0], [3.0, -1.0]]) * scale, np.array([0.5, 0.25, -0.5]) * scale
    network = ra.load([layer, (np.ones((1, 3)), np.zeros(1))])
    cell = ra.cell_at(network, [0.1, 0.2])
    assert len(cell.facets) == 3 and cell.exactness.status == "exact" and not cell.is_bounded
    assert np.allclose(cell.facets.distances, [0.447213595499958, 0.2474873734152917, 0.12649110640673517])
    assert ra.count_cells(network, ra.Space(2)).n_cells == 7
    assert ra.count_cells(network, ra.Box(-1, 1, dim=2)).n_cells == 7


def test_what_cannot_be_given_is_refused_in_a_sentence():
    weight = np.array([[2.0**-1070, 0.0], [0.0, 1.0]])
    far = ra.load([(weight, np.array([1.0, 0.25])), (np.ones((1, 2)), np.zeros(1))])
    assert ra.count_cells(far, ra.Space(2)).n_cells == 4
    with pytest.raises(ReluAtlasError, match=r"beyond the numbers of float64.*`Box`"):
        ra.enumerate_cells(far, ra.Space(2))
    with pytest.raises(ReluAtlasError, match=r"beyond the numbers of float64.*`Box`"):
        _ = ra.cell_at(far, [0.0, 0.0]).facets
    assert len(ra.cell_at(far, [0.0, 0.0], ra.Box(-1, 1, dim=2)).facets) == 4
    layers = [(np.full((2, 2), 1e300), np.array([1e300, -1e299])), (np.full((1, 2), 1e300), np.zeros(1))]
    with pytest.raises(ReluAtlasError, match=r"overflow float64 at inputs of about 10.*Multiply"):
        ra.load(layers)
    b = Builder((2,))
    large = b.finish(b.dense(b.relu(b.dense(0, *layers[0])), *layers[1]))
    with pytest.raises(ReluAtlasError, match=r"beyond 1\.8e\+308.*Multiply"):
        large.affine_at(np.array([[0.5, 0.5]]))
    with pytest.raises(ReluAtlasError, match=r"leave the numbers of float64.*Multiply"):
        ra.trace(large, Segment([0.0, 0.0], [1.0, 1.0]))


def test_convolutions_and_windows_are_balanced_with_one_factor_for_a_tensor():
    rng = np.random.default_rng(3)
    b, here = Builder((6,)), 0
    for length in (5, 4):
        places = np.arange(length)[:, None] + np.arange(2)
        weight = rng.normal(size=(1, 1, 2)) * 2.0**-500
        here = b.affine(
            [here], [Convolution(weight, places, length + 1)], rng.normal(size=length) * 1e-150, shape=(length,)
        )
        here = b.relu(here)
    here = b.max_windows(here, [[0, 1], [2, 3]], shape=(2,))
    network = b.finish(b.dense(here, [[1.0, -1.0]], [0.0]))
    other = balanced(network)
    assert other is not network
    largest = [np.abs(node.bias).max() for node in other.nodes[:-1] if isinstance(node, Affine)]
    assert all(1 / 8 < size <= 1 for size in largest)
    X = rng.uniform(-1, 1, (20, 6))
    assert np.array_equal(network.patterns(X), other.patterns(X))
    assert np.allclose(network(X), other(X), rtol=1e-12, atol=0.0) and network(X).any()
