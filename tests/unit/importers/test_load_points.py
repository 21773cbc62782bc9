"""Points of files: every kind of file gives the points of the array that it was made from."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError, DomainError, NonFiniteError
from reluatlas.importers.load_points import remark
from reluatlas.network.build import Builder

GRAY, COLOR = (1, 9, 10), (3, 9, 10)


def _net(shape: tuple[int, ...]) -> ra.Network:
    b = Builder(shape)
    return b.finish(b.relu(0))


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (4, *COLOR), dtype=np.uint8)


def test_every_kind_of_file(pixels, tmp_path):
    gray, net = pixels[:, :1], _net(GRAY)
    np.save(tmp_path / "X.npy", gray)
    np.savez(tmp_path / "one.npz", gray)
    np.savez(tmp_path / "several.npz", x_test=gray, y_test=np.arange(4))
    np.savetxt(tmp_path / "X.csv", gray.reshape(4, -1), fmt="%d", delimiter=",")
    for name in ("X.npy", "one.npz", "several.npz", "several.npz:x_test", "X.csv"):
        X = ra.load_points(f"{tmp_path}/{name}", net)
        assert X.dtype == np.float64 and np.array_equal(X, gray), name
        assert np.array_equal(ra.load_points(f"{tmp_path}/{name}:2,-1", net), gray[[2, -1]]), name
    Image.fromarray(gray[0, 0]).save(tmp_path / "gray.png")
    for shape in (GRAY, (9, 10), (90,), (90, 1)):
        assert np.array_equal(ra.load_points(tmp_path / "gray.png", _net(shape)).ravel(), gray[0].ravel())


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_images_in_color_are_turned_to_where_the_network_has_its_channels(pixels, tmp_path, mode):
    last = np.moveaxis(pixels[0], 0, -1)
    if mode == "P":
        last = np.repeat(np.repeat(last[:3, :2], 3, axis=0), 5, axis=1)  # few colors: a palette holds them
    Image.fromarray(last).convert("RGBA" if mode == "RGBA" else "RGB").save(tmp_path / "c.png")
    if mode == "P":
        Image.fromarray(last).quantize(256).save(tmp_path / "c.png")
        last = np.asarray(Image.open(tmp_path / "c.png").convert("RGB"))
    first = np.moveaxis(last, -1, 0)
    assert np.array_equal(ra.load_points(tmp_path / "c.png", _net(COLOR))[0], first)
    assert np.array_equal(ra.load_points(tmp_path / "c.png", _net((9, 10, 3)))[0], last)
    assert np.array_equal(ra.load_points(tmp_path / "c.png", _net((270,)))[0], first.ravel())
    assert np.array_equal(ra.load_points(tmp_path / "c.png", _net(COLOR), layout="nchw")[0], first)


def test_deep_and_black_and_white_images(tmp_path):
    deep = np.random.default_rng(0).integers(0, 2**16, (9, 10), dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert np.array_equal(ra.load_points(tmp_path / "deep.png", _net(GRAY))[0, 0], deep)
    Image.fromarray(deep > 2**15).save(tmp_path / "bits.png")
    assert np.array_equal(ra.load_points(tmp_path / "bits.png", _net(GRAY))[0, 0], 255 * (deep > 2**15))


def test_units_are_those_of_a_usual_transform(pixels, tmp_path):
    np.save(tmp_path / "X.npy", np.moveaxis(pixels, 1, -1))
    mean, std = [0.5, 0.25, 0.125], [0.5, 0.25, 2.0]
    X = ra.load_points(tmp_path / "X.npy", _net(COLOR), layout="nhwc", scale=255, mean=mean, std=std)
    for c in range(3):
        assert np.array_equal(X[:, c], (pixels[:, c] / 255.0 - mean[c]) / std[c])
    for bad, says in (({"scale": 0}, "above 0"), ({"std": 0}, "positive"), ({"mean": [1, 2]}, "per channel")):
        with pytest.raises((ArgumentError, DimensionError), match=says):
            ra.load_points(tmp_path / "X.npy", _net(COLOR), layout="nhwc", **bad)


def test_what_is_refused(pixels, tmp_path):
    net, place = _net(COLOR), str(tmp_path)
    np.save(tmp_path / "X.npy", pixels)
    np.save(tmp_path / "last.npy", np.moveaxis(pixels, 1, -1))
    np.save(tmp_path / "one.npy", pixels[0])
    np.save(tmp_path / "nan.npy", np.full(COLOR, np.nan))
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    np.savez(tmp_path / "two.npz", a=pixels, b=pixels)
    np.savez(tmp_path / "none.npz", a=np.zeros(3), b=np.zeros(4))
    np.savez(tmp_path / "objects.npz", a=np.array([{}, 1], dtype=object))
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    Image.fromarray(pixels[0, 0]).save(tmp_path / "gray.png")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "small.png")
    clear = np.zeros((9, 10, 4), np.uint8)
    Image.fromarray(clear).save(tmp_path / "clear.png")
    for name, kind, says in [
        ("last.npy", DimensionError, "looks like NHWC"),
        ("last.npy:0", DimensionError, "looks like NHWC"),
        ("X.npy:0,4", ArgumentError, "row 4 but .* has 4 rows"),
        ("one.npy:0", ArgumentError, "holds one point"),
        ("X.npy:x:0", ArgumentError, "only one"),
        ("X.txt", ArgumentError, "is not a .npy, .npz, .csv or .png file"),
        ("missing.png", ArgumentError, "no such file"),
        ("nan.npy", NonFiniteError, "NaN"),
        ("words.npy", DomainError, "expected real numbers"),
        ("two.npz", ArgumentError, "2 of them are points .* Name one: `.*two.npz:a`"),
        ("none.npz", ArgumentError, "none of them is points"),
        ("two.npz:c", ArgumentError, "has no array 'c'; it has a, b"),
        ("objects.npz", ArgumentError, "no archive of arrays of numbers"),
        ("broken.npz", ArgumentError, "damaged"),
        ("broken.png", ArgumentError, "damaged"),
        ("gray.png", DimensionError, "10 × 9 pixels and 1 channel"),
        ("small.png", DimensionError, "4 × 4 pixels and 3 channels"),
        ("clear.png", DomainError, "transparent"),
    ]:
        with pytest.raises(kind, match=says):
            ra.load_points(f"{place}/{name}", net)


@pytest.mark.parametrize(
    ("array", "shape", "says"),
    [
        (np.full((2, 28, 28), 255, np.uint8), (1, 28, 28), "holds whole numbers from 255 to 255"),
        (np.full((2, 28, 28), 255, np.uint8), (784,), "holds whole numbers"),
        (np.arange(784.0)[None] % 256, (784,), "holds whole numbers from 0 to 255"),
        (np.linspace(-0.4, 2.8, 784).reshape(1, 28, 28), (1, 28, 28), "holds values from -0.4 to 2.8"),
        (np.linspace(0, 1, 784).reshape(1, 28, 28), (1, 28, 28), ""),
        (np.linspace(-9, 9, 784)[None], (784,), ""),
        (np.array([[0, 5], [7, 1]]), (2,), ""),
        (np.zeros((0, 28, 28), np.uint8), (1, 28, 28), ""),
        (np.eye(28, dtype=np.int64), (1, 28, 28), ""),
    ],
)
def test_what_looks_like_pixels_is_said(array, shape, says):
    found = remark(array, shape)
    assert found.startswith(says) if says else found == ""
