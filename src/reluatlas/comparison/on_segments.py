"""How do two networks differ between inputs? On segments, from the exact pieces of both together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from reluatlas.comparison.answer import SegmentComparison
from reluatlas.comparison.norms import Norm, norm_of
from reluatlas.comparison.refinement import Refinement
from reluatlas.domain import Segment
from reluatlas.paths.path import Path
from reluatlas.paths.trace import trace
from reluatlas.typing import FloatArray

_SLACK = 1.0 + 1e-9


def compare_along(
    both: Refinement, segments: Sequence[Segment], norm: Norm, *, max_cells: int | None, max_seconds: float | None,
    jobs: int | None, progress: Any,
) -> SegmentComparison:  # fmt: skip
    """Return how two networks differ on segments; see `reluatlas.compare`."""
    paths = trace(
        both.network, list(segments), max_cells=max_cells, max_seconds=max_seconds, jobs=jobs, progress=progress
    )
    every = [_on(both, path, norm) for path in paths]
    size, bound, where, most, share = (list(column) for column in zip(*every, strict=True))
    return SegmentComparison(
        f=both.f,
        g=both.g,
        segments=tuple(segments),
        norm=norm,
        max_by_segment=np.array(size),
        bounds=np.array(bound),
        where=np.array(where),
        max_difference=np.max(most, axis=0),
        disagreement=None if both.columns is None else np.array(share),
        n_pieces=paths.n_pieces,
        stopped_by=paths.stopped_by,
        exactness=paths[0].exactness,
    )


def _on(both: Refinement, path: Path, norm: Norm) -> tuple[float, float, float, FloatArray, float]:
    """Return the largest difference on a path, its bound, where it is, each output's, the share of other classes."""
    m, n = both.m, path.n_pieces
    if not n:
        return 0.0, 0.0, 0.0, np.zeros(m), 0.0
    t = path.edges
    _, _, slope = both.outputs(path.affine.A[:, :, 0])
    _, _, start = both.outputs(path.affine.b)
    _, _, error = both.outputs(path.errors)
    at = np.stack([t[:-1], t[1:]], axis=1)  # both ends of each piece
    radius = np.concatenate([[0.0], path.radii, [0.0]])
    loose = np.stack([radius[:n], radius[1 : n + 1]], axis=1)
    values = np.abs(start[:, None] + at[:, :, None] * slope[:, None])
    off = _SLACK * (2 * error[:, None] + loose[:, :, None] * np.abs(slope)[:, None])
    off += 2.0**-51 * (np.abs(start)[:, None] + np.abs(slope)[:, None])
    sizes = norm_of(values, norm)
    piece, end = np.unravel_index(int(sizes.argmax()), sizes.shape)
    bound = float((sizes + norm_of(off, norm)).max()) - float(sizes[piece, end])
    share = 0.0
    if both.columns is not None:
        first, second = both.classes(path.patterns)
        differ = first != second
        share = float(np.diff(t)[differ].sum())
    return float(sizes[piece, end]), bound * _SLACK, float(at[piece, end]), values.max(axis=(0, 1)), share
