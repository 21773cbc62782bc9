"""Slices of every architecture, small against the oracle, the real ones against the laws."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.importers.load import load
from reluatlas.network.graph import Affine, Convolution, Sparse
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
