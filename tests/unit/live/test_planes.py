"""The plane turns rigidly about an anchor, and refuses what is no plane."""

from __future__ import annotations

import numpy as np
import pytest

from reluatlas.errors import DomainError
from reluatlas.live.planes import led, turned

X = np.random.default_rng(2).normal(size=(6, 9))
LABELS = [*"abcdef"]


@pytest.mark.parametrize("pivot", [0, 1, 2])
@pytest.mark.parametrize("angle", [-2.0, 0.3, np.pi / 2])
def test_distances_stay_and_so_does_the_pivot(pivot, angle):
    found = turned([*X[:3]], pivot, X[4], angle)
    assert np.array_equal(found[pivot], X[pivot])
    for i in range(3):
        for j in range(i):
            assert np.linalg.norm(found[i] - found[j]) == pytest.approx(np.linalg.norm(X[i] - X[j]), rel=1e-12)


def test_a_quarter_turn_leads_toward_the_input():
    """After it, what lies outside of the old plane on the way to the input lies in the new one."""
    found = turned([*X[:3]], 0, X[4], np.pi / 2)
    old = np.linalg.qr(np.stack([X[1] - X[0], X[2] - X[0]], axis=1))[0]
    out = X[4] - X[0] - old @ (old.T @ (X[4] - X[0]))
    new = np.linalg.qr(np.stack([found[1] - X[0], found[2] - X[0]], axis=1))[0]
    np.testing.assert_allclose(new @ (new.T @ out), out, atol=1e-12)


def test_the_angle_is_that_between_the_planes():
    found = turned([*X[:3]], 1, X[5], 0.4)
    old = np.linalg.qr(np.stack([X[0] - X[1], X[2] - X[1]], axis=1))[0]
    new = np.linalg.qr(np.stack([found[0] - X[1], found[2] - X[1]], axis=1))[0]
    np.testing.assert_allclose(np.sort(np.linalg.svd(old.T @ new)[1]), [np.cos(0.4), 1.0], atol=1e-12)


def test_no_turn_is_the_plane_itself():
    anchors = [(0, 3, 0.0), (1, 3, 0.0), (2, 3, 0.5)]
    plane, other = led(X, LABELS, 0.2, anchors, None), led(X, LABELS, 0.2, anchors, (0, 4, 0.0))
    assert np.array_equal(plane.domain.frame()[1], other.domain.frame()[1])
    for way, (i, j, _) in zip(plane.ways, anchors, strict=True):
        np.testing.assert_allclose(way, plane.domain.frame()[1] @ (X[j] - X[i]), atol=1e-6)


@pytest.mark.parametrize(
    ("anchors", "turn", "reason"),
    [
        ([(0, 3, 0.0), (0, 3, 0.0), (2, 3, 0.0)], None, "on a line"),
        ([(0, 3, 0.0), (1, 3, 0.0), (6, 3, 0.0)], None, "no such inputs"),
        ([(0, 9, 0.0), (1, 3, 0.0), (2, 3, 0.0)], None, "no such inputs"),
        ([(0, 3, 0.0), (1, 3, 0.0), (2, 3, 0.0)], (0, 6, 0.5), "no such inputs"),
        ([(0, 3, 0.0), (1, 3, 0.0), (2, 3, 0.0)], (0, 2, 0.5), "lies in it"),
        ([(0, 3, 0.0), (1, 3, 0.0), (1, 3, 0.0)], (0, 4, 0.5), "lies in it"),
    ],
)
def test_refused(anchors, turn, reason):
    with pytest.raises(DomainError, match=reason):
        led(X, LABELS, 0.2, anchors, turn)
