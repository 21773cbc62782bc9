"""Is a decision boundary right? Against the oracle: every piece with its outputs and its cell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.oracles.boundary import Boundary

_SLACK = 1e-9


def assert_boundary_matches_oracle(cx: Any, expected: Boundary) -> None:
    """Assert that a complex on a bounded domain has the oracle's decision boundary."""
    given = cx.decision_boundary()
    patterns = [tuple(row) for row in cx.patterns.tolist()]
    assert given.outputs.shape == (len(given), 2) and given.is_rim.shape == given.cell.shape

    def is_thin(i: int, piece: Any) -> bool:
        outputs, cells = expected.thin[piece]
        pair = sorted(outputs)[:2] if cx.n_outputs > 1 else [0, 0]
        return (
            given.outputs[i].tolist() == pair
            and patterns[given.cell[i]] in cells
            and given.is_rim[i] == (piece in expected.rims)
        )

    _assert_match(given, expected.thin, is_thin)
    full = given.full_pieces
    assert full.outputs.shape == (len(full), cx.n_outputs)

    def is_full(i: int, piece: Any) -> bool:
        cell, outputs = expected.full[piece]
        return patterns[full.cell[i]] == cell and set(np.flatnonzero(full.outputs[i]).tolist()) == outputs

    _assert_match(full, expected.full, is_full)
    assert {patterns[c] for c in given.full_cells} == {cell for cell, _ in expected.full.values()}
    assert np.all(np.diff(given.full_cells) > 0)


def _assert_match(pieces: Any, expected: Iterable[Any], agrees: Callable[[int, Any], bool]) -> None:
    """Assert that given pieces are the expected ones, each once, by their vertices and by what is said of them.

    Pieces may lie closer to each other than their vertices are rounded.
    """
    left = [(piece, np.array(sorted(piece), dtype=float)) for piece in expected]
    assert len(pieces) == len(left), f"{len(pieces)} pieces, expected {len(left)}"
    assert not pieces.is_ray.any()
    for i, run in enumerate(np.split(pieces.points, pieces.offsets[1:-1]) if len(pieces) else []):
        near = [n for n, (_, points) in enumerate(left) if _same_points(run, points)]
        assert near, f"piece {i} with vertices {run.tolist()} is not expected; left are {left[:3]}"
        at = next((n for n in near if agrees(i, left[n][0])), None)
        assert at is not None, f"what is said of piece {i} at {run.tolist()} is wrong"
        left.pop(at)


def _same_points(given: NDArray, expected: NDArray) -> bool:
    if given.shape != expected.shape:
        return False
    near = np.abs(given[:, None] - expected[None]).max(axis=2) <= _SLACK * max(1.0, float(np.abs(expected).max()))
    return bool(near.any(axis=0).all() and near.any(axis=1).all())
