"""Limits, jobs and interrupts: what was found is kept, in one order, and marked."""

from __future__ import annotations

import threading
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError, DomainError
from tests.compare import assert_laws

BOX = ra.Box(-1, 1, dim=2)


def network(width=24, seed=0):
    rng, layers = np.random.default_rng(seed), []
    for n, m in pairwise((2, width, width, width, 2)):
        layers.append((rng.uniform(-1, 1, (m, n)) / np.sqrt(n), rng.uniform(-1, 1, m) / np.sqrt(n)))
    return ra.load(layers)


def test_any_number_of_jobs_gives_the_same_file(tmp_path):
    net = network(48)
    for jobs in (1, 2, 3):
        ra.enumerate_cells(net, BOX, jobs=jobs).save(tmp_path / f"{jobs}.npz")
    files = [(tmp_path / f"{jobs}.npz").read_bytes() for jobs in (1, 2, 3)]
    assert files[0] == files[1] == files[2]


@pytest.mark.parametrize("jobs", [1, 2])
def test_max_cells_keeps_the_first_ones(jobs):
    net = network(48)
    whole = ra.enumerate_cells(net, BOX)
    assert whole.n_cells > 1000
    part = ra.enumerate_cells(net, BOX, max_cells=500, jobs=jobs)
    assert part.n_cells == 500 and part.stopped_by == "max_cells" and not part.is_complete
    assert np.array_equal(part.patterns, whole.patterns[:500])
    assert (part.facets.neighbor == -2).any()
    assert_laws(part)
    assert len(part.decision_boundary().cell) == 0 or part.decision_boundary().cell.max() < 500


def test_max_cells_that_is_not_reached_changes_nothing():
    net = network(8)
    whole = ra.enumerate_cells(net, BOX)
    assert ra.enumerate_cells(net, BOX, max_cells=whole.n_cells).is_complete
    assert ra.count_cells(net, BOX, max_cells=whole.n_cells + 1).is_complete


def test_a_count_that_found_all_cells_is_complete():
    net = network(4)
    n = ra.enumerate_cells(net, BOX).n_cells
    assert 1 < n <= 64  # found in one go
    assert ra.count_cells(net, BOX, max_cells=n - 1).is_complete
    part = ra.enumerate_cells(net, BOX, max_cells=n - 1)
    assert part.n_cells == n - 1 and not part.is_complete


def test_max_seconds_stops_and_says_so():
    rng = np.random.default_rng(0)
    layers = [(rng.uniform(-1, 1, (m, n)), rng.uniform(-1, 1, m)) for n, m in pairwise((2, 300, 300, 300, 1))]
    found = ra.count_cells(ra.load(layers), BOX, max_seconds=0.3)
    assert found.stopped_by == "max_seconds" and not found.is_complete
    assert 0 <= found.volume_done < 4 and found.seconds < 10


def test_an_interrupt_gives_what_was_found():
    rng = np.random.default_rng(0)
    layers = [(rng.uniform(-1, 1, (m, n)), rng.uniform(-1, 1, m)) for n, m in pairwise((2, 300, 300, 300, 1))]
    calls = []

    def interrupting(n_cells, share):
        calls.append((n_cells, share))
        if n_cells > 2000:
            raise KeyboardInterrupt

    cx = ra.enumerate_cells(ra.load(layers), BOX, progress=interrupting)
    assert cx.stopped_by == "interrupt" and cx.n_cells > 2000
    assert [c for c, _ in calls] == sorted(c for c, _ in calls) and 0 < calls[-1][1] < 1
    assert_laws(cx)


def test_threads_are_gone_afterwards():
    ra.count_cells(network(), BOX, jobs=2)
    assert not [t for t in threading.enumerate() if t.name.startswith("reluatlas")]


def test_memory_of_counting_does_not_grow_with_the_cells():
    peaks, counts = [], []
    for scale in (0.05, 1.0):
        net, box = network(64), ra.Box(-scale, scale, dim=2)
        ra.count_cells(net, box, jobs=1)
        tracemalloc.start()
        counts.append(ra.count_cells(net, box, jobs=1).n_cells)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert counts[1] > 10 * counts[0] and peaks[1] < 2.5 * peaks[0] + 2**20


@pytest.mark.parametrize(
    "limits",
    [
        {"max_cells": 0},
        {"max_cells": 1.5},
        {"max_seconds": 0},
        {"max_seconds": np.nan},
        {"max_seconds": np.inf},
        {"jobs": 0},
        {"jobs": True},
    ],
)
def test_limits_that_make_no_sense(limits):
    with pytest.raises(ArgumentError, match=next(iter(limits))):
        ra.count_cells(network(4), BOX, **limits)


def test_neighbors_of_an_incomplete_answer_are_looked_for_in_time(monkeypatch):
    """Facets across which several units turn take a pass each; once time is up, those left stay unexplored."""
    from reluatlas.complexes import join as module

    rng = np.random.default_rng(0)
    W, b = rng.normal(size=(12, 2)), rng.normal(size=12) / 2
    doubled = ra.load([(np.repeat(W, 2, axis=0), np.repeat(b, 2)), (rng.normal(size=(1, 24)), np.zeros(1))])
    whole = ra.enumerate_cells(doubled, BOX)
    part = ra.enumerate_cells(doubled, BOX, max_cells=20, max_seconds=100)
    assert part.stopped_by == "max_cells" and part.n_cells == 20 and np.sum(part.facets.neighbor >= 0) > 20
    kept = module.match_facets

    def late(*arguments, **named):
        named["stop"][0] = 1
        return kept(*arguments, **named)

    monkeypatch.setattr(module, "match_facets", late)
    hurried = ra.enumerate_cells(doubled, BOX, max_cells=20, max_seconds=100)
    assert np.array_equal(hurried.patterns, part.patterns)
    assert np.sum(hurried.facets.neighbor == -2) > np.sum(part.facets.neighbor == -2)
    # all cells without all neighbors are no complete answer
    alone = ra.enumerate_cells(doubled, BOX)
    assert alone.n_cells == whole.n_cells and alone.stopped_by == "max_seconds" and not alone.is_complete
    monkeypatch.undo()
    assert np.array_equal(ra.enumerate_cells(doubled, BOX, max_seconds=100).facets.neighbor, whole.facets.neighbor)


def test_domains_that_do_not_fit():
    net = network(4)
    with pytest.raises(DimensionError, match="dimension 3 but the network takes 2 inputs"):
        ra.enumerate_cells(net, ra.Box(-1, 1, dim=3))
    with pytest.raises(DomainError, match="`Box`, `Slice` or `Space`"):
        ra.count_cells(net, [[-1, 1], [-1, 1]])
    with pytest.raises(DimensionError, match="space of 3 dimensions but the network takes 2"):
        ra.enumerate_cells(net, ra.Space(3))
