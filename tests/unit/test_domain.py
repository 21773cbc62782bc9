"""How far and how narrow domains may be: up to the bounds answers are exact, beyond them is one sentence."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import DomainError, NonFiniteError
from reluatlas.testing import FAMILIES
from tests.convert import to_problem
from tests.oracles.rational import area, enumerate_cells

FAR, NARROW = 2.0**500, 2.0**-500


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ra.Box(-1e308, 1e308, dim=2), "`Box` has a coordinate of -1e+308; expected at most 2**500"),
        (lambda: ra.Box([0, 0], [1, np.nextafter(FAR, np.inf)]), "`Box` has a coordinate of 3.27339e+150"),
        (lambda: ra.Box(5e-324, 1e-323, dim=2), "the width of `Box` in coordinate 0 is 4.94066e-324"),
        (lambda: ra.Box([0, 0], [1, NARROW / 2]), "the width of `Box` in coordinate 1 is 1.5"),
        (lambda: ra.Box(-1e100, 1e100, dim=4), "`Box` has a volume of about 2**1333; expected 2**-1000 to 2**1000"),
        (lambda: ra.Box(-1e-100, 1e-100, dim=6), "`Box` has a volume of about 2**-1987"),
        (lambda: ra.Slice(np.zeros(3), np.eye(2, 3) * 1e160, box=ra.Box(-1, 1, dim=2)), "`basis` has a coordinate"),
        (lambda: ra.Slice(np.full(3, 1e308), np.eye(2, 3), box=ra.Box(-1, 1, dim=2)), "`origin` has a coordinate"),
        (lambda: ra.Slice(np.zeros(3), np.eye(2, 3) * 1e100, box=ra.Box(-1, 1e80, dim=2)), "the slice has a coordin"),
        (lambda: ra.Slice(np.zeros(2), [[1, 0], [0, 5e-324]], box=ra.Box(-1, 1, dim=2)), "number of row 1 of `basis`"),
        (
            lambda: ra.Slice(np.zeros(4), np.eye(4) * 1e-60, box=ra.Box(-1e-30, 1e-30, dim=4)),
            "the slice has a volume of about 2**-1192",
        ),
        (lambda: ra.Slice.through(np.eye(3) * 1e308), "a point of `points` has a coordinate of 1e+308"),
        (lambda: ra.Slice.through(np.eye(3) * 5e-324), "the first of `points` and one behind it is 4.94066e-324"),
        (lambda: ra.Slice.through(np.eye(3), margin=1e308), "`Box` has a coordinate of -1.41421e+308"),
        (lambda: ra.Slice.through(np.eye(3) * 9, margin=1e308), "holds NaN or an infinite number"),
        (lambda: ra.Segment([0, 1e308], [1e308, 0]), "an end of the segment has a coordinate of 1e+308"),
        (lambda: ra.Segment([0, 5e-324], [5e-324, 0]), "the largest difference of `a` and `b` is 4.94066e-324"),
    ],
)  # fmt: skip
def test_domains_that_leave_float64_are_refused(make, says):
    with pytest.raises(DomainError) as caught:
        make()
    assert says in str(caught.value) and str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_volumes_of_domains_far_from_one():
    assert ra.Box(-1e100, 1e100, dim=8).volume == np.inf and ra.Box(-1e-100, 1e-100, dim=8).volume == 0.0
    assert ra.Box(0, 2.0**300, dim=3).volume == 2.0**900
    rows = np.eye(3)[[1, 2]] * np.array([[2.0**400], [2.0**-300]])
    plane = ra.Slice(np.zeros(3), rows, box=ra.Box([0, 0], [2.0**-350, 2.0**280]))
    assert plane.unit_volume == 2.0**100 and plane.volume == 2.0**30
    # two rows of length 5 at an angle with sine 24/25, then the same far from 1
    skew = np.array([[3.0, 4.0], [4.0, 3.0]])
    for scale in (1.0, 2.0**200, 2.0**-200):
        assert ra.Slice(np.zeros(2), skew * scale, box=ra.Box(0, 1, dim=2)).unit_volume == pytest.approx(
            7 * scale**2, rel=1e-14
        )


@pytest.mark.parametrize("exponent", [-499, -300, 300, 498])
@pytest.mark.parametrize("family", ["generic", "biasless", "opposite"])
def test_cells_of_boxes_at_the_bounds_equal_the_oracle(family, exponent):
    net = FAMILIES[family](0)
    side = 2.0**exponent
    box = ra.Box([-side, -side / 2], [side * 0.75, side])
    cx = ra.enumerate_cells(net, box)
    cells = enumerate_cells(to_problem(net, box))
    assert cx.exactness.status == "exact"
    assert sorted(map(tuple, cx.patterns.tolist())) == sorted(tuple(c.pattern) for c in cells)
    exactly = {tuple(c.pattern): float(area(c.vertices)) for c in cells}
    for pattern, volume in zip(cx.patterns.tolist(), cx.volumes, strict=True):
        # as good as vertices are: to the rounding of the domain
        assert volume == pytest.approx(exactly[tuple(pattern)], rel=1e-6, abs=1e-12 * box.volume)
    assert cx.volumes.sum() == pytest.approx(box.volume, rel=1e-9)


@pytest.mark.parametrize("value", [1e308, -(2.0**501)])
def test_points_that_are_too_far_are_refused(value):
    net = FAMILIES["generic"](0)
    for call in (
        lambda: ra.cell_at(net, [value, 0.5]),
        lambda: list(ra.cells_at(net, [value, 0.5])),
        lambda: ra.explore(net, [value, 0.5], max_cells=5),
        lambda: ra.explore(net, [0.1, 0.2], target=[0.5, value], max_cells=5),
        lambda: ra.trace(net, [[0.1, 0.2], [value, 0.5]]),
    ):
        with pytest.raises(DomainError, match=r"has a coordinate of .*; expected at most 2\*\*500"):
            call()


@pytest.mark.parametrize("point", [[2.0**500, -(2.0**499)], [5e-324, 1e-310], [2.0**500, 5e-324]])
def test_points_at_the_bounds_have_their_cell(point):
    net = FAMILIES["generic"](0)
    cell = ra.cell_at(net, point)
    assert np.array_equal(cell.pattern, net.patterns(np.array(point)))
    assert len(cell.facets) > 0 and cell.exactness.status == "exact"
    assert len(ra.explore(net, point, max_cells=6).patterns) == 6


def test_values_beyond_float64_are_no_outputs():
    net = ra.load([([[1e10, 1.0]], [0.0])])
    assert net([[1e290, 0]]) == 1e300
    with pytest.raises(NonFiniteError, match=r"`X` has a point \(number 1\) at which the network's values leave"):
        net([[0, 1], [1e300, 0]])
    # patterns and maps are exact at any finite point
    deep = FAMILIES["generic"](0)
    far = np.array([[1.7e308, -1.7e308]])
    assert np.array_equal(deep.patterns(far), deep.patterns(far / 2**100))
