"""The oracle on a stored network whose number of cells several independent programs agree on."""

from __future__ import annotations

import numpy as np
import pytest

from reluatlas.domain import Box
from reluatlas.network.build import Builder
from tests.assembled import complex_from_oracle
from tests.compare import assert_laws
from tests.data import data_folder


def test_network_d_has_1233_cells():
    folder = data_folder()
    if folder is None:
        pytest.skip("needs the stored networks: set RELUATLAS_DATA to their folder")
    stored = np.load(folder / "nets" / "D.npz")
    b, here = Builder((2,)), 0
    for i in range(4):
        here = b.dense(here, stored[f"W{i}"], stored[f"b{i}"])
        here = b.relu(here) if i < 3 else here
    cx = complex_from_oracle(b.finish(here), Box(-1, 1, dim=2))
    assert cx.n_cells == 1233
    assert_laws(cx)
