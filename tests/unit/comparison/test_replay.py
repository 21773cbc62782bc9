"""What runtimes give at the witness: their own forward passes, and whether these tell two networks apart."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, MissingDependencyError
from tests.unit.certify.test_tree import UNIT, random_net


def moved(net, by):
    *layers, (weight, bias) = net.dense_layers()
    return ra.load([*layers, (weight, bias + by)])


@pytest.mark.parametrize("runtime", ["onnxruntime", "torch"])
def test_a_difference_that_is_shown_and_one_that_is_not(runtime):
    pytest.importorskip(runtime)
    f = random_net(2, 8, 8, 3, seed=1)
    far, near = (ra.compare(f, moved(f, np.array([0.0, by, 0.0])), UNIT) for by in (0.25, 2.0**-40))
    shown = far.replay(runtime)
    assert shown.shows_it and "it shows the difference" in shown.words
    assert shown.difference[1] == pytest.approx(-0.25, abs=1e-5) and shown.exact[1] == -0.25
    weights = [(w.astype(np.float32), b.astype(np.float32)) for w, b in f.dense_layers()]
    h = shown.x.reshape(-1)
    for i, (w, b) in enumerate(weights):
        h = w @ h + b if i == len(weights) - 1 else np.maximum(w @ h + b, 0)
    np.testing.assert_allclose(shown.f.reshape(-1), h, rtol=1e-5, atol=1e-5)
    hidden = near.replay(runtime)
    assert not hidden.shows_it and hidden.exact[1] == pytest.approx(-(2.0**-40), rel=1e-3)
    assert "cannot show" in hidden.words and near.is_below_float32


def test_what_cannot_be_replayed(monkeypatch):
    f = random_net(2, 4, 1)
    answer = ra.compare(f, moved(f, 1.0), UNIT)
    with pytest.raises(ArgumentError, match="runtime='tflite'"):
        answer.replay("tflite")  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match="pip install onnxruntime"):
        answer.replay()
