"""What an atlas tells of two networks is what both say at points inside of the cells."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.atlas.difference import difference_of
from reluatlas.comparison.refinement import refinement
from tests.unit.figures.fake import layers_of


@pytest.mark.parametrize("n_outputs", [1, 2, 4])
@pytest.mark.parametrize("classes", ["max", "min", None])
def test_classes_and_differences_are_those_of_both_networks(n_outputs, classes):
    layers = layers_of((2, 9, 8, n_outputs))
    rng = np.random.default_rng(n_outputs)
    f = ra.load(layers, classes=classes)
    g = ra.load([(W + 0.3 * rng.normal(size=W.shape), b) for W, b in layers], classes=classes)
    both = refinement(f, g)
    cx = ra.enumerate_cells(both.network, ra.Box(-1, 1, dim=2))
    found = difference_of(cx, both)
    told, arrays = found.told, found.arrays
    points = np.array([cx.polygon(i).mean(axis=0) for i in range(cx.n_cells)])
    at_f, at_g = f(points).reshape(cx.n_cells, -1), g(points).reshape(cx.n_cells, -1)
    outputs = arrays["outputs"].reshape(cx.n_cells, n_outputs, 3)
    np.testing.assert_allclose(outputs[:, :, 2], at_f - at_g, atol=1e-5)
    corners = np.abs(f(cx.vertices.points) - g(cx.vertices.points)).reshape(-1, n_outputs)
    assert told["difference"]["largest"] == pytest.approx(corners.max(), rel=1e-9)
    assert told["difference"]["output"] == np.unravel_index(corners.argmax(), corners.shape)[1]
    if classes is None:
        assert "class" not in arrays and told["difference"]["share"] is None
        return
    of_f, of_g = (class_of(values, classes) for values in (at_f, at_g))
    names = [told["classes"][c]["name"] for c in arrays["class"]]
    known = ("negative", "positive") if n_outputs == 1 else [str(c) for c in range(n_outputs)]
    assert names == [
        f"both {known[a]}" if a == b else f"f {known[a]}, g {known[b]}" for a, b in zip(of_f, of_g, strict=True)
    ]
    assert told["difference"]["share"] == pytest.approx(cx.volumes[of_f != of_g].sum() / 4.0, abs=1e-12)
    assert told["difference"]["share"] > 0


def class_of(values, classes):
    if values.shape[1] == 1:
        return (values[:, 0] > 0).astype(int)
    return values.argmin(axis=1) if classes == "min" else values.argmax(axis=1)


def test_layers_and_units_say_whose_they_are():
    layers = layers_of((2, 6, 5, 2))
    other = [layers[0], (layers[1][0] + 1.0, layers[1][1]), layers[2]]  # the first layer is one
    both = refinement(ra.load(layers), ra.load(other))
    cx = ra.enumerate_cells(both.network, ra.Box(-1, 1, dim=2))
    told = difference_of(cx, both).told
    assert [layer["name"] for layer in told["layers"]] == [
        "f and g: layer 1", "f: layer 2", "g: layer 2", "decision of f", "decision of g"
    ]  # fmt: skip
    assert all(name.startswith(("f: ", "g: ", "f and g: ", "decision of ")) for name in told["unit_names"])
