"""Integrated gradients equal the rational sum over the oracle's pieces, and what ever more steps tend to."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, DomainError, TimeLimitError
from reluatlas.testing import zoo
from tests.compare_paths import exact_pieces
from tests.convert import to_nodes
from tests.data import data_folder
from tests.oracles.pointwise import map_along

DATA = data_folder()


@pytest.mark.parametrize("family", zoo.FAMILIES)
def test_equal_to_the_rational_sum(family):
    for seed in range(6):
        net = zoo.FAMILIES[family](seed)
        if net.classes is None:
            continue
        rng = np.random.default_rng(seed)
        b, x = rng.uniform(-2, 2, (2, net.n_inputs))
        found = ra.integrated_gradients(net, x, b)
        nodes, total = to_nodes(net), [Fraction(0)] * net.n_inputs
        pieces = exact_pieces(net, ra.Segment(b, x))
        for piece in pieces:
            forms = map_along(nodes, net.output, net.n_inputs, list(piece.pattern))
            for i in range(net.n_inputs):
                weight = sum(sign * forms[o][i] for o, sign in found.question.factors.items())
                total[i] += (piece.end - piece.start) * weight
        exact = [float(t * (Fraction(p) - Fraction(q))) for t, p, q in zip(total, x.tolist(), b.tolist(), strict=True)]
        scale = 1 + np.abs(exact).max()
        assert found.n_pieces == len(pieces)
        assert np.allclose(found.parts, exact, rtol=0, atol=1e-12 * scale)
        assert found.gap <= 1e-12 * scale


def test_steps_tend_to_it():
    rng = np.random.default_rng(3)
    net = ra.load([(rng.normal(size=(40, 6)), rng.normal(size=40)), (rng.normal(size=(3, 40)), rng.normal(size=3))])
    found = ra.integrated_gradients(net, rng.normal(size=6))
    off = [np.abs(found.with_steps(n) - found.parts).max() for n in (10, 100, 1000, 10000)]
    assert off[3] < off[1] < off[0] and off[3] < 1e-2 * np.abs(found.parts).max()
    assert found.baseline.tolist() == [0.0] * 6
    with pytest.raises(ArgumentError, match="n_steps"):
        found.with_steps(0)


def test_bad_input_is_told():
    net = ra.load([(np.eye(2), np.zeros(2)), (np.eye(2), np.zeros(2))])
    with pytest.raises(DomainError, match="is `x` itself"):
        ra.integrated_gradients(net, [1.0, 2.0], [1.0, 2.0])
    with pytest.raises(DomainError, match="holds 2 points"):
        ra.integrated_gradients(net, [[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(TimeLimitError, match="Allow more seconds"):
        ra.integrated_gradients(net, [1.0, 2.0], [-1.0, -2.0], max_seconds=1e-9)


@pytest.mark.skipif(DATA is None, reason="no data folder (RELUATLAS_DATA)")
def test_a_real_network():
    assert DATA is not None
    net = ra.load(DATA / "models" / "mnist-net_256x2.onnx")
    x = np.random.default_rng(0).random(net.n_inputs)
    found = ra.integrated_gradients(net, x)
    assert found.n_pieces > 100 and found.gap < 1e-9
    coarse, fine = (np.abs(found.with_steps(n) - found.parts).max() for n in (50, 1000))
    assert fine < coarse / 4
