"""What is told of two networks on a domain equals the rational oracle's, and no sample exceeds it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import count, pairwise

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.network.network import Affine, Dense, Network
from reluatlas.testing import FAMILIES, domain_for
from tests.convert import to_problem
from tests.oracles import two_networks

SEEDS = range(7)  # of each of 15 families: 105 pairs


def pair(family: str, seed: int) -> tuple[Network, Network]:
    """Return a network of a family and another one with the same inputs and outputs."""
    f = FAMILIES[family](seed)
    for other in count(seed + 100):
        g = FAMILIES[family](other)
        if (g.input_shape, g.output_shape) == (f.input_shape, f.output_shape):
            return f, g
    raise AssertionError


def assert_as_oracle(
    f: Network, g: Network, domain: ra.Box | ra.Slice, *, in_fractions: bool = False
) -> ra.Comparison:  # fmt: skip
    """Compare two networks, and compare that with the oracle."""
    found = ra.compare(f, g, domain, jobs=1, exact=in_fractions)
    truth = two_networks.compare(to_problem(f, domain), to_problem(g, domain), f.n_outputs)
    assert found.is_complete
    assert found.is_equal == truth.is_equal
    assert found.n_cells == truth.n_cells
    for o, exact in enumerate(truth.largest):
        assert found.max_lower[o] <= exact <= found.max_difference[o]
    assert found.lower <= max(truth.largest) <= found.upper
    assert found.upper - found.lower <= 1e-9 * found.upper
    assert found.mean_difference is not None
    assert found.mean_difference_error is not None
    assert found.mean_square is not None
    assert found.mean_square_error is not None
    for o in range(f.n_outputs):
        assert abs(Fraction(found.mean_difference[o]) - truth.mean[o]) <= found.mean_difference_error[o]
        assert abs(Fraction(found.mean_square[o]) - truth.mean_square[o]) <= found.mean_square_error[o]
        assert abs(found.mean_difference[o] - truth.mean[o]) <= 1e-12 * max(1, truth.largest[o])
    assert found.disagreement is not None
    assert found.disagreement_error is not None
    assert found.f_tied is not None
    assert found.g_tied is not None
    assert abs(found.disagreement - truth.disagreement) <= 1e-12
    assert abs(Fraction(found.disagreement) - truth.disagreement) <= found.disagreement_error
    shares = {pair: share for pair, share in truth.pairs.items() if pair[0] != pair[1]}
    assert {(p.f_class, p.g_class) for p in found.pairs} == set(shares)
    assert all(abs(p.share - shares[p.f_class, p.g_class]) <= 1e-12 for p in found.pairs)
    assert abs(found.f_tied - truth.f_tied) <= 1e-12
    assert abs(found.g_tied - truth.g_tied) <= 1e-12
    if in_fractions:
        means = found.exact_means
        assert means is not None
        assert (means.mean_difference, means.mean_square) == (truth.mean, truth.mean_square)
        assert (means.pairs, means.disagreement) == (shares, truth.disagreement)
        assert (means.f_tied, means.g_tied) == (truth.f_tied, truth.g_tied)
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_pairs_match_the_oracle(family):
    for seed in SEEDS:
        assert_as_oracle(*pair(family, seed), domain_for(seed))


@pytest.mark.parametrize("family", FAMILIES)
def test_means_and_shares_are_the_oracles_fractions(family):
    for seed in range(3):
        assert_as_oracle(*pair(family, seed), domain_for(seed), in_fractions=True)


@pytest.mark.parametrize("family", ["generic", "duplicate", "eight_bit", "residual", "concat"])
def test_near_equal_networks_match_the_oracle(family):
    for seed in range(2):
        f = FAMILIES[family](seed)
        for step in (2.0**-11, 2.0**-24, 2.0**-52):
            assert_as_oracle(f, nudged(f, step, seed), domain_for(seed))


def nudged(f: Network, step: float, seed: int) -> Network:
    """Return a network some of whose weights are a little other."""
    rng = np.random.default_rng(seed)
    nodes = list(f.nodes)
    for t, node in enumerate(nodes):
        if isinstance(node, Affine):
            operators = tuple(
                Dense(o.weight * (1 + step * rng.integers(-1, 2, o.weight.shape))) if isinstance(o, Dense) else o
                for o in node.operators
            )
            nodes[t] = replace(node, operators=operators)
    return replace(f, nodes=tuple(nodes))


def test_two_hundred_pairs_are_nowhere_above_what_is_told():
    rng = np.random.default_rng(7)
    for seed in range(200):
        n = 1 + seed % 3
        widths = (n, *rng.integers(3, 7, 2).tolist(), 1 + seed % 4)
        f, g = (_dense(rng, widths) for _ in "fg")
        box = ra.Box(-1.0, 1.0, dim=n)
        found = ra.compare(f, g, box, jobs=1, means=False)
        assert found.found is not None
        at = found.found.x
        X = np.concatenate([rng.uniform(-1, 1, (500, n)), at[None]])
        for x in X[np.argsort(-np.abs(f(X) - g(X)).max(axis=1))[:3]]:
            assert max(abs(d) for d in exactly(f, g, x)) <= found.upper
        size = max(1.0, *np.abs(found.found.f), *np.abs(found.found.g))
        assert abs(float(np.abs(f(at) - g(at)).max()) - found.upper) <= 1e-5 * size


def _dense(rng: np.random.Generator, widths: tuple[int, ...]) -> Network:
    return ra.load([
        (rng.normal(size=(b, a)), rng.normal(size=b)) for a, b in pairwise(widths)
    ])  # fmt: skip


def exactly(f: Network, g: Network, x: np.ndarray) -> list[Fraction]:
    """Return f(x) - g(x) in fractions, from the weights."""
    return [a - b for a, b in zip(_forward(f, x), _forward(g, x), strict=True)]


def _forward(net: Network, x: np.ndarray) -> list[Fraction]:
    here = [Fraction(float(v)) for v in x]
    layers = net.dense_layers()
    for i, (weight, bias) in enumerate(layers):
        here = [
            sum((Fraction(w) * v for w, v in zip(row, here, strict=True)), Fraction(b))
            for row, b in zip(weight.tolist(), bias.tolist(), strict=True)
        ]
        if i < len(layers) - 1:
            here = [max(v, Fraction(0)) for v in here]
    return here


def rescaled(f: Network, factors: tuple[float, ...], seed: int) -> Network:
    """Return a network with its hidden units in another order, each times one of some factors."""
    rng = np.random.default_rng(seed)
    layers = [(w.copy(), b.copy()) for w, b in f.dense_layers()]
    for t in range(len(layers) - 1):
        (w, b), (after, c) = layers[t], layers[t + 1]
        order, factor = rng.permutation(len(b)), rng.choice(factors, len(b))
        layers[t] = (w[order] * factor[:, None], b[order] * factor)
        layers[t + 1] = (after[:, order] / factor, c)
    return ra.load(layers)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_units_in_another_order_times_powers_of_two_make_the_same_network(n):
    f = _dense(np.random.default_rng(n), (n, 6, 5, 3))
    g = rescaled(f, (0.25, 0.5, 1.0, 2.0, 16.0), n)
    assert not np.array_equal(f.dense_layers()[0][0], g.dense_layers()[0][0])
    found = ra.compare(f, g, ra.Box(-1, 1, dim=n))
    assert found.is_equal is True
    assert found.upper == found.lower == 0.0
    assert not found.max_difference.any()
    assert found.disagreement == 0.0
    assert "exactly zero" in found.summary()


def test_units_times_other_factors_make_another_network_by_as_much_as_the_oracle_says():
    for seed in range(10):
        f = _dense(np.random.default_rng(seed), (2, 4, 3, 2))
        found = assert_as_oracle(f, rescaled(f, (0.3, 1.7, 3.1), seed), ra.Box(-1, 1, dim=2))
        assert found.is_equal is False
        assert 0 < found.lower < 1e-12
        assert found.is_below_float32
        assert "none can show" in found.summary()
