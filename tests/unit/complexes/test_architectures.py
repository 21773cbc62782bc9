"""Slices of every architecture, small against the oracle, the real ones against the laws."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.importers.load import load
from reluatlas.network.network import Affine, Convolution, Sparse
from tests.architectures import ARCHITECTURES, architecture
from tests.compare import assert_laws, assert_matches_oracle
from tests.data import data_folder


@pytest.mark.parametrize("whole", [False, True], ids=["float32", "whole"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_slice_equals_the_oracle(name, whole):
    for seed in range(2):
        net = load(architecture(name, seed, whole=whole))
        rng = np.random.default_rng(seed)
        points = rng.integers(-4, 5, (3, 18)) / 4 if whole else rng.normal(size=(3, 18)).astype(np.float32)
        plane = ra.Slice.through(points.astype(np.float64), margin=0.3)
        assert_matches_oracle(ra.enumerate_cells(net, plane))


def test_architectures_have_what_they_are_named_for():
    kinds = {
        name: {type(o) for n in load(architecture(name)).nodes if isinstance(n, Affine) for o in n.operators}
        for name in ARCHITECTURES
    }
    assert all(Convolution in kinds[name] for name in ("conv", "residual", "inception", "transposed"))
    assert all(Sparse in kinds[name] for name in ("average_pool", "bilinear_resize", "inception", "batch_norm"))


def test_saved_complex_of_a_convolutional_network(tmp_path):
    net = load(architecture("inception"))
    plane = ra.Slice.through(np.random.default_rng(1).normal(size=(3, 18)))
    cx = ra.enumerate_cells(net, plane)
    cx.save(tmp_path / "cells.npz")
    again = ra.load_complex(tmp_path / "cells.npz")
    assert np.array_equal(again.patterns, cx.patterns)
    x = np.random.default_rng(2).normal(size=(5, 2, 3, 3))
    assert np.array_equal(again.network(x), net(x))


@pytest.mark.skipif(data_folder() is None, reason="no data folder (RELUATLAS_DATA)")
@pytest.mark.parametrize(("name", "share"), [("Convnet_maxpool", 0.001), ("cifar_base_kw", 0.03), ("resnet_2b", 0.01)])
def test_slice_of_a_real_network(name, share):
    folder = data_folder()
    assert folder is not None
    net = load(folder / "models" / f"{name}.onnx")
    points = digits(folder) if name == "Convnet_maxpool" else patches(net.input_shape)
    points[1:] = points[0] + share * (points[1:] - points[0])
    cx = ra.enumerate_cells(net, ra.Slice.through(points))
    assert cx.is_complete and cx.n_cells > 50
    assert cx.exactness.status == "exact"
    assert_laws(cx)


def digits(folder: Path) -> np.ndarray:
    """Return three images of digits, with their black corners."""
    with gzip.open(folder / "mnist" / "t10k-images-idx3-ubyte.gz") as file:
        return np.frombuffer(file.read(16 + 3 * 784), dtype=np.uint8, offset=16).reshape(3, 1, 28, 28) / 255


def patches(shape: tuple[int, ...]) -> np.ndarray:
    """Return three images of blurred colors."""
    colors = np.random.default_rng(0).random((3, shape[0], shape[1] // 4, shape[2] // 4))
    return np.kron(colors, np.ones((1, 1, 4, 4))).astype(np.float32).astype(np.float64)
