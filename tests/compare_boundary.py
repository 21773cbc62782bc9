"""Is a decision boundary right? Against the oracle: every piece with its outputs and its cell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.oracles.boundary import Boundary

_SLACK = 1e-9


def assert_boundary_matches_oracle(cx: Any, expected: Boundary) -> None:
    """Assert that a complex on a bounded domain has the oracle's decision boundary."""
    given = cx.decision_boundary()
    patterns = [tuple(row) for row in cx.patterns.tolist()]
    assert len(given) == len(expected.thin), f"{len(given)} thin pieces, expected {len(expected.thin)}"
    assert given.outputs.shape == (len(given), 2) and given.is_rim.shape == given.cell.shape
    for i, piece in _matched(given, expected.thin):
        outputs, cells = expected.thin[piece]
        assert tuple(given.outputs[i]) == tuple((sorted(outputs) * 2)[:2] if len(outputs) == 1 else sorted(outputs)[:2])
        assert patterns[given.cell[i]] in cells, f"thin piece {i} is in another cell"
        assert given.is_rim[i] == (piece in expected.rims), f"piece {i}: is_rim={given.is_rim[i]}"

    full = given.full_pieces
    assert len(full) == len(expected.full), f"{len(full)} full pieces, expected {len(expected.full)}"
    assert full.outputs.shape == (len(full), cx.n_outputs)
    for i, piece in _matched(full, expected.full):
        cell, outputs = expected.full[piece]
        assert patterns[full.cell[i]] == cell, f"full piece {i} is in another cell"
        assert set(np.flatnonzero(full.outputs[i]).tolist()) == outputs
    assert {patterns[c] for c in given.full_cells} == {cell for cell, _ in expected.full.values()}
    assert np.all(np.diff(given.full_cells) > 0)


def _matched(pieces: Any, expected: Iterable[Any]) -> Iterable[tuple[int, Any]]:
    """Yield, for each given piece, the expected one with its vertices; each is matched once."""
    left = [(piece, np.array(sorted(piece), dtype=float)) for piece in expected]
    runs = np.split(pieces.points, pieces.offsets[1:-1]) if len(pieces) else []
    assert not pieces.is_ray.any()
    for i, run in enumerate(runs):
        at = next((n for n, (_, points) in enumerate(left) if _same_points(run, points)), None)
        assert at is not None, f"piece {i} with vertices {run.tolist()} is not expected; left are {left[:3]}"
        yield i, left.pop(at)[0]


def _same_points(given: NDArray, expected: NDArray) -> bool:
    if given.shape != expected.shape:
        return False
    near = np.abs(given[:, None] - expected[None]).max(axis=2) <= _SLACK * max(1.0, float(np.abs(expected).max()))
    return bool(near.any(axis=0).all() and near.any(axis=1).all())
