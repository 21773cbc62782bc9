from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import reluatlas as ra
from reluatlas.affine import AffineMaps
from reluatlas.errors import ArgumentError, DimensionError


def axes(rows: int, columns: int):
    figure = Figure()
    FigureCanvasAgg(figure)
    return figure.subplots(rows, columns, squeeze=False)


def test_rows_are_networks_columns_are_outputs_and_white_is_zero():
    rng = np.random.default_rng(0)
    maps = {"a": rng.standard_normal((3, 5, 4)), "b": 100 * rng.standard_normal((3, 1, 5, 4))}
    grid = axes(2, 4)
    found = ra.plot.affine_images(maps, image=np.zeros((5, 4)), axes=grid)
    assert found.shape == (2, 4) and found[1, 2] is grid[1, 2]
    assert [ax.get_title() for ax in found[0]] == ["image", "0", "1", "2"]
    assert [row[0].get_ylabel() for row in found] == ["a", "b"]
    for row, weights in zip(found, maps.values(), strict=True):
        for ax, picture in zip(row[1:], weights.reshape(3, 5, 4), strict=True):
            drawn = ax.images[0]
            assert np.array_equal(drawn.get_array(), picture)
            low, high = drawn.get_clim()
            assert low == -high and high == pytest.approx(np.percentile(np.abs(weights), 99.5))
    middle = matplotlib.colormaps[found[0, 1].images[0].cmap.name](0.5)
    assert min(middle[:3]) > 0.95


def test_maps_of_one_point_and_a_map_of_zeros():
    net = ra.load([(np.ones((2, 4)), np.zeros(2)), (np.zeros((3, 2)), np.zeros(3))])
    A = net.affine_at(np.ones((1, 4))).A.reshape(1, 3, 2, 2)
    found = ra.plot.affine_images(AffineMaps(A, np.zeros((1, 3))), names="xyz", axes=axes(1, 3))
    assert [ax.get_title() for ax in found[0]] == ["x", "y", "z"]
    assert found[0, 0].images[0].get_clim() == (-1.0, 1.0)


def test_inputs_in_one_row_and_what_tells_one_output_from_another():
    A = np.random.default_rng(0).standard_normal((1, 4, 6))
    maps = AffineMaps(A, np.zeros((1, 4)))
    found = ra.plot.affine_images(maps, image_shape=(2, 3), difference=(3, 1), names="wxyz", axes=axes(1, 1))
    assert found[0, 0].get_title() == "z − x"
    assert np.array_equal(found[0, 0].images[0].get_array(), (A[0, 3] - A[0, 1]).reshape(2, 3))
    found = ra.plot.affine_images(maps, image_shape=(1, 2, 3), difference=[(0, 1), (2, 3)], axes=axes(1, 2))
    assert [ax.get_title() for ax in found[0]] == ["0 − 1", "2 − 3"]


@pytest.mark.parametrize(
    ("maps", "more", "error"),
    [
        ({}, {}, ArgumentError),
        (np.zeros((3, 4)), {}, DimensionError),
        (np.zeros((3, 2, 4, 4)), {}, DimensionError),
        ({"a": np.zeros((3, 4, 4)), "b": np.zeros((3, 4, 5))}, {}, DimensionError),
        (np.zeros((3, 4, 4)), {"names": ["a"]}, DimensionError),
        (np.zeros((3, 4, 4)), {"axes": np.array([1])}, ArgumentError),
        (np.zeros((3, 16)), {"image_shape": (4, 5)}, DimensionError),
        (np.zeros((3, 4, 4)), {"difference": (0, 3)}, ArgumentError),
        (np.zeros((3, 4, 4)), {"difference": (1, 1)}, ArgumentError),
        (np.zeros((3, 4, 4)), {"difference": []}, ArgumentError),
        (AffineMaps(np.zeros((2, 3, 4, 4)), np.zeros((2, 3))), {}, DimensionError),
    ],
)
def test_what_cannot_be_drawn_is_refused(maps, more, error):
    with pytest.raises(error):
        ra.plot.affine_images(maps, **more)
