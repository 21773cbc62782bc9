"""From points to neighbors: all cells of a box, stops and going on, lines, files."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.domain import Space
from reluatlas.testing import FAMILIES

POINT = [0.0123, -0.0457]


def _net(k=20, widths=(12, 8), seed=0):
    rng, layers, n = np.random.default_rng(seed), [], k
    for m in (*widths, 3):
        layers.append((rng.normal(size=(m, n)) / np.sqrt(n), rng.normal(size=m) * 0.3))
        n = m
    return ra.load(layers)


def _edges(patterns, pairs):
    return {frozenset((patterns[i].tobytes(), patterns[j].tobytes())) for i, j in pairs}


@pytest.mark.parametrize("family", ["generic", "duplicate", "opposite", "residual"])
def test_a_search_of_a_box_finds_all_cells_and_the_whole_graph(family):
    net, box = FAMILIES[family](0), ra.Box(-1, 1, dim=2)
    found, cx = ra.explore(net, POINT, domain=box, max_cells=10_000), ra.enumerate_cells(net, box)
    assert found.is_complete and found.n_cells == cx.n_cells and found.is_expanded.all()
    graph = cx.dual_graph()
    pairs = [(i, j) for i in range(cx.n_cells) for j in graph.indices[graph.indptr[i] : graph.indptr[i + 1]]]
    assert _edges(found.patterns, found.edges) == _edges(cx.patterns.astype(found.patterns.dtype), pairs)
    assert found.graph.n_edges == len(found.edges) == graph.n_edges
    exactly = ra.explore(net, POINT, domain=box, max_cells=cx.n_cells)
    assert exactly.is_complete


def test_a_search_goes_on_where_it_stopped(tmp_path):
    net = _net()
    X = np.random.default_rng(1).normal(size=(2, 20))
    whole = ra.explore(net, X, max_cells=60)
    assert whole.stopped_by == "max_cells" and whole.n_cells == 60
    file = tmp_path / "search.sqlite"
    for most in (7, 23, 60):
        part = ra.explore(net, X, max_cells=most, checkpoint=file)
        assert part.n_cells == most
    assert np.array_equal(part.patterns, whole.patterns) and np.array_equal(part.edges, whole.edges)
    assert np.array_equal(part.points, whole.points) and np.array_equal(part.is_expanded, whole.is_expanded)


def test_a_line_leads_from_cell_to_cell_to_the_target():
    net = _net(seed=3)
    a, b = np.random.default_rng(2).normal(size=(2, 20))
    way = ra.explore(net, a, target=b, max_cells=1000)
    assert way.is_complete
    assert np.array_equal(way.patterns[0], net.patterns(a)) and np.array_equal(way.patterns[-1], net.patterns(b))
    assert len(way.edges) == way.n_cells - 1 and way.path(0, -1) == list(range(way.n_cells))
    # dense sampling of the segment meets no other cell
    t = np.linspace(0, 1, 20_001)[:, None]
    met = {p.tobytes() for p in net.patterns(a + t * (b - a)).astype(way.patterns.dtype)}
    assert met <= {p.tobytes() for p in way.patterns}
    assert way.n_cells - 1 >= way.hamming(0, -1) > 0
    cut = ra.explore(net, a, target=b, max_cells=3)
    assert cut.stopped_by == "max_cells" and np.array_equal(cut.patterns, way.patterns[:3])


def test_bad_input_is_refused():
    net = _net()
    with pytest.raises(ra.errors.ArgumentError, match="max_cells"):
        ra.explore(net, np.ones(20), max_cells=0)
    with pytest.raises(ra.errors.ArgumentError, match="no points"):
        ra.explore(net, np.ones((0, 20)), max_cells=5)
    with pytest.raises(ra.errors.ArgumentError, match="target"):
        ra.explore(net, np.ones((2, 20)), target=np.ones(20), max_cells=5)
    assert ra.explore(net, np.ones(20), max_cells=1, domain=Space(20)).n_cells == 1
