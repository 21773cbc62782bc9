from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.report.drawings import Mark, draw
from tests.unit.figures.fake import layers_of


@pytest.fixture(scope="package")
def whole():
    """Return the complex of a small network of two outputs on a box."""
    return ra.enumerate_cells(ra.load(layers_of((2, 7, 6, 2))), ra.Box([-1, -2], [1, 2]))


@pytest.fixture(scope="package")
def drawn(whole):
    """Return its figures, with one point marked."""
    return list(draw(whole, [Mark("here", np.array([0.5, 0.5]))]))


@pytest.fixture(scope="package")
def cut_short():
    """Return an incomplete complex on a slice."""
    plane = ra.Slice.through(np.random.default_rng(0).normal(size=(3, 4)))
    cx = ra.enumerate_cells(ra.load(layers_of((4, 9, 8, 3))), plane, max_cells=6)
    assert not cx.is_complete
    return cx
