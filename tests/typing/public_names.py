"""Which types do users' tools see? Read by `make types`, never run: each call has the type that its page says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import reluatlas as ra
from reluatlas.complexes.count import CellCount
from reluatlas.complexes.decision_boundary import DecisionBoundary

FloatArray = NDArray[np.float64]
X = np.zeros((5, 2))


def models_and_points() -> None:
    net = ra.load([(np.eye(2), np.zeros(2))])
    assert_type(net, ra.Network)
    assert_type(net(X), FloatArray)
    assert_type(net.patterns(X), NDArray[np.integer[Any]])
    assert_type(net.affine_at(X), ra.AffineMaps)
    assert_type(ra.load_maps("maps.npy"), ra.AffineMaps)


def domains() -> None:
    assert_type(ra.Box(-1, 1, dim=2), ra.Box)
    assert_type(ra.Slice.through(X[:3]), ra.Slice)
    assert_type(ra.Segment([0, 0], [1, 1]), ra.Segment)
    assert_type(ra.Space(2), ra.Space)


def complexes(net: ra.Network, domain: ra.Box | ra.Slice | ra.Space) -> None:
    cx = ra.enumerate_cells(net, domain, max_cells=10)
    assert_type(cx, ra.PolyhedralComplex)
    assert_type(ra.load_complex("cells.npz"), ra.PolyhedralComplex)
    assert_type(cx.n_cells, int)
    assert_type(cx.is_complete, bool)
    assert_type(cx.affine, ra.AffineMaps)
    assert_type(cx.volumes, FloatArray)
    assert_type(cx.f_vector, tuple[int, ...])
    assert_type(cx.decision_boundary(), DecisionBoundary)
    assert_type(ra.count_cells(net, domain), CellCount)


def one_cell(net: ra.Network) -> None:
    cell = ra.cell_at(net, X[0])
    assert_type(cell, ra.Cell)
    assert_type(cell.is_bounded, bool)
    assert_type(cell.affine, ra.AffineMaps)
    assert_type(ra.cells_at(net, X[0]), Iterator[ra.Cell])
    assert_type(ra.explore(net, X, max_cells=10), ra.Exploration)


def paths(net: ra.Network) -> None:
    segment = ra.Segment([0, 0], [1, 1])
    assert_type(ra.trace(net, segment), ra.Path)
    assert_type(ra.trace(net, [segment, segment]), ra.Paths)
