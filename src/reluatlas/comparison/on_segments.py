"""How do two networks differ between inputs? On segments, from the exact pieces of both together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reluatlas.answers.exactness import Exactness
from reluatlas.answers.limits import StoppedBy
from reluatlas.comparison import words
from reluatlas.comparison.norms import Norm, norm_of
from reluatlas.comparison.refinement import Refinement
from reluatlas.domain import Segment
from reluatlas.network.network import Network
from reluatlas.paths.path import Path
from reluatlas.paths.trace import trace
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray, IntArray

_SLACK = 1.0 + 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class SegmentComparison(Shown):
    """How two networks differ on segments. Made by `reluatlas.compare`.

    Attributes
    ----------
    f, g : Network
    segments : tuple of Segment
    norm : {"inf", 1, 2}
        Over the outputs, of `max_by_segment`.
    max_by_segment, bounds : ndarray, shape (S,)
        The largest |f - g| on each segment, and how far that may be off.
    where : ndarray, shape (S,)
        At which t in [0, 1] of the segment: the point is `a + t (b - a)`.
    max_difference : ndarray, shape (m,)
        The largest of each output, on all of them.
    disagreement : ndarray, shape (S,), or None
        The share of each segment's length on which the classes differ; None without classes.
    n_pieces : ndarray of int, shape (S,)
        Pieces of the common refinement that each segment passes through.
    stopped_by : str
    exactness : Exactness
    """

    f: Network
    g: Network
    segments: tuple[Segment, ...]
    norm: Norm
    max_by_segment: FloatArray
    bounds: FloatArray
    where: FloatArray
    max_difference: FloatArray
    disagreement: FloatArray | None
    n_pieces: IntArray
    stopped_by: StoppedBy
    exactness: Exactness

    @property
    def n_segments(self) -> int:
        """Number of segments (S)."""
        return len(self.segments)

    @property
    def is_complete(self) -> bool:
        """Whether all segments were traced."""
        return self.stopped_by == ""

    @property
    def largest(self) -> float:
        """The largest |f - g| on all segments: nowhere exceeded where they are complete."""
        return float((self.max_by_segment + self.bounds).max())

    @property
    def witness(self) -> FloatArray:
        """The float64 input next to where it is."""
        i = int(self.max_by_segment.argmax())
        segment, t = self.segments[i], float(self.where[i])
        return ((1 - t) * segment.a + t * segment.b).reshape(self.f.input_shape)

    @property
    def words(self) -> list[str]:
        """The answer in sentences."""
        return words.on_segments(self)

    def summary(self) -> str:
        """Return the answer in words."""
        return "\n".join(self.words)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain values, for JSON."""
        return {
            "is_complete": self.is_complete,
            "stopped_by": self.stopped_by,
            "n_segments": self.n_segments,
            "norm": self.norm,
            "largest": self.largest,
            "max_by_segment": self.max_by_segment.tolist(),
            "where": self.where.tolist(),
            "max_difference": self.max_difference.tolist(),
            "disagreement": None if self.disagreement is None else self.disagreement.tolist(),
            "n_pieces": self.n_pieces.tolist(),
            "words": self.words,
        }

    def __repr__(self) -> str:
        return f"SegmentComparison({' '.join(self.words)})"


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
    """Return the largest difference on a path, its bound, where it is, that of each output, the share of other classes."""
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
