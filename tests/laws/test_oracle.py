"""Cells, patterns, maps and adjacency equal the oracle's, for hundreds of networks of every family."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

import reluatlas as ra
from reluatlas.testing import FAMILIES, assert_complex, domain_for
from tests.compare import assert_matches_oracle
from tests.strategies import problems

SEEDS = range(25)


@pytest.mark.parametrize("family", FAMILIES)
def test_families_match_the_oracle(family):
    n_escalated = 0
    for seed in SEEDS:
        cx = ra.enumerate_cells(FAMILIES[family](seed), domain_for(seed), jobs=1 + seed % 2)
        assert_matches_oracle(cx)
        assert_complex(cx)
        assert ra.count_cells(cx.network, cx.domain, jobs=1).n_cells == cx.n_cells
        n_escalated += cx.exactness.n_escalated
    if family in ("duplicate", "opposite", "parallel", "three_lines_meet", "sliver"):
        assert n_escalated > 0


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(problems())
def test_drawn_networks_match_the_oracle(drawn):
    cx = ra.enumerate_cells(*drawn, jobs=1)
    assert_matches_oracle(cx)
    assert_complex(cx)
    assert ra.count_cells(*drawn, jobs=1).n_cells == cx.n_cells
