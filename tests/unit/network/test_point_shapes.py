"""Points in arrays of any shape that people have: what is taken, what is refused, and what the refusal says."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError, DomainError
from reluatlas.network.build import Builder
from reluatlas.network.point_shapes import rows_of, turned

COLOR = (3, 4, 5)


@pytest.fixture
def color():
    """Return a network whose outputs are its inputs' entries, flat, after a ReLU that keeps them."""
    b = Builder(COLOR)
    return b.finish(b.relu(b.dense(0, np.eye(60))))


@pytest.mark.parametrize(
    ("given", "shape", "n", "single"),
    [
        ((28, 28), (1, 28, 28), 1, True),
        ((28, 28, 1), (1, 28, 28), 1, True),
        ((1, 1, 28, 28), (28, 28), 1, False),
        ((5, 28, 28, 1), (1, 28, 28), 5, False),
        ((5, 784), (1, 28, 28), 5, False),
        ((784, 1), (1, 28, 28), 1, True),
        ((784, 784), (784, 1), 784, False),
        ((7, 28, 28), (784,), 7, False),
        ((28, 28), (784, 1), 1, True),
        ((5,), (1, 1, 5), 1, True),
        ((2, 5), (1, 1, 5), 2, False),
        ((6,), (1,), 6, False),
        ((), (1,), 1, True),
        ((3, 3), (3,), 3, False),
        ((3, 1), (3,), 1, True),
        ((0, 28, 28), (1, 28, 28), 0, False),
    ],
)
def test_axes_of_length_1_and_flat_rows_do_not_matter(given, shape, n, single):
    array = np.arange(np.prod(given, dtype=int)).reshape(given)
    rows, alone = rows_of(array, shape)
    assert rows.shape == (n, np.prod(shape)) and alone is single
    assert np.array_equal(rows.ravel(), array.ravel()), "the entries stay in their order"


def test_every_other_order_of_the_axes_is_refused_by_every_question(color):
    X = np.random.default_rng(0).uniform(0.5, 1.5, (3, *COLOR))
    for axes in list(permutations((1, 2, 3)))[1:]:
        wrong = np.transpose(X, (0, *axes))
        doors = {
            "call": lambda w=wrong: color(w),
            "one": lambda w=wrong: color(w[0]),
            "patterns": lambda w=wrong: color.patterns(w),
            "affine_at": lambda w=wrong: color.affine_at(w),
            "cell_at": lambda w=wrong: ra.cell_at(color, w[0]),
            "cells_at": lambda w=wrong: next(ra.cells_at(color, w[0])),
            "explore": lambda w=wrong: ra.explore(color, w, max_cells=2),
            "polyline": lambda w=wrong: ra.trace(color, w),
            "segment": lambda w=wrong: ra.trace(color, ra.Segment(w[0], w[1])),
            "plane": lambda w=wrong: ra.enumerate_cells(color, ra.Slice.through(w)),
            "count": lambda w=wrong: ra.count_cells(color, ra.Slice.through(w)),
            "cell on a plane": lambda w=wrong: ra.cell_at(color, X[0], ra.Slice.through(w)),
        }
        for door, ask in doors.items():
            with pytest.raises(DimensionError, match=r"takes points of shape \(3, 4, 5\)") as caught:
                ask()
            said = "NHWC" if axes == (2, 3, 1) else "another order"
            assert said in str(caught.value), door


def test_the_advice_of_a_refusal_is_right(color):
    X = np.random.default_rng(0).uniform(0.5, 1.5, (3, *COLOR))
    for wrong, right in ((np.moveaxis(X, 1, -1), X), (np.moveaxis(X[0], 0, -1), X[0])):
        with pytest.raises(DimensionError) as caught:
            color(wrong)
        code = str(caught.value).partition("Pass `")[2].partition("`")[0]
        assert np.array_equal(eval(code, {"np": np, "X": wrong}), right)
    last = Builder((4, 5, 3))
    with pytest.raises(DimensionError, match=r"NCHW, channels first. Pass `np.moveaxis\(X, 1, -1\)`"):
        last.finish(last.relu(0))(X)


def test_a_plane_through_images_in_several_shapes(color):
    X = np.random.default_rng(1).uniform(0.5, 1.5, (3, *COLOR))
    flat = ra.Slice.through(X.reshape(3, -1))
    mixed = ra.Slice.through([X[0], X[1].reshape(-1), X[2][None]])
    assert np.array_equal(flat.basis, mixed.basis) and mixed.input_shape is not None and flat.input_shape is None
    assert ra.count_cells(color, mixed).n_cells == ra.count_cells(color, flat).n_cells
    with pytest.raises(DomainError, match="one shape"):
        ra.Slice.through([X[0], X[1], np.moveaxis(X[2], 0, -1)])


def test_what_cannot_be_told_is_refused():
    for given, shape, says in [
        ((2, 4, 5, 3), (60,), "order in which it is to be flattened is not known"),
        ((2, 2), (4,), "is not known"),
        ((10, 785), (784,), "Leave out the column"),
        ((3, 20), COLOR, "in other axes"),
        ((4, 7), (3,), r"Pass \(N, 3\), or one point"),
    ]:
        with pytest.raises(DimensionError, match=says):
            rows_of(np.zeros(given), shape)


@pytest.mark.parametrize("n", [None, 1, 2])
def test_layouts_are_turned(n):
    first = np.random.default_rng(0).normal(size=COLOR if n is None else (n, *COLOR))
    last = np.moveaxis(first, -3, -1)
    for given, layout in ((first, "nchw"), (last, "nhwc")):
        assert np.array_equal(turned(given, COLOR, layout), first)
        assert np.array_equal(turned(given, (4, 5, 3), layout), last)
        assert np.array_equal(rows_of(turned(given, (60,), layout), (60,))[0].ravel(), first.ravel())
        rows = given.reshape(-1 if n is None else (n, 60))
        assert np.array_equal(rows_of(turned(rows, COLOR, layout), COLOR)[0].ravel(), first.ravel())
    gray = np.zeros((5, 8, 8))
    assert turned(gray, (1, 8, 8), "nhwc") is gray
    with pytest.raises(ArgumentError, match="channels first"):
        turned(gray, (1, 8, 8), "hwc")  # type: ignore[arg-type]
