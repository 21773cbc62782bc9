from __future__ import annotations

import numpy as np
import pytest

from tests.cli.run import command, dense_layers, save_points, write_onnx

__all__ = ["command"]


@pytest.fixture
def model(tmp_path):
    """Return a network of six inputs and four outputs, in a file."""
    return write_onnx(tmp_path / "net.onnx", dense_layers((6, 12, 9, 4)))


@pytest.fixture
def points(tmp_path):
    """Return three of its inputs: each in a file, and all in one, as .npy and .csv."""
    X = np.random.default_rng(0).uniform(-1, 1, (3, 6))
    save_points(tmp_path, X)
    np.save(tmp_path / "X.npy", X)
    np.savetxt(tmp_path / "X.csv", X, delimiter=",", fmt="%.17g")
    return X
