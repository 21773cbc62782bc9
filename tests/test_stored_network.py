"""A stored network whose number of cells several independent programs agree on."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.testing import assert_complex
from tests.assembled import complex_from_oracle
from tests.compare import assert_matches_oracle
from tests.data import data_folder


def test_network_d_has_1233_cells():
    folder = data_folder()
    if folder is None:
        pytest.skip("no data folder: set RELUATLAS_DATA to the folder of the stored networks")
    stored = np.load(folder / "nets" / "D.npz")
    net, box = ra.load([(stored[f"W{i}"], stored[f"b{i}"]) for i in range(4)]), ra.Box(-1, 1, dim=2)
    oracle = complex_from_oracle(net, box)
    assert oracle.n_cells == 1233
    assert_complex(oracle)
    cx = ra.enumerate_cells(net, box)
    assert cx.n_cells == ra.count_cells(net, box).n_cells == 1233
    assert_matches_oracle(cx)
    assert_complex(cx)
