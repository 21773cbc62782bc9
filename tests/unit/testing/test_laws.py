"""`assert_complex` takes every right complex, in any dimension and on any domain, and none that is wrong."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.testing import FAMILIES, assert_complex, broken_complexes
from reluatlas.testing.require import require
from tests.assembled import complex_from_oracle

SOLID = {
    "moved vertex", "corner moved in all its cells", "vertex off its facet", "exchanged volumes", "lost neighbors",
    "neighbor of itself", "swapped neighbors", "wrong owner", "missing cell", "pattern twice", "changed pattern",
    "map of the neighbor", "shifted map", "merged regions", "merged maps", "wrong f-vector",
}  # fmt: skip


def random_network(k: int, widths: tuple[int, ...], seed: int, *, biasless: bool = False) -> ra.Network:
    rng, layers, n = np.random.default_rng([seed, k]), [], k
    for m in (*widths, 2):
        layers.append((rng.uniform(-1, 1, (m, n)), rng.uniform(-1, 1, m) * (not biasless)))
        n = m
    return ra.load(layers)


def solids() -> dict[str, tuple[ra.Network, object]]:
    frame = np.random.default_rng(1).uniform(-1, 1, (4, 5))
    return {
        "segment": (random_network(1, (5, 4), 0), ra.Box(-1, 1, dim=1)),
        "line": (random_network(1, (5, 4), 1), ra.Space(1)),
        "plane": (random_network(2, (5, 4), 2), ra.Space(2)),
        "cone in the plane": (random_network(2, (5, 4), 3, biasless=True), ra.Space(2)),
        "cube": (random_network(3, (5, 4), 4), ra.Box(-1, 1, dim=3)),
        "space": (random_network(3, (4, 3), 5), ra.Space(3)),
        "slice": (random_network(5, (6, 4), 6), ra.Slice(frame[0], frame[1:], box=ra.Box(-2, 1, dim=3))),
        "four dimensions": (random_network(4, (4, 3), 7), ra.Box(-1, 1, dim=4)),
        "ternary": (FAMILIES["ternary"](0), ra.Space(2)),
    }


@pytest.mark.parametrize("name", solids())
def test_broken_complexes_beyond_the_plane_are_rejected(name):
    net, domain = solids()[name]
    cx = ra.enumerate_cells(net, domain, jobs=1)
    assert_complex(cx)
    names = set()
    for what, bad in broken_complexes(cx):
        names.add(what)
        with pytest.raises(AssertionError):
            assert_complex(bad)
            pytest.fail(f"`assert_complex` accepts a complex with: {what}")
    assert names <= SOLID and len(names) >= 13, SOLID - names
    if name in ("cube", "slice", "four dimensions"):
        assert names == SOLID
    assert_complex(cx)


def test_part_of_a_complex_obeys_the_laws():
    for k, domain in ((2, ra.Box(-1, 1, dim=2)), (3, ra.Box(-1, 1, dim=3)), (3, ra.Space(3))):
        cx = ra.enumerate_cells(random_network(k, (6, 4), 8), domain, max_cells=6, jobs=1)
        assert not cx.is_complete and cx.n_cells == 6
        assert_complex(cx)


def test_cells_without_vertices_obey_the_laws_that_are_left():
    net = random_network(7, (3, 2), 9)
    cx = ra.enumerate_cells(net, ra.Box(-1, 1, dim=7), max_cells=12)
    assert_complex(cx)
    wrong = SimpleNamespace(**{name: getattr(cx, name) for name in (
        "network", "domain", "n_cells", "n_outputs", "is_complete", "facets", "vertices", "interior_points",
        "linear_regions", "affine_map_ids", "n_linear_regions", "n_affine_maps", "patterns",
    )})  # fmt: skip
    wrong.affine = ra.AffineMaps(cx.affine.A[::-1].copy(), cx.affine.b[::-1].copy())
    with pytest.raises(AssertionError, match="not the composed one"):
        assert_complex(wrong)


def test_units_that_are_zero_everywhere_are_off_and_equal_candidates_are_the_first():
    """No inequality tells; evaluation does: at a knot it takes the piece below, of equals the first."""
    from reluatlas.network.build import Builder

    box = ra.Box(-1, 1, dim=2)
    third = [[1 / 3, 0.1]]
    b = Builder((2,))
    # 3 * (x / 3 + ...) - ... is zero in real numbers, and in float64 nearly so
    z = b.dense(0, [[0.0, 0.0], *third, [3 * third[0][0], 3 * third[0][1]]], [0.0, 0.0, 0.25])
    h = b.relu(z)
    net = b.finish(b.dense(h, [[1.0, 1.0, 1.0]]))
    cx = complex_from_oracle(net, box)
    assert_complex(cx)
    assert not cx.patterns[:, 0].any()
    cx.patterns[:, 0] = 1
    with pytest.raises(AssertionError, match=r"unit 0 of node 2 is at its knot on the whole cell"):
        assert_complex(cx)

    b = Builder((2,))
    z = b.dense(0, [[1.0, 0.5], [0.0, 1.0]])
    net = b.finish(b.dense(b.max_windows(z, [[0, 0, 1]], shape=(1,)), [[1.0]]))
    cx = complex_from_oracle(net, box)
    assert_complex(cx)
    assert set(cx.patterns[:, 0].tolist()) == {0, 2}
    cx.patterns[cx.patterns == 0] = 1
    with pytest.raises(AssertionError, match="window 0 of node 2 has an earlier candidate"):
        assert_complex(cx)


def test_the_first_cell_is_named_and_the_others_counted():
    require([True, True], [0, 1], "fine")
    with pytest.raises(AssertionError, match=r"^cell 3 \(and 1 other cell\): odd$"):
        require([[True, False], [False, False]], [[3], [5]], "odd")


def test_nothing_of_a_test_framework_is_imported():
    code = "import sys, reluatlas.testing; print([m for m in sys.modules if m.split('.')[0] in ('pytest', 'tests')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_checks_are_no_assert_statements():
    """`python -O` leaves them in place."""
    code = """
import numpy as np, reluatlas.testing.require as r
try:
    r.require(np.zeros(1, bool), [0], "x")
except AssertionError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-O", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "cell 0: x"
