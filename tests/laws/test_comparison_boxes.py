"""By boxes, both ends of the largest difference are on their sides of the rational oracle's, at every stop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.network.network import Affine, Dense, Network
from reluatlas.testing import FAMILIES, domain_for
from tests.convert import to_problem
from tests.laws.test_comparison import nudged, pair
from tests.oracles import two_networks


def pruned(f: Network) -> Network:
    """Return a network without its smallest dense weights."""

    def without(node):
        if not isinstance(node, Affine):
            return node
        least = 0.3 * max(
            (float(np.abs(o.weight).max(initial=0.0)) for o in node.operators if isinstance(o, Dense)), default=0
        )
        return replace(node, operators=tuple(
            Dense(np.where(np.abs(o.weight) < least, 0.0, o.weight)) if isinstance(o, Dense) else o
            for o in node.operators
        ))  # fmt: skip

    return replace(f, nodes=tuple(map(without, f.nodes)))


def assert_ends(f: Network, g: Network, domain: ra.Box | ra.Slice, stops=(1, 30, 300)) -> tuple[bool, bool]:
    """Assert that both ends hold at every stop; return whether they met, and whether units were paired."""
    truth = two_networks.compare(to_problem(f, domain), to_problem(g, domain), f.n_outputs)
    last = np.inf
    found = None
    for most in stops:
        found = ra.compare(f, g, domain, method="boxes", max_cells=most, jobs=1)
        assert found.method == "boxes" and found.boxes is not None
        assert found.lower <= max(truth.largest) <= found.upper
        assert found.upper <= last
        for o, exact in enumerate(truth.largest):
            assert found.max_lower[o] <= exact <= found.max_difference[o]
        if found.is_equal is not None:
            assert found.is_equal == truth.is_equal
        if found.is_complete:
            assert found.upper <= found.lower * (1 + 1e-6) + 1e-300
        last = found.upper
    assert found is not None and found.boxes is not None
    return found.is_complete, found.boxes.is_paired


@pytest.mark.parametrize("family", FAMILIES)
def test_pairs_of_the_families(family):
    met = n = 0
    for seed in range(2):
        f, domain = FAMILIES[family](seed), domain_for(seed)
        for g in (nudged(f, 2.0**-11, seed), pruned(f), pair(family, seed)[1]):
            is_complete, _ = assert_ends(f, g, domain)
            met, n = met + is_complete, n + 1
    assert met >= n // 2


def test_equal_networks_are_proven_equal_at_once():
    for family in ("generic", "residual", "concat"):
        f = FAMILIES[family](0)
        found = ra.compare(f, replace(f, nodes=tuple(map(replace, f.nodes))), domain_for(0), method="boxes", jobs=1)
        assert found.upper == 0.0
        assert found.is_equal
        assert found.boxes is not None and found.boxes.n_boxes == 1
        assert "same function" in found.summary()
