"""The checks accept the oracle's own complex, and reject every one of its broken copies."""

from __future__ import annotations

import numpy as np
import pytest

from reluatlas.domain import Box
from reluatlas.network.build import Builder
from reluatlas.testing import FAMILIES, assert_complex, broken_complexes, domain_for
from tests.assembled import complex_from_oracle
from tests.compare import assert_matches_oracle


@pytest.mark.parametrize("family", FAMILIES)
def test_right_complexes_pass(family):
    for seed in range(8):
        cx = complex_from_oracle(FAMILIES[family](seed), domain_for(seed))
        assert_matches_oracle(cx)
        assert_complex(cx)


@pytest.mark.parametrize("check", [assert_matches_oracle, assert_complex])
@pytest.mark.parametrize("family", ["generic", "ternary", "biasless", "max_identical", "leaky_abs_clip", "residual"])
def test_broken_complexes_are_rejected(family, check):
    names = set()
    made = ((seed, complex_from_oracle(FAMILIES[family](seed), domain_for(seed))) for seed in range(20))
    for seed, cx in list((seed, cx) for seed, cx in made if cx.n_affine_maps > 4)[:3]:
        check(cx)
        for name, bad in broken_complexes(cx):
            names.add(name)
            with pytest.raises(AssertionError):
                check(bad)
                pytest.fail(f"{check.__name__} accepts a complex with: {name} (seed {seed})")
    assert len(names) == 16


def test_broken_copies_leave_the_complex_as_it_was():
    cx = complex_from_oracle(FAMILIES["generic"](1), domain_for(1))
    assert len(list(broken_complexes(cx))) == 16
    assert_matches_oracle(cx)


def test_a_complex_without_a_bend_cannot_be_broken():
    b = Builder((2,))
    flat = b.finish(b.dense(b.relu(b.dense(0, [[1.0, 0.0]], [5.0])), [[1.0]]))
    with pytest.raises(ValueError, match="different maps"):
        next(broken_complexes(complex_from_oracle(flat, Box(-1, 1, dim=2))))


def test_a_lost_sliver_is_noticed():
    b = Builder((2,))
    net = b.finish(b.dense(b.relu(b.dense(0, [[1.0, 0.5], [1.0, 0.5]], [0.0, 1e-12])), [[1.0, 1.0]]))
    box = Box(-1, 1, dim=2)
    assert complex_from_oracle(net, box).n_cells == 3
    b = Builder((2,))
    coarse = b.finish(b.dense(b.relu(b.dense(0, [[1.0, 0.5], [1.0, 0.5]], [0.0, 0.0])), [[1.0, 1.0]]))
    cx = complex_from_oracle(coarse, box)
    cx.network = net
    with pytest.raises(AssertionError, match="lost 1 cells"):
        assert_matches_oracle(cx)


def test_vertices_may_be_off_by_their_radius():
    cx = complex_from_oracle(FAMILIES["generic"](1), domain_for(1))
    cx.vertices.points = cx.vertices.points + np.array([3e-8, 0.0])
    with pytest.raises(AssertionError, match="expected"):
        assert_matches_oracle(cx)
    cx.vertices.radii = cx.vertices.radii + 4e-8
    assert_matches_oracle(cx)


def test_an_incomplete_complex_obeys_the_laws_and_is_no_answer():
    cx = complex_from_oracle(FAMILIES["generic"](1), domain_for(1))
    part = next(bad for name, bad in broken_complexes(cx) if name == "missing cell")
    with pytest.raises(AssertionError):
        assert_complex(part)
    open_facets = (part.facets.neighbor == -1) & (part.facets.unit >= 0)
    lost = next(i for i, row in enumerate(cx.patterns.tolist()) if row not in part.patterns.tolist())
    levels = cx.facets.level[np.repeat(np.arange(cx.n_cells), np.diff(cx.facets.offsets)) != lost]
    part.facets.neighbor[open_facets], part.facets.level[open_facets] = -2, levels[open_facets]
    part.is_complete, part.stopped_by = False, "max_cells"
    for name, count in (("linear_regions", "n_linear_regions"), ("affine_map_ids", "n_affine_maps")):
        names, labels = np.unique(getattr(part, name), return_inverse=True)
        setattr(part, name, labels)
        setattr(part, count, names.size)
    assert_complex(part)
    with pytest.raises(AssertionError, match="stopped by"):
        assert_matches_oracle(part)
