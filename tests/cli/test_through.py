"""`--through a b c`: how files are told from a model, and points from rows."""

from __future__ import annotations

import numpy as np
import pytest

from reluatlas.cli.through import read_points, spread


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("cells m.onnx --through a.npy b.npy c.npy", "cells m.onnx --through a.npy --through b.npy --through c.npy"),
        ("cells --through a.npy b.npy m.onnx --json", "cells --through a.npy --through b.npy m.onnx --json"),
        ("--through a.npy b --out x y", "--through a.npy --through b --out x y"),
        ("--through=a.npy b.npy", "--through a.npy --through b.npy"),
        ("--through a --through b c", "--through a --through b --through c"),
        ("--through a M.ONNX.GZ b", "--through a M.ONNX.GZ b"),
        ("--through a -- b c", "--through a -- b c"),
        ("cells m.onnx --box -1,1", "cells m.onnx --box -1,1"),
        ("--through", "--through"),
    ],
)
def test_values_end_at_an_option_and_at_a_model(given, expected):
    assert spread(given.split()) == expected.split()


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 2, 3)).astype(np.uint8)


def test_one_point_in_the_networks_shape_or_flat(images, tmp_path):
    np.save(tmp_path / "image.npy", images[0])
    np.save(tmp_path / "flat.npy", images[1].reshape(-1))
    np.save(tmp_path / "batch.npy", images[2][None])
    items = [str(tmp_path / name) for name in ("image.npy", "flat.npy", "batch.npy")]
    points = read_points(items, (2, 3))
    assert [p.label for p in points] == ["image", "flat", "batch"]
    assert np.array_equal([p.x for p in points], images[:3].reshape(3, -1))
    assert all(eval(p.code, {"np": np}).size == 6 for p in points)


def test_rows_of_one_file(images, tmp_path):
    np.save(tmp_path / "all.npy", images)
    np.save(tmp_path / "three.npy", images[:3])
    whole = read_points([str(tmp_path / "three.npy")], (2, 3))
    assert [p.row for p in whole] == [0, 1, 2]
    chosen = read_points([f"{tmp_path / 'all.npy'}:4,0,-2"], (2, 3))
    assert np.array_equal([p.x for p in chosen], images[[4, 0, -2]].reshape(3, -1))
    assert [p.label for p in chosen] == ["all[4]", "all[0]", "all[-2]"]
    assert np.array_equal(eval(chosen[2].code, {"np": np}), images[-2])


def test_three_rows_of_a_network_of_three_inputs_are_three_points(tmp_path):
    np.save(tmp_path / "m.npy", np.eye(3))
    assert [p.row for p in read_points([str(tmp_path / "m.npy")], (3,))] == [0, 1, 2]
    np.save(tmp_path / "one.npy", np.ones((1, 3)))
    assert len(read_points([str(tmp_path / "one.npy")] * 3, (3,))) == 3
