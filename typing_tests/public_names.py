"""What a type checker is told of the public names: checked by `make types`, never run.

A line that says something else than the package's annotations is an error; so is a wrong call that no `pyright: ignore`
marks, and a mark where nothing is wrong.
"""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path as FilePath
from types import SimpleNamespace
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import reluatlas as ra
from reluatlas.analysis.similarity.answer import Similarity, SimilarityTable
from reluatlas.complexes.count import CellCount

Floats = NDArray[np.float64]


def a_network(net: ra.Network, X: Floats) -> None:
    assert_type(ra.load("model.onnx", mean=0.1, classes=None), ra.Network)
    assert_type(net(X), Floats)
    assert_type(ra.load_points("x.npy", net), Floats)
    assert_type(ra.stability(net, ra.Box(-1, 1, dim=2)), ra.Stability)
    assert_type(ra.simplify(net, ra.Box(-1, 1, dim=2), 0.1, objective="numbers"), ra.Simplification)
    assert_type(ra.explain(net, X[0], "cat"), ra.Explanation)
    assert_type(ra.nearest_class(net, X[0], norm=2, against=["cat"], max_seconds=1.0), ra.NearestClass)
    assert_type(ra.explain(net, X[0], "cat").reach(max_seconds=1.0).radius, float)
    assert_type(ra.contributions(net, X, 3), ra.Contributions)
    assert_type(ra.load_property("prop.vnnlib", net), ra.Property)
    assert_type(ra.check_property(net, "prop.vnnlib", max_seconds=1.0, jobs=2), ra.PropertyAnswer)
    assert_type(ra.integrated_gradients(net, X[0], output=0), ra.IntegratedGradients)
    assert_type(net.patterns(X), NDArray[np.integer[Any]])
    assert_type(net.affine_at(X, [0, 1], ties="torch"), ra.AffineMaps)
    assert_type(net.dense_layers(), list[tuple[Floats, Floats]])
    assert_type(net.n_inputs, int)
    assert_type(net.input_shape, tuple[int, ...])
    assert_type(ra.load_maps(FilePath("maps.npy"), input_shape=(28, 28)), ra.AffineMaps)
    net.affine_at(X, ties="left")  # pyright: ignore[reportArgumentType]


def domains(X: Floats) -> None:
    assert_type(ra.Box(-1, 1, dim=2), ra.Box)
    assert_type(ra.Box([0, 0], [1, 2]).volume, float)
    assert_type(ra.Slice.through(X, margin=0.1), ra.Slice)
    assert_type(ra.Slice(X[0], X[1:], box=ra.Box(-1, 1, dim=2)).embed([0.0, 0.0]), Floats)
    assert_type(ra.Segment([0.0], [1.0]).dim, int)
    assert_type(ra.Space(3).dim, int)
    ra.Box(-1, 1, 2)  # pyright: ignore[reportCallIssue]


def cells(net: ra.Network, box: ra.Box, x: Floats) -> None:
    cx = ra.enumerate_cells(net, box, max_cells=10, jobs=1)
    assert_type(cx, ra.PolyhedralComplex)
    assert_type(cx.volumes, Floats)
    assert_type(cx.f_vector, tuple[int, ...])
    assert_type(cx.cell_at(x), int)
    assert_type(cx.is_complete, bool)
    assert_type(ra.load_complex("cells.npz"), ra.PolyhedralComplex)
    assert_type(ra.count_cells(net, ra.Space(2)), CellCount)
    assert_type(ra.count_cells(net, ra.Box(0, 1, dim=2), certificate="run.cert"), CellCount)
    cell = ra.cell_at(net, x, box)
    assert_type(cell, ra.Cell)
    assert_type(cell.is_bounded, bool)
    assert_type(cell.certificate(), ra.certify.CellCertificate)
    assert_type(cell.check(), ra.certify.CheckReport)
    assert_type(ra.cells_at(net, x), Iterator[ra.Cell])
    assert_type(ra.explore(net, x, max_cells=5), ra.Exploration)
    ra.explore(net, x)  # pyright: ignore[reportCallIssue]
    ra.enumerate_cells(net, ra.Segment(x, x))  # pyright: ignore[reportArgumentType]


def paths(net: ra.Network, X: Floats) -> None:
    path = ra.trace(net, ra.Segment(X[0], X[1]))
    assert_type(path, ra.Path)
    assert_type(path.exact_breakpoint(0), Fraction)
    many = ra.trace(net, [ra.Segment(X[0], X[1])])
    assert_type(many, ra.Paths)
    assert_type(many[0], ra.Path)
    assert_type(many[1:], ra.Paths)
    assert_type(ra.trace(net, X), ra.Paths)


def answers(net: ra.Network, X: Floats, cx: ra.PolyhedralComplex) -> None:
    assert_type(ra.similarity(net, net, X, X), Similarity)
    assert_type(ra.similarity_table({"a": net, "b": net}, X, X), SimilarityTable)
    assert_type(ra.reduce(net, X, 10), ra.ReducedModel)
    assert_type(ra.reduce(net, X, [10, 20]), list[ra.ReducedModel])
    assert_type(ra.join_cells(cx, 0.1), ra.JoinedCells)
    assert_type(ra.join_cells(cx, n_pieces=5, method="kmeans", seed=1), ra.JoinedCells)
    ra.join_cells(cx, 0.1, n_pieces=5)  # pyright: ignore[reportCallIssue]
    ra.join_cells(cx)  # pyright: ignore[reportCallIssue]
    assert_type(ra.Trajectory.load("training.npz"), ra.Trajectory)
    assert_type(ra.analysis.count_bounds(net), list[ra.analysis.Bound])
    assert_type(ra.analysis.zaslavsky(3, 2), int)
    points = ra.analysis.dual_points(cx)
    assert_type(points, ra.analysis.DualPoints)
    assert_type(ra.analysis.transport_distance(points, points), float)
    limit: AbstractContextManager[None] = ra.time_limit(5)
    with limit:
        assert_type(points.spread, float)
    pieces = ra.analysis.PiecewiseAffineRegressor(10, random_state=0).fit(X, X[:, 0])
    assert_type(pieces, ra.analysis.PiecewiseAffineRegressor)
    assert_type(ra.analysis.PiecewiseAffineClassifier(10).fit(X, X[:, 0]), ra.analysis.PiecewiseAffineClassifier)
    assert_type(ra.analysis.read_pieces("pieces.npz")[1], dict[str, Any])
    ra.plot.cells(cx)
    ra.reduce(net, X, 10, method="dbscan")  # pyright: ignore[reportArgumentType, reportCallIssue]


def atlases(cx: ra.PolyhedralComplex, net: ra.Network, X: Floats) -> None:
    cx.to_html("atlas.html", title="cells", image=(28, 28))
    cx.view(height=500)
    ra.view(net, ra.Slice.through(X[:3]), X=X, labels=["a", "b", "c"], beside=net, image=(28, 28), jobs=1)
    ra.view(net, ra.Space(2))  # pyright: ignore[reportArgumentType]


def functions(net: ra.Network, X: Floats) -> None:
    assert_type(ra.difference(net, net), ra.Network)
    answer = ra.compare(net, net, ra.Box(-1, 1, dim=2), norm=2)
    assert_type(answer, ra.Comparison)
    assert_type(ra.compare(net, net, ra.Box(-1, 1, dim=2), method="boxes", eps=0.5).is_within, bool | None)
    assert_type(answer.is_equal, bool | None)
    ra.compare(net, net, X=X)
    ra.plot.comparison(answer)
    alike = ra.compare_structure(net, net, ra.Box(-1, 1, dim=2), layers="same", chance=3)
    assert_type(alike, ra.StructureComparison)
    assert_type(alike.scores.overlap, float)
    assert_type(ra.compare_structure(net, net, ra.Box(0, 1, dim=2), chance=[net]).hyperplanes.f, tuple[str, ...])
    ra.compare_structure(net, net, ra.Space(2))  # pyright: ignore[reportArgumentType]


def certificates(net: ra.Network, proof: ra.certify.CellCertificate) -> None:
    assert_type(ra.certify.check_certificate(net, ra.Space(2), proof).is_ok, bool)
    assert_type(ra.certify.check_file(net, "cells.npz"), list[ra.certify.CheckReport])
    ra.certify.save_certificates("cells.npz", ra.Space(2), [proof])
    assert_type(ra.certify.check_tree(net, "run.cert", progress=True), ra.certify.TreeReport)
    assert_type(ra.certify.check_equal(net, net, "equal.cert"), ra.certify.TreeReport)
    ra.certify.save_tree("run.cert", net, ra.Box(0, 1, dim=2), [[0, 1]], claims=["zero"])
    kept = ra.certify.load_property_certificate("prop.cert")
    assert_type(kept, ra.certify.PropertyCertificate)
    said = ra.load_property("prop.vnnlib", net)
    assert_type(ra.certify.check_property_certificate(net, said, kept), ra.certify.PropertyReport)
    _, proofs = ra.certify.load_certificates("cells.npz")
    assert_type(proofs, list[ra.certify.CellCertificate])


def checks(cx: ra.PolyhedralComplex) -> None:
    ra.testing.assert_complex(cx)
    assert_type(ra.testing.broken_complexes(cx), Iterator[tuple[str, SimpleNamespace]])
    assert_type(ra.testing.FAMILIES, dict[str, Callable[[int], ra.Network]])
    assert_type(ra.testing.domain_for(0), ra.Box | ra.Slice)
    error: Exception = ra.errors.OnFaceError("several cells")
    assert_type(ra.__version__, str)
    raise error


def many_machines(net: ra.Network) -> None:
    with ra.cluster("auto", workers=8) as machines:
        assert_type(machines, ra.Cluster)
        assert_type(machines.n_processors, int)
        assert_type(ra.count_cells(net, ra.Box(-1, 1, dim=2), runner=machines), CellCount)
    assert_type(ra.enumerate_cells(net, ra.Box(-1, 1, dim=2), runner="ray"), ra.PolyhedralComplex)
    ra.count_cells(net, ra.Box(-1, 1, dim=2), runner="horse")  # pyright: ignore[reportArgumentType]
