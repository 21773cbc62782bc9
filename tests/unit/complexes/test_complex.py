"""What can be asked of a complex."""

from __future__ import annotations

import pickle
from fractions import Fraction

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError, DomainError
from tests.convert import to_problem
from tests.oracles.rational import enumerate_cells as oracle_cells
from tests.zoo import FAMILIES, domain_for

BOX = ra.Box(-1, 1, dim=2)


@pytest.fixture(scope="module")
def cx():
    return ra.enumerate_cells(FAMILIES["generic"](1), domain_for(1))


@pytest.fixture(scope="module")
def sliced():
    return ra.enumerate_cells(FAMILIES["generic"](11), domain_for(11))


def crossing_lines():
    return ra.load([(np.array([[1.0, 1.0], [1.0, -1.0]]), np.zeros(2)), (np.array([[1.0, 1.0]]), np.zeros(1))])


def test_two_crossing_lines():
    cx = ra.enumerate_cells(crossing_lines(), BOX)
    assert (cx.n_cells, cx.n_linear_regions, cx.n_affine_maps) == (4, 4, 4)
    assert cx.f_vector == (5, 8, 4) and cx.euler_characteristic == 1
    assert np.allclose(cx.volumes, 1.0) and cx.is_complete
    assert cx.dual_graph().n_edges == 4


def test_maps_in_input_space_are_those_of_the_network(sliced):
    points = sliced.vertices.points
    for cell in range(0, sliced.n_cells, 3):
        maps = sliced.input_affine(cell)
        run = points[sliced.vertices.offsets[cell] : sliced.vertices.offsets[cell + 1]]
        x = sliced.domain.embed(run.mean(axis=0))
        assert np.allclose(maps(x[None])[0], sliced.network(x), atol=1e-12)
    with pytest.raises(ArgumentError, match="no cell"):
        sliced.input_affine(sliced.n_cells)


def test_cell_at_finds_the_cell_of_a_point(sliced):
    offsets = sliced.vertices.offsets
    for cell in range(sliced.n_cells):
        u = sliced.vertices.points[offsets[cell] : offsets[cell + 1]].mean(axis=0)
        if sliced.volumes[cell] > 1e-9:
            assert sliced.cell_at(u) == sliced.cell_at(sliced.domain.embed(u)) == cell
    assert sliced.cell_at(sliced.domain.box.low) >= 0
    with pytest.raises(DomainError, match="outside"):
        sliced.cell_at(sliced.domain.box.high + 1)
    with pytest.raises(DomainError, match="away from the slice"):
        sliced.cell_at(sliced.domain.origin + np.arange(1.0, 1 + sliced.domain.n_inputs) ** 2)
    with pytest.raises(DimensionError, match="7 numbers"):
        sliced.cell_at(np.zeros(7))


def test_dual_graph_joins_neighbors(cx):
    graph = cx.dual_graph()
    pairs = {(i, int(j)) for i in range(cx.n_cells) for j in graph.indices[graph.indptr[i] : graph.indptr[i + 1]]}
    assert pairs == {(j, i) for i, j in pairs} and len(pairs) == graph.indices.size
    assert all((cx.patterns[i] != cx.patterns[j]).any() for i, j in pairs)


def test_bent_hyperplanes_are_zero_sets(cx):
    net = cx.network
    from reluatlas.network.values.float64 import values

    for layer, cut in enumerate(net.cuts):
        for unit in range(net.nodes[cut].shape[0]):
            bent = cx.bent_hyperplane(layer, unit)
            z = values(net, cx.domain.embed(bent.points.reshape(-1, 2)))[net.nodes[cut].input]
            assert np.allclose(z[:, unit], 0, atol=1e-9)
    with pytest.raises(ArgumentError, match="no layer"):
        cx.bent_hyperplane(99, 0)
    with pytest.raises(ArgumentError, match="no unit"):
        cx.bent_hyperplane(0, 99)


@pytest.mark.parametrize("family", ["generic", "ternary", "biasless", "residual", "leaky_abs_clip", "max_identical"])
def test_decision_boundary_against_the_oracle(family):
    """The boundary inside each of the oracle's cells, cut with fractions, has the same segments."""
    n = 0
    for seed in range(8):
        net, domain = FAMILIES[family](seed), domain_for(seed)
        cx = ra.enumerate_cells(net, domain)
        boundary = cx.decision_boundary()
        at = {tuple(p): i for i, p in enumerate(cx.patterns.tolist())}
        full, found = set(), []
        for cell in oracle_cells(to_problem(net, domain)):
            rows = cell.map if len(cell.map) > 1 else (cell.map[0], (Fraction(0),) * 3)
            kind, pieces = oracle_boundary(cell.vertices, rows)
            if kind == "full":
                full.add(at[cell.pattern])
            found += [(at[cell.pattern], piece) for piece in pieces]
        assert full == set(boundary.full_cells.tolist())
        # a segment inside a cell is there once; those on facets once for the two cells
        inside = [(c, p) for c, p in found if p[2]]
        on_facets = {frozenset((p[0], p[1])) for c, p in found if not p[2]}
        assert len(boundary) == len(inside) + len(on_facets)
        lengths = sorted(float(np.hypot(*(np.array(p[0], float) - np.array(p[1], float)))) for _, p in inside)
        lengths += [float(np.hypot(*(np.array(a, float) - np.array(b, float)))) for a, b in map(tuple, on_facets)]
        given = np.hypot(*(boundary.segments[:, 0] - boundary.segments[:, 1]).T)
        assert np.allclose(np.sort(given), np.sort(lengths), atol=1e-9)
        n += len(boundary)
    assert n > 5


def oracle_boundary(polygon, rows):
    """Return ("full" or "", [(end, end, is inside)]) of where the top two rows tie on a polygon."""
    middle = [sum(p[k] for p in polygon) / len(polygon) for k in (0, 1)]
    values = [a * middle[0] + b * middle[1] + c for a, b, c in rows]
    zero_output = len(rows) == 2 and not any(rows[1])
    if zero_output and not any(rows[0]):
        return "full", []
    top = rows[values.index(max(values))]
    if not zero_output and sum(row == top for row in rows) > 1:
        return "full", []
    distinct = list(dict.fromkeys(rows))
    pieces = []
    for i, f in enumerate(distinct):
        for g in distinct[:i]:
            gap = [p - q for p, q in zip(f, g, strict=True)]
            heights = [gap[0] * x + gap[1] * y + gap[2] for x, y in polygon]
            ends = []
            for j, (p, h) in enumerate(zip(polygon, heights, strict=True)):
                q, k = polygon[j - 1], heights[j - 1]
                if h == 0:
                    ends.append(p)
                elif h * k < 0:
                    t = k / (k - h)
                    ends.append((q[0] + t * (p[0] - q[0]), q[1] + t * (p[1] - q[1])))
            if len(ends) != 2:
                continue
            low, high = Fraction(0), Fraction(1)
            for other in distinct:
                lead = [p - q for p, q in zip(f, other, strict=True)]
                at = [lead[0] * e[0] + lead[1] * e[1] + lead[2] for e in ends]
                if (at[0] < 0 and at[1] < 0) or (at[0] <= 0 and at[1] <= 0 and min(at) < 0):
                    low, high = Fraction(1), Fraction(0)
                elif at[0] < 0:
                    low = max(low, at[0] / (at[0] - at[1]))
                elif at[1] < 0:
                    high = min(high, at[0] / (at[0] - at[1]))
            if low < high:
                a, b = ends
                point = [tuple(a[k] + t * (b[k] - a[k]) for k in (0, 1)) for t in (low, high)]
                inside = any(h > 0 for h in heights) and any(h < 0 for h in heights)
                on_side = not inside
                pieces.append((point[0], point[1], not on_side))
    return "", pieces


def test_a_dead_output_has_a_full_dimensional_boundary():
    net = ra.load([(np.array([[1.0, 0.0]]), np.zeros(1)), (np.array([[1.0]]), np.zeros(1))])
    cx = ra.enumerate_cells(net, BOX)
    boundary = cx.decision_boundary()
    assert boundary.full_cells.tolist() == [int(np.flatnonzero(cx.patterns[:, 0] == 0)[0])]
    assert len(boundary) == 1 and np.allclose(boundary.segments[0, :, 0], 0)


def test_regions_join_cells_of_one_map():
    # the second neuron is read by nothing
    net = ra.load([(np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros(2)), (np.array([[1.0, 0.0]]), np.zeros(1))])
    cx = ra.enumerate_cells(net, BOX)
    assert (cx.n_cells, cx.n_linear_regions, cx.n_affine_maps) == (4, 2, 2)
    # |x| - 1 twice: the same two maps in four regions
    net = ra.load(
        [
            (np.array([[1.0, 0.0], [-1.0, 0.0]]), np.zeros(2)),
            (np.array([[1.0, 1.0], [-1.0, -1.0]]), np.array([-0.5, 0.5])),
            (np.array([[1.0, 1.0]]), np.zeros(1)),
        ]
    )
    cx = ra.enumerate_cells(net, BOX)
    assert (cx.n_linear_regions, cx.n_affine_maps) == (4, 4) or cx.n_linear_regions >= cx.n_affine_maps


def test_table_has_one_entry_per_cell(cx):
    table = cx.to_table()
    assert {len(column) for column in table.values()} == {cx.n_cells}
    assert np.isclose(table["volume"].sum(), cx.domain.volume)
    assert table["n_neighbors"].sum() == 2 * cx.dual_graph().n_edges


def test_notebooks_see_a_summary(cx):
    html = cx._repr_html_()
    assert f"{cx.n_cells:,}" in html and "<svg" in html and "exact" in html
    assert "PolyhedralComplex" in repr(cx)


def test_a_complex_is_not_pickled(cx):
    with pytest.raises(TypeError, match="save"):
        pickle.dumps(cx)
