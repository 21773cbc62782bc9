"""A search from several points takes turns, nearest facet first, and tells what lies around each start."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.report.start_facts import around_start, in_words

RNG = np.random.default_rng(3)
SIZES = (6, 12, 9, 4)
NET = ra.load([(RNG.normal(size=(m, n)), RNG.normal(size=m)) for n, m in pairwise(SIZES)])
X = RNG.normal(size=(3, 6)) * 2


def test_starts_take_turns_and_the_nearest_facet_comes_first():
    starts = [ra.cell_at(NET, x) for x in X]
    assert len({c.pattern.tobytes() for c in starts}) == 3
    behind = [
        [cell.neighbor(int(f)).pattern.tobytes() for f in np.argsort(cell.facets.distances, kind="stable")]
        for cell in starts
    ]
    found = ra.explore(NET, X, max_cells=15)
    assert found.stopped_by == "max_cells" and found.starts.tolist() == [0, 1, 2]
    met, turn = [c.pattern.tobytes() for c in starts], 0
    rows = [iter(row) for row in behind]
    while len(met) < 15:  # by hand: each in turn takes the nearest that nobody took
        met.append(next(p for p in rows[turn % 3] if p not in met))
        turn += 1
    assert [p.tobytes() for p in found.patterns] == met


@pytest.mark.parametrize("cuts", [(4,), (5, 11), (3, 7, 16)])
def test_stops_change_nothing(tmp_path, cuts):
    whole = ra.explore(NET, X, max_cells=60)
    for n in cuts:
        ra.explore(NET, X, max_cells=n, checkpoint=tmp_path / "run")
    again = ra.explore(NET, X, max_cells=60, checkpoint=tmp_path / "run")
    assert np.array_equal(whole.patterns, again.patterns) and np.array_equal(whole.is_expanded, again.is_expanded)
    assert np.array_equal(whole.edges, again.edges) and np.array_equal(whole.depth, again.depth)


def test_all_cells_are_found_in_the_end():
    small = ra.load([(np.eye(3), np.zeros(3)), (np.ones((1, 3)), np.zeros(1))])
    found = ra.explore(small, np.array([[1.0, 2, 3], [-1, -2, -3], [1, 2, 4]]), max_cells=100)
    assert found.is_complete and found.n_cells == 8 and len(found.edges) == 12 and found.starts.tolist() == [0, 1, 0]


def test_what_is_told_of_a_start_is_true():
    found = ra.explore(NET, X, max_cells=40)
    for i, x in enumerate(X):
        told, cell = around_start(found, x, i, f"x[{i}]"), ra.cell_at(NET, x)
        known = {p.tobytes() for p in found.patterns}
        near = {n.pattern.tobytes(): n for n in cell.neighbors() if n.pattern.tobytes() in known}
        assert told["n_neighbors"] <= len(near) and told["n_of_other_class"] <= told["n_neighbors"]
        neighbor = near[found.patterns[told["nearest"]["cell"]].tobytes()]
        assert np.isclose(told["nearest"]["distance"], cell.facets.distances[neighbor.facet])
        A, B = cell.affine.A, neighbor.cell().affine.A
        assert np.isclose(told["nearest"]["map_change"], np.linalg.norm(B - A) / np.linalg.norm(A))
        line = in_words(told, NET)
        assert line.startswith(f"x[{i}]: {told['n_neighbors']} neighbors known") and line.endswith(" %.")
        assert f"behind {told['nearest']['unit']} at" in line
