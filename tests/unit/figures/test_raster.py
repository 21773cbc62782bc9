"""Pictures of many polygons: each pixel shows the polygon that its middle lies in."""

from __future__ import annotations

import io
import re

import matplotlib
import numpy as np
import pytest

import reluatlas as ra
from reluatlas.figures import paint, plot, polygons
from reluatlas.figures.raster import NOTHING, sampled
from tests.unit.figures.fake import layers_of

matplotlib.use("Agg")


def inside(shape, points):
    """Return which points lie in a convex polygon that runs counter-clockwise, and which are near its rim."""
    edge = np.roll(shape, -1, axis=0) - shape
    to = points[:, None] - shape[None]
    turn = edge[:, 0] * to[..., 1] - edge[:, 1] * to[..., 0]
    distance = turn / np.linalg.norm(edge, axis=1)
    return (distance >= 0).all(axis=1), np.abs(distance).min(axis=1) < 1e-4


@pytest.fixture(scope="module")
def cx():
    return ra.enumerate_cells(ra.load(layers_of((2, 10, 9, 3))), ra.Box([-1, -2], [1, 2]))


@pytest.mark.parametrize(("low", "high"), [((-1, -2), (1, 2)), ((-0.3, 0.1), (2.5, 0.9))])
def test_the_polygon_in_the_middle_of_each_pixel(cx, low, high):
    low, high = np.array(low, dtype=float), np.array(high, dtype=float)
    shapes = polygons.polygons(cx)
    picture = sampled(shapes, low, high, side=90)
    rows, columns = picture.shape
    assert max(rows, columns) == 90
    y, x = np.mgrid[:rows, :columns]
    points = low + (high - low) * np.stack([(x + 0.5) / columns, (y + 0.5) / rows], axis=-1).reshape(-1, 2)
    found = picture.reshape(-1)
    box_low, box_high = cx.box.low, cx.box.high
    is_out = ((points < box_low - 1e-4) | (points > box_high + 1e-4)).any(axis=1)
    is_in = ((points > box_low + 1e-4) & (points < box_high - 1e-4)).all(axis=1)
    assert (found[is_out] == NOTHING).all() and (found[is_in] != NOTHING).all(), "no gaps"
    for k, shape in enumerate(shapes):
        within, at_rim = inside(shape, points)
        assert (found[within & ~at_rim] == k).all() and within[(found == k) & ~at_rim].all()


def test_nothing_and_slivers():
    assert (sampled([], [0, 0], [1, 1], side=5) == NOTHING).all()
    sliver = np.array([[0.0, 0.5], [1.0, 0.5], [1.0, 0.5000001]])
    flat = np.array([[0.2, 0.3], [0.9, 0.3], [0.4, 0.3]])
    assert set(np.unique(sampled([sliver, flat], [0, 0], [1, 1], side=8))) <= {NOTHING, 0, 1}


def test_many_cells_are_one_picture_inside_vector_axes(cx, monkeypatch):
    monkeypatch.setattr(paint, "RASTER_FROM", 20)
    small = len(_svg(plot.cells(cx, by="map")))
    ax = plot.cells(cx, by="map")
    assert [im.get_gid() for im in ax.images] == ["cells"] and ax.images[0].get_zorder() < 1
    text = _svg(ax)
    assert text.count(b"<image") >= 2 and len(re.findall(rb"<path", text)) < cx.n_cells, "cells, and their edges"
    assert small == len(text)
    monkeypatch.setattr(paint, "RASTER_FROM", 5_000)
    assert b"<image" not in _svg(plot.cells(cx, by="map"))


def test_a_picture_has_the_colors_of_the_polygons(cx, monkeypatch):
    """The same figure, drawn in both ways: most pixels agree."""
    images = []
    for limit in (5_000, 20):
        monkeypatch.setattr(paint, "RASTER_FROM", limit)
        figure = plot.cells(cx, by="class", edges=False, legend=False).figure
        figure.canvas.draw()
        images.append(np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int))
    differs = np.abs(images[0] - images[1]).max(axis=2) > 24
    assert differs.mean() < 0.01


def _svg(ax):
    from matplotlib import pyplot

    out = io.BytesIO()
    ax.figure.savefig(out, format="svg")
    pyplot.close(ax.figure)
    return out.getvalue()
