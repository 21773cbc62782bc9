"""Cells of all of R^n: budgets, neighbors."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.answers.limits import Limits
from reluatlas.complexes.facet_complex import facet_complex
from reluatlas.domain import Space
from reluatlas.subdivision.constraints.enumerate import UNEXPLORED, count_everywhere
from reluatlas.testing import FAMILIES


def _small(k=3, widths=(4, 3), seed=0):
    rng, layers, n = np.random.default_rng(seed), [], k
    for m in (*widths, 1):
        layers.append((rng.normal(size=(m, n)), rng.normal(size=m)))
        n = m
    return ra.load(layers)


@pytest.mark.parametrize("family", ["generic", "duplicate", "opposite", "biasless", "residual", "ternary", "concat"])
def test_neighbors_are_mutual_and_agree_with_the_plane(family):
    for seed in (0, 1, 4):
        net = FAMILIES[family](seed)
        box = ra.Box(-1, 1, dim=2)
        found, plane = facet_complex(net, box, Limits()), ra.enumerate_cells(net, box)
        edges = {
            frozenset((found.patterns[i].tobytes(), found.patterns[j].tobytes()))
            for i in range(found.n_cells)
            for j in found.facets.neighbor[found.facets.offsets[i] : found.facets.offsets[i + 1]].tolist()
            if j >= 0
        }
        patterns, graph = plane.patterns, plane.dual_graph()
        expected = {
            frozenset((patterns[i].tobytes(), patterns[j].tobytes()))
            for i in range(plane.n_cells)
            for j in graph.indices[graph.indptr[i] : graph.indptr[i + 1]].tolist()
        }
        assert edges == expected
        pairs = [
            (i, int(j))
            for i in range(found.n_cells)
            for j in found.facets.neighbor[found.facets.offsets[i] : found.facets.offsets[i + 1]]
            if j >= 0
        ]
        assert len(set(pairs)) == len(pairs) and {(j, i) for i, j in pairs} == set(pairs)
        assert found.is_bounded.all()


def test_alternating_numbers_of_faces_on_a_line():
    for seed in range(8):
        # on a line every inner facet is a vertex: V - E = -1
        line = facet_complex(_small(1, (5, 4), seed), Space(1), Limits())
        assert np.sum(line.facets.neighbor >= 0) // 2 - line.n_cells == -1
        assert np.sum(~line.is_bounded) == 2


def test_budgets_mark_what_is_incomplete():
    net = _small()
    whole = facet_complex(net, Space(3), Limits())
    assert whole.is_complete and whole.n_cells == count_everywhere(net, Space(3), Limits()).n_cells
    part = facet_complex(net, Space(3), Limits(max_cells=5))
    assert part.stopped_by == "max_cells" and part.n_cells == 5 and UNEXPLORED in part.facets.neighbor
    assert np.array_equal(part.patterns, whole.patterns[:5])
    assert count_everywhere(net, Space(3), Limits(max_seconds=1e-9)).stopped_by == "max_seconds"
    exactly = facet_complex(net, Space(3), Limits(max_cells=whole.n_cells))
    assert exactly.is_complete
