"""What `compare` tells by boxes: alone, after cells, with `eps`, in many dimensions; what it refuses."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.comparison.paired import search
from reluatlas.errors import ArgumentError, DomainError


def dense(*widths, seed=0, **meaning):
    rng = np.random.default_rng(seed)
    return ra.load([(rng.normal(size=(b, a)), rng.normal(size=b)) for a, b in pairwise(widths)], **meaning)


def rounded(net):
    return ra.load([(w.astype(np.float16).astype(np.float64), b) for w, b in net.dense_layers()])


F = dense(3, 6, 5, 3, seed=1)
G = rounded(F)
CUBE = ra.Box(-1, 1, dim=3)


@pytest.mark.parametrize(("norm", "order"), [("inf", np.inf), (1, 1), (2, 2)])
def test_the_witness_reaches_the_lower_end(norm, order):
    found = ra.compare(F, G, CUBE, method="boxes", norm=norm, max_cells=2_000)
    assert found.found is not None
    apart = np.linalg.norm(F(found.found.x) - G(found.found.x), ord=order)
    assert apart == pytest.approx(found.lower, rel=1e-9)
    X = np.random.default_rng(0).uniform(-1, 1, (50_000, 3))
    assert np.linalg.norm(F(X) - G(X), ord=order, axis=1).max() <= found.upper
    assert np.all(np.abs(F(X) - G(X)).max(axis=0) <= found.max_difference)
    if norm == "inf":
        assert found.ends_meet and found.is_complete
    assert found.disagreement is None and found.mean_difference is None and found.method == "boxes"
    told = found.to_dict()
    assert told["boxes"]["is_paired"] and told["method"] == "boxes"


def test_eps_is_proven_or_has_a_witness():
    ends = ra.compare(F, G, CUBE, method="boxes")
    above, below = (ra.compare(F, G, CUBE, method="boxes", eps=s * ends.upper) for s in (2.0, 0.5))
    assert above.is_within is True and above.is_complete
    assert "nowhere differ by more" in above.summary()
    assert below.is_within is False and below.is_complete
    assert below.found is not None
    assert np.abs(F(below.found.x) - G(below.found.x)).max() > 0.5 * ends.upper
    assert above.boxes is not None and ends.boxes is not None and above.boxes.n_boxes <= ends.boxes.n_boxes
    stopped = ra.compare(F, G, CUBE, method="boxes", eps=ends.upper * 1.0001, max_cells=1)
    assert stopped.is_within is None and not stopped.is_complete


def test_layers_that_do_not_correspond_are_bounded_as_one_network_and_that_is_said():
    found = ra.compare(F, dense(3, 4, 3, seed=5), CUBE, method="boxes", max_cells=400)
    assert found.boxes is not None and not found.boxes.is_paired
    assert "do not correspond" in found.summary()


def test_any_number_of_dimensions():
    f = dense(20, 8, 6, 2, seed=3)
    g = rounded(f)
    box = ra.Box(-1, 1, dim=20)
    found = ra.compare(f, g, box, method="boxes", max_cells=200)
    X = np.random.default_rng(0).uniform(-1, 1, (50_000, 20))
    assert found.lower <= found.upper
    assert np.abs(f(X) - g(X)).max() <= found.upper
    with pytest.raises(DomainError, match='`method="boxes"`'):
        ra.compare(f, g, box)


def test_an_interrupt_keeps_both_ends(monkeypatch):
    taken = []

    def stop(self, pool):
        taken.append(self.tree.take())
        try:
            raise KeyboardInterrupt
        finally:
            self.tree.put(taken.pop())

    monkeypatch.setattr(search.Search, "_step", stop)
    found = ra.compare(F, G, CUBE, method="boxes")
    assert found.stopped_by == "interrupt"
    whole = ra.compare(F, G, CUBE, method="boxes", max_cells=1)
    assert 0 < found.lower <= found.upper == whole.upper


def test_the_gap_closes_as_it_is_told():
    told = []
    found = ra.compare(F, G, CUBE, method="boxes", progress=lambda what, done, share: told.append((done, share)))
    assert found.is_complete
    assert told == sorted(told)
    assert told[-1][1] == pytest.approx(1.0, abs=1e-6)


def test_threads_find_the_same_ends():
    one, two = (ra.compare(F, G, CUBE, method="boxes", jobs=jobs) for jobs in (1, 2))
    assert one.upper == pytest.approx(two.upper, rel=1e-8)
    assert one.lower == pytest.approx(two.lower, rel=1e-8)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"where": CUBE, "method": "tree"}, "`method='tree'` is unknown"),
        ({"where": CUBE, "eps": -1.0}, "`eps=-1.0`"),
        ({"where": CUBE, "eps": float("nan")}, "`eps=nan`"),
        ({"where": CUBE, "eps": True}, "`eps=True`"),
        ({"X": np.ones((2, 3)), "method": "boxes"}, "for a `Box` or a `Slice`"),
        ({"X": np.ones((2, 3)), "eps": 0.5}, "for a `Box` or a `Slice`"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(given, says):
    with pytest.raises(ArgumentError, match=says):
        ra.compare(F, G, **given)


def test_boxes_go_on_where_cells_are_too_many():
    f = dense(4, 16, 16, 16, 2, seed=3, classes=None)
    g = ra.load([(w.astype(np.float16).astype(np.float64), b) for w, b in f.dense_layers()], classes=None)
    box = ra.Box(-1, 1, dim=4)
    alone, both = (ra.compare(f, g, box, means=False, max_cells=50, jobs=1, method=m) for m in ("cells", None))
    assert alone.method == "cells" and both.method == "cells, then boxes"
    assert alone.lower <= both.lower <= both.upper < alone.upper
    assert both.n_cells > 0 and both.boxes is not None and both.boxes.is_paired
    assert "Both ends are from" in both.summary()
