"""Figures of joined cells: walls between pieces, colors of pieces, points of the curve."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError
from reluatlas.figures import colors
from tests.unit.analysis.joining.small import network

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed():
    from matplotlib import pyplot

    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def answer():
    return ra.join_cells(ra.enumerate_cells(network((2, 4, 1), 0), ra.Box(-1, 1, dim=2)), n_pieces=3)


def drawn(ax, gid):
    (one,) = [a for a in [*ax.collections, *ax.lines] if a.get_gid() == gid]
    return one


def test_walls_are_the_edges_between_pieces_and_colors_those_of_pieces(answer):
    cx, ax = answer.complex, ra.plot.joined(answer)
    owner = np.repeat(np.arange(cx.n_cells), np.diff(cx.facets.offsets))
    inner = cx.facets.neighbor >= 0
    is_wall = answer.labels[owner[inner]] != answer.labels[cx.facets.neighbor[inner]]
    assert len(drawn(ax, "walls").get_segments()) == is_wall.sum() // 2 > 0
    assert len(drawn(ax, "edges").get_segments()) == (~is_wall).sum() // 2 > 0
    faces = drawn(ax, "cells").get_facecolor()[:, :3]
    assert len({tuple(c) for c in faces.round(6).tolist()}) <= 3
    for i, j in zip(owner[inner][is_wall], cx.facets.neighbor[inner][is_wall], strict=True):
        assert not np.allclose(faces[i], faces[j]), "pieces that share an edge differ"
    assert all(np.ptp(faces[answer.labels == p], axis=0).max() == 0 for p in range(3))
    worst = answer.worst_points[answer.attained.argmax()]
    assert np.array_equal(drawn(ax, "worst").get_xydata()[0], worst)
    assert ax.get_title().startswith(f"3 pieces of {cx.n_linear_regions} linear regions, off by at most ")


def test_by_map_a_piece_has_the_mean_color_of_its_cells(answer):
    cx, ax = answer.complex, ra.plot.joined(answer, by="map", edges=False, worst=False)
    faces, before = drawn(ax, "cells").get_facecolor()[:, :3], colors.of_maps(cx)
    for p in range(3):
        mine = answer.labels == p
        assert np.allclose(faces[mine], np.average(before[mine], axis=0, weights=cx.volumes[mine]))


def test_the_curve_has_all_steps_and_points(answer):
    bound = answer.lower_bound()
    ax = ra.plot.piece_curve([answer, ra.join_cells(answer.complex, n_pieces=2, method="kmeans")], bounds=[bound])
    assert np.array_equal(drawn(ax, "curve").get_ydata(), answer.curve().n_pieces)
    assert drawn(ax, "joined").get_xydata().tolist() == [[answer.error, 3]]
    assert drawn(ax, "no fewer").get_xydata().tolist() == [[bound.tolerance, bound.n_pieces]]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "joined, step by step", "joined", "k-means", "no fewer"
    ]  # fmt: skip


def test_bad_input_says_what_to_do(answer):
    with pytest.raises(ArgumentError, match="by"):
        ra.plot.joined(answer, by="class")
    with pytest.raises(ArgumentError, match="empty"):
        ra.plot.piece_curve([])
    line = ra.join_cells(ra.enumerate_cells(network((1, 3, 1), 0), ra.Box(-1, 1, dim=1)), 0)
    with pytest.raises(DimensionError):
        ra.plot.joined(line)
